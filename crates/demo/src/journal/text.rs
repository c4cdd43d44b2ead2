//! Records as text, each on one line that is safe to print, and short whatever is in it.

use std::fmt::{self, Write};

use leveret_broker::protocol::types::{AMQPValue, FieldTable};
use leveret_broker::protocol::{
    Binding, DestinationType, ExchangeKind, Message, MessageId, Name, Properties, Record,
};

/// Bytes of a body that are shown.
const PREVIEW: usize = 60;
/// Characters of the properties, of a queue's arguments, or of the names of queues that are shown.
const LONGEST: usize = 400;
/// Message numbers of one record that are shown.
const NUMBERS: usize = 10;

/// The kind of a record, and what it says.
pub(super) fn record(record: &Record) -> String {
    match record {
        Record::QueueDeclared { queue, auto_delete, arguments } => {
            format!("queue-declared {}", declared(queue, *auto_delete, arguments))
        }
        Record::QueueKept { queue, auto_delete, arguments } => {
            format!("queue-kept {}", declared(queue, *auto_delete, arguments))
        }
        Record::QueueDeleted { queue } => format!("queue-deleted {queue:?}"),
        Record::Enqueued { message, queues } => {
            format!("enqueued {} {}", names(queues), of_message(message))
        }
        Record::MessageKept { message, queues } => {
            format!("message-kept {} {}", names(queues), of_message(message))
        }
        Record::Removed { queue, message } => format!("removed {queue:?} {message}"),
        Record::RemovedMany { queue, messages } => {
            format!("removed {queue:?} {}", numbers(messages))
        }
        Record::Numbered { last } => format!("numbered {last}"),
        Record::HandedOut { queue, messages } => {
            format!("handed-out {queue:?} {}", numbers(messages))
        }
        Record::ExchangeDeclared { exchange, kind, auto_delete, internal, arguments } => {
            let flags = (*auto_delete, *internal);
            format!("exchange-declared {}", exchange_declared(exchange, *kind, flags, arguments))
        }
        Record::ExchangeKept { exchange, kind, auto_delete, internal, arguments } => {
            let flags = (*auto_delete, *internal);
            format!("exchange-kept {}", exchange_declared(exchange, *kind, flags, arguments))
        }
        Record::ExchangeDeleted { exchange } => format!("exchange-deleted {exchange:?}"),
        Record::Bound(bound) => format!("bound {}", binding(bound)),
        Record::Unbound(unbound) => format!("unbound {}", binding(unbound)),
        Record::BindingKept(kept) => format!("binding-kept {}", binding(kept)),
        Record::Stopped => "stopped".to_owned(),
        Record::Started => "started".to_owned(),
    }
}

/// Whether a record says something of this queue.
pub(super) fn names_queue(record: &Record, name: &str) -> bool {
    match record {
        Record::QueueDeclared { queue, .. }
        | Record::QueueKept { queue, .. }
        | Record::QueueDeleted { queue }
        | Record::Removed { queue, .. }
        | Record::RemovedMany { queue, .. }
        | Record::HandedOut { queue, .. } => **queue == *name,
        Record::Enqueued { queues, .. } | Record::MessageKept { queues, .. } => {
            queues.iter().any(|queue| **queue == *name)
        }
        Record::Bound(binding) | Record::Unbound(binding) | Record::BindingKept(binding) => {
            binding.destination_type == DestinationType::Queue && *binding.destination == *name
        }
        Record::ExchangeDeclared { .. }
        | Record::ExchangeKept { .. }
        | Record::ExchangeDeleted { .. }
        | Record::Numbered { .. }
        | Record::Stopped
        | Record::Started => false,
    }
}

fn declared(queue: &Name, auto_delete: bool, arguments: &FieldTable) -> String {
    let auto_delete = if auto_delete { " auto-delete" } else { "" };
    format!("{queue:?}{auto_delete}{}", of_arguments(arguments))
}

fn exchange_declared(
    exchange: &Name,
    kind: ExchangeKind,
    (auto_delete, internal): (bool, bool),
    arguments: &FieldTable,
) -> String {
    let auto_delete = if auto_delete { " auto-delete" } else { "" };
    let internal = if internal { " internal" } else { "" };
    format!("{exchange:?} {kind}{auto_delete}{internal}{}", of_arguments(arguments))
}

