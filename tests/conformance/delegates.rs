//! Consumers with delegates: what these are told, when they run, and what they keep open.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Barrier;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::stage::{
    Stage, cancel, close, consume, declare, look, publish, qos, ready, refusal, word,
};
use crate::subject::{lapin, settle, soon};
use lapin::Consumer;
use lapin::message::DeliveryResult;
use lapin::options::{BasicAckOptions, QueueDeleteOptions};

/// What a delegate was told, in words.
struct Told(UnboundedReceiver<String>);

impl Told {
    /// Gives a consumer a delegate that acknowledges, and tells.
    fn by(consumer: &Consumer) -> Self {
        let (sender, receiver) = unbounded_channel();
        consumer.set_delegate(move |delivery: DeliveryResult| {
            let sender = sender.clone();
            async move {
                let text = match delivery {
                    Ok(Some(delivery)) => {
                        delivery.ack(BasicAckOptions::default()).await.unwrap();
                        word(&delivery)
                    }
                    Ok(None) => "none".to_owned(),
                    Err(error) => format!("error {}", refusal(&error).0),
                };
                // The test may be over.
                let _ = sender.send(text);
            }
        });
        Self(receiver)
    }

    async fn next(&mut self) -> String {
        let next = tokio::time::timeout(Duration::from_secs(5), self.0.recv());
        next.await.expect("the delegate is told something").expect("the delegate is there")
    }

    /// The next so many, in the order of their texts: handlers end in any order.
    async fn sorted(&mut self, count: usize) -> String {
        let mut texts = Vec::new();
        for _ in 0..count {
            texts.push(self.next().await);
        }
        texts.sort();
        texts.join(" ")
    }

    async fn nothing_more(&mut self, s: &Stage) {
        settle(&s.channel).await;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(self.0.try_recv().ok(), None);
    }
}

#[tokio::test]
async fn a_delegate_is_given_what_has_arrived_and_what_arrives() {
    let s = Stage::new().await;
    let a = consume(&s.channel, &s.q, "a").await;
    publish(&s.channel, &s.q, "m1 m2").await;
    let mut told = Told::by(&a);
    assert_eq!(told.sorted(2).await, "m1 m2");
    publish(&s.channel, &s.q, "m3").await;
    assert_eq!(told.next().await, "m3");
    told.nothing_more(&s).await;
}

#[tokio::test]
async fn handlers_run_beside_each_other_as_many_as_the_prefetch_lets() {
    let s = Stage::new().await;
    qos(&s.channel, 5).await;
    let a = consume(&s.channel, &s.q, "a").await;
    let (all, most) = (Arc::new(Barrier::new(5)), Arc::new(AtomicUsize::new(0)));
    let (sender, mut receiver) = unbounded_channel();
    let running = Arc::clone(&most);
    a.set_delegate(move |delivery: DeliveryResult| {
        let (all, running, sender) = (Arc::clone(&all), Arc::clone(&running), sender.clone());
        async move {
            let now = running.fetch_add(1, Ordering::SeqCst) + 1;
            all.wait().await;
            running.fetch_sub(1, Ordering::SeqCst);
            let delivery = delivery.unwrap().unwrap();
            delivery.ack(BasicAckOptions::default()).await.unwrap();
            let _ = sender.send(now);
        }
    });
    publish(&s.channel, &s.q, "m1 m2 m3 m4 m5 m6 m7 m8 m9 m10").await;
    let mut counts = Vec::new();
    for _ in 0..10 {
        let next = tokio::time::timeout(Duration::from_secs(5), receiver.recv());
        counts.push(next.await.expect("five run at once").unwrap());
    }
    assert_eq!(counts.iter().max(), Some(&5));
}

#[tokio::test]
async fn a_delegate_of_a_cancelled_consumer_is_told_nothing_more() {
    let s = Stage::new().await;
    let a = consume(&s.channel, &s.q, "a").await;
    let mut told = Told::by(&a);
    publish(&s.channel, &s.q, "m1").await;
    assert_eq!(told.next().await, "m1");
    cancel(&s.channel, "a").await;
    publish(&s.channel, &s.q, "m2").await;
    told.nothing_more(&s).await;
    assert_eq!(ready(&s.channel, &s.q).await, 1);
}

