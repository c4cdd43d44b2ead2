//! Short forms of what tests ask for most.

use bytes::Bytes;

use super::Harness;
use crate::protocol::types::{FieldTable, ShortString};
use crate::protocol::{
    BasicConsume, BasicPublish, CallId, ChannelId, Command, ConnectionId, ExchangeBind,
    ExchangeDeclare, Method, Notice, Output, QueueBind, QueueDeclare, Reply,
};
use crate::testing::Step;

/// What tests ask for most.
impl Harness {
    /// Connects as `guest`.
    ///
    /// # Panics
    ///
    /// If the engine does not answer.
    pub fn connect(&mut self) -> ConnectionId {
        let user = "guest".into();
        let step = self.step(Command::OpenConnection { user });
        let connected = step.outputs.first().map(|output| output.connection);
        connected.expect("connecting is always answered")
    }

    /// Opens a channel under the lowest number that the connection has free.
    ///
    /// # Panics
    ///
    /// If the engine refuses.
    pub fn open(&mut self, connection: ConnectionId) -> ChannelId {
        let number = self.number_of(connection);
        let channels = self.engine.channel_views();
        let taken = |candidate: &u16| {
            let same = |view: &&crate::engine::ChannelView| {
                view.connection == number && view.number == *candidate
            };
            channels.iter().find(same).is_some()
        };
        let free = (1..=u16::MAX).find(|candidate| !taken(candidate));
        let free = free.expect("a connection has fewer channels than there are numbers");
        let step = self.open_number(connection, free);
        match step.outputs.as_slice() {
            [
                Output {
                    notice: Notice::Reply { reply: Reply::ChannelOpened(channel), .. }, ..
                },
            ] => *channel,
            _ => panic!("channel.open was refused: {:?}", step.lines()),
        }
    }

    /// Opens a channel under a number; may be refused.
    pub fn open_number(&mut self, connection: ConnectionId, number: u16) -> Step {
        self.step(Command::OpenChannel { connection, number, call: CallId::default() })
    }

    /// Declares a transient queue.
    pub fn declare(&mut self, channel: ChannelId, queue: &str) -> Step {
        self.declare_with(channel, queue, |_| {})
    }

    /// Declares a queue; `adjust` sets what is not the default.
    pub fn declare_with(
        &mut self,
        channel: ChannelId,
        queue: &str,
        adjust: impl FnOnce(&mut QueueDeclare),
    ) -> Step {
        let mut declare = QueueDeclare { queue: queue.into(), ..QueueDeclare::default() };
        adjust(&mut declare);
        self.method(channel, Method::QueueDeclare(declare))
    }

    /// Declares a transient exchange of a type.
    pub fn declare_exchange(&mut self, channel: ChannelId, exchange: &str, kind: &str) -> Step {
        self.declare_exchange_with(channel, exchange, kind, |_| {})
    }

    /// Declares an exchange; `adjust` sets what is not the default.
    pub fn declare_exchange_with(
        &mut self,
        channel: ChannelId,
        exchange: &str,
        kind: &str,
        adjust: impl FnOnce(&mut ExchangeDeclare),
    ) -> Step {
        let mut declare = ExchangeDeclare {
            exchange: exchange.into(),
            kind: kind.into(),
            ..ExchangeDeclare::default()
        };
        adjust(&mut declare);
        self.method(channel, Method::ExchangeDeclare(declare))
    }

    /// Deletes an exchange, whatever is bound to it.
    pub fn delete_exchange(&mut self, channel: ChannelId, exchange: &str) -> Step {
        let (exchange, if_unused, nowait) = (exchange.into(), false, false);
        self.method(channel, Method::ExchangeDelete { exchange, if_unused, nowait })
    }

    /// Binds a queue to an exchange.
    pub fn bind(&mut self, channel: ChannelId, queue: &str, exchange: &str, key: &str) -> Step {
        self.bind_with(channel, queue, exchange, key, FieldTable::default())
    }

    /// Binds a queue to an exchange, with arguments.
    pub fn bind_with(
        &mut self,
        channel: ChannelId,
        queue: &str,
        exchange: &str,
        key: &str,
        arguments: FieldTable,
    ) -> Step {
        let bind = queue_bind(queue, exchange, key, arguments);
        self.method(channel, Method::QueueBind(bind))
    }

    /// Takes a binding of a queue back.
    pub fn unbind(&mut self, channel: ChannelId, queue: &str, exchange: &str, key: &str) -> Step {
        let unbind = queue_bind(queue, exchange, key, FieldTable::default());
        self.method(channel, Method::QueueUnbind(unbind))
    }

    /// Binds an exchange to another, the source.
    pub fn bind_exchange(
        &mut self,
        channel: ChannelId,
        destination: &str,
        source: &str,
        key: &str,
    ) -> Step {
        self.method(channel, Method::ExchangeBind(exchange_bind(destination, source, key)))
    }

    /// Takes a binding of an exchange back.
    pub fn unbind_exchange(
        &mut self,
        channel: ChannelId,
        destination: &str,
        source: &str,
        key: &str,
    ) -> Step {
        self.method(channel, Method::ExchangeUnbind(exchange_bind(destination, source, key)))
    }

    /// Publishes a transient message to an exchange.
    pub fn publish_to(
        &mut self,
        channel: ChannelId,
        exchange: &str,
        key: &str,
        body: &str,
    ) -> Step {
        self.publish_with(channel, key, body, |publish| publish.exchange = exchange.into())
    }

