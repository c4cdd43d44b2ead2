//! What of the log is still needed: which messages are alive, in which segment, and which queues,
//! exchanges and bindings exist.
//!
//! A fold over the same records as a broker's, for the sake of room alone: it keeps sixteen bytes for a
//! message and never the message. It also counts the room that it takes to say of all this that it is gone.

mod by_queue;
mod shares;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use smallvec::SmallVec;

use super::frame::{COMMIT_FRAME, FRAME_HEAD};
use super::runs::{RecordedMessages, RecordedRemovals};
use super::topology::Topology;
use crate::protocol::types::FieldTable;
use crate::protocol::{MessageId, Name, Record};
use by_queue::ByQueue;

/// What is alive, and where.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger {
    /// The queues' numbers, which count declarations.
    numbers: BTreeMap<Name, u32>,
    /// The queue that was looked up last: most records name the one that the record before named.
    latest: Option<Latest>,
    queues: BTreeMap<u32, Declared>,
    queues_declared: u32,
    /// The highest message number seen.
    last: MessageId,
    /// The segments of the log, oldest first.
    segments: VecDeque<Segment>,
    /// Messages that are not in the order of their numbers: those that were moved forward.
    moved: BTreeMap<MessageId, (u64, Entry)>,
    /// The queues that still hold a message that went to several.
    shared: BTreeMap<MessageId, Vec<u32>>,
    /// The same by queue.
    shared_by_queue: BTreeSet<(u32, MessageId)>,
    live: u64,
    /// Bytes of the declarations of queues.
    declared: u64,
    topology: Topology,
    /// What it takes to say, one by one, that each message has left its queue and each queue has gone.
    removals: u64,
}

#[derive(Clone, Debug)]
struct Latest {
    name: Name,
    number: u32,
    /// Bytes that it takes to say that a message has left it.
    removal: u64,
}

#[derive(Clone, Debug)]
struct Declared {
    name: Name,
    auto_delete: bool,
    arguments: FieldTable,
    /// Bytes of the frame that says so.
    len: u64,
    /// Bytes that it takes to say that one of them has left.
    removal: u64,
}

/// One segment's share.
#[derive(Clone, Debug)]
struct Segment {
    number: u64,
    /// Message numbers from here on are its own, or later segments'.
    first: u64,
    /// Its messages in the order of their numbers, dead ones included.
    entries: Vec<Entry>,
    /// Its frames with messages of one queue.
    by_queue: ByQueue,
    /// Bytes of its frames with messages of several queues.
    shared: u64,
}

/// One message.
#[derive(Clone, Copy, Debug)]
struct Entry {
    id: u64,
    /// Bytes of its frame.
    len: u32,
    /// The number of its queue, or one of those below.
    queue: u32,
}

/// Instead of a queue's number: no queue holds the message.
const GONE: u32 = 0;
/// Instead of a queue's number: the message went to several.
const SEVERAL: u32 = u32::MAX;

impl Ledger {
    /// Bytes of the frames that are needed: messages that somebody holds, and the queues, exchanges and
    /// bindings that exist.
    pub(super) fn live(&self) -> u64 {
        self.live + self.topology()
    }

    /// Bytes of what is said again at the head of a segment.
    pub(super) fn topology(&self) -> u64 {
        self.declared + self.topology.bytes()
    }

    /// Bytes of the frames of a segment's head, or a few more.
    pub(super) fn head_bytes(&self) -> u64 {
        self.topology() + (FRAME_HEAD + 3 + NUMBER_BYTES_MAX + COMMIT_FRAME) as u64
    }

    /// Bytes that it takes to remove everything, each message, queue, exchange and binding in a batch of
    /// its own.
    pub(super) fn removals(&self) -> u64 {
        self.removals + self.topology.removals()
    }

    /// Bytes of what is alive in a segment but for declarations.
    pub(super) fn live_in(&self, segment: u64) -> u64 {
        self.segment(segment).map_or(0, |found| found.shared + found.by_queue.bytes())
    }

    /// Whether that is nothing.
    pub(super) fn is_dead(&self, segment: u64) -> bool {
        self.segment(segment).is_none_or(|found| found.shared == 0 && found.by_queue.is_empty())
    }

