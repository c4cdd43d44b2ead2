//! What runs on a directory were asked to do, kept in a durable queue of its own until it is done.
//!
//! The tasks in the queue alone do not say whether a task that is missing was done or never sent. So a run
//! first publishes the list of its tasks as one message, then the tasks, then a message that says that
//! all are sent, each step confirmed before the next; and only then its workers start. A broker finds after
//! a crash what was published up to some moment. Therefore:
//!
//! | found | what it means |
//! | --- | --- |
//! | no list | nothing was sent |
//! | a list, and not that all are sent | no worker has begun: the tasks behind the last one found are missing |
//! | a list, and that all are sent | tasks that are missing are done |

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use leveret_client::message::Delivery;
use leveret_client::options::{
    BasicAckOptions, BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use leveret_client::types::FieldTable;
use leveret_client::{BasicProperties, Broker, Channel, Connection, ConnectionProperties};

use super::plan::TASK_BYTES_MAX;

/// Their queue.
const BATCHES: &str = "work_queue.batches";
/// The type of a message with the list of a batch's tasks.
const LIST: &str = "list";
/// The type of a message that says that a batch's tasks are all in the queue.
const SENT: &str = "sent";

/// The batches that are not known to be done.
pub(super) struct Batches {
    connection: Connection,
    channel: Channel,
    batches: BTreeMap<u64, Batch>,
}

/// The tasks that one run was given.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Its tasks, in the order of sending.
    pub(super) tasks: Vec<String>,
    /// Whether all of them have been sent.
    pub(super) sent: bool,
    /// The deliveries that brought what is known of it; they are held while it is not done.
    tags: Vec<u64>,
}

impl Batches {
    /// Reads what earlier runs have left.
    pub(super) async fn read(broker: &Broker) -> Result<Self> {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(&broker.uri(), properties).await?;
        let channel = connection.create_channel().await?;
        let durable = QueueDeclareOptions::durable();
        channel.queue_declare(BATCHES.into(), durable, FieldTable::default()).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let mut batches = Self { connection, channel, batches: BTreeMap::new() };
        batches.take_in().await?;
        Ok(batches)
    }

    /// The batches by their numbers, in the order in which they were given.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Batch)> {
        self.batches.iter().map(|(number, batch)| (*number, batch))
    }

    /// Whether one of them has exactly these tasks.
    pub(super) fn contains(&self, tasks: &[String]) -> bool {
        self.batches.values().any(|batch| batch.tasks == tasks)
    }

    /// Writes down what is to be done from now on.
    pub(super) async fn begin(&mut self, tasks: Vec<String>) -> Result<()> {
        let list = to_list(&tasks);
        ensure!(
            list.len() <= TASK_BYTES_MAX,
            "the tasks have {} bytes in all; a directory takes {TASK_BYTES_MAX} at a time",
            tasks.iter().map(String::len).sum::<usize>()
        );
        let number = self.batches.keys().max().map_or(1, |last| last + 1);
        self.publish(number, LIST, &list).await?;
        self.batches.insert(number, Batch { tasks, ..Batch::default() });
        Ok(())
    }

    /// Writes down that the tasks of all batches are in the queue.
    pub(super) async fn all_sent(&mut self) -> Result<()> {
        let unsent = self.batches.iter().filter(|(_, batch)| !batch.sent);
        for number in unsent.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.publish(number, SENT, b"").await?;
            self.batches.entry(number).or_default().sent = true;
        }
        Ok(())
    }

    /// Forgets the batches that are done: all but these.
    pub(super) async fn forget_all_but(mut self, unfinished: &BTreeSet<u64>) -> Result<()> {
        // What this run has written down is in the queue.
        self.take_in().await?;
        for (number, batch) in &self.batches {
            if !unfinished.contains(number) {
                for &tag in &batch.tags {
                    self.channel.basic_ack(tag, BasicAckOptions::default()).await?;
                }
            }
        }
        // The others return to the queue.
        self.connection.close(200, "done".into()).await?;
        Ok(())
    }

    async fn publish(&self, number: u64, kind: &str, body: &[u8]) -> Result<()> {
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_message_id(number.to_string().into())
            .with_type(kind.into());
        let options = BasicPublishOptions::default();
        let sent = self.channel.basic_publish("".into(), BATCHES.into(), options, body, properties);
        ensure!(sent.await?.await?.is_ack(), "the broker could not take the list of tasks");
        Ok(())
    }

    /// Takes what is in the queue, and holds it.
    async fn take_in(&mut self) -> Result<()> {
        let options = BasicGetOptions::default();
        while let Some(got) = self.channel.basic_get(BATCHES.into(), options).await? {
            self.note(&got.delivery).with_context(|| format!("an odd message in {BATCHES}"))?;
        }
        Ok(())
    }

    fn note(&mut self, delivery: &Delivery) -> Result<()> {
        let properties = &delivery.properties;
        let number = properties.message_id().as_ref().context("it has no id")?.as_str().parse()?;
        let batch = self.batches.entry(number).or_default();
        match properties.kind().as_ref().map(|kind| kind.as_str()) {
            Some(LIST) => batch.tasks = from_list(&delivery.data).context("its list is broken")?,
            Some(SENT) => batch.sent = true,
            _ => bail!("it has no type that is known here"),
        }
        batch.tags.push(delivery.delivery_tag);
        Ok(())
    }
}

/// The id of a task's message: its batch, and its place there.
pub(super) fn task_id(batch: u64, place: usize) -> String {
    format!("work_queue.{batch}.{place}")
}

/// The batch and the place of a task, by the id of its message; `None` if somebody else sent it.
pub(super) fn place_of(id: &[u8]) -> Option<(u64, usize)> {
    let id = std::str::from_utf8(id).ok()?.strip_prefix("work_queue.")?;
    let (batch, place) = id.split_once('.')?;
    Some((batch.parse().ok()?, place.parse().ok()?))
}

/// Texts as netstrings, one after the other: `5:first,6:second,`.
fn to_list(texts: &[String]) -> Vec<u8> {
    texts.iter().flat_map(|text| format!("{}:{text},", text.len()).into_bytes()).collect()
}

fn from_list(list: &[u8]) -> Option<Vec<String>> {
    let mut rest = std::str::from_utf8(list).ok()?;
    let mut texts = Vec::new();
    while !rest.is_empty() {
        let (len, text) = rest.split_once(':')?;
        let (text, behind) = text.split_at_checked(len.parse().ok()?)?;
        rest = behind.strip_prefix(',')?;
        texts.push(text.to_owned());
    }
    Some(texts)
}

#[cfg(test)]
mod tests {
    use super::{from_list, place_of, task_id, to_list};

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let texts = ["", "a", "two\nlines", "5:first,", "\u{e4}\0"].map(str::to_owned);
        assert_eq!(from_list(&to_list(&texts)).as_deref(), Some(&texts[..]));
        for broken in ["1:a", "2:a,", "a,", "1", ":,", "9999999999999999999999:a,"] {
            assert_eq!(from_list(broken.as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn ids_of_somebody_else_are_told_apart() {
        assert_eq!(place_of(task_id(3, 14).as_bytes()), Some((3, 14)));
        for other in ["3.14", "work_queue.3", "work_queue.3.", "work_queue.x.1", ""] {
            assert_eq!(place_of(other.as_bytes()), None, "{other}");
        }
    }
}
