//! Windows hold, and no message waits beside room.

use super::super::trace::{Observation, Observed, Trace, Viewpoint};
use super::books::{Books, Who};
use super::{Verdict, count};
use crate::protocol::Name;

/// Nobody is handed a message beyond its window: not a consumer, and not the consumers of a channel that has a window as
/// a whole. Automatic acknowledgement and `basic.get` know no windows, and what quorum queues deliver counts for no
/// channel's.
///
/// What a client records it holds is at most what the broker counts, so a fault that a client sees is one.
///
/// Not applicable where nothing was delivered to a consumer or a channel with a window.
pub fn window(trace: &Trace) -> Verdict {
    const PROPERTY: &str = "window";
    let mut books = match Books::open(trace) {
        Ok(books) => books,
        Err(why) => return Verdict::inapplicable(PROPERTY, why),
    };
    let (mut looked, mut full) = (0, 0);
    for (index, observation) in trace.observations().iter().enumerate() {
        let _ = books.enter(observation);
        let Observed::Delivered { consumer: Some(consumer), no_ack: false, .. } = &observation.what
        else {
            continue;
        };
        let channel = &observation.channel;
        let own = books.consumers.get(&(channel.clone(), consumer.clone()));
        let own = own.map(|own| (format!("{consumer} on {channel}"), own.held, own.window));
        let counts = observation.what.queue().is_none_or(|queue| !trace.queue_kind(queue).quorum);
        let whole = books.channels.get(channel).filter(|_| counts);
        let whole = whole.map(|whole| (format!("channel {channel}"), whole.held, whole.window));
        for (who, held, window) in [own, whole].into_iter().flatten() {
            looked += usize::from(window > 0);
            full += usize::from(window > 0 && held == usize::from(window));
            if window > 0 && held > usize::from(window) {
                let sentence = format!("{who} held {held} messages, and its window is {window}");
                let shows = |one: &Observation| one.channel == *channel;
                return Verdict::broken(PROPERTY, sentence, trace, index, shows);
            }
        }
    }
    if looked == 0 {
        return Verdict::inapplicable(PROPERTY, "nothing was delivered into a window");
    }
    let held = count(looked, "delivery", "deliveries");
    Verdict::held(PROPERTY, format!("{held} into windows, {full} of which filled one"))
}

/// While a message is ready and a consumer of its queue has room, the message does not wait.
///
/// This is asked whenever all is [at rest](Observed::AtRest). The history of a broker is at rest where time has passed
/// or certain commands begin, and at its end; a client's record where its program says so.
///
/// Not applicable where nothing is ever at rest beside a queue with consumers, or after a crash until the queue was found
/// empty. If clients observe: not to queues with a single active consumer, whose consumers they cannot tell apart, and
/// not where messages expire.
pub fn work_conservation(trace: &Trace) -> Verdict {
    const PROPERTY: &str = "work_conservation";
    let mut books = match Books::open(trace) {
        Ok(books) => books,
        Err(why) => return Verdict::inapplicable(PROPERTY, why),
    };
    let mut looked = 0;
    for (index, observation) in trace.observations().iter().enumerate() {
        let _ = books.enter(observation);
        let last = index + 1 == trace.observations().len();
        let ends = last && trace.viewpoint() == Viewpoint::Broker;
        if observation.what != Observed::AtRest && !ends {
            continue;
        }
        match idle(&books, trace, &mut looked) {
            Some((who, queue, message)) => {
                let sentence =
                    format!("{} on {} has room, and {message} waits in {queue}", who.1, who.0);
                return Verdict::broken(PROPERTY, sentence, trace, index, |one| {
                    one.what.queue() == Some(&queue)
                        || one.what.message() == Some(&message)
                        || one.channel == who.0
                });
            }
            None => continue,
        }
    }
    if looked == 0 {
        let why = "no queue had consumers when all was at rest";
        return Verdict::inapplicable(PROPERTY, why);
    }
    let held = count(looked, "look", "looks");
    Verdict::held(PROPERTY, format!("{held} at a consumer at rest"))
}

/// A consumer that has room beside a message that waits.
fn idle(books: &Books<'_>, trace: &Trace, looked: &mut usize) -> Option<(Who, Name, Name)> {
    for (name, queue) in &books.queues {
        let hidden = trace.viewpoint() == Viewpoint::Client && trace.queue_kind(name).single_active;
        if hidden || queue.ready.values().any(|ready| !ready.sure) {
            continue;
        }
        for (who, _) in books.consumers_of(name) {
            *looked += 1;
            if let Some(rank) = queue.ready.keys().next()
                && books.has_room(who)
            {
                return Some((who.clone(), name.clone(), books.name(*rank).clone()));
            }
        }
    }
    None
}
