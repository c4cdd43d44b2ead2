//! Consumers: streams of deliveries.

same_consumers!();
