//! A service on the queue `tasks`: what its workers have in common, and the world outside that remembers what they did.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use leveret_client::message::Delivery;
use leveret_client::options::*;
use leveret_client::testing::trials::Desk;
use leveret_client::types::FieldTable;
use leveret_client::{Channel, Connection, ConnectionProperties, Consumer};

pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// What was done, and how often: a database, which outlives crashes.
#[derive(Clone, Default)]
pub(crate) struct Effects(Arc<Mutex<BTreeMap<String, usize>>>);

impl Effects {
    pub(crate) fn note(&self, delivery: &Delivery) {
        *self.0.lock().unwrap().entry(text(delivery)).or_default() += 1;
    }

    /// Notes it unless it is there already, as a transaction with a unique key would.
    pub(crate) fn note_once(&self, delivery: &Delivery) {
        self.0.lock().unwrap().entry(text(delivery)).or_insert(1);
    }

    pub(crate) fn times(&self) -> BTreeMap<String, usize> {
        self.0.lock().unwrap().clone()
    }
}

fn text(delivery: &Delivery) -> String {
    String::from_utf8_lossy(&delivery.data).into_owned()
}

/// A connection with a consumer of the tasks.
pub(crate) struct Desks {
    _connection: Connection,
    _channel: Channel,
    pub(crate) tasks: Consumer,
}

pub(crate) async fn sit_down(desk: &Desk, window: u16) -> Result<Desks> {
    let connection = Connection::connect(&desk.uri(), ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let durable = QueueDeclareOptions::durable();
    channel.queue_declare("tasks".into(), durable, FieldTable::default()).await?;
    channel.basic_qos(window, BasicQosOptions::default()).await?;
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let tasks = channel.basic_consume("tasks".into(), "".into(), options, none).await?;
    Ok(Desks { _connection: connection, _channel: channel, tasks })
}

pub(crate) async fn ack(delivery: &Delivery) -> Result {
    delivery.ack(BasicAckOptions::default()).await?;
    Ok(())
}

/// In the place of work.
pub(crate) async fn work(desk: &Desk, delivery: &Delivery) {
    tokio::time::sleep(desk.time_for(delivery)).await;
}

/// The end of a stream is no reason to go home: its consumer was cancelled, or its channel is gone.
pub(crate) fn ended() -> Result {
    Err("the consumer ended".into())
}

/// Does a task first, so that it counts once however often it is done, and acknowledges then.
pub(crate) async fn careful(desk: Desk, effects: Effects) -> Result {
    use futures_util::StreamExt;
    let mut desks = sit_down(&desk, desk.window()).await?;
    while let Some(task) = desks.tasks.next().await {
        let task = task?;
        work(&desk, &task).await;
        effects.note_once(&task);
        ack(&task).await?;
    }
    ended()
}
