//! Records as bytes, and back.
//!
//! Every record begins with a version of its own, so that an old log stays readable when records grow.

use std::sync::Arc;

use bytes::Bytes;

use super::encoder::Encoder;
use super::exchanges::{exchange_attributes, put_binding, put_exchange};
use super::frame::KIND_RECORD;
use super::shared::Shared;
use super::values::{properties, put_table, table};
use crate::protocol::limits::MESSAGE_SIZE_LIMIT;
use crate::protocol::types::FieldTable;
use crate::protocol::{Address, Binding, DestinationType, Message, MessageId, Name, Record};

/// The version of the records that are written.
pub const RECORD_VERSION: u8 = 1;

/// What is wrong with a record, in words.
pub type Mistake = &'static str;

const QUEUE_DECLARED: u8 = 1;
const QUEUE_DELETED: u8 = 2;
const ENQUEUED: u8 = 3;
const REMOVED: u8 = 4;
const REMOVED_MANY: u8 = 5;
const NUMBERED: u8 = 6;
const HANDED_OUT: u8 = 7;
const STOPPED: u8 = 8;
const STARTED: u8 = 9;
const QUEUE_KEPT: u8 = 10;
const MESSAGE_KEPT: u8 = 11;
const EXCHANGE_DECLARED: u8 = 12;
const EXCHANGE_DELETED: u8 = 13;
const BOUND: u8 = 14;
const UNBOUND: u8 = 15;
const EXCHANGE_KEPT: u8 = 16;
const BINDING_KEPT: u8 = 17;
const ENQUEUED_AT: u8 = 18;
const MESSAGE_KEPT_AT: u8 = 19;

/// A record read from a payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The record.
    pub record: Record,
    /// Where in the payload the message's body begins, if it has a message. The four bytes before it
    /// are the body's own checksum, and the body is the payload's end.
    pub body_at: Option<usize>,
}

/// Adds the payload of `record` to `out`.
///
/// # Errors
///
/// The record does not fit the format; `out` is in no good state then.
pub fn encode(record: &Record, out: &mut Vec<u8>) -> Result<(), Mistake> {
    encode_next(&mut Encoder::default(), record, out)
}

/// As [`encode`], of records one after another.
pub(super) fn encode_next(
    encoder: &mut Encoder,
    record: &Record,
    out: &mut Vec<u8>,
) -> Result<(), Mistake> {
    match record {
        Record::Enqueued { message, queues } => {
            encoder.put_message(out, [ENQUEUED, ENQUEUED_AT], message, queues)
        }
        Record::MessageKept { message, queues } => {
            encoder.put_message(out, [MESSAGE_KEPT, MESSAGE_KEPT_AT], message, queues)
        }
        _ => put_other(out, record),
    }
}

/// Adds a record of something else than a message.
fn put_other(out: &mut Vec<u8>, record: &Record) -> Result<(), Mistake> {
    out.extend_from_slice(&[KIND_RECORD, RECORD_VERSION]);
    match record {
        Record::QueueDeclared { queue, auto_delete, arguments } => {
            put_queue(out, QUEUE_DECLARED, (queue, *auto_delete, arguments))?;
        }
        Record::QueueKept { queue, auto_delete, arguments } => {
            put_queue(out, QUEUE_KEPT, (queue, *auto_delete, arguments))?;
        }
        Record::QueueDeleted { queue } => {
            out.push(QUEUE_DELETED);
            put_name(out, queue);
        }
        // Messages, which are the encoder's.
        Record::Enqueued { .. } | Record::MessageKept { .. } => {}
        Record::Removed { queue, message } => {
            out.push(REMOVED);
            put_name(out, queue);
            put_number(out, message.0);
        }
        Record::RemovedMany { queue, messages } => put_messages(out, REMOVED_MANY, queue, messages),
        Record::Numbered { last } => {
            out.push(NUMBERED);
            put_number(out, last.0);
        }
        Record::HandedOut { queue, messages } => put_messages(out, HANDED_OUT, queue, messages),
        Record::Stopped => out.push(STOPPED),
        Record::Started => out.push(STARTED),
        Record::ExchangeDeclared { exchange, kind, auto_delete, internal, arguments } => {
            out.push(EXCHANGE_DECLARED);
            put_exchange(out, exchange, *kind, [*auto_delete, *internal], arguments)?;
        }
        Record::ExchangeKept { exchange, kind, auto_delete, internal, arguments } => {
            out.push(EXCHANGE_KEPT);
            put_exchange(out, exchange, *kind, [*auto_delete, *internal], arguments)?;
        }
        Record::ExchangeDeleted { exchange } => {
            out.push(EXCHANGE_DELETED);
            put_name(out, exchange);
        }
        Record::Bound(binding) => put_binding(out, BOUND, binding)?,
        Record::Unbound(binding) => put_binding(out, UNBOUND, binding)?,
        Record::BindingKept(binding) => put_binding(out, BINDING_KEPT, binding)?,
    }
    Ok(())
}

