//! Assertions that read like sentences, and fail with the timeline.
//!
//! ```
//! use leveret_broker::{Broker, BrokerOptions};
//!
//! let broker = Broker::new(BrokerOptions::default().with_history());
//! broker.publish("", "nowhere", b"hi")?;
//! broker
//!     .assert_that()
//!     .nothing_unacked()
//!     .nothing_dead_lettered()
//!     .published("", "nowhere").once()
//!     .queue("nowhere").is_gone();
//! # Ok::<(), leveret_broker::OperatorError>(())
//! ```

mod publishes;
mod queue;

use std::fmt::Write as _;
use std::ops::Deref;

use super::fates::{Fate, Fates, fates, is_done};
use crate::engine::Inspection;
use crate::protocol::{Event, EventKind, Message, Preview};
use crate::runtime::{Broker, History, Selection};

pub use publishes::PublishAssertions;
pub use queue::QueueAssertions;

/// What is to hold of a broker as it is at one moment, and of its history up to then; or of a history alone.
///
/// Each sentence gives the assertions back, so that they can follow one another, or panics: with what was expected, what
/// was found, and the part of the timeline that shows it. Bodies are compared as a whole, and shown as timelines have them, with
/// their first 32 characters.
///
/// # Panics
///
/// Every sentence, if it does not hold; also if it speaks of the history and the broker keeps none
/// ([`with_history`](crate::BrokerOptions::with_history)), or of what there is now and there is only a history.
#[derive(Clone, Debug)]
pub struct Assertions {
    inspection: Option<Inspection>,
    history: Option<History>,
}

impl Broker {
    /// What is to hold now: see [`Assertions`].
    #[must_use]
    pub fn assert_that(&self) -> Assertions {
        let history = self.has_history().then(|| self.history());
        Assertions { inspection: Some(self.inspect()), history }
    }
}

impl History {
    /// What is to hold of this history: see [`Assertions`].
    #[must_use]
    pub fn assert_that(&self) -> Assertions {
        Assertions { inspection: None, history: Some(self.clone()) }
    }
}

