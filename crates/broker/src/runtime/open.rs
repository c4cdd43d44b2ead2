//! Brokers on a directory: what is durable survives them.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use super::clock::Clock;
use super::core::Core;
use super::handle::{Broker, Shared};
use super::host;
use super::options::BrokerOptions;
use super::recovery::RecoveryReport;
use crate::disk::{Disk, FsDisk};
use crate::engine::{EngineOptions, Restore, RestoreError};
use crate::journal::{
    Fold, Journal, JournalError, JournalOptions, Level, Recorded, RecordedMessages,
    RecordedRemovals, SideBySide,
};
use crate::protocol::{Name, Record, limits};

/// Why a directory was not opened. Nothing in it was changed but what a repair before that cut off.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The journal cannot be read, belongs to another process, or is damaged.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal says something that cannot be true.
    #[error(
        "the journal contradicts itself: {0}; take over what can be true into a new directory, with \
         `Broker::salvage` or `journal DIR --salvage NEW`"
    )]
    Contradiction(#[from] RestoreError),
    /// The broker was to keep nothing. Nothing was touched.
    #[error(
        "a broker at the level `memory` keeps nothing in a directory: make one without a directory, or \
         open this one at the level `written` or `synced`"
    )]
    KeepsNothing,
    /// The directory, or the journal's thread, cannot be had.
    #[error("the directory cannot be opened: {0}")]
    Io(#[from] std::io::Error),
}

impl Broker {
    /// A broker whose durable queues and their persistent messages are kept in a directory, which is
    /// made if there is none. A publish is confirmed once its message is on disk, synced: it survives
    /// the end of the process and a power cut until it is acknowledged.
    ///
    /// One process has a directory at a time. The broker is stopped gracefully, and the directory given
    /// back, when its last handle and its last connection are dropped, or by
    /// [`shutdown`](Self::shutdown).
    ///
    /// ```
    /// use leveret_broker::Broker;
    ///
    /// # let directory = std::env::temp_dir().join(format!("leveret-doc-{}", std::process::id()));
    /// # fn open(directory: &std::path::Path) -> Result<(), leveret_broker::runtime::OpenError> {
    /// let broker = Broker::open(directory)?;
    /// assert!(broker.queues().is_empty());
    /// # Ok(()) }
    /// # open(&directory).unwrap();
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// The directory is in use, cannot be read or written, or what was durable in it is damaged.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_with(directory, BrokerOptions::default())
    }

    /// [`open`](Self::open) with options, among them the [level](BrokerOptions::with_level) of what a
    /// confirm promises.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); [`OpenError::KeepsNothing`] at [`Level::Memory`](super::Level::Memory).
    pub fn open_with(
        directory: impl AsRef<Path>,
        options: BrokerOptions,
    ) -> Result<Self, OpenError> {
        // Before a directory is made.
        options.level.of_journal().ok_or(OpenError::KeepsNothing)?;
        let directory = directory.as_ref();
        let disk = FsDisk::at(directory)?;
        let mut options = options;
        for vhost in host::kept_in(directory)? {
            options = options.with_vhost(&vhost);
        }
        for vhost in &options.vhosts {
            // Before anything is opened.
            host::folder_of(directory, vhost)?;
        }
        let directory = directory.to_owned();
        let folder = move |vhost: &str| {
            let folder = host::folder_of(&directory, vhost)?;
            // The names of the folders are durable only if that of the folder around them is.
            FsDisk::at(host::folder_around(&directory))?;
            Ok(Arc::new(FsDisk::at(folder)?) as Arc<dyn Disk>)
        };
        Self::open_all(Arc::new(disk), options, folder)
    }

    /// [`open_with`](Self::open_with) on any disk.
    ///
    /// # Errors
    ///
    /// As [`open_with`](Self::open_with), and more than one virtual host is asked for, which takes a directory.
    pub fn open_on(disk: Arc<dyn Disk>, options: BrokerOptions) -> Result<Self, OpenError> {
        Self::open_all(disk, options, |vhost| {
            let text = format!("the virtual host '{vhost}' takes a directory, to have a folder in");
            Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, text))
        })
    }

    /// Opens the default virtual host on `disk` and the others where `folder` says.
    fn open_all(
        disk: Arc<dyn Disk>,
        mut options: BrokerOptions,
        folder: impl Fn(&str) -> std::io::Result<Arc<dyn Disk>> + Send + 'static,
    ) -> Result<Self, OpenError> {
        if options.engine.message_size_max.is_some_and(|max| max > limits::MESSAGE_SIZE_LIMIT) {
            let max = limits::MESSAGE_SIZE_LIMIT;
            let text =
                format!("a journal keeps messages of at most {max} bytes; configure no more");
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, text).into());
        }
        // All virtual hosts go by one clock.
        options.clock = Some(options.clock.take().unwrap_or_default());
        let default = open_vhost(disk, options.clone())?;
        let like = options.clone();
        let maker = move |vhost: &Name| open_vhost(folder(vhost)?, like.of_vhost(vhost));
        let others = options.vhosts.iter().map(&maker).collect::<Result<_, _>>()?;
        Ok(Self::of(&options, default, others, Box::new(maker)))
    }
}

