//! Every point at which the broker could die.

use leveret_client::testing::{World, for_every_crash_point};

use super::worker::{Done, JOBS, all_done, publish_surely, worker};

#[test]
fn a_service_that_makes_sure_survives_a_crash_at_every_point() {
    let points = for_every_crash_point(async |world: World| {
        let done = Done::default();
        let (uri, its) = (world.uri(), done.clone());
        world.process("worker", move || worker(uri.clone(), its.clone()));
        all_done(&world, &done).await;
    });
    println!("{points} points");
    assert!(points > 40, "{points}");
}

#[test]
#[should_panic(
    expected = "a confirmed message is lost: the broker began again without\n    message m1 \"job\", confirmed and \
                unacknowledged in queue transient: the queue is not durable"
)]
fn one_that_trusts_a_queue_that_is_not_durable_does_not() {
    use leveret_client::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
    use leveret_client::{BasicProperties, Connection, ConnectionProperties, Result};

    async fn publish(uri: &str) -> Result<bool> {
        let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        let options = QueueDeclareOptions::default();
        channel.queue_declare("transient".into(), options, Default::default()).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let (options, persistent) =
            (BasicPublishOptions::default(), BasicProperties::default().with_delivery_mode(2));
        let confirm =
            channel.basic_publish("".into(), "transient".into(), options, b"job", persistent);
        Ok(confirm.await?.await?.is_ack())
    }

    for_every_crash_point(async |world: World| {
        // The test itself asks for nothing.
        let _ = publish(&world.uri()).await;
        // Time for the broker to come back.
        publish_surely(&world.uri(), JOBS[0]).await;
    });
}
