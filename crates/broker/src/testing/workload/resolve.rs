//! What an operation means by what there is.

use bytes::Bytes;

use super::{Mistake, Op, rules};
use crate::engine::{ChannelView, EngineView, QueueView};
use crate::protocol::types::{AMQPValue, FieldTable, ShortString};
use crate::protocol::{BasicConsume, BasicPublish, Method, PERSISTENT, Properties, QueueDeclare};
use crate::testing::{Act, Harness};

/// The queues that programs declare; the empty name is one that the broker makes.
const QUEUES: [&str; 5] = ["q1", "q2", "q3", "q4", ""];
/// The tags that consumers have on each channel; the empty one is one that the broker makes.
const TAGS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", ""];
/// How many clients there are at most, and channels on each connection.
const CLIENTS: usize = 3;

/// What there is when an operation's turn comes.
pub(super) struct Scene {
    pub(super) view: EngineView,
    /// Makes bodies differ.
    serial: u64,
}

impl Op {
    /// What this means now; `None` if it means nothing, such as deleting a queue when there is none.
    /// With no client connected, or no channel open, every operation means to change that.
    #[must_use]
    pub fn resolve(self, harness: &Harness) -> Option<Act> {
        let scene = Scene { view: harness.view(), serial: harness.steps() };
        if scene.view.connections.is_empty() {
            return Self::Connect.act(&scene);
        }
        if scene.view.channels.is_empty() {
            return Self::Open { connection: 0 }.act(&scene);
        }
        self.act(&scene)
    }

    fn act(self, scene: &Scene) -> Option<Act> {
        match self {
            Self::Connect => (scene.view.connections.len() < CLIENTS)
                .then(|| Act::Connect { user: "guest".into() }),
            Self::Disconnect { connection } => Some(Act::Disconnect {
                connection: pick(&scene.view.connections, connection)?.number,
            }),
            Self::Open { connection } => scene.open(connection),
            Self::Close { channel } => Some(on(scene.channel(channel)?, Method::ChannelClose)),
            Self::Declare {
                channel,
                queue,
                durable,
                exclusive,
                auto_delete,
                passive,
                max_priority,
                single_active,
            } => {
                let mut declare = QueueDeclare {
                    arguments: queue_arguments(max_priority, single_active),
                    queue: (*pick(&QUEUES, queue)?).into(),
                    durable,
                    exclusive,
                    auto_delete,
                    ..QueueDeclare::default()
                };
                scene.agree_with_existing(&mut declare, passive);
                Some(on(scene.channel(channel)?, Method::QueueDeclare(declare)))
            }
            Self::DeclareRuled { channel, queue, durable } => {
                let (name, _) = pick(&rules::RULED, queue)?;
                let durable = durable || rules::is_quorum(name);
                let mut declare =
                    QueueDeclare { queue: (*name).into(), durable, ..QueueDeclare::default() };
                declare.arguments = rules::with_rules(name, FieldTable::default());
                scene.agree_with_existing(&mut declare, false);
                Some(on(scene.channel(channel)?, Method::QueueDeclare(declare)))
            }
            Self::Pass { ms } => Some(Act::Pass { ms: ms.into() }),
            Self::Purge { channel, queue } => {
                let (queue, nowait) = (scene.queue(queue)?, false);
                let method = Method::QueuePurge { queue, nowait };
                Some(on(scene.channel(channel)?, method))
            }
            Self::Delete { channel, queue, if_unused, if_empty } => {
                let method = Method::QueueDelete {
                    queue: scene.queue(queue)?,
                    if_unused,
                    if_empty,
                    nowait: false,
                };
                Some(on(scene.channel(channel)?, method))
            }
            Self::Qos { channel, count, global } => {
                Some(on(scene.channel(channel)?, qos(0, count.into(), global)))
            }
            Self::TxSelect { .. } | Self::TxEnd { .. } | Self::Confirm { .. } => {
                self.mode_act(scene)
            }
            Self::Err { channel, mistake } => scene.mistake(scene.channel(channel)?, mistake),
            _ => self.topology_act(scene).or_else(|| self.message_act(scene)),
        }
    }