/// Adds a record of what a queue is like.
fn put_queue(
    out: &mut Vec<u8>,
    kind: u8,
    (queue, auto_delete, arguments): (&Name, bool, &FieldTable),
) -> Result<(), Mistake> {
    out.push(kind);
    put_name(out, queue);
    out.push(u8::from(auto_delete));
    put_table(out, arguments, 0)
}

/// Adds a record of some messages of one queue.
fn put_messages(out: &mut Vec<u8>, kind: u8, queue: &Name, messages: &[MessageId]) {
    out.push(kind);
    put_name(out, queue);
    put_number(out, messages.len() as u64);
    for message in messages {
        put_number(out, message.0);
    }
}

/// Reads the payload of a record's frame.
///
/// # Errors
///
/// It is no record of a version that is known here.
pub fn decode(payload: &[u8]) -> Result<Decoded, Mistake> {
    Decoder::default().decode(payload)
}

/// Reads records one after another. They share the names and addresses that they have in common.
#[derive(Debug, Default)]
pub struct Decoder {
    shared: Shared,
    /// The name that was read last: most records name the one that the record before named.
    named: Name,
    /// Where the last message went: most go where the one before went.
    latest: Option<Destination>,
}

/// Where a message goes.
#[derive(Debug)]
struct Destination {
    /// As it stands in the record.
    bytes: Vec<u8>,
    address: Arc<Address>,
    queues: Arc<[Name]>,
}

/// A record as it is read, what it shares with others not counted once more.
#[derive(Debug)]
pub(super) enum Content<'a> {
    Message {
        message: Arc<Message>,
        queues: &'a Arc<[Name]>,
        /// Whether it is still there, rather than new.
        kept: bool,
        /// Where in the payload its body begins.
        body_at: usize,
    },
    Removed {
        queue: &'a Name,
        message: MessageId,
    },
    Other(Record),
}

impl Decoder {
    /// Reads the payload of a record's frame, as [`decode`] does.
    ///
    /// # Errors
    ///
    /// It is no record of a version that is known here.
    pub fn decode(&mut self, payload: &[u8]) -> Result<Decoded, Mistake> {
        Ok(match self.read(payload)? {
            Content::Message { message, queues, kept, body_at } => {
                let record = message_record(message, queues, kept);
                Decoded { record, body_at: Some(body_at) }
            }
            Content::Removed { queue, message } => {
                let record = Record::Removed { queue: Name::clone(queue), message };
                Decoded { record, body_at: None }
            }
            Content::Other(record) => Decoded { record, body_at: None },
        })
    }

