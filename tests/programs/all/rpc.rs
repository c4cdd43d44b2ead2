//! Tutorial 6, RPC: a server of Fibonacci numbers, and a client that calls it and waits for the answer.

use futures_util::StreamExt;

use crate::lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer, Error, Result,
    options::*, types::FieldTable,
};

pub(crate) const OUTPUT: &[&str] = &[
    "client: requesting fib(5)",
    "client: got 5",
    "client: requesting fib(10)",
    "client: got 55",
    "client: requesting fib(30)",
    "client: got 832040",
    "server: answered 3",
];

pub(crate) async fn run(uri: &str, prefix: &str) -> Result<Vec<String>> {
    let queue = format!("{prefix}rpc_queue");
    let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let auto_delete = QueueDeclareOptions { auto_delete: true, ..Default::default() };
    channel.queue_declare(queue.as_str().into(), auto_delete, FieldTable::default()).await?;
    channel.basic_qos(1, BasicQosOptions::default()).await?;
    let requests = channel
        .basic_consume(
            queue.as_str().into(),
            "rpc_server".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    let server = tokio::spawn(serve(channel.clone(), requests));

    let mut client = Client::connect(uri).await?;
    let mut lines = Vec::new();
    for n in [5, 10, 30] {
        lines.push(format!("client: requesting fib({n})"));
        lines.push(format!("client: got {}", client.call(&queue, n).await?));
    }
    client.connection.close(200, "done".into()).await?;
    channel.basic_cancel("rpc_server".into(), BasicCancelOptions::default()).await?;
    let answered = server.await.expect("the server does not panic")?;
    lines.push(format!("server: answered {answered}"));
    connection.close(200, "done".into()).await?;
    Ok(lines)
}

/// Answers until its consumer is cancelled.
async fn serve(channel: Channel, mut requests: Consumer) -> Result<u32> {
    let mut answered = 0;
    while let Some(request) = requests.next().await {
        let request = request?;
        let n = String::from_utf8_lossy(&request.data).parse().expect("a number");
        let properties = &request.properties;
        let (Some(reply_to), Some(id)) = (properties.reply_to(), properties.correlation_id())
        else {
            request.reject(BasicRejectOptions::default()).await?;
            continue;
        };
        let answer = fib(n).to_string();
        channel
            .basic_publish(
                "".into(),
                reply_to.clone(),
                BasicPublishOptions::default(),
                answer.as_bytes(),
                BasicProperties::default().with_correlation_id(id.clone()),
            )
            .await?;
        request.ack(BasicAckOptions::default()).await?;
        answered += 1;
    }
    Ok(answered)
}

fn fib(n: u32) -> u64 {
    (0..n).fold((0, 1), |(a, b), _| (b, a + b)).0
}

struct Client {
    connection: Connection,
    channel: Channel,
    replies: Consumer,
    calls: u32,
}

impl Client {
    async fn connect(uri: &str) -> Result<Self> {
        let connection = Connection::connect(uri, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        let exclusive = QueueDeclareOptions { exclusive: true, ..Default::default() };
        let queue = channel.queue_declare("".into(), exclusive, FieldTable::default()).await?;
        let no_ack = BasicConsumeOptions { no_ack: true, ..Default::default() };
        let queue = queue.name().clone();
        let replies =
            channel.basic_consume(queue, "".into(), no_ack, FieldTable::default()).await?;
        Ok(Self { connection, channel, replies, calls: 0 })
    }

    async fn call(&mut self, queue: &str, n: u32) -> Result<String> {
        self.calls += 1;
        let id = format!("call-{}", self.calls);
        let properties = BasicProperties::default()
            .with_reply_to(self.replies.queue())
            .with_correlation_id(id.as_str().into());
        let options = BasicPublishOptions::default();
        let body = n.to_string();
        self.channel
            .basic_publish("".into(), queue.into(), options, body.as_bytes(), properties)
            .await?;
        while let Some(reply) = self.replies.next().await {
            let reply = reply?;
            let answers = reply.properties.correlation_id().as_ref();
            if answers.is_some_and(|answered| answered.as_str() == id) {
                return Ok(String::from_utf8_lossy(&reply.data).into_owned());
            }
        }
        Err(Error::from(std::io::Error::other("the replies have ended")))
    }
}
