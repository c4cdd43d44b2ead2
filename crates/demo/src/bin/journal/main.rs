//! `journal`: looks into a broker's directory, and salvages a damaged one.
//!
//! ```sh
//! cargo run --bin journal -- leveret-data
//! cargo run --bin journal -- leveret-data --records
//! cargo run --bin journal -- damaged --salvage new
//! ```

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::Parser;
use leveret_broker::disk::FsDisk;
use leveret_client::Broker;
use leveret_demo::journal::{Survey, write_records};
use leveret_demo::output::{exit_code, stdout};

/// Looks into the directory of a broker: its segments and queues, whether every checksum holds, and what a
/// broker would do that opens it.
///
/// It only reads: the directory may be damaged, read-only, or in use. `live` are the bytes of what is still
/// needed, messages in queues and the queues themselves; `dead` is the rest, whose room is given back from the
/// oldest segment on.
///
/// It ends with 0 if a broker would open the directory, with 1 if it would not or if the directory cannot be
/// read, and with 2 if the arguments make no sense.
#[derive(Debug, Parser)]
#[command(name = "journal")]
struct Args {
    /// The directory.
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Print every record as a line instead: file and place, number, kind, and what it says. Lines with `!!`
    /// are parts that cannot be read.
    #[arg(long)]
    records: bool,
    /// With --records: only records that name this queue.
    #[arg(long, value_name = "NAME", requires = "records")]
    queue: Option<String>,
    /// Take over all that can be read into a new directory, which a broker then opens, and tell what was left
    /// behind. DIR stays as it is. This is the only thing that writes.
    #[arg(long, value_name = "NEW", conflicts_with = "records")]
    salvage: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    exit_code(match &args.salvage {
        Some(new) => salvage(&args.directory, new),
        None => look(&args),
    })
}

fn look(args: &Args) -> Result<ExitCode> {
    let survey = Survey::of(&args.directory)?;
    let mut output = stdout();
    if args.records {
        let disk = FsDisk::read_only(&args.directory)?;
        write_records(&disk, &survey, args.queue.as_deref(), &mut output)?;
    } else {
        survey.write(&mut output)?;
    }
    output.flush()?;
    Ok(if survey.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn salvage(from: &Path, to: &Path) -> Result<ExitCode> {
    let report = Broker::salvage(from, to)
        .map_err(|error| anyhow!("nothing was salvaged from {}: {error}", from.display()))?;
    let mut output = stdout();
    writeln!(output, "{report}")?;
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}
