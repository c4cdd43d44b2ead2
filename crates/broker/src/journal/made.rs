//! Records that were made and wait to be handed on, in runs of one kind.

use std::sync::Arc;

use super::codec::{Content, Decoder, Mistake};
use super::frame::FRAME_HEAD;
use super::giving::Giving;
use super::portion::Found;
use super::runs::{RecordedMessage, RecordedMessages, RecordedRemoval, RecordedRemovals};
use super::{RecordNumber, Recorded};
use crate::protocol::{Name, Record};

/// Records of frames that follow one another.
///
/// What many of them have in common is there once: two threads that both count who shares a thing wait for one another.
#[derive(Debug, Default)]
pub(super) struct Made {
    runs: Vec<Run>,
    /// How many of the runs were handed on as a whole.
    done: usize,
    messages: Rest<RecordedMessage>,
    removals: Rest<RecordedRemoval>,
    queues: Vec<Arc<[Name]>>,
    names: Vec<Name>,
    /// What is wrong with the frame behind them.
    mistake: Option<Mistake>,
}

/// Records of one kind, one after another, not handed on yet.
#[derive(Debug)]
enum Run {
    Messages {
        /// Which of the queues.
        queues: usize,
        kept: bool,
        count: usize,
    },
    Removals {
        /// Which of the names.
        queue: usize,
        count: usize,
    },
    Other(Option<Box<Other>>),
}

/// A record of another kind.
#[derive(Debug)]
struct Other {
    number: RecordNumber,
    len: u32,
    record: Record,
}

/// A row that is taken from its beginning.
#[derive(Debug)]
struct Rest<T> {
    all: Vec<T>,
    taken: usize,
}

impl<T> Default for Rest<T> {
    fn default() -> Self {
        Self { all: Vec::new(), taken: 0 }
    }
}

impl<T> Rest<T> {
    fn take(&mut self, count: usize) -> &mut [T] {
        let from = self.taken;
        self.taken += count;
        &mut self.all[from..self.taken]
    }

    fn clear(&mut self) {
        self.all.clear();
        self.taken = 0;
    }
}

impl Made {
    /// Whether all were handed on.
    pub(super) fn is_empty(&self) -> bool {
        self.done == self.runs.len()
    }

    /// What is wrong with the frame behind them.
    pub(super) fn mistake(&self) -> Option<Mistake> {
        self.mistake
    }

    pub(super) fn clear(&mut self) {
        self.runs.clear();
        self.done = 0;
        self.messages.clear();
        self.removals.clear();
        self.queues.clear();
        self.names.clear();
        self.mistake = None;
    }

    /// Makes records of frames up to the first that is none, when all before were handed on. What they are in begins at
    /// `begin` in its segment.
    pub(super) fn make(
        &mut self,
        begin: u64,
        bytes: &[u8],
        frames: &[Found],
        decoder: &mut Decoder,
    ) {
        self.clear();
        for found in frames {
            let payload = &bytes[found.at as usize..][..found.len as usize];
            match decoder.read(payload) {
                Ok(content) => self.add(begin, found, content),
                Err(what) => {
                    self.mistake = Some(what);
                    break;
                }
            }
        }
    }

    fn add(&mut self, begin: u64, found: &Found, content: Content<'_>) {
        let number = RecordNumber(found.number);
        let len = FRAME_HEAD as u32 + found.len;
        match content {
            Content::Message { message, queues, kept, body_at } => {
                let body = begin + u64::from(found.at) + body_at as u64;
                let (id, message) = (message.id, Some(message));
                self.messages.all.push(RecordedMessage { number, len, body, id, message });
                let same = self.queues.last().is_some_and(|last| Arc::ptr_eq(last, queues));
                match self.runs.last_mut() {
                    Some(Run::Messages { kept: before, count, .. }) if same && *before == kept => {
                        *count += 1;
                    }
                    _ => {
                        if !same {
                            self.queues.push(Arc::clone(queues));
                        }
                        let queues = self.queues.len() - 1;
                        self.runs.push(Run::Messages { queues, kept, count: 1 });
                    }
                }
            }
            Content::Removed { queue, message } => {
                self.removals.all.push(RecordedRemoval { number, len, message });
                let same = self.names.last().is_some_and(|last| Arc::ptr_eq(last, queue));
                match self.runs.last_mut() {
                    Some(Run::Removals { count, .. }) if same => *count += 1,
                    _ => {
                        if !same {
                            self.names.push(Arc::clone(queue));
                        }
                        let queue = self.names.len() - 1;
                        self.runs.push(Run::Removals { queue, count: 1 });
                    }
                }
            }
            Content::Other(record) => {
                self.runs.push(Run::Other(Some(Box::new(Other { number, len, record }))));
            }
        }
    }

    /// Hands on so many at most, which are in `segment`. Gives how many there were.
    pub(super) fn hand_on(&mut self, segment: u64, most: usize, giving: &mut Giving<'_>) -> usize {
        let mut given = 0;
        while given < most
            && let Some(run) = self.runs.get_mut(self.done)
        {
            let rest = most - given;
            let (now, left) = match run {
                Run::Messages { queues, kept, count } => {
                    let now = rest.min(*count);
                    let (queues, kept) = (&*self.queues[*queues], *kept);
                    let messages = self.messages.take(now);
                    giving.give_messages(RecordedMessages { segment, queues, kept, messages });
                    *count -= now;
                    (now, *count)
                }
                Run::Removals { queue, count } => {
                    let now = rest.min(*count);
                    let queue = &self.names[*queue];
                    let removals = self.removals.take(now);
                    giving.give_removals(RecordedRemovals { segment, queue, removals });
                    *count -= now;
                    (now, *count)
                }
                Run::Other(other) => {
                    if let Some(other) = other.take() {
                        let Other { number, len, record } = *other;
                        giving.give(Recorded { number, segment, len, record, body: None });
                    }
                    (1, 0)
                }
            };
            given += now;
            self.done += usize::from(left == 0);
        }
        given
    }
}
