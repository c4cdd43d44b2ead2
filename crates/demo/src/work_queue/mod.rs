//! A work queue at work: a publisher and workers on one broker, on virtual time.
//!
//! A [`Plan`] says who does what and when. [`run`] plays it with the real client on a real broker and
//! gives a [`Report`] of what happened. A dot in a task is a second of work; seconds pass at once
//! unless the plan asks for real time. A [`DurableRun`] has its broker on a directory, and begins with what
//! an earlier run has left there.
//!
//! ```
//! use leveret_demo::work_queue::{Plan, run};
//!
//! let plan = Plan::new(["First message.", "Second message.."], 2);
//! let report = run(&plan, &mut |_event, _broker| Ok(()))?;
//! assert_eq!(report.done(), 2);
//! assert_eq!(report.tally(1).busy.as_secs(), 2);
//! # Ok::<(), anyhow::Error>(())
//! ```

mod batches;
pub(crate) mod board;
mod confirmed;
mod durable;
mod onlooker;
mod people;
pub(crate) mod plan;
pub(crate) mod register;
mod report;
mod summary;

use std::pin::Pin;

use anyhow::{Context, Result};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use leveret_client::{self as lapin, Broker, BrokerOptions, History};
use tokio::runtime;

pub use board::{Event, Watch, What, Who};
pub use durable::DurableRun;
pub use plan::{Acks, Plan, TASK_BYTES_MAX, Task, WorkerPlan, length_of};
pub use report::{Report, Tally};
pub use summary::summary;

use board::Board;
use register::Register;

/// The queue of the tutorial.
pub const QUEUE: &str = "task_queue";

/// Plays a plan. `watch` is called for each thing as it happens, and may look at the broker; an error
/// of its own ends the run.
///
/// # Errors
///
/// What `watch` gave, or what the broker refused.
pub fn run(plan: &Plan, watch: &mut Watch<'_>) -> Result<Report> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(!plan.real_time)
        .build()
        .context("no runtime")?;
    runtime.block_on(async {
        // A worker may have hours of tasks in hand, for which a server would close its channel.
        let options = BrokerOptions::default().with_consumer_timeout(None);
        let broker = Broker::new(if plan.history { options.with_history() } else { options });
        let mut hear = |event: &Event| watch(event, &broker);
        let register = Register::numbered(plan.tasks.len());
        let board = Board::new(plan, broker.uri(), register, &mut hear);
        if plan.backlog {
            people::publisher(&board).await?;
        }
        let history = play(&board, &broker, !plan.backlog).await?;
        Ok(board.report(history))
    })
}

/// A participant, as something to be run.
pub(crate) type Person<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// Lets everybody act until all is over, the publisher only if it is still to send.
async fn play(board: &Board<'_>, broker: &Broker, still_to_send: bool) -> Result<History> {
    // Everybody runs on this one thread and is woken in a fixed order: the same plan gives the same
    // report every time.
    let mut everybody: FuturesUnordered<Person<'_>> = FuturesUnordered::new();
    for (number, worker) in board.plan.workers.iter().enumerate() {
        everybody.push(Box::pin(async move {
            board.until(worker.starts_at).await;
            let mut desk = people::Desk::set_up(board, number).await?;
            if let Some(held) = desk.serve().await? {
                desk.leave("killed").await?;
                board.note(Who::Worker(number), What::Killed { held });
            }
            Ok(())
        }));
    }
    if still_to_send {
        everybody.push(Box::pin(people::publisher(board)));
    }
    everybody.push(Box::pin(onlooker::onlooker(board, broker)));
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
    }?;
    // Taken before the workers are sent home, which is no part of the story.
    Ok(broker.history())
}