    /// Publishes a transient message to a queue, through the default exchange.
    pub fn publish(&mut self, channel: ChannelId, queue: &str, body: &str) -> Step {
        self.publish_with(channel, queue, body, |_| {})
    }

    /// Publishes a message; `adjust` sets what is not the default.
    pub fn publish_with(
        &mut self,
        channel: ChannelId,
        queue: &str,
        body: &str,
        adjust: impl FnOnce(&mut BasicPublish),
    ) -> Step {
        let mut publish = BasicPublish {
            routing_key: queue.into(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            ..BasicPublish::default()
        };
        adjust(&mut publish);
        self.method(channel, Method::BasicPublish(publish))
    }

    /// Subscribes, with acknowledgements.
    pub fn consume(&mut self, channel: ChannelId, queue: &str, consumer_tag: &str) -> Step {
        self.consume_with(channel, queue, consumer_tag, |_| {})
    }

    /// Subscribes; `adjust` sets what is not the default.
    pub fn consume_with(
        &mut self,
        channel: ChannelId,
        queue: &str,
        consumer_tag: &str,
        adjust: impl FnOnce(&mut BasicConsume),
    ) -> Step {
        let mut consume = BasicConsume {
            queue: queue.into(),
            consumer_tag: consumer_tag.into(),
            ..BasicConsume::default()
        };
        adjust(&mut consume);
        self.method(channel, Method::BasicConsume(consume))
    }

    /// Ends a subscription.
    pub fn cancel(&mut self, channel: ChannelId, consumer_tag: &str) -> Step {
        let consumer_tag = ShortString::from(consumer_tag);
        let nowait = false;
        self.method(channel, Method::BasicCancel { consumer_tag, nowait })
    }

    /// Sets the window of the channel's later consumers.
    pub fn qos(&mut self, channel: ChannelId, prefetch_count: u16) -> Step {
        self.method(channel, qos(prefetch_count, false))
    }

    /// Sets the window of the channel as a whole.
    pub fn qos_global(&mut self, channel: ChannelId, prefetch_count: u16) -> Step {
        self.method(channel, qos(prefetch_count, true))
    }

    /// Takes one message, to be acknowledged.
    pub fn get(&mut self, channel: ChannelId, queue: &str) -> Step {
        let (queue, no_ack) = (queue.into(), false);
        self.method(channel, Method::BasicGet { queue, no_ack })
    }

    /// Acknowledges one delivery.
    pub fn ack(&mut self, channel: ChannelId, delivery_tag: u64) -> Step {
        let multiple = false;
        self.method(channel, Method::BasicAck { delivery_tag, multiple })
    }

    /// Acknowledges every delivery up to this one; 0 for all.
    pub fn ack_multiple(&mut self, channel: ChannelId, delivery_tag: u64) -> Step {
        let multiple = true;
        self.method(channel, Method::BasicAck { delivery_tag, multiple })
    }

    /// Returns one delivery to its place in the queue.
    pub fn requeue(&mut self, channel: ChannelId, delivery_tag: u64) -> Step {
        let requeue = true;
        self.method(channel, Method::BasicReject { delivery_tag, requeue })
    }

    /// Returns every delivery up to this one to its place; 0 for all.
    pub fn requeue_multiple(&mut self, channel: ChannelId, delivery_tag: u64) -> Step {
        let (multiple, requeue) = (true, true);
        self.method(channel, Method::BasicNack { delivery_tag, multiple, requeue })
    }

    /// Rejects one delivery for good.
    pub fn reject(&mut self, channel: ChannelId, delivery_tag: u64) -> Step {
        let requeue = false;
        self.method(channel, Method::BasicReject { delivery_tag, requeue })
    }

    /// Returns everything the channel holds.
    pub fn recover(&mut self, channel: ChannelId) -> Step {
        self.method(channel, Method::BasicRecover { requeue: true })
    }

    /// Turns publisher confirms on.
    pub fn confirm_select(&mut self, channel: ChannelId) -> Step {
        self.method(channel, Method::ConfirmSelect { nowait: false })
    }

    /// Empties a queue.
    pub fn purge(&mut self, channel: ChannelId, queue: &str) -> Step {
        let (queue, nowait) = (queue.into(), false);
        self.method(channel, Method::QueuePurge { queue, nowait })
    }

    /// Deletes a queue, whatever is in it.
    pub fn delete(&mut self, channel: ChannelId, queue: &str) -> Step {
        let method = Method::QueueDelete {
            queue: queue.into(),
            if_unused: false,
            if_empty: false,
            nowait: false,
        };
        self.method(channel, method)
    }

    /// Closes a channel.
    pub fn close(&mut self, channel: ChannelId) -> Step {
        self.method(channel, Method::ChannelClose)
    }

    /// Closes a connection.
    pub fn disconnect(&mut self, connection: ConnectionId) -> Step {
        self.step(Command::CloseConnection { connection })
    }
}

fn qos(prefetch_count: u16, global: bool) -> Method {
    Method::BasicQos { prefetch_size: 0, prefetch_count, global }
}

fn queue_bind(queue: &str, exchange: &str, key: &str, arguments: FieldTable) -> QueueBind {
    QueueBind {
        queue: queue.into(),
        exchange: exchange.into(),
        routing_key: key.into(),
        nowait: false,
        arguments,
    }
}

fn exchange_bind(destination: &str, source: &str, key: &str) -> ExchangeBind {
    ExchangeBind {
        destination: destination.into(),
        source: source.into(),
        routing_key: key.into(),
        ..ExchangeBind::default()
    }
}
