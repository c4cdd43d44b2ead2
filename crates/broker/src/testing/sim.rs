//! A whole broker on a simulated disk, without threads: what happens when is up to who drives it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::disk::SimDisk;
use super::{Act, Harness, Said, Step};
use crate::engine::{Engine, EngineOptions, Restore};
use crate::journal::{Journal, JournalError, JournalOptions};
use crate::protocol::{Command, Notice, Output, Record};
use crate::runtime::{Core, OpenError, recover};

/// A broker on a [`SimDisk`]: engine, gate and journal as in a [`Broker`](crate::Broker) on a directory,
/// opened by the same code. In the place of the lock and the journal's thread stand methods, one for each
/// thing that can happen between two others:
///
/// ```text
/// act     a client's command under the lock; its records go into the channel to the thread
/// write   the thread takes some of what is in the channel, and flushes it as one batch
/// tell    the thread, under the lock, lets out what waited for that
/// drop    the process ends; what the disk is then is for the disk to say
/// ```
///
/// Beside it runs a [`Harness`], which is given the same commands and checks itself after each of them; the
/// broker must record what it records and say what it says, now or once it is durable.
///
/// ```
/// use leveret_broker::journal::JournalOptions;
/// use leveret_broker::testing::disk::SimDisk;
/// use leveret_broker::testing::{Act, SimBroker, prelude};
///
/// let disk = SimDisk::new();
/// let mut broker = SimBroker::open(&disk, JournalOptions::default()).unwrap();
/// for act in prelude() {
///     broker.act(&act);
/// }
/// broker.write(usize::MAX).unwrap();
/// let told: Vec<String> = broker.tell().iter().map(|said| said.to_string()).collect();
/// assert_eq!(told, ["1.1 declare-ok q2 0 0", "1.1 declare-ok q3 0 0"]);
/// drop(broker);
/// let broker = SimBroker::open(&disk.kill_image(), JournalOptions::default()).unwrap();
/// assert_eq!(&*broker.engine().queue_views()[0].name, "q2");
/// ```
#[derive(Debug)]
pub struct SimBroker {
    core: Core,
    /// `None` once it has failed or was stopped.
    journal: Option<Journal>,
    /// What is on its way to the journal: steps with their records.
    sent: VecDeque<(u64, Vec<Record>)>,
    /// The last step that is durable, if that was not told yet.
    news: Option<u64>,
    harness: Harness,
    /// What was held back, in order.
    owed: VecDeque<Output>,
}

/// One command's outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Everything that it brought about, whether or not it may be told yet.
    pub step: Step,
    /// What the clients were told at once.
    pub told: Vec<Said>,
    /// The number of the step, if it recorded something.
    pub recorded: Option<u64>,
}

impl SimBroker {
    /// Opens what is on a disk.
    ///
    /// # Errors
    ///
    /// As [`Broker::open_on`](crate::Broker::open_on).
    ///
    /// # Panics
    ///
    /// If the engine that was recovered breaks an invariant, or contradicts its own snapshot.
    pub fn open(disk: &SimDisk, options: JournalOptions) -> Result<Self, OpenError> {
        let (core, journal) = Self::recover(disk, options)?;
        let engine = core.engine();
        let mut fold = Restore::default();
        for record in engine.snapshot_records() {
            let applied = fold.apply(record);
            assert_eq!(applied, Ok(()), "a snapshot of what was recovered");
        }
        let harness = Harness::around(engine.clone(), EngineOptions::default(), fold);
        let (journal, sent, owed) = (Some(journal), VecDeque::new(), VecDeque::new());
        Ok(Self { core, journal, sent, news: None, harness, owed })
    }

    /// What a broker that is opened on a disk begins with. Its process ends at once, so that it leaves
    /// what a crash leaves.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    ///
    /// # Panics
    ///
    /// If the engine breaks an invariant.
    pub fn recovered(disk: &SimDisk, options: JournalOptions) -> Result<Core, OpenError> {
        Self::recover(disk, options).map(|(core, _)| core)
    }

