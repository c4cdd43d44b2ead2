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
//! consumers, those of priorities and of single active consumers are covered, with values that are allowed; of
//! an exchange's the alternate exchange is, and of a headers binding's those whose values have the same type as
//! the message's.

mod arguments;
mod consume;
mod declare;
mod exchange;
mod publish;
mod restart;
mod route;
mod session;
mod settle;
mod view;

pub use exchange::SurvivingTopology;
pub use restart::{SurvivingQueue, Survivor};

use super::{Act, Said, What};
use crate::protocol::{Binding, Method, limits};
use exchange::Exchange;

/// A message.
#[derive(Clone, Debug)]
struct Message {
    id: u64,
    body: String,
    persistent: bool,
    /// The priority that it was published with.
    priority: u8,
}

/// A message in a queue.
#[derive(Clone, Debug)]
struct Ready {
    message: Message,
    redelivered: bool,
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
    /// What `x-max-priority` says.
    max_priority: Option<u8>,
    /// What `x-single-active-consumer` says.
    single_active: Option<bool>,
    /// The number of the single active consumer.
    holder: Option<u64>,
    ready: Vec<Ready>,
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
        match act {
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
        self.hand_out();
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
                return self.settle(from, *delivery_tag, *multiple, false);
            }
            Method::BasicNack { delivery_tag, multiple, requeue } => {
                return self.settle(from, *delivery_tag, *multiple, *requeue);
            }
            Method::BasicReject { delivery_tag, requeue } => {
                return self.settle(from, *delivery_tag, false, *requeue);
            }
            Method::BasicRecover { requeue } => return self.recover(from, *requeue, true),
            Method::BasicRecoverAsync { requeue } => return self.recover(from, *requeue, false),
            Method::ConfirmSelect { nowait } => self.confirm_select(from, *nowait),
            Method::TxSelect | Method::TxCommit | Method::TxRollback => {
                return refused(540, "the obvious broker knows no transactions");
            }
        }
        Ok(())
    }

    /// Hands out what can be handed out: every queue in turn, then one of those that suspended a
    /// channel which has room, and so on.
    fn hand_out(&mut self) {
        self.queues.iter_mut().for_each(Queue::find_holder);
        loop {
            for index in 0..self.queues.len() {
                while self.hand_out_one(index) {}
            }
            let resumed = self
                .channels
                .iter_mut()
                .find(|channel| !channel.suspended_by.is_empty() && channel.has_room());
            let Some(channel) = resumed else {
                return;
            };
            let queue = channel.suspended_by.remove(0);
            let from = From { connection: channel.connection, channel: channel.number };
            self.come_back(queue, from);
        }
    }

    /// Tries one consumer of a queue. False if there is nothing to hand out, or nobody to try.
    fn hand_out_one(&mut self, index: usize) -> bool {
        let queue = &mut self.queues[index];
        let Some(next) = queue.next_consumer() else {
            return false;
        };
        if queue.ready.is_empty() {
            return false;
        }
        let consumer = queue.active.remove(next);
        let from = From { connection: consumer.connection, channel: consumer.channel };
        let channel = channel_in(&mut self.channels, from);
        if !consumer.no_ack && !channel.has_room_for(&consumer) {
            queue.blocked.push(consumer);
            return true;
        }
        if !consumer.no_ack && !channel.has_room() {
            queue.blocked.push(consumer);
            if !channel.suspended_by.contains(&queue.number) {
                channel.suspended_by.push(queue.number);
            }
            return true;
        }
        let Ready { message, redelivered } = queue.ready.remove(0);
        channel.last_tag += 1;
        let what = What::Deliver {
            consumer: consumer.tag.clone(),
            tag: channel.last_tag,
            redelivered,
            body: message.body.clone(),
        };
        if !consumer.no_ack {
            channel.held.push(Held {
                tag: channel.last_tag,
                message,
                queue: queue.number,
                consumer: Some(consumer.number),
            });
        }
        queue.active.push(consumer);
        self.say(from, what);
        true
    }

    /// Moves the blocked consumers that one channel has on one queue, if they have room of their own,
    /// to the tail of the active ones.
    fn come_back(&mut self, queue: u64, from: From) {
        let channel = channel_in(&mut self.channels, from);
        let found = self.queues.iter_mut().find(|other| other.number == queue);
        if let Some(queue) = found {
            for consumer in std::mem::take(&mut queue.blocked) {
                let its = consumer.connection == from.connection
                    && consumer.channel == from.channel
                    && channel.has_room_for(&consumer);
                if its {
                    queue.active.push(consumer);
                } else {
                    queue.blocked.push(consumer);
                }
            }
        }
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
        let held = self.held.iter().filter(|held| held.consumer.is_some());
        self.limit == 0 || held.count() < usize::from(self.limit)
    }

    /// Whether a consumer's own window has room.
    fn has_room_for(&self, consumer: &Consumer) -> bool {
        let its = |held: &&Held| held.consumer == Some(consumer.number);
        consumer.window == 0 || self.held.iter().filter(its).count() < usize::from(consumer.window)
    }
}

impl Queue {
    /// Where among the active the consumer is that is tried next.
    fn next_consumer(&self) -> Option<usize> {
        let tried =
            |consumer: &&Consumer| !self.is_single() || Some(consumer.number) == self.holder;
        let highest = self.active.iter().filter(tried).map(|consumer| consumer.priority).max()?;
        let next = |consumer: &Consumer| tried(&consumer) && consumer.priority == highest;
        self.active.iter().position(next)
    }

    /// Finds a successor, if the single active consumer is gone.
    fn find_holder(&mut self) {
        if !self.is_single() {
            return;
        }
        let consumers = self.consumers();
        if consumers.iter().any(|consumer| Some(consumer.number) == self.holder) {
            return;
        }
        let first = consumers.iter().min_by_key(|consumer| (-consumer.priority, consumer.number));
        self.holder = first.map(|consumer| consumer.number);
    }

    fn is_single(&self) -> bool {
        self.single_active == Some(true)
    }

    /// The priority by which a message stands in this queue.
    fn priority_of(&self, message: &Message) -> u8 {
        message.priority.min(self.max_priority.unwrap_or(0))
    }

    /// Puts a message at its place.
    fn insert(&mut self, ready: Ready) {
        let before = |other: &Ready| {
            let (this, that) = (self.priority_of(&ready.message), self.priority_of(&other.message));
            that > this || (that == this && other.message.id < ready.message.id)
        };
        let place = self.ready.iter().take_while(|other| before(other)).count();
        self.ready.insert(place, ready);
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
