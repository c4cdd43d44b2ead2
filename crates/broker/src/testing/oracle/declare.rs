//! Queues.

use std::fmt::Display;

use super::{From, Held, Oracle, Outcome, Queue, Refused, Rules, arguments, refused};
use crate::protocol::QueueDeclare;
use crate::protocol::types::FieldTable;
use crate::testing::What;

impl Oracle {
    pub(super) fn declare(
        &mut self,
        from: From,
        declare: &QueueDeclare,
        made: Option<&str>,
    ) -> Outcome {
        let name = declare.queue.as_str();
        let name = if declare.passive {
            self.find(from, name)?.name.clone()
        } else if name.starts_with("amq.") {
            let text = format!("queue name '{name}' contains reserved prefix 'amq.*'");
            return refused(403, text);
        } else if self.queues.iter().any(|queue| queue.name == name) {
            self.compare(from, declare)?;
            name.to_owned()
        } else {
            self.add_queue(from, declare, made)
        };
        self.used(&name);
        self.channel(from).last_queue = Some(name.clone());
        let queue = self.find(from, &name)?;
        let (number, quorum) = (queue.number, queue.rules.quorum.is_some());
        let (messages, consumers) = (queue.ready.len() as u32, queue.consumers().len());
        // A defect of quorum queues that was mended late (S145, R13).
        let got = |held: &&Held| quorum && held.queue == number && held.consumer.is_none();
        let held = self.channels.iter().flat_map(|channel| &channel.held);
        let consumers = (consumers + held.filter(got).count()) as u32;
        let what = What::DeclareOk { queue: name, messages, consumers };
        if !declare.nowait {
            self.say(from, what);
        }
        Ok(())
    }

    fn add_queue(&mut self, from: From, declare: &QueueDeclare, made: Option<&str>) -> String {
        let mut name = declare.queue.to_string();
        if name.is_empty() {
            name = made.unwrap_or_default().to_owned();
            assert!(name.starts_with("amq.gen-"), "a queue cannot be named '{name}'");
            let taken = self.queues.iter().any(|queue| queue.name == name);
            assert!(!taken, "the name '{name}' is taken");
        }
        self.declared += 1;
        let mut queue = Queue::new(self.declared, &name, &declare.arguments);
        queue.durable = declare.durable && !declare.exclusive;
        queue.auto_delete = declare.auto_delete;
        queue.owner = declare.exclusive.then_some(from.connection);
        self.queues.push(queue);
        name
    }

    /// Whether an existing queue is what the declaration asks for.
    fn compare(&mut self, from: From, declare: &QueueDeclare) -> Outcome {
        let name = declare.queue.as_str();
        let queue = self.find(from, name)?;
        if queue.owner.is_some() != declare.exclusive {
            return Err(locked(name));
        }
        let durable = declare.durable && !declare.exclusive;
        let differs = |flag: &str, received: bool, current: bool| {
            let text = format!(
                "inequivalent arg '{flag}' for queue '{name}' in vhost '/': received '{received}' \
                 but current is '{current}'"
            );
            refused(406, text)
        };
        if durable != queue.durable {
            return differs("durable", durable, queue.durable);
        }
        if declare.auto_delete != queue.auto_delete {
            return differs("auto_delete", declare.auto_delete, queue.auto_delete);
        }
        let [priority, single] = ["x-max-priority", "x-single-active-consumer"];
        let received = &declare.arguments;
        compare_argument(name, priority, max_priority(received), queue.max_priority, "signedint")?;
        compare_argument(name, single, single_active(received), queue.single_active, "bool")?;
        Ok(())
    }

    pub(super) fn purge(&mut self, from: From, queue: &str, nowait: bool) -> Outcome {
        let name = self.named(from, queue)?;
        let queue = self.find(from, &name)?;
        let count = queue.ready.len() as u32;
        queue.ready.clear();
        queue.in_a_row = 0;
        if !nowait {
            self.say(from, What::PurgeOk(count));
        }
        Ok(())
    }

