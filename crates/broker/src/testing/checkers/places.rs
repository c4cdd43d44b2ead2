//! Where messages are: in one place, and there if they are said to be.

use std::collections::BTreeMap;

use super::super::trace::{Observation, Observed, Trace, Viewpoint};
use super::books::{Books, is_pseudo};
use super::{Finding, Verdict, count, first_deliveries_in_order};
use crate::protocol::Name;

/// Exclusivity and conservation: whatever is delivered was published there, waits there, and is with nobody else; whatever
/// is settled was held; counts that the broker gives are those of what is there. So a message is in one place at a
/// time, and what went in is what is there and what has left.
///
/// Clients hear of a channel's end later than the broker, and of deliveries on different channels in any order. So if two
/// channels seem to have one message, one of them may have ended, and its end may be on its way, or never be heard because
/// its program has crashed. If that does not turn out before all comes to [rest](Observed::AtRest), where by its meaning
/// everything was heard, two did have it. If the trace ends without rest, nobody can tell.
///
/// So what is called broken is so for certain. Without rest that is what one channel shows alone: that it is delivered what
/// it holds or has settled, or what was never published there.
///
/// Not applicable where nothing was delivered, and where a client's trace leaves open whether two had one message.
pub fn exclusive(trace: &Trace) -> Verdict {
    const PROPERTY: &str = "exclusive";
    let mut books = match Books::open(trace) {
        Ok(books) => books,
        Err(why) => return Verdict::inapplicable(PROPERTY, why),
    };
    let (mut delivered, mut settled) = (0, 0);
    for (index, observation) in trace.observations().iter().enumerate() {
        delivered += usize::from(matches!(observation.what, Observed::Delivered { .. }));
        settled += usize::from(matches!(observation.what, Observed::Settled { .. }));
        if let Err(sentence) = books.enter(observation) {
            let message = observation.what.message().cloned();
            let queue = observation.what.queue().cloned();
            return Verdict::broken(PROPERTY, sentence, trace, index, |one| {
                match (&message, &queue) {
                    (Some(message), _) => one.what.message() == Some(message),
                    (None, queue) => queue.is_none() || one.what.queue() == queue.as_ref(),
                }
            });
        }
    }
    if let Err(sentence) = books.finish() {
        if trace.viewpoint() == Viewpoint::Client {
            let open =
                "it is open whether a channel had ended, because all is not at rest at the end";
            return Verdict::inapplicable(PROPERTY, format!("{sentence}; {open}"));
        }
        let last = trace.observations().len();
        return Verdict::broken(PROPERTY, sentence, trace, last, |one| {
            one.what.message().is_some()
        });
    }
    if delivered == 0 {
        return Verdict::inapplicable(PROPERTY, "nothing was delivered");
    }
    let held = count(delivered, "delivery", "deliveries");
    Verdict::held(PROPERTY, format!("{held} and {}", count(settled, "settlement", "settlements")))
}

/// `basic.get` finds nothing only if nothing is there.
///
/// Seen by clients, a message is there for certain if it was when all was last at [rest](Observed::AtRest), and nobody is
/// handed it before all is at rest again.
///
/// Not applicable where `basic.get` never found nothing; broker histories do not record that by themselves. Messages
/// that expire, or that a full queue drops, are gone without a client's knowing.
pub fn no_wrong_empty(trace: &Trace) -> Verdict {
    const PROPERTY: &str = "no_wrong_empty";
    let mut books = match Books::open(trace) {
        Ok(books) => books,
        Err(why) => return Verdict::inapplicable(PROPERTY, why),
    };
    let mut looked = 0;
    for (index, observation) in trace.observations().iter().enumerate() {
        if let Observed::GotEmpty { queue } = &observation.what
            && let Some(book) = books.queues.get(queue)
        {
            looked += 1;
            let client = trace.viewpoint() == Viewpoint::Client;
            let there = book.ready.iter().find(|(rank, ready)| {
                let since = ready.came_back.unwrap_or(books.messages[**rank].published);
                let taken_soon = || is_taken(trace, index, books.name(**rank), None);
                ready.sure && (!client || (since < books.since_rest && !taken_soon()))
            });
            if let Some((rank, _)) = there {
                let message = books.name(*rank).clone();
                let sentence = format!("{queue} was said to be empty, and {message} is there");
                return Verdict::broken(PROPERTY, sentence, trace, index, |one| {
                    one.what.message() == Some(&message)
                        || matches!(&one.what, Observed::GotEmpty { queue: one } if one == queue)
                });
            }
        }
        let _ = books.enter(observation);
    }
    if looked == 0 {
        return Verdict::inapplicable(PROPERTY, "basic.get was never told that a queue is empty");
    }
    Verdict::held(PROPERTY, count(looked, "empty queue", "empty queues"))
}

