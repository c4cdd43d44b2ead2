//! How programs are drawn.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::program::{
    CHANNELS, DeadLetters, EXCHANGES, Op, QUEUES, QueueKind, Sent, Target, UNKNOWN,
};

/// The queue that the consumers of a channel are all of.
fn queue_of(channel: usize) -> usize {
    [0, 0, 0, 1][channel]
}

fn any_channel() -> impl Strategy<Value = usize> {
    0..CHANNELS
}

fn any_queue() -> impl Strategy<Value = usize> {
    0..QUEUES.len()
}

fn any_exchange() -> impl Strategy<Value = usize> {
    0..EXCHANGES.len()
}

/// Mostly no, so that most programs get somewhere.
fn seldom() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.08)
}

fn rarely<S: Strategy>(strategy: S) -> impl Strategy<Value = Option<S::Value>> {
    option::weighted(0.15, strategy)
}

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "a.b", "a.*", "#", "q0", "q1", ""]).prop_map(str::to_owned)
}

fn queue_kind() -> impl Strategy<Value = QueueKind> {
    let dead_letters = prop_oneof![
        2 => any_queue().prop_map(DeadLetters::Queue),
        1 => any_exchange().prop_map(DeadLetters::Exchange),
    ];
    let overflow = prop::sample::select(vec!["drop-head", "reject-publish", "reject-publish-dlx"]);
    let flags = (seldom(), seldom(), seldom());
    let limits = (option::weighted(0.25, 0..4), rarely(0..12), option::weighted(0.3, overflow));
    let others = (rarely(1..4), rarely(prop_oneof![Just(0), Just(60_000)]));
    (flags, limits, others, option::weighted(0.35, dead_letters)).prop_map(
        |(flags, limits, others, dead_letters)| QueueKind {
            durable: flags.0,
            exclusive: flags.1,
            auto_delete: flags.2,
            max_length: limits.0,
            max_length_bytes: limits.1,
            overflow: limits.2.map(str::to_owned),
            max_priority: others.0,
            message_ttl: others.1,
            dead_letters,
        },
    )
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        12 => prop::sample::select(vec![0_usize, 0, 1, 1, 2]).prop_map(Target::Queue),
        6 => (any_exchange(), key()).prop_map(|(exchange, key)| Target::Exchange(exchange, key)),
        1 => Just(Target::Nowhere),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let expiration = prop::sample::select(vec!["0", "60000", "x"]);
    (
        prop::bool::weighted(0.3),
        rarely(1..3_u8),
        option::weighted(0.3, 0..5_u8),
        option::weighted(0.08, expiration),
        rarely(0..3),
        option::weighted(0.08, vec(any_queue(), 1..3)),
    )
        .prop_map(|(mandatory, delivery_mode, priority, expiration, header, cc)| Sent {
            mandatory,
            delivery_mode,
            priority,
            expiration: expiration.map(str::to_owned),
            header,
            cc: cc.unwrap_or_default(),
        })
}

fn exchange_kind() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["direct", "fanout", "topic", "headers"]).prop_map(str::to_owned)
}

/// Calls that make and end queues, exchanges and bindings.
fn topology() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (any_channel(), any_queue(), queue_kind())
            .prop_map(|(channel, queue, kind)| Op::DeclareQueue { channel, queue, kind }),
        1 => (any_channel(), any_queue(), any::<bool>(), any::<bool>()).prop_map(
            |(channel, queue, if_unused, if_empty)| Op::DeleteQueue { channel, queue, if_unused, if_empty }
        ),
        1 => (any_channel(), any_queue()).prop_map(|(channel, queue)| Op::Purge { channel, queue }),
        4 => (any_channel(), any_exchange(), exchange_kind(), rarely(any_exchange())).prop_map(
            |(channel, exchange, kind, alternate)| Op::DeclareExchange { channel, exchange, kind, alternate }
        ),
        1 => (any_channel(), any_exchange(), any::<bool>()).prop_map(
            |(channel, exchange, if_unused)| Op::DeleteExchange { channel, exchange, if_unused }
        ),
        4 => (any_channel(), any_queue(), any_exchange(), key()).prop_map(
            |(channel, queue, exchange, key)| Op::Bind { channel, queue, exchange, key }
        ),
        1 => (any_channel(), any_queue(), any_exchange(), key()).prop_map(
            |(channel, queue, exchange, key)| Op::Unbind { channel, queue, exchange, key }
        ),
        1 => (any_channel(), any_exchange(), any_exchange(), key()).prop_map(
            |(channel, destination, source, key)| Op::BindExchange { channel, destination, source, key }
        ),
    ]
}

/// Calls of those who publish and get.
fn publishing() -> impl Strategy<Value = Op> {
    let times = prop_oneof![3 => Just(1_usize), 2 => 2..5_usize];
    prop_oneof![
        20 => (prop_oneof![4 => Just(0_usize), 1 => any_channel()], target(), sent(), times)
            .prop_map(|(channel, to, message, times)| Op::Publish { channel, to, message, times }),
        6 => (any_queue(), prop::bool::weighted(0.3))
            .prop_map(|(queue, no_ack)| Op::Get { queue, no_ack }),
        1 => Just(Op::ConfirmSelect { channel: 0 }),
        1 => Just(Op::TxSelect { channel: 0 }),
        2 => Just(Op::TxCommit { channel: 0 }),
        1 => Just(Op::TxRollback { channel: 0 }),
    ]
}

