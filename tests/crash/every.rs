//! Small workloads, crashed at every operation of the disk with every legal loss, and again at every
//! operation of the recovery.

use leveret_broker::journal::{JournalOptions, Level};
use leveret_broker::testing::Profile;
use leveret_broker::testing::disk::FaultClass;

use crate::life::{Plan, history};
use crate::report::{Event, Report};
use crate::world::Cuts;

/// What a power cut can do without damage to what was synced.
const LOSSES: [FaultClass; 8] = [
    FaultClass::NameLost,
    FaultClass::NameKept,
    FaultClass::RemovalUndone,
    FaultClass::TruncationUndone,
    FaultClass::Prefix,
    FaultClass::ZeroSector,
    FaultClass::NoiseSector,
    FaultClass::TornSector,
];

fn crash_everywhere(level: Level, depth: usize, commands: usize, seeds: u64) -> Report {
    let mut total = Report::default();
    for seed in 1..=seeds {
        let segment_bytes = [512, 900, 1 << 20][seed as usize % 3];
        let plan = Plan {
            seed,
            journal: JournalOptions { level, segment_bytes, mark: seed, ..Default::default() },
            lives: 2,
            commands,
            profile: Profile::Everyday,
            faults: false,
            cuts: Cuts::Every(depth),
        };
        total.merge(&history(&plan).unwrap_or_else(|what| panic!("seed {seed}: {what}")));
    }
    eprintln!("{total}");
    assert!(total.of(Event::Stops) > 3, "{total}");
    assert!(total.of(Event::Confirmed) > 20 && total.of(Event::Duplicated) > 2, "{total}");
    assert!(total.of(Event::BindingsFound) > 4 && total.of(Event::InSeveralQueues) > 2, "{total}");
    total
}

#[test]
fn a_power_cut_at_every_operation_loses_nothing_confirmed_nor_does_another_while_recovering() {
    let report = crash_everywhere(Level::Synced, 1, 36, 4);
    for class in LOSSES {
        assert!(report.hits(class) > 0, "no power cut had {class:?}\n{report}");
    }
    assert!(report.of(Event::PowerCuts) > 10_000, "{report}");
}

#[test]
fn at_the_level_written_a_kill_loses_nothing_confirmed_and_a_power_cut_invents_nothing() {
    let report = crash_everywhere(Level::Written, 1, 36, 4);
    assert!(report.of(Event::Kills) > 1000 && report.of(Event::PowerCuts) > 10_000, "{report}");
}
