//! Who calls.

use futures_util::{FutureExt, StreamExt};
use leveret_client::options::*;
use leveret_client::types::FieldTable;
use leveret_client::{Broker, Channel, Connection, ConnectionProperties, Consumer, ExchangeKind};

use super::draw::{Call, What};

/// One of the program's connections; what is closed is opened again.
pub(super) struct Seat {
    pub(super) connection: Connection,
    channel: Channel,
    consumers: Vec<Consumer>,
}

impl Seat {
    pub(super) async fn new(broker: &Broker) -> Self {
        let properties = ConnectionProperties::default();
        let connection = Connection::connect(&broker.uri(), properties).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        Self { connection, channel, consumers: Vec::new() }
    }

    /// Something to be hostile to.
    pub(super) async fn set_up(&self) {
        for queue in ["q", "r"] {
            let options = QueueDeclareOptions::durable();
            self.channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap();
            let options = QueueBindOptions::default();
            let (exchange, key, arguments) =
                ("amq.topic".into(), "#".into(), FieldTable::default());
            self.channel.queue_bind(queue.into(), exchange, key, options, arguments).await.unwrap();
        }
    }

    pub(super) async fn reopen(&mut self, broker: &Broker) {
        if !self.connection.status().connected() {
            *self = Self::new(broker).await;
        } else if !self.channel.status().connected() {
            self.channel = self.connection.create_channel().await.unwrap();
        }
    }

    /// Makes the call. Whether it succeeds is not the question.
    pub(super) async fn call(&mut self, call: Call) {
        use What::*;
        match call.what {
            QueueDeclare | QueueDelete | QueuePurge | QueueBind | QueueUnbind => {
                self.call_for_queues(call).await;
            }
            ExchangeDeclare | ExchangeDelete | ExchangeBind | ExchangeUnbind => {
                self.call_for_exchanges(call).await;
            }
            Publish | Consume | Cancel | Get => self.call_for_messages(call).await,
            Ack | Nack | Reject | Recover | RecoverAsync => self.settle(call).await,
            Qos | Flow | Confirm | Close => self.call_for_itself(call).await,
            TimePasses => {}
        }
    }

    async fn call_for_queues(&mut self, call: Call) {
        let Call { what, name, other, key, flags: [a, b, c, d, e], table, .. } = call;
        let channel = &self.channel;
        match what {
            What::QueueDeclare => {
                let options = QueueDeclareOptions {
                    passive: a && b,
                    durable: b,
                    exclusive: c && d,
                    auto_delete: d,
                    nowait: e,
                };
                let _ = channel.queue_declare(name, options, table).await;
            }
            What::QueueDelete => {
                let options = QueueDeleteOptions { if_unused: a, if_empty: b, nowait: c };
                let _ = channel.queue_delete(name, options).await;
            }
            What::QueuePurge => {
                let _ = channel.queue_purge(name, QueuePurgeOptions { nowait: a }).await;
            }
            What::QueueBind => {
                let options = QueueBindOptions { nowait: a };
                let _ = channel.queue_bind(name, other, key, options, table).await;
            }
            What::QueueUnbind => {
                let _ = channel.queue_unbind(name, other, key, table).await;
            }
            _ => {}
        }
    }

    async fn call_for_exchanges(&mut self, call: Call) {
        let Call { what, name, other, key, flags: [a, b, c, d, e], number, table, .. } = call;
        let channel = &self.channel;
        match what {
            What::ExchangeDeclare => {
                let options = ExchangeDeclareOptions {
                    passive: a && b,
                    durable: b,
                    auto_delete: c,
                    internal: d && e,
                    nowait: e,
                };
                let kind = match number {
                    0 => ExchangeKind::Direct,
                    1 => ExchangeKind::Fanout,
                    2 | 3 => ExchangeKind::Topic,
                    4 | 5 => ExchangeKind::Headers,
                    255 => ExchangeKind::Custom("k".repeat(256)),
                    _ => ExchangeKind::Custom(key.to_string()),
                };
                let _ = channel.exchange_declare(name, kind, options, table).await;
            }
            What::ExchangeDelete => {
                let options = ExchangeDeleteOptions { if_unused: a, nowait: b };
                let _ = channel.exchange_delete(name, options).await;
            }
            What::ExchangeBind => {
                let options = ExchangeBindOptions { nowait: a };
                let _ = channel.exchange_bind(name, other, key, options, table).await;
            }
            What::ExchangeUnbind => {
                let options = ExchangeUnbindOptions { nowait: a };
                let _ = channel.exchange_unbind(name, other, key, options, table).await;
            }
            _ => {}
        }
    }