    /// The operations of confirms and transactions.
    fn mode_act(self, scene: &Scene) -> Option<Act> {
        match self {
            Self::TxSelect { channel } => {
                let channel = scene.channel(channel).filter(|channel| !channel.confirm)?;
                Some(on(channel, Method::TxSelect))
            }
            Self::TxEnd { channel, commit } => {
                let channels = scene.view.channels.iter();
                let all: Vec<_> = channels.filter(|channel| channel.transactional).collect();
                let method = if commit { Method::TxCommit } else { Method::TxRollback };
                Some(on(pick(&all, channel)?, method))
            }
            Self::Confirm { channel } => {
                let channel = scene.channel(channel).filter(|channel| !channel.transactional)?;
                let method = Method::ConfirmSelect { nowait: false };
                Some(on(channel, method))
            }
            _ => None,
        }
    }

    /// The operations that deal with messages and consumers.
    pub(super) fn message_act(self, scene: &Scene) -> Option<Act> {
        match self {
            Self::Consume { channel, queue, tag, no_ack, exclusive, nowait, priority } => {
                let channel = scene.channel(channel)?;
                let used = scene.tags(channel);
                let mut free = TAGS.to_vec();
                free.retain(|tag| !used.iter().any(|used| used.as_str() == *tag));
                let consume = BasicConsume {
                    queue: scene.queue(queue)?,
                    consumer_tag: (*pick(&free, tag)?).into(),
                    no_ack,
                    exclusive,
                    nowait,
                    arguments: consumer_arguments(priority),
                    ..BasicConsume::default()
                };
                Some(on(channel, Method::BasicConsume(consume)))
            }
            Self::Cancel { channel, tag } => {
                let channel = scene.channel(channel)?;
                let tags = scene.tags(channel);
                let method = Method::BasicCancel {
                    consumer_tag: pick(&tags, tag).cloned().unwrap_or_default(),
                    nowait: false,
                };
                Some(on(channel, method))
            }
            Self::Publish { channel, queue, mandatory, persistent, priority, ttl_ms } => {
                let mut keys = scene.queues();
                keys.push("nowhere".into());
                let mut publish = scene.message(pick(&keys, queue)?.clone());
                publish.mandatory = mandatory;
                let mut properties = Properties::default();
                if persistent {
                    properties = properties.with_delivery_mode(PERSISTENT);
                }
                if let Some(priority) = priority {
                    properties = properties.with_priority(priority);
                }
                if let Some(ttl_ms) = ttl_ms {
                    properties = properties.with_expiration(ttl_ms.to_string().into());
                }
                publish.properties = properties;
                Some(on(scene.channel(channel)?, Method::BasicPublish(publish)))
            }
            Self::Get { channel, queue, no_ack } => {
                let queue = scene.queue(queue)?;
                let method = Method::BasicGet { queue, no_ack };
                Some(on(scene.channel(channel)?, method))
            }
            _ => self.settling_act(scene),
        }
    }

    /// The operations that settle.
    fn settling_act(self, scene: &Scene) -> Option<Act> {
        match self {
            Self::Ack { channel, held, multiple } => scene
                .settle(channel, held, |delivery_tag| Method::BasicAck { delivery_tag, multiple }),
            Self::Nack { channel, held, multiple, requeue } => {
                scene.settle(channel, held, |delivery_tag| Method::BasicNack {
                    delivery_tag,
                    multiple,
                    requeue,
                })
            }
            Self::Reject { channel, held, requeue } => {
                scene.settle(channel, held, |delivery_tag| Method::BasicReject {
                    delivery_tag,
                    requeue,
                })
            }
            Self::SettleAll { channel, requeue } => {
                let (delivery_tag, multiple) = (0, true);
                let method = if requeue {
                    Method::BasicNack { delivery_tag, multiple, requeue }
                } else {
                    Method::BasicAck { delivery_tag, multiple }
                };
                Some(on(scene.channel(channel)?, method))
            }
            Self::Recover { channel, answered } => {
                let method = if answered {
                    Method::BasicRecover { requeue: true }
                } else {
                    Method::BasicRecoverAsync { requeue: true }
                };
                Some(on(scene.channel(channel)?, method))
            }
            _ => None,
        }
    }
}

