//! Whose turn it is: nobody with room is passed by too often, and nothing waits for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::trace::{Observation, Observed, Settlement, Trace, Viewpoint};
use super::books::{Books, Who};
use super::{Verdict, count};
use crate::protocol::Name;

/// Bounded bypass: among k consumers of a queue and priority, at most k − 1 deliveries go to others between two to one
/// that has room all the while.
///
/// Not applicable to what clients observed, who do not know the broker's order; to queues with a single active consumer
/// or with dead letters, whose history does not say exactly when somebody had room; and where no consumer with room was
/// passed by.
pub fn bounded_bypass(trace: &Trace) -> Verdict {
    watch_turns(trace, "bounded_bypass", |watch, who, receiver, k| {
        let passed = watch.passed_by.entry(receiver.clone()).or_default();
        *passed += 1;
        let all: usize = watch.passed_by.values().sum();
        let sentence = format!(
            "{} on {} had room while {all} deliveries passed it by, and there are {k} consumers",
            who.1, who.0
        );
        if all >= k { Err(sentence) } else { Ok(()) }
    })
}

/// Bounded imbalance: over any interval in which two consumers of a queue and priority both have room, the counts of what
/// they are handed differ by one at most.
///
/// Not applicable as with [`bounded_bypass`].
pub fn imbalance(trace: &Trace) -> Verdict {
    watch_turns(trace, "imbalance", |watch, who, receiver, _| {
        let passed = watch.passed_by.entry(receiver.clone()).or_default();
        *passed += 1;
        let sentence = format!(
            "{} on {} was handed {passed} messages while {} on {} had room and got none",
            receiver.1, receiver.0, who.1, who.0
        );
        if *passed > 1 { Err(sentence) } else { Ok(()) }
    })
}

/// What has happened since a consumer with room last had a turn, or came to have room.
#[derive(Default)]
struct Watch {
    /// How often each other was served.
    passed_by: BTreeMap<Who, usize>,
    /// How many there were at most.
    most: usize,
}

fn watch_turns(
    trace: &Trace,
    property: &'static str,
    mut judge: impl FnMut(&mut Watch, &Who, &Who, usize) -> Result<(), String>,
) -> Verdict {
    if trace.viewpoint() == Viewpoint::Client {
        return Verdict::inapplicable(
            property,
            "clients do not know in which order others are served",
        );
    }
    let mut books = match Books::open(trace) {
        Ok(books) => books,
        Err(why) => return Verdict::inapplicable(property, why),
    };
    let inexact = inexact_queues(trace);
    let mut watches: BTreeMap<Who, Watch> = BTreeMap::new();
    let mut passed = 0;
    for (index, observation) in trace.observations().iter().enumerate() {
        if let Observed::Delivered { queue, consumer: Some(tag), .. } = &observation.what
            && !inexact.contains(queue)
            && books.queues.get(queue).is_some_and(|book| book.active.is_none())
        {
            let receiver = (observation.channel.clone(), tag.clone());
            let priority = books.consumers.get(&receiver).map(|one| one.priority);
            let peers: Vec<Who> = books
                .consumers_of(queue)
                .filter(|(_, one)| Some(one.priority) == priority)
                .map(|(who, _)| who.clone())
                .collect();
            for who in peers.iter().filter(|who| **who != receiver) {
                let Some(watch) = watches.get_mut(who) else { continue };
                passed += 1;
                watch.most = watch.most.max(peers.len());
                let k = watch.most;
                if let Err(sentence) = judge(watch, who, &receiver, k) {
                    return Verdict::broken(property, sentence, trace, index, |one| {
                        matches!(
                            one.what,
                            Observed::ConsumerAdded { .. } | Observed::Delivered { .. }
                        ) && one.what.queue() == Some(queue)
                    });
                }
            }
            watches.remove(&receiver);
        }
        let _ = books.enter(observation);
        // Whoever has lost its room begins anew; on a channel with a window nobody sees exactly when that is back.
        let rests = observation.what == Observed::AtRest;
        watches.retain(|who, _| books.has_room(who));
        for who in books.consumers.keys() {
            let exact = books.channels.get(&who.0).is_none_or(|channel| channel.window == 0);
            if (exact || rests) && !watches.contains_key(who) && books.has_room(who) {
                watches.insert(who.clone(), Watch::default());
            }
        }
    }
    if passed == 0 {
        return Verdict::inapplicable(property, "no consumer that had room was passed by");
    }
    let held = count(passed, "delivery", "deliveries");
    Verdict::held(property, format!("{held} beside a consumer that had room"))
}

