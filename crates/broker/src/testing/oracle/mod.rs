//! The same broker again, on plain vectors: obviously right, and slow.
//!
//! It shares no code with the engine, only the words of `protocol`. Where the engine keeps an index,
//! the oracle searches; where the engine counts, the oracle counts anew; where the engine touches only
//! what changed, the oracle goes over everything. Its model of a queue is the one that explains every
//! trace of RabbitMQ:
//!
//! * A queue has a list of *active* consumers and a list of *blocked* ones. To hand out a message it
//!   takes the first active one. If that one can take it, it delivers and moves it to the tail of the
//!   active; if not, it moves it to the tail of the blocked and tries the next (S1–S5).
//! * A consumer that was blocked by its own window becomes active again, at the tail, when something
//!   it held is settled (S5, S6).
//! * Consumers have priorities. The first active one is the first of those with the highest (S15).
//! * In a queue with a single active consumer only that one is ever tried. When it is gone, the one of
//!   the highest priority is next, and of several the earliest (S19–S23).
//! * The ready messages stand by their priorities, and within one in the order of publishing (S138).
//! * The first refusal for want of room in a *channel's* window makes the queue suspend that channel:
//!   until it has room, none of its blocked consumers come back, whatever blocked them. Then all that
//!   have room of their own come back together, in the order in which they were blocked (S8, S37).
//!
//! RabbitMQ leaves some things open, and there the oracle makes the engine's documented choice: a
//! channel with room again serves the queues that suspended it in the order in which they did (S45);
//! confirms come one by one, in order, at the end of their step (S106); queues are dispatched in the
//! order of declaring. The names that a broker makes are told to the oracle, which only looks whether
//! they may be. Four oddities of RabbitMQ are not followed: S23, S40, S41 and S43. Of the arguments of queues and
//! consumers, those of priorities, single active consumers, times to live, lengths and dead letters are covered,
//! with values that are allowed; of an exchange's the alternate exchange is, and of a headers binding's those
//! whose values have the same type as the message's. Transactions are covered, and quorum queues as 4.0 has them;
//! policies and limits of the broker are not.
//!
//! What a queue does by itself is in its turn: before anything is handed out, what came back and is too much goes
//! from its head; after that, what is too much or has expired. What expires before that is what was there when the
//! step began (S119). Dead letters are published when all that can be has been handed out, one by one (S132).

mod arguments;
mod consume;
mod declare;
mod dispatch;
mod exchange;
mod message;
mod publish;
mod restart;
mod route;
mod rules;
mod session;
mod settle;
mod transaction;
mod view;

pub use exchange::SurvivingTopology;
pub use message::Message;
pub use restart::{SurvivingQueue, Survivor};

use super::{Act, Said, What};
use crate::protocol::types::FieldTable;
use crate::protocol::{Binding, Method, limits};
use exchange::Exchange;
use rules::{Letter, Rules};
use settle::Settled;
use transaction::Transaction;

/// A message in a queue.
#[derive(Clone, Debug)]
struct Ready {
    message: Message,
    redelivered: bool,
    /// Whether it stands before those that never came back, in the order of returning: in a quorum queue (S66).
    returned: bool,
    /// Whether it was put last, whatever its priority.
    last: bool,
}

/// A message in the hands of a channel.
#[derive(Clone, Debug)]
struct Held {
    tag: u64,
    message: Message,
    /// The number of the queue it came from.
    queue: u64,
    /// The number of the consumer that got it; `None` if `basic.get` did.
    consumer: Option<u64>,
    /// Whether the queue is a quorum queue, which windows of channels do not count (S144).
    of_quorum: bool,
}

#[derive(Clone, Debug)]
struct Connection {
    number: u64,
    user: String,
}

#[derive(Clone, Debug)]
struct Channel {
    connection: u64,
    number: u16,
    /// The window of its later consumers.
    prefetch: u16,
    /// The window of the whole channel.
    limit: u16,
    last_tag: u64,
    held: Vec<Held>,
    /// The number of the last publish, once it confirms.
    confirms: Option<u64>,
    /// What waits for a commit, if it is a transactional channel.
    transaction: Option<Transaction>,
    last_queue: Option<String>,
    /// The numbers of the queues that have suspended this channel, in that order.
    suspended_by: Vec<u64>,
}

#[derive(Clone, Debug)]
struct Consumer {
    number: u64,
    tag: String,
    connection: u64,
    channel: u16,
    window: u16,
    no_ack: bool,
    exclusive: bool,
    priority: i64,
}

