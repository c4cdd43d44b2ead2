//! The engine says what the oracle says, step by step, and ends where the oracle ends.

use leveret_broker::testing::{Act, Harness, Op, Oracle, Profile, ops, prelude, program};
use proptest::prelude::*;

use crate::support::cases;

/// Runs a program on both.
fn agree(program: &[Op]) -> Result<(), TestCaseError> {
    let (mut harness, mut oracle) = (Harness::new(), Oracle::new());
    let mut both = |harness: &mut Harness, act: &Act| {
        let step = harness.act(act);
        let expected = oracle.act(act, step.made_name());
        prop_assert_eq!(&step.said, &expected, "{:?}", act);
        let view = Oracle::comparable(harness.view());
        prop_assert_eq!(view, oracle.view(), "after {:?}", act);
        Ok(())
    };
    for act in prelude() {
        both(&mut harness, &act)?;
    }
    for op in program {
        if let Some(act) = op.resolve(&harness) {
            both(&mut harness, &act)?;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn everyday_programs(program in ops(Profile::Everyday, 100)) {
        agree(&program)?;
    }

    #[test]
    fn programs_of_windows(program in ops(Profile::Windows, 100)) {
        agree(&program)?;
    }

    #[test]
    fn programs_where_things_come_and_go(program in ops(Profile::Churn, 100)) {
        agree(&program)?;
    }
}

#[test]
fn long_programs_from_fixed_seeds() {
    for (seed, profile) in (1..).zip([Profile::Everyday, Profile::Windows, Profile::Churn]) {
        if let Err(failed) = agree(&program(profile, seed, 3000)) {
            panic!("seed {seed}: {failed}");
        }
    }
}