    fn segment(&self, segment: u64) -> Option<&Segment> {
        let at = self.segments.partition_point(|other| other.number < segment);
        self.segments.get(at).filter(|found| found.number == segment)
    }

    /// The records at the head of a segment: they make the log readable from there on.
    pub(super) fn head(&self) -> Vec<Record> {
        let queues = self.queues.values().map(|queue| Record::QueueKept {
            queue: queue.name.clone(),
            auto_delete: queue.auto_delete,
            arguments: queue.arguments.clone(),
        });
        let numbered = std::iter::once(Record::Numbered { last: self.last });
        numbered.chain(queues).chain(self.topology.head()).collect()
    }

    /// Takes a record in whose frame of `len` bytes is in `segment`.
    pub(super) fn apply(&mut self, record: &Record, segment: u64, len: u64) {
        self.begin(segment);
        self.topology.apply(record, len);
        match record {
            Record::QueueDeclared { queue, auto_delete, arguments }
            | Record::QueueKept { queue, auto_delete, arguments } => {
                self.declared(queue, *auto_delete, arguments, len);
            }
            Record::QueueDeleted { queue } => self.deleted(queue),
            Record::Enqueued { message, queues } | Record::MessageKept { message, queues } => {
                self.enqueued(message.id, queues, segment, len);
            }
            Record::Removed { queue, message } => self.removed(queue, [*message]),
            Record::RemovedMany { queue, messages } => {
                let least = self.least();
                let known = messages.partition_point(|id| id.0 < least);
                self.removed(queue, messages[known..].iter().copied());
            }
            Record::Numbered { last } => self.last = self.last.max(*last),
            Record::HandedOut { .. } | Record::Stopped | Record::Started => {}
            // Those of exchanges and bindings.
            _ => {}
        }
    }

    /// Takes the record of a message.
    pub(super) fn apply_message(&mut self, id: MessageId, queues: &[Name], segment: u64, len: u64) {
        self.begin(segment);
        self.enqueued(id, queues, segment, len);
    }

    /// Takes the records of some messages.
    pub(super) fn apply_messages(&mut self, recorded: &RecordedMessages<'_>) {
        self.begin(recorded.segment);
        for message in &*recorded.messages {
            let len = u64::from(message.len);
            self.enqueued(message.id, recorded.queues, recorded.segment, len);
        }
    }

    /// Takes the records of some removals.
    pub(super) fn apply_removals(&mut self, recorded: &RecordedRemovals<'_>) {
        self.begin(recorded.segment);
        self.removed(recorded.queue, recorded.messages());
    }

    /// The queues that hold a message whose frame in `segment` names `queues`; none if that frame is
    /// not needed.
    pub(super) fn holders(&self, segment: u64, id: MessageId, queues: &[Name]) -> Vec<Name> {
        let fresh = self.place(id).filter(|(at, _)| self.segments[*at].number == segment);
        let entry = match fresh {
            Some((at, place)) => Some(self.segments[at].entries[place]),
            None => self.moved.get(&id).filter(|(at, _)| *at == segment).map(|(_, entry)| *entry),
        };
        match entry.map_or(GONE, |entry| entry.queue) {
            GONE => Vec::new(),
            SEVERAL => {
                let numbers = self.shared.get(&id).map(Vec::as_slice).unwrap_or_default();
                let queues = numbers.iter().filter_map(|number| self.queues.get(number));
                queues.map(|queue| queue.name.clone()).collect()
            }
            number if self.queues.contains_key(&number) => queues.to_vec(),
            _ => Vec::new(),
        }
    }

    /// Forgets the segments before `oldest`, in which nothing is alive.
    pub(super) fn let_go_before(&mut self, oldest: u64) {
        while self.segments.front().is_some_and(|segment| segment.number < oldest) {
            self.segments.pop_front();
        }
        self.moved.retain(|_, (segment, _)| *segment >= oldest);
    }

    #[inline]
    fn begin(&mut self, segment: u64) {
        if self.segments.back().is_none_or(|last| last.number < segment) {
            self.begin_new(segment);
        }
    }

