//! A program that records, on RabbitMQ and on an embedded broker: the same checkers are content with both records, and laid
//! side by side they are the same.

#![allow(missing_docs, reason = "a test that panics has failed")]

#[path = "../checkers/embedded.rs"]
mod embedded;
#[path = "../checkers/judged.rs"]
mod judged;
mod recorded_on_rabbitmq;

#[tokio::test]
async fn what_is_recorded_on_both_brokers_is_the_same_and_right() {
    let server = recorded_on_rabbitmq::run().await;
    judged::assert_right(&server);
    let (embedded, _) = embedded::run().await;
    embedded.side_by_side(&server).assert_same();
}