    pub(super) fn read(&mut self, payload: &[u8]) -> Result<Content<'_>, Mistake> {
        let mut input = Input { rest: payload };
        if input.byte()? != KIND_RECORD {
            return Err("a frame of a kind that is not known");
        }
        if input.byte()? != RECORD_VERSION {
            return Err("a record of a version that is not known");
        }
        match input.byte()? {
            kind @ (ENQUEUED | ENQUEUED_AT | MESSAGE_KEPT | MESSAGE_KEPT_AT) => {
                let timed = matches!(kind, ENQUEUED_AT | MESSAGE_KEPT_AT);
                let (message, queues) = self.message(&mut input, timed)?;
                input.end()?;
                let body_at = payload.len() - message.body.len();
                let kept = matches!(kind, MESSAGE_KEPT | MESSAGE_KEPT_AT);
                Ok(Content::Message { message, queues, kept, body_at })
            }
            REMOVED => {
                let queue = self.named(&mut input)?;
                let message = MessageId(input.number()?);
                input.end()?;
                Ok(Content::Removed { queue, message })
            }
            kind => {
                let record = self.other(kind, &mut input)?;
                input.end()?;
                Ok(Content::Other(record))
            }
        }
    }

    /// The rest of a record of another kind.
    fn other(&mut self, kind: u8, input: &mut Input<'_>) -> Result<Record, Mistake> {
        Ok(match kind {
            QUEUE_DECLARED => {
                let (queue, auto_delete, arguments) = self.queue(input)?;
                Record::QueueDeclared { queue, auto_delete, arguments }
            }
            QUEUE_KEPT => {
                let (queue, auto_delete, arguments) = self.queue(input)?;
                Record::QueueKept { queue, auto_delete, arguments }
            }
            QUEUE_DELETED => Record::QueueDeleted { queue: self.name(input)? },
            REMOVED_MANY => {
                let queue = self.name(input)?;
                Record::RemovedMany { queue, messages: messages(input)? }
            }
            NUMBERED => Record::Numbered { last: MessageId(input.number()?) },
            HANDED_OUT => {
                let queue = self.name(input)?;
                Record::HandedOut { queue, messages: messages(input)? }
            }
            STOPPED => Record::Stopped,
            STARTED => Record::Started,
            kind @ (EXCHANGE_DECLARED | EXCHANGE_KEPT) => {
                let exchange = self.name(input)?;
                let (type_, [auto_delete, internal], arguments) = exchange_attributes(input)?;
                if kind == EXCHANGE_DECLARED {
                    Record::ExchangeDeclared {
                        exchange,
                        kind: type_,
                        auto_delete,
                        internal,
                        arguments,
                    }
                } else {
                    Record::ExchangeKept { exchange, kind: type_, auto_delete, internal, arguments }
                }
            }
            EXCHANGE_DELETED => Record::ExchangeDeleted { exchange: self.name(input)? },
            BOUND => Record::Bound(self.binding(input)?),
            UNBOUND => Record::Unbound(self.binding(input)?),
            BINDING_KEPT => Record::BindingKept(self.binding(input)?),
            _ => return Err("a record of a kind that is not known"),
        })
    }

    fn name(&mut self, input: &mut Input<'_>) -> Result<Name, Mistake> {
        self.named(input).cloned()
    }

    fn named(&mut self, input: &mut Input<'_>) -> Result<&Name, Mistake> {
        let bytes = input.bytes()?;
        if self.named.as_bytes() != bytes {
            let text = std::str::from_utf8(bytes).map_err(|_| NOT_UTF8)?;
            self.named = self.shared.name(text);
        }
        Ok(&self.named)
    }

    fn queue(&mut self, input: &mut Input<'_>) -> Result<(Name, bool, FieldTable), Mistake> {
        let queue = self.name(input)?;
        let auto_delete = input.flag()?;
        Ok((queue, auto_delete, table(input, 0)?))
    }

    fn binding(&mut self, input: &mut Input<'_>) -> Result<Arc<Binding>, Mistake> {
        let source = self.name(input)?;
        let destination_type =
            if input.flag()? { DestinationType::Exchange } else { DestinationType::Queue };
        let (destination, routing_key) = (self.name(input)?, self.name(input)?);
        let arguments = table(input, 0)?;
        let binding = Binding { source, destination_type, destination, routing_key, arguments };
        Ok(Arc::new(binding))
    }

    /// The address of a message, and the queues that it is in.
    fn destination(&mut self, input: &mut Input<'_>) -> Result<&Destination, Mistake> {
        let latest = self.latest.take();
        let latest = latest.filter(|latest| input.rest.starts_with(&latest.bytes));
        let destination = match latest {
            Some(latest) => {
                input.take(latest.bytes.len())?;
                latest
            }
            None => self.other_destination(input)?,
        };
        Ok(self.latest.insert(destination))
    }

    fn other_destination(&mut self, input: &mut Input<'_>) -> Result<Destination, Mistake> {
        let from = input.rest;
        let (exchange, routing_key) = (input.text()?, input.text()?);
        let address = self.shared.address(exchange, routing_key);
        let count = input.count()?;
        let queues = (0..count).map(|_| self.name(input)).collect::<Result<Arc<[_]>, Mistake>>()?;
        let bytes = from[..from.len() - input.rest.len()].to_vec();
        Ok(Destination { bytes, address, queues })
    }

    fn message(
        &mut self,
        input: &mut Input<'_>,
        timed: bool,
    ) -> Result<(Arc<Message>, &Arc<[Name]>), Mistake> {
        let id = MessageId(input.number()?);
        let entered_ms = if timed { input.number()? } else { 0 };
        let destination = self.destination(input)?;
        let properties = properties(input)?;
        let len = input.number()?;
        let checksum = u32::from_le_bytes(input.array()?);
        if len > MESSAGE_SIZE_LIMIT {
            return Err("a body larger than any message may be");
        }
        let body = input.take(usize::try_from(len).map_err(|_| "a body that does not fit")?)?;
        if crc32c::crc32c(body) != checksum {
            return Err("a body whose checksum does not hold");
        }
        let (address, body) = (Arc::clone(&destination.address), Bytes::copy_from_slice(body));
        let message = Arc::new(Message { id, address, properties, body, entered_ms });
        Ok((message, &destination.queues))
    }
}

