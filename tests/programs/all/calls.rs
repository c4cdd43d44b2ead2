//! RPC as services do it: many calls under way on one reply queue, answers in any order, matched by correlation ids; and the
//! same through direct reply-to, without a queue for the replies.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use futures_util::future::try_join_all;
use tokio::sync::oneshot;

use crate::lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer, Result,
    message::Delivery, options::*, types::FieldTable, types::ShortString,
};

pub(crate) const OUTPUT: &[&str] = &[
    "reply queue: square(1) = 1, square(2) = 4, square(3) = 9",
    "answered in the order 3 2 1",
    "direct reply-to: square(4) = 16, square(5) = 25, square(6) = 36",
    "answered in the order 6 5 4",
];

/// How many requests the server lets come before it answers.
const AT_A_TIME: usize = 3;

/// Who waits for which answer.
type Waiting = Arc<Mutex<HashMap<String, oneshot::Sender<String>>>>;

pub(crate) async fn run(uri: &str, prefix: &str) -> Result<Vec<String>> {
    let requests = format!("{prefix}squares");
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let auto_delete = QueueDeclareOptions { auto_delete: true, ..Default::default() };
    channel.queue_declare(requests.as_str().into(), auto_delete, FieldTable::default()).await?;
    let (queue, options) = (requests.as_str().into(), BasicConsumeOptions::default());
    let consumer =
        channel.basic_consume(queue, "squares".into(), options, FieldTable::default()).await?;
    let server = tokio::spawn(serve(channel, consumer));

    let mut lines = Vec::new();
    for (name, direct, numbers) in
        [("reply queue", false, [1, 2, 3]), ("direct reply-to", true, [4, 5, 6])]
    {
        let client = Client::start(&connection, direct).await?;
        let calls = numbers.map(|number| client.call(&requests, number));
        lines.push(format!("{name}: {}", try_join_all(calls).await?.join(", ")));
    }
    let answered = server.await.expect("the server does not panic")?;
    lines.insert(1, format!("answered in the order {}", answered[0]));
    lines.push(format!("answered in the order {}", answered[1]));
    connection.close(200, "done".into()).await?;
    Ok(lines)
}

/// Answers the last of some requests first; ends when it has done so twice.
async fn serve(channel: Channel, consumer: Consumer) -> Result<Vec<String>> {
    let mut orders = Vec::new();
    let mut requests = consumer.chunks(AT_A_TIME).take(2);
    while let Some(some) = requests.next().await {
        let mut order = Vec::new();
        for request in some.into_iter().rev() {
            let request = request?;
            order.push(answer(&channel, &request).await?);
        }
        orders.push(order.join(" "));
    }
    Ok(orders)
}

async fn answer(channel: &Channel, request: &Delivery) -> Result<String> {
    let text = String::from_utf8_lossy(&request.data).into_owned();
    let number: u32 = text.parse().expect("a number");
    let properties = &request.properties;
    let reply_to = properties.reply_to().clone().expect("every call says where to answer");
    let id = properties.correlation_id().clone().expect("every call has an id");
    let answer = (number * number).to_string();
    let (options, about) = (BasicPublishOptions::default(), BasicProperties::default());
    channel
        .basic_publish(
            "".into(),
            reply_to,
            options,
            answer.as_bytes(),
            about.with_correlation_id(id),
        )
        .await?;
    request.ack(BasicAckOptions::default()).await?;
    Ok(text)
}

struct Client {
    channel: Channel,
    reply_to: ShortString,
    waiting: Waiting,
}

impl Client {
    async fn start(connection: &Connection, direct: bool) -> Result<Self> {
        let channel = connection.create_channel().await?;
        let reply_to = if direct {
            "amq.rabbitmq.reply-to".into()
        } else {
            let exclusive = QueueDeclareOptions { exclusive: true, ..Default::default() };
            channel.queue_declare("".into(), exclusive, FieldTable::default()).await?.name().clone()
        };
        let no_ack = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let mut replies = channel
            .basic_consume(reply_to.clone(), "".into(), no_ack, FieldTable::default())
            .await?;
        let waiting = Waiting::default();
        let table = waiting.clone();
        tokio::spawn(async move {
            while let Some(Ok(reply)) = replies.next().await {
                let Some(id) = reply.properties.correlation_id() else { continue };
                let caller = table.lock().expect("nobody panics").remove(id.as_str());
                if let Some(caller) = caller {
                    // It may have gone.
                    let _ = caller.send(String::from_utf8_lossy(&reply.data).into_owned());
                }
            }
        });
        Ok(Self { channel, reply_to, waiting })
    }

    async fn call(&self, requests: &str, number: u32) -> Result<String> {
        let id = format!("call {number}");
        let (sender, answer) = oneshot::channel();
        self.waiting.lock().expect("nobody panics").insert(id.clone(), sender);
        let properties = BasicProperties::default()
            .with_reply_to(self.reply_to.clone())
            .with_correlation_id(id.into());
        let (options, body) = (BasicPublishOptions::default(), number.to_string());
        self.channel
            .basic_publish("".into(), requests.into(), options, body.as_bytes(), properties)
            .await?;
        let answer = answer.await.expect("every call is answered");
        Ok(format!("square({number}) = {answer}"))
    }
}
