//! `new_task`: sends one task.

use std::io::Write;

use anyhow::{Result, ensure};

use super::blocking::Connection;
use super::lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use super::lapin::types::FieldTable;
use super::lapin::{BasicProperties, ConnectionProperties};

/// The program: `broker` is the broker's URI, `arguments` are the words of the task.
///
/// # Errors
///
/// The broker refuses a call or the message, or `output` refuses the line.
pub fn new_task(broker: &str, arguments: &[&str], output: &mut dyn Write) -> Result<()> {
    let connection = Connection::connect(broker, ConnectionProperties::default())?;
    let channel = connection.channel()?;
    // A durable queue survives a restart of the broker.
    let durable = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare("task_queue".into(), durable, FieldTable::default())?;

    // Added to the original: each publish below waits until the broker has the message safely.
    channel.confirm_select(ConfirmSelectOptions::default())?;

    let data = task_text(arguments);
    // Delivery mode 2 makes the message persistent.
    let properties = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions::default();
    let body = data.as_bytes();
    let confirmation =
        channel.basic_publish("".into(), "task_queue".into(), options, body, properties)?;
    ensure!(confirmation.is_ack(), "the broker could not take the task");

    writeln!(output, " [x] Sent {data}")?;

    channel.close(200, "".into())?;
    connection.close(200, "".into())?;
    Ok(())
}

/// The task that a command line asks for: its words, or `Hello World!`.
///
/// ```
/// use leveret_demo::tutorial::new_task::task_text;
///
/// assert_eq!(task_text(&["First", "message."]), "First message.");
/// assert_eq!(task_text(&[]), "Hello World!");
/// ```
#[must_use]
pub fn task_text(arguments: &[&str]) -> String {
    let data = arguments.join(" ");
    // PHP's `empty()` holds for the text "0" too.
    if data.is_empty() || data == "0" { "Hello World!".to_owned() } else { data }
}
