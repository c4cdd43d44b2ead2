//! A broker, its disk, its clients and what is known of them, over many lives.

use std::collections::BTreeMap;

use leveret_broker::journal::{Journal, JournalOptions, Level};
use leveret_broker::protocol::Method;
use leveret_broker::testing::disk::{Choices, Op, OpKind, Seeded, SimDisk};
use leveret_broker::testing::{Act, Oracle, SimBroker, Turn};

use crate::account::{Account, Promised, State, all_marked, oracle_beside};
use crate::examine::{Examiner, Expected, add};
use crate::messages;
use crate::report::{Event, Report};

/// Everything there is in one history.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) choices: Seeded,
    pub(crate) options: JournalOptions,
    /// Which crashes are tried at each moment.
    pub(crate) cuts: Cuts,
    pub(crate) disk: SimDisk,
    pub(crate) account: Account,
    pub(crate) report: Report,
    /// What may be found after a crash now.
    pub(crate) expected: Expected,
    broker: Option<SimBroker>,
    oracle: Oracle,
    /// What the clock shows, in milliseconds.
    time_ms: u64,
    /// What must survive as it is after the last command.
    present: State,
    /// What each step that is on its way to the disk leaves.
    steps: BTreeMap<u64, State>,
    /// Whether something handed to the system alone may be gone without a crash.
    pub(crate) may_lose: bool,
    /// The last commands.
    trail: Vec<String>,
}

/// Which crashes are tried at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cuts {
    /// So many power cuts at most, drawn by chance.
    Some(usize),
    /// Every one that matters; and all of them again, so many times in a row, while it is recovered.
    Every(usize),
}

/// How many commands a failure tells.
const TRAIL: usize = 12;
/// How many operations of the disk.
const OPERATIONS: usize = 60;

impl World {
    /// An empty disk without a broker.
    pub(crate) fn new(seed: u64, options: JournalOptions, cuts: Cuts) -> Self {
        let nothing = vec![crate::account::nothing()];
        let expected = Expected { power: nothing.clone(), kill: nothing, ..Expected::default() };
        Self {
            choices: Seeded::new(seed),
            options,
            cuts,
            disk: SimDisk::new(),
            account: Account::default(),
            report: Report::default(),
            expected,
            broker: None,
            oracle: Oracle::new(),
            time_ms: 0,
            present: crate::account::nothing(),
            steps: BTreeMap::new(),
            may_lose: false,
            trail: Vec::new(),
        }
    }

    /// The last commands, and what the disk was asked for, for who reads of a failure.
    pub(crate) fn trail(&self) -> String {
        let operations = self.disk.log();
        let told = operations.iter().zip(1..).map(|(op, number)| {
            let file = op.file.as_deref().unwrap_or_default();
            format!("{number} {:?} {file} {} {:?}", op.kind, op.bytes, op.result)
        });
        let skipped = operations.len().saturating_sub(OPERATIONS);
        let told: Vec<String> = told.skip(skipped).collect();
        format!("  {}\n  {}", self.trail.join("\n  "), told.join("\n  "))
    }

    /// Adds what the disk has seen to the report.
    pub(crate) fn take_report(mut self) -> Report {
        self.report.add_hits(&self.disk.hits());
        self.report
    }

    fn broker(&mut self) -> Result<&mut SimBroker, String> {
        self.broker.as_mut().ok_or_else(|| "no broker runs".to_owned())
    }

    /// The names of all queues.
    pub(crate) fn queues(&self) -> Vec<String> {
        let views = self.oracle.view().queues;
        views.into_iter().map(|queue| queue.name.to_string()).collect()
    }

    /// Whether something is on its way to the disk.
    pub(crate) fn is_writing(&self) -> bool {
        !self.steps.is_empty()
    }
}

/// Clients.
impl World {
    /// A client does what an operation means now; false if that is nothing.
    pub(crate) fn op(&mut self, op: leveret_broker::testing::Op) -> Result<bool, String> {
        match op.resolve(self.broker()?.harness()) {
            Some(act) => self.act(act).map(|_| true),
            None => Ok(false),
        }
    }