/// Queues that messages left as dead letters.
fn inexact_queues(trace: &Trace) -> BTreeSet<Name> {
    let letters = |one: &Observation| {
        let early = matches!(
            one.what,
            Observed::Published { .. } | Observed::Gone { .. } | Observed::Settled { .. }
        );
        one.channel.is_empty() && early
    };
    if !trace.observations().iter().any(letters) {
        return BTreeSet::new();
    }
    let left = trace.observations().iter().filter_map(|one| match &one.what {
        Observed::Gone { queue, .. }
        | Observed::Settled { queue, how: Settlement::Rejected, .. } => Some(queue.clone()),
        _ => None,
    });
    left.collect()
}

/// Nothing waits longer than `patience`: no ready message while its queue has consumers, and no consumer with room while
/// others of its priority are served. At the end of the trace too.
///
/// How patient one must be follows from the workload: with finite costs and windows, a message waits as long as what
/// is before it takes.
///
/// Not applicable where no time passes, where nothing was published to a queue with consumers, and after a crash until
/// the queue was found empty.
pub fn no_starvation(trace: &Trace, patience: Duration) -> Verdict {
    const PROPERTY: &str = "no_starvation";
    let mut books = match Books::open(trace) {
        Ok(books) => books,
        Err(why) => return Verdict::inapplicable(PROPERTY, why),
    };
    let end = trace.observations().last().map(|one| one.at).unwrap_or_default();
    if end.is_zero() {
        return Verdict::inapplicable(PROPERTY, "no time passes");
    }
    let mut waiting = Waiting::default();
    let mut looked = 0;
    for (index, observation) in trace.observations().iter().enumerate() {
        if let Observed::Delivered { message, queue, consumer: Some(tag), .. } = &observation.what {
            let receiver = (observation.channel.clone(), tag.clone());
            looked += 1;
            let kept =
                waiting.delivered(&books, &receiver, (message, queue), observation.at, patience);
            if let Err(sentence) = kept {
                return Verdict::broken(PROPERTY, sentence, trace, index, |one| {
                    one.what.message() == Some(message) || one.what.queue() == Some(queue)
                });
            }
        }
        let _ = books.enter(observation);
        waiting.look(&books, observation.at);
    }
    for (name, queue) in &books.queues {
        let Some(served_since) = waiting.served_since.get(name) else { continue };
        for (rank, ready) in queue.ready.iter().filter(|(_, ready)| ready.sure) {
            let waited = end.saturating_sub(ready.since.max(*served_since));
            if waited > patience {
                let message = books.name(*rank).clone();
                let sentence =
                    format!("{message} has waited in {name} for {waited:?}, and is not delivered");
                let last = trace.observations().len();
                return Verdict::broken(PROPERTY, sentence, trace, last, |one| {
                    one.what.message() == Some(&message)
                        || matches!(&one.what, Observed::ConsumerAdded { queue, .. } if queue == name)
                });
            }
        }
    }
    if looked == 0 {
        return Verdict::inapplicable(PROPERTY, "nothing was delivered to a consumer");
    }
    Verdict::held(PROPERTY, format!("{} in time", count(looked, "delivery", "deliveries")))
}

/// Who waits since when.
#[derive(Default)]
struct Waiting {
    /// Since when each queue has had consumers.
    served_since: BTreeMap<Name, Duration>,
    /// Since when each consumer with room has been passed by.
    passed_since: BTreeMap<Who, Duration>,
}

impl Waiting {
    fn look(&mut self, books: &Books<'_>, now: Duration) {
        self.served_since.retain(|queue, _| books.consumers_of(queue).next().is_some());
        self.passed_since.retain(|who, _| books.has_room(who));
        for consumer in books.consumers.values() {
            self.served_since.entry(consumer.queue.clone()).or_insert(now);
        }
    }

    fn delivered(
        &mut self,
        books: &Books<'_>,
        receiver: &Who,
        (message, queue): (&Name, &Name),
        now: Duration,
        patience: Duration,
    ) -> Result<(), String> {
        let book = books.queues.get(queue);
        let ready = books.rank(message).and_then(|rank| book?.ready.get(&rank));
        if let (Some(ready), Some(served)) =
            (ready.filter(|one| one.sure), self.served_since.get(queue))
        {
            let waited = now.saturating_sub(ready.since.max(*served));
            if waited > patience {
                return Err(format!("{message} had waited in {queue} for {waited:?}"));
            }
        }
        let priority = books.consumers.get(receiver).map(|one| one.priority);
        for (who, one) in books.consumers_of(queue) {
            if who == receiver || Some(one.priority) < priority || !books.has_room(who) {
                continue;
            }
            let since = self.passed_since.entry(who.clone()).or_insert(now);
            let waited = now.saturating_sub(*since);
            if waited > patience {
                let (tag, channel) = (&who.1, &who.0);
                let sentence = format!(
                    "{tag} on {channel} had room for {waited:?} while {queue} served others only"
                );
                return Err(sentence);
            }
        }
        self.passed_since.remove(receiver);
        Ok(())
    }
}
