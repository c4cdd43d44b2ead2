//! Random lives of a broker, random damage: salvage invents nothing, and loses nothing that a record is
//! left of.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use leveret_broker::disk::{Disk, MemoryDisk};
use leveret_broker::journal::scan::scan;
use leveret_broker::journal::{Piece, read_pieces};
use leveret_broker::protocol::{Message, Record};
use leveret_broker::testing::disk::SimDisk;
use leveret_client::options::{BasicAckOptions, BasicGetOptions};
use leveret_client::{Broker, BrokerOptions, Channel};

use super::{PERSISTENT, channel, declare, open, publish};

const QUEUES: [&str; 3] = ["a", "b", "c"];

/// What a broker was told: by queue, every body that was ever in it, and those that still are.
#[derive(Default)]
struct Model {
    ever: BTreeMap<&'static str, BTreeSet<String>>,
    alive: BTreeMap<&'static str, BTreeSet<String>>,
    steps: usize,
}

/// Numbers that follow from a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

async fn step(chance: &mut Chance, channel: &Channel, model: &mut Model) {
    model.steps += 1;
    let number = model.steps;
    let queue = QUEUES[chance.below(QUEUES.len())];
    match chance.below(20) {
        0..=9 => {
            let body = format!("{queue} {number} {}", "x".repeat(chance.below(200)));
            publish(channel, queue, &body, PERSISTENT).await.unwrap();
            if let Some(alive) = model.alive.get_mut(queue) {
                alive.insert(body.clone());
                model.ever.entry(queue).or_default().insert(body);
            }
        }
        10..=16 if model.alive.contains_key(queue) => {
            let got = channel.basic_get(queue.into(), BasicGetOptions::default()).await.unwrap();
            if let Some(got) = got {
                got.delivery.acker.ack(BasicAckOptions::default()).await.unwrap();
                let body = String::from_utf8(got.delivery.data).unwrap();
                assert!(model.alive.get_mut(queue).unwrap().remove(&body));
            }
        }
        17 if model.alive.contains_key(queue) => {
            channel.queue_purge(queue.into(), Default::default()).await.unwrap();
            model.alive.insert(queue, BTreeSet::new());
        }
        18 if number.is_multiple_of(3) => {
            channel.queue_delete(queue.into(), Default::default()).await.unwrap();
            model.alive.remove(queue);
        }
        _ => {
            declare(channel, queue, true).await.unwrap();
            model.alive.entry(queue).or_default();
        }
    }
}

async fn life(chance: &mut Chance) -> (SimDisk, Model) {
    let (disk, mut model) = (SimDisk::new(), Model::default());
    for _ in 0..1 + chance.below(2) {
        let segment_bytes = [300, 700, 2000, 1 << 20][chance.below(4)];
        let options = BrokerOptions::default().with_segment_bytes(segment_bytes);
        let broker = Broker::open_on(Arc::new(disk.clone()), options).unwrap();
        let channel = channel(&broker).await;
        for _ in 0..20 + chance.below(80) {
            step(chance, &channel, &mut model).await;
        }
    }
    (disk.kill_image(), model)
}

/// Flips bits, overwrites, cuts, removes. Gives whether a file was cut or removed: a log that only ends
/// earlier, where a batch does, looks whole.
fn harm(chance: &mut Chance, disk: &SimDisk) -> bool {
    let mut shorter = false;
    for _ in 0..1 + chance.below(4) {
        let names: Vec<String> =
            disk.list().unwrap().into_iter().filter(|name| name.ends_with(".log")).collect();
        let Some(name) = names.get(chance.below(names.len().max(1))) else { break };
        let len = disk.contents(name).unwrap().len();
        if len < 2 {
            continue;
        }
        let at = chance.below(len);
        let kind = chance.below(8);
        shorter |= kind >= 6;
        match kind {
            0..=4 => disk.flip(name, at, chance.below(8) as u32).unwrap(),
            5 => {
                let noise: Vec<u8> = (0..chance.below((len - at).min(400)) + 1)
                    .map(|_| chance.below(256) as u8)
                    .collect();
                disk.overwrite(name, at, &noise[..noise.len().min(len - at)]).unwrap();
            }
            6 => disk.cut(name, at).unwrap(),
            _ => {
                disk.remove(name).unwrap();
                disk.sync_directory().unwrap();
            }
        }
    }
    shorter
}

