//! A real process that is killed while several threads publish and consume: what its confirms promised.
//!
//! The test starts itself again as the program that is killed (`child`), which tells on its standard
//! output what it is about to do and what it has done. Which of those lines is the last that is waited
//! for, or at which operation of the disk the program is held and killed, follows from a seed; nothing
//! sleeps. What was told is kept in a `ledger`, against which the directory is checked.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test may fail by panicking")]

mod child;
mod held_disk;
mod ledger;
mod rounds;

use leveret_client::{BrokerOptions, Level};

/// How many messages a life of the program publishes at most; then it stops gracefully.
const PUBLISHED_MAX: u64 = 3 * 400;

/// The options of every broker here.
fn options(level: Level) -> BrokerOptions {
    // Short segments, so that kills meet old ones that go.
    BrokerOptions::default().with_level(level).with_segment_bytes(16 * 1024)
}

#[test]
fn s182_at_the_level_synced_confirmed_messages_survive_a_killed_process_until_they_are_acknowledged()
 {
    let name = "s182_at_the_level_synced_confirmed_messages_survive_a_killed_process_until_they_are_acknowledged";
    rounds::run(name, Level::Synced);
}

#[test]
fn s182_at_the_level_written_too() {
    rounds::run("s182_at_the_level_written_too", Level::Written);
}
