//! The engine: a pure state machine that decides everything and knows nothing of the world.
//!
//! The life of a message:
//!
//! ```text
//!             publish ── route ──▶ READY ── dispatch ──▶ UNACKED ── ack ──▶ gone
//!                          │         ▲                      │
//!                          │         └── nack, reject,  ────┤
//!                          │             recover, close     │
//!                          ▼             (to its old place) └── reject without requeue ──▶ dropped
//!               unroutable: dropped, or
//!               returned if mandatory
//! ```
//!
//! Each step is two halves: *change* (one of the files below alters the state and marks the queues it
//! touched) and *pump* (the one loop in `dispatch` that lets ready messages meet consumers with room).
//! Nothing in the first half dispatches, so there is one place that decides who gets a message, and
//! one place to read to know why.
//!
//! | file | what it decides |
//! | --- | --- |
//! | `session` | connections and channels: opening, closing, errors |
//! | `declare` | queues: declare, purge, delete |
//! | `topology`, `bind` | exchanges and bindings: declare, delete, bind, unbind, and what goes with what |
//! | `publish`, `route` | what a publish does, and where it goes |
//! | `exchange`, `pattern`, `headers`, `bindings` | what matches what, kind by kind |
//! | `frames` | what is too large or too deep to be looked at |
//! | `consume` | consumers, `basic.get`, prefetch settings |
//! | `settle`, `transaction` | ack, nack, reject, recover; what waits for a commit |
//! | `ack_timeout` | what was held too long |
//! | `deadlines` | what happens when time passes: messages and queues that expire |
//! | `rules`, `dead_letter` | what a queue's arguments make of it; what becomes of dead letters |
//! | `reply_to` | answers that go to a channel without a queue |
//! | `policies` | what the operator says of queues and exchanges |
//! | `quorum` | what sets quorum queues apart |
//! | `operator` | what is done to clients: closed, cancelled, nacked |
//! | `alarm` | who is blocked while there is too much |
//! | `dispatch` | who gets the next message |
//! | `single_active` | whose messages they are where only one consumer may have them |
//! | `queue`, `channel`, `backlog`, `ready`, `ring`, `levels`, `party`, `window`, `unacked` | the parts of the state |
//! | `durable`, `restore`, `restore/mend`, `gathered`, `ending` | what survives an end, and the engine that is made of it, or of its ruins |
//! | `view`, `essence`, `invariants` | reading it |
//! | `shared` | what clones have in common |

mod ack_timeout;
mod alarm;
mod arguments;
mod arranging;
mod backlog;
mod bind;
mod bindings;
mod channel;
mod consume;
mod contradiction;
mod dead_letter;
mod deadlines;
mod declare;
mod dispatch;
mod durable;
mod ending;
mod erlang;
mod essence;
mod exchange;
mod frames;
mod gathered;
mod headers;
mod index;
mod inspect;
mod inspect_text;
mod invariants;
mod levels;
mod names;
mod operator;
mod party;
mod pattern;
mod policies;
mod publish;
mod queue;
mod quorum;
mod ready;
mod reply_to;
mod restore;
mod restore_topology;
mod ring;
mod route;
mod rules;
mod session;
mod settle;
mod shared;
mod single_active;
mod topology;
mod transaction;
mod unacked;
mod view;
mod window;

use std::collections::{BTreeMap, VecDeque};

use slotmap::SlotMap;

use crate::protocol::{
    CallId, ChannelId, Command, ConnectionId, ConsumerId, Differences, Effects, ExchangeId, Gate,
    Message, Method, Name, Notice, Now, Output, Policy, QueueId, RabbitMqVersion, Refusal, Reply,
    limits,
};
use alarm::Alarm;
use bindings::Bindings;
use channel::{Channel, Connection};
use consume::Consumer;
use dead_letter::DeadLetter;
use deadlines::Deadlines;
use exchange::Exchange;
use index::Index;
use names::NameGenerator;
use operator::Failing;
use queue::Queue;
use transaction::Settle;

pub use contradiction::{Contradiction, RestoreError};
pub use durable::{DurableExchange, DurableQueue, DurableView};
pub use essence::Essence;
pub use inspect::{
    Death, HeldMessage, InspectedChannel, InspectedConnection, InspectedQueue, Inspection,
    PeekedMessage,
};
pub use restore::{Mend, Mended, Restore, Stop};
pub(crate) use shared::Shared;
pub use view::{
    ActivityStatus, ChannelView, ConnectionView, ConsumerView, EngineView, ExchangeView,
    MessageView, QueueView,
};

