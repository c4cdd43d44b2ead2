//! The heart of a connection: what its handles and its channels share.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use crate::environment::{self, Kept, VARIABLE};
use crate::error::{Error, ErrorKind, Result};
use crate::events::{Event, Events};
use crate::properties::ConnectionProperties;
use crate::spawn::Spawn;
use crate::status::{Configuration, ConnectionState, ConnectionStateCell};
use crate::translate::{self, ConnectionId, Deferred, Login, Mailbox, Notice, Port};
use crate::turns::Blockade;
use crate::uri::{AMQPUri, AMQPUserInfo};

/// What a connection's handle and its channels share. It keeps the broker alive, but not the
/// connection open.
pub(crate) struct ConnectionCore {
    pub(crate) port: Port,
    pub(crate) username: String,
    pub(crate) vhost: String,
    /// Known from the moment the connection is open.
    id: OnceLock<ConnectionId>,
    state: ConnectionStateCell,
    pub(crate) blockade: Blockade,
    pub(crate) events: Events,
    configuration: Configuration,
    /// What delegates run on, if the program has chosen.
    pub(crate) runtime: Option<Arc<dyn Spawn>>,
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
    open: BTreeSet<u16>,
    last: u16,
}

impl ConnectionCore {
    /// Connects to the broker that `uri` names.
    pub(crate) fn connect(
        uri: AMQPUri,
        options: &ConnectionProperties,
        runtime: Option<Arc<dyn Spawn>>,
    ) -> Result<Arc<Self>> {
        let AMQPUri { authority, vhost, query, .. } = uri;
        let AMQPUserInfo { username, password } = options.credentials(authority.userinfo)?;
        let (host, number) = (authority.host, authority.port);
        let (port, kept) = match translate::find_broker(&host, number) {
            Some(port) => (port, None),
            None => environment::broker_at(&host, number)?
                .ok_or_else(|| nobody_listens(&host, number))?,
        };
        let login = Login { user: &username, password: &password, vhost: &vhost };
        let port = port.to_vhost_of(login).map_err(translate::refusal)?;
        let configuration = Configuration::agreed(port.channel_max(), &query);
        let core = Arc::new(Self {
            port,
            username,
            vhost,
            id: OnceLock::new(),
            state: ConnectionStateCell::default(),
            blockade: Blockade::default(),
            events: Events::default(),
            configuration,
            runtime,
            end: Mutex::new(End { kept, ..End::default() }),
            numbers: Mutex::default(),
        });
        core.state.set(ConnectionState::Connecting);
        let login = Login { user: &core.username, password: &password, vhost: &core.vhost };
        let mailbox: Arc<dyn Mailbox> = Arc::clone(&core) as _;
        let id = core.port.connect(login, mailbox).map_err(translate::refusal)?;
        // This is the only place that sets it.
        let _ = core.id.set(id);
        Ok(core)
    }

    pub(crate) fn configuration(&self) -> &Configuration {
        &self.configuration
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
        end.error = error;
        deferred.discard(end.kept.take());
        end.waiting.drain(..).for_each(|waker| deferred.wake(waker));
        drop(end);
        self.blockade.lift(deferred);
    }

    pub(crate) fn state(&self) -> ConnectionState {
        self.state.get()
    }

    /// The connection's id, if it is open.
    pub(crate) fn open_id(&self) -> Result<ConnectionId> {
        match (self.state(), self.id.get()) {
            (ConnectionState::Connected, Some(id)) => Ok(*id),
            (state, _) => Err(ErrorKind::InvalidConnectionState(state).into()),
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
            if numbers.open.insert(number) {
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
        let closed = self.port.disconnect(id).map_err(translate::broker_error);
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
            Notice::Connected => self.state.set(ConnectionState::Connected),
            Notice::ConnectionBlocked { reason } => {
                self.blockade.raise();
                self.events.tell(|| Event::ConnectionBlocked(reason.to_owned()), deferred);
            }
            Notice::ConnectionUnblocked => {
                self.blockade.lift(deferred);
                self.events.tell(|| Event::ConnectionUnblocked, deferred);
            }
            Notice::ConnectionClosed(refusal) => {
                let error = translate::refusal(refusal);
                self.events.tell(|| Event::Error(error.clone()), deferred);
                self.end(ConnectionState::Error, Some(error), deferred);
            }
            Notice::ConnectionEnded => self.end(ConnectionState::Closed, None, deferred),
            _ => {}
        }
    }
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
