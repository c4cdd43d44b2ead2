//! An engine with somebody who speaks to it, owns its time, and trusts it in nothing.

mod methods;
mod restart;
mod translate;

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Act, Step};
use crate::engine::{Engine, EngineOptions, EngineView, Restore};
use crate::protocol::{
    CallId, ChannelId, Command, ConnectionId, ConsumerId, Effects, Method, Name, Notice, Now,
    Record, Refusal, ReplyCode,
};
use crate::runtime::History;

/// An engine in virtual time.
///
/// Every step ends with [`Engine::check_invariants`]; a sentence that does not hold is a panic, with
/// what was just asked. So is a difference between what the engine says must survive and what the
/// records that it gave so far make: no test can look away from a record too few, too many or out of
/// order. A clone is another broker in the same state, with the same handles.
///
/// ```
/// use leveret_broker::testing::Harness;
///
/// let mut harness = Harness::new();
/// let connection = harness.connect();
/// let channel = harness.open(connection);
/// harness.declare(channel, "tasks");
/// harness.qos(channel, 1);
/// harness.consume(channel, "tasks", "worker");
/// assert_eq!(harness.publish(channel, "tasks", "m1").deliveries(), ["worker m1"]);
/// assert!(harness.publish(channel, "tasks", "m2").deliveries().is_empty());
/// assert_eq!(harness.ack(channel, 1).deliveries(), ["worker m2"]);
/// ```
#[derive(Clone, Debug)]
pub struct Harness {
    engine: Engine,
    options: EngineOptions,
    /// The fold of all records so far.
    fold: Restore,
    now: Now,
    last_call: u64,
    history: History,
    /// Every connection there ever was, by number.
    connections: Vec<ConnectionId>,
    /// The latest channel of each number; it may be closed.
    channels: BTreeMap<(u64, u16), ChannelId>,
    /// The numbers of every channel there ever was.
    channel_numbers: BTreeMap<ChannelId, (u64, u16)>,
    /// The tags of consumers that have been heard of.
    consumer_tags: BTreeMap<ConsumerId, Name>,
}

impl Default for Harness {
    fn default() -> Self {
        Self::new()
    }
}

/// Speaking to the engine.
impl Harness {
    /// A harness around an engine with the default options.
    #[must_use]
    pub fn new() -> Self {
        Self::with_options(EngineOptions::default())
    }

    /// A harness around an engine with these options.
    #[must_use]
    pub fn with_options(options: EngineOptions) -> Self {
        let engine = Engine::new(options.clone());
        Self::around(engine, options, Restore::default())
    }

    /// A harness around an engine that has no clients, with the records that made it.
    pub(in crate::testing) fn around(
        engine: Engine,
        options: EngineOptions,
        fold: Restore,
    ) -> Self {
        Self {
            engine,
            options,
            fold,
            now: Now::default(),
            last_call: 0,
            history: History::default(),
            connections: Vec::new(),
            channels: BTreeMap::new(),
            channel_numbers: BTreeMap::new(),
            consumer_tags: BTreeMap::new(),
        }
    }

    /// Gives the engine one command.
    ///
    /// # Panics
    ///
    /// If an invariant does not hold afterwards, the records do not say what must survive, or a reply
    /// is not to this command.
    pub fn step(&mut self, mut command: Command) -> Step {
        self.last_call += 1;
        let this_call = CallId(self.last_call);
        if let Command::OpenChannel { call, .. } | Command::Channel { call, .. } = &mut command {
            *call = this_call;
        }
        let asked = format!("{command:?}");
        let mut effects = Effects { recording: true, ..Effects::default() };
        self.engine.handle(self.now, command, &mut effects);
        if let Err(broken) = self.engine.check_invariants() {
            panic!("after {asked}: {broken}");
        }
        if let Err(broken) = self.check_records(&effects.records) {
            panic!("after {asked}: {broken}");
        }
        self.learn_handles(&effects);
        for output in &effects.outputs {
            if let Notice::Reply { call, .. } = output.notice {
                assert_eq!(call, this_call, "a reply to another call, after {asked}");
            }
        }
        self.history.extend(effects.events.iter().cloned());
        Step {
            call: this_call,
            said: effects.outputs.iter().map(|o| self.said(o)).collect(),
            outputs: effects.outputs,
            records: effects.records,
            events: effects.events,
        }
    }

