//! The twins of the fuzz targets (`crates/broker/fuzz`): the same functions, on random bytes.

use std::cell::Cell;

use leveret_broker::testing::fuzz::{Met, record_codec, segment_reader};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Runs a target on random inputs of up to `longest` bytes, with each of some beginnings; gives how often
/// something whole, something refused, and something cut was met.
fn run(target: fn(&[u8]) -> Met, cases: u32, longest: usize, begin: &[u8]) -> (u32, u32, u32) {
    let met = Cell::new((0, 0, 0));
    let mut runner =
        TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&vec(any::<u8>(), 0..longest), |bytes| {
        let one = target(&[begin, &bytes].concat());
        let (whole, refused, cut) = met.get();
        let more = [one.whole, one.refused, one.cut].map(u32::from);
        met.set((whole + more[0], refused + more[1], cut + more[2]));
        Ok(())
    });
    // It shrinks what fails, and tells the seed.
    outcome.unwrap_or_else(|failure| panic!("{failure}\n{runner}"));
    met.get()
}

#[test]
fn any_payload_is_a_record_that_comes_back_or_is_turned_away() {
    let mut whole = 0;
    for kind in 0..=12 {
        let (found, refused, _) = run(record_codec, 300, 120, &[kind]);
        assert!(refused > 0, "kind {kind}");
        whole += found;
    }
    assert!(whole > 20, "{whole} records");
}

#[test]
fn any_bytes_in_the_files_of_a_log_are_opened_or_refused_and_nothing_is_invented() {
    // Bytes as they come; a log as it was written; logs that something has happened to.
    let (_, _, raw_cut) = run(segment_reader, 300, 2000, &[0]);
    let (whole, refused, _) = run(segment_reader, 200, 500, &[1]);
    assert!(raw_cut > 100, "{raw_cut} of raw bytes were cut");
    assert!(whole > 100 && refused == 0, "{whole} logs were whole, {refused} refused");
    let (_, refused, cut) = run(segment_reader, 600, 700, &[2]);
    assert!(refused > 20 && cut > 20, "{refused} of changed logs were refused, {cut} cut");
}