/// Whether somebody is handed a message before all is at rest, on another channel than that one.
pub(super) fn is_taken(trace: &Trace, from: usize, message: &Name, but: Option<&Name>) -> bool {
    let until_rest =
        trace.observations()[from..].iter().take_while(|one| one.what != Observed::AtRest);
    let taken = |one: &Observation| {
        matches!(&one.what, Observed::Delivered { message: of, .. } if of == message)
            && Some(&one.channel) != but
    };
    until_rest.into_iter().any(taken)
}

/// None of the four patterns that no queue may show (Henzinger, Sezgin and Vafeiadis, 2013), with requeueing taken into
/// account: a value that nobody put in, a value twice, two values in the wrong order, and "empty" when it is not. These are
/// [`exclusive`] (the first two), [`first_deliveries_in_order`] and [`no_wrong_empty`].
///
/// Not applicable where none of these is.
pub fn queue_linearizable(trace: &Trace) -> Verdict {
    const PROPERTY: &str = "queue_linearizable";
    let parts = [exclusive(trace), first_deliveries_in_order(trace), no_wrong_empty(trace)];
    let mut words: BTreeMap<bool, Vec<String>> = BTreeMap::new();
    for part in parts {
        match part.finding {
            Finding::Broken(example) => {
                return Verdict { property: PROPERTY, finding: Finding::Broken(example) };
            }
            Finding::Holds(evidence) => words.entry(true).or_default().push(evidence),
            Finding::NotApplicable(why) => words.entry(false).or_default().push(why),
        }
    }
    match words.remove(&true) {
        Some(evidence) => Verdict::held(PROPERTY, evidence.join("; ")),
        None => {
            Verdict::inapplicable(PROPERTY, words.remove(&false).unwrap_or_default().join("; "))
        }
    }
}

/// What is left in the books at the end of a trace: in words, the first message that is, or a queue of which
/// nobody knows. `None` if everything was drained.
pub(super) fn left_over(trace: &Trace, books: &Books<'_>) -> Option<String> {
    for (name, queue) in &books.queues {
        if let Some((rank, _)) = queue.held.iter().next() {
            return Some(format!("{} of {name} is still held at the end", books.name(*rank)));
        }
        let client = trace.viewpoint() == Viewpoint::Client;
        if queue.ready.is_empty() && queue.handed_out.is_empty() {
            // Whatever was published there has come back to its publisher.
            continue;
        }
        if found_empty(trace, name) {
            continue;
        }
        if client || queue.ready.values().any(|ready| !ready.sure) {
            return Some(format!(
                "{name} was not found empty at the end: after the last delivery from it, basic.get is to find nothing"
            ));
        }
        if let Some((rank, _)) = queue.ready.iter().next() {
            return Some(format!("{} is still ready in {name} at the end", books.name(*rank)));
        }
    }
    None
}

/// Whether `basic.get` found nothing in a queue after the last time that something came out of it, went into it or
/// back.
fn found_empty(trace: &Trace, queue: &Name) -> bool {
    let of_queue = |one: &&Observation| match &one.what {
        Observed::Published { queues: Some(queues), .. } => queues.contains(queue),
        Observed::Published { queues: None, .. } | Observed::Crashed | Observed::Stopped => true,
        Observed::ChannelClosed => false,
        Observed::GotEmpty { queue: of }
        | Observed::Delivered { queue: of, .. }
        | Observed::CameBack { queue: of, .. }
        | Observed::Settled { queue: of, how: super::super::trace::Settlement::Requeued, .. } => {
            of == queue
        }
        _ => false,
    };
    let last = trace.observations().iter().rev().find(of_queue);
    is_pseudo(queue) || last.is_some_and(|one| matches!(one.what, Observed::GotEmpty { .. }))
}
