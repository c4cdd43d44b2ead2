//! The calls of a program, one by one.

use super::lapin;
use super::run::Run;
use crate::program::{DeadLetters, Op, QueueKind, Sent, Target, UNKNOWN};
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions,
    BasicPublishOptions, BasicQosOptions, BasicRecoverOptions, BasicRejectOptions,
    ConfirmSelectOptions, ExchangeBindOptions, ExchangeDeclareOptions, ExchangeDeleteOptions,
    QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldArray, FieldTable, ShortString};
use lapin::{BasicProperties, ExchangeKind, PublisherConfirm, Result};

impl Run<'_> {
    /// Does what a step says; gives what it answers, if that is more than that it is done.
    pub(super) async fn apply(&mut self, number: usize, op: &Op) -> Result<Option<String>> {
        match op {
            Op::Publish { channel, to, message, times } => {
                for time in 0..*times {
                    let body =
                        if time == 0 { format!("m{number}") } else { format!("m{number}.{time}") };
                    // Behind one that ends the channel the call fails, or else its confirm never comes.
                    let Ok(confirm) = self.publish(&body, *channel, to, message).await else {
                        break;
                    };
                    self.confirms.push(confirm);
                }
                Ok(None)
            }
            Op::Consume { channel, queue, no_ack, exclusive, priority } => {
                let (no_ack, exclusive) = (*no_ack, *exclusive);
                let options = BasicConsumeOptions { no_ack, exclusive, ..Default::default() };
                let mut arguments = FieldTable::default();
                if *priority != 0 {
                    arguments.insert("x-priority".into(), AMQPValue::LongInt(*priority));
                }
                let tag = if no_ack { format!("t{number}no_ack") } else { format!("t{number}") };
                let (queue, party) = (self.queue(*queue), &mut self.parties[*channel]);
                let consumer = party
                    .channel
                    .basic_consume(queue, tag.as_str().into(), options, arguments)
                    .await?;
                party.consumers.push((tag, consumer));
                Ok(None)
            }
            Op::Cancel { channel, nth } => {
                let party = &self.parties[*channel];
                let Some((tag, _)) = party.consumers.get(*nth) else { return Ok(None) };
                let tag = ShortString::from(tag.as_str());
                party.channel.basic_cancel(tag, BasicCancelOptions::default()).await?;
                Ok(None)
            }
            Op::Get { queue, no_ack } => {
                let options = BasicGetOptions { no_ack: *no_ack };
                let got = self.parties[0].channel.basic_get(self.queue(*queue), options).await?;
                Ok(Some(match got {
                    None => "nothing".to_owned(),
                    Some(got) => {
                        if !no_ack {
                            self.parties[0].held.push(got.delivery.delivery_tag);
                        }
                        let star = if got.delivery.redelivered { "*" } else { "" };
                        let text = self.message(&got.delivery);
                        let tag = got.delivery.delivery_tag;
                        format!("got {tag}{star} {text}, {} left", got.message_count)
                    }
                }))
            }
            Op::CloseChannel { channel } => {
                self.parties[*channel].channel.close(200, "bye".into()).await?;
                Ok(None)
            }
            Op::CloseConnection { connection } => {
                self.connections[*connection].close(200, "bye".into()).await?;
                Ok(None)
            }
            Op::Ack { .. } | Op::Nack { .. } | Op::Reject { .. } | Op::Recover { .. } => {
                self.settle(op).await
            }
            Op::ConfirmSelect { .. }
            | Op::TxSelect { .. }
            | Op::TxCommit { .. }
            | Op::TxRollback { .. }
            | Op::Qos { .. } => self.switch(op).await,
            _ => self.topology(op).await,
        }
    }

    async fn publish(
        &self,
        body: &str,
        channel: usize,
        to: &Target,
        sent: &Sent,
    ) -> Result<PublisherConfirm> {
        let (exchange, key) = match to {
            Target::Queue(queue) => (ShortString::from(""), self.queue(*queue)),
            Target::Exchange(exchange, key) => (self.exchange(*exchange), key.as_str().into()),
            Target::Nowhere => (format!("{}nowhere", self.place.prefix()).into(), "a".into()),
        };
        let mut properties = BasicProperties::default();
        if let Some(mode) = sent.delivery_mode {
            properties = properties.with_delivery_mode(mode);
        }
        if let Some(priority) = sent.priority {
            properties = properties.with_priority(priority);
        }
        if let Some(expiration) = &sent.expiration {
            properties = properties.with_expiration(expiration.as_str().into());
        }
        let mut headers = FieldTable::default();
        if let Some(header) = sent.header {
            headers.insert("h".into(), AMQPValue::LongInt(header));
        }
        if !sent.cc.is_empty() {
            let keys = sent
                .cc
                .iter()
                .map(|queue| AMQPValue::LongString(self.queue(*queue).as_str().into()));
            let keys: Vec<_> = keys.collect();
            headers.insert("CC".into(), AMQPValue::FieldArray(FieldArray::from(keys)));
        }
        if !headers.inner().is_empty() {
            properties = properties.with_headers(headers);
        }
        let options = BasicPublishOptions { mandatory: sent.mandatory, ..Default::default() };
        let channel = &self.parties[channel].channel;
        channel.basic_publish(exchange, key, options, body.as_bytes(), properties).await
    }

    /// The channel and tag of the nth of all deliveries that are held, which it then is no more, nor those
    /// before it on its channel if there are to be `multiple`.
    fn take(&mut self, nth: usize, multiple: bool) -> Option<(usize, u64, bool)> {
        if nth == UNKNOWN {
            return Some((2, 99, multiple));
        }
        let parties = self.parties.iter().enumerate();
        let held =
            parties.flat_map(|(number, party)| party.held.iter().map(move |tag| (number, *tag)));
        let held: Vec<_> = held.collect();
        let (number, tag) = *held.get(nth % held.len().max(1))?;
        // Channel 1 settles one by one.
        let multiple = multiple && number != 1;
        self.parties[number]
            .held
            .retain(|other| if multiple { *other > tag } else { *other != tag });
        Some((number, tag, multiple))
    }

    async fn settle(&mut self, op: &Op) -> Result<Option<String>> {
        let (nth, multiple) = match *op {
            Op::Ack { nth, multiple } | Op::Nack { nth, multiple, .. } => (nth, multiple),
            Op::Reject { nth, .. } => (nth, false),
            Op::Recover { channel } => {
                let party = &mut self.parties[channel];
                party.held.clear();
                party.channel.basic_recover(BasicRecoverOptions { requeue: true }).await?;
                return Ok(None);
            }
            _ => return Ok(None),
        };
        let Some((number, tag, multiple)) = self.take(nth, multiple) else {
            return Ok(Some("nothing is held".to_owned()));
        };
        let channel = &self.parties[number].channel;
        match *op {
            // Channel 1 refuses nothing.
            Op::Nack { .. } | Op::Reject { .. } if number == 1 => {
                channel.basic_ack(tag, BasicAckOptions { multiple }).await?;
            }
            Op::Nack { requeue, .. } => {
                channel.basic_nack(tag, BasicNackOptions { multiple, requeue }).await?;
            }
            Op::Reject { requeue, .. } => {
                channel.basic_reject(tag, BasicRejectOptions { requeue }).await?;
            }
            _ => channel.basic_ack(tag, BasicAckOptions { multiple }).await?,
        }
        Ok(None)
    }

    async fn switch(&self, op: &Op) -> Result<Option<String>> {
        let channel = |number: usize| &self.parties[number].channel;
        match *op {
            Op::ConfirmSelect { channel: number } => {
                channel(number).confirm_select(ConfirmSelectOptions::default()).await?;
            }
            Op::TxSelect { channel: number } => channel(number).tx_select().await?,
            Op::TxCommit { channel: number } => channel(number).tx_commit().await?,
            Op::TxRollback { channel: number } => channel(number).tx_rollback().await?,
            Op::Qos { channel: number, count } => {
                let options = BasicQosOptions { global: number == 1 };
                channel(number).basic_qos(count, options).await?;
            }
            _ => {}
        }
        Ok(None)
    }

    fn arguments(&self, kind: &QueueKind) -> FieldTable {
        let mut arguments = FieldTable::default();
        let numbers = [
            ("x-max-length", kind.max_length),
            ("x-max-length-bytes", kind.max_length_bytes),
            ("x-max-priority", kind.max_priority),
            ("x-message-ttl", kind.message_ttl),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                arguments.insert(name.into(), AMQPValue::LongInt(number));
            }
        }
        let mut insert = |name: &str, text: &str| {
            arguments.insert(name.into(), AMQPValue::LongString(text.into()));
        };
        if let Some(overflow) = &kind.overflow {
            insert("x-overflow", overflow);
        }
        match &kind.dead_letters {
            None => {}
            Some(DeadLetters::Queue(queue)) => {
                insert("x-dead-letter-exchange", "");
                insert("x-dead-letter-routing-key", self.queue(*queue).as_str());
            }
            Some(DeadLetters::Exchange(exchange)) => {
                insert("x-dead-letter-exchange", self.exchange(*exchange).as_str());
            }
        }
        arguments
    }

    async fn topology(&self, op: &Op) -> Result<Option<String>> {
        let channel = |number: usize| &self.parties[number].channel;
        let none = FieldTable::default;
        match op {
            Op::DeclareQueue { channel: number, queue, kind } => {
                let options = QueueDeclareOptions {
                    durable: kind.durable,
                    exclusive: kind.exclusive,
                    auto_delete: kind.auto_delete,
                    ..Default::default()
                };
                let (name, arguments) = (self.queue(*queue), self.arguments(kind));
                channel(*number).queue_declare(name, options, arguments).await?;
            }
            Op::DeleteQueue { channel: number, queue, if_unused, if_empty } => {
                let (if_unused, if_empty) = (*if_unused, *if_empty);
                let options = QueueDeleteOptions { if_unused, if_empty, nowait: false };
                let count = channel(*number).queue_delete(self.queue(*queue), options).await?;
                return Ok(Some(format!("deleted with {count}")));
            }
            Op::Purge { channel: number, queue } => {
                let options = QueuePurgeOptions::default();
                let count = channel(*number).queue_purge(self.queue(*queue), options).await?;
                return Ok(Some(format!("purged {count}")));
            }
            Op::DeclareExchange { channel: number, exchange, kind, alternate } => {
                let kind = match kind.as_str() {
                    "fanout" => ExchangeKind::Fanout,
                    "topic" => ExchangeKind::Topic,
                    "headers" => ExchangeKind::Headers,
                    _ => ExchangeKind::Direct,
                };
                let mut arguments = none();
                if let Some(alternate) = alternate {
                    let name = AMQPValue::LongString(self.exchange(*alternate).as_str().into());
                    arguments.insert("alternate-exchange".into(), name);
                }
                let (name, options) = (self.exchange(*exchange), ExchangeDeclareOptions::default());
                channel(*number).exchange_declare(name, kind, options, arguments).await?;
            }
            Op::DeleteExchange { channel: number, exchange, if_unused } => {
                let options = ExchangeDeleteOptions { if_unused: *if_unused, nowait: false };
                channel(*number).exchange_delete(self.exchange(*exchange), options).await?;
            }
            Op::Bind { channel: number, queue, exchange, key } => {
                let (queue, exchange) = (self.queue(*queue), self.exchange(*exchange));
                let options = QueueBindOptions::default();
                channel(*number)
                    .queue_bind(queue, exchange, key.as_str().into(), options, none())
                    .await?;
            }
            Op::Unbind { channel: number, queue, exchange, key } => {
                let (queue, exchange) = (self.queue(*queue), self.exchange(*exchange));
                channel(*number).queue_unbind(queue, exchange, key.as_str().into(), none()).await?;
            }
            Op::BindExchange { channel: number, destination, source, key } => {
                let (to, from) = (self.exchange(*destination), self.exchange(*source));
                let options = ExchangeBindOptions::default();
                channel(*number)
                    .exchange_bind(to, from, key.as_str().into(), options, none())
                    .await?;
            }
            _ => {}
        }
        Ok(None)
    }
}
