//! Connections to in-process brokers.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use futures_core::Stream;

use crate::channel::{Channel, ChannelCloser};
use crate::channel_core::ChannelCore;
use crate::connect;
use crate::connection_core::ConnectionCore;
use crate::error::Result;
use crate::error_handler::ErrorHandler;
use crate::events::Event;
use crate::properties::ConnectionProperties;
use crate::spawn::Spawn;
use crate::status::{ChannelState, Configuration, ConnectionStatus};
use crate::translate::{self, Mailbox};
use crate::types::{LongString, ReplyCode, ShortString};
use crate::uri::AMQPUri;

/// A connection to a broker of this process.
///
/// It closes itself when the handle and all its open channels are gone; a channel is open while a
/// handle or a [`Consumer`](crate::Consumer) of it is there. Everything it held returns to the queues
/// then.
///
/// ```
/// use leveret_client::{Broker, Connection, ConnectionProperties};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret_client::Result<()> {
/// let broker = Broker::in_memory();
/// let connection = Connection::connect(&broker.uri(), ConnectionProperties::default()).await?;
/// let channel = connection.create_channel().await?;
/// assert_eq!(channel.id(), 1);
/// connection.close(200, "done".into()).await?;
/// # Ok(()) }
/// ```
pub struct Connection {
    core: Arc<ConnectionCore>,
    status: ConnectionStatus,
    closer: Arc<ConnectionCloser>,
}

/// Closes a connection when the last that keeps it open is dropped.
pub(crate) struct ConnectionCloser {
    core: Arc<ConnectionCore>,
}

impl Connection {
    /// Connects to the broker that `uri` names: `amqp://user:password@authority/vhost`, as
    /// [`Broker::uri`](crate::Broker::uri) gives it. No socket is opened.
    ///
    /// # Errors
    ///
    /// `IOError` (`ConnectionRefused`) if no broker of this process listens there, `IOError` for a
    /// URI that cannot be read, `ProtocolError` with RabbitMQ's text for a wrong user, password or
    /// virtual host.
    ///
    /// # Cancel safety
    ///
    /// It is done at the first poll: dropped before, nothing happened.
    pub async fn connect(uri: &str, options: ConnectionProperties) -> Result<Self> {
        Self::open(connect::read(uri)?, options, None).await
    }

    /// The same with a URI that has been read.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// It is done at the first poll: dropped before, nothing happened.
    pub async fn connect_uri(uri: AMQPUri, options: ConnectionProperties) -> Result<Self> {
        Self::open(uri, options, None).await
    }

    pub(crate) fn error_handler(&self) -> &ErrorHandler {
        &self.core.error_handler
    }

    pub(crate) async fn open(
        uri: AMQPUri,
        options: ConnectionProperties,
        runtime: Option<Arc<dyn Spawn>>,
    ) -> Result<Self> {
        let core = ConnectionCore::connect(uri, &options, runtime)?;
        let closer = Arc::new(ConnectionCloser { core: Arc::clone(&core) });
        core.connected().await?;
        let status = ConnectionStatus { core: Some(Arc::clone(&core)) };
        Ok(Self { core, status, closer })
    }

