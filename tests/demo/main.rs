//! The demos: what they show is what RabbitMQ does.

mod kills;
mod observed;
mod transcript;
mod tutorial;
mod volume;
