//! The people of the story: the publisher and the workers.
//!
//! They make the tutorial's calls in the tutorial's order, with the asynchronous client; with the feature
//! `rabbitmq` this file is compiled a second time, against lapin.

use anyhow::Result;
use futures_util::{FutureExt, StreamExt};
use tokio::time::sleep;

use super::lapin::message::Delivery;
use super::lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, QueueDeclareOptions,
};
use super::lapin::types::FieldTable;
use super::lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer, PublisherConfirm,
};
use crate::calls::shown;
use crate::work_queue::QUEUE;
use crate::work_queue::board::{Board, What, Who};
use crate::work_queue::plan::{Acks, length_of};

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

/// Publishes one task.
pub(super) async fn send(
    board: &Board<'_>,
    channel: &Channel,
    number: usize,
) -> Result<PublisherConfirm> {
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

/// Connects and declares the queue, as both programs do first.
pub(super) async fn open(board: &Board<'_>, who: Who) -> Result<(Connection, Channel)> {
    let connection = Connection::connect(&board.uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let durable = QueueDeclareOptions::durable();
    let arguments = FieldTable::default();
    shown!(board, who, channel.queue_declare(QUEUE.into(), durable, arguments).await?, QUEUE);
    Ok((connection, channel))
}

/// `worker`, and what it has while it lives.
pub(super) struct Desk<'a, 'b> {
    board: &'a Board<'b>,
    number: usize,
    consumer: Consumer,
    /// What it is at.
    current: Option<usize>,
    connection: Connection,
    /// Open for as long as the worker lives.
    channel: Option<Channel>,
}

impl<'a, 'b> Desk<'a, 'b> {
    /// Connects and subscribes, as the program does before it waits.
    pub(super) async fn set_up(board: &'a Board<'b>, number: usize) -> Result<Self> {
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
        Ok(Self { board, number, consumer, current, connection, channel: Some(channel) })
    }

    /// Works until the worker is killed; gives the tasks that it held then, or nothing if no more messages can come.
    pub(super) async fn serve(&mut self) -> Result<Option<Vec<usize>>> {
        let (board, plan) = (self.board, &self.board.plan.workers[self.number]);
        let killed = async {
            match plan.killed_at {
                Some(at) => board.until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // A task that is done at the very moment of the kill is done.
            biased;
            end = self.work() => return end.map(|()| None),
            () = killed => {}
        }
        let held = self.held();
        board.give_back(&held);
        if plan.acks == Acks::Automatic {
            held.iter().for_each(|&task| board.settle(task));
        }
        Ok(Some(held))
    }

    /// Closes the connection, if it is open. To a broker a killed process is just that: a connection that ends, with
    /// all that was on it at once.
    pub(super) async fn leave(&mut self, why: &str) -> Result<()> {
        if self.channel.take().is_some() {
            self.connection.close(200, why.into()).await?;
        }
        Ok(())
    }

    /// Works for as long as messages come.
    async fn work(&mut self) -> Result<()> {
        let who = Who::Worker(self.number);
        let board = self.board;
        while let Some(delivery) = self.consumer.next().await {
            let delivery = delivery?;
            let (task, redelivered) = self.take(&delivery)?;
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
            held.extend(self.take(&delivery).map(|(task, _)| task));
        }
        held
    }

    /// The task that a delivery brings, and whether a worker had it before.
    fn take(&self, delivery: &Delivery) -> Result<(usize, bool)> {
        let id = delivery.properties.message_id().as_ref();
        self.board.take(id, &delivery.data, delivery.redelivered)
    }
}
