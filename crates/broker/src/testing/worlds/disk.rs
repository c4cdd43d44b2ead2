//! A broker on a disk, as the journal promises it: steps become durable in order, and a crash leaves a beginning of
//! what was on its way.
//!
//! The journal itself, bytes and failing disks, has small worlds of its own; here it is only what the engine has to
//! reckon with. A step's records stand on the disk as a whole or not at all.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use super::World;
use super::state::State;
use crate::engine::{DurableView, Engine, EngineOptions, Essence, Restore, Shared};
use crate::protocol::{ChannelId, Command, Message, MessageId, Record};
use crate::runtime::Core;

#[derive(Clone, Debug)]
pub(super) struct Journal {
    /// The fold of all that is durable.
    durable: Shared<Restore>,
    /// What that shows.
    view: Shared<DurableView>,
    /// Steps that are on their way to the disk, with their records.
    pending: Shared<VecDeque<(u64, Rc<[Record]>)>>,
}

impl Journal {
    /// A new broker, and its journal if it has one.
    pub(super) fn begin(options: EngineOptions, on_disk: bool) -> (Core, Option<Self>) {
        if !on_disk {
            return (Core::new(options, true), None);
        }
        let journal = Self {
            durable: Shared::default(),
            view: Shared::default(),
            pending: Shared::default(),
        };
        (Core::journalled(Engine::new(options), true), Some(journal))
    }

    pub(super) fn send(&mut self, step: u64, records: Vec<Record>) {
        self.pending.push_back((step, records.into()));
    }

    /// How many steps are on their way.
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The place among the steps on their way of one that something waits for.
    pub(super) fn place(&self, step: u64) -> usize {
        self.pending.iter().take_while(|(one, _)| *one < step).count()
    }

    /// The first steps become durable; gives the last of them.
    fn write(&mut self, steps: usize) -> Option<u64> {
        let steps = steps.min(self.pending.len());
        let written: Vec<_> = self.pending.drain(..steps).collect();
        for record in written.iter().flat_map(|(_, records)| &records[..]) {
            self.apply(record.clone());
        }
        if !written.is_empty() {
            self.view = Shared::new(self.durable.durable_view());
        }
        written.last().map(|(step, _)| *step)
    }

    fn apply(&mut self, record: Record) {
        if let Err(error) = self.durable.apply(record) {
            panic!("the records contradict each other: {error}");
        }
    }

    /// What would be found after a crash now, if nothing more were written: the bodies in each queue, in order.
    pub(super) fn found(&self) -> BTreeMap<String, Vec<String>> {
        let queues = self.view.queues.iter();
        let body =
            |message: &std::sync::Arc<Message>| String::from_utf8_lossy(&message.body).into_owned();
        queues
            .map(|queue| (queue.name.to_string(), queue.messages.iter().map(body).collect()))
            .collect()
    }

    /// Adds what later crashes depend on.
    pub(super) fn essence(&self, now_ms: u64, essence: &mut Essence) {
        let durable = &*self.view;
        let mut messages: BTreeMap<MessageId, &Message> = BTreeMap::new();
        for message in durable.queues.iter().flat_map(|queue| &queue.messages) {
            messages.insert(message.id, message);
        }
        for record in self.pending.iter().flat_map(|(_, records)| &records[..]) {
            if let Record::Enqueued { message, .. } = record {
                messages.insert(message.id, message);
            }
        }
        let place = |id: &MessageId| messages.range(..id).count();
        essence.size(messages.len());
        for message in messages.values() {
            essence.message(message, now_ms);
        }
        essence.size(durable.queues.len());
        for queue in &durable.queues {
            essence.text(&*queue.name);
            essence.size(queue.messages.len());
            for message in &queue.messages {
                essence.size(place(&message.id));
            }
        }
        essence.debug(format_args!("{:?} {:?}", durable.exchanges, durable.bindings));
        essence.size(self.pending.len());
        for (_, records) in self.pending.iter() {
            essence.size(records.len());
            for record in &records[..] {
                match record {
                    Record::Enqueued { message, queues } => {
                        essence.text("enqueued");
                        essence.size(place(&message.id));
                        essence.text(queues.join("\n"));
                    }
                    Record::Removed { queue, message } => {
                        essence.text("removed");
                        essence.size(place(message));
                        essence.text(&**queue);
                    }
                    other => essence.debug(format_args!("{other:?}")),
                }
            }
        }
    }
}

impl<S: Clone> State<S> {
    /// The first of the steps on their way become durable, and the clients hear of it.
    pub(super) fn write(&mut self, world: &World<S>, steps: usize) {
        let written = self.journal.as_mut().and_then(|journal| journal.write(steps));
        if let Some(step) = written {
            let said: Vec<_> = self.core.durable(step).collect();
            for output in said {
                self.hear(world, &output);
            }
        }
    }

    pub(super) fn write_all(&mut self, world: &World<S>) {
        self.write(world, usize::MAX);
    }

    /// The broker's process ends when so many of the steps on their way are on the disk, and another begins.
    pub(super) fn crash(&mut self, world: &World<S>, survive: usize) {
        let Some(journal) = &mut self.journal else { return };
        journal.write(survive);
        journal.pending.clear();
        journal.apply(Record::Started);
        let engine = Restore::clone(&journal.durable).finish(world.engine_options());
        self.core = Shared::new(Core::journalled(engine, true));
        for connection in 0..self.connections.len() {
            self.connection_ended(world, connection);
        }
        // The next broker gives its channels the handles that this one gave.
        for hand in self.hands.iter_mut().filter(|hand| !hand.jobs.is_empty()) {
            hand.jobs.iter_mut().for_each(|job| job.channel = ChannelId::default());
        }
        // What expired meanwhile goes first.
        self.command(world, Command::TimePassed);
    }
}