fn binding(binding: &Binding) -> String {
    let Binding { source, destination_type, destination, routing_key, arguments } = binding;
    let arguments = of_arguments(arguments);
    format!("{source:?} to {destination_type} {destination:?} {routing_key:?}{arguments}")
}

/// Arguments behind a blank, or nothing.
fn of_arguments(arguments: &FieldTable) -> String {
    match arguments.inner().is_empty() {
        true => String::new(),
        false => format!(" {}", short(|out| table(out, arguments))),
    }
}

fn names(queues: &[Name]) -> String {
    short(|out| {
        for (at, queue) in queues.iter().enumerate() {
            write!(out, "{}{queue:?}", if at > 0 { "," } else { "" })?;
        }
        Ok(())
    })
}

fn numbers(messages: &[MessageId]) -> String {
    let mut text = format!("({})", messages.len());
    for message in messages.iter().take(NUMBERS) {
        text += &format!(" {message}");
    }
    text + if messages.len() > NUMBERS { " ..." } else { "" }
}

fn of_message(message: &Message) -> String {
    let (address, body) = (&message.address, &message.body);
    let mut text = format!("{} to {:?} {:?}", message.id, address.exchange, address.routing_key);
    text += &format!(" [{}]", short(|out| properties(out, &message.properties)));
    if message.entered_ms != 0 {
        text += &format!(" entered at {} ms", message.entered_ms);
    }
    text + &format!(" {} bytes {}", body.len(), preview(body))
}

/// The beginning of a body: as a text if it is one, otherwise as bytes.
fn preview(body: &[u8]) -> String {
    let start = &body[..body.len().min(PREVIEW)];
    let more = if body.len() > PREVIEW { "..." } else { "" };
    match std::str::from_utf8(start) {
        Ok(text) => format!("{text:?}{more}"),
        // A character that the cut went through.
        Err(error) if error.error_len().is_none() && body.len() > PREVIEW => {
            let text = String::from_utf8_lossy(&start[..error.valid_up_to()]);
            format!("{text:?}{more}")
        }
        Err(_) => format!("b\"{}\"{more}", start.escape_ascii()),
    }
}

fn properties(out: &mut Short, properties: &Properties) -> fmt::Result {
    let texts = [
        ("content_type", properties.content_type()),
        ("content_encoding", properties.content_encoding()),
        ("correlation_id", properties.correlation_id()),
        ("reply_to", properties.reply_to()),
        ("expiration", properties.expiration()),
        ("message_id", properties.message_id()),
        ("type", properties.kind()),
        ("user_id", properties.user_id()),
        ("app_id", properties.app_id()),
        ("cluster_id", properties.cluster_id()),
    ];
    let numbers = [
        ("delivery_mode", properties.delivery_mode().map(u64::from)),
        ("priority", properties.priority().map(u64::from)),
        ("timestamp", *properties.timestamp()),
    ];
    let mut space = "";
    for (name, number) in numbers.iter().filter_map(|(name, value)| Some((name, (*value)?))) {
        write!(out, "{space}{name}={number}")?;
        space = " ";
    }
    for (name, value) in texts {
        if let Some(value) = value {
            write!(out, "{space}{name}={:?}", value.as_str())?;
            space = " ";
        }
    }
    if let Some(headers) = properties.headers() {
        write!(out, "{space}headers=")?;
        table(out, headers)?;
    }
    Ok(())
}

fn table(out: &mut Short, table: &FieldTable) -> fmt::Result {
    out.write_char('{')?;
    for (at, (name, of)) in table.inner().iter().enumerate() {
        write!(out, "{}{:?}: ", if at > 0 { ", " } else { "" }, name.as_str())?;
        value(out, of)?;
    }
    out.write_char('}')
}

