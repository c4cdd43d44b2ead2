//! Consumers: streams of deliveries.

leveret_lapin3::same_consumers!();

impl Consumer {
    pub(crate) fn watch(&self) -> ConsumerWatch {
        ConsumerWatch::new(&self.inner)
    }
}