#[derive(Clone, Debug)]
struct Queue {
    number: u64,
    name: String,
    durable: bool,
    auto_delete: bool,
    /// The connection it is exclusive to.
    owner: Option<u64>,
    arguments: FieldTable,
    /// What these say of times, lengths and dead letters.
    rules: Rules,
    /// What `x-max-priority` says.
    max_priority: Option<u8>,
    /// What `x-single-active-consumer` says.
    single_active: Option<bool>,
    /// The number of the single active consumer.
    holder: Option<u64>,
    ready: Vec<Ready>,
    /// How many messages of high priority have left a quorum queue since one of the others was passed over (R4).
    in_a_row: u8,
    /// Whether a message has come since its last turn,
    has_changed: bool,
    /// and whether one has come back.
    came_back: bool,
    /// When it was used last.
    used_ms: u64,
    active: Vec<Consumer>,
    blocked: Vec<Consumer>,
}

/// A broker that is slow and right. See the [module's](crate::testing) example.
#[derive(Clone, Debug)]
pub struct Oracle {
    connections: Vec<Connection>,
    channels: Vec<Channel>,
    queues: Vec<Queue>,
    exchanges: Vec<Exchange>,
    bindings: Vec<Binding>,
    connected: u64,
    declared: u64,
    subscribed: u64,
    published: u64,
    channel_max: u16,
    /// What the clock shows, in milliseconds.
    time_ms: u64,
    /// The time of what is happening.
    now_ms: u64,
    /// Whether it was recovered and nothing has happened yet.
    recovered: bool,
    /// The last message that was there when the step at hand began.
    known: u64,
    /// What has died in this step, in order.
    letters: Vec<Letter>,
    /// The messages that the step at hand has handed out, in order.
    handed_out: Vec<Message>,
    /// What the step at hand has said so far.
    said: Vec<Said>,
    /// What it will say last.
    confirmed: Vec<Said>,
}

/// Who sent the method at hand.
#[derive(Clone, Copy, Debug)]
struct From {
    connection: u64,
    channel: u16,
}

/// A refusal: code and text.
struct Refused(u16, String);

type Outcome = Result<(), Refused>;

impl Default for Oracle {
    fn default() -> Self {
        Self::new()
    }
}

impl Oracle {
    /// A broker without queues and clients; its virtual host is `/`.
    #[must_use]
    pub fn new() -> Self {
        Self::with_channel_max(limits::CHANNEL_MAX)
    }

    /// The same, with another limit on a connection's channels.
    #[must_use]
    pub fn with_channel_max(channel_max: u16) -> Self {
        Self {
            connections: Vec::new(),
            channels: Vec::new(),
            queues: Vec::new(),
            exchanges: exchange::predeclared(),
            bindings: Vec::new(),
            connected: 0,
            declared: 0,
            subscribed: 0,
            published: 0,
            channel_max,
            time_ms: 0,
            now_ms: 0,
            recovered: false,
            known: 0,
            letters: Vec::new(),
            handed_out: Vec::new(),
            said: Vec::new(),
            confirmed: Vec::new(),
        }
    }

    /// Does what `act` says, and gives what the clients are told, in order.
    ///
    /// `made` is the name that the broker under test made in this step, if it made one.
    ///
    /// # Panics
    ///
    /// If a name has to be made and `made` is not a name that may be.
    pub fn act(&mut self, act: &Act, made: Option<&str>) -> Vec<Said> {
        if let Act::Pass { ms } = act {
            self.pass(*ms);
        }
        self.handed_out.clear();
        self.do_what_is_due();
        self.known = self.published;
        match act {
            Act::Pass { .. } => {}
            Act::Connect { user } => self.connect(user),
            Act::Disconnect { connection } => self.end_connection(*connection, None),
            Act::Shutdown { reason } => self.shutdown(reason),
            Act::Open { connection, channel } => self.open(*connection, *channel),
            Act::Method { connection, channel, method } => {
                let from = From { connection: *connection, channel: *channel };
                if self.channels.iter().any(|channel| channel.is(from)) {
                    let outcome = self.method(from, method, made);
                    if let Err(Refused(code, text)) = outcome {
                        self.refuse(from, code, text, method.id());
                    }
                }
            }
        }
        self.finish();
        self.said.append(&mut self.confirmed);
        std::mem::take(&mut self.said)
    }

