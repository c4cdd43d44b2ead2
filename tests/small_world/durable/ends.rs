//! What happens to the disk: writing, and every way in which a process ends.

use std::io::ErrorKind;

use leveret_broker::journal::JournalError;
use leveret_broker::journal::repair::Case;
use leveret_broker::protocol::Method;
use leveret_broker::protocol::QueueDeclare;
use leveret_broker::testing::disk::{Fault, OpKind, SimDisk, SyncLoss};
use leveret_broker::testing::{Act, Said, SimBroker, What};

use super::account::{Fate, Found, all_marked, contains};
use super::outline::outline;
use super::world::{Down, Life, PUBLISHER, Running, World};

pub(crate) type Steps = Vec<(String, World)>;

/// An operation that fails.
struct Failing {
    /// Its place in the log of operations.
    at: usize,
    kind: OpKind,
    fault: Fault,
    /// Whether it changes the disk behind the process's back.
    loses: bool,
}

/// What can go wrong with an operation of this kind, and whether that changes the disk behind the process's
/// back.
fn faults(kind: OpKind) -> Vec<(Fault, bool)> {
    let error = (Fault::error(ErrorKind::Other).on(kind), false);
    let failed_sync = |loss| Fault::failed_sync(loss).on(kind);
    match kind {
        OpKind::Append => vec![error, (Fault::partial_append(60, ErrorKind::Other), false)],
        OpKind::Sync | OpKind::SyncDirectory => vec![
            (failed_sync(SyncLoss::Kept), false),
            (failed_sync(SyncLoss::Seen), true),
            (failed_sync(SyncLoss::Hidden), true),
        ],
        _ if kind.changes() => vec![error],
        _ => Vec::new(),
    }
}

/// Every way in which one of the operations can fail that a disk has seen, behind the first `from`.
fn failing(disk: &SimDisk, from: usize) -> Vec<Failing> {
    let mut found = Vec::new();
    let log = disk.log();
    for (at, op) in log.iter().enumerate().skip(from) {
        let kind = op.kind;
        let nth = 1 + log[from..at].iter().filter(|one| one.kind == kind).count() as u64;
        let all = faults(kind).into_iter();
        let all = all.map(|(fault, loses)| Failing { at, kind, fault: fault.nth(nth), loses });
        found.extend(all);
    }
    found
}

impl Failing {
    fn name(&self) -> String {
        format!("operation {} fails: {:?}", self.at, self.fault)
    }
}

/// Writing.
impl World {
    /// The journal's thread writes so many steps, and tells; and whatever can go wrong with it.
    pub(crate) fn write(&self, running: &Running, count: usize) -> Steps {
        let (disk, mut broker) = running.awake(&self.bounds);
        let from = disk.log().len();
        disk.keep_moments();
        let written = broker.write(count);
        let moments = disk.take_moments();
        let what = format!("{count} of {} steps are written", running.steps.len());
        let coming = running.steps[count - 1].clone();
        let mut steps = Vec::new();
        match written {
            Ok(_) => {
                let mut next = running.clone();
                next.batches.push(running.broker().batch(count));
                steps.push((what.clone(), self.told(next, broker, &disk, count)));
            }
            Err(error) => steps.push((what.clone(), self.failed_for_nothing(running, &error))),
        }
        if self.ends == 0 {
            return steps;
        }
        let legal = [running.durable.clone(), coming.clone()];
        for moment in moments {
            let world = self.ended().down(moment, legal.clone());
            steps.push((format!("{what}, and the process dies"), world));
        }
        let world = self.ended().down(disk.copy(), [coming]);
        steps.push((format!("{what}, and the process dies before it tells"), world));
        for failing in failing(&disk, from) {
            let name = format!("{what}, but {}", failing.name());
            steps.push((name, self.write_fails(running, count, failing)));
        }
        steps
    }

    fn failed_for_nothing(&self, running: &Running, error: &JournalError) -> Self {
        let mut next = self.clone();
        next.life = Life::Running(Box::new(running.clone()));
        next.wrong = Some(format!("a write failed without a fault: {error}"));
        next
    }