    pub(super) fn delete(
        &mut self,
        from: From,
        queue: &str,
        if_unused: bool,
        if_empty: bool,
        nowait: bool,
    ) -> Outcome {
        let name = self.named(from, queue)?;
        let mut count = 0;
        let exists = self.queues.iter().any(|queue| queue.name == name);
        if exists {
            let queue = self.find(from, &name)?;
            count = queue.ready.len() as u32;
            let flag = if if_unused { "if-unused" } else { "if-empty" };
            if queue.rules.quorum.is_some() && (if_unused || if_empty) {
                let text = format!(
                    "cannot delete queue '{name}' in vhost '/'. queue.delete operations with {flag} flag set \
                     are not supported by quorum queues"
                );
                return refused(540, text);
            }
            if if_empty && count > 0 {
                return refused(406, format!("queue '{name}' in vhost '/' not empty"));
            }
            if if_unused && !queue.consumers().is_empty() {
                return refused(406, format!("queue '{name}' in vhost '/' in use"));
            }
        }
        if !nowait {
            self.say(from, What::DeleteOk(count));
        }
        if let Some(index) = self.queues.iter().position(|queue| queue.name == name) {
            let queue = self.queues.remove(index);
            for consumer in queue.consumers() {
                let to = From { connection: consumer.connection, channel: consumer.channel };
                self.say(to, What::Cancel(consumer.tag.clone()));
            }
            self.drop_loose_ends();
        }
        Ok(())
    }

    /// The name that a method means: an empty one is the queue that the channel declared last (S84).
    pub(super) fn named(&mut self, from: From, name: &str) -> Result<String, Refused> {
        if !name.is_empty() {
            return Ok(name.to_owned());
        }
        match &self.channel(from).last_queue {
            Some(last) => Ok(last.clone()),
            None => refused(404, "no previously declared queue"),
        }
    }

    /// An existing queue that the connection may use.
    pub(super) fn find(&mut self, from: From, name: &str) -> Result<&mut Queue, Refused> {
        let found = self.queues.iter_mut().find(|queue| queue.name == name);
        match found {
            None => refused(404, format!("no queue '{name}' in vhost '/'")),
            Some(queue) if queue.owner.is_some_and(|owner| owner != from.connection) => {
                Err(locked(name))
            }
            Some(queue) => Ok(queue),
        }
    }
}

impl Queue {
    /// A transient queue for everybody.
    pub(super) fn new(number: u64, name: &str, arguments: &FieldTable) -> Self {
        Self {
            number,
            name: name.to_owned(),
            durable: false,
            auto_delete: false,
            owner: None,
            arguments: arguments.clone(),
            rules: Rules::of(arguments),
            max_priority: max_priority(arguments),
            single_active: single_active(arguments),
            holder: None,
            ready: Vec::new(),
            in_a_row: 0,
            has_changed: false,
            came_back: false,
            used_ms: 0,
            active: Vec::new(),
            blocked: Vec::new(),
        }
    }
}

fn max_priority(arguments: &FieldTable) -> Option<u8> {
    let max = arguments::integer(arguments, "x-max-priority")?;
    Some(max.try_into().expect("programs declare no other"))
}

fn single_active(arguments: &FieldTable) -> Option<bool> {
    arguments::boolean(arguments, "x-single-active-consumer")
}

/// Whether an argument is what it is, in three wordings (S79).
fn compare_argument<T: Display + PartialEq>(
    queue: &str,
    argument: &str,
    received: Option<T>,
    current: Option<T>,
    kind: &str,
) -> Outcome {
    let how = match (received, current) {
        (None, None) => return Ok(()),
        (Some(received), Some(current)) if received == current => return Ok(()),
        (Some(received), Some(current)) => {
            format!("received '{received}' but current is '{current}'")
        }
        (Some(received), None) => {
            format!("received the value '{received}' of type '{kind}' but current is none")
        }
        (None, Some(current)) => {
            format!("received none but current is the value '{current}' of type '{kind}'")
        }
    };
    refused(406, format!("inequivalent arg '{argument}' for queue '{queue}' in vhost '/': {how}"))
}

fn locked(name: &str) -> Refused {
    let text = format!(
        "cannot obtain exclusive access to locked queue '{name}' in vhost '/'. It could be \
         originally declared on another connection or the exclusive property value does not match \
         that of the original declaration."
    );
    Refused(405, text)
}
