//! What the laws share: running a program step by step.

use leveret_broker::testing::{Act, Harness, Op, Step, prelude};
use proptest::test_runner::TestCaseError;

pub(crate) use super::cases::cases;

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