    /// Opens a channel. Channels are numbered 1, 2, 3 ….
    ///
    /// # Errors
    ///
    /// `InvalidConnectionState` if the connection is not open, `ChannelsLimitReached` if it has as
    /// many channels as the broker allows (2047 by default).
    ///
    /// # Cancel safety
    ///
    /// It is done at the poll that completes it, the first unless the connection is
    /// [blocked](ConnectionStatus::blocked): dropped before, nothing happened.
    pub async fn create_channel(&self) -> Result<Channel> {
        let core = &self.core;
        core.blockade.pass(|| core.open_id().is_err()).await;
        let connection = core.open_id()?;
        let number = self.core.take_channel_number()?;
        let core = Arc::new(ChannelCore::new(Arc::clone(&self.core), number));
        let mailbox: Arc<dyn Mailbox> = Arc::clone(&core) as _;
        let call = core.next_call();
        let opened = self.core.port().open_channel(connection, number, call, mailbox);
        if let Err(error) = opened.map_err(translate::broker_error) {
            self.core.channel_ended(number);
            return Err(error);
        }
        if self.core.port().is_remote() {
            // A broker that never heard of the channel does not tell it that the connection is lost.
            let mut opened = pin!(core.awaited(call, core.life()));
            let opened = poll_fn(|cx| match opened.as_mut().poll(cx) {
                Poll::Ready(opened) => Poll::Ready(opened.map(drop)),
                Poll::Pending => self.core.poll_not_open(cx).map(Err),
            });
            if let Err(error) = opened.await {
                self.core.channel_ended(number);
                return Err(error);
            }
        }
        if core.state() != ChannelState::Connected {
            self.core.channel_ended(number);
            return Err(core.failure());
        }
        self.core.channel_opened(&core);
        let closer = ChannelCloser::new(Arc::clone(&core), Arc::clone(&self.closer));
        Ok(Channel::new(core, Arc::new(closer)))
    }

    /// Closes the connection and its channels. The code and the text are for a broker's log, which
    /// there is none of here.
    ///
    /// # Errors
    ///
    /// `InvalidConnectionState` if it is not open.
    ///
    /// # Cancel safety
    ///
    /// It is done at the first poll: dropped before, nothing happened.
    pub async fn close(&self, reply_code: ReplyCode, reply_text: ShortString) -> Result<()> {
        let _ = (reply_code, reply_text);
        self.core.close()?;
        if self.core.port().is_remote() {
            poll_fn(|cx| self.core.poll_ended(cx)).await?;
        }
        Ok(())
    }

    /// Gives the broker a new password to know the client by, which has no effect: nobody is asked again.
    ///
    /// # Errors
    ///
    /// `InvalidConnectionState` if the connection is not open.
    pub async fn update_secret(&self, new_secret: LongString, reason: ShortString) -> Result<()> {
        let (_, core) = ((new_secret, reason), &self.core);
        core.blockade.pass(|| core.open_id().is_err()).await;
        core.open_id().map(drop)
    }

    /// Blocks this thread until the connection is closed: by the broker, or because its last channel is gone. Its
    /// handle is dropped before.
    ///
    /// # Errors
    ///
    /// What the broker said when it closed the connection.
    pub fn run(self) -> Result<()> {
        let core = Arc::clone(&self.core);
        drop(self);
        crate::blocking::block_on(poll_fn(|cx| core.poll_ended(cx)))
    }

    /// The connection's state, kept up to date.
    #[must_use]
    pub fn status(&self) -> &ConnectionStatus {
        &self.status
    }

    /// What was agreed on with the broker.
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        self.core.configuration()
    }

    /// A stream of what happens to the connection from now on. Of several listeners each event is for one. It ends
    /// when the connection and its channels are gone.
    ///
    /// ```
    /// use futures_util::StreamExt;
    /// use leveret_client::options::BasicGetOptions;
    /// use leveret_client::{Broker, Connection, ConnectionProperties, Event};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> leveret_client::Result<()> {
    /// let broker = Broker::in_memory();
    /// let connection = Connection::connect(&broker.uri(), ConnectionProperties::default()).await?;
    /// let mut events = connection.events_listener();
    /// let channel = connection.create_channel().await?;
    /// assert!(channel.basic_get("missing".into(), BasicGetOptions::default()).await.is_err());
    /// assert!(matches!(events.next().await, Some(Event::Error(_))));
    /// # Ok(()) }
    /// ```
    pub fn events_listener(&self) -> impl Stream<Item = Event> + Send + Unpin + 'static {
        self.core.events.listen()
    }
}

impl Drop for ConnectionCloser {
    fn drop(&mut self) {
        self.core.abandon();
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("configuration", self.configuration())
            .field("status", &self.status)
            .finish()
    }
}