    async fn call_for_messages(&mut self, call: Call) {
        let Call { what, name, key, flags: [a, b, c, d, e], table, properties, body_bytes, .. } =
            call;
        let channel = &self.channel;
        match what {
            What::Publish if e => {
                let body = vec![7; body_bytes];
                let options = BasicPublishOptions { mandatory: a, immediate: false };
                let _ = channel
                    .basic_publish("amq.topic".into(), key, options, &body, properties)
                    .await;
            }
            What::Publish => {
                let options = BasicPublishOptions { mandatory: a, immediate: b && c && d };
                let body = vec![7; body_bytes];
                if let Ok(confirm) =
                    channel.basic_publish(name, key, options, &body, properties).await
                {
                    let _ = confirm.await;
                }
            }
            What::Consume => {
                let options =
                    BasicConsumeOptions { no_local: a, no_ack: b, exclusive: c && d, nowait: e };
                if let Ok(consumer) = channel.basic_consume(name, key, options, table).await {
                    self.consumers.push(consumer);
                }
            }
            What::Cancel => {
                let _ = channel.basic_cancel(name, BasicCancelOptions { nowait: a }).await;
            }
            What::Get => {
                let _ = channel.basic_get(name, BasicGetOptions { no_ack: a }).await;
            }
            _ => {}
        }
    }

    async fn settle(&mut self, call: Call) {
        let Call { what, number, flags: [a, b, ..], .. } = call;
        let channel = &self.channel;
        match what {
            What::Ack => {
                let _ = channel.basic_ack(number, BasicAckOptions { multiple: a }).await;
            }
            What::Nack => {
                let _ =
                    channel.basic_nack(number, BasicNackOptions { multiple: a, requeue: b }).await;
            }
            What::Reject => {
                let _ = channel.basic_reject(number, BasicRejectOptions { requeue: a }).await;
            }
            What::Recover => {
                let _ = channel.basic_recover(BasicRecoverOptions { requeue: a }).await;
            }
            What::RecoverAsync => {
                let _ = channel.basic_recover_async(BasicRecoverAsyncOptions { requeue: a }).await;
            }
            _ => {}
        }
    }

    async fn call_for_itself(&mut self, call: Call) {
        let Call { what, key, number, flags: [a, ..], .. } = call;
        let channel = &self.channel;
        match what {
            What::Qos => {
                let _ = channel.basic_qos(number as u16, BasicQosOptions { global: a }).await;
            }
            What::Flow => {
                let _ = channel.channel_flow(ChannelFlowOptions { active: a }).await;
            }
            What::Confirm => {
                let _ = channel.confirm_select(ConfirmSelectOptions { nowait: a }).await;
            }
            What::Close if a => {
                let _ = self.connection.close(number as u16, key).await;
            }
            What::Close => {
                let _ = channel.close(number as u16, key).await;
            }
            _ => {}
        }
    }

    /// Takes some of what has come, and settles some of that.
    pub(super) async fn work(&mut self, flags: [bool; 5]) {
        for consumer in &mut self.consumers {
            if let Some(Some(Ok(delivery))) = consumer.next().now_or_never()
                && flags[0]
            {
                let _ =
                    delivery.nack(BasicNackOptions { multiple: flags[1], requeue: flags[2] }).await;
            }
        }
    }
}
