//! Looking in: what there is, and what has happened.

use std::sync::Arc;

use super::handle::Broker;
use super::history::History;
use crate::engine::{
    ChannelView, ConnectionView, EngineView, ExchangeView, Inspection, MessageView, QueueView,
};
use crate::protocol::Binding;

impl Broker {
    /// The queues, in the order of declaring, with their counts and consumers.
    #[must_use]
    pub fn queues(&self) -> Vec<QueueView> {
        self.shared.inner.look().core.engine().queue_views()
    }

    /// One queue; `None` if there is none of that name.
    #[must_use]
    pub fn queue(&self, name: &str) -> Option<QueueView> {
        self.queues().into_iter().find(|queue| &*queue.name == name)
    }

    /// The exchanges, in the order of declaring: the default one first, then those that are there from the
    /// start (S147).
    #[must_use]
    pub fn exchanges(&self) -> Vec<ExchangeView> {
        self.shared.inner.look().core.engine().exchange_views()
    }

    /// The bindings, in the order of binding. Those of the default exchange, which has every queue under its
    /// name, are not among them.
    #[must_use]
    pub fn bindings(&self) -> Vec<Arc<Binding>> {
        self.shared.inner.look().core.engine().binding_views()
    }

    /// The ready messages of a queue, in order, without taking them; none if there is no such queue.
    #[must_use]
    pub fn messages(&self, queue: &str) -> Vec<MessageView> {
        self.shared.inner.look().core.engine().ready_messages(queue).unwrap_or_default()
    }

    /// The connections, in the order of connecting.
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionView> {
        self.shared.inner.look().core.engine().connection_views()
    }

    /// The channels, by connection and number, with their windows and what they hold.
    #[must_use]
    pub fn channels(&self) -> Vec<ChannelView> {
        self.shared.inner.look().core.engine().channel_views()
    }

    /// Everything at one moment.
    #[must_use]
    pub fn view(&self) -> EngineView {
        self.shared.inner.look().core.engine().view()
    }

    /// Everything at one moment, with the messages themselves, which are peeked at and not taken; under the names of
    /// RabbitMQ's management API. Its `Display` is a table.
    ///
    /// ```
    /// use leveret_broker::Broker;
    ///
    /// let broker = Broker::in_memory();
    /// let inspection = broker.inspect();
    /// assert!(inspection.queues.is_empty());
    /// assert_eq!(inspection.to_string(), "virtual host /\n");
    /// ```
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        let state = self.shared.inner.look();
        let mut inspection = state.core.engine().inspect();
        for (channel, inspected) in
            state.core.engine().channel_ids().into_iter().zip(&mut inspection.channels)
        {
            inspected.messages_unconfirmed = state.core.unconfirmed(channel);
        }
        inspection
    }

    /// Whether it keeps a [history](Self::history).
    #[must_use]
    pub fn has_history(&self) -> bool {
        self.shared.inner.is_watched
    }

    /// What has happened so far; empty unless the broker was made
    /// [`with_history`](super::BrokerOptions::with_history).
    #[must_use]
    pub fn history(&self) -> History {
        self.shared.inner.look().core.history().cloned().unwrap_or_default()
    }
}
