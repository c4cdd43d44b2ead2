//! A channel whose connection is lost and made anew: what it forgets, and what it asks for again.
//!
//! Each time begins another life of the channel. What belongs to an earlier one, an acker or a call under way, finds that
//! out by the number of the life.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{AwaitedReply, ChannelCore, Inbox};
use crate::error::{Error, Result};
use crate::recovery::{Topology, again, rename};
use crate::status::{ChannelState, ConnectionState};
use crate::translate::{CallId, ConsumerId, Deferred, Mailbox, Method, Reply};

impl ChannelCore {
    /// Which life of the channel it is.
    pub(crate) fn life(&self) -> u32 {
        self.life.load(Ordering::Acquire)
    }

    /// Nobody holds the channel any more: it closes, or is not made anew.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
        self.close_quietly();
    }

    /// Notes a method that succeeded, to do it again when the connection is made anew.
    pub(super) fn note(&self, mut method: Method, reply: &Reply) {
        let Some(topology) = &self.topology else { return };
        let Reply::Consuming { consumer, consumer_tag } = reply else {
            return topology.lock().note(method, reply);
        };
        topology.lock().name_queue(&mut method, reply);
        if let Method::BasicConsume(consume) = &mut method {
            consume.consumer_tag = consumer_tag.clone();
        }
        if let Some(consumer) = self.inbox.lock().consumers.get_mut(consumer) {
            consumer.subscribed_by = Some(Box::new(method));
        }
    }

    /// The connection is lost, and will be made anew: who waits hears of it, and what was unacknowledged is not this
    /// channel's any more.
    pub(super) fn interrupt(&self, inbox: &mut Inbox, error: &Error, deferred: &mut Deferred) {
        self.life.fetch_add(1, Ordering::AcqRel);
        self.state.set(ChannelState::Reconnecting);
        self.connection.blockade.wake_all(deferred);
        inbox.interrupt(error, deferred);
    }

    /// The connection is lost before this channel was made anew, which the broker then knows nothing of: who is about to
    /// gets no answer.
    pub(crate) fn lose_again(&self, error: &Error, deferred: &mut Deferred) {
        let mut inbox = self.inbox.lock();
        if self.is_unaware() {
            self.interrupt(&mut inbox, error, deferred);
            return;
        }
        if self.state() == ChannelState::Reconnecting {
            self.life.fetch_add(1, Ordering::AcqRel);
            let waiting = std::mem::take(&mut inbox.waiting).into_values();
            waiting.for_each(|waker| deferred.wake(waker));
        }
    }

    /// The connection has ended, or could not be made anew because of `error`, and this channel with it.
    pub(crate) fn end_unrecovered(&self, error: Option<Error>, deferred: &mut Deferred) {
        let mut inbox = self.inbox.lock();
        let state = if error.is_some() { ChannelState::Error } else { ChannelState::Closed };
        if self.state() == ChannelState::Reconnecting || self.is_unaware() {
            self.end(&mut inbox, state, error, deferred);
        }
    }

    /// Whether the channel does not know that its connection is gone: over a network what the broker said to it may have
    /// been lost.
    fn is_unaware(&self) -> bool {
        self.state() == ChannelState::Connected && self.connection.port().is_remote()
    }

    /// Opens the channel on the connection that was made anew, and makes it what it was.
    pub(crate) async fn recover(self: &Arc<Self>) -> Result<()> {
        let life = self.life();
        // Looked at after the life: if the connection is lost after this, the life is over.
        let open = self.connection.state() == ConnectionState::Connected;
        if self.state() != ChannelState::Reconnecting || !open {
            return Ok(());
        }
        let recovered = self.try_recover(life).await;
        let mut deferred = Deferred::default();
        // If the connection was lost again, this is tried again.
        if let Some(error) = recovered.as_ref().err().filter(|_| self.life() == life) {
            self.end_unrecovered(Some(error.clone()), &mut deferred);
        }
        deferred.run();
        if self.abandoned.load(Ordering::Acquire) {
            self.close_quietly();
        }
        recovered
    }

    async fn try_recover(self: &Arc<Self>, life: u32) -> Result<()> {
        let call = self.next_call();
        let (connection, mailbox) = (self.connection.id(), Arc::clone(self) as Arc<dyn Mailbox>);
        let opened = self.connection.port().open_channel(connection, self.number, call, mailbox);
        opened.map_err(crate::translate::broker_error)?;
        self.awaited(call, life).await?;
        if self.confirms() {
            self.ask_again(life, Method::ConfirmSelect { nowait: false }).await?;
        }
        let qos = self.qos();
        // Before there are consumers: a window counts for those that come later.
        for (count, global) in [(qos.prefetch_count, false), (qos.global_prefetch_count, true)] {
            if let Some(prefetch_count) = count {
                let method = Method::BasicQos { prefetch_size: 0, prefetch_count, global };
                self.ask_again(life, method).await?;
            }
        }
        self.declare_again(life).await?;
        self.state.set(ChannelState::Connected);
        self.subscribe_again(life).await
    }

    async fn declare_again(&self, life: u32) -> Result<()> {
        let Some(topology) = &self.topology else { return Ok(()) };
        // A queue may have another name by the time that its bindings come.
        for place in 0.. {
            let Some(method) = topology.lock().method(place) else { break };
            let (method, made) = again(&method);
            let reply = self.ask_again(life, method).await?;
            if let (Some(old), Reply::Declared { queue, .. }) = (made, reply) {
                topology.lock().rename(&old, &queue);
                let mut inbox = self.inbox.lock();
                let consumers = inbox.consumers.values_mut();
                let subscriptions = consumers.filter_map(|one| one.subscribed_by.as_deref_mut());
                subscriptions.for_each(|method| rename(method, &old, &queue));
            }
        }
        Ok(())
    }

    async fn subscribe_again(&self, life: u32) -> Result<()> {
        let subscriptions: Vec<(ConsumerId, Method)> = {
            let inbox = self.inbox.lock();
            let live = inbox.consumers.iter().filter(|(_, consumer)| !consumer.ended);
            live.filter_map(|(id, consumer)| {
                Some((*id, (**consumer.subscribed_by.as_ref()?).clone()))
            })
            .collect()
        };
        for (consumer, method) in subscriptions {
            let call = self.next_call();
            self.inbox.lock().subscribing.insert(call, consumer);
            self.send_again(call, method)?;
            self.awaited(call, life).await?;
        }
        Ok(())
    }

    /// A call of those that make the channel anew, for which it need not be open to others.
    async fn ask_again(&self, life: u32, method: Method) -> Result<Reply> {
        let call = self.next_call();
        self.send_again(call, method)?;
        self.awaited(call, life).await
    }

    fn send_again(&self, call: CallId, method: Method) -> Result<()> {
        let connection = &self.connection;
        let sent = connection.port().send(connection.id(), self.id(), call, method);
        sent.map_err(crate::translate::broker_error)
    }

    pub(crate) async fn awaited(&self, call: CallId, life: u32) -> Result<Reply> {
        let awaited = AwaitedReply { core: self, call, life };
        let (reply, _) = std::future::poll_fn(|cx| awaited.poll(cx)).await?;
        Ok(reply)
    }
}

