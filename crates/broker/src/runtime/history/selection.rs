//! Some of what has happened, by what it is about.

use std::collections::BTreeSet;
use std::fmt;

use super::{Digest, HEADING, History, json, write_line};
use crate::protocol::{Event, EventKind, Instant, MessageId};

/// Some events of a [`History`], in order: what a filter left of it. Filters follow one another, and each leaves less.
/// It borrows the history. Its `Display` is the history's timeline, with these lines alone.
///
/// ```
/// use leveret_broker::{Broker, BrokerOptions};
///
/// let broker = Broker::new(BrokerOptions::default().with_history());
/// broker.publish("", "nowhere", b"hi")?;
/// let history = broker.history();
/// assert_eq!(history.publishes().count(), 1);
/// assert!(history.of_queue("tasks").deliveries().is_empty());
/// # Ok::<(), leveret_broker::OperatorError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection<'a> {
    events: Vec<&'a Event>,
}

/// Makes filters that a history and a selection both have.
macro_rules! filters {
    ($($(#[doc = $doc:literal])+ fn $name:ident($($argument:ident: $type:ty),*) = $keep:expr;)+) => {
        impl<'a> Selection<'a> {
            $(
                $(#[doc = $doc])+
                #[must_use]
                pub fn $name(&self $(, $argument: $type)*) -> Selection<'a> {
                    self.filter($keep)
                }
            )+
        }

        impl History {
            $(
                $(#[doc = $doc])+
                #[must_use]
                pub fn $name(&self $(, $argument: $type)*) -> Selection<'_> {
                    self.select().filter($keep)
                }
            )+
        }
    };
}

filters! {
    /// What a queue is the subject of, and what came to it: publishes, dead letters, bindings.
    fn of_queue(queue: &str) = |event| event.kind.concerns_queue(queue);
    /// What happened on a connection. Connections are counted from 1.
    fn of_connection(connection: u64) = |event| event.connection == Some(connection);
    /// What happened on a channel, by the number of its connection and its own.
    fn of_channel(connection: u64, channel: u16) =
        |event| event.connection == Some(connection) && event.channel == Some(channel);
    /// What happened with one message, but for its confirm. What it became as a dead letter is another message:
    /// see [`story_of`](Self::story_of).
    fn of_message(message: MessageId) = |event| event.kind.message() == Some(message);
    /// What happened at this time or later. A `Duration` is one since the broker began.
    fn since(from: impl Into<Instant>) = { let from = from.into(); move |event: &Event| event.at >= from };
    /// What happened before this time. A `Duration` is one since the broker began.
    fn before(until: impl Into<Instant>) = { let until = until.into(); move |event: &Event| event.at < until };
    /// Publishes, whatever became of them.
    fn publishes() = |event| matches!(event.kind, EventKind::Published { .. });
    /// Publishes that no queue took, whether they were returned or not.
    fn unroutable() = |event| matches!(
        &event.kind,
        EventKind::Published { queues, refused_by, replies: 0, .. }
            if queues.is_empty() && refused_by.is_empty()
    );
    /// Publishes that were returned.
    fn returns() = |event| matches!(event.kind, EventKind::Returned { .. });
    /// Confirms, also the negative ones.
    fn confirms() =
        |event| matches!(event.kind, EventKind::Confirmed { .. } | EventKind::Refused { .. });
    /// Deliveries, also those that were asked for with `basic.get`.
    fn deliveries() = |event| matches!(event.kind, EventKind::Delivered { .. });
    /// Acknowledgements.
    fn acks() = |event| matches!(event.kind, EventKind::Acked { .. });
    /// What went back to its queue, for whatever reason.
    fn requeues() = |event| matches!(event.kind, EventKind::Requeued { .. });
    /// What became a dead letter.
    fn dead_letters() = |event| matches!(event.kind, EventKind::DeadLettered { .. });
    /// What is gone without an acknowledgement.
    fn drops() = |event| matches!(event.kind, EventKind::Dropped { .. });
    /// What the broker closed, with its reason.
    fn closed_by_broker() = |event| matches!(
        event.kind,
        EventKind::ConnectionClosed(Some(_)) | EventKind::ChannelClosed(Some(_))
    );
}

impl History {
    /// All events, to be filtered.
    #[must_use]
    pub fn select(&self) -> Selection<'_> {
        Selection { events: self.events().iter().collect() }
    }

    /// What happened with consumers of this tag: what was delivered to them, and how that was settled.
    #[must_use]
    pub fn of_consumer(&self, consumer_tag: &str) -> Selection<'_> {
        self.select().of_consumer(consumer_tag)
    }

    /// What happened with one message: with what it became as a dead letter, with what it was before if it is one, and with
    /// its confirm.
    #[must_use]
    pub fn story_of(&self, message: MessageId) -> Selection<'_> {
        self.select().story_of(message)
    }
}

impl<'a> Selection<'a> {
    /// The events that `keep` wants.
    #[must_use]
    pub fn filter(&self, keep: impl Fn(&Event) -> bool) -> Self {
        Self { events: self.events.iter().copied().filter(|event| keep(event)).collect() }
    }