/// The bodies that a record is left of, and how many records cannot be read.
fn left(disk: &SimDisk) -> (BTreeMap<String, Arc<Message>>, usize) {
    let (mut bodies, mut dropped) = (BTreeMap::new(), 0);
    let mut from = 0;
    loop {
        bodies.clear();
        let wreck = read_pieces(disk, "/", from, &mut |piece| {
            match piece {
                Piece::Dropped(_) => dropped += 1,
                Piece::Record { recorded, .. } => {
                    if let Record::Enqueued { message, .. } | Record::MessageKept { message, .. } =
                        recorded.record
                    {
                        let body = String::from_utf8(message.body.to_vec()).unwrap();
                        bodies.insert(body, message);
                    }
                }
            }
            ControlFlow::Continue(())
        });
        let wreck = wreck.unwrap();
        if wreck.first >= wreck.oldest || wreck.first == 0 {
            return (bodies, dropped);
        }
        from = wreck.oldest;
    }
}

/// The messages in a new log, by queue and body.
fn salvaged(disk: &MemoryDisk) -> BTreeMap<String, BTreeMap<String, Arc<Message>>> {
    let mut found: BTreeMap<String, BTreeMap<String, Arc<Message>>> = BTreeMap::new();
    for recorded in scan(disk, "/").unwrap().1 {
        if let Record::Enqueued { message, queues } = recorded.record {
            for queue in queues.iter() {
                let body = String::from_utf8(message.body.to_vec()).unwrap();
                found.entry(queue.to_string()).or_default().insert(body, Arc::clone(&message));
            }
        }
    }
    found
}

async fn round(seed: u64) -> bool {
    let mut chance = Chance(seed);
    let (disk, model) = life(&mut chance).await;
    let harmed = chance.below(8) > 0;
    let shorter = harmed && harm(&mut chance, &disk);
    let to = MemoryDisk::new();
    let report = Broker::salvage_on(&disk, Arc::new(to.clone()), BrokerOptions::default());
    let Ok(report) = report else { return false };
    let (bodies, dropped) = left(&disk);
    assert_eq!(report.dropped.is_empty(), dropped == 0);
    let there = salvaged(&to);
    let broker = open(&to);
    assert!(!broker.recovery().unwrap().repaired());
    let nothing = (BTreeSet::new(), BTreeMap::new());
    for queue in broker.queues() {
        let name = QUEUES.into_iter().find(|name| **name == *queue.name).expect("a known queue");
        let ever = model.ever.get(name).unwrap_or(&nothing.0);
        let alive = model.alive.get(name).unwrap_or(&nothing.0);
        let messages = there.get(name).unwrap_or(&nothing.1);
        assert_eq!(queue.messages_ready, messages.len(), "seed {seed}: nothing is doubled");
        let found = broker.messages(name);
        assert!(found.iter().all(|message| message.redelivered), "seed {seed}");
        let bodies_there: BTreeSet<String> = messages.keys().cloned().collect();
        assert!(bodies_there.is_subset(ever), "seed {seed}: nothing is invented");
        let as_it_was = bodies_there == *alive;
        assert!(dropped > 0 || shorter || as_it_was, "seed {seed}: nothing is dropped");
        for (body, message) in messages {
            assert_eq!(*message, bodies[body], "seed {seed}: as it was published");
        }
    }
    for (name, alive) in &model.alive {
        let messages = there.get(*name).unwrap_or(&nothing.1);
        for body in alive.iter().filter(|body| bodies.contains_key(*body)) {
            assert!(messages.contains_key(body), "seed {seed}: {name} has lost {body:?}\n{report}");
        }
    }
    harmed
}

#[tokio::test]
async fn whatever_is_damaged_salvage_invents_nothing_and_loses_nothing_that_is_readable() {
    let only = std::env::var("LEVERET_SALVAGE_SEED").ok().and_then(|text| text.parse::<u64>().ok());
    if let Some(seed) = only {
        round(seed).await;
        return;
    }
    let mut damaged = 0;
    for seed in 0..1000 {
        damaged += usize::from(round(seed).await);
    }
    assert!(damaged > 600, "{damaged} damaged logs were salvaged");
}
