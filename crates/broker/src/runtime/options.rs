//! What a broker is made with.

use std::path::Path;
use std::time::Duration;

use super::clock::Clock;
use super::handle::Broker;
use super::host::User;
use super::level::Level;
use super::open::OpenError;
use crate::engine::EngineOptions;
use crate::protocol::{Name, Policy, RabbitMqVersion};

/// The options of a [`Broker`](super::Broker), each with a default that suits a test.
///
/// ```
/// use leveret_broker::{Broker, BrokerOptions};
///
/// let broker = Broker::new(BrokerOptions::default().with_history().with_name_seed(7));
/// assert!(broker.history().events().is_empty());
/// ```
#[derive(Clone, Debug, Default)]
pub struct BrokerOptions {
    pub(super) engine: EngineOptions,
    pub(super) clock: Option<Clock>,
    pub(super) record_history: bool,
    pub(super) users: Vec<User>,
    pub(super) any_user: bool,
    pub(super) any_vhost: bool,
    pub(super) vhosts: Vec<Name>,
    pub(super) policies: Vec<Policy>,
    pub(super) level: Level,
    pub(super) segment_bytes: Option<u64>,
    #[cfg(feature = "testing")]
    pub(super) testing: super::by_hand::Seams,
}

impl BrokerOptions {
    /// Records what happens, for [`Broker::history`](super::Broker::history). Default: not recorded,
    /// since a history grows for as long as the broker lives.
    #[must_use]
    pub fn with_history(mut self) -> Self {
        self.record_history = true;
        self
    }

    /// The RabbitMQ that it behaves as. Default: [`RabbitMqVersion::V4_0`].
    #[must_use]
    pub fn with_version(mut self, version: RabbitMqVersion) -> Self {
        self.engine.version = version;
        self
    }

    /// Where time comes from. Default: [`Clock::default`].
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// What a confirm promises, for a broker on a directory. Default: [`Level::Synced`].
    ///
    /// A broker that is not on a directory is at [`Level::Memory`] whatever is asked for here, and no
    /// directory is opened at that level.
    #[must_use]
    pub fn with_level(mut self, level: impl Into<Level>) -> Self {
        self.level = level.into();
        self
    }

