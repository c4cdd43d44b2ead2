//! `basic.publish` and publisher confirms.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::exchange::Published;
use super::route::{Queues, Route};
use super::transaction::cannot_switch;
use super::{Caller, Engine, erlang, is_recorded};
use crate::protocol::types::{AMQPValue, FieldTable};
use crate::protocol::{
    BasicPublish, Effects, EventKind, Gate, Message, MessageId, Name, Notice, Output, Preview,
    Properties, QueueId, Record, Refusal, Reply, ReplyCode, Verdict, limits,
};

/// What became of a message that was sent.
#[derive(Debug)]
pub(super) struct Taken {
    /// The queues that have it.
    pub(super) by: Queues,
    /// The queues that were too full for it.
    pub(super) refused_by: Queues,
    /// What its publisher waits for.
    pub(super) gate: Gate,
}

impl Engine {
    pub(super) fn publish(
        &mut self,
        caller: Caller,
        publish: &mut BasicPublish,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        if publish.immediate {
            return Err(Refusal::new(ReplyCode::NotImplemented, "immediate=true"));
        }
        self.check_size(publish.body.len() as u64)?;
        if self.channels[caller.channel].transaction.is_some() {
            return self.publish_later(caller, publish);
        }
        let route = self.route_of(Some(caller), publish)?;
        let publish_seq = self.channels[caller.channel].next_publish_seq();
        if let Some(publish_seq) = publish_seq
            && self.failing.is_some()
            && self.fails(&route.queues)
        {
            self.confirm(caller, publish_seq, Verdict::Nack, Gate::AtOnce);
            return Ok(());
        }
        let taken = self.send(Some(caller), &route, publish, publish_seq, effects);
        if let Some(publish_seq) = publish_seq {
            // One queue that refuses is enough (S108).
            let all = taken.refused_by.is_empty();
            let verdict = if all { Verdict::Ack } else { Verdict::Nack };
            self.confirm(caller, publish_seq, verdict, taken.gate);
        }
        if route.lasts {
            self.channels[caller.channel].last_route = Some(route);
        }
        Ok(())
    }

    /// Sends a message where it was found to go, or back to who has published it.
    pub(super) fn send(
        &mut self,
        caller: Option<Caller>,
        route: &Route,
        publish: &mut BasicPublish,
        publish_seq: Option<u64>,
        effects: &mut Effects,
    ) -> Taken {
        let queues = &route.queues;
        self.messages_published += 1;
        let id = MessageId(self.messages_published);
        let unroutable = queues.is_empty();
        let (queues, refused) = self.admit(queues.clone(), publish.body.len());
        let message = Message {
            id,
            address: Arc::clone(&route.address),
            properties: sent(&mut publish.properties),
            body: std::mem::take(&mut publish.body),
            entered_ms: 0,
        };
        let message = Arc::new(self.entering(message, &queues));
        let connection = caller.map(|caller| caller.connection_number);
        let channel = caller.map(|caller| caller.channel_number);
        effects.record_event(connection, channel, || EventKind::Published {
            message: id,
            body: Preview::of(&message.body),
            exchange: message.address.exchange.clone(),
            routing_key: message.address.routing_key.clone(),
            queues: self.names_of(&queues),
            refused_by: self.names_of(&refused),
            replies: route.replies.len(),
            publish_seq,
            mandatory: publish.mandatory,
            persistent: message.persistent(),
            body_bytes: message.body.len(),
            message_id: message.properties.message_id().as_ref().map(|id| id.as_str().into()),
        });
        let mut gate = Gate::AtOnce;
        self.deliver_replies(&route.replies, &message, effects);
        // That an answer comes back which arrived is a defect of old (S167, R7).
        let arrived = !route.replies.is_empty() && !self.version().returns_replies;
        match caller.filter(|_| unroutable && publish.mandatory && !arrived) {
            Some(caller) => return_message(caller, publish_seq, message, effects),
            None => {
                self.refuse_message(&refused, &message, effects);
                gate = self.enqueue(&queues, message, effects);
            }
        }
        Taken { by: queues, refused_by: refused, gate }
    }

    /// The names of queues, for the history.
    pub(super) fn names_of(&self, queues: &[QueueId]) -> Vec<Name> {
        queues.iter().map(|queue| self.queues[*queue].name.clone()).collect()
    }

