//! What is right passes, whatever strikes; and what was tested is told.

use futures_util::StreamExt;
use leveret_client::options::{
    BasicConsumeOptions, BasicPublishOptions, BasicRejectOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use leveret_client::testing::{Exploration, FaultKind, FaultSet, World, explore, try_explore};
use leveret_client::types::{AMQPValue, FieldTable};
use leveret_client::{BasicProperties, Channel, Connection, ConnectionProperties, Result};

use super::worker::{Done, all_done, consumer_ended, worker};

#[test]
fn a_worker_that_acks_after_its_work_passes_whatever_strikes() {
    let options = Exploration::new().runs(1_000).faults(FaultSet::all());
    let explored = explore(options, async |world| {
        let done = Done::default();
        let (uri, its) = (world.uri(), done.clone());
        world.process("worker", move || worker(uri.clone(), its.clone()));
        all_done(&world, &done).await;
    });
    println!("{explored}");
    assert_eq!(explored.runs(), 1_000);
    assert_eq!(explored.never_hit(), [], "{explored}");
    assert_eq!(explored.idle_runs(), 0);
}

#[test]
fn a_run_that_tests_nothing_says_so() {
    let options = Exploration::new().runs(3).faults(FaultKind::CrashProcess);
    let explored = explore(options, async |_| {});
    assert_eq!(explored.idle_runs(), 3);
    assert_eq!(explored.never_hit(), [FaultKind::CrashProcess]);
    let text = explored.to_string();
    assert!(text.contains("3 runs sent nothing to the broker, and tested nothing"), "{text}");
    assert!(text.contains("never struck, and so not tested: crash process"), "{text}");
}

#[test]
fn what_may_be_lost_is_for_the_test_to_say() {
    let options = Exploration::new().runs(200).faults(FaultKind::CrashBroker);
    let test = async |world: World| {
        let (uri, queue) = (world.uri(), QueueDeclareOptions::default());
        let sent = world.process("telemetry", move || telemetry(uri.clone(), queue));
        world.until(|| sent.is_over() && world.is_calm() && world.node().is_up()).await;
    };
    let failure = try_explore(options.clone(), test).expect_err("the queue is not durable");
    println!("{failure}");
    assert!(failure.reason().starts_with("a confirmed message is lost"), "{failure}");
    assert_eq!(failure.faults(), [FaultKind::CrashBroker]);
    explore(options.confirmed_may_be_lost(), test);
}

#[test]
fn what_goes_with_its_connection_is_not_lost() {
    let options = Exploration::new().runs(200).faults(FaultSet::all());
    let private = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    let explored = explore(options, async |world: World| {
        let uri = world.uri();
        let sent = world.process("telemetry", move || telemetry(uri.clone(), private));
        world.until(|| sent.is_over() && world.is_calm() && world.node().is_up()).await;
    });
    assert!(explored.hits(FaultKind::CrashBroker) > 0, "{explored}");
}

/// Publishes one message that is not persistent, and waits for its confirm.
async fn telemetry(uri: String, queue: QueueDeclareOptions) -> Result<()> {
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.queue_declare("telemetry".into(), queue, FieldTable::default()).await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let (options, transient) = (BasicPublishOptions::default(), BasicProperties::default());
    let sent = channel.basic_publish("".into(), "telemetry".into(), options, b"21 C", transient);
    if sent.await?.await?.is_ack() { Ok(()) } else { Err(consumer_ended()) }
}

/// Publishes on channels of one connection, in turn, and says whether the queue has them in that order.
async fn in_order(world: World, channels: usize) {
    let options = ConnectionProperties::default();
    let connection = Connection::connect(&world.uri(), options).await.unwrap();
    let mut open = Vec::new();
    for _ in 0..channels {
        open.push(connection.create_channel().await.unwrap());
    }
    let (queue, none) = (QueueDeclareOptions::default(), FieldTable::default());
    open[0].queue_declare("q".into(), queue, none).await.unwrap();
    for (number, channel) in open.iter().cycle().take(4).enumerate() {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let body = number.to_string();
        let sent =
            channel.basic_publish("".into(), "q".into(), options, body.as_bytes(), properties);
        sent.await.unwrap();
    }
    world.settle().await;
    let bodies: Vec<_> =
        world.broker().messages("q").into_iter().map(|message| message.body).collect();
    assert_eq!(bodies, ["0", "1", "2", "3"]);
}

#[test]
fn a_channel_keeps_its_order_and_channels_overtake_each_other() {
    let options = Exploration::new().runs(500);
    explore(options.clone(), async |world| in_order(world, 1).await);
    let failure = try_explore(options, async |world| in_order(world, 2).await);
    println!("{}", failure.expect_err("an order between channels that nobody promises"));
}

/// A queue, and another for what is rejected of it.
async fn with_letters(uri: &str) -> Result<Channel> {
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let durable = QueueDeclareOptions::durable();
    channel.queue_declare("letters".into(), durable, FieldTable::default()).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("".into()));
    arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString("letters".into()));
    channel.queue_declare("claims".into(), durable, arguments).await?;
    Ok(channel)
}

async fn claim(uri: String) -> Result<()> {
    let channel = with_letters(&uri).await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let persistent = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish("".into(), "claims".into(), options, b"m", persistent);
    if sent.await?.await?.is_ack() { Ok(()) } else { Err(consumer_ended()) }
}

async fn reject_all(uri: String) -> Result<()> {
    let channel = with_letters(&uri).await?;
    let (options, none) = (BasicConsumeOptions::default(), FieldTable::default());
    let mut claims = channel.basic_consume("claims".into(), "".into(), options, none).await?;
    while let Some(claim) = claims.next().await {
        claim?.reject(BasicRejectOptions { requeue: false }).await?;
    }
    Err(consumer_ended())
}

#[test]
fn a_dead_letter_that_is_not_on_the_disk_yet_is_still_the_message_that_it_was() {
    let faults = FaultSet::from(FaultKind::CutPower).with(FaultKind::CrashBroker);
    let explored = explore(Exploration::new().runs(1_500).faults(faults), async |world: World| {
        let uris = [world.uri(), world.uri()];
        let [to_claim, to_reject] = uris;
        let claimed = world.process("claimant", move || claim(to_claim.clone()));
        world.process("clerk", move || reject_all(to_reject.clone()));
        world.until(|| claimed.is_over() && world.is_calm() && world.node().is_up()).await;
        world.until(|| !world.broker().messages("letters").is_empty()).await;
    });
    assert!(explored.hits(FaultKind::CutPower) > 100, "{explored}");
}
