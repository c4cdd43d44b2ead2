//! Which operations, and how often.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::{Union, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::{MISTAKES, Mistake, Op};

/// What a random program is mostly about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// Some of everything.
    Everyday,
    /// Windows of consumers and of channels, full and with room again, with several consumers on each
    /// channel.
    Windows,
    /// Queues, consumers, channels and connections that come and go.
    Churn,
    /// Times to live, limits and dead letters, as time passes.
    Rules,
}

/// Programs of up to `length` operations, as a strategy.
pub fn ops(profile: Profile, length: usize) -> impl Strategy<Value = Vec<Op>> {
    vec(op(profile), 1..=length)
}

/// The program of exactly `length` operations that follows from `seed`.
///
/// # Panics
///
/// Never: every value that the strategy can draw is accepted.
#[must_use]
pub fn program(profile: Profile, seed: u64, length: usize) -> Vec<Op> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let tree = vec(op(profile), length).new_tree(&mut runner);
    tree.expect("the strategy rejects nothing").current()
}

/// The columns say how often, by profile: everyday, windows, churn, rules.
fn op(profile: Profile) -> impl Strategy<Value = Op> {
    let column = match profile {
        Profile::Everyday => 0,
        Profile::Windows => 1,
        Profile::Churn => 2,
        Profile::Rules => 3,
    };
    let (one, two) = (move || index(profile), move || (index(profile), index(profile)));
    let by_two = |op: fn(u8, u8) -> Op| two().prop_map(move |(a, b)| op(a, b)).boxed();
    let by_one = |op: fn(u8) -> Op| one().prop_map(op).boxed();
    let ops: [([u32; 4], BoxedStrategy<Op>); 22] = [
        ([24, 200, 16, 30], publish(two(), profile).boxed()),
        ([14, 160, 8, 14], settle(two).boxed()),
        ([8, 40, 14, 6], consume(two()).boxed()),
        ([4, 20, 3, 3], qos(one()).boxed()),
        ([3, 10, 6, 4], by_two(|channel, tag| Op::Cancel { channel, tag })),
        ([6, 4, 4, 8], get(two()).boxed()),
        ([4, 1, 10, 1], declare(two()).boxed()),
        ([0, 0, 0, 8], declare_ruled(two()).boxed()),
        ([0, 0, 0, 10], (0..5_u8).prop_map(|ms| Op::Pass { ms }).boxed()),
        ([0, 0, 0, 1], by_one(|channel| Op::TxSelect { channel })),
        ([0, 0, 0, 5], tx_end(one()).boxed()),
        ([5, 4, 8, 7], topology(two).boxed()),
        ([10, 8, 6, 12], publish_to(two()).boxed()),
        ([2, 1, 3, 1], by_two(|channel, queue| Op::Purge { channel, queue })),
        ([2, 1, 6, 2], delete(two()).boxed()),
        ([2, 6, 2, 2], recover(one()).boxed()),
        ([2, 1, 2, 1], by_one(|channel| Op::Confirm { channel })),
        ([2, 1, 5, 2], by_one(|connection| Op::Open { connection })),
        ([1, 1, 4, 1], by_one(|channel| Op::Close { channel })),
        ([1, 1, 3, 1], Just(Op::Connect).boxed()),
        ([1, 1, 2, 1], by_one(|connection| Op::Disconnect { connection })),
        ([2, 1, 4, 1], mistake(one()).boxed()),
    ];
    let often = ops.into_iter().map(|(weights, op)| (weights[column], op));
    Union::new_weighted(often.filter(|(weight, _)| *weight > 0).collect())
}

/// A number that is taken modulo what there is. Windows matter where much happens in one place.
fn index(profile: Profile) -> impl Strategy<Value = u8> {
    let first = if profile == Profile::Windows { 3 } else { 1 };
    prop_oneof![first => Just(0), 2 => any::<u8>()]
}

/// True once in `n` times.
fn rarely(n: u8) -> impl Strategy<Value = bool> {
    (0..n).prop_map(move |draw| draw == n - 1)
}

fn publish(which: impl Strategy<Value = (u8, u8)>, profile: Profile) -> impl Strategy<Value = Op> {
    let flags = any::<(bool, bool)>();
    let ttl_ms = match profile {
        Profile::Rules => option::weighted(0.2, 0..6_u8).boxed(),
        _ => Just(None).boxed(),
    };
    (which, flags, option::of(0..7_u8), ttl_ms).prop_map(
        |((channel, queue), (mandatory, persistent), priority, ttl_ms)| Op::Publish {
            channel,
            queue,
            mandatory,
            persistent,
            priority,
            ttl_ms,
        },
    )
}

fn get(which: impl Strategy<Value = (u8, u8)>) -> impl Strategy<Value = Op> {
    (which, any::<bool>()).prop_map(|((channel, queue), no_ack)| Op::Get { channel, queue, no_ack })
}

