//! The engine and what goes with it, single-threaded and without a lock: what the runtime locks and a
//! simulation drives.

use std::collections::BTreeSet;

use super::gate::Doorkeeper;
use super::history::History;
use crate::engine::{Engine, EngineOptions};
use crate::protocol::{
    Answer, ChannelId, Command, Effects, Event, EventKind, Notice, Now, Output, Preview, Record,
    RecoveredMessage, Refusal, ReplyCode, Verdict,
};

/// Engine, history, and the way out for what the engine says.
///
/// With a journal, outputs gated [`OnceDurable`](crate::protocol::Gate::OnceDurable) wait here until
/// whoever keeps the journal says that their step's records are [`durable`](Self::durable). A broker in
/// memory promises nothing beyond the process, so that gate is always open and records are dropped. In the history a
/// publish is confirmed, or refused, when its publisher is told.
#[derive(Clone, Debug)]
pub struct Core {
    engine: Engine,
    effects: Effects,
    history: Option<History>,
    now: Now,
    /// `None` for a broker in memory.
    doorkeeper: Option<Doorkeeper>,
    /// How many steps have made records.
    recorded: u64,
}

/// How many outputs, and records, the room is kept for from step to step.
const OUTPUTS_KEPT: usize = 1024;

impl Core {
    /// A broker with no queues and no clients; with `record_history` it remembers what happens.
    #[must_use]
    pub fn new(options: EngineOptions, record_history: bool) -> Self {
        Self {
            engine: Engine::new(options),
            effects: Effects { recording: record_history, ..Effects::default() },
            history: record_history.then(History::default),
            now: Now::default(),
            doorkeeper: None,
            recorded: 0,
        }
    }

    /// A broker whose journal brought back `engine`; its records are to be taken after each step.
    #[must_use]
    pub fn journalled(engine: Engine, record_history: bool) -> Self {
        let doorkeeper = Some(Doorkeeper::default());
        Self { engine, doorkeeper, ..Self::new(EngineOptions::default(), record_history) }
    }

    /// Records what the journal brought back.
    pub fn record_recovery(&mut self, now: Now) {
        self.time_is(now);
        let Some(history) = &mut self.history else { return };
        let inspection = self.engine.inspect();
        history.extend(inspection.queues.into_iter().map(|queue| {
            let messages = queue.ready.into_iter().map(|message| RecoveredMessage {
                message: message.id,
                body: Preview::of(&message.body),
                redelivered: message.redelivered,
            });
            let kind = EventKind::QueueRecovered {
                queue: queue.view.name.clone(),
                messages: messages.collect(),
            };
            Event { at: self.now.instant, connection: None, channel: None, kind }
        }));
    }

