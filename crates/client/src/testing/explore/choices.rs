//! What a seed decides, each thing by itself: to switch one off leaves the others as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::faults::{FaultKind, FaultSet};
use crate::translate::{Delays, Hop};

/// A run: its seed, and what of its choices is switched off. As a text it is what `LEVERET_SEED` takes: `42`, or
/// `42-f1-f3-l-y`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Replay {
    pub(super) seed: u64,
    pub(super) off: Off,
    /// The one fault: the broker crashes when so much has arrived.
    pub(super) crash: Option<u64>,
}

/// What a run goes without.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Off {
    /// Faults, by their place in the run's plan.
    pub(super) faults: BTreeSet<u32>,
    /// Faults that strike when so much has arrived, in the place of when they were planned to.
    pub(super) moved: BTreeMap<u32, u64>,
    /// Everything arrives at once.
    pub(super) latency: bool,
    /// Everything of these connections does.
    pub(super) lines: BTreeSet<u64>,
    /// No call gives way to other tasks.
    pub(super) yields: bool,
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, off, crash } = self;
        write!(f, "{seed}")?;
        off.faults.iter().try_for_each(|fault| write!(f, "-f{fault}"))?;
        off.moved.iter().try_for_each(|(fault, at)| write!(f, "-f{fault}@{at}"))?;
        if off.latency {
            f.write_str("-l")?;
        }
        off.lines.iter().try_for_each(|line| write!(f, "-l{line}"))?;
        if off.yields {
            f.write_str("-y")?;
        }
        crash.iter().try_for_each(|arrivals| write!(f, "-c{arrivals}"))
    }
}

impl FromStr for Replay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no run: it is a seed, as in 42 or 42-f1-l-y");
        let mut parts = text.trim().split('-');
        let seed = parts.next().and_then(|seed| seed.parse().ok()).ok_or_else(wrong)?;
        let (mut off, mut crash) = (Off::default(), None);
        for part in parts {
            let (what, number) = part.split_at_checked(1).ok_or_else(wrong)?;
            match (what, number) {
                ("c", arrivals) => crash = Some(arrivals.parse().map_err(|_| wrong())?),
                ("l", "") => off.latency = true,
                ("y", "") => off.yields = true,
                ("l", line) => drop(off.lines.insert(line.parse().map_err(|_| wrong())?)),
                ("f", moved) if moved.contains('@') => {
                    let (fault, at) = moved.split_once('@').ok_or_else(wrong)?;
                    let at = at.parse().map_err(|_| wrong())?;
                    off.moved.insert(fault.parse().map_err(|_| wrong())?, at);
                }
                ("f", fault) => drop(off.faults.insert(fault.parse().map_err(|_| wrong())?)),
                _ => return Err(wrong()),
            }
        }
        Ok(Self { seed, off, crash })
    }
}

/// What choices are about, so that they do not depend on each other.
#[derive(Clone, Copy, Debug)]
pub(super) enum About {
    Profile = 1,
    Latency,
    Line,
    Yield,
    Arrives,
    Fault,
    Disk,
    Restart,
    Step,
    Random,
}

/// The choices of a seed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choices(u64);

impl Choices {
    pub(super) fn new(seed: u64) -> Self {
        Self(mix(seed ^ 0x6c65_7665_7265_7421))
    }

    /// The bits for the `nth` choice that concerns `who`.
    pub(super) fn bits(self, about: About, who: u64, nth: u64) -> u64 {
        mix(mix(mix(self.0 ^ about as u64).wrapping_add(who)).wrapping_add(nth))
    }

    /// A number below `bound`, or 0 if there is none.
    pub(super) fn below(self, about: About, who: u64, nth: u64, bound: u64) -> u64 {
        below(self.bits(about, who, nth), bound)
    }
}

pub(super) fn below(bits: u64, bound: u64) -> u64 {
    let product = u128::from(bits) * u128::from(bound);
    // It is below `bound`.
    u64::try_from(product >> 64).unwrap_or_default()
}

