//! The tour: the tutorial's parts, narrated.
//!
//! ```sh
//! cargo run
//! cargo run -- --scene crash --pace 1000
//! ```

use std::io::{IsTerminal, Write, stdout};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use clap::builder::PossibleValuesParser;
use leveret_demo::output;
use leveret_demo::tour::{SCENES, Stage, play_all, play_one};

/// Plays the ideas of the work-queue tutorial as scenes, on a real broker and on virtual time.
#[derive(Debug, Parser)]
#[command(name = "tour")]
struct Args {
    /// Milliseconds for each line; 0 prints everything at once. Default: 300, or 0 into a pipe.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=60_000))]
    pace: Option<u64>,
    /// Play only this scene.
    #[arg(long, value_name = "NAME",
          value_parser = PossibleValuesParser::new(SCENES.iter().map(|scene| scene.name)))]
    scene: Option<String>,
    /// Only list the scenes.
    #[arg(long)]
    list: bool,
}

/// A pace to read by, in milliseconds a line.
const READING_PACE: u64 = 300;

fn main() -> ExitCode {
    output::exit_code(play(&Args::parse()).map(|()| ExitCode::SUCCESS))
}

fn play(args: &Args) -> Result<()> {
    let mut screen = output::stdout();
    if args.list {
        for scene in SCENES {
            writeln!(screen, "{:<15} {}", scene.name, scene.question)?;
        }
        screen.flush()?;
        return Ok(());
    }
    let default = if stdout().is_terminal() { READING_PACE } else { 0 };
    let pace = Duration::from_millis(args.pace.unwrap_or(default));
    let mut stage = Stage::new(&mut *screen, output::wants_colour(), pace);
    match SCENES.iter().find(|scene| Some(scene.name) == args.scene.as_deref()) {
        Some(scene) => play_one(scene, &mut stage)?,
        None => play_all(&mut stage)?,
    }
    screen.flush()?;
    Ok(())
}
