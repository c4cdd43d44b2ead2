//! An inspection as a table.

use std::fmt;

use super::{ConsumerView, ExchangeView, HeldMessage, InspectedQueue, Inspection, PeekedMessage};
use crate::protocol::Message;

/// How many messages of a queue are shown, of each sort.
const MESSAGES: usize = 5;

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "virtual host {}", self.vhost)?;
        self.write_queues(f)?;
        let own = |exchange: &&ExchangeView| !exchange.is_predeclared();
        let exchanges = self.exchanges.iter().filter(own).map(|exchange| {
            let flags = [(exchange.durable, "durable"), (exchange.auto_delete, "auto_delete")];
            let internal = (exchange.internal, "internal");
            let flags = words([flags.as_slice(), &[internal]].concat());
            vec![exchange.name.to_string(), exchange.kind.to_string(), flags]
        });
        write_table(f, "exchanges", &["name", "type", "features"], exchanges)?;
        let bindings = self.bindings.iter().map(|binding| vec![binding.to_string()]);
        write_table(f, "bindings", &[""], bindings)?;
        let connections = self.connections.iter().map(|connection| {
            let (number, user) = (connection.number.to_string(), connection.user.to_string());
            vec![number, user, connection.state.to_owned(), connection.channels.to_string()]
        });
        write_table(f, "connections", &["number", "user", "state", "channels"], connections)?;
        self.write_channels(f)?;
        let consumers = self.consumers().map(consumer_row);
        let headings = ["tag", "queue", "channel", "ack", "prefetch", "unacked", "status"];
        write_table(f, "consumers", &headings, consumers)
    }
}

impl Inspection {
    fn write_queues(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |queue: &InspectedQueue| {
            let flags = [
                (queue.durable, "durable"),
                (queue.exclusive, "exclusive"),
                (queue.auto_delete, "auto_delete"),
            ];
            let policy = queue.policy.as_ref().map(|policy| format!("policy {policy}"));
            let features = [words(flags.to_vec()), policy.unwrap_or_default()];
            let counts = [
                queue.messages_ready,
                queue.messages_unacknowledged,
                queue.message_bytes,
                queue.consumers.len(),
            ];
            let mut row = vec![queue.name.to_string(), queue.queue_type.to_owned()];
            row.extend(counts.map(|count| count.to_string()));
            row.push(features.join(" ").trim().to_owned());
            row
        };
        let headings = ["name", "type", "ready", "unacked", "bytes", "consumers", "features"];
        write_table(f, "queues", &headings, self.queues.iter().map(row))?;
        for queue in &self.queues {
            let ready: Vec<_> = queue.ready.iter().map(described).collect();
            write_messages(f, &format!("ready in {}", queue.name), &ready)?;
            let held = queue.unacknowledged.iter();
            let held: Vec<_> = held
                .map(|held| format!("{} held by {}", message(&held.message), holder(held)))
                .collect();
            write_messages(f, &format!("unacked of {}", queue.name), &held)?;
        }
        Ok(())
    }

    fn write_channels(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channels = self.channels.iter().map(|channel| {
            let mode = match (channel.confirm, channel.transactional) {
                (true, _) => "confirm",
                (_, true) => "tx",
                _ => "",
            };
            vec![
                format!("{}.{}", channel.connection, channel.number),
                channel.prefetch_count.to_string(),
                channel.global_prefetch_count.to_string(),
                mode.to_owned(),
                channel.messages_unacknowledged.to_string(),
                channel.messages_unconfirmed.to_string(),
            ]
        });
        let headings = ["channel", "prefetch", "global", "mode", "unacked", "unconfirmed"];
        write_table(f, "channels", &headings, channels)
    }
}

/// A message in a few words: `m3 "task"`.
fn message(message: &PeekedMessage) -> String {
    format!("{} {:?}", message.id, Message::preview_of(&message.body))
}

/// The same, with what is special about it.
fn described(peeked: &PeekedMessage) -> String {
    let mut text = message(peeked);
    if peeked.redelivered {
        text.push_str(", redelivered");
    }
    if peeked.priority > 0 {
        text.push_str(&format!(", priority {}", peeked.priority));
    }
    for death in &peeked.deaths {
        text.push_str(&format!(", {} times {} in {}", death.count, death.reason, death.queue));
    }
    text
}

/// Who holds a message, and under which tag.
fn holder(held: &HeldMessage) -> String {
    let HeldMessage { connection, channel, delivery_tag, .. } = held;
    let whom = held.consumer_tag.as_deref().unwrap_or("basic.get");
    format!("{whom} on {connection}.{channel}, tag {delivery_tag}")
}

fn consumer_row(consumer: &ConsumerView) -> Vec<String> {
    let status = match (consumer.active, consumer.activity_status) {
        (_, super::ActivityStatus::Waiting) => "waiting",
        (_, super::ActivityStatus::SingleActive) => "single active",
        (true, _) => "up",
        (false, _) => "no room",
    };
    vec![
        consumer.consumer_tag.to_string(),
        consumer.queue.to_string(),
        format!("{}.{}", consumer.connection, consumer.channel),
        if consumer.ack_required { "manual" } else { "auto" }.to_owned(),
        consumer.prefetch_count.to_string(),
        consumer.messages_unacknowledged.to_string(),
        status.to_owned(),
    ]
}

fn words(flags: Vec<(bool, &str)>) -> String {
    let set: Vec<_> = flags.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect();
    set.join(" ")
}

fn write_messages(f: &mut fmt::Formatter<'_>, title: &str, messages: &[String]) -> fmt::Result {
    if messages.is_empty() {
        return Ok(());
    }
    writeln!(f, "  {title}")?;
    for message in messages.iter().take(MESSAGES) {
        writeln!(f, "    {message}")?;
    }
    match messages.len().saturating_sub(MESSAGES) {
        0 => Ok(()),
        more => writeln!(f, "    … and {more} more"),
    }
}

/// A titled table whose columns are as wide as they must be; nothing if it has no rows.
fn write_table(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    headings: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) -> fmt::Result {
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(f, "{title}")?;
    let heading: Vec<_> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    let width = |column: usize| {
        let cells = rows.iter().chain([&heading]).map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..headings.len()).map(width).collect();
    let has_heading = headings.iter().any(|heading| !heading.is_empty());
    for row in has_heading.then_some(&heading).into_iter().chain(&rows) {
        let cells = row.iter().zip(&widths).map(|(cell, width)| match cell.parse::<u64>() {
            Ok(number) => format!("{number:>width$}"),
            Err(_) => format!("{cell:<width$}"),
        });
        writeln!(f, "  {}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}
