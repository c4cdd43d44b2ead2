//! Making a failing run smaller: fewer faults, less that arrives late.

use super::choices::Replay;
use super::run::Ran;

/// The smallest run found that fails like this one, with how it went and how many runs that took.
pub(super) fn shrink(
    replay: Replay,
    ran: Ran,
    mut again: impl FnMut(&Replay) -> Ran,
) -> (Replay, Ran, u64) {
    let mut least = Least { replay, ran, runs: 0 };
    least.without_faults(&mut again);
    let off = |change: fn(&mut Replay)| change;
    let all = [
        off(|replay| {
            replay.off.latency = true;
            replay.off.yields = true;
        }),
        off(|replay| replay.off.latency = true),
        off(|replay| replay.off.yields = true),
    ];
    for change in all {
        let mut smaller = least.replay.clone();
        change(&mut smaller);
        least.take_if_it_fails(smaller, &mut again);
    }
    if !least.replay.off.latency {
        for line in 0..MOST_LINES {
            let mut smaller = least.replay.clone();
            smaller.off.lines.insert(line);
            least.take_if_it_fails(smaller, &mut again);
        }
    }
    // Without what was late, another fault may do nothing any more.
    least.without_faults(&mut again);
    least.with_one_fault(&mut again);
    (least.replay, least.ran, least.runs)
}

/// At how many moments it is tried whether one fault is enough.
const MOST_MOMENTS: u64 = 200;

/// Of how many connections it is tried what they do at once.
const MOST_LINES: u64 = 8;

struct Least {
    replay: Replay,
    ran: Ran,
    runs: u64,
}

impl Least {
    fn take_if_it_fails(&mut self, replay: Replay, again: &mut impl FnMut(&Replay) -> Ran) -> bool {
        if replay == self.replay {
            return false;
        }
        self.runs += 1;
        let ran = again(&replay);
        let alike = match (&ran.failure, &self.ran.failure) {
            (Some(one), Some(other)) => one.is_like(other),
            _ => false,
        };
        let smaller = alike && ran.struck.len() <= self.ran.struck.len();
        if smaller {
            (self.replay, self.ran) = (replay, ran);
        }
        smaller
    }

    /// Switches off whatever faults it can do without: all, then each.
    fn without_faults(&mut self, again: &mut impl FnMut(&Replay) -> Ran) {
        let numbers = |ran: &Ran| ran.struck.iter().map(|struck| struck.number).collect::<Vec<_>>();
        let mut smaller = self.replay.clone();
        smaller.off.faults.extend(numbers(&self.ran));
        if self.take_if_it_fails(smaller, again) {
            return;
        }
        for number in numbers(&self.ran) {
            let mut smaller = self.replay.clone();
            smaller.off.faults.insert(number);
            self.take_if_it_fails(smaller, again);
        }
    }

    /// Where several faults are left, one of them may be enough at another moment.
    fn with_one_fault(&mut self, again: &mut impl FnMut(&Replay) -> Ran) {
        let numbers: Vec<_> = self.ran.struck.iter().map(|struck| struck.number).collect();
        if numbers.len() < 2 {
            return;
        }
        let moments = self.ran.arrivals.min(MOST_MOMENTS);
        for number in &numbers {
            let mut alone = self.replay.clone();
            alone.off.faults.extend(numbers.iter().filter(|other| *other != number));
            for at in 1..=moments {
                let mut moved = alone.clone();
                moved.off.moved.insert(*number, at);
                if self.take_if_it_fails(moved, again) {
                    return;
                }
            }
        }
    }
}
