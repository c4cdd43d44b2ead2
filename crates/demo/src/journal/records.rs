//! A journal's records, one a line.

use std::io::{self, Write};
use std::ops::ControlFlow;

use anyhow::Result;
use leveret_broker::disk::Disk;
use leveret_broker::journal::segment::segment_name;
use leveret_broker::journal::{Piece, read_pieces};

use super::{Survey, text};

/// Writes each record of the journal that `survey` looked at as one line: its file and place, its number, its
/// kind, and what it says. With `queue`, only records that name that queue. Parts that cannot be read have a
/// line of their own, marked `!!`, at their place.
///
/// # Errors
///
/// The directory cannot be read, a newer program wrote it, or `output` takes no more.
pub fn write_records(
    disk: &dyn Disk,
    survey: &Survey,
    queue: Option<&str>,
    output: &mut dyn Write,
) -> Result<()> {
    let journal = &survey.examined().journal;
    let mut written = Ok(());
    let mut take = |piece| {
        written = write_piece(&piece, queue, output);
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let read = read_pieces(disk, &journal.vhost, journal.scan.oldest, &mut take);
    written?;
    read?;
    Ok(())
}

fn write_piece(piece: &Piece, queue: Option<&str>, output: &mut dyn Write) -> io::Result<()> {
    match piece {
        Piece::Record { recorded, offset } => {
            let wanted = queue.is_none_or(|queue| text::names_queue(&recorded.record, queue));
            if !wanted {
                return Ok(());
            }
            let (file, number) = (segment_name(recorded.segment), recorded.number);
            writeln!(output, "{file}:{offset} {number} {}", text::record(&recorded.record))
        }
        Piece::Dropped(dropped) => {
            let (file, offset) = (&dropped.file, dropped.offset);
            writeln!(output, "{file}:{offset} !! {} bytes: {}", dropped.len, dropped.what)
        }
    }
}