    #[cold]
    fn begin_new(&mut self, segment: u64) {
        if let Some(last) = self.segments.back_mut() {
            last.entries.shrink_to_fit();
        }
        let (first, entries) = (self.last.0.saturating_add(1), Vec::new());
        let by_queue = ByQueue::default();
        self.segments.push_back(Segment { number: segment, first, entries, by_queue, shared: 0 });
    }

    fn declared(&mut self, name: &Name, auto_delete: bool, arguments: &FieldTable, len: u64) {
        // Four thousand million declarations in one life would bring numbers to an end; queues beyond
        // them merely hold their segments' room until the log is opened anew.
        if self.numbers.contains_key(name) || self.queues_declared + 1 == SEVERAL {
            return;
        }
        self.queues_declared += 1;
        self.numbers.insert(name.clone(), self.queues_declared);
        let (name, arguments) = (name.clone(), arguments.clone());
        let removal = removal_bytes(&name);
        let queue = Declared { name, auto_delete, arguments, len, removal };
        self.queues.insert(self.queues_declared, queue);
        self.declared += len;
        self.removals += removal;
    }

    fn deleted(&mut self, name: &Name) {
        self.latest = None;
        let Some(number) = self.numbers.remove(name) else { return };
        let shared = self.shared_by_queue.range((number, MessageId(0))..);
        let shared = shared.take_while(|(queue, _)| *queue == number);
        for (number, id) in shared.copied().collect::<Vec<_>>() {
            self.leave_one_of_several(number, id);
        }
        let mut messages = 0;
        for segment in &mut self.segments {
            let share = segment.by_queue.remove(number);
            self.live -= share.bytes;
            messages += share.messages;
        }
        if let Some(queue) = self.queues.remove(&number) {
            self.declared -= queue.len;
            self.removals -= queue.removal * (1 + messages);
        }
    }

    fn enqueued(&mut self, id: MessageId, queues: &[Name], segment: u64, len: u64) {
        let fresh = id > self.last;
        if !fresh {
            // Moved forward: the older frame is not needed any more.
            self.forget(id);
        }
        let queue = match queues {
            // As most are.
            [name] => self.number(name).unwrap_or(GONE),
            _ => self.enqueued_in_several(id, queues),
        };
        match queue {
            GONE => return,
            SEVERAL => {}
            number => self.joined(number),
        }
        // A frame's length is a u32 in its file.
        let entry = Entry { id: id.0, len: len as u32, queue };
        self.last = self.last.max(id);
        self.live += len;
        let Some(current) = self.segments.back_mut() else { return };
        match queue {
            SEVERAL => current.shared += len,
            _ => current.by_queue.add(queue, len),
        }
        if fresh {
            current.entries.push(entry);
        } else {
            self.moved.insert(id, (segment, entry));
        }
    }

    /// Notes the queues of a message that names several. Gives what stands for them, or the one that there is;
    /// that one is not told yet.
    fn enqueued_in_several(&mut self, id: MessageId, queues: &[Name]) -> u32 {
        let numbers = queues.iter().filter_map(|name| self.number(name));
        let numbers: SmallVec<[u32; 4]> = numbers.collect();
        match numbers[..] {
            [] => GONE,
            [number] => number,
            _ => {
                numbers.iter().for_each(|number| self.joined(*number));
                self.shared_by_queue.extend(numbers.iter().map(|number| (*number, id)));
                self.shared.insert(id, numbers.into_vec());
                SEVERAL
            }
        }
    }

    fn removed(&mut self, queue: &Name, messages: impl IntoIterator<Item = MessageId>) {
        let Some(number) = self.number(queue) else { return };
        for id in messages {
            let place = self.place(id);
            let entry = match place {
                Some((at, place)) => Some(self.segments[at].entries[place]),
                None => self.moved.get(&id).map(|(_, entry)| *entry),
            };
            match entry.map_or(GONE, |entry| entry.queue) {
                SEVERAL => self.leave_one_of_several(number, id),
                holder if holder == number => self.forget_at(place, id),
                _ => {}
            }
        }
    }

    /// A number that no message has a lower one than; those of old segments had.
    fn least(&self) -> u64 {
        let first = self.segments.iter().find_map(|segment| segment.entries.first());
        let first = first.map_or(u64::MAX, |entry| entry.id);
        self.moved.keys().next().map_or(first, |id| id.0.min(first))
    }

