//! Code that runs because the broker woke or dropped something, and that calls the broker again.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use futures_util::{FutureExt, Stream};
use leveret_client::options::{BasicGetOptions, QueueDeleteOptions};
use leveret_client::{Broker, Channel};

use super::{channel, consume, publish};

/// A waker that calls the broker when it is woken, and owns a channel that closes when it is dropped.
struct Caller {
    broker: Broker,
    channel: Channel,
    ready_when_woken: Mutex<Option<usize>>,
}

impl Wake for Caller {
    fn wake(self: Arc<Self>) {
        let got = self.channel.basic_get("q".into(), BasicGetOptions::default()).now_or_never();
        got.expect("it does not wait").expect("the channel is open");
        let queue = self.broker.queue("q").unwrap();
        *self.ready_when_woken.lock().unwrap() = Some(queue.messages_ready);
    }
}

#[test]
fn a_waker_may_call_the_broker_and_drop_its_channel() {
    let broker = Broker::in_memory();
    let setup = async {
        let worker = channel(&broker).await;
        let consumer = consume(&worker, 1).await;
        (worker, consumer, channel(&broker).await, channel(&broker).await)
    };
    let (_worker, mut consumer, publisher, own) = setup.now_or_never().unwrap();
    let caller = Arc::new(Caller {
        broker: broker.clone(),
        channel: own,
        ready_when_woken: Mutex::new(None),
    });
    let waker = Waker::from(Arc::clone(&caller));
    let polled = Pin::new(&mut consumer).poll_next(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    drop(waker);
    publish(&publisher, b"wakes").now_or_never().unwrap();
    assert_eq!(*caller.ready_when_woken.lock().unwrap(), Some(0));

    // The last owner of the channel is now a waker; replacing it closes the channel.
    let polled = Pin::new(&mut consumer).poll_next(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_ready());
    let last = Waker::from(caller);
    let polled = Pin::new(&mut consumer).poll_next(&mut Context::from_waker(&last));
    assert!(polled.is_pending());
    drop(last);
    assert_eq!(broker.connections().len(), 3);
    let polled = Pin::new(&mut consumer).poll_next(&mut Context::from_waker(Waker::noop()));
    assert!(polled.is_pending());
    assert_eq!(broker.connections().len(), 2, "the replaced waker took its channel along");
}

#[tokio::test]
async fn a_consumer_whose_queue_is_gone_keeps_its_channel_open_until_it_is_dropped() {
    let broker = Broker::in_memory();
    let worker = channel(&broker).await;
    let consumer = consume(&worker, 0).await;
    let other = channel(&broker).await;
    drop(worker);
    assert_eq!(broker.connections().len(), 2, "the consumer keeps its channel open");
    other.queue_delete("q".into(), QueueDeleteOptions::default()).await.unwrap();
    assert_eq!(broker.connections().len(), 2, "what it was given can still be acknowledged");
    drop(consumer);
    assert_eq!(broker.connections().len(), 1);
}
