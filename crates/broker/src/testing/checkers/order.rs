//! Order: first deliveries, what came back, and the mark of redelivery.

use std::collections::BTreeMap;

use super::super::trace::{Observed, Trace, Viewpoint};
use super::books::{Books, Rank, is_pseudo};
use super::places::is_taken;
use super::{Verdict, count};
use crate::protocol::Name;

/// FIFO: messages are delivered for the first time in the order of publishing, queue by queue.
///
/// Seen by the broker, this order is that of all publishes. Clients know that one publish was before another if both
/// were made on one channel, or if one was confirmed before the other was made; and of two deliveries which was first if
/// one channel received both.
///
/// Not applicable to queues with priorities, and where a queue was delivered fewer than two messages.
pub fn first_deliveries_in_order(trace: &Trace) -> Verdict {
    const PROPERTY: &str = "first_deliveries_in_order";
    let mut books = match Books::open(trace) {
        Ok(books) => books,
        Err(why) => return Verdict::inapplicable(PROPERTY, why),
    };
    let mut confirmed: BTreeMap<Rank, usize> = BTreeMap::new();
    let mut lines: BTreeMap<(Name, Name), Line> = BTreeMap::new();
    let mut compared = 0;
    for (index, observation) in trace.observations().iter().enumerate() {
        // What the books cannot explain is another checker's affair.
        let first = first_delivery(&books, trace, &observation.what);
        let _ = books.enter(observation);
        if let Observed::Confirmed { message } = &observation.what
            && let Some(rank) = books.rank(message)
        {
            confirmed.insert(rank, index);
        }
        let Some((queue, rank)) = first else { continue };
        let line = match trace.viewpoint() {
            Viewpoint::Broker => (queue.clone(), Name::from("")),
            Viewpoint::Client => (queue.clone(), observation.channel.clone()),
        };
        let line = lines.entry(line).or_default();
        compared += usize::from(!line.last.is_empty());
        if let Some(earlier) = line.overtaken_by(rank, &books, trace.viewpoint(), &confirmed) {
            let (message, before) = (books.name(rank).clone(), books.name(earlier).clone());
            let sentence = format!(
                "{message} was delivered from {queue} after {before}, but published before it"
            );
            return Verdict::broken(PROPERTY, sentence, trace, index, |one| {
                one.what.message().is_some_and(|of| *of == message || *of == before)
            });
        }
        line.add(rank, &books);
    }
    if compared == 0 {
        return Verdict::inapplicable(PROPERTY, "no queue has delivered two messages");
    }
    let held = count(compared, "delivery comes", "deliveries come");
    Verdict::held(PROPERTY, format!("{held} behind earlier ones"))
}

/// The first deliveries so far, in one line.
#[derive(Default)]
struct Line {
    /// The last by the channel of its publisher.
    last: BTreeMap<Name, Rank>,
    /// The one that was published last.
    latest: Option<Rank>,
}

impl Line {
    /// One that was delivered already, and published after this.
    fn overtaken_by(
        &self,
        rank: Rank,
        books: &Books<'_>,
        viewpoint: Viewpoint,
        confirmed: &BTreeMap<Rank, usize>,
    ) -> Option<Rank> {
        let latest = self.latest?;
        if viewpoint == Viewpoint::Broker {
            return (latest > rank).then_some(latest);
        }
        let same = self.last.get(&books.messages[rank].channel).copied();
        let same = same.filter(|last| *last > rank);
        let later = |was_confirmed: &usize| books.messages[latest].published > *was_confirmed;
        same.or_else(|| confirmed.get(&rank).is_some_and(later).then_some(latest))
    }

    fn add(&mut self, rank: Rank, books: &Books<'_>) {
        let publisher = books.messages[rank].channel.clone();
        let last = self.last.entry(publisher).or_insert(rank);
        *last = rank.max(*last);
        self.latest = self.latest.max(Some(rank));
    }
}

/// The queue and the message, if this is its first delivery.
fn first_delivery(books: &Books<'_>, trace: &Trace, what: &Observed) -> Option<(Name, Rank)> {
    let Observed::Delivered { message, queue, redelivered: false, .. } = what else {
        return None;
    };
    let ordered = !trace.queue_kind(queue).prioritized && !is_pseudo(queue);
    let rank = books.rank(message)?;
    let book = books.queues.get(queue);
    let first = book.is_none_or(|book| !book.handed_out.contains_key(&rank));
    (ordered && first).then(|| (queue.clone(), rank))
}

