//! Runs a program, and tells what its client sees.
//!
//! Compiled once against `leveret-client` and once against lapin: the module that includes this file says which
//! `lapin` it is, and how its place is reached.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Place;
use super::lapin;
use crate::program::{CHANNELS, EXCHANGES, Op, QUEUES};
use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{
    BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, ExchangeDeleteOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{
    Channel, Confirmation, Connection, Consumer, Error, ErrorKind, PublisherConfirm, Result,
};

/// What is seen of each step, line by line.
pub(crate) type Seen = Vec<Vec<String>>;

/// One of a program's channels, and what came of it.
pub(super) struct Party {
    pub(super) channel: Channel,
    /// Hears why the channel ends, and nothing else.
    watch: Consumer,
    pub(super) consumers: Vec<(String, Consumer)>,
    /// The tags of what it holds, as far as its client knows.
    pub(super) held: Vec<u64>,
}

pub(super) struct Run<'a> {
    pub(super) place: &'a Place,
    pub(super) connections: Vec<Connection>,
    pub(super) parties: Vec<Party>,
    /// Somebody apart, who looks.
    observer: (Connection, Channel),
    counts: BTreeMap<usize, String>,
    /// The confirms of this step's publishes.
    pub(super) confirms: Vec<PublisherConfirm>,
}

/// Runs a program from an empty broker to its end.
pub(crate) async fn run(ops: &[Op], place: &Place) -> Result<Seen> {
    let mut connections = Vec::new();
    let mut parties = Vec::new();
    for _ in 0..2 {
        connections.push(place.connect().await?);
    }
    for number in 0..CHANNELS {
        parties.push(open(&connections[number / 2], number).await?);
    }
    let observer = place.connect().await?;
    let channel = observer.create_channel().await?;
    let (observer, counts) = ((observer, channel), BTreeMap::new());
    let mut run = Run { place, connections, parties, observer, counts, confirms: Vec::new() };
    let mut seen = Vec::new();
    for (number, op) in ops.iter().enumerate() {
        seen.push(run.step(number, op).await?);
    }
    run.clean_up().await?;
    Ok(seen)
}

/// A new channel with what each begins with.
async fn open(connection: &Connection, number: usize) -> Result<Party> {
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
    let queue = channel.queue_declare("".into(), options, FieldTable::default()).await?;
    let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
    let name = queue.name().clone();
    let watch = channel.basic_consume(name, "watch".into(), options, FieldTable::default()).await?;
    if number > 0 {
        channel.basic_qos(2, BasicQosOptions { global: number == 1 }).await?;
    }
    Ok(Party { channel, watch, consumers: Vec::new(), held: Vec::new() })
}

