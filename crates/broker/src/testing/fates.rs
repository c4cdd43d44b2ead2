//! What became of each message in each queue, as a history tells it.

use std::collections::BTreeMap;

use crate::protocol::{Event, EventKind, MessageId, Name};
use crate::runtime::History;

/// A message in a queue.
pub(super) struct Copy<'a> {
    /// The beginning of its body, as it was told first.
    pub(super) body: &'a str,
    /// Its deliveries, in order.
    pub(super) deliveries: Vec<&'a Event>,
    /// Where it is, at the end of the history.
    pub(super) fate: Fate<'a>,
}

/// Where a message is that entered a queue.
pub(super) enum Fate<'a> {
    /// It is ready, and was never handed out.
    Ready,
    /// It is ready after this brought it back.
    Back(&'a Event),
    /// It is held since this delivery.
    Held(&'a Event),
    /// It was acknowledged, or needed no acknowledgement.
    Done,
    /// It has become this dead letter.
    Dead(MessageId),
    /// It is gone otherwise.
    Gone,
}

/// Copies by message and queue, in the order of publishing.
pub(super) type Fates<'a> = BTreeMap<(MessageId, Name), Copy<'a>>;

/// What became of each message in each queue.
pub(super) fn fates(history: &History) -> Fates<'_> {
    let mut fates = Fates::new();
    for event in history.events() {
        match &event.kind {
            EventKind::Published { message, body, queues, .. } => {
                for queue in queues {
                    enter(&mut fates, *message, queue, body);
                }
            }
            EventKind::QueueDeleted { queue, .. } => {
                for ((_, its), copy) in &mut fates {
                    if its == queue && !matches!(copy.fate, Fate::Done | Fate::Dead(_)) {
                        copy.fate = Fate::Gone;
                    }
                }
            }
            EventKind::QueuePurged { queue, .. } => {
                for ((_, its), copy) in &mut fates {
                    if its == queue && matches!(copy.fate, Fate::Ready | Fate::Back(_)) {
                        copy.fate = Fate::Gone;
                    }
                }
            }
            EventKind::QueueRecovered { queue, messages } => {
                for one in messages {
                    enter(&mut fates, one.message, queue, &one.body);
                }
            }
            kind => note(&mut fates, event, kind),
        }
    }
    fates
}

/// Something happened with a message that is in a queue.
fn note<'a>(fates: &mut Fates<'a>, event: &'a Event, kind: &'a EventKind) {
    let (Some(message), Some(queue)) = (kind.message(), kind.queue()) else { return };
    let queue = Name::from(queue);
    let body = match kind {
        EventKind::Delivered { body, .. } => body.as_str(),
        _ => "",
    };
    let copy = enter(fates, message, &queue, body);
    match kind {
        EventKind::Delivered { no_ack, .. } => {
            copy.deliveries.push(event);
            copy.fate = if *no_ack { Fate::Done } else { Fate::Held(event) };
        }
        EventKind::Acked { .. } => copy.fate = Fate::Done,
        EventKind::Requeued { .. } => copy.fate = Fate::Back(event),
        EventKind::Dropped { .. } => copy.fate = Fate::Gone,
        EventKind::DeadLettered { letter, queues, .. } => {
            copy.fate = Fate::Dead(*letter);
            let body = copy.body;
            for queue in queues {
                enter(fates, *letter, queue, body);
            }
        }
        _ => {}
    }
}

/// The copy of a message in a queue, which may have been there before the history began.
fn enter<'a, 'f>(
    fates: &'f mut Fates<'a>,
    message: MessageId,
    queue: &Name,
    body: &'a str,
) -> &'f mut Copy<'a> {
    let copy = || Copy { body, deliveries: Vec::new(), fate: Fate::Ready };
    fates.entry((message, queue.clone())).or_insert_with(copy)
}

/// Whether a message was done in every queue that it entered, itself or as a dead letter.
pub(super) fn is_done(fates: &Fates<'_>, message: MessageId) -> bool {
    let first = (message, Name::from(""));
    let copies = fates.range(first..).take_while(|((its, _), _)| *its == message);
    let mut any = false;
    let done = copies.fold(true, |done, (_, copy)| {
        any = true;
        done && match copy.fate {
            Fate::Done => true,
            // Letters have later numbers, so this ends.
            Fate::Dead(letter) => is_done(fates, letter),
            _ => false,
        }
    });
    any && done
}