/// The last steps of `SplitMix64`: any change of the input changes half of the output.
pub(super) fn mix(input: u64) -> u64 {
    let mut bits = input.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// How the network of a run is, and how readily its calls give way: drawn for each seed, so that some runs are calm and
/// some are wild.
#[derive(Clone, Copy, Debug)]
struct Profile {
    /// The usual latency is below this, in microseconds.
    usual: u64,
    /// One in so many takes long; 0 for none.
    long_one_in: u64,
    /// A long latency is below this, in microseconds.
    long: u64,
    /// One in so many connections is slow; 0 for none.
    slow_one_in: u64,
    /// One in so many calls gives way; 0 for none.
    yield_one_in: u64,
}

impl Profile {
    fn drawn(choices: Choices) -> Self {
        let pick = |nth, from: &[u64]| {
            let place = choices.below(About::Profile, 0, nth, from.len() as u64);
            from.get(usize::try_from(place).unwrap_or_default()).copied().unwrap_or_default()
        };
        Self {
            usual: pick(0, &[0, 1_000, 1_000, 5_000]),
            long_one_in: pick(1, &[0, 0, 8, 32]),
            long: pick(2, &[20_000, 200_000]),
            slow_one_in: pick(3, &[0, 0, 4]),
            yield_one_in: pick(4, &[0, 2, 8]),
        }
    }
}

/// How long things take in a run.
pub(super) struct Pace {
    choices: Choices,
    profile: Profile,
    off: Off,
    calls: u64,
}

/// The first connections hear of each other's work; a later one of a process is another line.
const SLOW_BY: u64 = 50_000;

impl Pace {
    pub(super) fn new(replay: &Replay) -> Self {
        let choices = Choices::new(replay.seed);
        Self { choices, profile: Profile::drawn(choices), off: replay.off.clone(), calls: 0 }
    }
}

impl Delays for Pace {
    fn latency(&mut self, hop: Hop) -> Duration {
        let Hop { line, up, nth } = hop;
        if self.off.latency || self.off.lines.contains(&line) {
            return Duration::ZERO;
        }
        let Profile { usual, long_one_in, long, slow_one_in, .. } = self.profile;
        let who = line * 2 + u64::from(up);
        let bits = self.choices.bits(About::Latency, who, nth);
        let mut micros = below(bits, usual);
        if long_one_in > 0 && below(mix(bits), long_one_in) == 0 {
            micros += below(mix(bits ^ 1), long);
        }
        if slow_one_in > 0 && self.choices.below(About::Line, line, 0, slow_one_in) == 0 {
            micros += self.choices.below(About::Line, line, 1, SLOW_BY);
        }
        Duration::from_micros(micros)
    }

    fn gives_way(&mut self) -> u32 {
        self.calls += 1;
        let one_in = self.profile.yield_one_in;
        if self.off.yields || one_in == 0 {
            return 0;
        }
        let bits = self.choices.bits(About::Yield, 0, self.calls);
        if below(bits, one_in) > 0 { 0 } else { 1 + u32::from(below(mix(bits), 4) == 0) * 3 }
    }

    fn arrives(&mut self, line: u64) -> bool {
        self.choices.below(About::Arrives, line, 0, 2) == 1
    }
}

/// When a fault is to strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum When {
    /// When so much has arrived.
    Arrived(u64),
    /// When so much time has passed.
    At(Duration),
}

/// A fault of a run's plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned {
    /// Its place in the plan.
    pub(super) number: u32,
    pub(super) kind: FaultKind,
    pub(super) when: When,
    /// What decides whom it strikes, and how.
    pub(super) bits: u64,
}

/// The faults of a run, but for those that are switched off.
pub(super) fn plan(replay: &Replay, allowed: &FaultSet, most: u32) -> Vec<Planned> {
    if let Some(arrivals) = replay.crash {
        let (kind, when) = (FaultKind::CrashBroker, When::Arrived(arrivals));
        return vec![Planned { number: 0, kind, when, bits: 0 }];
    }
    let choices = Choices::new(replay.seed);
    let kinds: Vec<FaultKind> = allowed.iter().collect();
    let keep = choices.bits(About::Fault, 0, 0);
    // Some runs have all kinds, most have a few, so that one kind does not hide another.
    let some = |place: usize| keep.is_multiple_of(4) || (keep >> (place + 8)) & 1 == 1;
    let mut drawn: Vec<_> = kinds.iter().copied().enumerate().collect();
    drawn.retain(|(place, _)| some(*place));
    let drawn: Vec<FaultKind> = drawn.into_iter().map(|(_, kind)| kind).collect();
    let kinds = if drawn.is_empty() { kinds } else { drawn };
    if kinds.is_empty() {
        return Vec::new();
    }
    let count = choices.below(About::Fault, 0, 1, u64::from(most) + 1);
    let planned = (0..count).filter_map(|number| {
        let bits = |nth| choices.bits(About::Fault, 1 + number, nth);
        let place = usize::try_from(below(bits(0), kinds.len() as u64)).ok()?;
        let number = u32::try_from(number).ok()?;
        // Evenly over the orders of magnitude: early ones strike while things are set up.
        let when = if let Some(arrivals) = replay.off.moved.get(&number) {
            When::Arrived(*arrivals)
        } else if below(bits(1), 4) > 0 {
            When::Arrived(below(bits(3), 1 << (2 + below(bits(2), 7))))
        } else {
            When::At(Duration::from_micros(below(bits(3), 1_000 << below(bits(2), 12))))
        };
        Some(Planned { number, kind: *kinds.get(place)?, when, bits: bits(4) })
    });
    planned.filter(|planned| !replay.off.faults.contains(&planned.number)).collect()
}