/// What came back to a classic queue stands in its old place: it is delivered before anything that was published
/// later and waits as well.
///
/// Seen by clients, this is asked only of what has come back before the last [rest](Observed::AtRest), and compared to
/// what the same channel published.
///
/// Not applicable to quorum queues and queues with priorities, and where nothing has come back and was delivered again.
pub fn requeued_to_place(trace: &Trace) -> Verdict {
    const PROPERTY: &str = "requeued_to_place";
    let mut books = match Books::open(trace) {
        Ok(books) => books,
        Err(why) => return Verdict::inapplicable(PROPERTY, why),
    };
    let mut again = 0;
    for (index, observation) in trace.observations().iter().enumerate() {
        if let Observed::Delivered { message, queue, .. } = &observation.what
            && !trace.queue_kind(queue).prioritized
            && !trace.queue_kind(queue).quorum
            && let Some(rank) = books.rank(message)
            && let Some(book) = books.queues.get(queue)
        {
            let came_back = |one: &super::books::Ready| one.sure && one.came_back.is_some();
            again += usize::from(book.ready.get(&rank).is_some_and(came_back));
            let comparable = |one: Rank, came: usize| {
                trace.viewpoint() == Viewpoint::Broker
                    || (came < books.since_rest
                        && books.messages[one].channel == books.messages[rank].channel
                        && !is_taken(trace, index, books.name(one), Some(&observation.channel)))
            };
            let mut before = book.ready.range(..rank).filter(|(_, ready)| ready.sure);
            let waiting = before
                .find(|(one, ready)| ready.came_back.is_some_and(|came| comparable(**one, came)));
            if let Some((waiting, _)) = waiting {
                let waiting = books.name(*waiting).clone();
                let sentence = format!(
                    "{message} was delivered from {queue} while {waiting}, which came back and was published before it, waited"
                );
                return Verdict::broken(PROPERTY, sentence, trace, index, |one| {
                    one.what.message().is_some_and(|of| of == message || *of == waiting)
                });
            }
        }
        let _ = books.enter(observation);
    }
    if again == 0 {
        return Verdict::inapplicable(PROPERTY, "nothing came back and was delivered again");
    }
    let held = count(again, "message that came back was", "messages that came back were");
    Verdict::held(PROPERTY, format!("{held} delivered in its turn"))
}

/// The mark `redelivered` is there exactly if the message was handed out from this queue before.
///
/// A client may have missed what the broker handed out: it can only say that the mark is missing. After a crash a broker
/// may mark everything; after a stop it knows.
///
/// Not applicable where nothing was delivered.
pub fn redelivered_exact(trace: &Trace) -> Verdict {
    const PROPERTY: &str = "redelivered_exact";
    let mut books = match Books::open(trace) {
        Ok(books) => books,
        Err(why) => return Verdict::inapplicable(PROPERTY, why),
    };
    let (mut fresh, mut again) = (0, 0);
    for (index, observation) in trace.observations().iter().enumerate() {
        if let Observed::Delivered { message, queue, redelivered, .. } = &observation.what
            && !is_pseudo(queue)
            && let Some(rank) = books.rank(message)
        {
            let book = books.queues.get(queue);
            // Of another channel a client may hear later what happened earlier.
            let before = |one: &&(Name, usize)| {
                trace.viewpoint() == Viewpoint::Broker
                    || one.0 == observation.channel
                    || one.1 < books.since_rest
            };
            let handed_out = book.and_then(|book| book.handed_out.get(&rank));
            let times = handed_out.map_or(0, |times| times.iter().filter(before).count());
            let ready = book.and_then(|book| book.ready.get(&rank));
            let may_be_marked = trace.viewpoint() == Viewpoint::Client
                || ready.is_none_or(|ready| ready.perhaps_marked);
            (fresh, again) = (fresh + usize::from(times == 0), again + usize::from(times > 0));
            let sentence = match (times, redelivered) {
                (0, true) if !may_be_marked => format!(
                    "{message} of {queue} was delivered for the first time, but marked as redelivered"
                ),
                (1.., false) => format!(
                    "{message} of {queue} was delivered again, but not marked as redelivered"
                ),
                _ => String::new(),
            };
            if !sentence.is_empty() {
                return Verdict::broken(PROPERTY, sentence, trace, index, |one| {
                    one.what.message() == Some(message)
                });
            }
        }
        let _ = books.enter(observation);
    }
    if fresh + again == 0 {
        return Verdict::inapplicable(PROPERTY, "nothing was delivered");
    }
    Verdict::held(
        PROPERTY,
        format!("{fresh} first deliveries without the mark, {again} others with it"),
    )
}
