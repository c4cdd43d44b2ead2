//! The demos: what they show is what RabbitMQ does.

mod durable;
mod kills;
mod observed;
mod tour;
mod transcript;
mod tutorial;
mod volume;