impl Scene {
    pub(super) fn channel(&self, index: u8) -> Option<&ChannelView> {
        pick(&self.view.channels, index)
    }

    pub(super) fn queues(&self) -> Vec<ShortString> {
        let name = |queue: &QueueView| ShortString::from(&*queue.name);
        self.view.queues.iter().map(name).collect()
    }

    pub(super) fn queue(&self, index: u8) -> Option<ShortString> {
        pick(&self.queues(), index).cloned()
    }

    /// The tags of a channel's consumers.
    fn tags(&self, channel: &ChannelView) -> Vec<ShortString> {
        let consumers = self.view.queues.iter().flat_map(|queue| &queue.consumers);
        let its = consumers.filter(|consumer| {
            consumer.connection == channel.connection && consumer.channel == channel.number
        });
        let mut tags: Vec<_> = its.map(|its| ShortString::from(&*its.consumer_tag)).collect();
        tags.sort();
        tags
    }

    fn open(&self, connection: u8) -> Option<Act> {
        let connection = pick(&self.view.connections, connection)?.number;
        let taken = |number: &u16| {
            let same = |view: &ChannelView| view.connection == connection && view.number == *number;
            self.view.channels.iter().any(same)
        };
        let channel = (1..=CLIENTS as u16).find(|number| !taken(number))?;
        Some(Act::Open { connection, channel })
    }

    /// A queue that exists is declared as it is.
    fn agree_with_existing(&self, declare: &mut QueueDeclare, passive: bool) {
        let name = declare.queue.as_str();
        if let Some(queue) = self.view.queues.iter().find(|queue| &*queue.name == name) {
            declare.passive = passive;
            declare.durable = queue.durable;
            declare.exclusive = queue.exclusive;
            declare.auto_delete = queue.auto_delete;
            let arguments = queue_arguments(queue.max_priority, queue.single_active_consumer);
            declare.arguments = rules::with_rules(name, arguments);
        }
    }

    /// A declaration of a queue of this connection or of everybody as it is, but for two arguments.
    fn redeclare(
        &self,
        channel: &ChannelView,
        arguments: impl Fn(&QueueView) -> FieldTable,
    ) -> Option<Method> {
        let others = self.view.queues.iter().filter(|queue| !rules::is_quorum(&queue.name));
        let others: Vec<_> = others.collect();
        let queue = *pick(&others, channel.number as u8)?;
        let mut declare =
            QueueDeclare { queue: ShortString::from(&*queue.name), ..QueueDeclare::default() };
        self.agree_with_existing(&mut declare, false);
        declare.arguments = rules::with_rules(&queue.name, arguments(queue));
        Some(Method::QueueDeclare(declare))
    }

    /// A settling of one of the messages that one of the channels that hold any holds.
    fn settle(&self, channel: u8, held: u8, method: impl FnOnce(u64) -> Method) -> Option<Act> {
        let channels = self.view.channels.iter();
        let holders: Vec<_> =
            channels.filter(|channel| !channel.unacknowledged.is_empty()).collect();
        let holder = pick(&holders, channel)?;
        let (delivery_tag, _) = pick(&holder.unacknowledged, held)?;
        Some(on(holder, method(*delivery_tag)))
    }

    pub(super) fn message(&self, routing_key: ShortString) -> BasicPublish {
        BasicPublish {
            routing_key,
            body: Bytes::from(format!("m{}", self.serial)),
            ..BasicPublish::default()
        }
    }

