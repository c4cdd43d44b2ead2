//! Events as lines of JSON.

use std::fmt::Write as _;

use crate::protocol::types::AMQPValue;
use crate::protocol::{Binding, Event, EventKind, Name, RecoveredMessage};

/// Adds the object of one event, and a line feed.
pub(super) fn write_event(line: &mut String, event: &Event) {
    let Event { at, connection, channel, kind } = event;
    let mut object = Object(line);
    object.0.push('{');
    object.number("time_ns", at.0);
    object.optional("connection", *connection);
    object.optional("channel", channel.map(u64::from));
    object.text("event", kind.name());
    object.kind(kind);
    object.0.push_str("}\n");
}

/// An object that is being written.
struct Object<'a>(&'a mut String);

impl Object<'_> {
    fn key(&mut self, key: &str) {
        if !self.0.ends_with('{') {
            self.0.push(',');
        }
        write_text(self.0, key);
        self.0.push(':');
    }

    fn raw(&mut self, key: &str, value: impl std::fmt::Display) -> &mut Self {
        self.key(key);
        // Writing to a string does not fail.
        let _ = write!(self.0, "{value}");
        self
    }

    fn number(&mut self, key: &str, value: u64) -> &mut Self {
        self.raw(key, value)
    }

    fn count(&mut self, key: &str, value: usize) -> &mut Self {
        self.raw(key, value)
    }

    fn flag(&mut self, key: &str, value: bool) -> &mut Self {
        self.raw(key, value)
    }

    fn optional(&mut self, key: &str, value: Option<u64>) -> &mut Self {
        match value {
            Some(value) => self.raw(key, value),
            None => self.raw(key, "null"),
        }
    }

    fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.key(key);
        write_text(self.0, value);
        self
    }

    fn optional_text(&mut self, key: &str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(key, value),
            None => self.raw(key, "null"),
        }
    }

    fn names(&mut self, key: &str, values: &[Name]) -> &mut Self {
        self.key(key);
        self.0.push('[');
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            write_text(self.0, value);
        }
        self.0.push(']');
        self
    }

    fn kind(&mut self, kind: &EventKind) {
        use EventKind as E;
        match kind {
            E::ConnectionOpened | E::ConnectionUnblocked | E::ChannelOpened | E::TxSelected => {}
            E::ConnectionClosed(reason) | E::ChannelClosed(reason) => {
                self.optional_text("reason", reason.as_deref());
            }
            E::ConnectionBlocked(reason) => drop(self.text("reason", reason)),
            E::ExchangeDeclared { exchange, kind, durable } => {
                self.text("exchange", exchange).text("type", kind.name()).flag("durable", *durable);
            }
            E::ExchangeDeleted { exchange } => drop(self.text("exchange", exchange)),
            E::Bound(binding) | E::Unbound(binding) => self.binding(binding),
            E::QosSet { prefetch_count, global } => {
                self.number("prefetch_count", (*prefetch_count).into()).flag("global", *global);
            }
            E::PolicySet { policy } | E::PolicyCleared { policy } => {
                self.text("policy", policy);
            }
            E::TxCommitted { publishes, settlements }
            | E::TxRolledBack { publishes, settlements } => {
                self.count("publishes", *publishes).count("settlements", *settlements);
            }
            E::Confirmed { publish_seq } | E::Refused { publish_seq } => {
                self.number("publish_seq", *publish_seq);
            }
            E::QueueDeclared { .. }
            | E::QueueRecovered { .. }
            | E::QueueDeleted { .. }
            | E::QueuePurged { .. } => {
                self.queue(kind);
            }
            E::ConsumerAdded { .. } | E::ConsumerActivated { .. } | E::ConsumerRemoved { .. } => {
                self.consumer(kind);
            }
            E::Published { .. } | E::Returned { .. } => self.publish(kind),
            E::DeadLettered { .. } => self.dead_letter(kind),
            E::Delivered { .. } | E::Acked { .. } | E::Requeued { .. } | E::Dropped { .. } => {
                self.delivery(kind);
            }
        }
    }

    fn binding(&mut self, binding: &Binding) {
        let Binding { source, destination_type, destination, routing_key, arguments } = binding;
        self.text("source", source)
            .text("destination_type", &destination_type.to_string())
            .text("destination", destination)
            .text("routing_key", routing_key)
            .key("arguments");
        self.0.push('{');
        for (name, value) in arguments.inner() {
            match value {
                AMQPValue::LongString(text) => {
                    self.text(name.as_str(), &String::from_utf8_lossy(text.as_bytes()));
                }
                other => drop(self.text(name.as_str(), &format!("{other:?}"))),
            }
        }
        self.0.push('}');
    }

    fn queue(&mut self, kind: &EventKind) {
        match kind {
            EventKind::QueueDeclared { queue, durable, exclusive, auto_delete, quorum } => {
                self.text("queue", queue)
                    .text("type", if *quorum { "quorum" } else { "classic" })
                    .flag("durable", *durable)
                    .flag("exclusive", *exclusive)
                    .flag("auto_delete", *auto_delete);
            }
            EventKind::QueueRecovered { queue, messages } => {
                self.text("queue", queue)
                    .count("messages_ready", messages.len())
                    .recovered(messages);
            }
            EventKind::QueueDeleted { queue, messages, unacknowledged } => {
                self.text("queue", queue)
                    .count("messages_ready", *messages)
                    .count("messages_unacknowledged", *unacknowledged);
            }
            EventKind::QueuePurged { queue, messages } => {
                self.text("queue", queue).count("messages_ready", *messages);
            }
            _ => {}
        }
    }

    fn recovered(&mut self, messages: &[RecoveredMessage]) {
        self.key("messages");
        self.0.push('[');
        for (index, one) in messages.iter().enumerate() {
            self.0.push_str(if index > 0 { ",{" } else { "{" });
            self.number("message", one.message.0)
                .text("body", &one.body)
                .flag("redelivered", one.redelivered);
            self.0.push('}');
        }
        self.0.push(']');
    }

    fn consumer(&mut self, kind: &EventKind) {
        self.optional_text("queue", kind.queue())
            .optional_text("consumer_tag", kind.consumer_tag());
        if let EventKind::ConsumerRemoved { cause, .. } = kind {
            self.text("reason", cause.name());
        }
        if let EventKind::ConsumerAdded { prefetch_count, priority, no_ack, .. } = kind {
            self.number("prefetch_count", (*prefetch_count).into())
                .raw("priority", priority)
                .flag("ack_required", !no_ack);
        }
    }

    fn publish(&mut self, kind: &EventKind) {
        match kind {
            EventKind::Published {
                message,
                body,
                exchange,
                routing_key,
                queues,
                refused_by,
                replies,
                publish_seq,
                mandatory,
                persistent,
                body_bytes,
                message_id,
            } => {
                self.number("message", message.0)
                    .text("body", body)
                    .count("body_bytes", *body_bytes)
                    .text("exchange", exchange)
                    .text("routing_key", routing_key)
                    .names("queues", queues)
                    .names("refused_by", refused_by)
                    .count("replies", *replies)
                    .optional("publish_seq", *publish_seq)
                    .flag("mandatory", *mandatory)
                    .flag("persistent", *persistent)
                    .optional_text("message_id", message_id.as_deref());
            }
            EventKind::Returned { message, exchange, routing_key, publish_seq } => {
                self.number("message", message.0)
                    .text("exchange", exchange)
                    .text("routing_key", routing_key)
                    .optional("publish_seq", *publish_seq);
            }
            _ => {}
        }
    }

    fn dead_letter(&mut self, kind: &EventKind) {
        if let EventKind::DeadLettered {
            message,
            queue,
            delivery_tag,
            cause,
            letter,
            exchange,
            routing_key,
            queues,
        } = kind
        {
            self.number("message", message.0)
                .text("queue", queue)
                .optional("delivery_tag", *delivery_tag)
                .text("reason", cause.name())
                .number("letter", letter.0)
                .text("exchange", exchange)
                .text("routing_key", routing_key)
                .names("queues", queues);
        }
    }

    fn delivery(&mut self, kind: &EventKind) {
        let message = kind.message().map(|message| message.0);
        self.optional("message", message).optional_text("queue", kind.queue());
        if let EventKind::Delivered { body, .. } = kind {
            self.text("body", body).optional_text("consumer_tag", kind.consumer_tag());
        }
        self.optional("delivery_tag", kind.delivery_tag());
        if let EventKind::Delivered { redelivered, no_ack, .. } = kind {
            self.flag("redelivered", *redelivered).flag("ack_required", !no_ack);
        }
        if let Some(cause) = kind.cause() {
            self.text("reason", cause.name());
        }
    }
}

fn write_text(line: &mut String, text: &str) {
    line.push('"');
    for c in text.chars() {
        match c {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            c if c.is_control() => drop(write!(line, "\\u{:04x}", u32::from(c))),
            c => line.push(c),
        }
    }
    line.push('"');
}