fn delete(which: impl Strategy<Value = (u8, u8)>) -> impl Strategy<Value = Op> {
    (which, any::<(bool, bool)>()).prop_map(|((channel, queue), (if_unused, if_empty))| {
        Op::Delete { channel, queue, if_unused, if_empty }
    })
}

fn recover(channel: impl Strategy<Value = u8>) -> impl Strategy<Value = Op> {
    (channel, any::<bool>()).prop_map(|(channel, answered)| Op::Recover { channel, answered })
}

fn tx_end(channel: impl Strategy<Value = u8>) -> impl Strategy<Value = Op> {
    (channel, rarely(4))
        .prop_map(|(channel, rolls_back)| Op::TxEnd { channel, commit: !rolls_back })
}

fn mistake(channel: impl Strategy<Value = u8>) -> impl Strategy<Value = Op> {
    (channel, select(MISTAKES.as_slice()))
        .prop_map(|(channel, mistake): (u8, Mistake)| Op::Err { channel, mistake })
}

fn declare_ruled(which: impl Strategy<Value = (u8, u8)>) -> impl Strategy<Value = Op> {
    let queue = any::<u8>();
    (which, queue, any::<bool>()).prop_map(|((channel, _), queue, durable)| Op::DeclareRuled {
        channel,
        queue,
        durable,
    })
}

fn topology<S: Strategy<Value = (u8, u8)>>(which: impl Fn() -> S) -> impl Strategy<Value = Op> {
    let attributes = (any::<(u8, u8, bool)>(), rarely(3), rarely(8));
    prop_oneof![
        3 => (which(), attributes).prop_map(
            |((channel, exchange), ((kind, alternate, durable), auto_delete, internal))| {
                Op::DeclareExchange {
                    channel,
                    exchange,
                    kind,
                    durable,
                    auto_delete,
                    internal,
                    alternate,
                }
            }
        ),
        1 => (which(), any::<bool>()).prop_map(|((channel, exchange), if_unused)| {
            Op::DeleteExchange { channel, exchange, if_unused }
        }),
        6 => (which(), any::<(u8, u8)>(), rarely(4)).prop_map(
            |((channel, source), (destination, key), to_exchange)| Op::Bind {
                channel,
                source,
                destination,
                to_exchange,
                key,
            }
        ),
        2 => which().prop_map(|(channel, binding)| Op::Unbind { channel, binding }),
    ]
}

fn publish_to(which: impl Strategy<Value = (u8, u8)>) -> impl Strategy<Value = Op> {
    let rest = (any::<(u8, u8)>(), any::<(bool, bool)>());
    (which, rest).prop_map(|((channel, exchange), ((key, copy), (mandatory, persistent)))| {
        Op::PublishTo { channel, exchange, key, copy, mandatory, persistent }
    })
}

fn consume(which: impl Strategy<Value = (u8, u8)>) -> impl Strategy<Value = Op> {
    let flags = (rarely(6), rarely(12), rarely(6));
    let priority = prop_oneof![3 => Just(0), 2 => -1..3_i8];
    (which, 0..8_u8, flags, priority).prop_map(
        |((channel, queue), tag, (no_ack, exclusive, nowait), priority)| Op::Consume {
            channel,
            queue,
            tag,
            no_ack,
            exclusive,
            nowait,
            priority,
        },
    )
}

fn declare(which: impl Strategy<Value = (u8, u8)>) -> impl Strategy<Value = Op> {
    let flags = (any::<bool>(), rarely(5), rarely(3), rarely(3));
    let arguments = (option::weighted(0.3, 0..4_u8), rarely(3));
    (which, flags, arguments).prop_map(
        |((channel, queue), (durable, exclusive, auto_delete, passive), arguments)| Op::Declare {
            channel,
            queue,
            durable,
            exclusive,
            auto_delete,
            passive,
            max_priority: arguments.0,
            single_active: arguments.1,
        },
    )
}

fn qos(channel: impl Strategy<Value = u8>) -> impl Strategy<Value = Op> {
    (channel, 0..5_u8, any::<bool>()).prop_map(|(channel, count, global)| Op::Qos {
        channel,
        count,
        global,
    })
}

fn settle<S: Strategy<Value = (u8, u8)>>(which: impl Fn() -> S) -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => (which(), rarely(4)).prop_map(|((channel, held), multiple)| Op::Ack {
            channel,
            held,
            multiple,
        }),
        2 => (which(), any::<(bool, bool)>()).prop_map(
            |((channel, held), (multiple, requeue))| Op::Nack { channel, held, multiple, requeue }
        ),
        2 => (which(), any::<bool>()).prop_map(|((channel, held), requeue)| Op::Reject {
            channel,
            held,
            requeue,
        }),
        1 => (which(), any::<bool>())
            .prop_map(|((channel, _), requeue)| Op::SettleAll { channel, requeue }),
    ]
}