    /// A client does something, and the oracle says what must come of it.
    pub(crate) fn act(&mut self, mut act: Act) -> Result<Turn, String> {
        let mut attempt = None;
        if let Act::Method { method: Method::BasicPublish(publish), .. } = &mut act {
            attempt = Some(self.account.next());
            messages::attempt(publish, self.account.next(), &mut self.choices);
            self.account.attempted(publish);
        }
        if let Act::Pass { ms } = &act {
            self.time_ms += ms;
        }
        self.report.count(Event::Commands);
        self.trail.push(format!("{act:?}").chars().take(220).collect());
        let excess = self.trail.len().saturating_sub(TRAIL);
        self.trail.drain(..excess);

        let broker = self.broker()?;
        let turn = broker.act(&act);
        let view = Oracle::comparable(broker.harness().view());
        let said = self.oracle.act(&act, turn.step.made_name());
        if said != turn.step.said || self.oracle.view() != view {
            return Err(format!("the oracle says {said:?}, the broker {:?}", turn.step.said));
        }
        self.account.note(&act, &turn, attempt, &mut self.report);
        let present = all_marked(&self.account.state(&self.oracle));
        self.account.changed(&self.present, &present, &mut self.report);
        match turn.recorded {
            Some(step) => drop(self.steps.insert(step, present.clone())),
            None if present == self.present => {}
            None => return Err("what must survive has changed, and nothing was recorded".into()),
        }
        self.present = present;
        let durable = self.durable();
        self.account.told(&turn.told, &durable, &mut self.report);
        Ok(turn)
    }

    /// What is durable, as the level promises.
    fn durable(&self) -> State {
        self.expected.kill.first().cloned().unwrap_or_default()
    }

    /// Clients hear what is durable.
    pub(crate) fn tell(&mut self) -> Result<(), String> {
        let told = self.broker()?.tell();
        let durable = self.durable();
        self.account.told(&told, &durable, &mut self.report);
        Ok(())
    }
}

/// The journal's thread.
impl World {
    /// Writes so many steps as a batch, with crashes at every moment of it; false if the journal failed.
    pub(crate) fn write(&mut self, steps: usize) -> Result<bool, String> {
        self.tell()?;
        let Some(last) = self.broker()?.sent().take(steps).last() else { return Ok(true) };
        let coming = self.steps[&last].clone();
        let before = self.durable();
        add(&mut self.expected.power, coming.clone());
        add(&mut self.expected.kill, coming.clone());
        self.expected.promised = self.account.promised(&self.present, &coming);
        let operations = self.disk.log().len();
        self.disk.keep_moments();
        let used = self.broker()?.journal().map_or(0, Journal::disk_bytes);
        let written = self.broker()?.write(steps);
        let moments = self.disk.take_moments();
        self.crash_at(&moments)?;
        self.look_for_failed_syncs(operations);
        match written {
            Ok(_) => {
                self.report.count(Event::Batches);
                self.room(used, operations)?;
                self.steps = self.steps.split_off(&(last + 1));
                self.account.settled(&before, &coming);
                self.expected.kill = vec![coming.clone()];
                if self.options.level == Level::Synced {
                    self.expected.power = vec![coming.clone()];
                }
                if self.choices.flip() {
                    self.tell()?;
                }
                self.expected.promised = self.account.promised(&self.present, &coming);
                let now = self.disk.clone();
                self.crash_at(&[now])?;
                Ok(true)
            }
            Err(error) => {
                self.report.count(Event::JournalFailures);
                let told = self.broker()?.give_up(&error);
                self.account.told(&told, &before, &mut self.report);
                Ok(false)
            }
        }
    }

    /// At level `Written` nothing is promised of what a failed sync has lost: that is the medium's
    /// failure, not the end of a process. Looks at the disk's operations behind the first `from`.
    fn look_for_failed_syncs(&mut self, from: usize) {
        let log = self.disk.log();
        let failed =
            |op: &Op| matches!(op.kind, OpKind::Sync | OpKind::SyncDirectory) && op.result.is_err();
        if log.iter().skip(from).any(failed) && self.options.level == Level::Written {
            self.may_lose = true;
            for state in self.expected.power.clone() {
                add(&mut self.expected.kill, state);
            }
            self.expected.promised = Promised::default();
        }
    }

    /// The disk in use must be within its bound, unless room was wanted for that and refused; `before` was in use
    /// before the last batch, which began behind the first `from` of the disk's operations.
    fn room(&mut self, before: u64, from: usize) -> Result<(), String> {
        let refused = |op: &Op| op.kind == OpKind::Reserve && op.result.is_err();
        if self.disk.log().iter().skip(from).any(refused) {
            return Ok(());
        }
        let slack = 2 * self.options.segment_bytes.max(4096);
        if let Some(journal) = self.broker()?.journal().filter(|one| one.latched().is_none()) {
            let (used, live) = (journal.disk_bytes(), journal.live_bytes());
            if used > 3 * live + slack {
                return Err(format!("{used} bytes are in use for {live}"));
            }
            self.report.add(Event::RoomGivenBack, u64::from(used < before));
        }
        Ok(())
    }