    /// Takes one command at the time `now`; gives what is to be said to clients, in order.
    ///
    /// Time does not go back: an earlier `now` is taken for the latest one seen.
    pub fn step(&mut self, now: Now, command: Command) -> impl Iterator<Item = Output> + '_ {
        self.time_is(now);
        // One step may hand out a whole backlog; the room for that is not kept for ever.
        self.effects.outputs.shrink_to(OUTPUTS_KEPT);
        self.effects.records.shrink_to(OUTPUTS_KEPT);
        self.engine.handle(self.now, command, &mut self.effects);
        if self.doorkeeper.is_none() {
            self.effects.records.clear();
        } else if !self.effects.records.is_empty() {
            self.recorded += 1;
        }
        let watched = self.history.is_some();
        if watched && self.doorkeeper.is_some() {
            self.withhold_with_events();
        }
        if let Some(history) = &mut self.history {
            history.extend(self.effects.events.drain(..));
        }
        let doorkeeper = if watched { None } else { self.doorkeeper.as_mut() };
        let (mut doorkeeper, recorded) = (doorkeeper, self.recorded);
        self.effects.outputs.drain(..).filter_map(move |output| match &mut doorkeeper {
            Some(doorkeeper) => doorkeeper.pass(recorded, output),
            None => Some(output),
        })
    }

    /// It is `now`, unless it was later before.
    pub fn time_is(&mut self, now: Now) {
        if now.instant >= self.now.instant {
            self.now = now;
        }
    }

    /// Keeps what is to wait, and takes back the events of confirms among that: those happen when they are let out.
    fn withhold_with_events(&mut self) {
        let Self { engine, effects, doorkeeper: Some(doorkeeper), recorded, .. } = self else {
            return;
        };
        let mut kept = BTreeSet::new();
        let outputs = std::mem::take(&mut effects.outputs).into_iter().filter_map(|output| {
            let confirm = of_confirm(engine, &output);
            let said = doorkeeper.pass(*recorded, output);
            let is_said =
                said.as_ref().is_some_and(|said| matches!(said.notice, Notice::Confirm { .. }));
            kept.extend(
                confirm
                    .filter(|_| !is_said)
                    .map(|(connection, channel, seq, _)| (connection, channel, seq)),
            );
            said
        });
        effects.outputs = outputs.collect();
        effects.events.retain(|event| match (event.connection, event.channel, &event.kind) {
            (
                Some(connection),
                Some(channel),
                EventKind::Confirmed { publish_seq } | EventKind::Refused { publish_seq },
            ) => !kept.contains(&(connection, channel, *publish_seq)),
            _ => true,
        });
    }

    /// What the last step recorded, with the step's number among those that did; the journal is to have
    /// them in this order.
    pub fn take_records(&mut self) -> Option<(u64, Vec<Record>)> {
        let records = std::mem::take(&mut self.effects.records);
        (!records.is_empty()).then_some((self.recorded, records))
    }

    /// The same, to be taken one by one.
    pub(super) fn drain_records(&mut self) -> (u64, impl Iterator<Item = Record> + '_) {
        (self.recorded, self.effects.records.drain(..))
    }

    /// What the last step tells an operator who published or drained.
    pub fn take_answer(&mut self) -> Option<Answer> {
        self.effects.answer.take()
    }

    /// How many outputs wait until their records are durable.
    #[must_use]
    pub fn withheld(&self) -> usize {
        self.doorkeeper.as_ref().map_or(0, Doorkeeper::waiting)
    }

    /// What waits until its records are durable, in order, each with the step that it waits for.
    pub fn waiting(&self) -> impl Iterator<Item = (u64, &Output)> {
        self.doorkeeper.iter().flat_map(Doorkeeper::outputs)
    }

    /// The last step that made records; 0 before the first.
    #[must_use]
    pub fn recorded(&self) -> u64 {
        self.recorded
    }

    /// The records of steps up to `step` are durable: gives what waited for that, in order. It is let out whether or not
    /// the iterator is used.
    pub fn durable(&mut self, step: u64) -> impl Iterator<Item = Output> + '_ {
        let Self { engine, history, now, doorkeeper, .. } = self;
        if let (Some(history), Some(doorkeeper)) = (history, &*doorkeeper) {
            history.extend(doorkeeper.due(step).filter_map(|output| told(engine, *now, output)));
        }
        doorkeeper.as_mut().map(|doorkeeper| doorkeeper.durable(step)).into_iter().flatten()
    }

    /// Nothing more will become durable: gives the confirms that waited, as refusals, and the ends of
    /// all connections with the reason.
    pub fn give_up(&mut self, why: &str) -> Vec<Output> {
        let mut said = self.doorkeeper.as_mut().map(Doorkeeper::give_up).unwrap_or_default();
        let Self { engine, history, now, .. } = self;
        if let Some(history) = history {
            history.extend(said.iter().filter_map(|output| told(engine, *now, output)));
        }
        let text = format!("the journal failed: {why}");
        let refusal = Refusal::new(ReplyCode::InternalError, text);
        said.extend(self.step(self.now, Command::Shutdown { refusal }));
        said
    }

    /// How many confirms of a channel wait until their records are durable.
    #[must_use]
    pub fn unconfirmed(&self, channel: ChannelId) -> usize {
        self.doorkeeper.as_ref().map_or(0, |doorkeeper| doorkeeper.confirms(channel))
    }

    /// What a graceful stop records, as a last step's records.
    pub fn take_stop_records(&mut self) -> Option<(u64, Vec<Record>)> {
        self.doorkeeper.as_ref()?;
        self.recorded += 1;
        Some((self.recorded, self.engine.stop_records()))
    }

    /// Whether what a command does depends on the time. While nothing does, its reader may be spared:
    /// a clock costs as much as a queue operation.
    #[must_use]
    pub fn needs_time(&self, command: &Command) -> bool {
        self.history.is_some() || self.engine.needs_time(command)
    }

    /// The time of the last step that depended on it.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now
    }

    /// The engine, to look at.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What has happened since it was taken the last time, if it is recorded.
    pub fn take_history(&mut self) -> History {
        self.history.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// What has happened, if it is recorded.
    #[must_use]
    pub fn history(&self) -> Option<&History> {
        self.history.as_ref()
    }
}

/// What an output confirms or refuses: the connection's and the channel's number, if that is still open, the publish's,
/// and which of both.
fn of_confirm(engine: &Engine, output: &Output) -> Option<(u64, u16, u64, Verdict)> {
    let Notice::Confirm { publish_seq, verdict, .. } = output.notice else { return None };
    let (connection, channel) = engine.channel_numbers(output.channel?)?;
    Some((connection, channel, publish_seq, verdict))
}

/// What happens when a confirm is let out; those of channels that have closed meanwhile never are.
fn told(engine: &Engine, now: Now, output: &Output) -> Option<Event> {
    let (connection, channel, publish_seq, verdict) = of_confirm(engine, output)?;
    let kind = match verdict {
        Verdict::Ack => EventKind::Confirmed { publish_seq },
        Verdict::Nack => EventKind::Refused { publish_seq },
    };
    let (connection, channel) = (Some(connection), Some(channel));
    Some(Event { at: now.instant, connection, channel, kind })
}