impl Assertions {
    /// What is to hold of a queue.
    #[must_use]
    pub fn queue(&self, name: &str) -> QueueAssertions<'_> {
        QueueAssertions { all: self, name: name.to_owned() }
    }

    /// What is to hold of what was published to an exchange with a routing key; the default exchange is `""`.
    #[must_use]
    #[track_caller]
    pub fn published(&self, exchange: &str, routing_key: &str) -> PublishAssertions<'_> {
        PublishAssertions::new(self, exchange, routing_key)
    }

    /// No channel holds a message.
    #[track_caller]
    pub fn nothing_unacked(&self) -> &Self {
        let held = match (&self.inspection, &self.history) {
            (Some(inspection), _) => held_now(inspection, None),
            (None, Some(history)) => held_of(&fates(history)),
            (None, None) => Vec::new(),
        };
        self.none(held, "no message to be unacknowledged", |event| {
            event.kind.delivery_tag().is_some()
        })
    }

    /// No queue has a message, ready or unacknowledged.
    #[track_caller]
    pub fn nothing_left(&self) -> &Self {
        let inspection = self.inspection();
        let ready = inspection.queues.iter().flat_map(|queue| {
            let shown = |message| format!("{} is ready in {}", shown(message), queue.name);
            queue.ready.iter().map(shown)
        });
        let left = ready.chain(held_now(inspection, None)).collect();
        self.none(left, "every queue to be empty", |event| event.kind.message().is_some())
    }

    /// Nothing has become a dead letter.
    #[track_caller]
    pub fn nothing_dead_lettered(&self) -> &Self {
        let kind = |kind: &EventKind| matches!(kind, EventKind::DeadLettered { .. });
        self.never(kind, "no message to become a dead letter")
    }

    /// Nothing is gone without having been acknowledged, but for dead letters and what went with a queue or was purged.
    #[track_caller]
    pub fn nothing_dropped(&self) -> &Self {
        self.never(|kind| matches!(kind, EventKind::Dropped { .. }), "no message to be dropped")
    }

    /// Nothing went back to its queue, for whatever reason.
    #[track_caller]
    pub fn nothing_requeued(&self) -> &Self {
        let kind = |kind: &EventKind| matches!(kind, EventKind::Requeued { .. });
        self.never(kind, "no message to go back to its queue")
    }

    /// Nothing was returned to its publisher.
    #[track_caller]
    pub fn nothing_returned(&self) -> &Self {
        let kind = |kind: &EventKind| matches!(kind, EventKind::Returned { .. });
        self.never(kind, "no message to be returned")
    }

    /// The broker has closed no channel and no connection.
    #[track_caller]
    pub fn nothing_closed_by_broker(&self) -> &Self {
        let kind = |kind: &EventKind| {
            use EventKind::{ChannelClosed, ConnectionClosed};
            matches!(kind, ChannelClosed(Some(_)) | ConnectionClosed(Some(_)))
        };
        self.never(kind, "the broker to close no channel and no connection")
    }

    /// Every publish on a channel in confirm mode was confirmed, and none refused.
    #[track_caller]
    pub fn every_publish_was_confirmed(&self) -> &Self {
        let history = self.history();
        let expected = history.events().iter().filter_map(|event| match &event.kind {
            EventKind::Published { message, body, publish_seq: Some(_), .. } => {
                Some((event, *message, body))
            }
            _ => None,
        });
        let unconfirmed = expected.filter(|(event, ..)| !is_confirmed(history, event));
        let unconfirmed =
            unconfirmed.map(|(_, message, body)| format!("{message} {body:?} was not"));
        self.none(unconfirmed.collect(), "every publish to be confirmed", |event| {
            use EventKind::{Confirmed, Published, Refused};
            matches!(event.kind, Published { .. } | Confirmed { .. } | Refused { .. })
        })
    }

    /// Every message whose publish was confirmed was acknowledged in every queue that took it, itself or as a dead letter;
    /// what needed no acknowledgement counts, if it was delivered.
    #[track_caller]
    pub fn every_confirmed_was_acked(&self) -> &Self {
        let history = self.history();
        let fates = fates(history);
        let confirmed = history.events().iter().filter_map(|event| match &event.kind {
            EventKind::Published { message, body, publish_seq: Some(_), .. }
                if is_confirmed(history, event) =>
            {
                Some((*message, body))
            }
            _ => None,
        });
        let undone: Vec<_> = confirmed.filter(|(message, _)| !is_done(&fates, *message)).collect();
        let found = undone.iter().map(|(message, body)| format!("{message} {body:?} was not"));
        if !undone.is_empty() {
            let stories = undone.iter().map(|(message, _)| *message);
            let stories = history.select().stories_of(stories);
            self.fail("every confirmed message to be acknowledged", &listed(found), &stories);
        }
        self
    }

    /// What a consumer was given, in this order and nothing else.
    #[track_caller]
    pub fn delivered_to<B: AsRef<[u8]>>(
        &self,
        consumer_tag: &str,
        bodies: impl IntoIterator<Item = B>,
    ) -> &Self {
        let expected: Vec<_> = previews(bodies);
        let deliveries = self.history().deliveries().of_consumer(consumer_tag);
        let found = bodies_of(&deliveries);
        if !expected.iter().eq(found.iter().copied()) {
            let what = format!("consumer {consumer_tag:?} to be given {expected:?}");
            let timeline = self.history().of_consumer(consumer_tag);
            self.fail(&what, &format!("{found:?}"), &timeline);
        }
        self
    }

    #[track_caller]
    fn history(&self) -> &History {
        let history = self.history.as_ref();
        let why = "this speaks of what has happened, and the broker keeps no history: it is to be made with \
                   BrokerOptions::with_history";
        history.unwrap_or_else(|| panic!("{why}"))
    }

    #[track_caller]
    fn inspection(&self) -> &Inspection {
        let why = "this speaks of what there is now, which a history does not know: ask the broker itself";
        self.inspection.as_ref().unwrap_or_else(|| panic!("{why}"))
    }

    /// Nothing of a kind happened.
    #[track_caller]
    fn never(&self, is_meant: impl Fn(&EventKind) -> bool, expected: &str) -> &Self {
        let selection = self.history().select().filter(|event| is_meant(&event.kind));
        if let Some(first) = selection.first() {
            let found = match selection.count() {
                1 => first.kind.to_string(),
                count => format!("{count} times, first: {}", first.kind),
            };
            let message = first.kind.message();
            let timeline = message.map(|message| self.history().story_of(message));
            self.fail(expected, &squeezed(&found), &timeline.unwrap_or_else(|| selection.clone()));
        }
        self
    }

    /// Nothing was found that should not be; the timeline has what `is_meant` wants.
    #[track_caller]
    fn none(&self, found: Vec<String>, expected: &str, is_meant: impl Fn(&Event) -> bool) -> &Self {
        if !found.is_empty() {
            let none = History::default();
            let history = self.history.as_ref().unwrap_or(&none);
            self.fail(expected, &listed(found.into_iter()), &history.select().filter(is_meant));
        }
        self
    }

    #[track_caller]
    fn fail(&self, expected: &str, found: &str, timeline: &Selection<'_>) -> ! {
        let mut text = format!("expected: {expected}\nfound:    {found}\n");
        let (count, shown) = (timeline.count(), timeline.tail(TIMELINE));
        // Writing to a string does not fail.
        let _ = match (&self.history, count) {
            (None, _) => write!(text, "(no timeline: the broker keeps no history)"),
            (Some(_), 0) => write!(text, "(nothing on the timeline)"),
            (Some(_), TIMELINE_LONG..) => {
                write!(text, "timeline, the last {TIMELINE} of {count} events:\n{shown}")
            }
            (Some(_), _) => write!(text, "timeline:\n{shown}"),
        };
        panic!("{text}");
    }
}

