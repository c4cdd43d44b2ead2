//! Tests of the service as it is with the feature `embedded`.

use feature::lapin::Broker;
use feature::{open, submit, work};

#[tokio::test]
async fn a_job_that_is_submitted_is_done() {
    let broker = Broker::in_memory();
    let channel = open(&broker.uri()).await.expect("the broker is there");
    submit(&channel, "one").await.expect("submitted");
    submit(&channel, "two").await.expect("submitted");
    assert_eq!(broker.queue("jobs").expect("declared").messages_ready, 2);
    assert_eq!(work(&channel, 2).await.expect("worked"), ["ONE", "TWO"]);
    assert_eq!(broker.queue("jobs").expect("declared").messages_unacknowledged, 0);
}
