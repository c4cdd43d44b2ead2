//! One history: the lives of brokers on one disk, with whatever can go wrong.

use std::io::ErrorKind;

use leveret_broker::disk::Disk;
use leveret_broker::journal::{JournalOptions, Level};
use leveret_broker::protocol::{BasicConsume, BasicPublish, Method};
use leveret_broker::testing::disk::{Choices, Fault, OpKind, Seeded, SyncLoss};
use leveret_broker::testing::{Act, Op, Profile, program};

use crate::account::Promised;
use crate::report::{Event, Report};
use crate::world::{Cuts, World};

/// What a history is like.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) journal: JournalOptions,
    pub(crate) lives: usize,
    pub(crate) commands: usize,
    pub(crate) profile: Profile,
    /// Whether the disk fails now and then.
    pub(crate) faults: bool,
    /// Which crashes are tried at each moment.
    pub(crate) cuts: Cuts,
}

impl Plan {
    /// The plan that follows from a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut choices = Seeded::new(seed);
        let level = if choices.below(5) == 0 { Level::Written } else { Level::Synced };
        let segment_bytes = [512, 1024, 2048, 4096, 65536][choices.below(5)];
        let mark = choices.bits();
        Self {
            seed,
            journal: JournalOptions { level, segment_bytes, mark, ..JournalOptions::default() },
            lives: 2 + choices.below(5),
            commands: 10 + choices.below(60),
            profile: [Profile::Everyday, Profile::Churn, Profile::Rules][choices.below(3)],
            faults: choices.below(3) > 0,
            cuts: Cuts::Some(4),
        }
    }
}

/// Lives through a history, and gives what it came to.
pub(crate) fn history(plan: &Plan) -> Result<Report, String> {
    let mut world = World::new(plan.seed, plan.journal.clone(), plan.cuts);
    let mut lived = || {
        world.open(false)?;
        for life in 0..plan.lives {
            live(&mut world, plan, life as u64)?;
            reopen(&mut world, plan.faults)?;
        }
        drain(&mut world)
    };
    match lived() {
        Ok(()) => {
            world.report.count(Event::Histories);
            Ok(world.take_report())
        }
        Err(what) => Err(format!("{what}\n  {plan:?}\n{}", world.trail())),
    }
}

/// Clients come and use the broker until it ends, one way or the other.
fn live(world: &mut World, plan: &Plan, life: u64) -> Result<(), String> {
    let mut ops = beginning(plan.profile);
    ops.extend(program(plan.profile, plan.seed.wrapping_add(life << 32), plan.commands));
    let worst = ops.len() / 2 + world.choices.below(ops.len());
    for (at, op) in ops.into_iter().enumerate() {
        if at == worst {
            break;
        }
        world.op(op)?;
        if plan.faults && world.choices.below(40) == 0 {
            disturb(world, true);
        }
        if world.is_writing() && world.choices.flip() {
            let steps = 1 + world.choices.below(6);
            if !world.write(steps)? {
                return Ok(());
            }
        }
        if world.choices.below(3) == 0 {
            world.tell()?;
        }
    }
    if world.choices.below(3) == 0 {
        world.stop()?;
    }
    Ok(())
}

/// What the clients of a life begin with, before they do anything by chance.
fn beginning(profile: Profile) -> Vec<Op> {
    let mut ops = vec![
        Op::Connect,
        Op::Open { connection: 0 },
        Op::Open { connection: 0 },
        Op::Confirm { channel: 0 },
        Op::Confirm { channel: 1 },
    ];
    ops.extend([1, 2].map(|queue| Op::Declare {
        channel: 0,
        queue,
        durable: true,
        exclusive: false,
        auto_delete: false,
        passive: false,
        // The second has priorities.
        max_priority: (queue == 2).then_some(2),
        single_active: false,
    }));
    // Both get what is published to the exchange with most keys.
    ops.push(Op::DeclareExchange {
        channel: 0,
        exchange: 0,
        kind: 2,
        durable: true,
        auto_delete: false,
        internal: false,
        alternate: u8::MAX,
    });
    ops.extend([0, 1].map(|destination| Op::Bind {
        channel: 0,
        source: 0,
        destination,
        to_exchange: false,
        key: 3,
    }));
    ops.push(Op::PublishTo {
        channel: 0,
        exchange: 0,
        key: 0,
        copy: u8::MAX,
        mandatory: false,
        persistent: true,
    });
    if profile == Profile::Rules {
        ops.extend(beginning_of_rules());
    }
    ops
}

/// Queues that do something by themselves, a message for each way to die, and a transaction.
fn beginning_of_rules() -> Vec<Op> {
    let ruled = (0..15).map(|queue| Op::DeclareRuled { channel: 0, queue, durable: queue % 3 > 0 });
    // The first exchanges are direct, fanout and headers ones.
    let binds = [1, 2].map(|source| Op::Bind {
        channel: 0,
        source,
        destination: source + 1,
        to_exchange: false,
        key: 3,
    });
    // One of too many, and one that is rejected, where both are dead letters.
    let (channel, queue, no_ack, requeue) = (0, 5, false, false);
    let (mandatory, persistent, priority, ttl_ms) = (false, true, None, None);
    let publish = Op::Publish { channel, queue, mandatory, persistent, priority, ttl_ms };
    let deaths = [Op::Get { channel, queue, no_ack }, Op::Reject { channel, held: 0, requeue }];
    // A third channel has transactions.
    let publish_later =
        Op::Publish { channel: 2, queue: 0, mandatory, persistent, priority, ttl_ms };
    let commit = [
        Op::Open { connection: 0 },
        Op::TxSelect { channel: 2 },
        publish_later,
        publish_later,
        Op::TxEnd { channel: 0, commit: true },
    ];
    ruled.chain(binds).chain([publish; 3]).chain(deaths).chain(commit).collect()
}

