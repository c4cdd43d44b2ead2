//! One pass over a log: the walk, and the fold of what it finds, in one thread or side by side in two.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};

use super::codec::Decoder;
use super::error::JournalError;
use super::giving::Records;
use super::portion::{Outlet, Portion, Unreadable};
use super::scan::Scan;
use super::segment::segment_name;
use super::walk::Walk;
use super::{Fold, SideBySide};
use crate::disk::Disk;

/// What is read.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) vhost: &'a str,
    /// The segment to begin with.
    pub(super) from: u64,
    /// All segments that there are.
    pub(super) segments: &'a [u64],
}

/// How the walk ended, and what kept records from being handed on.
type Done = (Result<Scan, JournalError>, Option<Unreadable>);

/// Bytes from which on a log is worth a thread.
const LONG: u64 = 1024 * 1024;
/// Portions that may wait for the fold, so that neither side waits for the other at each of them.
const UNDER_WAY: usize = 4;

impl Pass<'_> {
    /// Gives what is there, and the segment of the first record.
    pub(super) fn run(&self, fold: &mut dyn Fold) -> Result<(Scan, Option<u64>), JournalError> {
        let both = match fold.side_by_side() {
            Some(both) if self.is_long()? => Some(both),
            _ => None,
        };
        let mut unreadable = None;
        loop {
            let mut records = Records::new(fold);
            let beside = both.and_then(|both| self.beside(both, unreadable, &mut records));
            let done = beside.unwrap_or_else(|| self.alone(unreadable, &mut records));
            match done {
                (walked, None) => return walked.map(|scan| (scan, records.first())),
                // Records are made behind the walk, so it has gone on for a while: again, only so far.
                (_, found) => unreadable = found,
            }
        }
    }

    fn is_long(&self) -> Result<bool, JournalError> {
        let mut len = 0;
        for segment in self.segments.iter().filter(|segment| **segment >= self.from) {
            let name = segment_name(*segment);
            let file = self.disk.open(&name).map_err(JournalError::io("opening", &name))?;
            len += file.len().map_err(JournalError::io("measuring", &name))?;
            if len >= LONG {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn alone(&self, unreadable: Option<Unreadable>, records: &mut Records<'_>) -> Done {
        let mut outlet = Straight { records, spare: Vec::new(), trouble: None };
        let walked = Walk::new(*self, unreadable, &mut outlet).all();
        (walked, outlet.trouble)
    }

    /// Walks in a thread of its own; `None` if none is to be had.
    fn beside(
        &self,
        both: SideBySide,
        unreadable: Option<Unreadable>,
        records: &mut Records<'_>,
    ) -> Option<Done> {
        let (portions, taken) = sync_channel(UNDER_WAY);
        let (back, spare) = channel();
        let (mut walked, mut trouble) = (None, None);
        // Each side drops its end when it is done, and so ends the other.
        let (mut outlet, mut taken) =
            (Some(Sent { portions, spare, decoder: Decoder::default() }), Some(taken));
        let mut reading = || {
            walked = outlet.take().map(|mut to| Walk::new(*self, unreadable, &mut to).all());
        };
        let mut taking = || {
            for portion in taken.take().into_iter().flatten() {
                // Nobody needs it if the walk has ended.
                let spare = |portion| drop(back.send(portion));
                trouble = records.take(portion, spare).err();
                if trouble.is_some() {
                    return;
                }
            }
        };
        let begun = both(&mut reading, &mut taking);
        walked.filter(|_| begun).map(|walked| (walked, trouble))
    }
}

/// Records are made where the log is walked.
struct Straight<'a, 'b> {
    records: &'a mut Records<'b>,
    spare: Vec<Portion>,
    trouble: Option<Unreadable>,
}

impl Outlet for Straight<'_, '_> {
    fn empty(&mut self) -> Portion {
        self.spare.pop().unwrap_or_default()
    }

    fn put(&mut self, portion: Portion) -> bool {
        let spare = &mut self.spare;
        self.trouble = self.records.take(portion, |portion| spare.push(portion)).err();
        self.trouble.is_none()
    }
}

/// Records are made where the fold is, unless that is behind.
struct Sent {
    portions: SyncSender<Portion>,
    spare: Receiver<Portion>,
    /// For what is made here.
    decoder: Decoder,
}

impl Outlet for Sent {
    fn empty(&mut self) -> Portion {
        self.spare.try_recv().unwrap_or_default()
    }

    fn put(&mut self, portion: Portion) -> bool {
        match self.portions.try_send(portion) {
            Ok(()) => true,
            Err(TrySendError::Disconnected(_)) => false,
            Err(TrySendError::Full(mut portion)) => {
                // The fold is behind, and would be waited for: its work is done here instead.
                reserve();
                portion.make(&mut self.decoder);
                self.portions.send(portion).is_ok()
            }
        }
    }
}

/// Has the allocator take room from the system at once, as much as the records of a portion need. What a thread other
/// than the first takes, glibc fetches a page at a time, each with a call of its own.
fn reserve() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(ROOM)));
}

/// Less than what allocators map by itself, and give back when it is freed.
const ROOM: usize = 120 * 1024;