    /// The world in which steps were written and the clients told.
    fn told(
        &self,
        mut running: Running,
        mut broker: SimBroker,
        disk: &SimDisk,
        count: usize,
    ) -> Self {
        let mut next = self.clone();
        (next.shown, next.wrong) = (Vec::new(), None);
        let told = broker.tell();
        let mut before = vec![running.durable.clone()];
        before.extend(running.steps.drain(..count));
        running.durable = before[count].clone();
        next.account.settled(&before, &running.durable);
        next.note(&running, &told);
        running.take(&broker, disk, self.bounds.by_segment);
        next.wrong = next.all_told(&running).or_else(|| self.logged(&running));
        next.life = Life::Running(Box::new(running));
        next
    }

    /// What is durable and nobody was told.
    fn all_told(&self, running: &Running) -> Option<String> {
        let untold = |message: &usize| {
            self.account.fate(*message) == Fate::Unconfirmed && contains(&running.durable, *message)
        };
        let message = (0..self.account.messages.len()).find(untold);
        message.map(|message| format!("m{} is durable, and not confirmed", message + 1))
    }

    /// What is wrong with the log of a broker that has just written: it must come to what is durable.
    fn logged(&self, running: &Running) -> Option<String> {
        let world = self.down(running.disk.copy(), [running.durable.clone()]);
        let Life::Down(down) = world.life else { return None };
        match down.recovered {
            Ok(found) if down.legal.contains(&found) => None,
            found => Some(format!("the log comes to {found:?}, not to {:?}", running.durable)),
        }
    }

    /// Takes note of what clients were told.
    fn note(&mut self, running: &Running, told: &[Said]) {
        for said in told {
            match &said.what {
                What::ConfirmAck(seq) => {
                    let message = running.published[*seq as usize - 1];
                    let fate = &mut self.account.messages[message].1;
                    if *fate == Fate::Unconfirmed {
                        *fate = Fate::Safe;
                    }
                }
                What::DeclareOk { queue, .. } => {
                    let queues = self.account.queues.iter_mut();
                    let named =
                        |(one, _): &&mut (usize, bool)| super::account::QUEUES[*one] == queue;
                    queues.filter(named).for_each(|(_, answered)| *answered = true);
                }
                _ => {}
            }
        }
    }

    /// A write fails: everything that waits is refused, the journal takes no more, and the process ends.
    fn write_fails(&self, running: &Running, count: usize, failing: Failing) -> Self {
        let (disk, mut broker) = running.awake(&self.bounds);
        let sync = matches!(failing.kind, OpKind::Sync | OpKind::SyncDirectory);
        disk.inject(failing.fault);
        let mut next = self.ended();
        (next.shown, next.wrong) = (Vec::new(), None);
        let coming = running.steps[count - 1].clone();
        let mut legal = vec![coming.clone()];
        let error = match broker.write(count) {
            Err(error) => {
                legal.push(running.durable.clone());
                Some(error)
            }
            // The batch is durable; what failed came after it.
            Ok(_) => {
                let told = broker.tell();
                let mut before = vec![running.durable.clone()];
                before.extend(running.steps[..count].iter().cloned());
                next.account.settled(&before, &coming);
                next.note(running, &told);
                broker.journal().and_then(|journal| journal.working().err())
            }
        };
        let wrong = match error {
            None => Some("a fault goes unnoticed".to_owned()),
            Some(error) => latched(&mut broker, &disk, &error).err(),
        };
        let mut next = next.down(disk.copy(), legal);
        next.wrong = wrong;
        next.showing(if sync { "a failed sync latches" } else { "a failed write latches" })
    }
}

/// Once it has failed, a journal does nothing more, and nothing is told but refusals.
fn latched(broker: &mut SimBroker, disk: &SimDisk, error: &JournalError) -> Result<(), String> {
    let operations = disk.operations();
    let queue = "after".into();
    let declare = QueueDeclare { queue, durable: true, ..QueueDeclare::default() };
    let method = Method::QueueDeclare(declare);
    broker.act(&Act::Method { connection: 1, channel: PUBLISHER, method });
    match broker.write(usize::MAX) {
        Err(JournalError::Latched { .. }) => {}
        other => return Err(format!("the journal has failed, and goes on with {other:?}")),
    }
    if disk.operations() != operations {
        return Err("the journal has failed, and goes on using the disk".to_owned());
    }
    let told = broker.give_up(error);
    let promises = |said: &&Said| matches!(said.what, What::ConfirmAck(_) | What::DeclareOk { .. });
    match told.iter().find(promises) {
        Some(said) => Err(format!("told after a failure: {said}")),
        None => Ok(()),
    }
}