#[tokio::test]
async fn a_delegate_is_told_when_its_queue_is_deleted() {
    let s = Stage::new().await;
    let a = consume(&s.channel, &s.q, "a").await;
    let mut told = Told::by(&a);
    s.channel.queue_delete(s.q.clone(), QueueDeleteOptions::default()).await.unwrap();
    assert_eq!(told.next().await, "none");
    told.nothing_more(&s).await;
}

#[tokio::test]
async fn a_delegate_is_not_told_of_a_close_that_the_program_asked_for() {
    let s = Stage::new().await;
    let (connection, channel) = s.elsewhere().await;
    let mut on_channel = Told::by(&consume(&channel, &s.q, "a").await);
    let other = connection.create_channel().await.unwrap();
    let mut on_connection = Told::by(&consume(&other, &s.q, "b").await);
    close(&channel).await;
    connection.close(200, "bye".into()).await.unwrap();
    on_channel.nothing_more(&s).await;
    on_connection.nothing_more(&s).await;
}

#[tokio::test]
async fn a_delegate_is_told_why_its_channel_was_closed_and_then_that_it_is_over() {
    let s = Stage::new().await;
    let channel = s.open().await;
    let mut told = Told::by(&consume(&channel, &s.q, "a").await);
    let _ = look(&channel, &s.subject.name("nope")).await.unwrap_err();
    assert_eq!(told.sorted(2).await, "error 404 none");
    told.nothing_more(&s).await;
}

#[tokio::test]
async fn a_consumer_with_a_delegate_is_not_cancelled_by_a_drop_and_keeps_everything_open() {
    let s = Stage::new().await;
    let (connection, channel) = s.elsewhere().await;
    let status = connection.status().clone();
    let q = s.queue("other").await;
    let mut told = Told::by(&consume(&channel, &q, "a").await);
    drop((channel, connection));
    publish(&s.channel, &q, "m1").await;
    assert_eq!(told.next().await, "m1");
    settle(&s.channel).await;
    assert!(status.connected());
    assert_eq!(look(&s.channel, &q).await.unwrap().consumer_count(), 1);
    s.channel.queue_delete(q, QueueDeleteOptions::default()).await.unwrap();
    assert_eq!(told.next().await, "none");
    settle(&s.channel).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    soon("the connection is closed", || !status.connected()).await;
}

#[tokio::test]
async fn a_second_delegate_takes_the_place_of_the_first() {
    let s = Stage::new().await;
    let a = consume(&s.channel, &s.q, "a").await;
    let mut first = Told::by(&a);
    publish(&s.channel, &s.q, "m1").await;
    assert_eq!(first.next().await, "m1");
    let mut second = Told::by(&a);
    publish(&s.channel, &s.q, "m2").await;
    assert_eq!(second.next().await, "m2");
    second.nothing_more(&s).await;
    assert_eq!(first.0.recv().await, None, "nobody holds the first");
}

#[tokio::test]
async fn a_handler_that_panics_leaves_its_message_unacknowledged_and_the_others_alone() {
    let s = Stage::new().await;
    let channel = s.open().await;
    let a = consume(&channel, &s.q, "a").await;
    let (sender, mut receiver) = unbounded_channel();
    a.set_delegate(move |delivery: DeliveryResult| {
        let sender = sender.clone();
        async move {
            let Ok(Some(delivery)) = delivery else { return };
            assert_ne!(delivery.data, b"m1", "this handler panics, as it should");
            delivery.ack(BasicAckOptions::default()).await.unwrap();
            let _ = sender.send(word(&delivery));
        }
    });
    publish(&s.channel, &s.q, "m1 m2").await;
    assert_eq!(receiver.recv().await.as_deref(), Some("m2"));
    declare(&s.channel, &s.q).await;
    close(&channel).await;
    settle(&s.channel).await;
    assert_eq!(ready(&s.channel, &s.q).await, 1);
}
