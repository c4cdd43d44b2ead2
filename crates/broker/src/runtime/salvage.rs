//! Taking over what is readable in a damaged directory into a new one.

use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::handle::Broker;
use super::options::BrokerOptions;
use crate::disk::{Disk, FsDisk};
use crate::engine::{Contradiction, EngineOptions, Mend, Mended};
use crate::journal::segment::segment_name;
use crate::journal::{
    Dropped, JournalError, Level, Piece, Wreck, check_empty, check_finished, read_pieces, write_new,
};
use crate::protocol::{Name, Record};

/// Why nothing was salvaged. The damaged directory is as it was, and in the new one there is no log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SalvageError {
    /// A directory cannot be read or written, is in use, or is not the right one.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The damaged directory has no record that can be read.
    #[error("there is nothing to salvage: {why}")]
    Nothing {
        /// What is there instead.
        why: String,
    },
    /// The new directory is the damaged one, or lies in it.
    #[error("the new directory must not be the damaged one, and not lie in it; choose another")]
    Same,
    /// A directory cannot be had.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// What a salvage took over, and what it had to leave.
///
/// ```
/// use std::sync::Arc;
///
/// use leveret_broker::disk::MemoryDisk;
/// use leveret_broker::{Broker, BrokerOptions};
///
/// let (from, to) = (MemoryDisk::new(), MemoryDisk::new());
/// drop(Broker::open_on(Arc::new(from.clone()), BrokerOptions::default()).unwrap());
/// let report = Broker::salvage_on(&from, Arc::new(to), BrokerOptions::default()).unwrap();
/// assert!(report.is_complete());
/// assert!(report.to_string().starts_with("taken over: queues: 0, messages: 0 "));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvageReport {
    /// Durable queues in the new directory.
    pub queues: u64,
    /// Messages in the new directory; one in several queues counts in each.
    pub messages: u64,
    /// Segments that were read.
    pub segments: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Records in them that could be read.
    pub records: u64,
    /// Parts of the damaged log that could not be read, by file and place.
    pub dropped: Vec<Dropped>,
    /// How many records could not be true, or not wholly, after those before them that could be read. Most
    /// often their reason is a record that is lost, as when a message was removed of which nothing is left.
    pub contradicted: u64,
    /// The first [`CONTRADICTIONS_MAX`](Self::CONTRADICTIONS_MAX) of them.
    pub contradictions: Vec<Contradicted>,
    /// Queues whose declaration is lost and messages are not: declared again, durable and without arguments.
    pub redeclared: Vec<Name>,
    /// Queues that had been deleted, as a later part of the log says, while the record of that is lost. They
    /// were kept, with what is known of their messages.
    pub doubtful: Vec<Name>,
}

/// A record that was left out, or taken in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradicted {
    /// The segment's file.
    pub file: String,
    /// Where in it the record begins.
    pub offset: u64,
    /// What of it cannot be true.
    pub contradiction: Contradiction,
}

impl SalvageReport {
    /// How many contradictions are told one by one.
    pub const CONTRADICTIONS_MAX: usize = 1000;

    /// Whether nothing was left behind and nothing had to be set right: what was damaged, if anything was,
    /// was not needed.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let Self { dropped, contradicted, redeclared, doubtful, .. } = self;
        dropped.is_empty() && *contradicted == 0 && redeclared.is_empty() && doubtful.is_empty()
    }
}

/// In words, a line for each thing; the last line has no end.
impl fmt::Display for SalvageReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queues, messages, segments, records, .. } = self;
        write!(
            f,
            "taken over: queues: {queues}, messages: {messages} (segments: {segments}, records: {records})"
        )?;
        if self.is_complete() {
            return write!(f, "\nnothing was left behind");
        }
        for dropped in &self.dropped {
            write!(f, "\nnot readable: {dropped}")?;
        }
        for Contradicted { file, offset, contradiction } in &self.contradictions {
            write!(f, "\nleft out: {file} at byte {offset}: {contradiction}")?;
        }
        let more = self.contradicted - self.contradictions.len() as u64;
        if more > 0 {
            write!(f, "\nleft out: {more} more of this kind")?;
        }
        for queue in &self.redeclared {
            write!(
                f,
                "\nqueue {queue:?}: its declaration is lost; declared again, durable, without arguments"
            )?;
        }
        for queue in &self.doubtful {
            write!(f, "\nqueue {queue:?}: it had been deleted, and what was left of it is back")?;
        }
        Ok(())
    }
}

impl Broker {
    /// Takes over what is readable in a directory that does not [`open`](Self::open) any more, into a new
    /// one that does.
    ///
    /// Nothing is written in `from`, which may be read-only, and no broker can open it meanwhile. Everything
    /// that a record is left of is taken over, and comes back marked redelivered. Where the removal of a
    /// message is lost, the message comes back, although it was acknowledged; where its only record is lost,
    /// it is gone. The report lists all that could not be read.
    ///
    /// If the process dies meanwhile, `to` does not open, and can be removed. All that is alive must fit
    /// into memory, as in opening. A directory that is not damaged can be salvaged as well; the copy takes
    /// no more room than is needed.
    ///
    /// ```
    /// use leveret_broker::Broker;
    /// use leveret_broker::runtime::SalvageError;
    ///
    /// # let root = std::env::temp_dir().join(format!("leveret-doc-salvage-{}", std::process::id()));
    /// # let (damaged, new) = (root.join("damaged"), root.join("new"));
    /// # drop(Broker::open(&damaged).unwrap());
    /// # fn salvage(damaged: &std::path::Path, new: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    /// let report = Broker::salvage(damaged, new)?;
    /// println!("{report}");
    /// let broker = Broker::open(new)?;
    /// # Ok(()) }
    /// # salvage(&damaged, &new).unwrap();
    /// # std::fs::remove_dir_all(&root).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// `from` is not there, is in use, has nothing to read, or is a newer version's or another vhost's; `to`
    /// has a log already, or is `from` or in it; or a directory cannot be read or written.
    pub fn salvage(
        from: impl AsRef<Path>,
        to: impl AsRef<Path>,
    ) -> Result<SalvageReport, SalvageError> {
        Self::salvage_with(from, to, BrokerOptions::default())
    }

