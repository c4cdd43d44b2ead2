//! Playing a workload: an agenda of what is next, and a harness that owns the time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Acks, Fate, Mishap, Played, QUEUE, Tally, Workload};
use crate::engine::Stop;
use crate::protocol::{ChannelId, ConnectionId, Properties};
use crate::testing::trace::{Life, Observation, Observed, Trace};
use crate::testing::{Harness, Step, What};

/// Plays a workload to its end.
pub(super) fn play(workload: &Workload) -> Played {
    let mut player = Player::new(workload);
    player.open();
    while let Some((when, event)) = player.agenda.pop_first() {
        player.pass_to(when.0);
        player.happen(event);
    }
    player.drain();
    player.close()
}

/// A moment in the agenda: the time, what kind of thing it is, of whom, and the order of entry.
type When = (u64, u8, usize, u64);

/// What is to happen. The order is that at one moment.
#[derive(Clone, Copy, Debug)]
enum Event {
    Join(usize),
    Arrive(usize),
    /// A worker is done with what it is at, unless its channel is another by now.
    Done(usize, u64),
    /// A worker acknowledges what it did, on the same condition.
    Acknowledge(usize, u64, u64),
    Leave(usize),
    Die(usize),
    Strike(usize),
}

impl Event {
    fn place(self) -> (u8, usize) {
        match self {
            Self::Join(worker) => (0, worker),
            Self::Arrive(task) => (1, task),
            Self::Done(worker, _) => (2, worker),
            Self::Acknowledge(worker, _, _) => (3, worker),
            Self::Leave(worker) => (4, worker),
            Self::Die(worker) => (5, worker),
            Self::Strike(fault) => (6, fault),
        }
    }
}

/// A worker's state.
#[derive(Default)]
struct Desk {
    connection: Option<ConnectionId>,
    channel: Option<ChannelId>,
    /// Which channel it is: what is planned on an earlier one is void.
    epoch: u64,
    /// Delivery tags and tasks that it has not begun.
    waiting: VecDeque<(u64, usize)>,
    /// What it is at, and since when.
    at: Option<(u64, usize, u64)>,
    /// Acknowledgements that are still to come.
    owed: usize,
    leaving: bool,
    gone: bool,
    /// How often it has put tasks back.
    put_back: BTreeMap<usize, u8>,
}

struct Player<'a> {
    workload: &'a Workload,
    harness: Harness,
    agenda: BTreeMap<When, Event>,
    entries: u64,
    now_ms: u64,
    publisher: ChannelId,
    desks: Vec<Desk>,
    fates: Vec<Fate>,
    tallies: Vec<Tally>,
    /// The lives before.
    lives: Vec<Life>,
}

impl<'a> Player<'a> {
    fn new(workload: &'a Workload) -> Self {
        Self {
            workload,
            harness: Harness::new(),
            agenda: BTreeMap::new(),
            entries: 0,
            now_ms: 0,
            publisher: ChannelId::default(),
            desks: workload.workers.iter().map(|_| Desk::default()).collect(),
            fates: vec![Fate::default(); workload.tasks.len()],
            tallies: vec![Tally::default(); workload.workers.len()],
            lives: Vec::new(),
        }
    }

    fn open(&mut self) {
        self.connect_publisher();
        for (number, worker) in self.workload.workers.iter().enumerate() {
            self.plan(worker.joins_ms, Event::Join(number));
            if let Some(at) = worker.leaves_ms {
                self.plan(at, Event::Leave(number));
            }
            if let Some(at) = worker.dies_ms {
                self.plan(at, Event::Die(number));
            }
        }
        for (number, task) in self.workload.tasks.iter().enumerate() {
            self.plan(task.arrives_ms, Event::Arrive(number));
        }
        for (number, fault) in self.workload.faults.iter().enumerate() {
            self.plan(fault.at_ms, Event::Strike(number));
        }
    }

    fn plan(&mut self, at_ms: u64, event: Event) {
        let (kind, whose) = event.place();
        self.entries += 1;
        self.agenda.insert((at_ms, kind, whose, self.entries), event);
    }

    fn pass_to(&mut self, ms: u64) {
        self.harness.advance(Duration::from_millis(ms.saturating_sub(self.now_ms)));
        self.now_ms = self.now_ms.max(ms);
    }

