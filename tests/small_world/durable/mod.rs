//! The durable broker: two queues, three messages and two workers on a disk that fails in every legal way,
//! while processes die at every operation, also in recovery.
//!
//! # What tells states apart
//!
//! A running broker is its engine as clients see it, with messages by the order of their publishing and
//! delivery tags by their order; what is durable, and what each step leaves that is on its way to the disk,
//! which together are the channel to the journal and the gate (a confirm or an answer waits for exactly its
//! own step); what the disk may hold; and the account. Of a journal nothing more matters: where it stands
//! follows from what is on the disk. When no process runs, the disk, what may be found on it and the account
//! are all there is. [`outline`] says what of a disk counts.
//!
//! That states with the same key behave the same is not only said: `states_with_one_key_behave_the_same`
//! goes, for every further way to a known state, through all steps from there as well, and compares.

mod account;
mod ends;
mod outline;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use leveret_broker::engine::EngineView;
use leveret_broker::testing::explore::{Always, Explored, Explorer, Model, Sometimes};

use account::{Account, Found};
use ends::Steps;
use outline::{Holdings, holdings};
use world::{Bounds, Life, Running, Settle, World};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Running {
        view: EngineView,
        account: Account,
        ends: usize,
        durable: Found,
        steps: Vec<Found>,
        holdings: Arc<Holdings>,
    },
    Down {
        account: Account,
        ends: usize,
        legal: Vec<Found>,
        holdings: Arc<Holdings>,
    },
}

/// The engine's view with messages by the order of publishing and delivery tags by their order, which is all
/// that matters of them.
fn comparable(running: &Running) -> EngineView {
    let mut view = running.view();
    for message in view.messages.values_mut().flatten() {
        message.id.0 = running.names[&message.id.0] as u64;
    }
    for channel in &mut view.channels {
        for (rank, (tag, message)) in (1..).zip(&mut channel.unacknowledged) {
            *tag = rank;
            message.0 = running.names[&message.0] as u64;
        }
    }
    view
}

struct Everything(Bounds);

impl Everything {
    fn steps_of_clients(&self, world: &World, running: &Running) -> Steps {
        let Bounds { queues, messages, workers, sent, .. } = self.0;
        let mut steps = Vec::new();
        let room = running.steps.len() < sent;
        let next = world.account.queues.len();
        if room && next < queues && !world.account.has(next) {
            steps
                .push((format!("declare {}", account::QUEUES[next]), world.declare(running, next)));
        }
        if room && world.account.messages.len() < messages {
            let name = world.account.messages.len() + 1;
            for (queue, _) in &world.account.queues {
                let action = format!("publish m{name} to {}", account::QUEUES[*queue]);
                steps.push((action, world.publish(running, *queue)));
            }
        }
        for worker in 0..workers {
            let name = worker + 1;
            if !running.has_come(worker) && world.account.has(worker) {
                steps.push((format!("worker {name} comes"), world.come(running, worker)));
            }
            let Some((_, message)) = running.held(worker) else { continue };
            let ways = [Settle::Ack, Settle::Nack, Settle::Requeue];
            let ways = ways.into_iter().filter(|how| room || *how == Settle::Requeue);
            steps.extend(ways.map(|how| {
                let action = format!("worker {name}: {how:?} of m{}", message + 1);
                (action, world.settle(running, worker, how))
            }));
        }
        steps
    }
}

impl Model for Everything {
    type State = World;
    type Action = String;
    type Key = Key;

    fn initial(&self) -> Vec<World> {
        vec![World::new(self.0)]
    }

    fn steps(&self, world: &World) -> Steps {
        let running = match &world.life {
            Life::Down(down) => return world.after_end(down),
            Life::Running(running) => running,
        };
        let mut steps = self.steps_of_clients(world, running);
        let waiting = running.steps.len();
        for count in BTreeSet::from([1, waiting]).into_iter().filter(|_| waiting > 0) {
            steps.extend(world.write(running, count));
        }
        if world.ends > 0 {
            steps.push(("the process is killed".to_owned(), world.killed(running)));
            if waiting == 0 {
                steps.extend(world.stop(running));
            }
        }
        steps
    }

    fn key(&self, world: &World) -> Key {
        let (account, ends) = (world.account.clone(), world.ends);
        match &world.life {
            Life::Running(running) => Key::Running {
                view: comparable(running),
                account,
                ends,
                durable: running.durable.clone(),
                steps: running.steps.clone(),
                holdings: Arc::clone(&running.holdings),
            },
            Life::Down(down) => {
                let legal = down.legal.iter().cloned().collect();
                let holdings = Arc::new(holdings(&down.disk, self.0.by_segment));
                Key::Down { account, ends, legal, holdings }
            }
        }
    }

    fn always(&self) -> Vec<Always<World>> {
        vec![
            ("the broker does what it should", |world| world.wrong.clone().map_or(Ok(()), Err)),
            ("what is left after an end can be opened, and is one of what it may be", legal),
            ("what was confirmed is there until it is acknowledged, and what is gone is not", kept),
            ("what must survive is what the steps left", durable_view),
        ]
    }

    fn sometimes(&self) -> Vec<Sometimes<World>> {
        macro_rules! shown {
            ($($what:literal,)*) => {
                vec![$(($what, (|world| world.shown.contains(&$what)) as fn(&World) -> bool)),*]
            };
        }
        let mut sometimes = shown![
            "a confirmed message survives a power cut",
            "a power cut takes a message that was not confirmed",
            "a message that was not confirmed survives a power cut",
            "an acknowledged message comes back",
            "an acknowledgement survives a power cut",
            "a power cut tears the last batch",
            "a power cut leaves a segment without a batch",
            "a failed sync latches",
            "a failed write latches",
            "a process dies in recovery",
            "opening fails",
            "after a crash a message is handed out again, marked",
            "after a stop a message that was never handed out is not marked",
        ];
        if self.0.by_segment {
            sometimes.extend(shown!["a power cut leaves segments that are not needed",]);
        }
        sometimes
    }

