//! Records of messages as bytes: by far the most of what is written.

use std::sync::Arc;

use super::codec::{Mistake, RECORD_VERSION, put_name, put_number};
use super::frame::KIND_RECORD;
use super::values::put_properties;
use crate::protocol::limits::MESSAGE_SIZE_LIMIT;
use crate::protocol::{Address, Message, Name};

/// Writes records of messages one after another.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    /// Where the last message went: most go where the one before went.
    latest: Option<Destination>,
}

/// Where a message goes.
#[derive(Debug)]
struct Destination {
    address: Arc<Address>,
    queues: Vec<Name>,
    /// As it stands in a record, with zeros behind it up to [`SHORT`] bytes: a number of bytes that is known
    /// beforehand is copied faster.
    bytes: Vec<u8>,
    len: usize,
}

impl Destination {
    fn new(address: &Arc<Address>, queues: &[Name]) -> Self {
        let mut bytes = Vec::with_capacity(SHORT);
        put_name(&mut bytes, &address.exchange);
        put_name(&mut bytes, &address.routing_key);
        put_number(&mut bytes, queues.len() as u64);
        for queue in queues {
            put_name(&mut bytes, queue);
        }
        let len = bytes.len();
        bytes.resize(len.max(SHORT), 0);
        Self { address: Arc::clone(address), queues: queues.to_vec(), bytes, len }
    }

    /// Whether it is this one, as far as can be seen without reading names.
    fn is(&self, address: &Arc<Address>, queues: &[Name]) -> bool {
        let same = |(own, other): (&Name, &Name)| Arc::ptr_eq(own, other);
        Arc::ptr_eq(&self.address, address)
            && self.queues.len() == queues.len()
            && self.queues.iter().zip(queues).all(same)
    }

    /// Its bytes with the zeros behind them, if it is short.
    fn short(&self) -> Option<&[u8; SHORT]> {
        self.bytes.first_chunk().filter(|_| self.len <= SHORT)
    }
}

impl Encoder {
    /// Adds a record of a message; of the two kinds, the second has the time at which it entered its queues.
    pub(super) fn put_message(
        &mut self,
        out: &mut Vec<u8>,
        [kind, kind_at]: [u8; 2],
        message: &Message,
        queues: &[Name],
    ) -> Result<(), Mistake> {
        let Message { address, properties, body, .. } = message;
        if body.len() as u64 > MESSAGE_SIZE_LIMIT {
            return Err("the body is larger than any message may be");
        }
        let destination = match &self.latest {
            Some(latest) if latest.is(address, queues) => latest,
            _ => self.latest.insert(Destination::new(address, queues)),
        };
        let kind = if message.entered_ms == 0 { kind } else { kind_at };
        let checksum = crc32c::crc32c(body);
        out.reserve(HEAD_MAX + body.len());
        match destination.short() {
            Some(short) if properties.has_mode_and_priority_only() => {
                // As most are: its whole length is known well enough beforehand.
                let (mode, priority) = (properties.delivery_mode(), properties.priority());
                let bits = u16::from(mode.is_some()) << 11 | u16::from(priority.is_some()) << 12;
                put_together(out, |head| {
                    head.begin(kind, message);
                    head.bytes(short);
                    head.len -= SHORT - destination.len;
                    head.bytes(&bits.to_le_bytes());
                    [mode, priority].into_iter().flatten().for_each(|byte| head.bytes(&[*byte]));
                    head.end(message, checksum);
                });
            }
            _ => {
                put_together(out, |head| head.begin(kind, message));
                out.extend_from_slice(&destination.bytes[..destination.len]);
                put_properties(out, properties)?;
                put_together(out, |head| head.end(message, checksum));
            }
        }
        out.extend_from_slice(body);
        Ok(())
    }
}

/// The longest destination that is put together with what stands beside it.
const SHORT: usize = 64;
/// Bytes before a body at most, if its destination is short and it has no properties but two of a byte: the kinds
/// and the version, three numbers, the destination, the properties, a checksum.
const HEAD_MAX: usize = 3 + 3 * NUMBER_BYTES_MAX + SHORT + 4 + 4;
/// The longest number, seven bits a byte.
const NUMBER_BYTES_MAX: usize = 10;

/// Adds a few bytes, with room for all of them from the start. They go to their place at once: what was written in
/// small pieces a moment ago is slow to copy.
fn put_together(out: &mut Vec<u8>, put: impl FnOnce(&mut Head<'_>)) {
    let begin = out.len();
    out.extend_from_slice(&[0; HEAD_MAX]);
    let mut head = Head { room: &mut out[begin..], len: 0 };
    put(&mut head);
    let len = head.len;
    out.truncate(begin + len);
}

/// What stands before a body, or a part of that.
struct Head<'a> {
    room: &'a mut [u8],
    len: usize,
}

impl Head<'_> {
    /// What stands before the destination.
    #[inline]
    fn begin(&mut self, kind: u8, message: &Message) {
        self.bytes(&[KIND_RECORD, RECORD_VERSION, kind]);
        self.number(message.id.0);
        if message.entered_ms != 0 {
            self.number(message.entered_ms);
        }
    }

    /// What stands behind the properties.
    #[inline]
    fn end(&mut self, message: &Message, checksum: u32) {
        self.number(message.body.len() as u64);
        self.bytes(&checksum.to_le_bytes());
    }

    #[inline]
    fn bytes<const N: usize>(&mut self, bytes: &[u8; N]) {
        self.room[self.len..self.len + N].copy_from_slice(bytes);
        self.len += N;
    }

    /// Adds a number, seven bits a byte, the lowest first.
    #[inline]
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes(&[number as u8 | 0x80]);
            number >>= 7;
        }
        self.bytes(&[number as u8]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::codec::decode;
    use crate::protocol::{MessageId, Properties, Record};

    #[test]
    fn a_record_is_the_same_whatever_was_written_before_it() {
        let names = [0, 1, 29, 30, 31, 32, 100].map(|len| Name::from("n".repeat(len)));
        let addresses = names
            .clone()
            .map(|routing_key| Arc::new(Address { exchange: Name::from("exchange"), routing_key }));
        let plain = Properties::default();
        let all = [
            plain.clone(),
            plain.clone().with_delivery_mode(2),
            plain.clone().with_priority(3),
            plain.clone().with_delivery_mode(1).with_priority(255),
            plain.with_delivery_mode(2).with_timestamp(7),
        ];
        let mut encoder = Encoder::default();
        let mut row = Vec::new();
        for (at, id) in [0, 127, 128, u64::MAX].into_iter().cycle().take(4000).enumerate() {
            let address = Arc::clone(&addresses[at / 3 % addresses.len()]);
            let queues = names[at / 5 % names.len()..].iter().take(at % 3).cloned().collect();
            let entered_ms = [0, 1, u64::MAX][at / 7 % 3];
            let (properties, body) =
                (all[at / 11 % all.len()].clone(), vec![b'x'; at % 300].into());
            let id = MessageId(id);
            let message = Arc::new(Message { id, address, properties, body, entered_ms });
            row.push(Record::Enqueued { message, queues });
        }
        for record in &row {
            let Record::Enqueued { message, queues } = record else { unreachable!() };
            let (mut own, mut alone) = (Vec::new(), Vec::new());
            encoder.put_message(&mut own, [3, 18], message, queues).unwrap();
            Encoder::default().put_message(&mut alone, [3, 18], message, queues).unwrap();
            assert_eq!(own, alone);
            assert_eq!(&decode(&own).unwrap().record, record);
        }
    }
}