/// What an engine is made with; the same options, commands and times give the same effects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// The virtual host, which RabbitMQ's texts name.
    pub vhost: Name,
    /// The RabbitMQ that it behaves as.
    pub version: RabbitMqVersion,
    /// How many channels a connection may have open.
    pub channel_max: u16,
    /// How long a delivery may be held, in milliseconds; `None` for ever (S55).
    pub consumer_timeout_ms: Option<u64>,
    /// The largest message body, in bytes; `None` for the version's default (R1).
    pub message_size_max: Option<u64>,
    /// How many messages there may be before publishers are blocked; `None` for any number.
    pub message_limit: Option<u64>,
    /// How many bytes the bodies of all messages may have before publishers are blocked; `None` for any number.
    pub memory_limit: Option<u64>,
    /// What the names that the broker makes follow from.
    pub name_seed: u64,
    /// Tells this broker from those before it on the same directory, so that they make other names of
    /// the same seed: any number that no other has.
    pub life: u64,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            vhost: "/".into(),
            version: RabbitMqVersion::default(),
            channel_max: limits::CHANNEL_MAX,
            consumer_timeout_ms: Some(limits::CONSUMER_TIMEOUT_MS),
            message_size_max: None,
            message_limit: None,
            memory_limit: None,
            name_seed: 0,
            life: 0,
        }
    }
}

/// The broker's state, and the rules by which it changes.
///
/// It is driven by three calls, in any order:
///
/// 1. [`handle`](Self::handle) takes one command and gives its effects;
/// 2. [`next_deadline`](Self::next_deadline) says when time alone will next change something;
/// 3. [`view`](Self::view) and the other getters look at it.
///
/// It is a value: a clone is another broker in the same state.
#[derive(Clone, Debug)]
pub struct Engine {
    options: Shared<EngineOptions>,
    connections: SlotMap<ConnectionId, Connection>,
    channels: SlotMap<ChannelId, Channel>,
    queues: SlotMap<QueueId, Queue>,
    exchanges: Shared<SlotMap<ExchangeId, Exchange>>,
    bindings: Shared<Bindings>,
    consumers: SlotMap<ConsumerId, Consumer>,
    queue_index: Shared<Index<QueueId>>,
    exchange_index: Shared<Index<ExchangeId>>,
    /// The consumers of answers, by the names that these are sent to.
    reply_index: Index<ConsumerId>,
    names: NameGenerator,
    /// By name.
    policies: Shared<BTreeMap<Name, Policy>>,
    connections_opened: u64,
    queues_declared: u64,
    exchanges_declared: u64,
    /// How often exchanges and bindings have changed, since the beginning.
    topology: u64,
    consumers_added: u64,
    messages_published: u64,
    /// The last message number given before the step at hand.
    known_messages: u64,
    /// What will happen when time passes.
    deadlines: Deadlines,
    /// How many queues there are whose rules depend on the time.
    timed_queues: usize,
    /// When channels are looked at for what they have held too long, in milliseconds of wall time.
    look_ms: Option<u64>,
    alarm: Alarm,
    failing: Option<Failing>,
    /// How many consumers there are that acknowledge.
    acking_consumers: usize,
    /// The time of the last step that depended on it.
    now: Now,
    /// Queues that were recovered, until the first step tells the time.
    recovered: Vec<QueueId>,
    consumers_asked: u64,
    /// Queues to be dispatched before the step is over; empty between steps.
    touched: Vec<QueueId>,
    /// Channels whose own window may have room again; empty between steps.
    roomy: Vec<ChannelId>,
    /// Confirms of this step, which follow its deliveries (S107); empty between steps.
    confirms: Vec<Output>,
    /// Dead letters of this step, in order, which are to be published; empty between steps.
    dead_letters: VecDeque<DeadLetter>,
}

/// Who sent the method that is being handled.
#[derive(Clone, Copy, Debug)]
struct Caller {
    connection: ConnectionId,
    connection_number: u64,
    channel: ChannelId,
    channel_number: u16,
    call: CallId,
}