    /// What happened with one message: with what it became as a dead letter, with what it was before if it is one, and with
    /// its confirm.
    #[must_use]
    pub fn story_of(&self, message: MessageId) -> Self {
        self.stories_of([message])
    }

    /// What happened with consumers of this tag: what was delivered to them, and how that was settled.
    #[must_use]
    pub fn of_consumer(&self, consumer_tag: &str) -> Self {
        // A delivery is known by its tag and channel, or by message and queue where no channel is told.
        let mut tags = BTreeSet::new();
        let mut held = BTreeSet::new();
        let events = self.events.iter().copied().filter(|event| {
            let channel = (event.connection, event.channel);
            match &event.kind {
                EventKind::ChannelOpened => {
                    tags.retain(|(its, _)| *its != channel);
                    false
                }
                EventKind::Delivered {
                    message, queue, delivery_tag, consumer_tag: whom, ..
                } => {
                    let is_its = whom.as_deref() == Some(consumer_tag);
                    if is_its {
                        tags.insert((channel, *delivery_tag));
                        held.insert((*message, queue.clone()));
                    } else {
                        held.remove(&(*message, queue.clone()));
                    }
                    is_its
                }
                EventKind::DeadLettered { message, queue, .. } => {
                    held.remove(&(*message, queue.clone()))
                }
                EventKind::Acked { message, queue, delivery_tag, .. }
                | EventKind::Requeued { message, queue, delivery_tag, .. } => {
                    held.remove(&(*message, queue.clone()));
                    tags.remove(&(channel, *delivery_tag))
                }
                EventKind::Dropped { delivery_tag: Some(tag), .. } => tags.remove(&(channel, *tag)),
                kind => kind.consumer_tag() == Some(consumer_tag),
            }
        });
        Self { events: events.collect() }
    }

    /// The same of several messages.
    #[must_use]
    pub fn stories_of(&self, messages: impl IntoIterator<Item = MessageId>) -> Self {
        let mut messages: BTreeSet<_> = messages.into_iter().collect();
        for event in self.events.iter().rev() {
            if let EventKind::DeadLettered { message, letter, .. } = &event.kind
                && messages.contains(letter)
            {
                messages.insert(*message);
            }
        }
        let mut publishes = BTreeSet::new();
        let events = self.events.iter().copied().filter(|event| match &event.kind {
            EventKind::Published { message, publish_seq, .. } if messages.contains(message) => {
                publishes.extend(publish_seq.map(|seq| (event.connection, event.channel, seq)));
                true
            }
            EventKind::DeadLettered { message, letter, .. } if messages.contains(message) => {
                messages.insert(*letter);
                true
            }
            EventKind::Confirmed { publish_seq } | EventKind::Refused { publish_seq } => {
                publishes.contains(&(event.connection, event.channel, *publish_seq))
            }
            kind => kind.message().is_some_and(|message| messages.contains(&message)),
        });
        Self { events: events.collect() }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.events.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The events, in order.
    pub fn iter(&self) -> std::iter::Copied<std::slice::Iter<'_, &'a Event>> {
        self.events.iter().copied()
    }

    /// The first.
    #[must_use]
    pub fn first(&self) -> Option<&'a Event> {
        self.events.first().copied()
    }

    /// The last.
    #[must_use]
    pub fn last(&self) -> Option<&'a Event> {
        self.events.last().copied()
    }

    /// The last `count` of them.
    #[must_use]
    pub fn tail(&self, count: usize) -> Self {
        Self { events: self.events[self.events.len().saturating_sub(count)..].to_vec() }
    }

    /// The beginnings of the bodies of what is published or delivered among them, in order.
    #[must_use]
    pub fn bodies(&self) -> Vec<&'a str> {
        let body = |event: &&'a Event| match &event.kind {
            EventKind::Published { body, .. } | EventKind::Delivered { body, .. } => {
                Some(body.as_str())
            }
            _ => None,
        };
        self.events.iter().filter_map(body).collect()
    }

    /// As [`History::to_json_lines`].
    #[must_use]
    pub fn to_json_lines(&self) -> String {
        let mut lines = String::new();
        self.events.iter().for_each(|event| json::write_event(&mut lines, event));
        lines
    }

    /// As [`History::digest`].
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.to_json_lines().as_bytes())
    }

    /// The same as a history of its own.
    #[must_use]
    pub fn to_history(&self) -> History {
        self.events.iter().copied().cloned().collect()
    }
}

impl<'a> IntoIterator for Selection<'a> {
    type Item = &'a Event;
    type IntoIter = std::vec::IntoIter<&'a Event>;

    fn into_iter(self) -> Self::IntoIter {
        self.events.into_iter()
    }
}

impl fmt::Display for Selection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADING}")?;
        for event in &self.events {
            write_line(f, event)?;
            writeln!(f)?;
        }
        Ok(())
    }
}
