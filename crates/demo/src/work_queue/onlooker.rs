//! Somebody who looks on.

use anyhow::{Context, Result};
use leveret_client::Broker;

use super::QUEUE;
use super::board::{Board, What, Who};

/// Looks at the queue when the plan says so, and keeps the run going until then.
pub(super) async fn onlooker(board: &Board<'_>, broker: &Broker) -> Result<()> {
    for &at in &board.plan.looks {
        board.until(at).await;
        let queue = broker.queue(QUEUE).context("the queue is gone")?;
        let ready = queue.messages_ready;
        let unacked = queue.messages_unacknowledged;
        let consumers = queue.consumers.len();
        board.note(Who::Onlooker, What::Queue { ready, unacked, consumers });
    }
    board.until(board.plan.at_least).await;
    board.onlooker_goes();
    Ok(())
}
