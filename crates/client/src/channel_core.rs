//! The heart of a channel: what its handles share, and where the broker's notices arrive.
//!
//! Nothing here runs in the background. A call sends its method and finds the answer in the inbox;
//! consumers find their deliveries there. The broker fills the inbox under its own lock, so the order
//! in it is the broker's.

mod awaited;
mod consuming;
mod inbox;
mod outcomes;
mod recovering;

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};

use parking_lot::Mutex;

use crate::confirm::Outcome;
use crate::connection_core::ConnectionCore;
use crate::error::{Error, ErrorKind, Result};
use crate::error_handler::ErrorHandler;
use crate::events::Event;
use crate::recovery::{Topology, counts};
use crate::status::{ChannelQos, ChannelState, ChannelStateCell};
use crate::translate::{
    self, CallId, ChannelId, Deferred, Mailbox, Method, Notice, Reply, Returned, Seen,
};
use crate::turns::{self, Turns};
use awaited::AwaitedReply;
use inbox::Inbox;

/// What the handles of one channel share. It keeps the broker alive, but not the channel open.
pub(crate) struct ChannelCore {
    pub(crate) number: u16,
    pub(crate) connection: Arc<ConnectionCore>,
    /// Whether the broker keeps a history, and wants to know what only clients see.
    is_watched: bool,
    /// Its id at the broker, as a number, from the moment the channel is open; 0 before.
    id: AtomicU64,
    /// How often its connection was made anew.
    life: AtomicU32,
    /// Nobody holds it any more.
    abandoned: AtomicBool,
    /// What it has declared, if its connection is made anew when it is lost.
    topology: Option<Mutex<Topology>>,
    state: ChannelStateCell,
    confirms: AtomicBool,
    calls: AtomicU64,
    turns: Turns,
    qos: Mutex<ChannelQos>,
    pub(crate) error_handler: ErrorHandler,
    inbox: Mutex<Inbox>,
}

impl ChannelCore {
    pub(crate) fn new(connection: Arc<ConnectionCore>, number: u16) -> Self {
        Self {
            number,
            topology: recovering::topology(connection.recovery.is_some()),
            is_watched: connection.port().is_watched(),
            connection,
            id: AtomicU64::new(0),
            life: AtomicU32::new(0),
            abandoned: AtomicBool::new(false),
            state: ChannelStateCell::default(),
            confirms: AtomicBool::new(false),
            calls: AtomicU64::new(0),
            turns: Turns::default(),
            qos: Mutex::default(),
            error_handler: ErrorHandler::default(),
            inbox: Mutex::default(),
        }
    }

    pub(crate) fn state(&self) -> ChannelState {
        self.state.get()
    }

    pub(crate) fn confirms(&self) -> bool {
        self.confirms.load(Ordering::Acquire)
    }

    pub(crate) fn qos(&self) -> ChannelQos {
        *self.qos.lock()
    }

    /// A window was set.
    pub(crate) fn note_qos(&self, prefetch_count: u16, global: bool) {
        let mut qos = self.qos.lock();
        let window = if global { &mut qos.global_prefetch_count } else { &mut qos.prefetch_count };
        *window = Some(prefetch_count);
    }

    /// A number that tells this channel's calls apart.
    pub(crate) fn next_call(&self) -> CallId {
        CallId(self.calls.fetch_add(1, Ordering::Relaxed))
    }

    /// Lets other tasks run once in a while, and waits while the connection is blocked.
    pub(crate) async fn take_turn(&self) {
        self.turns.take().await;
        if self.connection.port().is_remote() {
            turns::give_way(self.connection.port().gives_way()).await;
        }
        self.connection.blockade.pass(|| self.state() != ChannelState::Connected).await;
    }

    pub(crate) fn check_open(&self, context: &'static str) -> Result<()> {
        match self.state() {
            ChannelState::Connected => Ok(()),
            state => {
                let kind = ErrorKind::InvalidChannelState(state, context);
                Err(self.connection.state_error(kind))
            }
        }
    }

    /// Sends a method whose answer, if any, is `call`'s.
    pub(crate) fn send(&self, context: &'static str, call: CallId, method: Method) -> Result<()> {
        self.check_open(context)?;
        let connection = &self.connection;
        let sent = connection.port().send(connection.id(), self.id(), call, method);
        sent.map_err(translate::broker_error)
    }

    fn id(&self) -> ChannelId {
        ChannelId::from_bits(self.id.load(Ordering::Acquire))
    }

    /// Sends a method and waits for its answer.
    pub(crate) async fn call(&self, context: &'static str, method: Method) -> Result<Reply> {
        Ok(self.call_in_life(context, method).await?.0)
    }

    /// The same, with the life of the channel that the answer belongs to.
    pub(crate) async fn call_in_life(
        &self,
        context: &'static str,
        method: Method,
    ) -> Result<(Reply, u32)> {
        self.take_turn().await;
        self.call_at_once(context, method).await
    }