impl Run<'_> {
    async fn step(&mut self, number: usize, op: &Op) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        match self.apply(number, op).await {
            Ok(line) => lines.extend(line),
            Err(error) => lines.push(self.told(&error)),
        }
        self.settle_down().await?;
        for confirm in std::mem::take(&mut self.confirms) {
            if let Ok(confirmation) = confirm.await {
                lines.extend(self.confirmed(confirmation));
            }
        }
        self.hear(&mut lines);
        self.reopen(&mut lines).await?;
        self.count(&mut lines).await?;
        Ok(lines)
    }

    /// Returns when all that the step brings about has arrived, without waiting for time: what a channel was
    /// told is done when it answers, a queue then answers behind what it has sent to channels, and these hand
    /// that on before their next answers. Each round goes one queue further.
    async fn settle_down(&mut self) -> Result<()> {
        for _ in 0..self.place.rounds() {
            self.flush().await;
            for queue in 0..QUEUES.len() {
                let there = self.counts.get(&queue).is_some_and(|count| count.contains("ready"));
                if there {
                    self.look(queue).await?;
                }
            }
            self.flush().await;
        }
        Ok(())
    }

    /// Has every channel answer something.
    async fn flush(&self) {
        let nobody = || ShortString::from("nobody");
        let answers = self.parties.iter().map(|party| {
            // One that has ended has nothing more to say.
            party.channel.basic_cancel(nobody(), BasicCancelOptions::default())
        });
        futures_util::future::join_all(answers).await;
    }

    fn names(&self) -> Vec<ShortString> {
        (0..QUEUES.len()).map(|queue| self.queue(queue)).collect()
    }

    pub(super) fn queue(&self, queue: usize) -> ShortString {
        format!("{}{}", self.place.prefix(), QUEUES[queue]).into()
    }

    pub(super) fn exchange(&self, exchange: usize) -> ShortString {
        format!("{}{}", self.place.prefix(), EXCHANGES[exchange]).into()
    }

    /// A text of the broker's, with names as the program has them.
    fn plain(&self, text: &str) -> String {
        text.replace(self.place.prefix(), "")
    }

    /// What an error says, if it is the broker's.
    fn told(&self, error: &Error) -> String {
        match error.kind() {
            ErrorKind::ProtocolError(error) => {
                format!(
                    "refused: {} {}",
                    error.get_id(),
                    self.plain(&error.get_message().to_string())
                )
            }
            // That the channel has just ended is heard from its watcher.
            _ => "not done".to_owned(),
        }
    }

    fn confirmed(&self, confirmation: Confirmation) -> Option<String> {
        let (verdict, returned) = match confirmation {
            Confirmation::Ack(returned) => ("confirmed", returned),
            Confirmation::Nack(returned) => ("refused by a queue", returned),
            Confirmation::NotRequested => return None,
        };
        let returned = returned.map_or(String::new(), |message| {
            let text = self.message(&message.delivery);
            format!(", returned: {} {} {text}", message.reply_code, message.reply_text)
        });
        Some(format!("{verdict}{returned}"))
    }

    /// Everything that has arrived at consumers.
    fn hear(&mut self, lines: &mut Vec<String>) {
        let mut heard = Vec::new();
        for (number, party) in self.parties.iter_mut().enumerate() {
            for (tag, consumer) in &mut party.consumers {
                while let Some(item) = consumer.next().now_or_never() {
                    match item {
                        Some(Ok(delivery)) => {
                            if !tag.ends_with("no_ack") {
                                party.held.push(delivery.delivery_tag);
                            }
                            heard.push((number, tag.clone(), Some(delivery)));
                        }
                        Some(Err(_)) => {}
                        None => {
                            heard.push((number, tag.clone(), None));
                            break;
                        }
                    }
                }
            }
            party.consumers.retain(|(tag, _)| {
                let ended = |(of, name, delivery): &(usize, String, Option<Delivery>)| {
                    *of == number && name == tag && delivery.is_none()
                };
                !heard.iter().any(ended)
            });
        }
        for (channel, tag, delivery) in heard {
            lines.push(match delivery {
                None => format!("{channel} {tag} ended"),
                Some(delivery) => {
                    let star = if delivery.redelivered { "*" } else { "" };
                    let (number, text) = (delivery.delivery_tag, self.message(&delivery));
                    format!("{channel} {tag} {number}{star} {text}")
                }
            });
        }
    }

    /// Tells which channels have ended and why, and opens others in their places.
    async fn reopen(&mut self, lines: &mut Vec<String>) -> Result<()> {
        for connection in 0..2 {
            if !self.connections[connection].status().connected() {
                self.connections[connection] = self.place.connect().await?;
            }
        }
        for number in 0..CHANNELS {
            let Some(item) = self.parties[number].watch.next().now_or_never() else { continue };
            lines.push(match item {
                Some(Err(error)) => format!("channel {number} {}", self.told(&error)),
                Some(Ok(_)) => "something for nobody".to_owned(),
                None => format!("channel {number} closed"),
            });
            self.parties[number] = open(&self.connections[number / 2], number).await?;
        }
        Ok(())
    }

    /// Tells how many messages and consumers there are, where that is not as it was.
    async fn count(&mut self, lines: &mut Vec<String>) -> Result<()> {
        for (number, name) in QUEUES.iter().enumerate() {
            let count = self.look(number).await?;
            if self.counts.get(&number) != Some(&count) {
                lines.push(format!("{name}: {count}"));
                self.counts.insert(number, count);
            }
        }
        Ok(())
    }

    /// How many messages and consumers a queue has.
    async fn look(&mut self, number: usize) -> Result<String> {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        let (name, arguments) = (self.queue(number), FieldTable::default());
        let (connection, channel) = &mut self.observer;
        Ok(match channel.queue_declare(name, options, arguments).await {
            Ok(queue) => {
                format!("{} ready, {} consumers", queue.message_count(), queue.consumer_count())
            }
            Err(error) => {
                *channel = connection.create_channel().await?;
                match error.kind() {
                    ErrorKind::ProtocolError(error) if error.get_id() == 404 => "none".to_owned(),
                    _ => "locked".to_owned(),
                }
            }
        })
    }

    /// A message, as far as it says the same each time.
    pub(super) fn message(&self, delivery: &Delivery) -> String {
        let Delivery { exchange, routing_key, properties, data, .. } = delivery;
        let mut text = String::from_utf8_lossy(data).into_owned();
        let _ = write!(text, " {:?} {:?}", exchange.as_str(), routing_key.as_str());
        if let Some(mode) = properties.delivery_mode() {
            let _ = write!(text, " mode {mode}");
        }
        if let Some(priority) = properties.priority() {
            let _ = write!(text, " priority {priority}");
        }
        if let Some(expiration) = properties.expiration() {
            let _ = write!(text, " expiration {expiration}");
        }
        if let Some(headers) = properties.headers() {
            for (name, value) in headers.inner() {
                let _ = write!(text, " {name}={}", shown(value));
            }
        }
        self.plain(&text)
    }

    async fn clean_up(&mut self) -> Result<()> {
        for connection in &self.connections {
            let _ = connection.close(200, "done".into()).await;
        }
        let (connection, channel) = &self.observer;
        for queue in self.names() {
            let _ = channel.queue_delete(queue, QueueDeleteOptions::default()).await;
        }
        for exchange in 0..EXCHANGES.len() {
            let options = ExchangeDeleteOptions::default();
            let _ = channel.exchange_delete(self.exchange(exchange), options).await;
        }
        connection.close(200, "done".into()).await
    }
}

/// A header's value, without what is another one each time.
fn shown(value: &AMQPValue) -> String {
    match value {
        AMQPValue::LongString(text) => format!("{text:?}", text = text.to_string()),
        AMQPValue::FieldArray(values) => {
            let values: Vec<_> = values.as_slice().iter().map(shown).collect();
            format!("[{}]", values.join(", "))
        }
        AMQPValue::FieldTable(table) => {
            let entries = table.inner().iter().filter(|(name, _)| name.as_str() != "time");
            let entries: Vec<_> =
                entries.map(|(name, value)| format!("{name}={}", shown(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => format!("{other:?}"),
    }
}
