//! The program that is killed: three publishers and three consumers on two durable queues.
//!
//! Before a call it says what it is about to do, after it what was done: so whoever reads its lines knows
//! of everything that may have happened, and of nothing that did not.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::{env, process, thread};

use futures_util::StreamExt;
use leveret_client::message::Delivery;
use leveret_client::options::{
    BasicAckOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use leveret_client::types::FieldTable;
use leveret_client::{
    BasicProperties, Broker, Channel, Connection, ConnectionProperties, Consumer, Level,
    PublisherConfirm,
};

use crate::held_disk::held_disk;
use crate::{PUBLISHED_MAX, options};

/// Where its orders stand.
const VARIABLE: &str = "LEVERET_KILLED_PROGRAM";

pub(crate) const QUEUES: [&str; 2] = ["even", "odd"];
/// How many confirms each publisher lets wait.
const CONFIRMS_WAITING_MAX: [usize; 3] = [1, 8, 40];
/// From which queue each consumer takes.
const CONSUMED: [usize; 3] = [0, 0, 1];
/// How many deliveries a consumer keeps unacknowledged, of which every fifth is one.
const KEPT_MAX: usize = 20;

/// What it is to do, handed over in the environment.
#[derive(Clone, Debug)]
pub(crate) struct Orders {
    pub(crate) level: Level,
    /// Tells its messages from those of the programs before it.
    pub(crate) life: u64,
    /// The operation of the disk that it is held at; 0 for none.
    pub(crate) held_at: u64,
    pub(crate) directory: PathBuf,
}

impl Orders {
    /// The program that carries them out, as a process to be started.
    pub(crate) fn program(&self, test: &str) -> process::Command {
        let Self { level, life, held_at, directory } = self;
        let level = if *level == Level::Synced { "synced" } else { "written" };
        let mut program = process::Command::new(env::current_exe().unwrap());
        program.args(["--exact", test, "--nocapture", "--test-threads=1"]);
        program.env(VARIABLE, format!("{level} {life} {held_at} {}", directory.display()));
        program
    }

    /// The orders of this process, if it is the one to be killed.
    pub(crate) fn from_environment() -> Option<Self> {
        let orders = env::var(VARIABLE).ok()?;
        let mut words = orders.splitn(4, ' ');
        let level = if words.next()? == "synced" { Level::Synced } else { Level::Written };
        let (life, held_at) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(Self { level, life, held_at, directory: words.next()?.into() })
    }
}

/// Says one line, which is handed to the system as a whole before this returns.
pub(crate) fn say(line: &str) {
    let mut out = io::stdout().lock();
    let said = out.write_all(format!("@{line}\n").as_bytes()).and_then(|()| out.flush());
    if said.is_err() {
        // Nobody listens any more.
        process::exit(0);
    }
}

/// Waits until this process is killed, or whoever started it is gone.
pub(crate) fn wait_for_the_end() -> ! {
    let _ = io::stdin().read_to_end(&mut Vec::new());
    process::exit(0)
}

pub(crate) fn run(orders: &Orders) {
    // The test runner has begun a line.
    println!();
    say("opening");
    let options = options(orders.level);
    let broker = match orders.held_at {
        0 => Broker::open_with(&orders.directory, options),
        held_at => {
            let disk = held_disk(&orders.directory, held_at).unwrap();
            Broker::open_on(Arc::new(disk), options)
        }
    };
    let broker = broker.unwrap();
    say("opened");
    // A publisher that is done does not wait for consumers that have yet to begin.
    let consumers = CONSUMED.map(|queue| block_on(subscribed(&broker, queue)));
    thread::scope(|scope| {
        for (number, consumer) in consumers.into_iter().enumerate() {
            scope.spawn(move || block_on(consume(consumer, number)));
        }
        let publishers = (0..CONFIRMS_WAITING_MAX.len()).map(|publisher| {
            let broker = &broker;
            scope.spawn(move || block_on(publish(broker, orders.life, publisher)))
        });
        for publisher in publishers.collect::<Vec<_>>() {
            publisher.join().unwrap();
        }
        say("stopping");
        // Ends the consumers' streams.
        broker.shutdown();
    });
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// A channel on a connection of its own, with the queues declared.
async fn channel(broker: &Broker) -> Channel {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(&broker.uri(), properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    for queue in QUEUES {
        let (options, arguments) = (QueueDeclareOptions::durable(), FieldTable::default());
        channel.queue_declare(queue.into(), options, arguments).await.unwrap();
    }
    channel
}

async fn publish(broker: &Broker, life: u64, publisher: usize) {
    let channel = channel(broker).await;
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let mut waiting = VecDeque::new();
    for number in 0..PUBLISHED_MAX / 3 {
        // Each publisher sends to both queues.
        let queue = (number / 2 % 2) as usize;
        let id = format!("{queue} {life} {publisher} {number}");
        // Bodies of up to 3,000 bytes, most of them small.
        let filling = if number % 7 == 0 { number as usize * 37 % 3000 } else { 0 };
        let body = format!("{id} {}", ".".repeat(filling));
        let persistent = BasicProperties::default().with_delivery_mode(2);
        let (options, body) = (BasicPublishOptions::default(), body.as_bytes());
        say(&format!("attempt {id}"));
        let sent =
            channel.basic_publish("".into(), QUEUES[queue].into(), options, body, persistent);
        waiting.push_back((id, sent.await.unwrap()));
        if waiting.len() >= CONFIRMS_WAITING_MAX[publisher] {
            confirmed(&mut waiting).await;
        }
    }
    while !waiting.is_empty() {
        confirmed(&mut waiting).await;
    }
}

/// Waits for the oldest confirm.
async fn confirmed(waiting: &mut VecDeque<(String, PublisherConfirm)>) {
    let (id, confirm) = waiting.pop_front().unwrap();
    assert!(confirm.await.unwrap().is_ack());
    say(&format!("confirmed {id}"));
}

async fn subscribed(broker: &Broker, queue: usize) -> Consumer {
    let channel = channel(broker).await;
    channel.basic_qos(KEPT_MAX as u16 + 10, BasicQosOptions::default()).await.unwrap();
    let (options, arguments) = Default::default();
    channel.basic_consume(QUEUES[queue].into(), "".into(), options, arguments).await.unwrap()
}

async fn consume(mut deliveries: Consumer, consumer: usize) {
    let mut kept = VecDeque::new();
    // The stream ends with the broker.
    while let Some(Ok(delivery)) = deliveries.next().await {
        let text = String::from_utf8_lossy(&delivery.data);
        let id = text.rsplit_once(' ').unwrap().0.to_owned();
        say(&format!("received {id} {consumer}"));
        if delivery.delivery_tag % 5 == 0 {
            kept.push_back((id, delivery));
            if kept.len() > KEPT_MAX {
                let (id, delivery) = kept.pop_front().unwrap();
                ack(&id, &delivery).await;
            }
        } else {
            ack(&id, &delivery).await;
        }
    }
}

async fn ack(id: &str, delivery: &Delivery) {
    say(&format!("acking {id}"));
    // It fails if the broker was stopped meanwhile.
    if matches!(delivery.acker.ack(BasicAckOptions::default()).await, Ok(true)) {
        say(&format!("acked {id}"));
    }
}