    /// Checks what is published, in RabbitMQ's order, and says where it goes. What nobody but the broker is
    /// to see is taken off. Without a caller an operator publishes.
    pub(super) fn route_of(
        &mut self,
        caller: Option<Caller>,
        publish: &mut BasicPublish,
    ) -> Result<Box<Route>, Refusal> {
        let (exchange, routing_key) = (publish.exchange.as_str(), publish.routing_key.as_str());
        let last = caller.and_then(|caller| self.channels[caller.channel].last_route.as_ref());
        let is_known = last.is_some_and(|last| self.still_leads(last, exchange, routing_key));
        // An exchange that took the last message is there, and takes this one.
        if !is_known {
            self.check_exchange(exchange)?;
        }
        self.name_reply_to(caller, &mut publish.properties)?;
        self.check_properties(caller, &publish.properties)?;
        let more_keys = match publish.properties.headers() {
            Some(headers) => more_keys(headers)?,
            None => Vec::new(),
        };
        check_delivery_mode(&publish.properties)?;
        // It comes back when the message is where it leads.
        if is_known
            && more_keys.is_empty()
            && let Some(caller) = caller
            && let Some(route) = self.channels[caller.channel].last_route.take()
        {
            strip_bcc(&mut publish.properties);
            return Ok(route);
        }
        strip_bcc(&mut publish.properties);
        let headers = publish.properties.headers().as_ref();
        let published = Published { routing_key, more_keys: &more_keys, headers };
        Ok(Box::new(self.route(self.exchange_index.get(exchange), published)))
    }

    /// A message with the time at which it enters its queues, if it may expire in one of them.
    pub(super) fn entering(&self, mut message: Message, queues: &[QueueId]) -> Message {
        let timed = |queue: &QueueId| self.queues[*queue].rules.ttl_ms.is_some();
        if message.properties.expiration().is_some() || queues.iter().any(timed) {
            message.entered_ms = self.now.wall_ms_rounded_up();
        }
        message
    }

    /// Puts a message into queues; gives what its confirm has to wait for. All durable ones are one record.
    pub(super) fn enqueue(
        &mut self,
        queues: &[QueueId],
        message: Arc<Message>,
        effects: &mut Effects,
    ) -> Gate {
        if let [queue_id] = queues {
            return self.enqueue_in_one(*queue_id, message, effects);
        }
        let mut recorded = Vec::new();
        for queue_id in queues {
            let queue = &mut self.queues[*queue_id];
            queue.times.may_expire |=
                queue.rules.ttl_ms.is_some() || message.properties.expiration().is_some();
            if is_recorded(queue, &message) {
                recorded.push(queue.name.clone());
            }
        }
        let mut gate = Gate::AtOnce;
        if !recorded.is_empty() {
            gate = Gate::OnceDurable;
            let message = Arc::clone(&message);
            effects.records.push(Record::Enqueued { message, queues: recorded.into() });
        }
        for queue_id in queues {
            self.alarm.enter(&message);
            self.queues[*queue_id].ready.push(Arc::clone(&message));
            self.touch(*queue_id);
        }
        gate
    }

    /// The same for one queue, as most messages have it.
    fn enqueue_in_one(
        &mut self,
        queue_id: QueueId,
        message: Arc<Message>,
        effects: &mut Effects,
    ) -> Gate {
        let queue = &mut self.queues[queue_id];
        queue.times.may_expire |=
            queue.rules.ttl_ms.is_some() || message.properties.expiration().is_some();
        let mut gate = Gate::AtOnce;
        if is_recorded(queue, &message) {
            gate = Gate::OnceDurable;
            let queues = Arc::clone(&queue.alone);
            effects.records.push(Record::Enqueued { message: Arc::clone(&message), queues });
        }
        self.alarm.enter(&message);
        queue.ready.push(message);
        self.touch(queue_id);
        gate
    }

    fn confirm(&mut self, caller: Caller, publish_seq: u64, verdict: Verdict, gate: Gate) {
        self.confirms.push(Output {
            connection: caller.connection,
            channel: Some(caller.channel),
            gate,
            notice: Notice::Confirm { call: caller.call, publish_seq, verdict },
        });
    }

    /// Says the step's confirms, after its deliveries (S107).
    pub(super) fn say_confirms(&mut self, effects: &mut Effects) {
        for confirm in self.confirms.drain(..) {
            if effects.recording
                && let Notice::Confirm { publish_seq, verdict, .. } = confirm.notice
                && let Some(channel) = confirm.channel.and_then(|id| self.channels.get(id))
            {
                let numbers = (Some(channel.connection_number), Some(channel.number));
                effects.record_event(numbers.0, numbers.1, || match verdict {
                    Verdict::Ack => EventKind::Confirmed { publish_seq },
                    Verdict::Nack => EventKind::Refused { publish_seq },
                });
            }
            effects.outputs.push(confirm);
        }
    }

    pub(super) fn confirm_select(
        &mut self,
        caller: Caller,
        nowait: bool,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        let channel = &mut self.channels[caller.channel];
        if channel.transaction.is_some() {
            return Err(cannot_switch("tx", "confirm"));
        }
        channel.last_publish.get_or_insert(0);
        if !nowait {
            self.reply(caller, Gate::AtOnce, Reply::Confirming, effects);
        }
        Ok(())
    }

    pub(super) fn check_size(&self, size: u64) -> Result<(), Refusal> {
        let (max, configured) = match self.options.message_size_max {
            Some(max) => (max, "configured max size"),
            None => (self.version().message_size_max, self.version().max_size),
        };
        if size <= max {
            return Ok(());
        }
        let text = format!("message size {size} is larger than {configured} {max}");
        Err(Refusal::new(ReplyCode::PreconditionFailed, text))
    }