impl Inbox {
    fn interrupt(&mut self, error: &Error, deferred: &mut Deferred) {
        self.error = Some(error.clone());
        self.replies.clear();
        self.abandoned.clear();
        self.subscribing.clear();
        self.aliases.clear();
        (self.undecided, self.expected) = (0, 0);
        let callers = std::mem::take(&mut self.waiting).into_values();
        callers.chain(self.until_decided.drain(..)).for_each(|waker| deferred.wake(waker));
        // Who waits for a confirm finds it gone.
        self.outcomes.retain(|outcome| {
            if let Some(waker) = outcome.waker.take_if(|_| outcome.undecided) {
                deferred.wake(waker);
            }
            !outcome.undecided
        });
        for consumer in self.consumers.values_mut().filter(|consumer| !consumer.ended) {
            match consumer.subscribed_by.as_deref() {
                Some(method) => {
                    let automatic = matches!(method, Method::BasicConsume(one) if one.no_ack);
                    consumer.interrupt(error, automatic, deferred);
                }
                None => consumer.end(Some(error.clone()), true, deferred),
            }
        }
    }
}

/// A topology, if the connection will be made anew.
pub(super) fn topology(recovers: bool) -> Option<parking_lot::Mutex<Topology>> {
    recovers.then(Default::default)
}
