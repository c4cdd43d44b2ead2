//! A work queue on a server: the people of [`work_queue`](crate::work_queue), on another stage.

use std::io;

use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use leveret_client::History;
use tokio::runtime;

use super::people::{self, Desk};
use crate::work_queue::board::Board;
use crate::work_queue::register::Register;
use crate::work_queue::{Event, Person, Plan, QUEUE, Report, What, Who};

/// Plays a plan on the server at `uri`, as [`work_queue::run`](crate::work_queue::run) does on an embedded broker.
/// Seconds are real, and every worker is there from the beginning. The report's history is empty: a server keeps none.
///
/// # Errors
///
/// The server cannot be reached, or refuses something; its queue has tasks or workers of somebody else; the plan has
/// looks at the queue, or workers that start later; or what `hear` gave.
pub fn run(
    uri: &str,
    plan: &Plan,
    hear: &mut dyn FnMut(&Event) -> io::Result<()>,
) -> Result<Report> {
    ensure!(plan.looks.is_empty(), "nobody can look into the queue of a server");
    ensure!(
        plan.workers.iter().all(|worker| worker.starts_at.is_zero()),
        "on a server every worker is there from the beginning"
    );
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("no runtime")?.block_on(async {
        refuse_what_is_in_use(uri).await?;
        let register = Register::numbered(plan.tasks.len());
        let board = Board::new(plan, uri.to_owned(), register, hear);
        if plan.backlog {
            people::publisher(&board).await?;
        }
        // One after the other, so that w1 is the first in the queue's order.
        let mut desks = Vec::new();
        for worker in 0..plan.workers.len() {
            desks.push(Desk::set_up(&board, worker).await?);
        }
        let end = play(&board, &mut desks).await;
        for desk in &mut desks {
            desk.leave("done").await?;
        }
        end.map(|()| board.report(History::default()))
    })
}

/// Lets everybody act until all is over.
async fn play(board: &Board<'_>, desks: &mut [Desk<'_, '_>]) -> Result<()> {
    let mut everybody: FuturesUnordered<Person<'_>> = FuturesUnordered::new();
    for (number, desk) in desks.iter_mut().enumerate() {
        everybody.push(Box::pin(async move {
            if let Some(held) = desk.serve().await? {
                // Before the others hear of it: frames are on their way for a while.
                board.note(Who::Worker(number), What::Killed { held });
                desk.leave("killed").await?;
            }
            Ok(())
        }));
    }
    if !board.plan.backlog {
        everybody.push(Box::pin(people::publisher(board)));
    }
    everybody.push(Box::pin(async {
        board.until(board.plan.at_least).await;
        board.onlooker_goes();
        Ok(())
    }));
    let all_gone = async {
        while let Some(end) = everybody.next().await {
            end?;
        }
        Ok(())
    };
    tokio::select! {
        biased;
        end = all_gone => end,
        end = board.over() => end,
    }
}

/// A run knows its tasks; those of others it could only do in the dark.
async fn refuse_what_is_in_use(uri: &str) -> Result<()> {
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let durable = QueueDeclareOptions::durable();
    let queue = channel.queue_declare(QUEUE.into(), durable, FieldTable::default()).await?;
    connection.close(200, "done".into()).await?;
    let (tasks, workers) = (queue.message_count(), queue.consumer_count());
    ensure!(
        tasks == 0 && workers == 0,
        "{QUEUE} is in use: it has {tasks} tasks that wait and {workers} workers; `worker --uri` does what waits"
    );
    Ok(())
}