    /// Crashes at each of some moments.
    pub(crate) fn crash_at(&mut self, moments: &[SimDisk]) -> Result<(), String> {
        for moment in moments {
            let (account, options) = (&self.account, self.options.clone());
            let mut examiner = Examiner { account, options, report: &mut self.report };
            match self.cuts {
                Cuts::Some(most) => {
                    let cuts = self.choices.below(most + 1);
                    let mut choices = Seeded::new(self.choices.bits());
                    examiner.some(moment, &self.expected, cuts, &mut choices)?;
                }
                Cuts::Every(depth) => examiner.every(moment, &self.expected, depth)?,
            }
        }
        Ok(())
    }
}

/// Ends and beginnings.
impl World {
    /// The broker is stopped; false if its journal failed.
    pub(crate) fn stop(&mut self) -> Result<bool, String> {
        self.act(Act::Shutdown { reason: "stop".to_owned() })?;
        // As the journal's thread does, which writes a stop by itself.
        if !self.write(usize::MAX)? {
            return Ok(false);
        }
        let stopped = self.account.state(&self.oracle);
        if let Some(step) = self.broker()?.stop() {
            self.steps.insert(step, stopped);
        }
        self.report.count(Event::Stops);
        self.write(usize::MAX)
    }

    /// The process ends.
    pub(crate) fn end(&mut self) {
        self.broker = None;
        self.steps.clear();
    }

    /// The next process opens what it finds on the disk, with crashes at every moment of that; false if it
    /// cannot because of a fault.
    pub(crate) fn open(&mut self, faulty: bool) -> Result<bool, String> {
        let found_any = self.expected.kill.clone();
        self.expected = self.expected.begun();
        let operations = self.disk.log().len();
        self.disk.keep_moments();
        let opened = SimBroker::open(&self.disk, self.options.clone());
        let moments = self.disk.take_moments();
        self.crash_at(&moments)?;
        let mut broker = match opened {
            Ok(broker) => broker,
            Err(error) if faulty => {
                self.report.count(Event::OpeningsFailed);
                self.look_for_failed_syncs(operations);
                self.trail.push(format!("opening failed: {error}"));
                let text = error.to_string();
                let wrong = text.contains("damaged") || text.contains("contradicts");
                return if wrong { Err(text) } else { Ok(false) };
            }
            Err(error) => return Err(error.to_string()),
        };
        self.report.count(Event::Lives);
        let found = self.account.found(broker.engine())?;
        if !self.expected.kill.contains(&found) {
            let story = self.disk.story();
            return Err(format!("{story}: found\n  {found:?}\nexpected one of\n  {found_any:?}"));
        }
        let unmarked = |(_, _, messages): &(_, _, Vec<(u64, bool)>)| {
            messages.iter().filter(|(_, marked)| !marked).count() as u64
        };
        let unmarked: u64 = found.iter().map(unmarked).sum();
        self.report.add(Event::UnmarkedAfterStop, unmarked);
        if unmarked > 0 {
            let all: usize = found.iter().map(|(_, _, messages)| messages.len()).sum();
            self.report.add(Event::MarkedAfterStop, all as u64 - unmarked);
        }
        self.account.reborn(broker.engine(), self.may_lose, &mut self.report)?;
        self.may_lose = false;
        // Time has passed while no broker ran.
        self.time_ms += self.choices.below(8) as u64;
        broker.advance(self.time_ms);
        self.oracle = oracle_beside(broker.engine(), self.time_ms);
        self.present = all_marked(&found);
        self.steps.clear();
        self.expected.kill = vec![self.present.clone()];
        if self.options.level == Level::Synced {
            self.expected.power = vec![self.present.clone()];
        } else {
            add(&mut self.expected.power, self.present.clone());
        }
        self.expected.promised = self.account.promised(&self.present, &self.present);
        self.broker = Some(broker);
        let now = self.disk.clone();
        self.crash_at(&[now])?;
        self.trail.push("opened".to_owned());
        Ok(true)
    }
}