    /// [`salvage`](Self::salvage) with the options of the broker that is to open the new directory; what
    /// is written is synced whatever their level.
    ///
    /// # Errors
    ///
    /// As [`salvage`](Self::salvage).
    pub fn salvage_with(
        from: impl AsRef<Path>,
        to: impl AsRef<Path>,
        options: BrokerOptions,
    ) -> Result<SalvageReport, SalvageError> {
        let (from, to) = (FsDisk::read_only(from)?, std::path::absolute(to)?);
        if resolved(&to)?.starts_with(from.path().canonicalize()?) {
            return Err(SalvageError::Same);
        }
        if to.exists() {
            check_empty(&FsDisk::read_only(&to)?)?;
        }
        // Not made before it is known that there is something to put into it.
        salvage(&from, || Ok(Arc::new(FsDisk::at(to)?)), options)
    }

    /// [`salvage`](Self::salvage) from any disk to any other. `from` is [locked](Disk::lock) meanwhile; an
    /// [`FsDisk::read_only`] does that without writing.
    ///
    /// # Errors
    ///
    /// As [`salvage`](Self::salvage).
    pub fn salvage_on(
        from: &dyn Disk,
        to: Arc<dyn Disk>,
        options: BrokerOptions,
    ) -> Result<SalvageReport, SalvageError> {
        check_empty(&*to)?;
        salvage(from, || Ok(to), options)
    }
}

/// Where a path leads that may not be there yet.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Err(error), Some(parent), Some(name)) if error.kind() == io::ErrorKind::NotFound => {
            Ok(resolved(parent)?.join(name))
        }
        (resolved, ..) => resolved,
    }
}

fn salvage(
    from: &dyn Disk,
    to: impl FnOnce() -> io::Result<Arc<dyn Disk>>,
    mut options: BrokerOptions,
) -> Result<SalvageReport, SalvageError> {
    let taking =
        |source| JournalError::Io { doing: "taking", file: "the directory".into(), source };
    let _lock = from.lock().map_err(taking)?;
    check_finished(from)?;
    let (gathered, wreck) = gather(from, &options.engine.vhost)?;
    if wreck.records == 0 {
        let why = match gathered.report.dropped.first() {
            Some(dropped) => format!("no record can be read ({dropped})"),
            None => "the directory has no log with records in it".to_owned(),
        };
        return Err(SalvageError::Nothing { why });
    }
    let clock = options.clock.take().unwrap_or_default();
    let journal = super::open::journal_options(&options, Level::Synced, &clock);
    let (records, report) = gathered.finish(&wreck);
    // Numbers go on, so that names which brokers make of them are not made again.
    write_new(to()?, journal, wreck.next_frame, records)?;
    Ok(report)
}

/// Reads all that is left, from the oldest segment that counts.
fn gather(from: &dyn Disk, vhost: &str) -> Result<(Gathered, Wreck), JournalError> {
    let mut oldest = 0;
    loop {
        let mut gathered = Gathered::default();
        let wreck = read_pieces(from, vhost, oldest, &mut |piece| gathered.take(piece))?;
        if wreck.first >= wreck.oldest || wreck.first == 0 {
            return Ok((gathered, wreck));
        }
        // What is older was on its way out, and some of it may be gone already.
        oldest = wreck.oldest;
    }
}

/// What has been read so far.
#[derive(Default)]
struct Gathered {
    mend: Mend,
    report: SalvageReport,
    segment: u64,
}

impl Gathered {
    fn take(&mut self, piece: Piece) -> ControlFlow<()> {
        match piece {
            Piece::Dropped(dropped) => {
                self.mend.gap();
                self.report.dropped.push(dropped);
            }
            Piece::Record { recorded, offset } => {
                if recorded.segment != std::mem::replace(&mut self.segment, recorded.segment) {
                    self.mend.part_begins();
                }
                if let Some(contradiction) = self.mend.take(recorded.record) {
                    self.report.contradicted += 1;
                    if self.report.contradictions.len() < SalvageReport::CONTRADICTIONS_MAX {
                        let file = segment_name(recorded.segment);
                        let contradicted = Contradicted { file, offset, contradiction };
                        self.report.contradictions.push(contradicted);
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// The records of the new log, and the report.
    fn finish(self, wreck: &Wreck) -> (impl Iterator<Item = Record>, SalvageReport) {
        let Self { mend, mut report, .. } = self;
        let (engine, Mended { redeclared, doubtful }) = mend.finish(EngineOptions::default());
        let queues = engine.queue_views();
        report.queues = queues.len() as u64;
        report.messages = queues.iter().map(|queue| queue.messages_ready as u64).sum();
        (report.redeclared, report.doubtful) = (redeclared, doubtful);
        (report.segments, report.bytes, report.records) =
            (wreck.segments, wreck.bytes, wreck.records);
        report.dropped.sort();
        let mut records = engine.snapshot_records().into_iter();
        // The last number behind the messages, or the journal would take them for such as moved forward.
        let last = records.next();
        (records.chain(last), report)
    }
}
