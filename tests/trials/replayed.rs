//! A trial as a text, and played again from it.

use std::process::Command;

use leveret_client::testing::trials::strategies::Trials;
use leveret_client::testing::trials::{Moment, Strike, Trial};
use leveret_client::testing::{FaultKind, FaultSet};
use proptest::prelude::*;

use crate::cases::cases;
use crate::service::{Effects, careful};

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn a_trial_is_its_text(trial in Trials::new().late_joins().faults(FaultSet::all())) {
        prop_assert_eq!(trial.to_string().parse(), Ok(trial));
    }
}

#[test]
fn what_is_no_trial_is_refused_in_words() {
    for text in
        ["", "x", "7/t0", "7/t0+x", "7/w0,1", "7/f3,nothing,0", "7/f3,crash-process", "7/x", "7//"]
    {
        let refused = text.parse::<Trial>().unwrap_err();
        assert!(refused.starts_with(&format!("'{text}' is no trial")), "{refused}");
    }
}

#[test]
fn every_kind_of_fault_has_a_text() {
    for (number, what) in (0..).zip(FaultKind::ALL.iter().copied()) {
        let when = if number % 2 == 0 { Moment::Arrived(9) } else { Moment::AtMs(9) };
        let faults = vec![Strike { when, what, whom: number }];
        let trial = Trial { faults, ..Trial::backlog([5, 50], 2) };
        assert_eq!(trial.to_string().parse(), Ok(trial));
    }
}

/// What a failure names is what is played, and nothing else: in a process of its own, because the environment is one.
#[test]
fn the_environment_names_a_trial() {
    const TRIAL: &str = "42/t3+7/w1,2,50/f9,lose-connection,77";
    let this = std::env::current_exe().unwrap();
    let mut command = Command::new(this);
    command.args(["replayed::shows_what_is_drawn", "--exact", "--nocapture"]);
    let told = command.env("LEVERET_TRIAL", TRIAL).output().unwrap();
    let said = String::from_utf8_lossy(&told.stdout);
    assert!(told.status.success() && said.contains("drawn: "), "{said}");
    for line in said.lines().filter_map(|line| line.split_once("drawn: ")) {
        assert_eq!(line.1, TRIAL);
    }
}

proptest! {
    #![proptest_config(cases(3))]

    #[test]
    fn shows_what_is_drawn(trial in Trials::new()) {
        println!("drawn: {trial}");
        trial.play(|desk| careful(desk, Effects::default()))?;
    }
}