    fn connect_publisher(&mut self) {
        let connection = self.harness.connect();
        self.publisher = self.harness.open(connection);
        self.harness.declare_with(self.publisher, QUEUE, |declare| declare.durable = true);
        self.harness.confirm_select(self.publisher);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Join(worker) => self.join(worker),
            Event::Arrive(task) => {
                let properties = Properties::default().with_delivery_mode(2);
                let body = format!("t{}", task + 1);
                let step = self.harness.publish_with(self.publisher, QUEUE, &body, |publish| {
                    publish.properties = properties;
                });
                self.hear(&step);
            }
            Event::Done(worker, epoch) if self.desks[worker].epoch == epoch => self.done(worker),
            Event::Acknowledge(worker, epoch, tag) if self.desks[worker].epoch == epoch => {
                self.desks[worker].owed -= 1;
                self.acknowledge(worker, tag);
                self.go_if_finished(worker);
            }
            Event::Done(..) | Event::Acknowledge(..) => {}
            Event::Leave(worker) => self.leave(worker),
            Event::Die(worker) => self.die(worker),
            Event::Strike(fault) => self.strike(self.workload.faults[fault].what),
        }
    }

    fn join(&mut self, worker: usize) {
        if self.desks[worker].gone {
            return;
        }
        let connection = self.harness.connect();
        self.desks[worker].connection = Some(connection);
        self.subscribe(worker);
    }

    /// Opens a channel and subscribes there, unless the worker only finishes what it holds.
    fn subscribe(&mut self, worker: usize) {
        let Some(connection) = self.desks[worker].connection else { return };
        let channel = self.harness.open(connection);
        self.desks[worker].channel = Some(channel);
        self.harness.qos(channel, self.workload.workers[worker].window);
        self.consume(worker);
    }

    fn consume(&mut self, worker: usize) {
        let desk = &self.desks[worker];
        if let (Some(channel), false) = (desk.channel, desk.leaving) {
            let step = self.harness.consume(channel, QUEUE, &format!("w{}", worker + 1));
            self.hear(&step);
        }
    }

    /// What a worker held and planned on its channel is void.
    fn abandon(&mut self, worker: usize) {
        let now_ms = self.now_ms;
        let desk = &mut self.desks[worker];
        desk.epoch += 1;
        desk.owed = 0;
        desk.channel = None;
        desk.waiting.clear();
        if let Some((_, _, since)) = desk.at.take() {
            self.tallies[worker].busy_ms += now_ms - since;
        }
    }

    /// Hands deliveries to workers, and lets whoever is idle begin.
    fn hear(&mut self, step: &Step) {
        for said in &step.said {
            let What::Deliver { consumer, tag, body, .. } = &said.what else { continue };
            let number = |name: &str, of: char| name.strip_prefix(of)?.parse::<usize>().ok();
            let (Some(worker), Some(task)) = (number(consumer, 'w'), number(body, 't')) else {
                continue;
            };
            self.tallies[worker - 1].deliveries += 1;
            self.fates[task - 1].deliveries += 1;
            self.desks[worker - 1].waiting.push_back((*tag, task - 1));
        }
        for worker in 0..self.desks.len() {
            self.begin(worker);
        }
    }

    fn begin(&mut self, worker: usize) {
        let desk = &mut self.desks[worker];
        if desk.at.is_some() {
            return;
        }
        let Some((tag, task)) = desk.waiting.pop_front() else { return };
        desk.at = Some((tag, task, self.now_ms));
        let epoch = desk.epoch;
        self.fates[task].begun_ms.get_or_insert(self.now_ms);
        let plan = self.workload.workers[worker];
        let time = if self.puts_back(worker, task) {
            0
        } else {
            plan.time_for(self.workload.tasks[task].cost_ms)
        };
        self.plan(self.now_ms.saturating_add(time), Event::Done(worker, epoch));
        if plan.acks == Acks::Before {
            self.acknowledge(worker, tag);
        }
    }

    fn puts_back(&self, worker: usize, task: usize) -> bool {
        let Acks::NackLoop { times } = self.workload.workers[worker].acks else { return false };
        self.desks[worker].put_back.get(&task).copied().unwrap_or(0) < times
    }

    fn done(&mut self, worker: usize) {
        let Some((tag, task, since)) = self.desks[worker].at.take() else { return };
        let Some(channel) = self.desks[worker].channel else { return };
        if self.puts_back(worker, task) {
            *self.desks[worker].put_back.entry(task).or_default() += 1;
            let step = self.harness.requeue(channel, tag);
            self.hear(&step);
            self.go_if_finished(worker);
            return;
        }
        self.tallies[worker].busy_ms += self.now_ms - since;
        self.tallies[worker].tasks += 1;
        self.fates[task].times_done += 1;
        self.fates[task].done_ms.get_or_insert(self.now_ms);
        match self.workload.workers[worker].acks {
            Acks::Prompt | Acks::NackLoop { .. } => self.acknowledge(worker, tag),
            Acks::Before | Acks::Never => self.begin(worker),
            Acks::Late { by_ms } => {
                let epoch = self.desks[worker].epoch;
                self.desks[worker].owed += 1;
                let at_ms = self.now_ms.saturating_add(by_ms);
                self.plan(at_ms, Event::Acknowledge(worker, epoch, tag));
                self.begin(worker);
            }
            Acks::Double => {
                self.acknowledge(worker, tag);
                self.acknowledge(worker, tag);
            }
            Acks::WrongChannel => {
                if let Some(connection) = self.desks[worker].connection {
                    let other = self.harness.open(connection);
                    let step = self.harness.ack(other, tag);
                    self.hear(&step);
                }
                self.begin(worker);
            }
        }
        self.go_if_finished(worker);
    }

    /// Acknowledges; if the broker closes the channel for it, the worker opens another.
    fn acknowledge(&mut self, worker: usize, tag: u64) {
        let Some(channel) = self.desks[worker].channel else { return };
        let step = self.harness.ack(channel, tag);
        if step.refusal().is_some() {
            self.abandon(worker);
            self.hear(&step);
            self.subscribe(worker);
        } else {
            self.hear(&step);
        }
    }

    fn leave(&mut self, worker: usize) {
        let desk = &mut self.desks[worker];
        desk.leaving = true;
        match desk.channel {
            Some(channel) => {
                let step = self.harness.cancel(channel, &format!("w{}", worker + 1));
                self.hear(&step);
                self.go_if_finished(worker);
            }
            None => desk.gone = true,
        }
    }

    fn go_if_finished(&mut self, worker: usize) {
        let desk = &self.desks[worker];
        if desk.leaving && desk.at.is_none() && desk.waiting.is_empty() && desk.owed == 0 {
            self.die(worker);
        }
    }

    fn die(&mut self, worker: usize) {
        self.desks[worker].gone = true;
        self.disconnect(worker);
    }

    fn disconnect(&mut self, worker: usize) {
        self.abandon(worker);
        if let Some(connection) = self.desks[worker].connection.take() {
            let step = self.harness.disconnect(connection);
            self.hear(&step);
        }
    }

    fn strike(&mut self, what: Mishap) {
        let workers = self.desks.len().max(1);
        let there = |player: &Self, worker: usize| {
            let worker = worker % workers;
            player.desks.get(worker).and_then(|desk| desk.channel).map(|channel| (worker, channel))
        };
        match what {
            Mishap::ChannelCloses { worker } => {
                let Some((worker, channel)) = there(self, worker) else { return };
                self.abandon(worker);
                let step = self.harness.close(channel);
                self.hear(&step);
                self.subscribe(worker);
                self.go_if_finished(worker);
            }
            Mishap::ConnectionLost { worker } => {
                let Some((worker, _)) = there(self, worker) else { return };
                self.disconnect(worker);
                self.join(worker);
                self.go_if_finished(worker);
            }
            Mishap::ConsumerCancelled { worker } => {
                let Some((worker, channel)) = there(self, worker) else { return };
                let step = self.harness.cancel(channel, &format!("w{}", worker + 1));
                self.hear(&step);
                self.consume(worker);
            }
            Mishap::BrokerKilled => self.restart(Stop::Killed),
            Mishap::BrokerRestarted => self.restart(Stop::Graceful),
        }
    }

    fn restart(&mut self, stop: Stop) {
        let next = self.harness.restarted(stop);
        let history = std::mem::replace(&mut self.harness, next).history().clone();
        self.lives.push(Life::new(history, stop));
        self.connect_publisher();
        let there: Vec<_> = (0..self.desks.len())
            .filter(|worker| self.desks[*worker].connection.is_some())
            .collect();
        for worker in &there {
            self.abandon(*worker);
            self.desks[*worker].connection = None;
        }
        for worker in there {
            self.join(worker);
            self.go_if_finished(worker);
        }
    }

    /// Sends all workers home, and takes and acknowledges what is left.
    fn drain(&mut self) {
        for worker in 0..self.desks.len() {
            self.desks[worker].gone = true;
        }
        for worker in 0..self.desks.len() {
            // Whoever still subscribes is sent what this one gives back, but begins nothing.
            self.abandon(worker);
            if let Some(connection) = self.desks[worker].connection.take() {
                self.harness.disconnect(connection);
            }
        }
        let connection = self.harness.connect();
        let drainer = self.harness.open(connection);
        while !self.harness.ready(QUEUE).is_empty() {
            self.harness.get(drainer, QUEUE);
            self.harness.ack_multiple(drainer, 0);
        }
    }

    fn close(self) -> Played {
        let Self { workload, harness, fates, tallies, lives, now_ms, .. } = self;
        let last = Life::new(harness.history().clone(), Stop::Graceful);
        let lives: Vec<_> = lives.into_iter().chain([last]).collect();
        let mut trace = Trace::of_lives(&lives);
        let histories = lives.iter().map(|life| life.history().clone()).collect();
        let at = trace.observations().last().map(|one| one.at).unwrap_or_default();
        let what = Observed::GotEmpty { queue: QUEUE.into() };
        trace.push(Observation { at, channel: "drainer".into(), what });
        Played { workload: workload.clone(), trace, histories, fates, tallies, ended_ms: now_ms }
    }
}