/// How many events a failure shows.
const TIMELINE: usize = 30;
const TIMELINE_LONG: usize = TIMELINE + 1;

/// How many things a failure lists.
const LISTED: usize = 5;

/// What was found, with the first of it.
fn listed(found: impl Iterator<Item = String>) -> String {
    let found: Vec<_> = found.collect();
    let more = found.len().saturating_sub(LISTED);
    let shown = found[..found.len() - more].join("\n          ");
    if more == 0 { shown } else { format!("{shown}\n          and {more} more") }
}

/// A number of things, in words.
fn number_of(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// An event's line without the room between its columns.
fn squeezed(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The bodies of what is published or delivered, in order.
fn bodies_of<'a>(selection: &Selection<'a>) -> Vec<&'a Preview> {
    let body = |event: &'a Event| match &event.kind {
        EventKind::Published { body, .. } | EventKind::Delivered { body, .. } => Some(body),
        _ => None,
    };
    selection.iter().filter_map(body).collect()
}

fn previews<B: AsRef<[u8]>>(bodies: impl IntoIterator<Item = B>) -> Vec<Preview> {
    bodies.into_iter().map(|body| Preview::of(body.as_ref())).collect()
}

/// A message in a few words.
fn shown(message: &crate::engine::PeekedMessage) -> String {
    format!("{} {:?}", message.id, Message::preview_of(&message.body))
}

/// What channels hold, of one queue or of all.
fn held_now(inspection: &Inspection, queue: Option<&str>) -> Vec<String> {
    let queues = inspection.queues.iter();
    let queues = queues.filter(|its| queue.is_none_or(|name| &*its.name == name));
    let held = queues.flat_map(|queue| queue.unacknowledged.iter().map(move |held| (queue, held)));
    let text = |(queue, held): (&crate::engine::InspectedQueue, &crate::engine::HeldMessage)| {
        let whom = held.consumer_tag.as_deref().unwrap_or("basic.get");
        let (message, queue) = (shown(&held.message), &queue.name);
        format!(
            "{message} of {queue} is held by {whom} on {}.{}, tag {}",
            held.connection, held.channel, held.delivery_tag
        )
    };
    held.map(text).collect()
}

/// The same as a history tells it.
fn held_of(fates: &Fates<'_>) -> Vec<String> {
    let held = fates.iter().filter_map(|((message, queue), copy)| {
        let Fate::Held(event) = copy.fate else { return None };
        let whom = event.kind.consumer_tag().unwrap_or("basic.get");
        Some(format!("{message} {:?} of {queue} is held by {whom}", copy.body))
    });
    held.collect()
}

/// Whether the publish of this event was confirmed.
fn is_confirmed(history: &History, published: &Event) -> bool {
    let EventKind::Published { publish_seq: Some(number), .. } = &published.kind else {
        return false;
    };
    let place = (published.connection, published.channel);
    history.events().iter().any(|event| {
        (event.connection, event.channel) == place
            && matches!(&event.kind, EventKind::Confirmed { publish_seq } if publish_seq == number)
    })
}

/// After a sentence about a part, sentences about the whole can follow.
macro_rules! leads_back {
    ($($part:ident)*) => {
        $(
            impl Deref for $part<'_> {
                type Target = Assertions;

                fn deref(&self) -> &Assertions {
                    self.all
                }
            }
        )*
    };
}

leads_back! { QueueAssertions PublishAssertions }