/// The record that a message with these queues is.
pub(super) fn message_record(message: Arc<Message>, queues: &[Name], kept: bool) -> Record {
    let queues = queues.into();
    if kept {
        Record::MessageKept { message, queues }
    } else {
        Record::Enqueued { message, queues }
    }
}

fn messages(input: &mut Input<'_>) -> Result<Vec<MessageId>, Mistake> {
    let count = input.count()?;
    // What a file says becomes no memory beyond what a broker would write.
    let mut messages = Vec::with_capacity(count.min(Record::REMOVED_MAX));
    for _ in 0..count {
        messages.push(MessageId(input.number()?));
    }
    Ok(messages)
}

/// Adds a number, seven bits a byte, the lowest first.
pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    if number < 0x80 {
        return out.push(number as u8);
    }
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Adds bytes with their length before them.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(super) fn put_name(out: &mut Vec<u8>, name: &Name) {
    put_bytes(out, name.as_bytes());
}

/// What is left to read of a payload.
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Mistake> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or("it ends too early")?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Mistake> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Mistake> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or("it ends too early")?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn flag(&mut self) -> Result<bool, Mistake> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err("a truth value that is neither"),
        }
    }

    fn number(&mut self) -> Result<u64, Mistake> {
        if let [byte @ ..0x80, rest @ ..] = self.rest {
            // As most lengths are.
            self.rest = rest;
            return Ok(u64::from(*byte));
        }
        self.long_number()
    }

    fn long_number(&mut self) -> Result<u64, Mistake> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if part << shift >> shift != part {
                return Err("a number that is too large");
            }
            number |= part << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err("a number that is too large")
    }

    /// A number of things of at least one byte each, which must all be there.
    pub(super) fn count(&mut self) -> Result<usize, Mistake> {
        let count = usize::try_from(self.number()?).map_err(|_| "too many of something")?;
        if count <= self.rest.len() { Ok(count) } else { Err("too many of something") }
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Mistake> {
        let len = self.count()?;
        self.take(len)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Mistake> {
        std::str::from_utf8(self.bytes()?).map_err(|_| NOT_UTF8)
    }

    /// Nothing may be left.
    fn end(&self) -> Result<(), Mistake> {
        if self.rest.is_empty() { Ok(()) } else { Err("bytes left over") }
    }
}

const NOT_UTF8: Mistake = "a text that is not UTF-8";
