//! Delegates: the client calls a function for each delivery, in a task of its own, and says when the consumer has ended.

use std::pin::Pin;

use tokio::sync::mpsc;

use crate::lapin::{
    BasicProperties, Connection, ConnectionProperties, ConsumerDelegate, Result,
    message::DeliveryResult, options::*, types::FieldTable,
};

pub(crate) const OUTPUT: &[&str] = &[
    "closure: one",
    "closure: three",
    "closure: two",
    "closure: the queue is gone",
    "object: four",
    "object: the queue is gone",
    "unacknowledged: 0",
];

/// A delegate that is more than a function.
struct Object {
    name: &'static str,
    lines: mpsc::UnboundedSender<String>,
}

impl ConsumerDelegate for Object {
    fn on_new_delivery(
        &self,
        delivery: DeliveryResult,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(note(self.name, self.lines.clone(), delivery))
    }
}

pub(crate) async fn run(uri: &str, prefix: &str) -> Result<Vec<String>> {
    let queue = format!("{prefix}delegated");
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let mut lines = Vec::new();
    for (name, words) in [("closure", &["one", "two", "three"][..]), ("object", &["four"])] {
        let options = QueueDeclareOptions::default();
        channel.queue_declare(queue.as_str().into(), options, FieldTable::default()).await?;
        let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
        let consumer =
            channel.basic_consume(queue.as_str().into(), name.into(), options, arguments).await?;
        let (sender, mut printed) = mpsc::unbounded_channel();
        if name == "closure" {
            consumer.set_delegate(move |delivery| note("closure", sender.clone(), delivery));
        } else {
            consumer.set_delegate(Object { name, lines: sender });
        }
        for word in words {
            let (options, properties) =
                (BasicPublishOptions::default(), BasicProperties::default());
            let queue = queue.as_str().into();
            channel.basic_publish("".into(), queue, options, word.as_bytes(), properties).await?;
        }
        // Each delivery has a task, so that they come in any order.
        let mut some = Vec::new();
        while some.len() < words.len() {
            some.extend(printed.recv().await);
        }
        some.sort();
        lines.extend(some);
        let left =
            channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await?;
        lines.extend(printed.recv().await);
        if name == "object" {
            lines.push(format!("unacknowledged: {left}"));
        }
    }
    connection.close(200, "done".into()).await?;
    Ok(lines)
}

async fn note(name: &'static str, lines: mpsc::UnboundedSender<String>, delivery: DeliveryResult) {
    let line = match delivery {
        Ok(Some(delivery)) => {
            let acked = delivery.ack(BasicAckOptions::default()).await;
            assert!(acked.is_ok(), "the channel is open");
            String::from_utf8_lossy(&delivery.data).into_owned()
        }
        Ok(None) => "the queue is gone".to_owned(),
        Err(error) => error.to_string(),
    };
    // Whoever reads them may have enough.
    let _ = lines.send(format!("{name}: {line}"));
}