    fn method(&mut self, from: From, method: &Method, made: Option<&str>) -> Outcome {
        match method {
            Method::ChannelClose => self.close(from),
            Method::ChannelFlow { active: false } => return refused(540, "active=false"),
            Method::ChannelFlow { active: true } => self.say(from, What::FlowOk(true)),
            Method::ExchangeDeclare(declare) => return self.declare_exchange(from, declare),
            Method::ExchangeDelete { exchange, if_unused, nowait } => {
                return self.delete_exchange(from, exchange.as_str(), *if_unused, *nowait);
            }
            Method::ExchangeBind(bind) => return self.bind(from, exchange::of(bind), bind.nowait),
            Method::ExchangeUnbind(bind) => {
                return self.unbind(from, exchange::of(bind), bind.nowait);
            }
            Method::QueueBind(bind) => {
                let binding = self.queue_binding(from, bind)?;
                return self.bind(from, binding, bind.nowait);
            }
            Method::QueueUnbind(bind) => {
                let binding = self.queue_binding(from, bind)?;
                return self.unbind(from, binding, bind.nowait);
            }
            Method::QueueDeclare(declare) => return self.declare(from, declare, made),
            Method::QueuePurge { queue, nowait } => {
                return self.purge(from, queue.as_str(), *nowait);
            }
            Method::QueueDelete { queue, if_unused, if_empty, nowait } => {
                return self.delete(from, queue.as_str(), *if_unused, *if_empty, *nowait);
            }
            Method::BasicQos { prefetch_size, prefetch_count, global } => {
                return self.qos(from, *prefetch_size, *prefetch_count, *global);
            }
            Method::BasicConsume(consume) => return self.consume(from, consume, made),
            Method::BasicCancel { consumer_tag, nowait } => {
                self.cancel(from, consumer_tag.as_str(), *nowait)
            }
            Method::BasicPublish(publish) => return self.publish(from, publish),
            Method::BasicGet { queue, no_ack } => return self.get(from, queue.as_str(), *no_ack),
            Method::BasicAck { delivery_tag, multiple } => {
                return self.settle(from, *delivery_tag, *multiple, Settled::Acked);
            }
            Method::BasicNack { delivery_tag, multiple, requeue } => {
                return self.settle(from, *delivery_tag, *multiple, Settled::rejected(*requeue));
            }
            Method::BasicReject { delivery_tag, requeue } => {
                return self.settle(from, *delivery_tag, false, Settled::rejected(*requeue));
            }
            Method::BasicRecover { requeue } => return self.recover(from, *requeue, true),
            Method::BasicRecoverAsync { requeue } => return self.recover(from, *requeue, false),
            Method::ConfirmSelect { nowait } => return self.confirm_select(from, *nowait),
            Method::TxSelect => return self.select_transaction(from),
            Method::TxCommit => return self.commit(from),
            Method::TxRollback => return self.roll_back(from),
        }
        Ok(())
    }

    /// The messages that the last act has handed out, in order.
    #[must_use]
    pub fn handed_out(&self) -> &[Message] {
        &self.handed_out
    }

    fn say(&mut self, from: From, what: What) {
        self.said.push(Said { connection: from.connection, channel: Some(from.channel), what });
    }

    fn channel(&mut self, from: From) -> &mut Channel {
        channel_in(&mut self.channels, from)
    }
}

/// The channel that a method came on, or that a consumer is on.
fn channel_in(channels: &mut [Channel], from: From) -> &mut Channel {
    let found = channels.iter_mut().find(|channel| channel.is(from));
    found.expect("the oracle forgets methods and consumers together with their channel")
}

impl Channel {
    fn is(&self, from: From) -> bool {
        self.connection == from.connection && self.number == from.channel
    }

    /// Whether the channel's window has room; what was got does not count (S39).
    fn has_room(&self) -> bool {
        let counts = |held: &&Held| held.consumer.is_some() && !held.of_quorum;
        let held = self.held.iter().filter(counts);
        self.limit == 0 || held.count() < usize::from(self.limit)
    }

    /// Whether a consumer's own window has room.
    fn has_room_for(&self, consumer: &Consumer) -> bool {
        let its = |held: &&Held| held.consumer == Some(consumer.number);
        consumer.window == 0 || self.held.iter().filter(its).count() < usize::from(consumer.window)
    }
}

impl Queue {
    fn is_single(&self) -> bool {
        self.single_active == Some(true)
    }

    /// The priority by which a message stands in this queue.
    fn priority_of(&self, message: &Message) -> u8 {
        if self.rules.quorum.is_some() {
            return u8::from(message.priority > 4);
        }
        message.priority.min(self.max_priority.unwrap_or(0))
    }

    /// Puts a message at its place.
    fn insert(&mut self, ready: Ready) {
        let before = |other: &Ready| {
            let (this, that) = (self.priority_of(&ready.message), self.priority_of(&other.message));
            other.returned || that > this || (that == this && other.message.id < ready.message.id)
        };
        let place = self.ready.iter().take_while(|other| before(other)).count();
        self.ready.insert(place, ready);
        self.has_changed = true;
    }

    /// Its consumers in the order of subscribing.
    fn consumers(&self) -> Vec<&Consumer> {
        let mut all: Vec<_> = self.active.iter().chain(&self.blocked).collect();
        all.sort_by_key(|consumer| consumer.number);
        all
    }
}

fn refused<T>(code: u16, text: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(code, text.into()))
}
