//! Things made of bytes: whatever the bytes are, they make something, and few bytes make something small.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::protocol::types::{
    AMQPValue, ByteArray, DecimalValue, FieldArray, FieldTable, LongString, ShortString,
};
use crate::protocol::{
    Address, Binding, DestinationType, ExchangeKind, Message, MessageId, Name, Properties, Record,
};

/// Bytes that decisions are taken from, one after another; zeros when they are used up.
pub(super) struct Draw<'a> {
    rest: &'a [u8],
}

/// Tables in tables.
const DEPTH: usize = 3;

impl<'a> Draw<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    /// A number below `bound`, which is not 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let drawn = u16::from_le_bytes([self.byte(), self.byte()]);
        usize::from(drawn) % bound
    }

    /// So many of the next bytes, or what is left.
    pub(super) fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn eight(&mut self) -> [u8; 8] {
        let mut eight = [0; 8];
        eight.iter_mut().for_each(|byte| *byte = self.byte());
        eight
    }

    /// Any number; small ones often.
    fn number(&mut self) -> u64 {
        match self.byte() {
            255 => u64::from_le_bytes(self.eight()),
            small => u64::from(small),
        }
    }

    fn text(&mut self) -> String {
        let len = usize::from(self.byte() % 24);
        String::from_utf8_lossy(self.take(len)).into_owned()
    }

    fn name(&mut self) -> Name {
        match self.byte() % 4 {
            0 => "q".into(),
            1 => "p".into(),
            _ => self.text().into(),
        }
    }

    fn short(&mut self) -> ShortString {
        // lapin's short strings have at most 255 bytes.
        self.text().into()
    }

    fn value(&mut self, depth: usize) -> AMQPValue {
        let kinds = if depth < DEPTH { 18 } else { 16 };
        let kind = self.byte() % kinds;
        let eight = self.eight_if(kind);
        let low = eight as u32;
        match kind {
            1 => AMQPValue::Boolean(low & 1 == 1),
            2 => AMQPValue::ShortShortInt(low as i8),
            3 => AMQPValue::ShortShortUInt(low as u8),
            4 => AMQPValue::ShortInt(low as i16),
            5 => AMQPValue::ShortUInt(low as u16),
            6 => AMQPValue::LongInt(low as i32),
            7 => AMQPValue::LongUInt(low),
            8 => AMQPValue::LongLongInt(eight as i64),
            9 => AMQPValue::Float(f32::from_bits(low)),
            10 => AMQPValue::Double(f64::from_bits(eight)),
            11 => AMQPValue::DecimalValue(DecimalValue { scale: eight as u8, value: low }),
            12 => AMQPValue::Timestamp(eight),
            13 => AMQPValue::ShortString(self.short()),
            14 => AMQPValue::LongString(LongString::from(self.text().into_bytes())),
            15 => AMQPValue::ByteArray(ByteArray::from(self.text().as_bytes())),
            16 => {
                let count = self.byte() % 4;
                let values: Vec<_> = (0..count).map(|_| self.value(depth + 1)).collect();
                AMQPValue::FieldArray(FieldArray::from(values))
            }
            17 => AMQPValue::FieldTable(self.table(depth + 1)),
            _ => AMQPValue::Void,
        }
    }

    /// Eight bytes for the kinds of values that are made of them.
    fn eight_if(&mut self, kind: u8) -> u64 {
        if (1..=12).contains(&kind) { u64::from_le_bytes(self.eight()) } else { 0 }
    }

    fn table(&mut self, depth: usize) -> FieldTable {
        let count = self.byte() % 4;
        let entries = (0..count).map(|_| (self.short(), self.value(depth)));
        FieldTable::from(entries.collect::<BTreeMap<_, _>>())
    }

    fn properties(&mut self) -> Properties {
        let set = u16::from_le_bytes([self.byte(), self.byte()]);
        let texts: [fn(Properties, ShortString) -> Properties; 10] = [
            Properties::with_content_type,
            Properties::with_content_encoding,
            Properties::with_correlation_id,
            Properties::with_reply_to,
            Properties::with_expiration,
            Properties::with_message_id,
            Properties::with_type,
            Properties::with_user_id,
            Properties::with_app_id,
            Properties::with_cluster_id,
        ];
        let mut found = Properties::default();
        let is_set = |bit: usize| set >> bit & 1 == 1;
        for (bit, with) in texts.into_iter().enumerate() {
            if is_set(bit) {
                found = with(found, self.short());
            }
        }
        if is_set(10) {
            found = found.with_headers(self.table(0));
        }
        if is_set(11) {
            found = found.with_delivery_mode(self.byte());
        }
        if is_set(12) {
            found = found.with_priority(self.byte());
        }
        if is_set(13) { found.with_timestamp(self.number()) } else { found }
    }

    fn message(&mut self) -> (Arc<Message>, Vec<Name>) {
        let id = MessageId(self.number());
        let (exchange, routing_key) = (self.name(), self.name());
        let address = Arc::new(Address { exchange, routing_key });
        let count = self.byte() % 4;
        let queues = (0..count).map(|_| self.name()).collect();
        let properties = self.properties();
        let len = self.below(600);
        let body = self.take(len).to_vec().into();
        let entered_ms = if self.byte() % 2 == 1 { self.number() } else { 0 };
        (Arc::new(Message { id, address, properties, body, entered_ms }), queues)
    }

    fn ids(&mut self) -> Vec<MessageId> {
        let count = self.byte() % 6;
        (0..count).map(|_| MessageId(self.number())).collect()
    }

    fn queue(&mut self) -> (Name, bool, FieldTable) {
        (self.name(), self.byte() % 2 == 1, self.table(0))
    }

    /// A record of any kind; what it says need not be true after others.
    pub(super) fn record(&mut self) -> Record {
        match self.byte() % 17 {
            0 => {
                let (queue, auto_delete, arguments) = self.queue();
                Record::QueueDeclared { queue, auto_delete, arguments }
            }
            1 => {
                let (queue, auto_delete, arguments) = self.queue();
                Record::QueueKept { queue, auto_delete, arguments }
            }
            2 => Record::QueueDeleted { queue: self.name() },
            3 => {
                let (message, queues) = self.message();
                Record::Enqueued { message, queues: queues.into() }
            }
            4 => {
                let (message, queues) = self.message();
                Record::MessageKept { message, queues: queues.into() }
            }
            5 => Record::Removed { queue: self.name(), message: MessageId(self.number()) },
            6 => Record::RemovedMany { queue: self.name(), messages: self.ids() },
            7 => Record::HandedOut { queue: self.name(), messages: self.ids() },
            8 => Record::Numbered { last: MessageId(self.number()) },
            9 => Record::Stopped,
            10 => Record::ExchangeDeleted { exchange: self.name() },
            11 => Record::Bound(self.binding()),
            12 => Record::Unbound(self.binding()),
            13 => Record::BindingKept(self.binding()),
            14 => {
                let (exchange, kind, [auto_delete, internal]) = self.exchange();
                let arguments = self.table(0);
                Record::ExchangeDeclared { exchange, kind, auto_delete, internal, arguments }
            }
            15 => {
                let (exchange, kind, [auto_delete, internal]) = self.exchange();
                let arguments = self.table(0);
                Record::ExchangeKept { exchange, kind, auto_delete, internal, arguments }
            }
            _ => Record::Started,
        }
    }

    fn exchange(&mut self) -> (Name, ExchangeKind, [bool; 2]) {
        use ExchangeKind::{Direct, Fanout, Headers, Topic};
        let kind = [Direct, Fanout, Headers, Topic][usize::from(self.byte() % 4)];
        (self.name(), kind, [(); 2].map(|()| self.byte() % 2 == 1))
    }

    fn binding(&mut self) -> Arc<Binding> {
        use DestinationType::{Exchange, Queue};
        let destination_type = [Queue, Exchange][usize::from(self.byte() % 2)];
        let (source, destination, routing_key) = (self.name(), self.name(), self.name());
        let arguments = self.table(0);
        Arc::new(Binding { source, destination_type, destination, routing_key, arguments })
    }
}
