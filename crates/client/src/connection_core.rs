//! The heart of a connection: what its handles and its channels share.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use crate::channel_core::ChannelCore;
use crate::environment::{self, Kept, VARIABLE};
use crate::error::{Error, ErrorKind, Result};
use crate::error_handler::ErrorHandler;
use crate::events::{Event, Events};
use crate::properties::ConnectionProperties;
use crate::recovery::Recovery;
use crate::spawn::{self, Spawn};
use crate::status::{Configuration, ConnectionState, ConnectionStateCell};
use crate::translate::{self, ConnectionId, Deferred, Login, Mailbox, Notice, Port};
use crate::turns::Blockade;
use crate::uri::{AMQPUri, AMQPUserInfo};

/// What a connection's handle and its channels share. It keeps the broker alive, but not the
/// connection open.
pub(crate) struct ConnectionCore {
    this: Weak<Self>,
    ports: Ports,
    pub(crate) username: String,
    pub(crate) vhost: String,
    /// Its id at the broker, as a number, from the moment the connection is open; 0 before.
    id: AtomicU64,
    state: ConnectionStateCell,
    pub(crate) blockade: Blockade,
    pub(crate) events: Events,
    pub(crate) error_handler: ErrorHandler,
    configuration: Configuration,
    /// What delegates run on, if the program has chosen.
    pub(crate) runtime: Option<Arc<dyn Spawn>>,
    /// How it is made anew when it is lost, if it is.
    pub(crate) recovery: Option<Recovery>,
    end: Mutex<End>,
    numbers: Mutex<ChannelNumbers>,
}

/// Why the connection has ended, if the broker ended it, and who waits for its end.
#[derive(Default)]
struct End {
    error: Option<Error>,
    waiting: Vec<Waker>,
    /// The broker, if open connections are what keeps it.
    kept: Option<Arc<Kept>>,
}

/// The numbers of the open channels.
#[derive(Default)]
struct ChannelNumbers {
    /// The open ones; nobody is behind a number while its channel is being opened.
    open: BTreeMap<u16, Weak<ChannelCore>>,
    last: u16,
}

/// The way to the broker, which is another one when the broker was stopped and the connection made anew.
struct Ports {
    first: Port,
    later: OnceLock<Box<Self>>,
}

impl Ports {
    fn new(first: Port) -> Self {
        Self { first, later: OnceLock::new() }
    }

    fn latest(&self) -> &Self {
        let mut ports = self;
        while let Some(later) = ports.later.get() {
            ports = later;
        }
        ports
    }
}

impl ConnectionCore {
    /// Connects to the broker that `uri` names.
    pub(crate) fn connect(
        uri: AMQPUri,
        options: &ConnectionProperties,
        runtime: Option<Arc<dyn Spawn>>,
    ) -> Result<Arc<Self>> {
        let AMQPUri { authority, vhost, query, .. } = uri;
        let login = options.credentials(authority.userinfo)?;
        let (host, number) = (authority.host, authority.port);
        let (port, kept) = find_broker(&host, number)?;
        let port = port.to_vhost_of(credentials(&login, &vhost)).map_err(translate::refusal)?;
        let configuration = Configuration::agreed(port.channel_max(), &query);
        let recovery = match options.recovery() {
            None => None,
            Some(backoff) => {
                let at_hand = || spawn::at_hand().map(|runtime| Arc::new(runtime) as _);
                let runtime = runtime.clone().map_or_else(at_hand, Ok)?;
                Some(Recovery::new((host, number), login.clone(), backoff, runtime))
            }
        };
        let core = Arc::new_cyclic(|this| Self {
            this: Weak::clone(this),
            ports: Ports::new(port),
            username: login.username.clone(),
            vhost,
            id: AtomicU64::default(),
            state: ConnectionStateCell::default(),
            blockade: Blockade::default(),
            events: Events::default(),
            error_handler: ErrorHandler::default(),
            configuration,
            runtime,
            recovery,
            end: Mutex::new(End { kept, ..End::default() }),
            numbers: Mutex::default(),
        });
        core.state.set(ConnectionState::Connecting);
        core.log_in(&login)?;
        Ok(core)
    }

    /// Connects to the broker that the latest port leads to.
    fn log_in(self: &Arc<Self>, login: &AMQPUserInfo) -> Result<()> {
        let mailbox: Arc<dyn Mailbox> = Arc::clone(self) as _;
        let id = self.port().connect(credentials(login, &self.vhost), mailbox);
        self.id.store(id.map_err(translate::refusal)?.to_bits(), Ordering::Release);
        Ok(())
    }

    /// Connects once more, to the broker that listens there now.
    pub(crate) fn connect_again(self: &Arc<Self>, recovery: &Recovery) -> Result<()> {
        let (port, kept) = find_broker(&recovery.host, recovery.port)?;
        let login = credentials(&recovery.login, &self.vhost);
        let port = port.to_vhost_of(login).map_err(translate::refusal)?;
        let latest = self.ports.latest();
        if !latest.first.leads_where(&port) {
            // Nobody else makes the connection anew at the same time.
            let _ = latest.later.set(Box::new(Ports::new(port)));
        }
        // What it was is dropped without the lock.
        let _earlier = std::mem::replace(&mut self.end.lock().kept, kept);
        self.log_in(&recovery.login)
    }