impl Engine {
    /// A broker with no queues, no clients, and the exchanges that are there from the start (S147).
    #[must_use]
    pub fn new(options: EngineOptions) -> Self {
        let mut engine = Self {
            names: NameGenerator::new(options.name_seed, options.life),
            options: Shared::new(options),
            connections: SlotMap::with_key(),
            channels: SlotMap::with_key(),
            queues: SlotMap::with_key(),
            exchanges: Shared::new(SlotMap::with_key()),
            bindings: Shared::default(),
            consumers: SlotMap::with_key(),
            queue_index: Shared::default(),
            exchange_index: Shared::default(),
            reply_index: Index::default(),
            policies: Shared::default(),
            connections_opened: 0,
            queues_declared: 0,
            exchanges_declared: 0,
            topology: 0,
            consumers_added: 0,
            messages_published: 0,
            known_messages: 0,
            deadlines: Deadlines::default(),
            timed_queues: 0,
            look_ms: None,
            alarm: Alarm::default(),
            failing: None,
            acking_consumers: 0,
            now: Now::default(),
            recovered: Vec::new(),
            consumers_asked: 0,
            touched: Vec::new(),
            roomy: Vec::new(),
            confirms: Vec::new(),
            dead_letters: VecDeque::new(),
        };
        engine.add_predeclared_exchanges();
        engine
    }

    /// Takes one command at the time `now`, and adds its effects to `effects`.
    ///
    /// A refused command changes nothing but what AMQP says: its channel or connection is closed.
    pub fn handle(&mut self, now: Now, mut command: Command, effects: &mut Effects) {
        self.pass_time(now, effects);
        effects.now = now;
        self.begin_step();
        let publisher = self.publisher(&command);
        // A command is large and every message is one: what it brings is taken where it is needed,
        // rather than moved from function to function.
        match &mut command {
            Command::OpenConnection { user } => self.open_connection(user.clone(), effects),
            Command::CloseConnection { connection } => {
                self.end_connection(*connection, Notice::ConnectionEnded, effects);
            }
            Command::EndConnection { number, refusal } => {
                self.force_end(*number, refusal.take(), effects);
            }
            Command::EndChannel { connection, channel, refusal } => {
                self.force_close((*connection, *channel), refusal.clone(), effects);
            }
            Command::CancelConsumer { connection, channel, consumer_tag } => {
                self.force_cancel((*connection, *channel), consumer_tag, effects);
            }
            Command::RaiseAlarm { reason } => self.raise_alarm(reason.take(), effects),
            Command::FailPublishes { queue, count } => {
                let (queue, left) = (queue.take(), *count);
                self.failing = (left > 0).then_some(Failing { queue, left });
            }
            Command::TimePassed => {}
            Command::Publish { publish } => self.publish_unconnected(publish, effects),
            Command::Drain { queue } => self.drain(queue, effects),
            Command::SetPolicy { policy } => self.set_policy(policy, effects),
            Command::ClearPolicy { policy } => self.clear_policy(policy, effects),
            Command::Shutdown { refusal } => self.shutdown(refusal, effects),
            Command::OpenChannel { connection, number, call } => {
                if let Err(refusal) = self.open_channel(*connection, *number, *call, effects) {
                    let notice = Notice::ConnectionClosed(refusal);
                    self.end_connection(*connection, notice, effects);
                }
            }
            Command::Channel { channel, call, method } => {
                self.channel_method(*channel, *call, method, effects);
            }
        }
        self.finish(effects);
        self.mind_limits(publisher, effects);
    }