/// The disk is about to fail, or to be full if it may, or the process to die at one of its next operations.
fn disturb(world: &mut World, may_be_full: bool) {
    let choices = &mut world.choices;
    let nth = 1 + choices.below(6) as u64;
    let kinds = [ErrorKind::Other, ErrorKind::PermissionDenied, ErrorKind::StorageFull];
    let kind = kinds[choices.below(if may_be_full { 3 } else { 2 })];
    let losses = [SyncLoss::Kept, SyncLoss::Seen, SyncLoss::Hidden];
    let on = [OpKind::Append, OpKind::Sync, OpKind::Create, OpKind::SyncDirectory, OpKind::Remove];
    let fault = match choices.below(8) {
        0 => Fault::error(kind),
        1 => Fault::error(kind).on(on[choices.below(5)]),
        2 => Fault::partial_append(choices.below(400), kind),
        3 | 4 => Fault::failed_sync(losses[choices.below(3)]),
        5 if may_be_full => {
            let used = world.disk.occupied();
            return world.disk.set_capacity(Some(used + choices.below(1500) as u64));
        }
        6 => {
            let at = world.disk.operations() + nth;
            return world.disk.crash_within(at, choices.below(300));
        }
        _ => [Fault::short_read(), Fault::one_byte_reads()][choices.below(2)].clone().for_ever(),
    };
    let fault = fault.nth(nth);
    world.disk.inject(if choices.below(4) == 0 { fault.for_ever() } else { fault });
}

/// How often opening is tried before nothing fails any more.
const TRIES: usize = 4;

/// The process ends, and the next one opens the disk: as it is, or as a power cut has left it.
fn reopen(world: &mut World, faults: bool) -> Result<(), String> {
    world.end();
    // A sync that failed may have lost what can still be read, until the power goes. Opening then needs
    // room for a copy of the last batch: on a full disk it has to believe what it reads.
    let mut may_deceive = true;
    for tried in 0.. {
        if world.choices.below(3) == 0 || tried > 2 * TRIES {
            let mut choices = Seeded::new(world.choices.bits());
            world.disk = world.disk.crash_image(&mut choices);
            world.expected.kill.clone_from(&world.expected.power);
            if world.options.level == Level::Written {
                world.may_lose = true;
                world.expected.promised = Promised::default();
            }
            may_deceive = false;
        } else if world.choices.flip() || world.disk.has_crashed() {
            world.disk = world.disk.kill_image();
        }
        let calm = !faults || tried >= TRIES;
        if calm || may_deceive || world.choices.flip() {
            world.disk.clear_faults();
            world.disk.set_capacity(None);
        }
        if !calm && world.choices.below(4) == 0 {
            disturb(world, !may_deceive);
        }
        if world.open(!calm)? {
            world.disk.clear_faults();
            world.disk.set_capacity(None);
            return Ok(());
        }
        may_deceive = true;
    }
    Ok(())
}

/// Everything is received and acknowledged, the queues are deleted, and the broker is stopped: then nothing
/// that was promised is missing, and nothing is left on the disk but the log.
fn drain(world: &mut World) -> Result<(), String> {
    let on = |method| Act::Method { connection: 1, channel: 1, method };
    world.act(Act::Connect { user: "guest".into() })?;
    world.act(Act::Open { connection: 1, channel: 1 })?;
    let queues: Vec<String> = world.queues();
    for queue in &queues {
        let consume = BasicConsume { queue: queue.as_str().into(), ..BasicConsume::default() };
        world.act(on(Method::BasicConsume(consume)))?;
        world.act(on(Method::BasicAck { delivery_tag: 0, multiple: true }))?;
        world.write(usize::MAX)?;
    }
    for queue in &queues {
        let (queue, nowait) = (queue.as_str().into(), false);
        let method = Method::QueueDelete { queue, if_unused: false, if_empty: false, nowait };
        world.act(on(method))?;
    }
    let lost = world.account.lost();
    if !lost.is_empty() {
        world.report.add(Event::Lost, lost.len() as u64);
        return Err(format!("lost: {lost:?} were confirmed, and nobody has received them"));
    }
    world.act(on(Method::BasicPublish(BasicPublish::default())))?;
    world.stop()?;
    world.end();
    world.open(false)?;
    world.end();
    let names = world.disk.list().unwrap();
    let stray: Vec<_> = names.iter().filter(|name| !belongs(name)).collect();
    if stray.is_empty() { Ok(()) } else { Err(format!("left behind: {stray:?}")) }
}

/// Whether a file is part of a log at rest.
fn belongs(name: &str) -> bool {
    name.ends_with(".log")
}
