//! Records of one kind that follow one another in a log.

use std::sync::Arc;

use super::codec::message_record;
use super::{Position, RecordNumber, Recorded};
use crate::protocol::{Message, MessageId, Name, Record};

/// Messages read back from the log: a run of `Enqueued`, or of `MessageKept`, in one segment and for the same queues.
#[derive(Debug)]
pub struct RecordedMessages<'a> {
    /// The segment that they are in.
    pub segment: u64,
    /// The queues that each is in.
    pub queues: &'a [Name],
    /// Whether they are still in them (`MessageKept`), rather than new (`Enqueued`).
    pub kept: bool,
    pub(super) messages: &'a mut [RecordedMessage],
}

/// The record of a message, in a run of them.
#[derive(Debug)]
pub(super) struct RecordedMessage {
    pub(super) number: RecordNumber,
    /// Bytes of its frame.
    pub(super) len: u32,
    /// Where in the segment the body begins.
    pub(super) body: u64,
    pub(super) id: MessageId,
    /// Until it is taken.
    pub(super) message: Option<Arc<Message>>,
}

impl<'a> RecordedMessages<'a> {
    /// The messages.
    pub fn into_messages(self) -> impl Iterator<Item = Arc<Message>> + use<'a> {
        self.messages.iter_mut().filter_map(|recorded| recorded.message.take())
    }

    /// The records.
    pub fn into_records(self) -> impl Iterator<Item = Recorded> + use<'a> {
        let Self { segment, queues, kept, messages } = self;
        messages.iter_mut().filter_map(move |recorded| {
            let RecordedMessage { number, len, body: offset, ref mut message, .. } = *recorded;
            let message = message.take()?;
            let body = Position { segment, offset, len: message.body.len() as u32 };
            let record = message_record(message, queues, kept);
            Some(Recorded { number, segment, len, record, body: Some(body) })
        })
    }
}

/// Removals read back from the log: a run of `Removed`, in one segment and from the same queue.
#[derive(Clone, Copy, Debug)]
pub struct RecordedRemovals<'a> {
    /// The segment that they are in.
    pub segment: u64,
    /// The queue that the messages have left.
    pub queue: &'a Name,
    pub(super) removals: &'a [RecordedRemoval],
}

/// The record of a removal, in a run of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordedRemoval {
    pub(super) number: RecordNumber,
    /// Bytes of its frame.
    pub(super) len: u32,
    pub(super) message: MessageId,
}

impl<'a> RecordedRemovals<'a> {
    /// The messages.
    pub fn messages(self) -> impl Iterator<Item = MessageId> + use<'a> {
        self.removals.iter().map(|recorded| recorded.message)
    }

    /// The records.
    pub fn records(self) -> impl Iterator<Item = Recorded> + use<'a> {
        self.removals.iter().map(move |recorded| {
            let RecordedRemoval { number, len, message } = *recorded;
            let record = Record::Removed { queue: Name::clone(self.queue), message };
            Recorded { number, segment: self.segment, len, record, body: None }
        })
    }
}