    fn mistake(&self, channel: &ChannelView, mistake: Mistake) -> Option<Act> {
        let method = match mistake {
            Mistake::UnknownTag => {
                Method::BasicNack { delivery_tag: u64::MAX, multiple: true, requeue: true }
            }
            Mistake::SettledTag => {
                let held: Vec<_> = channel.unacknowledged.iter().map(|(tag, _)| *tag).collect();
                let settled = (1..*held.last()?).rfind(|tag| !held.contains(tag))?;
                Method::BasicAck { delivery_tag: settled, multiple: true }
            }
            Mistake::TagZero => Method::BasicAck { delivery_tag: 0, multiple: false },
            Mistake::MissingQueue => get("nowhere"),
            Mistake::LastQueue => get(""),
            Mistake::Redeclare => {
                let queue = self.view.queues.first()?;
                Method::QueueDeclare(QueueDeclare {
                    queue: ShortString::from(&*queue.name),
                    durable: !queue.durable,
                    auto_delete: !queue.auto_delete,
                    ..QueueDeclare::default()
                })
            }
            Mistake::RedeclarePriority => self.redeclare(channel, |queue| {
                let other = queue.max_priority.map_or(Some(1), |max| max.checked_sub(1));
                queue_arguments(other, queue.single_active_consumer)
            })?,
            Mistake::RedeclareSingleActive => self.redeclare(channel, |queue| {
                queue_arguments(queue.max_priority, !queue.single_active_consumer)
            })?,
            Mistake::ReservedName => Method::QueueDeclare(QueueDeclare {
                queue: "amq.mine".into(),
                ..QueueDeclare::default()
            }),
            Mistake::ReusedTag => Method::BasicConsume(BasicConsume {
                queue: self.queue(0)?,
                consumer_tag: self.tags(channel).first()?.clone(),
                ..BasicConsume::default()
            }),
            Mistake::OpenTwice => {
                return Some(Act::Open { connection: channel.connection, channel: channel.number });
            }
            Mistake::PrefetchSize => qos(1, 1, false),
            Mistake::RecoverFalse => Method::BasicRecover { requeue: false },
            Mistake::FlowOff => Method::ChannelFlow { active: false },
            Mistake::InternalExchange
            | Mistake::RedeclareExchange
            | Mistake::BindToNothing
            | Mistake::BindDefault
            | Mistake::DeletePredeclared
            | Mistake::ExchangeType => self.topology_mistake(mistake)?,
            Mistake::MissingExchange
            | Mistake::CarbonCopy
            | Mistake::DeliveryMode
            | Mistake::UserId
            | Mistake::Immediate => Method::BasicPublish(self.bad_message(mistake)),
        };
        Some(on(channel, method))
    }

    /// A message that must be refused.
    fn bad_message(&self, mistake: Mistake) -> BasicPublish {
        let mut publish = self.message(self.queue(0).unwrap_or_default());
        match mistake {
            Mistake::MissingExchange => publish.exchange = "nowhere".into(),
            Mistake::CarbonCopy => {
                let mut headers = FieldTable::default();
                headers.insert("CC".into(), AMQPValue::LongString("q1".into()));
                publish.properties = Properties::default().with_headers(headers);
            }
            Mistake::DeliveryMode => {
                publish.properties = Properties::default().with_delivery_mode(3);
            }
            Mistake::UserId => {
                publish.properties = Properties::default().with_user_id("someone".into());
            }
            _ => publish.immediate = true,
        }
        publish
    }
}

pub(super) fn on(channel: &ChannelView, method: Method) -> Act {
    Act::Method { connection: channel.connection, channel: channel.number, method }
}

fn qos(prefetch_size: u32, prefetch_count: u16, global: bool) -> Method {
    Method::BasicQos { prefetch_size, prefetch_count, global }
}

/// The arguments of a queue with priorities up to this one, and with a single active consumer or not.
pub(super) fn queue_arguments(max_priority: Option<u8>, single_active: bool) -> FieldTable {
    let mut arguments = FieldTable::default();
    if let Some(max) = max_priority {
        arguments.insert("x-max-priority".into(), AMQPValue::LongInt(max.into()));
    }
    if single_active {
        arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    }
    arguments
}

fn consumer_arguments(priority: i8) -> FieldTable {
    let mut arguments = FieldTable::default();
    if priority != 0 {
        arguments.insert("x-priority".into(), AMQPValue::LongInt(priority.into()));
    }
    arguments
}

fn get(queue: &str) -> Method {
    let (queue, no_ack) = (queue.into(), false);
    Method::BasicGet { queue, no_ack }
}

pub(super) fn pick<T>(choices: &[T], index: u8) -> Option<&T> {
    choices.get(usize::from(index).checked_rem(choices.len())?)
}
