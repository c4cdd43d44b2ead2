//! The same options, commands and times give the same, to the byte; and the history that tells it.

use std::time::Duration;

use leveret_broker::engine::EngineOptions;
use leveret_broker::testing::{Harness, Step};

use crate::support::{client, words};

fn with_seed(name_seed: u64) -> Vec<Step> {
    let options = EngineOptions { name_seed, ..EngineOptions::default() };
    let mut harness = Harness::with_options(options);
    let channel = client(&mut harness);
    let mut steps = Vec::new();
    for _ in 0..3 {
        steps.push(harness.declare(channel, ""));
        steps.push(harness.consume(channel, "", ""));
        steps.push(harness.publish(channel, steps[0].made_name().unwrap(), "m"));
        harness.advance(Duration::from_millis(7));
    }
    steps.push(harness.close(channel));
    steps
}

#[test]
fn s27_s83_the_names_that_the_broker_makes_follow_from_the_seed() {
    assert_eq!(with_seed(1), with_seed(1));
    let names = |steps: Vec<Step>| {
        let made = steps.iter().filter_map(|step| step.made_name().map(str::to_owned));
        made.collect::<Vec<_>>()
    };
    let (one, two) = (names(with_seed(1)), names(with_seed(2)));
    assert_eq!(one.len(), 6);
    for (index, name) in one.iter().enumerate() {
        let prefix = if index % 2 == 0 { "amq.gen-" } else { "amq.ctag-" };
        let random = name.strip_prefix(prefix).unwrap();
        assert_eq!(random.len(), 22);
        assert!(!two.contains(name) && !one[..index].contains(name));
    }
}

#[test]
fn a_history_is_an_aligned_timeline() {
    let mut harness = Harness::new();
    let connection = harness.connect();
    let (publisher, worker) = (harness.open(connection), harness.open(connection));
    harness.declare_with(publisher, "task_queue", |declare| declare.durable = true);
    harness.qos(worker, 1);
    harness.consume(worker, "task_queue", "worker");
    harness.confirm_select(publisher);
    harness.advance(Duration::from_millis(250));
    harness.publish(publisher, "task_queue", "First message.");
    harness.publish_with(publisher, "nowhere", "lost", |publish| publish.mandatory = true);
    harness.publish(publisher, "task_queue", "Second message..");
    harness.advance(Duration::from_secs(1));
    harness.requeue(worker, 1);
    harness.ack(worker, 2);
    harness.reject(worker, 3);
    harness.publish(publisher, "task_queue", "Third message...");
    let refused = harness.ack(worker, 99);
    assert_eq!(words(&refused).len(), 1);
    harness.purge(publisher, "task_queue");
    harness.advance(Duration::from_secs(12));
    harness.delete(publisher, "task_queue");
    harness.disconnect(connection);
    let expected = r#" time (s)  conn.ch  event
    0.000     1     connection open
    0.000     1.1   channel open
    0.000     1.2   channel open
    0.000     1.1   queue declared       task_queue (durable)
    0.000     1.2   prefetch set         1 for each later consumer
    0.000     1.2   consumer added       worker on task_queue, prefetch 1
    0.250     1.1   published            m1 "First message." to "" key "task_queue"
    0.250     1.2   delivered            m1 "First message." from task_queue to worker, tag 1
    0.250     1.1   confirmed            publish 1
    0.250     1.1   published            m2 "lost" to "" key "nowhere", unroutable
    0.250     1.1   returned             m2
    0.250     1.1   confirmed            publish 2
    0.250     1.1   published            m3 "Second message.." to "" key "task_queue"
    0.250     1.1   confirmed            publish 3
    1.250     1.2   requeued             m1 into task_queue: rejected
    1.250     1.2   delivered            m1 "First message." from task_queue to worker, tag 2, redelivered
    1.250     1.2   acked                m1 of task_queue, tag 2
    1.250     1.2   delivered            m3 "Second message.." from task_queue to worker, tag 3
    1.250     1.2   dropped              m3 of task_queue: rejected
    1.250     1.1   published            m4 "Third message..." to "" key "task_queue"
    1.250     1.2   delivered            m4 "Third message..." from task_queue to worker, tag 4
    1.250     1.1   confirmed            publish 4
    1.250     1.2   requeued             m4 into task_queue: its channel ended
    1.250     1.2   consumer removed     worker from task_queue: its channel ended
    1.250     1.2   channel closed       by the broker: PRECONDITION_FAILED - unknown delivery tag 99
    1.250     1.1   queue purged         task_queue of 1 ready
   13.250           queue deleted        task_queue with 0 ready, 0 unacked
   13.250     1.1   channel closed
   13.250     1     connection closed
"#;
    assert_eq!(harness.history().to_string(), expected);
}