fn consume() -> impl Strategy<Value = Op> {
    (1..CHANNELS, prop::bool::weighted(0.2), seldom(), rarely(0..3)).prop_map(
        |(channel, no_ack, exclusive, priority)| {
            let (queue, priority) = (queue_of(channel), priority.unwrap_or(0));
            // All consumers of channel 1 acknowledge.
            let no_ack = no_ack && channel != 1;
            Op::Consume { channel, queue, no_ack, exclusive, priority }
        },
    )
}

/// Calls of those who consume and settle.
fn consuming() -> impl Strategy<Value = Op> {
    let nth = || prop_oneof![40 => 0..6_usize, 1 => Just(UNKNOWN)];
    let multiple = || prop::bool::weighted(0.2);
    prop_oneof![
        6 => consume(),
        1 => (1..CHANNELS, 0..2_usize).prop_map(|(channel, nth)| Op::Cancel { channel, nth }),
        3 => (1..CHANNELS, 1..4_u16).prop_map(|(channel, count)| Op::Qos { channel, count }),
        7 => (nth(), multiple()).prop_map(|(nth, multiple)| Op::Ack { nth, multiple }),
        4 => (nth(), multiple(), any::<bool>())
            .prop_map(|(nth, multiple, requeue)| Op::Nack { nth, multiple, requeue }),
        2 => (nth(), any::<bool>()).prop_map(|(nth, requeue)| Op::Reject { nth, requeue }),
        1 => prop::sample::select(vec![0_usize, 2, 3]).prop_map(|channel| Op::Recover { channel }),
        1 => any_channel().prop_map(|channel| Op::CloseChannel { channel }),
        1 => (0..2_usize).prop_map(|connection| Op::CloseConnection { connection }),
    ]
}

/// Queues, and mostly exchanges with bindings, and consumers: what most programs begin with.
fn beginning() -> impl Strategy<Value = Vec<Op>> {
    let queues = (queue_kind(), queue_kind(), queue_kind()).prop_map(|(first, second, third)| {
        let declare = |queue, kind| Op::DeclareQueue { channel: 0, queue, kind };
        // Only the first connection could use an exclusive one.
        let shared = |kind| QueueKind { exclusive: false, ..kind };
        vec![declare(0, shared(first)), declare(1, shared(second)), declare(2, shared(third))]
    });
    let exchange = |exchange: usize| {
        let declared =
            (exchange_kind(), rarely(any_exchange())).prop_map(move |(kind, alternate)| {
                Op::DeclareExchange { channel: 0, exchange, kind, alternate }
            });
        let bound = (any_queue(), key()).prop_map(move |(queue, key)| Op::Bind {
            channel: 0,
            queue,
            exchange,
            key,
        });
        option::weighted(0.6, (declared, vec(bound, 0..3)))
    };
    let mode = prop_oneof![
        5 => Just(Some(Op::ConfirmSelect { channel: 0 })),
        1 => Just(Some(Op::TxSelect { channel: 0 })),
        4 => Just(None),
    ];
    let consumers = vec(consume(), 0..4);
    (queues, exchange(0), exchange(1), mode, consumers).prop_map(
        |(mut ops, first, second, mode, consumers)| {
            for (exchange, bindings) in first.into_iter().chain(second) {
                ops.push(exchange);
                ops.extend(bindings);
            }
            ops.extend(mode);
            ops.extend(consumers);
            ops
        },
    )
}

/// Programs: what most begin with, and then anything.
pub(crate) fn programs() -> impl Strategy<Value = Vec<Op>> {
    let any = prop_oneof![1 => topology(), 6 => publishing(), 5 => consuming()];
    (beginning(), vec(any, 4..30)).prop_map(|(mut beginning, rest)| {
        beginning.extend(rest);
        legal(beginning)
    })
}

/// Leaves out what [`FREEDOMS`](crate::program::FREEDOMS) forbids and a single call does not tell.
fn legal(mut ops: Vec<Op>) -> Vec<Op> {
    let has_priorities =
        |op: &Op| matches!(op, Op::DeclareQueue { kind, .. } if kind.max_priority.is_some());
    if ops.iter().any(has_priorities) {
        for op in &mut ops {
            match op {
                Op::DeclareQueue { kind, .. } => kind.message_ttl = None,
                Op::Publish { message, .. } => message.expiration = None,
                _ => {}
            }
        }
    }
    let dies = |op: &Op| matches!(op, Op::DeclareQueue { kind, .. } if kind.dead_letters.is_some());
    if ops.iter().any(dies) {
        for op in &mut ops {
            if let Op::Publish { times, .. } = op {
                *times = 1;
            }
        }
    }
    let mut consumes = [false; CHANNELS];
    let mut transactional = false;
    ops.retain(|op| match op {
        Op::Consume { channel, .. } => {
            *channel == 1 || !std::mem::replace(&mut consumes[*channel], true)
        }
        Op::TxSelect { .. } => {
            transactional = true;
            true
        }
        Op::TxCommit { .. } | Op::TxRollback { .. } => transactional,
        Op::Cancel { channel, .. } | Op::CloseChannel { channel } => {
            consumes[*channel] = false;
            true
        }
        Op::CloseConnection { connection } => {
            consumes[2 * connection] = false;
            consumes[2 * connection + 1] = false;
            true
        }
        _ => true,
    });
    ops
}
