//! The rounds: a program is started and killed, and what it leaves is looked at, or left to the next one.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use leveret_broker::testing::disk::{Choices, Seeded};
use leveret_client::{Broker, Level};

use crate::child::{self, Orders, QUEUES};
use crate::ledger::Ledger;
use crate::options;

/// Programs that are started on one directory, unless the environment says how many.
const ROUNDS: u64 = 75;
/// Operations of the disk at which programs are held, in turn: all those of an opening, and some behind.
const fn held_at_max(level: Level) -> u64 {
    match level {
        Level::Synced => 25,
        Level::Written | Level::Memory => 5,
    }
}

/// When a program is killed.
#[derive(Clone, Copy, Debug)]
enum Kill {
    /// Held at an operation of the disk, of which it has done a part.
    Held(u64),
    /// Once so many lines were read, wherever it is then.
    Lines(u64),
}

/// Removes the directory in the end.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Kills the process if the test ends before it does.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A number from the environment.
fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

/// Plays all rounds; or, in a process that the test started, the program. `test` is its name.
pub(crate) fn run(test: &str, level: Level) {
    if let Some(orders) = Orders::from_environment() {
        return child::run(&orders);
    }
    let seed = from_environment("LEVERET_KILL_SEED");
    let seed = seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
    println!("to plan the same kills again, set LEVERET_KILL_SEED={seed}");
    let mut chance = Seeded::new(seed);
    let name = format!("leveret-kill-{level:?}-{}", std::process::id());
    let directory = Directory(std::env::temp_dir().join(name));
    let mut ledger = Ledger::default();
    let (mut held, mut opening, mut stopped) = (0, 0, 0);
    let rounds = from_environment("LEVERET_KILL_ROUNDS").unwrap_or(ROUNDS);
    for life in 1..=rounds {
        let kill = match life % 3 {
            0 => Kill::Held(life / 3 % held_at_max(level) + 1),
            1 => Kill::Lines(1 + chance.below(6) as u64),
            _ => Kill::Lines(1 + chance.below(7_000) as u64),
        };
        ledger.begin(life);
        let killed = play(test, level, &directory.0, life, kill, &mut ledger);
        held += u64::from(killed && matches!(kill, Kill::Held(_)));
        opening += u64::from(killed && !ledger.opened());
        stopped += u64::from(!killed);
        // Sometimes the next program is the one that finds what this one left.
        if chance.below(3) > 0 || life == rounds {
            look(&directory.0, level, killed && ledger.running(), &mut ledger);
        }
    }
    // What was found once is found again.
    look(&directory.0, level, false, &mut ledger);
    println!(
        "{level:?}: {held} held, {opening} killed while opening, {stopped} not killed; {ledger}"
    );
    let (confirmed, recovered) = ledger.weight();
    assert!(opening > 0 && confirmed > 0 && recovered > 0, "it would prove nothing");
}

/// One life of the program; gives whether it was killed, rather than that it had done all it was to.
fn play(
    test: &str,
    level: Level,
    directory: &Path,
    life: u64,
    kill: Kill,
    ledger: &mut Ledger,
) -> bool {
    let held_at = if let Kill::Held(at) = kill { at } else { 0 };
    let orders = Orders { level, life, held_at, directory: directory.to_owned() };
    let mut command = orders.program(test);
    let program = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut program = Program(program);
    let mut lines = BufReader::new(program.0.stdout.take().unwrap());
    let (mut heard, mut killed, mut line) = (0, false, String::new());
    // After a kill what it said before is still to be read.
    while lines.read_line(&mut line).unwrap() > 0 {
        // A line without an end was cut off by the kill: nothing had been done yet.
        if let Some(said) = line.strip_prefix('@').and_then(|line| line.strip_suffix('\n')) {
            ledger.hear(said);
            heard += 1;
            let due = match kill {
                Kill::Held(_) => said.starts_with("held"),
                Kill::Lines(count) => heard == count,
            };
            if due {
                program.0.kill().unwrap();
                killed = true;
            }
        }
        line.clear();
    }
    let status = program.0.wait().unwrap();
    assert!(killed || status.success(), "life {life}, {kill:?}: the program failed: {status}");
    // The kill may have come too late.
    killed && !status.success()
}

/// Opens the directory, compares, and stops gracefully.
fn look(directory: &Path, level: Level, killed: bool, ledger: &mut Ledger) {
    let broker = Broker::open_with(directory, options(level)).unwrap();
    broker.check_invariants().unwrap();
    for (number, queue) in (0..).zip(QUEUES) {
        let messages = broker.messages(queue).into_iter().map(|message| {
            let mut words = message.body.split(' ').map_while(|word| word.parse().ok());
            ([(); 4].map(|()| words.next().unwrap()), message.redelivered)
        });
        ledger.check(number, &messages.collect::<Vec<_>>(), killed);
    }
    broker.shutdown();
}
