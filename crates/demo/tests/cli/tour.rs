//! `tour`.

use crate::process::{run, run_into_head};

const TOUR: &str = env!("CARGO_BIN_EXE_tour");

#[test]
fn into_a_pipe_it_plays_at_once_and_without_colour() {
    let ran = run(TOUR, &[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(!ran.stdout.contains('\u{1b}'));
    assert!(ran.stdout.contains("7/7  The power goes"));
    assert!(ran.stdout.contains("What to try next"));
}

#[test]
fn one_scene_or_only_the_list() {
    let scene = run(TOUR, &["--scene", "crash", "--pace", "0"]);
    assert!(scene.stdout.contains("A worker dies"));
    assert!(!scene.stdout.contains("Fair dispatch"));
    let list = run(TOUR, &["--list"]);
    let names: Vec<_> =
        list.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let expected = [
        "round-robin",
        "crash",
        "automatic-ack",
        "forgotten-ack",
        "fair-dispatch",
        "durability",
        "power-cut",
    ];
    assert_eq!(names, expected);
}

#[test]
fn bad_arguments_are_told_and_exit_with_2() {
    for args in [&["--scene", "nowhere"], &["--pace", "-1"], &["--pace", "fast"]] {
        let ran = run(TOUR, args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("error: "), "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn a_reader_that_goes_is_no_error() {
    assert_eq!(run_into_head(TOUR, &[]), (Some(0), String::new()));
}
