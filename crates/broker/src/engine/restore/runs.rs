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
