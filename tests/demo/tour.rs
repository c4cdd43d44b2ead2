//! The tour prints what `tour.txt` has.
//!
//! To renew the file after a change that was meant:
//!
//! ```sh
//! UPDATE_SNAPSHOTS=1 cargo test -p leveret-tests --test demo tour
//! ```

use std::path::Path;
use std::time::Duration;

use leveret_demo::tour::{SCENES, Stage, play_all, play_one};

/// The whole tour.
fn tour(colour: bool) -> String {
    let mut output = Vec::new();
    play_all(&mut Stage::new(&mut output, colour, Duration::ZERO)).expect("it plays");
    String::from_utf8(output).expect("UTF-8")
}

#[test]
fn the_tour_is_as_it_was_read_last() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/demo/tour.txt");
    let printed = tour(false);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &printed).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    for (number, (printed, expected)) in printed.lines().zip(expected.lines()).enumerate() {
        assert_eq!(printed, expected, "line {} of tour.txt", number + 1);
    }
    assert_eq!(printed, expected, "the lengths differ");
}

#[test]
fn no_line_is_wider_than_80_columns() {
    for line in tour(false).lines() {
        assert!(line.chars().count() <= 80, "{line}");
        assert_eq!(line, line.trim_end(), "blanks at the end");
    }
}

#[test]
fn plain_output_has_no_escapes_and_colour_changes_nothing_else() {
    let (plain, coloured) = (tour(false), tour(true));
    assert!(!plain.contains('\u{1b}'));
    assert!(coloured.contains("\u{1b}[1m"));
    let mut stripped = String::new();
    for piece in coloured.split('\u{1b}') {
        stripped += piece
            .strip_prefix('[')
            .and_then(|code| code.split_once('m'))
            .map_or(piece, |(_, rest)| rest);
    }
    assert_eq!(stripped, plain);
}

#[test]
fn every_scene_plays_alone_and_ends_with_a_number() {
    for scene in SCENES {
        let mut output = Vec::new();
        play_one(scene, &mut Stage::new(&mut output, false, Duration::ZERO)).unwrap();
        let output = String::from_utf8(output).unwrap();
        assert!(output.contains(scene.title) && output.contains("?\n"), "{output}");
        assert!(output.contains("\n  => "), "{output}");
        assert!(output.contains("  > channel.basic_"), "{output}");
    }
}

#[test]
fn s186_the_tour_finds_the_times_that_rabbitmq_had() {
    let tour = tour(false);
    assert!(tour.contains("all done at 10.00 s without a window, at 7.00 s with a\n"));
    assert!(tour.contains("kept."));
    assert!(!tour.contains("not kept"));
}