fn open_vhost(disk: Arc<dyn Disk>, options: BrokerOptions) -> Result<Arc<Shared>, OpenError> {
    let level = options.level.of_journal().ok_or(OpenError::KeepsNothing)?;
    let clock = options.clock.clone().unwrap_or_default();
    let journal = journal_options(&options, level, &clock);
    let (mut core, journal, recovery) =
        recover(disk, options.engine.clone(), journal, options.record_history)?;
    core.record_recovery(clock.now());
    Ok(Shared::journalled(options, core, journal, recovery)?)
}

/// How the journal of a broker with these options is kept; one that is new gets a mark from the time.
pub(super) fn journal_options(
    options: &BrokerOptions,
    level: Level,
    clock: &Clock,
) -> JournalOptions {
    let defaults = JournalOptions::default();
    JournalOptions {
        segment_bytes: options.segment_bytes.unwrap_or(defaults.segment_bytes),
        vhost: options.engine.vhost.to_string(),
        level,
        mark: clock.now().wall_ms ^ u64::from(std::process::id()).rotate_left(32),
    }
}

/// What a directory holds, ready to go on: the broker without its lock, and its journal without its
/// thread; and what was found. From here on messages are handed out.
pub(crate) fn recover(
    disk: Arc<dyn Disk>,
    mut engine: EngineOptions,
    journal: JournalOptions,
    record_history: bool,
) -> Result<(Core, Journal, RecoveryReport), OpenError> {
    let mut restoring = Restoring::default();
    let (mut journal, report) = Journal::open_into(disk, journal, &mut restoring)?;
    // How many records there have been: each opening adds one, and what it is does not depend on how
    // records fell into batches, each of which has one frame more.
    let end = &report.scan.end;
    engine.life = end.next_frame.saturating_sub(end.next_batch);
    let restore = restoring.done()?;
    let stop = restore.stop();
    let engine = restore.finish(engine);
    let recovery = RecoveryReport::new(&report, stop, &engine);
    // Handing out leaves no record: the last stop counts no more.
    journal.append(&Record::Started)?;
    journal.flush()?;
    // It may be durable, and yet giving room back behind it have failed.
    journal.working()?;
    Ok((Core::journalled(engine, record_history), journal, recovery))
}

/// Makes the engine while the log is read.
#[derive(Default)]
struct Restoring {
    restore: Restore,
    /// The first contradiction, if there was one.
    error: Option<RestoreError>,
}

impl Restoring {
    fn done(self) -> Result<Restore, RestoreError> {
        self.error.map_or(Ok(self.restore), Err)
    }
}

impl Fold for Restoring {
    fn restart(&mut self) {
        *self = Self::default();
    }

    fn take(&mut self, recorded: Recorded) {
        if self.error.is_none() {
            self.error = self.restore.apply(recorded.record).err();
        }
    }

    fn take_messages(&mut self, recorded: RecordedMessages<'_>) {
        if self.error.is_none() {
            let RecordedMessages { queues, kept, .. } = recorded;
            self.error = self.restore.apply_messages(recorded.into_messages(), queues, kept).err();
        }
    }

    fn take_removals(&mut self, recorded: RecordedRemovals<'_>) {
        if self.error.is_none() {
            self.error = self.restore.apply_removals(recorded.queue, recorded.messages()).err();
        }
    }

    fn side_by_side(&self) -> Option<SideBySide> {
        Some(side_by_side)
    }
}

fn side_by_side(reading: &mut (dyn FnMut() + Send), taking: &mut dyn FnMut()) -> bool {
    thread::scope(|scope| {
        let named = thread::Builder::new().name("leveret-reading".to_owned());
        let begun = named.spawn_scoped(scope, reading);
        if begun.is_ok() {
            taking();
        }
        begun.is_ok()
    })
}