fn value(out: &mut Short, value_of: &AMQPValue) -> fmt::Result {
    match value_of {
        AMQPValue::Boolean(value) => write!(out, "{value}"),
        AMQPValue::ShortShortInt(value) => write!(out, "{value}"),
        AMQPValue::ShortShortUInt(value) => write!(out, "{value}"),
        AMQPValue::ShortInt(value) => write!(out, "{value}"),
        AMQPValue::ShortUInt(value) => write!(out, "{value}"),
        AMQPValue::LongInt(value) => write!(out, "{value}"),
        AMQPValue::LongUInt(value) => write!(out, "{value}"),
        AMQPValue::LongLongInt(value) => write!(out, "{value}"),
        AMQPValue::Float(value) => write!(out, "{value:?}"),
        AMQPValue::Double(value) => write!(out, "{value:?}"),
        AMQPValue::DecimalValue(value) => write!(out, "{}e-{}", value.value, value.scale),
        AMQPValue::ShortString(value) => write!(out, "{:?}", value.as_str()),
        AMQPValue::LongString(value) => out.write_str(&preview(value.as_bytes())),
        AMQPValue::ByteArray(value) => out.write_str(&preview(value.as_slice())),
        AMQPValue::Timestamp(value) => write!(out, "timestamp {value}"),
        AMQPValue::FieldTable(value) => table(out, value),
        AMQPValue::Void => out.write_str("void"),
        AMQPValue::FieldArray(values) => {
            out.write_char('[')?;
            for (at, one) in values.as_slice().iter().enumerate() {
                out.write_str(if at > 0 { ", " } else { "" })?;
                value(out, one)?;
            }
            out.write_char(']')
        }
    }
}

/// Text that takes no more once it is long enough.
#[derive(Default)]
struct Short {
    text: String,
    room: usize,
}

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            self.room = self.room.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(letter);
        }
        Ok(())
    }
}

/// What `write` writes, cut off where it gets too long.
fn short(write: impl FnOnce(&mut Short) -> fmt::Result) -> String {
    let mut short = Short { text: String::new(), room: LONGEST };
    let whole = write(&mut short).is_ok();
    short.text + if whole { "" } else { "..." }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use leveret_broker::protocol::Address;

    use super::*;

    fn enqueued(properties: Properties, body: &[u8]) -> String {
        let address = Arc::new(Address { exchange: "".into(), routing_key: "q".into() });
        let body = body.to_vec().into();
        let (id, entered_ms) = (MessageId(7), 0);
        let message = Arc::new(Message { id, address, properties, body, entered_ms });
        record(&Record::Enqueued { message, queues: ["q".into(), "a\nb".into()].into() })
    }

    #[test]
    fn a_record_is_one_line_whatever_is_in_it() {
        let properties = Properties::default().with_delivery_mode(2).with_type("a\u{1b}[2J".into());
        assert_eq!(
            enqueued(properties, b"Hello\x07 \xe4\xb8\x96"),
            "enqueued \"q\",\"a\\nb\" m7 to \"\" \"q\" [delivery_mode=2 type=\"a\\u{1b}[2J\"] \
             10 bytes \"Hello\\u{7} 世\""
        );
        // A text that runs the other way would turn the rest of the line around.
        assert!(
            enqueued(Properties::default(), "\u{202e}abc".as_bytes()).ends_with("\"\\u{202e}abc\"")
        );
        assert!(enqueued(Properties::default(), &[0, 255]).ends_with(" 2 bytes b\"\\x00\\xff\""));
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        let text = enqueued(Properties::default(), "世".repeat(100).as_bytes());
        assert!(text.ends_with(&format!(" 300 bytes \"{}\"...", "世".repeat(20))), "{text}");
        let text = enqueued(
            Properties::default(),
            &[b"a".as_slice(), "世".repeat(30).as_bytes()].concat(),
        );
        assert!(text.ends_with(&format!(" 91 bytes \"a{}\"...", "世".repeat(19))), "{text}");
        let mut headers = FieldTable::default();
        for number in 0..10_000 {
            headers.insert(format!("{number:05}").into(), AMQPValue::LongInt(number));
        }
        let text = enqueued(Properties::default().with_headers(headers), b"");
        assert!(
            text.len() < 500 && text.contains("[headers={\"00000\": 0, \"00001\": 1, "),
            "{text}"
        );
        let many = Record::RemovedMany {
            queue: "q".into(),
            messages: (1..=5000).map(MessageId).collect(),
        };
        assert_eq!(record(&many), "removed \"q\" (5000) m1 m2 m3 m4 m5 m6 m7 m8 m9 m10 ...");
    }
}
