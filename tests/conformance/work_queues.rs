//! The work queue of the tutorials: tasks, workers that come and go, and fair dispatch.

use crate::stage::{
    Stage, consume, declare_with, heard, publish, publish_range, qos, subscribe, word,
};
use crate::subject::{lapin, next, settle};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, QueueDeclareOptions};
use lapin::types::ShortString;
use lapin::{Channel, Connection, Consumer};

/// A worker with a connection of its own, as a process would have.
struct Worker {
    connection: Connection,
    channel: Channel,
    tasks: Consumer,
}

impl Worker {
    async fn start(s: &Stage, queue: &ShortString, prefetch: u16) -> Self {
        let (connection, channel) = s.elsewhere().await;
        qos(&channel, prefetch).await;
        let tasks = consume(&channel, queue, "").await;
        Self { connection, channel, tasks }
    }

    /// Takes a task to work on.
    async fn take(&mut self) -> Delivery {
        next(&mut self.tasks).await.unwrap().unwrap()
    }

    async fn done(&self, task: Delivery) {
        assert!(task.ack(BasicAckOptions::default()).await.unwrap());
        settle(&self.channel).await;
    }

    /// Takes a task and is done with it.
    async fn work(&mut self) -> String {
        let task = self.take().await;
        let word = word(&task);
        self.done(task).await;
        word
    }

    /// Is gone, whatever it was doing.
    async fn die(self) {
        self.connection.close(0, "".into()).await.unwrap();
    }
}

async fn task_queue(s: &Stage) -> ShortString {
    let queue = s.subject.name("task_queue");
    declare_with(&s.channel, &queue, QueueDeclareOptions::default()).await.unwrap();
    queue
}

#[tokio::test]
async fn s185_two_workers_take_turns_the_first_to_subscribe_being_first() {
    for prefetch in [0, 1] {
        let s = Stage::new().await;
        let queue = task_queue(&s).await;
        let mut w1 = Worker::start(&s, &queue, prefetch).await;
        let mut w2 = Worker::start(&s, &queue, prefetch).await;
        let mut done = Vec::new();
        for (number, task) in ["First", "Second", "Third", "Fourth", "Fifth"].iter().enumerate() {
            publish(&s.channel, &queue, task).await;
            done.push(if number % 2 == 0 { w1.work().await } else { w2.work().await });
        }
        assert_eq!(done, ["First", "Second", "Third", "Fourth", "Fifth"]);
    }
}

#[tokio::test]
async fn s186_without_prefetch_the_heavy_tasks_all_go_to_one_worker() {
    let s = Stage::new().await;
    let queue = task_queue(&s).await;
    let mut w1 = Worker::start(&s, &queue, 0).await;
    let mut w2 = Worker::start(&s, &queue, 0).await;
    publish(&s.channel, &queue, "heavy1 light2 heavy3 light4 heavy5").await;
    assert_eq!(heard(&mut w1.tasks).await, "heavy1 heavy3 heavy5");
    assert_eq!(heard(&mut w2.tasks).await, "light2 light4");
}

#[tokio::test]
async fn s186_with_prefetch_1_the_idle_worker_takes_the_next_task() {
    let s = Stage::new().await;
    let queue = task_queue(&s).await;
    let mut w1 = Worker::start(&s, &queue, 1).await;
    let mut w2 = Worker::start(&s, &queue, 1).await;
    publish(&s.channel, &queue, "heavy1 light2 heavy3 light4 heavy5").await;
    let heavy1 = w1.take().await;
    assert_eq!((word(&heavy1).as_str(), w2.work().await.as_str()), ("heavy1", "light2"));
    let heavy3 = w2.take().await;
    assert_eq!(word(&heavy3), "heavy3");
    w1.done(heavy1).await;
    assert_eq!(w1.work().await, "light4");
    assert_eq!(w1.work().await, "heavy5");
    w2.done(heavy3).await;
    assert_eq!(heard(&mut w2.tasks).await, "");
}

#[tokio::test]
async fn s187_a_backlog_goes_to_the_first_worker_unless_prefetch_holds_it_back() {
    let s = Stage::new().await;
    let queue = task_queue(&s).await;
    publish_range(&s.channel, &queue, 1, 6).await;
    let mut w1 = Worker::start(&s, &queue, 0).await;
    let mut w2 = Worker::start(&s, &queue, 0).await;
    assert_eq!(heard(&mut w1.tasks).await, "m1 m2 m3 m4 m5 m6");
    assert_eq!(heard(&mut w2.tasks).await, "");
    w1.die().await;
    w2.die().await;
    settle(&s.channel).await;
    let mut w1 = Worker::start(&s, &queue, 1).await;
    let mut w2 = Worker::start(&s, &queue, 1).await;
    for pair in [["m1*", "m2*"], ["m3*", "m4*"], ["m5*", "m6*"]] {
        assert_eq!([w1.work().await, w2.work().await], pair);
    }
}

#[tokio::test]
async fn s188_a_dead_worker_s_task_is_done_before_those_that_wait() {
    let s = Stage::new().await;
    let queue = task_queue(&s).await;
    let mut w1 = Worker::start(&s, &queue, 1).await;
    let mut w2 = Worker::start(&s, &queue, 1).await;
    publish(&s.channel, &queue, "first second third").await;
    assert_eq!(word(&w1.take().await), "first");
    let second = w2.take().await;
    w1.die().await;
    settle(&s.channel).await;
    assert_eq!(heard(&mut w2.tasks).await, "");
    w2.done(second).await;
    assert_eq!(w2.work().await, "first*");
    assert_eq!(w2.work().await, "third");
}

#[tokio::test]
async fn s188_without_prefetch_a_dead_worker_s_tasks_come_after_what_the_other_holds() {
    let s = Stage::new().await;
    let queue = task_queue(&s).await;
    let mut w1 = Worker::start(&s, &queue, 0).await;
    let mut w2 = Worker::start(&s, &queue, 0).await;
    publish_range(&s.channel, &queue, 1, 6).await;
    assert_eq!(word(&w1.take().await), "m1");
    w1.die().await;
    settle(&s.channel).await;
    assert_eq!(heard(&mut w2.tasks).await, "m2 m4 m6 m1* m3* m5*");
}

#[tokio::test]
async fn s3_s5_workers_that_share_a_channel_keep_their_turns() {
    let s = Stage::new().await;
    let queue = task_queue(&s).await;
    qos(&s.channel, 1).await;
    let [mut a, mut b] = subscribe(&s.channel, &queue, ["a", "b"]).await;
    publish_range(&s.channel, &queue, 1, 4).await;
    for expected in ["m1", "m2", "m3", "m4"] {
        let worker = if matches!(expected, "m1" | "m3") { &mut a } else { &mut b };
        let task = next(worker).await.unwrap().unwrap();
        assert_eq!(word(&task), expected);
        assert!(task.ack(BasicAckOptions::default()).await.unwrap());
        settle(&s.channel).await;
    }
}