    fn check_properties(
        &self,
        caller: Option<Caller>,
        properties: &Properties,
    ) -> Result<(), Refusal> {
        if let (Some(user_id), Some(caller)) = (properties.user_id(), caller) {
            let user = &self.connections[caller.connection].user;
            if user_id.as_str() != &**user {
                let text = format!(
                    "user_id property set to '{user_id}' but authenticated user was '{user}'"
                );
                return Err(Refusal::new(ReplyCode::PreconditionFailed, text));
            }
        }
        if let Some(expiration) = properties.expiration() {
            check_expiration(expiration.as_str())?;
        }
        Ok(())
    }
}

/// The headers that add routing keys; nobody sees the second (S165).
const CC: &str = "CC";
const BCC: &str = "BCC";

/// The routing keys that a message's headers add; none if they cannot be read.
pub(super) fn more_keys_of(properties: &Properties) -> Vec<String> {
    let headers = properties.headers().as_ref();
    headers.and_then(|headers| more_keys(headers).ok()).unwrap_or_default()
}

/// The routing keys that the headers add. What is no text among them is ignored.
fn more_keys(headers: &FieldTable) -> Result<Vec<String>, Refusal> {
    let mut keys = Vec::new();
    for name in [CC, BCC] {
        match headers.inner().get(name) {
            None => {}
            Some(AMQPValue::FieldArray(values)) => {
                keys.extend(values.as_slice().iter().filter_map(|value| match value {
                    AMQPValue::LongString(key) => {
                        Some(String::from_utf8_lossy(key.as_bytes()).into_owned())
                    }
                    _ => None,
                }));
            }
            Some(other) => {
                let kind = erlang::type_name(other);
                let text =
                    format!("invalid message: {{unacceptable_type_in_header,\"{name}\",{kind}}}");
                return Err(Refusal::new(ReplyCode::PreconditionFailed, text));
            }
        }
    }
    Ok(keys)
}

/// A time to live is decimal digits, in milliseconds (S113).
fn check_expiration(expiration: &str) -> Result<(), Refusal> {
    let unsigned = expiration.strip_prefix(['+', '-']).unwrap_or(expiration);
    let end = unsigned.find(|c: char| !c.is_ascii_digit()).unwrap_or(unsigned.len());
    let (digits, rest) = unsigned.split_at(end);
    let digits = digits.trim_start_matches('0');
    let number = if digits.is_empty() { "0" } else { digits };
    let ttl_ms = number.parse::<u64>().unwrap_or(u64::MAX);
    let why = if end == 0 {
        "no_integer".to_owned()
    } else if !rest.is_empty() {
        format!("{{leftover_string,{rest:?}}}")
    } else if expiration.starts_with('-') && ttl_ms > 0 {
        format!("{{value_negative,-{number}}}")
    } else if ttl_ms > limits::TTL_MS_MAX {
        format!("{{value_too_large,{number}}}")
    } else {
        return Ok(());
    };
    let text = format!("invalid expiration '{expiration}': {why}");
    Err(Refusal::new(ReplyCode::PreconditionFailed, text))
}

/// Takes the properties that a client sends, which may be those of a dead letter that it got.
fn sent(properties: &mut Properties) -> Properties {
    let mut properties = std::mem::take(properties);
    properties.set_own_deaths(false);
    properties
}

fn strip_bcc(properties: &mut Properties) {
    let headers = properties.headers().as_ref().map(FieldTable::inner);
    if let Some(headers) = headers.filter(|headers| headers.contains_key(BCC)) {
        let kept = headers.iter().filter(|(name, _)| name.as_str() != BCC);
        let kept: BTreeMap<_, _> =
            kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        *properties = std::mem::take(properties).with_headers(kept.into());
    }
}

fn check_delivery_mode(properties: &Properties) -> Result<(), Refusal> {
    if let Some(mode @ (0 | 3..)) = properties.delivery_mode() {
        let text = format!("invalid message: {{delivery_mode_unknown,{mode}}}");
        return Err(Refusal::new(ReplyCode::PreconditionFailed, text));
    }
    Ok(())
}

/// Returns a mandatory message that no queue took (S101).
fn return_message(
    caller: Caller,
    publish_seq: Option<u64>,
    message: Arc<Message>,
    effects: &mut Effects,
) {
    caller.record(effects, || EventKind::Returned {
        message: message.id,
        exchange: message.address.exchange.clone(),
        routing_key: message.address.routing_key.clone(),
        publish_seq,
    });
    effects.outputs.push(Output {
        connection: caller.connection,
        channel: Some(caller.channel),
        gate: Gate::AtOnce,
        notice: Notice::Return {
            call: caller.call,
            publish_seq,
            reply_code: 312,
            reply_text: "NO_ROUTE",
            message,
        },
    });
}
