//! Records of one kind, one after another. Most records of a long log come so, and most name one queue, which is
//! looked up once for all of them then.

use std::sync::Arc;

use super::{Contradiction, Folded, Restore, RestoreError, check_number, is_quorum};
use crate::protocol::{Message, MessageId, Name};

impl Restore {
    /// Takes the next records, one for each of some messages: [`Record::MessageKept`] if they are `kept`, and otherwise
    /// [`Record::Enqueued`].
    ///
    /// [`Record::Enqueued`]: crate::protocol::Record::Enqueued
    /// [`Record::MessageKept`]: crate::protocol::Record::MessageKept
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply); what comes behind the first record that contradicts is not taken.
    pub fn apply_messages(
        &mut self,
        messages: impl IntoIterator<Item = Arc<Message>>,
        queues: &[Name],
        kept: bool,
    ) -> Result<(), RestoreError> {
        self.goes_on();
        let only = match queues {
            [name] => self.number(name).ok(),
            _ => None,
        };
        let only = only.and_then(|number| self.queues.get_mut(&number));
        let Some(queue) = only else { return self.apply_each(messages, queues, kept) };
        for message in messages {
            let (index, id) = (self.records, message.id);
            self.records += 1;
            let folded = queue.message(message, kept.then_some(self.forgotten));
            folded.map_err(|contradiction| RestoreError { index, contradiction })?;
            if !kept {
                self.last_message = self.last_message.max(id);
            }
        }
        Ok(())
    }

    fn apply_each(
        &mut self,
        messages: impl IntoIterator<Item = Arc<Message>>,
        queues: &[Name],
        kept: bool,
    ) -> Result<(), RestoreError> {
        for message in messages {
            let index = self.records;
            self.records += 1;
            let folded = if kept {
                self.message_kept(&message, queues)
            } else {
                self.enqueued(message, queues)
            };
            folded.map_err(|contradiction| RestoreError { index, contradiction })?;
        }
        Ok(())
    }

    /// Takes the next records, a [`Record::Removed`](crate::protocol::Record::Removed) for each of some messages.
    ///
    /// # Errors
    ///
    /// As [`apply_messages`](Self::apply_messages).
    pub fn apply_removals(
        &mut self,
        name: &Name,
        messages: impl IntoIterator<Item = MessageId>,
    ) -> Result<(), RestoreError> {
        self.goes_on();
        let number = self.number(name).ok();
        let mut queue = number.and_then(|number| self.queues.get_mut(&number));
        for message in messages {
            let index = self.records;
            self.records += 1;
            let there = queue.as_mut().map(|queue| queue.messages.remove(message));
            let contradiction = match there {
                Some(there) if there || message <= self.forgotten => continue,
                Some(_) => Contradiction::UnknownMessage { queue: name.clone(), message },
                None => Contradiction::UnknownQueue { queue: name.clone() },
            };
            return Err(RestoreError { index, contradiction });
        }
        Ok(())
    }

    /// What comes next is neither of a head nor of a stop.
    fn goes_on(&mut self) {
        self.end.is_void();
        self.in_head = false;
    }
}

impl Folded {
    /// A message is in this queue alone: from now on, or, of those up to a number at least, still.
    fn message(
        &mut self,
        message: Arc<Message>,
        still: Option<MessageId>,
    ) -> Result<(), Contradiction> {
        let id = message.id;
        if !message.persistent() && !is_quorum(&self.arguments) {
            return Err(Contradiction::Transient { message: id });
        }
        check_number(id)?;
        let queue = || self.name.clone();
        match still {
            Some(forgotten) if id > forgotten && !self.messages.contains(id) => {
                Err(Contradiction::UnknownMessage { queue: queue(), message: id })
            }
            Some(_) => {
                self.messages.insert(message);
                Ok(())
            }
            None if self.messages.insert(message) => Ok(()),
            None => Err(Contradiction::EnqueuedTwice { queue: queue(), message: id }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::types::FieldTable;
    use crate::protocol::{Address, PERSISTENT, Properties, Record};

    fn message(id: u64, persistent: bool) -> Arc<Message> {
        let address = Arc::new(Address { exchange: "".into(), routing_key: "".into() });
        let properties = Properties::default();
        let properties =
            if persistent { properties.with_delivery_mode(PERSISTENT) } else { properties };
        let (id, body) = (MessageId(id), vec![0; id as usize % 5].into());
        Arc::new(Message { id, address, properties, body, entered_ms: 0 })
    }

    /// A log of two queues whose messages up to the fifth may have gone.
    fn begun() -> Restore {
        let mut restore = Restore::default();
        restore.apply(Record::Numbered { last: MessageId(5) }).unwrap();
        for queue in ["a", "b"] {
            let (queue, arguments) = (queue.into(), FieldTable::default());
            let kept = Record::QueueKept { queue, auto_delete: false, arguments };
            restore.apply(kept).unwrap();
        }
        restore
    }

    #[test]
    fn a_run_means_what_its_records_mean_one_by_one() {
        let mut contradictions = 0;
        for seed in 0..2_000_u64 {
            let mut state = seed;
            let mut draw = |from: u64| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 33) % from
            };
            let (mut in_runs, mut one_by_one) = (begun(), begun());
            for begin in (2..17).step_by(3) {
                let lists: [&[&str]; 5] = [&["a"], &["a"], &["b"], &["a", "b"], &["gone"]];
                let choices = 4 + u64::from(draw(9) == 0);
                let queues = lists[draw(choices) as usize];
                let queues: Vec<Name> = queues.iter().map(|name| (*name).into()).collect();
                let (kind, persistent) = (draw(6), draw(40) > 0);
                let ids = (begin..begin + 1 + draw(3)).map(|id| id - u64::from(draw(12) == 0));
                let ids: Vec<u64> = ids.collect();
                let messages = || ids.iter().map(|id| message(*id, persistent));
                let removed = || ids.iter().map(|id| MessageId(*id));
                let ran = match kind {
                    0 => in_runs.apply_removals(&queues[0], removed()),
                    _ => in_runs.apply_messages(messages(), &queues, kind == 1),
                };
                let stepped = messages().try_for_each(|message| {
                    let queues: Arc<[_]> = queues.as_slice().into();
                    one_by_one.apply(match kind {
                        0 => Record::Removed { queue: queues[0].clone(), message: message.id },
                        1 => Record::MessageKept { message, queues },
                        _ => Record::Enqueued { message, queues },
                    })
                });
                assert_eq!(ran, stepped, "seed {seed}");
                assert_eq!(in_runs.durable_view(), one_by_one.durable_view(), "seed {seed}");
                assert_eq!(in_runs.last_message, one_by_one.last_message, "seed {seed}");
                if ran.is_err() {
                    contradictions += 1;
                    break;
                }
            }
        }
        assert!((100..1_900).contains(&contradictions), "{contradictions}");
    }
}
