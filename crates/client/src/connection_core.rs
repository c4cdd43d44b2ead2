//! The heart of a connection: what its handles and its channels share.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use crate::error::{Error, ErrorKind, Result};
use crate::status::{ConnectionState, ConnectionStateCell};
use crate::translate::{self, ConnectionId, Deferred, Login, Mailbox, Notice, Port};
use crate::turns::Blockade;
use crate::uri::Uri;

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
    numbers: Mutex<ChannelNumbers>,
}

/// The numbers of the open channels.
#[derive(Default)]
struct ChannelNumbers {
    open: BTreeSet<u16>,
    last: u16,
}

impl ConnectionCore {
    /// Connects to the broker that `uri` names.
    pub(crate) fn connect(uri: Uri) -> Result<Arc<Self>> {
        let Uri { username, password, host, vhost } = uri;
        let port = translate::find_broker(&host).ok_or_else(|| nobody_listens(&host))?;
        let core = Arc::new(Self {
            port: port.to_vhost(&vhost),
            username,
            vhost,
            id: OnceLock::new(),
            state: ConnectionStateCell::default(),
            blockade: Blockade::default(),
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
        let max = self.port.channel_max();
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
        self.state.set(ConnectionState::Closed);
        closed
    }
}

impl Mailbox for ConnectionCore {
    fn put(&self, notice: Notice, deferred: &mut Deferred) {
        match notice {
            Notice::Connected => self.state.set(ConnectionState::Connected),
            Notice::ConnectionBlocked { .. } => self.blockade.raise(),
            Notice::ConnectionUnblocked => self.blockade.lift(deferred),
            Notice::ConnectionClosed(_) => {
                self.state.set(ConnectionState::Error);
                self.blockade.lift(deferred);
            }
            Notice::ConnectionEnded => {
                self.state.set(ConnectionState::Closed);
                self.blockade.lift(deferred);
            }
            _ => {}
        }
    }
}

fn nobody_listens(host: &str) -> Error {
    Error::io(
        std::io::ErrorKind::ConnectionRefused,
        format!(
            "no broker listens on '{host}' in this process; make one with Broker::in_memory(), \
             connect to its uri(), and keep it while programs connect"
        ),
    )
}
