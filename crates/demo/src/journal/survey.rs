//! A journal at a glance.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Result, anyhow};
use leveret_broker::disk::FsDisk;
use leveret_broker::journal::repair::{Case, Verdict};
use leveret_broker::journal::segment::segment_name;
use leveret_broker::journal::{Dropped, Examination, Piece, read_pieces};
use leveret_client::{Broker, Examined};

/// What there is to say about a directory with a journal.
#[derive(Debug)]
pub struct Survey {
    examined: Examined,
    /// Who uses the directory, if anybody does and the system tells.
    holder: Option<String>,
    /// What cannot be read, if anything cannot.
    dropped: Vec<Dropped>,
}

impl Survey {
    /// Looks at a directory.
    ///
    /// # Errors
    ///
    /// It is not there, or cannot be read.
    pub fn of(directory: &Path) -> Result<Self> {
        let disk = FsDisk::read_only(directory)?;
        let holder = disk.holder();
        let examined = Broker::examine_on(&disk)
            .map_err(|error| anyhow!("cannot read {}: {error}", directory.display()))?;
        let journal = &examined.journal;
        let mut dropped = Vec::new();
        let foreign = matches!(journal.decision.case, Case::Newer | Case::OtherVhost);
        if !foreign && (journal.scan.damage.is_some() || journal.scan.foreign.is_some()) {
            let mut take = |piece| {
                if let Piece::Dropped(part) = piece {
                    dropped.push(part);
                }
                ControlFlow::Continue(())
            };
            read_pieces(&disk, &journal.vhost, journal.scan.oldest, &mut take)?;
        }
        Ok(Self { examined, holder, dropped })
    }

    /// What was found.
    #[must_use]
    pub fn examined(&self) -> &Examined {
        &self.examined
    }

    /// Whether a broker would open the directory. What a crash has left, and opening cuts off, is sound.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.examined.journal.refusal.is_none() && self.examined.contradiction.is_none()
    }

    /// Writes all of it as text.
    ///
    /// # Errors
    ///
    /// `output` takes no more.
    pub fn write(&self, output: &mut dyn Write) -> io::Result<()> {
        let journal = &self.examined.journal;
        write_segments(journal, output)?;
        write_queues(journal, output)?;
        if let Some(holder) = &self.holder {
            writeln!(
                output,
                "In use by {holder}: what is shown may be behind, and what is being written looks torn."
            )?;
        }
        if let Some(copy) = &journal.copy {
            writeln!(output, "An opening was interrupted, and the next one goes on from {copy}.")?;
        }
        writeln!(output, "{}", self.opening())?;
        for dropped in &self.dropped {
            writeln!(output, "  {dropped}")?;
        }
        let foreign = matches!(journal.decision.case, Case::Newer | Case::OtherVhost);
        if !self.is_sound() && !foreign {
            writeln!(output, "Counted is what stands before the damage.")?;
        }
        Ok(())
    }

    /// What opening would do, in words.
    fn opening(&self) -> String {
        let journal = &self.examined.journal;
        let (letter, cause, verdict) = journal.decision.case.row();
        if let Some(refusal) = &journal.refusal {
            let row = match verdict {
                Verdict::Refuse => format!(" (case {letter}: {cause})"),
                _ => String::new(),
            };
            return format!("A broker would refuse this directory{row}: {refusal}.");
        }
        if let Some(contradiction) = &self.examined.contradiction {
            return format!(
                "A broker would refuse this directory: every checksum holds, and yet {contradiction}; take over \
                 what can be true into a new directory, with `journal DIR --salvage NEW`."
            );
        }
        let does = match journal.decision.case {
            Case::Nothing => "begin a new journal here".to_owned(),
            Case::Whole => "open this directory as it is, and every checksum holds".to_owned(),
            _ => format!("{}, and go on with what is before that", cuts(journal)),
        };
        format!("A broker would {does} (case {letter}: {cause}).")
    }
}

/// What opening would cut off and remove.
fn cuts(journal: &Examination) -> String {
    let decision = &journal.decision;
    let mut parts = Vec::new();
    if decision.case == Case::LeftBehind {
        parts.push(format!("remove {} old files that are not needed", decision.remove.len()));
    } else if !decision.remove.is_empty() {
        let names: Vec<_> = decision.remove.iter().map(|segment| segment_name(*segment)).collect();
        parts.push(format!("remove {}", names.join(", ")));
    }
    if let Some((segment, len)) = decision.truncate {
        parts.push(format!("cut {} to {len} bytes", segment_name(segment)));
    }
    let lost = match decision.dropped {
        0 => String::new(),
        bytes => format!(", with {bytes} bytes that are no whole batch or behind one that is not"),
    };
    parts.join(", ") + &lost
}

fn write_segments(journal: &Examination, output: &mut dyn Write) -> io::Result<()> {
    let segments = &journal.segments;
    writeln!(output, "Journal of vhost {:?}, segments: {}", journal.vhost, segments.len())?;
    if segments.is_empty() {
        return Ok(());
    }
    let row = |output: &mut dyn Write, name: &str, fields: [u64; 5]| {
        let [bytes, batches, records, live, dead] = fields;
        writeln!(output, "{name:<24} {bytes:>12} {batches:>9} {records:>9} {live:>12} {dead:>12}")
    };
    let titles = ["bytes", "batches", "records", "live", "dead"];
    let [bytes, batches, records, live, dead] = titles;
    writeln!(output)?;
    writeln!(
        output,
        "{:<24} {bytes:>12} {batches:>9} {records:>9} {live:>12} {dead:>12}",
        "segment"
    )?;
    let mut total = [0; 5];
    for segment in segments {
        let found = &segment.found;
        let bytes = found.len - found.room;
        let fields = [bytes, found.batches, found.records, segment.live, segment.dead()];
        row(output, &segment_name(found.segment), fields)?;
        total.iter_mut().zip(fields).for_each(|(sum, field)| *sum += field);
    }
    if segments.len() > 1 {
        row(output, "total", total)?;
    }
    for found in segments.iter().map(|segment| &segment.found).filter(|found| found.room > 0) {
        let (name, room) = (segment_name(found.segment), found.room);
        writeln!(output, "Behind {name}: {room} bytes of room for what comes next, zeros.")?;
    }
    writeln!(output)
}

fn write_queues(journal: &Examination, output: &mut dyn Write) -> io::Result<()> {
    if journal.queues.is_empty() {
        return Ok(());
    }
    writeln!(output, "{:<24} {:>12} {:>12}", "queue", "messages", "bytes")?;
    for queue in &journal.queues {
        let name = format!("{:?}", queue.name);
        writeln!(output, "{name:<24} {:>12} {:>12}", queue.messages, queue.bytes)?;
    }
    writeln!(output)
}
