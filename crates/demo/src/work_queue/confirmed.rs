//! A publisher whose broker is on a directory.

use anyhow::{Result, ensure};
use leveret_client::options::ConfirmSelectOptions;

use super::board::{Board, What, Who};
use super::people::{open, send};
use crate::calls::shown;

/// `new_task` for each task from the `first` on, on a broker whose confirms wait for the disk: a task is
/// sent when it is confirmed.
pub(super) async fn publisher(board: &Board<'_>, first: usize) -> Result<()> {
    let who = Who::Publisher;
    let (connection, channel) = open(board, who).await?;
    shown!(board, who, channel.confirm_select(ConfirmSelectOptions::default()).await?);
    // All are under way before the first confirm is awaited, so that one sync confirms many.
    let mut under_way = Vec::new();
    for number in first..board.plan.tasks.len() {
        under_way.push((number, send(board, &channel, number).await?));
    }
    for (number, confirm) in under_way {
        let taken = confirm.await?.is_ack();
        ensure!(taken, "the broker could not take {:?}", board.plan.tasks[number].body);
        board.note(who, What::Sent(number));
    }
    channel.close(200, "done".into()).await?;
    connection.close(200, "done".into()).await?;
    Ok(())
}