    /// The way to the broker.
    pub(crate) fn port(&self) -> &Port {
        &self.ports.latest().first
    }

    pub(crate) fn open_channels(&self) -> Vec<Arc<ChannelCore>> {
        self.numbers.lock().open.values().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn channel_opened(&self, core: &Arc<ChannelCore>) {
        if self.recovery.is_some() || self.port().is_remote() {
            self.numbers.lock().open.insert(core.number, Arc::downgrade(core));
        }
    }

    /// The error that a loss or a close by the broker is to everybody, if the connection will be made anew.
    pub(crate) fn error_of_loss(&self, error: &Error) -> Option<Error> {
        let ending = matches!(self.state(), ConnectionState::Closing | ConnectionState::Closed);
        let recovery = self.recovery.as_ref().filter(|_| !ending && error.can_be_recovered())?;
        Some(recovery.error_of_loss(error))
    }

    /// The connection is no more, unless it is made anew.
    fn lost(&self, error: Error, deferred: &mut Deferred) {
        let again = self.error_of_loss(&error).zip(self.this.upgrade());
        let Some((error, core)) = again else {
            return self.fail(error, deferred);
        };
        // Before the channels hear of it: who makes one anew looks at this first.
        self.state.set(ConnectionState::Reconnecting);
        for channel in self.channels_to_tell() {
            channel.lose_again(&error, deferred);
            deferred.discard(channel);
        }
        self.blockade.lift(deferred);
        self.end.lock().waiting.drain(..).for_each(|waker| deferred.wake(waker));
        deferred.call(move || {
            if let Some(recovery) = &core.recovery {
                recovery.begin(&core, error);
            }
        });
    }

    /// The connection has been made anew, channels and all.
    pub(crate) fn recovered(&self) {
        let mut deferred = Deferred::default();
        self.events.tell(|| Event::Connected, &mut deferred);
        deferred.run();
    }

    /// The connection cannot be made anew.
    pub(crate) fn give_up(&self, error: &Error) {
        let mut deferred = Deferred::default();
        self.fail(error.clone(), &mut deferred);
        deferred.run();
    }

    /// The connection has failed for good: everybody who listens hears why.
    fn fail(&self, error: Error, deferred: &mut Deferred) {
        self.events.tell(|| Event::Error(error.clone()), deferred);
        self.error_handler.tell(&error, deferred);
        self.end(ConnectionState::Error, Some(error), deferred);
    }

    /// Nobody holds the connection any more.
    pub(crate) fn abandon(&self) {
        if let Some(recovery) = &self.recovery {
            recovery.abandon();
        }
        // If it fails the connection is closed already, or being made anew, after which it is closed.
        let _ = self.close();
    }

    pub(crate) fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Waits until the connection is open, which it is at once unless the broker answers later.
    pub(crate) async fn connected(&self) -> Result<()> {
        poll_fn(|cx| {
            let mut end = self.end.lock();
            if self.state() != ConnectionState::Connecting {
                return Poll::Ready(());
            }
            end.waiting.push(cx.waker().clone());
            drop(end);
            Poll::Pending
        })
        .await;
        self.open_id().map(drop).map_err(|error| {
            let why = self.end.lock().error.clone();
            why.unwrap_or(error)
        })
    }

    /// The same for one that is being made anew, unless it is lost once more.
    pub(crate) async fn connected_again(&self, recovery: &Recovery) -> Result<()> {
        if !self.port().is_remote() {
            return Ok(());
        }
        poll_fn(|cx| {
            let mut end = self.end.lock();
            if recovery.take_lost_again() {
                return Poll::Ready(Err(translate::loss()));
            }
            if self.state() != ConnectionState::Reconnecting {
                drop(end);
                return Poll::Ready(self.open_id().map(drop));
            }
            end.waiting.push(cx.waker().clone());
            drop(end);
            Poll::Pending
        })
        .await
    }

    /// Waits until the connection is not open; gives why.
    pub(crate) fn poll_not_open(&self, cx: &Context<'_>) -> Poll<Error> {
        let mut end = self.end.lock();
        let Err(error) = self.open_id() else {
            end.waiting.push(cx.waker().clone());
            return Poll::Pending;
        };
        Poll::Ready(end.error.clone().unwrap_or(error))
    }

    /// Has those look again who wait for something of the connection.
    pub(crate) fn wake_waiting(&self) {
        let waiting = std::mem::take(&mut self.end.lock().waiting);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Waits for the end of the connection.
    pub(crate) fn poll_ended(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        let mut end = self.end.lock();
        match self.state() {
            ConnectionState::Closed => Poll::Ready(Ok(())),
            ConnectionState::Error => Poll::Ready(end.error.clone().map_or(Ok(()), Err)),
            _ => {
                end.waiting.push(cx.waker().clone());
                drop(end);
                Poll::Pending
            }
        }
    }

    /// The connection is no more: everybody who waits hears it.
    fn end(&self, state: ConnectionState, error: Option<Error>, deferred: &mut Deferred) {
        let mut end = self.end.lock();
        self.state.set(state);
        end.error = error.clone();
        deferred.discard(end.kept.take());
        end.waiting.drain(..).for_each(|waker| deferred.wake(waker));
        drop(end);
        self.blockade.lift(deferred);
        // The broker does not know of channels that were not yet made anew.
        for channel in self.channels_to_tell() {
            channel.end_unrecovered(error.clone(), deferred);
            deferred.discard(channel);
        }
    }

    /// The channels that may not hear from the broker itself that the connection is gone: it does not know of those that
    /// are being made anew, and what it says over a network may be lost.
    fn channels_to_tell(&self) -> Vec<Arc<ChannelCore>> {
        let to_tell = self.recovery.is_some() || self.port().is_remote();
        if to_tell { self.open_channels() } else { Vec::new() }
    }

    pub(crate) fn state(&self) -> ConnectionState {
        self.state.get()
    }

    pub(crate) fn id(&self) -> ConnectionId {
        ConnectionId::from_bits(self.id.load(Ordering::Acquire))
    }

    /// The error of a call that came at a wrong time.
    pub(crate) fn state_error(&self, kind: ErrorKind) -> Error {
        let notifier = self.recovery.as_ref().and_then(Recovery::notifier);
        let error = Error::from(kind);
        notifier.map_or(error.clone(), |notifier| error.with_notifier(notifier))
    }

    /// The connection's id, if it is open.
    pub(crate) fn open_id(&self) -> Result<ConnectionId> {
        match self.state() {
            ConnectionState::Connected => Ok(self.id()),
            state => Err(self.state_error(ErrorKind::InvalidConnectionState(state))),
        }
    }

    /// A number for a new channel: 1, 2, 3 …; one that was freed comes again only when the counter
    /// has gone round.
    pub(crate) fn take_channel_number(&self) -> Result<u16> {
        let max = self.configuration.channel_max();
        let mut numbers = self.numbers.lock();
        if numbers.open.len() >= usize::from(max) {
            return Err(ErrorKind::ChannelsLimitReached.into());
        }
        loop {
            numbers.last = if numbers.last >= max { 1 } else { numbers.last + 1 };
            let number = numbers.last;
            if let Entry::Vacant(free) = numbers.open.entry(number) {
                free.insert(Weak::new());
                return Ok(number);
            }
        }
    }

    pub(crate) fn channel_ended(&self, number: u16) {
        self.numbers.lock().open.remove(&number);
    }

    /// Closes the connection if it is open.
    pub(crate) fn close(&self) -> Result<()> {
        let id = self.open_id()?;
        self.state.set(ConnectionState::Closing);
        let closed = self.port().disconnect(id).map_err(translate::broker_error);
        if closed.is_err() {
            // A broker that is broken says no more, not even that.
            let mut deferred = Deferred::default();
            self.end(ConnectionState::Closed, None, &mut deferred);
            deferred.run();
        }
        closed
    }
}

impl Mailbox for ConnectionCore {
    fn put(&self, notice: Notice, deferred: &mut Deferred) {
        match notice {
            Notice::Connected => {
                let mut end = self.end.lock();
                self.state.set(ConnectionState::Connected);
                end.waiting.drain(..).for_each(|waker| deferred.wake(waker));
            }
            Notice::ConnectionBlocked { reason } => {
                self.blockade.raise();
                self.events.tell(|| Event::ConnectionBlocked(reason.to_string()), deferred);
            }
            Notice::ConnectionUnblocked => {
                self.blockade.lift(deferred);
                self.events.tell(|| Event::ConnectionUnblocked, deferred);
            }
            Notice::ConnectionClosed(refusal) => {
                self.lost(translate::refusal(refusal), deferred);
            }
            Notice::ConnectionLost => self.lost(translate::loss(), deferred),
            Notice::ConnectionEnded => self.end(ConnectionState::Closed, None, deferred),
            _ => {}
        }
    }
}

/// The broker that is reached at an address, and what keeps it.
fn find_broker(host: &str, port: u16) -> Result<(Port, Option<Arc<Kept>>)> {
    match translate::find_broker(host, port) {
        Some(found) => Ok((found, None)),
        None => environment::broker_at(host, port)?.ok_or_else(|| nobody_listens(host, port)),
    }
}

fn credentials<'a>(login: &'a AMQPUserInfo, vhost: &'a str) -> Login<'a> {
    Login { user: &login.username, password: &login.password, vhost }
}

fn nobody_listens(host: &str, port: u16) -> Error {
    Error::io(
        std::io::ErrorKind::ConnectionRefused,
        format!(
            "no broker listens on '{host}:{port}' in this process; make one with Broker::in_memory(), \
             connect to its uri() or have it listen there with listen(…), and keep it while \
             programs connect; or run the program with {VARIABLE}=memory"
        ),
    )
}