    /// The same, whether or not the connection is blocked.
    pub(crate) async fn call_at_once(
        &self,
        context: &'static str,
        method: Method,
    ) -> Result<(Reply, u32)> {
        let noted = self.topology.is_some().then(|| method.clone()).filter(counts);
        let (call, life) = (self.next_call(), self.life());
        self.send(context, call, method)?;
        let awaited = AwaitedReply { core: self, call, life };
        let answer = poll_fn(|cx| awaited.poll(cx)).await?;
        if let Some(method) = noted {
            self.note(method, &answer.0);
        }
        Ok(answer)
    }

    /// Sends a method that has no answer, or whose answer is not wanted.
    pub(crate) async fn tell(&self, context: &'static str, method: Method) -> Result<()> {
        self.take_turn().await;
        let noted = self.topology.is_some().then(|| method.clone()).filter(counts);
        self.send(context, self.next_call(), method)?;
        if let Some(method) = noted {
            self.note(method, &Reply::GetEmpty);
        }
        Ok(())
    }

    /// Why a call that was under way got no answer.
    pub(crate) fn failure(&self) -> Error {
        let error = self.inbox.lock().error.clone();
        error.unwrap_or_else(|| ErrorKind::InvalidChannel(self.number).into())
    }

    /// A publish is about to be sent to a broker that answers later: its confirm is to come.
    pub(crate) fn expect_outcome(&self, call: CallId) {
        let mut inbox = self.inbox.lock();
        inbox.expected += 1;
        let publish_seq = inbox.expected;
        let outcome = inbox.outcomes.entry(call);
        (outcome.undecided, outcome.publish_seq) = (true, publish_seq);
        inbox.undecided += 1;
    }

    /// What became of a publish, if it is decided; where it is not, it waits.
    pub(crate) fn take_outcome(&self, call: CallId) -> Published {
        let mut inbox = self.inbox.lock();
        match inbox.outcomes.get(call) {
            Some(outcome) if outcome.undecided => Published::Waits,
            Some(_) => Published::Decided(inbox.outcomes.remove(call).unwrap_or_default()),
            None => Published::Unasked,
        }
    }

    /// Waits for the outcome of a publish.
    pub(crate) fn poll_outcome(&self, call: CallId, cx: &Context<'_>) -> Poll<Result<Outcome>> {
        let mut inbox = self.inbox.lock();
        let ended = self.state() != ChannelState::Connected;
        let _replaced = match inbox.outcomes.get_mut(call) {
            Some(outcome) if outcome.undecided && !ended => {
                outcome.waker.replace(cx.waker().clone())
            }
            _ => {
                let outcome = inbox.outcomes.remove(call);
                drop(inbox);
                let decided = outcome.filter(|outcome| !outcome.undecided);
                return Poll::Ready(decided.ok_or_else(|| self.failure()));
            }
        };
        drop(inbox);
        Poll::Pending
    }

    /// Nobody will ask for the outcome of a publish any more; gives the number of the publish.
    pub(crate) fn abandon_outcome(&self, call: CallId) -> Option<u64> {
        let mut inbox = self.inbox.lock();
        let ended = self.state() != ChannelState::Connected;
        let publish_seq = inbox.outcomes.get(call).map(|outcome| outcome.publish_seq);
        let _forgotten = match inbox.outcomes.get_mut(call) {
            Some(outcome) if outcome.undecided && !ended => {
                outcome.abandoned = true;
                outcome
                    .waker
                    .take()
                    .map(|waker| Outcome { waker: Some(waker), ..Outcome::default() })
            }
            _ => inbox.outcomes.remove(call),
        };
        drop(inbox);
        publish_seq
    }

    /// Tells the broker what only the client sees, if it wants to know.
    pub(crate) fn remark(&self, seen: Seen) {
        if self.is_watched {
            self.connection.port().remark(self.id(), seen);
        }
    }

