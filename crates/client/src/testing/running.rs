//! Running a handler over what is queued.

use std::future::Future;

use crate::message::Delivery;
use crate::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions, BasicRejectOptions};
use crate::{Acker, Broker, Connection, ConnectionProperties, Result};

/// What becomes of a delivery that a handler was run on.
///
/// A handler that gives nothing, or `Ok(())`, has its delivery acknowledged; one that gives an error has it rejected without
/// requeue, so that it is a dead letter where the queue has a dead letter exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// It is acknowledged.
    Ack,
    /// It goes back to its queue.
    Requeue,
    /// It is rejected: dropped, or a dead letter.
    Reject,
    /// It is left unsettled, and goes back when all are run.
    Leave,
}

impl From<()> for Decision {
    fn from((): ()) -> Self {
        Self::Ack
    }
}

impl<E> From<std::result::Result<(), E>> for Decision {
    fn from(result: std::result::Result<(), E>) -> Self {
        if result.is_ok() { Self::Ack } else { Self::Reject }
    }
}

/// What came of running a handler over a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ran {
    /// How many deliveries it was run on.
    pub deliveries: usize,
    /// How many were acknowledged for it.
    pub acked: usize,
    /// How many went back for it.
    pub requeued: usize,
    /// How many were rejected for it.
    pub rejected: usize,
    /// How many it settled by itself.
    pub settled_by_handler: usize,
    /// How many were left.
    pub left: usize,
}

/// Runs a handler over what is queued, now, on this test.
pub trait RunQueued {
    /// Runs `handler` over the messages that are ready in `queue` now, one after the other and in order, without a consumer:
    /// nothing is spawned, and when this is over each was run once. What is published meanwhile waits for the next time, and
    /// so does what goes back, which it does after the last.
    ///
    /// A delivery that the handler settles by itself is settled; of the others what it gives [decides](Decision).
    ///
    /// ```
    /// use leveret_client::options::*;
    /// use leveret_client::testing::RunQueued;
    /// use leveret_client::types::FieldTable;
    /// use leveret_client::{Broker, Connection, ConnectionProperties};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let broker = Broker::in_memory();
    /// # let connection = Connection::connect(&broker.uri(), ConnectionProperties::default()).await?;
    /// # let channel = connection.create_channel().await?;
    /// # channel.queue_declare("tasks".into(), QueueDeclareOptions::default(), FieldTable::default()).await?;
    /// for task in ["good", "bad"] {
    ///     broker.publish("", "tasks", task)?;
    /// }
    /// let ran = broker
    ///     .run_queued("tasks", async |delivery| {
    ///         if delivery.data == b"good" { Ok(()) } else { Err("it is bad") }
    ///     })
    ///     .await?;
    /// assert_eq!((ran.acked, ran.rejected), (1, 1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// There is no such queue (`404`), or it is exclusive to another connection (`405`). The broker was shut down.
    ///
    /// # Panics
    ///
    /// If the handler does. What was delivered and not settled goes back.
    fn run_queued<H, D>(&self, queue: &str, handler: H) -> impl Future<Output = Result<Ran>>
    where
        H: AsyncFnMut(Delivery) -> D,
        D: Into<Decision>;
}

impl RunQueued for Broker {
    async fn run_queued<H, D>(&self, queue: &str, mut handler: H) -> Result<Ran>
    where
        H: AsyncFnMut(Delivery) -> D,
        D: Into<Decision>,
    {
        let queued = self.queue(queue).map_or(1, |queue| queue.messages_ready);
        let connection = Connection::connect(&self.uri(), ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        let mut ran = Ran::default();
        let mut back = Vec::new();
        for _ in 0..queued {
            let got = channel.basic_get(queue.into(), BasicGetOptions::default()).await?;
            let Some(got) = got else { break };
            let acker = got.acker.clone();
            let decision = handler(got.delivery).await.into();
            ran.deliveries += 1;
            if !acker.usable() {
                ran.settled_by_handler += 1;
                continue;
            }
            match decision {
                Decision::Requeue => back.push(acker),
                decision => settle(&acker, decision, &mut ran).await?,
            }
        }
        for acker in back {
            settle(&acker, Decision::Requeue, &mut ran).await?;
        }
        channel.close(200, "done".into()).await?;
        connection.close(200, "done".into()).await?;
        Ok(ran)
    }
}

async fn settle(acker: &Acker, decision: Decision, ran: &mut Ran) -> Result<()> {
    match decision {
        Decision::Ack => {
            ran.acked += 1;
            acker.ack(BasicAckOptions::default()).await?;
        }
        Decision::Requeue => {
            ran.requeued += 1;
            acker.nack(BasicNackOptions { requeue: true, ..Default::default() }).await?;
        }
        Decision::Reject => {
            ran.rejected += 1;
            acker.reject(BasicRejectOptions::default()).await?;
        }
        Decision::Leave => ran.left += 1,
    }
    Ok(())
}