    fn describe(&self, world: &World) -> String {
        match &world.life {
            Life::Running(running) => format!("{:#?}\n{:?}", running.view(), world.account),
            Life::Down(down) => {
                format!("{:?}\nmay be found: {:?}\n{:?}", world.account, down.legal, down.disk)
            }
        }
    }
}

fn legal(world: &World) -> Result<(), String> {
    let Life::Down(down) = &world.life else { return Ok(()) };
    let found = down.recovered.clone()?;
    if down.legal.contains(&found) { Ok(()) } else { Err(format!("{found:?} is found")) }
}

fn kept(world: &World) -> Result<(), String> {
    match &world.life {
        Life::Down(down) => world.account.judge(&down.recovered.clone()?),
        Life::Running(running) => {
            let last = running.steps.last().unwrap_or(&running.durable);
            world.account.judge(last)
        }
    }
}

fn durable_view(world: &World) -> Result<(), String> {
    let Life::Running(running) = &world.life else { return Ok(()) };
    running.broker().engine().check_invariants()?;
    let view = running.broker().engine().durable_view();
    let number = |queue: &str| account::QUEUES.iter().position(|name| *name == queue);
    let queues = view.queues.iter().map(|queue| {
        let messages = queue.messages.iter().map(|message| (running.names[&message.id.0], true));
        (number(&queue.name).unwrap_or(usize::MAX), messages.collect())
    });
    let found: Found = queues.collect();
    let last = running.steps.last().unwrap_or(&running.durable);
    if found == *last { Ok(()) } else { Err(format!("{found:?}, and the account says {last:?}")) }
}

fn explore(bounds: Bounds) -> Explored {
    let explored =
        Explorer::new(Everything(bounds)).run().unwrap_or_else(|violation| panic!("{violation}"));
    eprintln!("{explored}");
    assert!(explored.complete);
    explored
}

/// A change of the numbers below is a change of what can happen, or of what of it can be told apart.
fn counts(explored: &Explored) -> (usize, usize, usize) {
    (explored.states, explored.transitions, explored.depth)
}

/// A process that ends once, in whatever way, and the one that comes after it.
const ONE_END: Bounds = Bounds {
    queues: 2,
    messages: 3,
    workers: 2,
    sent: 2,
    ends: 1,
    segment_bytes: 1 << 20,
    padding: 0,
    by_segment: false,
};

/// Two ends, so that the second can come in the recovery from the first.
const TWO_ENDS: Bounds = Bounds { messages: 2, sent: 1, ends: 2, ..ONE_END };

/// Every batch in a segment of its own, and messages so long that segments are let go.
const ROOM: Bounds =
    Bounds { queues: 1, workers: 1, segment_bytes: 1, padding: 1000, by_segment: true, ..TWO_ENDS };

#[test]
fn every_state_of_a_durable_broker_that_ends_once() {
    assert_eq!(counts(&explore(ONE_END)), (23_709, 127_580, 19));
}

#[test]
fn every_state_of_a_durable_broker_that_ends_again_while_it_recovers() {
    assert_eq!(counts(&explore(TWO_ENDS)), (14_277, 100_258, 19));
}

#[test]
fn every_state_of_a_durable_broker_that_gives_back_room() {
    assert_eq!(counts(&explore(ROOM)), (7_170, 51_054, 17));
}

/// Three messages and two ends take minutes: with `LEVERET_SMALL_WORLD=large`.
#[test]
fn every_state_of_the_large_small_world() {
    if std::env::var("LEVERET_SMALL_WORLD").is_ok_and(|size| size == "large") {
        let explored = explore(Bounds { messages: 3, ..TWO_ENDS });
        assert_eq!(counts(&explored), (52_412, 362_997, 23));
    }
}

fn assert_one_key_is_one_state(bounds: Bounds) {
    let model = Everything(bounds);
    let mut known: BTreeMap<Key, Vec<Key>> = BTreeMap::new();
    let mut frontier = model.initial();
    let mut again = 0;
    while let Some(world) = frontier.pop() {
        let (key, steps) = (model.key(&world), model.steps(&world));
        let mut keys: Vec<Key> = steps.iter().map(|(_, world)| model.key(world)).collect();
        keys.sort();
        keys.dedup();
        match known.get(&key) {
            Some(first) => {
                let more = keys.iter().find(|key| !first.contains(key));
                let fewer = first.iter().find(|key| !keys.contains(key));
                let differ = more.is_some() || fewer.is_some();
                assert!(!differ, "{key:?} leads to {more:#?}, and then to {fewer:#?}");
                again += 1;
            }
            None => {
                known.insert(key, keys);
                frontier.extend(steps.into_iter().map(|(_, world)| world));
            }
        }
    }
    eprintln!("{} states, {again} times reached again", known.len());
    assert!(again > known.len());
}

#[test]
fn states_with_one_key_behave_the_same() {
    assert_one_key_is_one_state(Bounds { messages: 1, ..ONE_END });
    assert_one_key_is_one_state(Bounds { messages: 1, ..TWO_ENDS });
    assert_one_key_is_one_state(Bounds { messages: 1, ends: 1, ..ROOM });
}