    /// Waits until every publish is decided; gives the returned messages that no confirm carries.
    pub(crate) fn poll_all_decided(
        &self,
        life: u32,
        cx: &Context<'_>,
    ) -> Poll<Result<Vec<Returned>>> {
        let mut inbox = self.inbox.lock();
        if self.life() != life {
            drop(inbox);
            return Poll::Ready(Err(self.failure()));
        }
        if inbox.undecided == 0 {
            return Poll::Ready(Ok(std::mem::take(&mut inbox.returned)));
        }
        if self.state() != ChannelState::Connected {
            drop(inbox);
            return Poll::Ready(Err(self.failure()));
        }
        if !inbox.until_decided.iter().any(|waker| waker.will_wake(cx.waker())) {
            inbox.until_decided.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Keeps a returned message whose confirm was dropped, for `wait_for_confirms`.
    pub(crate) fn keep_returned(&self, returned: Returned) {
        self.inbox.lock().returned.push(returned);
    }

    /// Closes the channel if it is open, without waiting and without a reason to give.
    pub(crate) fn close_quietly(&self) {
        // If it fails the channel is closed already.
        let _ = self.send("channel.close", self.next_call(), Method::ChannelClose);
    }

    fn take_reply(
        &self,
        inbox: &mut Inbox,
        call: CallId,
        mut reply: Reply,
        deferred: &mut Deferred,
    ) {
        match &mut reply {
            Reply::ChannelOpened(id) => {
                self.id.store(id.to_bits(), Ordering::Release);
                // One that is being made anew is open when it is what it was.
                if self.state() != ChannelState::Reconnecting {
                    self.state.set(ChannelState::Connected);
                }
            }
            Reply::ChannelClosed => self.end(inbox, ChannelState::Closed, None, deferred),
            Reply::Confirming => self.confirms.store(true, Ordering::Release),
            Reply::Consuming { consumer, .. } => *consumer = inbox.subscribe(call, *consumer),
            Reply::Cancelled { consumer: Some(consumer) } => {
                if let Some(consumer) = inbox.consumer(*consumer) {
                    consumer.end(None, false, deferred);
                }
            }
            _ => {}
        }
        if inbox.abandoned.remove(&call) {
            return;
        }
        inbox.replies.insert(call, reply);
        if let Some(waker) = inbox.waiting.remove(&call) {
            deferred.wake(waker);
        }
    }

    /// The connection is lost, or the broker has closed it.
    fn lost(&self, inbox: &mut Inbox, error: Error, deferred: &mut Deferred) {
        match self.connection.error_of_loss(&error) {
            Some(error) => self.interrupt(inbox, &error, deferred),
            None => self.end(inbox, ChannelState::Error, Some(error), deferred),
        }
    }

    /// The channel is no more: everybody who waits hears it.
    fn end(
        &self,
        inbox: &mut Inbox,
        state: ChannelState,
        error: Option<Error>,
        deferred: &mut Deferred,
    ) {
        self.state.set(state);
        self.connection.channel_ended(self.number);
        self.connection.blockade.wake_all(deferred);
        for consumer in inbox.consumers.values_mut() {
            consumer.end(error.clone(), error.is_some(), deferred);
            if let Some(closer) = consumer.keeps_open.take() {
                deferred.discard(closer);
            }
        }
        let outcomes = inbox.outcomes.values_mut();
        let publishers = outcomes.filter_map(|outcome| outcome.waker.take()).collect::<Vec<_>>();
        let callers = std::mem::take(&mut inbox.waiting).into_values();
        let waiting = callers.chain(publishers).chain(inbox.until_decided.drain(..));
        waiting.for_each(|waker| deferred.wake(waker));
        inbox.error = error;
    }
}

impl Mailbox for ChannelCore {
    fn put(&self, notice: Notice, deferred: &mut Deferred) {
        let mut inbox = self.inbox.lock();
        match notice {
            Notice::Deliver { consumer, delivery } => {
                // A consumer that its program has forgotten keeps what it got unacknowledged.
                if let Some(consumer) = inbox.consumer(consumer) {
                    consumer.deliveries.push_back(delivery);
                    if self.is_watched {
                        consumer.note_waking(|| self.connection.port().now());
                    }
                    consumer.wake(deferred);
                }
            }
            Notice::Reply { call, reply } => self.take_reply(&mut inbox, call, reply, deferred),
            Notice::Return { call, publish_seq, reply_code, reply_text, message } => {
                let returned = Returned { reply_code, reply_text, message };
                match publish_seq {
                    Some(_) => inbox.outcomes.entry(call).returned = Some(returned),
                    None => inbox.returned.push(returned),
                }
            }
            Notice::Confirm { call, publish_seq, verdict } => {
                // One that was sent before confirms were known to be on is nobody's, as in lapin.
                if !self.connection.port().is_remote() || inbox.outcomes.get(call).is_some() {
                    inbox.decide(call, publish_seq, verdict, deferred);
                }
            }
            Notice::Withheld { call, publish_seq } => {
                let outcome = inbox.outcomes.entry(call);
                outcome.publish_seq = publish_seq;
                // To a broker that answers later it was expected when it was sent.
                if !std::mem::replace(&mut outcome.undecided, true) {
                    inbox.undecided += 1;
                }
            }
            Notice::ConsumerCancelled { consumer } => {
                if let Some(consumer) = inbox.consumer(consumer) {
                    consumer.end(None, true, deferred);
                }
            }
            Notice::ChannelClosed(refusal) => {
                let error = translate::refusal(refusal);
                self.connection.events.tell(|| Event::Error(error.clone()), deferred);
                self.error_handler.tell(&error, deferred);
                self.end(&mut inbox, ChannelState::Closed, Some(error), deferred);
            }
            Notice::ConnectionClosed(refusal) => {
                self.lost(&mut inbox, translate::refusal(refusal), deferred);
            }
            Notice::ConnectionLost => self.lost(&mut inbox, translate::loss(), deferred),
            Notice::ConnectionEnded => self.end(&mut inbox, ChannelState::Closed, None, deferred),
            // These are said to the connection.
            Notice::Connected | Notice::ConnectionBlocked { .. } | Notice::ConnectionUnblocked => {}
        }
    }
}

/// What is known of a publish when its call is over.
pub(crate) enum Published {
    Decided(Outcome),
    /// Its confirm is to come.
    Waits,
    /// No confirm was asked for, or none will come.
    Unasked,
}