    /// What its version answers where versions differ.
    fn version(&self) -> &'static Differences {
        self.options.version.differences()
    }

    fn begin_step(&mut self) {
        self.known_messages = self.messages_published;
    }

    /// The second half of a step: everything that was touched is dispatched, and each dead letter is
    /// published and dispatched in turn.
    fn finish(&mut self, effects: &mut Effects) {
        self.serve(effects);
        self.say_confirms(effects);
    }

    fn serve(&mut self, effects: &mut Effects) {
        self.pump(effects);
        // What they lead to in turn has a bound, however queues and exchanges are tied together.
        let mut left = self.dead_letters.len().saturating_mul(limits::LETTERS_PER_DEATH);
        while let Some(letter) = self.dead_letters.pop_front() {
            if left == 0 {
                letter.dropped(effects);
                continue;
            }
            left -= 1;
            self.begin_step();
            self.publish_dead_letter(letter, effects);
            self.pump(effects);
        }
    }

    fn channel_method(
        &mut self,
        channel_id: ChannelId,
        call: CallId,
        method: &mut Method,
        effects: &mut Effects,
    ) {
        // A method on a channel that the broker has closed is ignored (S171).
        let Some(channel) = self.channels.get(channel_id) else { return };
        let caller = Caller {
            connection: channel.connection,
            connection_number: channel.connection_number,
            channel: channel_id,
            channel_number: channel.number,
            call,
        };
        if let Err(refusal) = frames::check(method) {
            // What cannot be read is nobody's method.
            self.refuse(caller, refusal, effects);
        } else if let Err(refusal) = self.change(caller, method, effects) {
            self.refuse(caller, refusal.of_method(method.id()), effects);
        }
    }

    fn change(
        &mut self,
        caller: Caller,
        method: &mut Method,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        match method {
            Method::BasicPublish(publish) => self.publish(caller, publish, effects)?,
            Method::BasicAck { delivery_tag, multiple } => {
                self.settle_tags(caller, *delivery_tag, *multiple, Settle::Ack, effects)?;
            }
            Method::BasicNack { delivery_tag, multiple, requeue } => {
                let how = if *requeue { Settle::Requeue { failed: false } } else { Settle::Drop };
                self.settle_tags(caller, *delivery_tag, *multiple, how, effects)?;
            }
            Method::BasicReject { delivery_tag, requeue } => {
                let how = if *requeue { Settle::Requeue { failed: true } } else { Settle::Drop };
                self.settle_tags(caller, *delivery_tag, false, how, effects)?;
            }
            Method::BasicRecover { requeue } => self.recover(caller, *requeue, true, effects)?,
            Method::BasicRecoverAsync { requeue } => {
                self.recover(caller, *requeue, false, effects)?;
            }
            Method::BasicGet { queue, no_ack } => {
                self.get(caller, queue.as_str(), *no_ack, effects)?;
            }
            Method::BasicConsume(consume) => self.consume(caller, consume, effects)?,
            Method::BasicCancel { consumer_tag, nowait } => {
                self.cancel(caller, consumer_tag.as_str(), *nowait, effects);
            }
            Method::BasicQos { prefetch_size, prefetch_count, global } => {
                self.qos(caller, *prefetch_size, *prefetch_count, *global, effects)?;
            }
            Method::ExchangeDeclare(declare) => self.declare_exchange(caller, declare, effects)?,
            Method::ExchangeDelete { exchange, if_unused, nowait } => {
                self.delete_exchange(caller, exchange.as_str(), *if_unused, *nowait, effects)?;
            }
            Method::ExchangeBind(bind) => self.bind_exchange(caller, bind, effects)?,
            Method::ExchangeUnbind(unbind) => self.unbind_exchange(caller, unbind, effects)?,
            Method::QueueBind(bind) => self.bind_queue(caller, bind, effects)?,
            Method::QueueUnbind(unbind) => self.unbind_queue(caller, unbind, effects)?,
            Method::QueueDeclare(declare) => self.declare(caller, declare, effects)?,
            Method::QueuePurge { queue, nowait } => {
                self.purge(caller, queue.as_str(), *nowait, effects)?;
            }
            Method::QueueDelete { queue, if_unused, if_empty, nowait } => {
                let (if_unused, if_empty) = (*if_unused, *if_empty);
                let conditions = declare::DeleteConditions { if_unused, if_empty };
                self.delete(caller, queue.as_str(), conditions, *nowait, effects)?;
            }
            Method::ConfirmSelect { nowait } => self.confirm_select(caller, *nowait, effects)?,
            Method::TxSelect => self.select_transaction(caller, effects)?,
            Method::TxCommit => self.commit(caller, effects)?,
            Method::TxRollback => self.roll_back(caller, effects)?,
            Method::ChannelFlow { active } => self.flow(caller, *active, effects)?,
            Method::ChannelClose => self.close_channel(caller, effects),
        }
        Ok(())
    }

    /// Answers the method at hand.
    fn reply(&self, caller: Caller, gate: Gate, reply: Reply, effects: &mut Effects) {
        effects.outputs.push(Output {
            connection: caller.connection,
            channel: Some(caller.channel),
            gate,
            notice: Notice::Reply { call: caller.call, reply },
        });
    }

    /// Marks a queue for the second half of the step.
    fn touch(&mut self, queue_id: QueueId) {
        if let Some(queue) = self.queues.get_mut(queue_id)
            && !queue.touched
        {
            queue.touched = true;
            self.touched.push(queue_id);
        }
    }
}

impl Caller {
    /// Adds an event of this caller, if events are wanted.
    fn record(self, effects: &mut Effects, event: impl FnOnce() -> crate::protocol::EventKind) {
        effects.record_event(Some(self.connection_number), Some(self.channel_number), event);
    }
}

/// Whether entering or leaving a queue is a durable fact; all messages of a quorum queue are durable (S146).
fn is_recorded(queue: &Queue, message: &Message) -> bool {
    queue.durable && (message.persistent() || queue.rules.quorum.is_some())
}