    /// How long the journal's files are, for a broker on a directory. Default: 16 MiB. What is not needed
    /// any more takes no more room than three times what is, and two such files.
    #[must_use]
    pub fn with_segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = Some(bytes);
        self
    }

    /// What the names that the broker makes (`amq.gen-…`, `amq.ctag-…`) follow from. Default: 0.
    ///
    /// A broker on a directory makes other names each time that the directory is opened, so that a name
    /// which a client has kept never means another queue. They follow from the seed and from how many
    /// records the directory's journal has had.
    #[must_use]
    pub fn with_name_seed(mut self, seed: u64) -> Self {
        self.engine.name_seed = seed;
        self
    }

    /// The largest message body, in bytes (S114). Default: 16 MiB, or 128 MiB before 4.0 (R1).
    #[must_use]
    pub fn with_max_message_size(mut self, bytes: u64) -> Self {
        self.engine.message_size_max = Some(bytes);
        self
    }

    /// How many messages there may be in a virtual host, ready or unacknowledged, each once for every queue that it
    /// entered. Default: any number.
    ///
    /// While there are more, a connection that publishes is blocked, as by a RabbitMQ server that is low on memory
    /// (S190; see [alarms](https://www.rabbitmq.com/docs/alarms)): the publish is taken, and then everything that the
    /// program does with that connection waits until there is room, but for closing it or a channel of it.
    /// Connections that do not publish go on, so consumers belong on another connection than publishers.
    ///
    /// ```
    /// use leveret_broker::{Broker, BrokerOptions};
    ///
    /// let broker = Broker::new(BrokerOptions::default().with_message_limit(1_000));
    /// assert!(broker.connections().iter().all(|connection| !connection.blocked));
    /// ```
    #[must_use]
    pub fn with_message_limit(mut self, messages: u64) -> Self {
        self.engine.message_limit = Some(messages);
        self
    }

    /// How many bytes the bodies of all messages in a virtual host may have, ready or unacknowledged, each once for
    /// every queue that it entered. Default: any number. Publishers are blocked while there are more, as by
    /// [`with_message_limit`](Self::with_message_limit).
    #[must_use]
    pub fn with_memory_limit(mut self, bytes: u64) -> Self {
        self.engine.memory_limit = Some(bytes);
        self
    }

    /// How many channels a connection may have open (S173). Default: 2047.
    #[must_use]
    pub fn with_channel_max(mut self, channels: u16) -> Self {
        self.engine.channel_max = channels;
        self
    }

    /// How long a consumer may hold a delivery before its channel is closed (S55); from 4.3, of quorum queues
    /// alone, before the consumer is cancelled (R10). `None` for ever. Default: 30 minutes, as on a server.
    ///
    /// It is looked at once a minute, or twenty times in the course of a shorter timeout, so a channel may live
    /// two such times longer. A queue's argument `x-consumer-timeout` comes before it (from 4.0).
    ///
    /// A paused clock of tokio comes to it as to any other timer, if it was paused before the first delivery;
    /// one that is paused later does not, and what is late is found with the next call.
    ///
    /// ```
    /// use std::time::Duration;
    /// use leveret_broker::{Broker, BrokerOptions};
    ///
    /// let options = BrokerOptions::default().with_consumer_timeout(Duration::from_secs(5));
    /// let broker = Broker::new(options);
    /// # drop(broker);
    /// ```
    #[must_use]
    pub fn with_consumer_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        let ms = |timeout: Duration| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        self.engine.consumer_timeout_ms = timeout.into().map(ms);
        self
    }

    /// Adds a user. Default: `guest` with the password `guest`, and no others; adding one keeps that.
    #[must_use]
    pub fn with_user(mut self, user: &str, password: &str) -> Self {
        let (name, password) = (user.into(), password.to_owned());
        self.users.push(User { name, password, vhosts: None });
        self
    }

    /// Lets anybody connect, whatever the password: for programs whose users are of no account. Default: off.
    #[must_use]
    pub fn with_any_user(mut self) -> Self {
        self.any_user = true;
        self
    }

    /// Adds a user who may use these virtual hosts and no others: elsewhere it is refused with
    /// `530 NOT_ALLOWED`.
    #[must_use]
    pub fn with_user_of(mut self, user: &str, password: &str, vhosts: &[&str]) -> Self {
        let (name, password) = (user.into(), password.to_owned());
        let vhosts = Some(vhosts.iter().map(|vhost| Name::from(*vhost)).collect());
        self.users.push(User { name, password, vhosts });
        self
    }

    /// Sets a policy in every virtual host, before anything is done there; as
    /// [`Broker::set_policy`](super::Broker::set_policy) later.
    ///
    /// Policies are not kept in a directory: they are to be set each time that it is opened.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policies.push(policy);
        self
    }

    /// Adds a virtual host: a world of its own, with exchanges and queues that no other knows. Default: `/`
    /// alone, which is there in any case. [`Broker::vhost`](super::Broker::vhost) shows it.
    ///
    /// A broker on a directory keeps it in a folder of that directory, and has it again when the directory is
    /// opened, whether or not it is asked for then. What examines or salvages a directory does so with one virtual
    /// host: the default one, or for the folder of another (`vhosts/v…` in it) that one.
    #[must_use]
    pub fn with_vhost(mut self, vhost: &str) -> Self {
        let vhost = Name::from(vhost);
        if vhost != self.engine.vhost && !self.vhosts.contains(&vhost) {
            self.vhosts.push(vhost);
        }
        self
    }

    /// Makes a [virtual host](Self::with_vhost) when somebody connects to one that is not there. Default: off, and such a
    /// connection is refused (S176).
    #[must_use]
    pub fn with_any_vhost(mut self) -> Self {
        self.any_vhost = true;
        self
    }

    /// Makes a broker with these options whose queues live as long as it does: [`Broker::new`].
    #[must_use]
    pub fn in_memory(self) -> Broker {
        Broker::new(self)
    }

    /// Makes such a broker, found at an address: [`Broker::listen`].
    ///
    /// # Errors
    ///
    /// As [`Broker::listen`].
    pub fn listen(self, address: &str) -> std::io::Result<Broker> {
        let broker = Broker::new(self);
        broker.listen(address)?;
        Ok(broker)
    }

    /// Opens a directory with these options: [`Broker::open_with`].
    ///
    /// # Errors
    ///
    /// As [`Broker::open_with`].
    pub fn open(self, directory: impl AsRef<Path>) -> Result<Broker, OpenError> {
        Broker::open_with(directory, self)
    }
}

impl Broker {
    /// The RabbitMQ that it behaves as.
    #[must_use]
    pub fn version(&self) -> RabbitMqVersion {
        self.shared.version
    }

    /// Options to make a broker with.
    ///
    /// ```
    /// use leveret_broker::Broker;
    ///
    /// let broker = Broker::builder().with_user("worker", "secret").listen("amqp://10.0.0.7:5672")?;
    /// assert!(Broker::find("10.0.0.7", 5672).is_some());
    /// # drop(broker);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn builder() -> BrokerOptions {
        BrokerOptions::default()
    }
}