    fn recover(disk: &SimDisk, options: JournalOptions) -> Result<(Core, Journal), OpenError> {
        let disk = Arc::new(disk.clone());
        let (core, journal, _) = recover(disk, EngineOptions::default(), options, false)?;
        if let Err(broken) = core.engine().check_invariants() {
            panic!("recovered: {broken}");
        }
        Ok((core, journal))
    }

    /// Takes a command, as the broker does under its lock.
    ///
    /// # Panics
    ///
    /// If the broker does not do what the harness does.
    pub fn act(&mut self, act: &Act) -> Turn {
        if let Act::Pass { ms } = act {
            self.advance(*ms);
        }
        let mut command = self.harness.command(act);
        let step = self.harness.step(command.clone());
        if let Command::OpenChannel { call, .. } | Command::Channel { call, .. } = &mut command {
            *call = step.call;
        }
        let passed = self.core.step(self.harness.now(), command);
        let withheld = |output: &Output| matches!(output.notice, Notice::Withheld { .. });
        let mut passed: VecDeque<Output> = passed.filter(|output| !withheld(output)).collect();
        let mut told = Vec::new();
        for output in &step.outputs {
            if passed.front() == Some(output) {
                passed.pop_front();
                told.push(self.harness.said(output));
            } else {
                self.owed.push_back(output.clone());
            }
        }
        assert!(passed.is_empty(), "nobody was to be told {passed:?} after {act:?}");
        assert_eq!(self.engine().view(), self.harness.view(), "after {act:?}");
        let taken = self.core.take_records();
        let records = taken.as_ref().map(|(_, records)| records.as_slice());
        assert_eq!(records.unwrap_or_default(), step.records, "after {act:?}");
        let recorded = taken.as_ref().map(|(step, _)| *step);
        self.sent.extend(taken);
        Turn { step, told, recorded }
    }

    /// Lets so many milliseconds pass, also before the first act, as while no broker ran. What is due happens with
    /// the next one.
    pub fn advance(&mut self, ms: u64) {
        self.harness.advance(Duration::from_millis(ms));
    }

    /// Sends the journal what a graceful stop records, behind everything sent before; gives the number of
    /// that last step. The clients are gone by then: the last act was a shutdown.
    pub fn stop(&mut self) -> Option<u64> {
        let taken = self.core.take_stop_records();
        let step = taken.as_ref().map(|(step, _)| *step);
        self.sent.extend(taken);
        step
    }

