//! `worker`: does tasks, one after the other.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;

use super::blocking::{Channel, Connection};
use super::lapin::ConnectionProperties;
use super::lapin::message::Delivery;
use super::lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions,
};
use super::lapin::types::FieldTable;
use crate::pause;

/// The program: `broker` is the broker's URI. The original waits for ever; this one until `is_over`,
/// which is asked before each wait, or until the broker ends.
///
/// # Errors
///
/// The broker closes the connection, as it does when it is shut down, or `output` refuses a line.
pub fn worker(
    broker: &str,
    mut output: impl Write + Send + 'static,
    is_over: impl Fn() -> bool,
) -> Result<()> {
    let connection = Connection::connect(broker, ConnectionProperties::default())?;
    let channel = connection.channel()?;

    // A durable queue survives a restart of the broker.
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare("task_queue".into(), durable, FieldTable::default())?;

    writeln!(output, " [*] Waiting for messages. To exit press CTRL+C")?;

    let callback = move |channel: &Channel, msg: Delivery| {
        writeln!(output, " [x] Received {}", String::from_utf8_lossy(&msg.data))?;
        let dots = msg.data.iter().filter(|&&byte| byte == b'.').count();
        pause(Duration::from_secs(dots as u64));
        writeln!(output, " [x] Done")?;
        // Tell the broker that the task is done.
        channel.basic_ack(msg.delivery_tag, BasicAckOptions::default())
    };

    // Fair dispatch: nothing new before the last task is acknowledged.
    channel.basic_qos(1, BasicQosOptions::default())?;
    // `no_ack` is false: the broker keeps a message until it is acknowledged.
    let options = BasicConsumeOptions { no_ack: false, ..Default::default() };
    channel.basic_consume(
        "task_queue".into(),
        "".into(),
        options,
        FieldTable::default(),
        callback,
    )?;

    while channel.is_consuming() && !is_over() {
        channel.wait()?;
    }
    channel.close(200, "".into())?;
    connection.close(200, "".into())?;
    Ok(())
}