/// Ends.
impl World {
    /// The same with one end less to come.
    fn ended(&self) -> Self {
        Self { ends: self.ends - 1, ..self.clone() }
    }

    /// The process is killed: what is on its way to the disk is gone.
    pub(crate) fn killed(&self, running: &Running) -> Self {
        self.ended().down(running.disk.copy(), [running.durable.clone()])
    }

    /// The broker is stopped when everything is written; and dies at every moment of that.
    pub(crate) fn stop(&self, running: &Running) -> Steps {
        let stopped = running.stopped();
        let (disk, mut broker) = running.awake(&self.bounds);
        broker.act(&Act::Shutdown { reason: "stop".to_owned() });
        broker.stop();
        disk.keep_moments();
        let written = broker.write(usize::MAX);
        let moments = disk.take_moments();
        let mut done = self.ended().down(disk.copy(), [stopped.clone()]);
        done.wrong = written.err().map(|error| error.to_string());
        let mut steps = vec![("the broker is stopped".to_owned(), done)];
        let legal = [running.durable.clone(), stopped];
        for moment in moments {
            let world = self.ended().down(moment, legal.clone());
            steps.push(("the broker is stopped, and dies".to_owned(), world));
        }
        steps
    }

    /// What can come after an end: the power goes, or the next process opens what there is, and may fail.
    pub(crate) fn after_end(&self, down: &Down) -> Steps {
        let mut steps = self.power_cuts(down);
        let disk = down.disk.copy();
        if self.ends > 0 {
            disk.keep_moments();
        }
        let opened = SimBroker::open(&disk, self.bounds.options());
        let next = match opened {
            Ok(broker) => self.with_broker(down, &broker, &disk),
            Err(error) => {
                let mut next = self.clone();
                next.wrong = Some(format!("it does not open: {error}"));
                next
            }
        };
        steps.push(("the next process opens it".to_owned(), next));
        if self.ends == 0 {
            return steps;
        }
        let legal: Vec<Found> =
            down.legal.iter().flat_map(|one| [one.clone(), all_marked(one)]).collect();
        for moment in disk.take_moments() {
            let world = self.ended().down(moment, legal.clone());
            let world = world.showing("a process dies in recovery");
            steps.push(("the next process opens it, and dies".to_owned(), world));
        }
        // Where nothing changes behind the process's back, failing leaves what dying there leaves.
        for failing in failing(&disk, 0).into_iter().filter(|one| one.loses) {
            let name = format!("the next process opens it, but {}", failing.name());
            let disk = down.disk.copy();
            disk.inject(failing.fault);
            let opened = SimBroker::open(&disk, self.bounds.options());
            let mut world = self.ended().down(disk.copy(), legal.clone());
            world.wrong = opened.is_ok().then(|| "a fault goes unnoticed".to_owned());
            steps.push((name, world.showing("opening fails")));
        }
        steps
    }

    /// The disks that a power cut may leave.
    fn power_cuts(&self, down: &Down) -> Steps {
        if down.disk.pending().is_empty() {
            return Vec::new();
        }
        let cut = |image: SimDisk| {
            let story = image.story();
            let story = story.rsplit(", then ").next().unwrap_or_default().to_owned();
            (story, self.down(image, down.legal.clone()).showing_loss())
        };
        down.disk.crash_images(usize::MAX).into_iter().map(cut).collect()
    }

    /// Notes what a power cut has shown.
    fn showing_loss(mut self) -> Self {
        let Life::Down(down) = &self.life else { return self };
        let Ok(found) = &down.recovered else { return self };
        for (message, (_, fate)) in self.account.messages.iter().enumerate() {
            self.shown.extend(match (fate, contains(found, message)) {
                (Fate::Safe, true) => Some("a confirmed message survives a power cut"),
                (Fate::Unconfirmed, false) => {
                    Some("a power cut takes a message that was not confirmed")
                }
                (Fate::Unconfirmed, true) => {
                    Some("a message that was not confirmed survives a power cut")
                }
                (Fate::Settled, false) => Some("an acknowledgement survives a power cut"),
                _ => None,
            });
        }
        self.shown.extend(match outline(&down.disk, false).case {
            Case::TornTail => Some("a power cut tears the last batch"),
            Case::Begun => Some("a power cut leaves a segment without a batch"),
            Case::LeftBehind => Some("a power cut leaves segments that are not needed"),
            _ => None,
        });
        self
    }
}
