//! Somebody who sends messages, in scenes that are about what becomes of them.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use anyhow::Result;
use leveret_client::blocking::{Channel, Connection};
use leveret_client::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use leveret_client::testing::disk::SimDisk;
use leveret_client::types::FieldTable;
use leveret_client::{BasicProperties, Broker, BrokerOptions, ConnectionProperties};

use super::stage::Stage;
use crate::calls::{readable, shown};

/// Opens a broker on a simulated disk.
pub(super) fn open(disk: &SimDisk) -> Result<Broker> {
    Ok(Broker::open_on(Arc::new(disk.clone()), BrokerOptions::default())?)
}

/// A channel in confirm mode, and the text of each kind of call that was made on it.
pub(super) struct Sender {
    channel: Channel,
    /// Open for as long as it is here.
    _connection: Connection,
    calls: RefCell<Vec<(&'static str, String)>>,
}

impl Sender {
    pub(super) fn connect(broker: &Broker) -> Result<Self> {
        let connection = Connection::connect(&broker.uri(), ConnectionProperties::default())?;
        let channel = connection.channel()?;
        let sender = Self { channel, _connection: connection, calls: RefCell::default() };
        let channel = &sender.channel;
        shown!(sender, "send", channel.confirm_select(ConfirmSelectOptions::default())?);
        Ok(sender)
    }

    pub(super) fn declare(&self, queue: &str, durable: bool) -> Result<()> {
        let channel = &self.channel;
        let arguments = FieldTable::default();
        shown!(
            self,
            "send",
            channel.queue_declare(
                queue.into(),
                QueueDeclareOptions { durable, ..Default::default() },
                arguments
            )?
        );
        Ok(())
    }

    /// Publishes a message; says whether it was confirmed, for which it waits.
    pub(super) fn publish(&self, queue: &str, body: &str, mode: u8) -> bool {
        let channel = &self.channel;
        let options = BasicPublishOptions::default();
        let body = body.as_bytes();
        let confirmation = shown!(
            self,
            "send",
            channel.basic_publish(
                "".into(),
                queue.into(),
                options,
                body,
                BasicProperties::default().with_delivery_mode(mode)
            )
        );
        confirmation.is_ok_and(|confirmation| confirmation.is_ack())
    }

    /// Shows the calls, each kind once.
    pub(super) fn show_calls(&self, stage: &mut Stage<'_>) -> io::Result<()> {
        self.calls.borrow().iter().try_for_each(|(_, call)| stage.call("send", call))
    }

    /// Notes a call that is about to be made, if it is the first of its kind.
    fn call(
        &self,
        _who: &str,
        text: &'static str,
        values: impl FnOnce() -> Vec<(&'static str, String)>,
    ) {
        let mut calls = self.calls.borrow_mut();
        if calls.iter().all(|(shown, _)| *shown != text) {
            calls.push((text, readable(text, &values())));
        }
    }
}
