//! The people of the story: the publisher, the workers, and somebody who looks on.
//!
//! They make the tutorial's calls in the tutorial's order, with the asynchronous client.

use anyhow::{Context, Result, ensure};
use futures_util::{FutureExt, StreamExt};
use leveret_client::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueDeclareOptions,
};
use leveret_client::types::FieldTable;
use leveret_client::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer, PublisherConfirm,
};
use tokio::time::sleep;

use super::QUEUE;
use super::board::{Board, What, Who};
use super::plan::{Acks, length_of};
use crate::calls::shown;

/// `new_task`, once for each task.
pub(super) async fn publisher(board: &Board<'_>) -> Result<()> {
    let who = Who::Publisher;
    let (connection, channel) = open(board, who).await?;
    for (number, task) in board.plan.tasks.iter().enumerate() {
        board.until(task.sent_at).await;
        drop(send(board, &channel, number).await?);
        board.note(who, What::Sent(number));
    }
    channel.close(200, "done".into()).await?;
    connection.close(200, "done".into()).await?;
    Ok(())
}

/// `new_task` for each task from the `first` on, on a broker whose confirms wait for the disk: a task is
/// sent when it is confirmed.
pub(super) async fn confirmed_publisher(board: &Board<'_>, first: usize) -> Result<()> {
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

/// Publishes one task.
async fn send(board: &Board<'_>, channel: &Channel, number: usize) -> Result<PublisherConfirm> {
    let who = Who::Publisher;
    let body = board.plan.tasks[number].body.as_bytes();
    let options = BasicPublishOptions::default();
    // The id is for the report, which must tell tasks of the same text apart.
    let persistent =
        BasicProperties::default().with_delivery_mode(2).with_message_id(board.id(number).into());
    let confirm = shown!(
        board,
        who,
        channel.basic_publish("".into(), QUEUE.into(), options, body, persistent).await?,
        QUEUE
    );
    Ok(confirm)
}

/// `worker`, until it is killed.
pub(super) async fn worker(board: &Board<'_>, number: usize) -> Result<()> {
    let plan = &board.plan.workers[number];
    board.until(plan.starts_at).await;
    let mut desk = Desk::set_up(board, number).await?;
    let killed = async {
        match plan.killed_at {
            Some(at) => board.until(at).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        // A task that is done at the very moment of the kill is done.
        biased;
        end = desk.work() => return end,
        () = killed => {}
    }
    let held = desk.held();
    board.give_back(&held);
    if plan.acks == Acks::Automatic {
        held.iter().for_each(|&task| board.settle(task));
    }
    // To a broker a killed process is a connection that ends, with all that was on it at once.
    desk.connection.close(200, "killed".into()).await?;
    drop(desk);
    board.note(Who::Worker(number), What::Killed { held });
    Ok(())
}

/// Looks at the queue when the plan says so, and keeps the run going until then.
pub(super) async fn onlooker(board: &Board<'_>) -> Result<()> {
    for &at in &board.plan.looks {
        board.until(at).await;
        let queue = board.broker.queue(QUEUE).context("the queue is gone")?;
        let ready = queue.messages_ready;
        let unacked = queue.messages_unacknowledged;
        let consumers = queue.consumers.len();
        board.note(Who::Onlooker, What::Queue { ready, unacked, consumers });
    }
    board.until(board.plan.at_least).await;
    board.onlooker_goes();
    Ok(())
}

/// Connects and declares the queue, as both programs do first.
async fn open(board: &Board<'_>, who: Who) -> Result<(Connection, Channel)> {
    let uri = board.broker.uri();
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let durable = QueueDeclareOptions::durable();
    let arguments = FieldTable::default();
    shown!(board, who, channel.queue_declare(QUEUE.into(), durable, arguments).await?, QUEUE);
    Ok((connection, channel))
}

/// What a worker has while it lives.
struct Desk<'a, 'b> {
    board: &'a Board<'b>,
    number: usize,
    consumer: Consumer,
    /// What it is at.
    current: Option<usize>,
    connection: Connection,
    /// Open for as long as it is here.
    _channel: Channel,
}

impl<'a, 'b> Desk<'a, 'b> {
    async fn set_up(board: &'a Board<'b>, number: usize) -> Result<Self> {
        let who = Who::Worker(number);
        let plan = &board.plan.workers[number];
        let (connection, channel) = open(board, who).await?;
        let prefetch = plan.prefetch;
        if prefetch > 0 {
            shown!(
                board,
                who,
                channel.basic_qos(prefetch, BasicQosOptions::default()).await?,
                prefetch
            );
        }
        let name = who.to_string();
        let tag = name.as_str();
        let automatic = plan.acks == Acks::Automatic;
        let arguments = FieldTable::default();
        let consumer = shown!(
            board,
            who,
            channel
                .basic_consume(
                    QUEUE.into(),
                    tag.into(),
                    BasicConsumeOptions { no_ack: automatic, ..Default::default() },
                    arguments,
                )
                .await?,
            QUEUE,
            tag,
            automatic
        );
        board.note(who, What::Waiting);
        let current = None;
        Ok(Self { board, number, consumer, current, connection, _channel: channel })
    }

    /// Works for as long as messages come.
    async fn work(&mut self) -> Result<()> {
        let who = Who::Worker(self.number);
        let board = self.board;
        while let Some(delivery) = self.consumer.next().await {
            let delivery = delivery?;
            let (task, redelivered) = board.take(&delivery)?;
            self.current = Some(task);
            board.note(who, What::Received { task, redelivered });
            let length = length_of(&delivery.data);
            if length.is_zero() {
                // However short a task is, others get their turn.
                tokio::task::yield_now().await;
            } else {
                sleep(length).await;
            }
            board.note(who, What::Done(task));
            if board.plan.workers[self.number].acks == Acks::ByHand {
                shown!(board, who, delivery.ack(BasicAckOptions::default()).await?);
                board.note(who, What::Acked(task));
            }
            self.current = None;
            board.settle(task);
        }
        Ok(())
    }

    /// The task that it is at, and those that have arrived and wait in its own memory.
    fn held(&mut self) -> Vec<usize> {
        let mut held: Vec<usize> = self.current.into_iter().collect();
        while let Some(Some(Ok(delivery))) = self.consumer.next().now_or_never() {
            held.extend(self.board.take(&delivery).map(|(task, _)| task));
        }
        held
    }
}
