//! What the laws share: running a program step by step.

use std::hash::{BuildHasher, Hasher, RandomState};

use leveret_broker::testing::{Act, Harness, Op, Step, prelude};
use proptest::test_runner::{Config, RngSeed, TestCaseError};

/// The configuration of a law: so many cases, unless the environment says how many; and a seed that is
/// printed if the law fails.
pub(crate) fn cases(cases: u32) -> Config {
    let default = Config::default();
    let seed = match default.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => RandomState::new().build_hasher().finish(),
    };
    // Tests print what they say only if they fail.
    eprintln!("to try the same cases again, set PROPTEST_RNG_SEED={seed}");
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    Config {
        cases: if asked { default.cases } else { cases },
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..default
    }
}

/// Runs the prelude and then `program`, and shows each step with the state before it. `look` may end the
/// run with an error.
pub(crate) fn run(
    program: &[Op],
    mut look: impl FnMut(&Harness, &Act, &Harness, &Step) -> Result<(), TestCaseError>,
) -> Result<Harness, TestCaseError> {
    let mut harness = Harness::new();
    let mut run_one = |harness: &mut Harness, act: &Act| {
        let before = harness.clone();
        let step = harness.act(act);
        look(&before, act, harness, &step)
    };
    for act in prelude() {
        run_one(&mut harness, &act)?;
    }
    for op in program {
        if let Some(act) = op.resolve(&harness) {
            run_one(&mut harness, &act)?;
        }
    }
    Ok(harness)
}
