//! Small worlds of queues, consumers and handlers, every state of each: what the broker promises to whoever comes
//! in whatever order, and what handlers may rely on.
//!
//! The numbers of states are pinned: a change of one is a change of what clients can do, or of what they can see.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test crate")]

mod confirms;
mod dead_letters;
mod dispatch;
mod handlers;
mod journal;
mod mistakes;
mod reach;
mod requeue;
mod single_active;
mod transactions;

use leveret_broker::testing::explore::Explored;
use leveret_broker::testing::worlds::Picture;

/// States, transitions, and depth of a world that was explored as a whole.
#[track_caller]
fn numbers(explored: &Explored) -> (usize, usize, usize) {
    eprintln!("{explored}");
    assert!(explored.complete);
    (explored.states, explored.transitions, explored.depth)
}

/// What is handed out leaves no earlier message waiting in this queue.
fn in_order(now: &Picture<'_, ()>, queue: &str) -> Result<(), String> {
    let waiting = now.ready_messages(queue);
    for handed in now.handed_out() {
        if let Some(earlier) = waiting.iter().find(|one| one.id < handed.id) {
            return Err(format!("{} is handed out before {}", handed.body, earlier.body));
        }
    }
    Ok(())
}

/// Each of these messages is in one place, or gone for one reason.
fn in_one_place(now: &Picture<'_, ()>, messages: &[&str]) -> Result<(), String> {
    for message in messages {
        let fate = now.fate(message);
        let there = now.count(message);
        let gone = usize::from(fate.acked + fate.dropped);
        let expected = usize::from(fate.published.saturating_sub(fate.refused));
        if there + gone != expected {
            return Err(format!("{message} is in {there} places, and gone {gone} times"));
        }
    }
    Ok(())
}