    /// Does what an act says. What names nothing does nothing.
    pub fn act(&mut self, act: &Act) -> Step {
        if let Act::Pass { ms } = act {
            self.advance(Duration::from_millis(*ms));
        }
        self.step(self.command(act))
    }

    /// What an act says, with handles for numbers.
    pub(in crate::testing) fn command(&self, act: &Act) -> Command {
        match act.clone() {
            Act::Connect { user } => Command::OpenConnection { user },
            Act::Disconnect { connection } => {
                Command::CloseConnection { connection: self.connection_id(connection) }
            }
            Act::Shutdown { reason } => {
                let text = format!("broker forced connection closure with reason '{reason}'");
                Command::Shutdown { refusal: Refusal::new(ReplyCode::ConnectionForced, text) }
            }
            Act::Pass { .. } => Command::TimePassed,
            Act::Open { connection, channel } => Command::OpenChannel {
                connection: self.connection_id(connection),
                number: channel,
                call: CallId::default(),
            },
            Act::Method { connection, channel, method } => Command::Channel {
                channel: self.channel_id(connection, channel),
                call: CallId::default(),
                method,
            },
        }
    }

    /// Sends a method on a channel.
    pub fn method(&mut self, channel: ChannelId, method: Method) -> Step {
        self.step(Command::Channel { channel, call: CallId::default(), method })
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now
    }

    /// Lets time pass. What is due happens with the next step.
    pub fn advance(&mut self, time: Duration) {
        let began_ms = self.now.wall_ms_at_zero();
        self.now.instant.0 += u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.now.wall_ms = began_ms + self.now.instant.0 / 1_000_000;
    }

    /// Lets so many milliseconds pass; gives what happens by itself.
    pub fn pass(&mut self, ms: u64) -> Step {
        self.advance(Duration::from_millis(ms));
        self.step(Command::TimePassed)
    }
}

/// Trusting it in nothing.
impl Harness {
    /// Takes the records of a step into the fold, which must then be what must survive.
    fn check_records(&mut self, records: &[Record]) -> Result<(), String> {
        for record in records {
            self.fold.apply(record.clone()).map_err(|error| error.to_string())?;
        }
        let (folded, durable) = (self.fold.durable_view(), self.engine.durable_view());
        if folded == durable {
            return Ok(());
        }
        Err(format!("the records make {folded:?}, but what must survive is {durable:?}"))
    }
}

/// Looking at it.
impl Harness {
    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// How many steps there were.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.last_call
    }

    /// Everything that there is.
    #[must_use]
    pub fn view(&self) -> EngineView {
        self.engine.view()
    }

    /// Everything that has happened.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The ready messages of a queue, as their bodies, with a `*` if redelivered.
    ///
    /// # Panics
    ///
    /// If there is no such queue.
    #[must_use]
    pub fn ready(&self, queue: &str) -> Vec<String> {
        let messages = self.engine.ready_messages(queue);
        let messages = messages.unwrap_or_else(|| panic!("no queue '{queue}'"));
        let star = |redelivered| if redelivered { "*" } else { "" };
        messages
            .iter()
            .map(|message| format!("{}{}", message.body, star(message.redelivered)))
            .collect()
    }

    /// A connection by its number; a handle that names nothing if there never was one.
    #[must_use]
    pub fn connection_id(&self, number: u64) -> ConnectionId {
        let index = usize::try_from(number).unwrap_or(0).checked_sub(1);
        let id = index.and_then(|index| self.connections.get(index));
        id.copied().unwrap_or_default()
    }

    /// The latest channel of that number; a handle that names nothing if there never was one.
    #[must_use]
    pub fn channel_id(&self, connection: u64, channel: u16) -> ChannelId {
        let id = self.channels.get(&(connection, channel));
        id.copied().unwrap_or_default()
    }
}