    #[inline]
    fn number(&mut self, name: &Name) -> Option<u32> {
        match &self.latest {
            Some(latest) if Arc::ptr_eq(&latest.name, name) => Some(latest.number),
            _ => self.look_up(name),
        }
    }

    fn look_up(&mut self, name: &Name) -> Option<u32> {
        let number = *self.numbers.get(name)?;
        let removal = self.queues.get(&number)?.removal;
        self.latest = Some(Latest { name: name.clone(), number, removal });
        Some(number)
    }

    fn leave_one_of_several(&mut self, number: u32, id: MessageId) {
        self.shared_by_queue.remove(&(number, id));
        let Some(numbers) = self.shared.get_mut(&id) else { return };
        let before = numbers.len();
        numbers.retain(|holder| *holder != number);
        let (left, empty) = (before - numbers.len(), numbers.is_empty());
        (0..left).for_each(|_| self.left(number));
        if empty {
            self.forget(id);
        }
    }

    /// A queue has one more message.
    fn joined(&mut self, number: u32) {
        self.removals += self.removal(number);
    }

    /// A queue, if it is still there, has one message less.
    fn left(&mut self, number: u32) {
        self.removals -= self.removal(number);
    }

    /// Bytes that it takes to say that a message has left a queue; none if the queue has gone.
    fn removal(&self, number: u32) -> u64 {
        match &self.latest {
            Some(latest) if latest.number == number => latest.removal,
            _ => self.queues.get(&number).map_or(0, |queue| queue.removal),
        }
    }

    /// Takes the frame of a message for dead.
    fn forget(&mut self, id: MessageId) {
        self.forget_at(self.place(id), id);
    }

    /// As [`forget`](Self::forget), of a message whose [`place`](Self::place) is known.
    fn forget_at(&mut self, place: Option<(usize, usize)>, id: MessageId) {
        let (segment, entry) = if let Some((at, place)) = place {
            let entry = self.segments[at].entries[place];
            self.segments[at].entries[place].queue = GONE;
            (at, entry)
        } else if let Some((segment, entry)) = self.moved.remove(&id) {
            (self.segments.partition_point(|other| other.number < segment), entry)
        } else {
            return;
        };
        if entry.queue == SEVERAL {
            for number in self.shared.remove(&id).unwrap_or_default() {
                self.shared_by_queue.remove(&(number, id));
                self.left(number);
            }
            self.live -= u64::from(entry.len);
            if let Some(segment) = self.segments.get_mut(segment) {
                segment.shared -= u64::from(entry.len);
            }
            return;
        }
        self.left(entry.queue);
        if let Some(segment) = self.segments.get_mut(segment)
            && segment.by_queue.subtract(entry.queue, u64::from(entry.len))
        {
            // Not there if the queue has gone, and its messages with it.
            self.live -= u64::from(entry.len);
        }
    }

    /// Where a message is that stands in the order of the numbers and is not gone: its segment, and its
    /// place in that.
    fn place(&self, id: MessageId) -> Option<(usize, usize)> {
        let at = self.segments.partition_point(|segment| segment.first <= id.0).checked_sub(1)?;
        let entries = &self.segments[at].entries;
        let likely = id.0.checked_sub(entries.first()?.id)?;
        // Where no number is left out.
        let likely = usize::try_from(likely).ok();
        let place = likely.filter(|at| entries.get(*at).is_some_and(|entry| entry.id == id.0));
        let search = || entries.binary_search_by_key(&id.0, |entry| entry.id).ok();
        let place = place.or_else(search)?;
        (entries[place].queue != GONE).then_some((at, place))
    }
}

/// Bytes of the batch that says of one message that it has left this queue, and more than those of the one
/// that says that the queue has gone.
fn removal_bytes(queue: &Name) -> u64 {
    // Kind of payload, version, kind; the name with its length; the message's number.
    (FRAME_HEAD + 3 + 2 + queue.len() + NUMBER_BYTES_MAX + COMMIT_FRAME) as u64
}

/// The longest number, seven bits a byte.
const NUMBER_BYTES_MAX: usize = 10;