    /// The numbers of the steps that are on their way to the journal, in order.
    pub fn sent(&self) -> impl Iterator<Item = u64> + '_ {
        self.sent.iter().map(|(step, _)| *step)
    }

    /// Writes so many of the steps that are on their way, or all there are, as one batch; gives the last
    /// step that is durable now. Without any, it touches nothing.
    ///
    /// # Errors
    ///
    /// The journal has failed, which is final; [`give_up`](Self::give_up) is to follow.
    ///
    /// # Panics
    ///
    /// If the last write was not told: the thread does the one and then the other.
    pub fn write(&mut self, steps: usize) -> Result<Option<u64>, JournalError> {
        assert_eq!(self.news, None, "a write is told before the next");
        let taken: Vec<_> = self.sent.drain(..steps.min(self.sent.len())).collect();
        let (Some(journal), Some((last, _))) = (&mut self.journal, taken.last()) else {
            return Ok(None);
        };
        append_all(journal, taken.iter().flat_map(|(_, records)| records))?;
        journal.flush()?;
        self.news = Some(*last);
        Ok(self.news)
    }

    /// Tells the clients what waited for what is durable by now.
    ///
    /// # Panics
    ///
    /// If that is not, in order, what was held back.
    pub fn tell(&mut self) -> Vec<Said> {
        let Some(step) = self.news.take() else { return Vec::new() };
        let released: Vec<_> = self.core.durable(step).collect();
        for output in &released {
            assert_eq!(self.owed.pop_front().as_ref(), Some(output), "held back, in order");
        }
        self.heard(&released)
    }

    /// What clients hear of what was held back: nothing on a channel that has closed meanwhile.
    fn heard(&self, outputs: &[Output]) -> Vec<Said> {
        let open = |output: &&Output| {
            let numbers =
                output.channel.map(|channel| self.harness.engine().channel_numbers(channel));
            numbers.is_none_or(|numbers| numbers.is_some())
        };
        outputs.iter().filter(open).map(|output| self.harness.said(output)).collect()
    }

    /// The journal has failed: it is closed, what waited is refused, and every connection ends.
    ///
    /// # Panics
    ///
    /// If there are other confirms than those that were held back.
    pub fn give_up(&mut self, why: &JournalError) -> Vec<Said> {
        self.journal = None;
        let said = self.core.give_up(&why.to_string());
        let confirms = |output: &&Output| matches!(output.notice, Notice::Confirm { .. });
        let refused =
            said.iter().filter(confirms).map(|output| (output.channel, output.connection));
        let owed = self.owed.iter().filter(confirms);
        assert!(refused.eq(owed.map(|output| (output.channel, output.connection))), "{said:?}");
        self.owed.clear();
        self.heard(&said)
    }

    /// A copy in the same state, but without a journal: it can do all but write, until it is given one. With
    /// that, a broker's state is a value that can be kept, and gone on from more than once.
    ///
    /// # Panics
    ///
    /// If the last write was not told.
    #[must_use]
    pub fn without_journal(&self) -> Self {
        assert_eq!(self.news, None, "a write is told before the next");
        Self {
            core: self.core.clone(),
            journal: None,
            sent: self.sent.clone(),
            news: None,
            harness: self.harness.clone(),
            owed: self.owed.clone(),
        }
    }

    /// The same broker with this journal, which is to be what its own was: one of [`same_journal`].
    ///
    /// [`same_journal`]: Self::same_journal
    #[must_use]
    pub fn with_journal(self, journal: Journal) -> Self {
        Self { journal: Some(journal), ..self }
    }

    /// The journal of a broker that was opened on a disk like this, and has written these batches: the same
    /// calls give the same bytes, so it and the disk come to be what that one's are.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), or the disk fails in writing.
    ///
    /// # Panics
    ///
    /// If the engine that is recovered breaks an invariant.
    pub fn same_journal(
        disk: &SimDisk,
        options: JournalOptions,
        batches: &[Vec<Record>],
    ) -> Result<Journal, OpenError> {
        let (_, mut journal) = Self::recover(disk, options)?;
        for batch in batches {
            append_all(&mut journal, batch)?;
            journal.flush()?;
        }
        Ok(journal)
    }

    /// Steps on their way to the journal, as the batch that writing so many of them makes.
    #[must_use]
    pub fn batch(&self, steps: usize) -> Vec<Record> {
        self.sent.iter().take(steps).flat_map(|(_, records)| records.clone()).collect()
    }

    /// The journal, until it has failed.
    #[must_use]
    pub fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// How many answers and confirms are held back.
    #[must_use]
    pub fn held_back(&self) -> usize {
        self.owed.len()
    }

    /// The harness beside it, by which random programs find out what there is.
    #[must_use]
    pub fn harness(&self) -> &Harness {
        &self.harness
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        self.core.engine()
    }
}

/// Adds all of some records to the batch, as the journal's thread does.
fn append_all<'a>(
    journal: &mut Journal,
    records: impl IntoIterator<Item = &'a Record, IntoIter: Clone>,
) -> Result<(), JournalError> {
    let mut records = records.into_iter();
    loop {
        match journal.append_next(records.clone())? {
            0 => return Ok(()),
            count => records.by_ref().take(count).for_each(drop),
        }
    }
}
