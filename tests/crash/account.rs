//! The account that is kept of every message: what a client asked for and was told, and therefore what
//! must, may and must not be there after a crash.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use leveret_broker::engine::Engine;
use leveret_broker::protocol::types::FieldTable;
use leveret_broker::protocol::{
    BasicPublish, Cause, EventKind, Message, Method, Properties, Record,
};
use leveret_broker::testing::{
    Act, Oracle, Said, SurvivingQueue, SurvivingTopology, Survivor, Turn, What,
};

use crate::messages::{as_kept, number_of};
use crate::report::{Event, Report};

/// What is durable at one moment: queues in order, with their messages in order.
pub(crate) type State = Vec<QueueState>;

/// A durable queue: its name, whether it is deleted automatically, and its messages, each the number of
/// an attempt and whether it is marked redelivered.
pub(crate) type QueueState = (String, bool, Vec<(u64, bool)>);

/// Nothing at all.
pub(crate) fn nothing() -> State {
    vec![topology_state(&Oracle::new())]
}

/// The durable exchanges and bindings, written down in the place of a queue without messages.
fn topology_state(oracle: &Oracle) -> QueueState {
    (format!("{:?}", oracle.surviving_topology()), false, Vec::new())
}

/// Everything marked redelivered, as after a crash (S180).
pub(crate) fn all_marked(state: &State) -> State {
    let marked = |queue: &QueueState| {
        let (name, auto_delete, messages) = queue;
        let messages = messages.iter().map(|(attempt, _)| (*attempt, true)).collect();
        (name.clone(), *auto_delete, messages)
    };
    state.iter().map(marked).collect()
}

/// All attempts in it.
pub(crate) fn attempts_in(state: &State) -> BTreeSet<u64> {
    let messages = state.iter().flat_map(|(_, _, messages)| messages);
    messages.map(|(attempt, _)| *attempt).collect()
}

/// What was published, and what became of it.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// Every attempt as it was sent, by number.
    attempts: Vec<BasicPublish>,
    /// The attempts by the numbers that this life's broker gave them.
    ids: BTreeMap<u64, u64>,
    /// The attempts that channels wait to hear of, by connection, channel and sequence number.
    awaited: BTreeMap<(u64, u16, u64), u64>,
    /// The attempts that wait for a commit, by connection and channel, and the commits that wait to be answered.
    waiting: BTreeMap<(u64, u16), Vec<u64>>,
    commits: BTreeMap<(u64, u16), VecDeque<Vec<u64>>>,
    /// Those that were persistent and in a durable queue after the step that published them.
    kept: BTreeSet<u64>,
    /// Those that have been dead letters: what was confirmed is only that they were where they were sent.
    letters: BTreeSet<u64>,
    confirmed: BTreeSet<u64>,
    /// Those of this life that were handed out, and those of earlier ones.
    handed_out: BTreeSet<u64>,
    handed_out_before: BTreeSet<u64>,
    /// Those that were removed, and no crash may bring back.
    gone: BTreeSet<u64>,
    /// Those that clients removed, whether or not a crash brought them back.
    removed: BTreeSet<u64>,
    /// The durable queues whose declaration was answered.
    declared: BTreeSet<String>,
}

/// Seeing what happens.
impl Account {
    /// The number of the next attempt.
    pub(crate) fn next(&self) -> u64 {
        self.attempts.len() as u64
    }

    /// An attempt is about to be sent.
    pub(crate) fn attempted(&mut self, publish: &BasicPublish) {
        self.attempts.push(as_kept(publish));
    }

    /// Takes note of what a command brought about; `attempt` is the number that it publishes under.
    pub(crate) fn note(
        &mut self,
        act: &Act,
        turn: &Turn,
        attempt: Option<u64>,
        report: &mut Report,
    ) {
        let attempts = self.sent_now(act, turn, attempt);
        let mut published = attempts.iter();
        for event in &turn.step.events {
            match (&event.kind, attempt) {
                (EventKind::Published { message, .. }, _) => {
                    if let Some(attempt) = published.next() {
                        self.ids.insert(message.0, *attempt);
                    }
                }
                (EventKind::DeadLettered { message, letter, cause, .. }, _) => {
                    if let Some(attempt) = self.ids.get(&message.0) {
                        self.letters.insert(*attempt);
                        self.ids.insert(letter.0, *attempt);
                    }
                    report.count(match cause {
                        Cause::Expired => Event::ExpiredLetters,
                        Cause::MaxLength => Event::ExcessLetters,
                        _ => Event::RejectedLetters,
                    });
                }
                (EventKind::Dropped { cause: Cause::Expired, .. }, _) => {
                    report.count(Event::Expired);
                }
                (EventKind::Dropped { cause: Cause::MaxLength, .. }, _) => {
                    report.count(Event::Excess);
                }
                (EventKind::QueueDeleted { queue, .. }, _) => {
                    self.declared.remove(&**queue);
                }
                (EventKind::Delivered { message, .. }, _) => {
                    if let Some(attempt) = self.ids.get(&message.0) {
                        self.received(*attempt, report);
                    }
                }
                _ => {}
            }
        }
        for said in &turn.step.said {
            if let (What::ConfirmAck(seq), Some(channel), Some(attempt)) =
                (&said.what, said.channel, attempt)
            {
                self.awaited.insert((said.connection, channel, *seq), attempt);
            }
        }
    }

    /// The attempts that a command sends, which may have waited for it.
    fn sent_now(&mut self, act: &Act, turn: &Turn, attempt: Option<u64>) -> Vec<u64> {
        let mut events = turn.step.events.iter();
        let published = events.any(|event| matches!(event.kind, EventKind::Published { .. }));
        let waits = turn.step.refusal().is_none() && !published;
        match (act, attempt) {
            (Act::Method { connection, channel, .. }, Some(attempt)) if waits => {
                self.waiting.entry((*connection, *channel)).or_default().push(attempt);
                Vec::new()
            }
            (_, Some(attempt)) => vec![attempt],
            (Act::Method { connection, channel, method: Method::TxCommit }, None) => {
                let key = (*connection, *channel);
                let attempts = self.waiting.remove(&key).unwrap_or_default();
                let answered = |said: &[Said]| said.iter().any(|it| it.what == What::TxCommitOk);
                let commits = self.commits.entry(key).or_default();
                if answered(&turn.told) {
                    // Nothing of it is kept, so it does not wait for those before it.
                    commits.push_front(Vec::new());
                } else if answered(&turn.step.said) {
                    commits.push_back(attempts.clone());
                }
                attempts
            }
            (Act::Method { connection, channel, method: Method::TxRollback }, None)
            | (Act::Open { connection, channel }, None) => {
                self.waiting.remove(&(*connection, *channel));
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn received(&mut self, attempt: u64, report: &mut Report) {
        let first = self.handed_out.insert(attempt);
        if first && self.handed_out_before.contains(&attempt) {
            report.count(Event::Duplicated);
        } else if first {
            report.count(Event::Received);
        }
    }

    /// What must survive was changed by a command.
    pub(crate) fn changed(&mut self, before: &State, now: &State, report: &mut Report) {
        let (before, now) = (attempts_in(before), attempts_in(now));
        self.removed.extend(before.difference(&now));
        // What has left for a queue that does not last is promised no more, and may come back as a dead letter.
        self.confirmed.retain(|attempt| now.contains(attempt) || !before.contains(attempt));
        self.gone.retain(|attempt| !now.contains(attempt) || before.contains(attempt));
        report.add(Event::Attempts, now.difference(&before).count() as u64);
        self.kept.extend(now);
    }

    /// Takes note of what clients were told; `durable` is what is durable now.
    pub(crate) fn told(&mut self, said: &[Said], durable: &State, report: &mut Report) {
        for Said { connection, channel, what } in said {
            let Some(channel) = *channel else { continue };
            match what {
                What::ConfirmAck(seq) => {
                    let attempt = self.awaited.remove(&(*connection, channel, *seq));
                    let confirmed = self.confirm(attempt);
                    report.add(Event::Confirmed, confirmed);
                }
                What::TxCommitOk => {
                    let commits = self.commits.get_mut(&(*connection, channel));
                    let committed = commits.and_then(VecDeque::pop_front);
                    let confirmed = self.confirm(committed.into_iter().flatten());
                    report.add(Event::Committed, confirmed);
                }
                What::ConfirmNack(seq) => {
                    self.awaited.remove(&(*connection, channel, *seq));
                    report.count(Event::Refused);
                }
                What::DeclareOk { queue, .. } if durable.iter().any(|(name, ..)| name == queue) => {
                    self.declared.insert(queue.clone());
                }
                _ => {}
            }
        }
    }

    /// The broker has promised these; gives how many of them are safe by that.
    fn confirm(&mut self, attempts: impl IntoIterator<Item = u64>) -> u64 {
        let moved = &self.removed | &self.letters;
        let safe = |attempt: &u64| self.kept.contains(attempt) && !moved.contains(attempt);
        let safe: Vec<u64> = attempts.into_iter().filter(safe).collect();
        self.confirmed.extend(&safe);
        safe.len() as u64
    }

    /// What was durable is now this: what is no longer there is gone for good.
    pub(crate) fn settled(&mut self, before: &State, now: &State) {
        self.declared.retain(|queue| now.iter().any(|(name, ..)| name == queue));
        let now = attempts_in(now);
        self.gone.extend(attempts_in(before).difference(&now));
    }

    /// A new life begins with what was found; if the last one `may_lose` then nothing is gone for good.
    pub(crate) fn reborn(
        &mut self,
        engine: &Engine,
        may_lose: bool,
        report: &mut Report,
    ) -> Result<(), String> {
        self.ids.clear();
        self.awaited.clear();
        self.waiting.clear();
        self.commits.clear();
        self.declared.clear();
        self.handed_out_before.append(&mut self.handed_out);
        if may_lose {
            let there = attempts_in(&self.found(engine)?);
            let safe = &there | &self.removed;
            self.confirmed.retain(|attempt| safe.contains(attempt));
            self.gone.clear();
        }
        let durable = engine.durable_view();
        report.add(Event::BindingsFound, durable.bindings.len() as u64);
        report.add(Event::ExchangesFound, durable.exchanges.len() as u64);
        for queue in durable.queues {
            self.declared.insert(queue.name.to_string());
            for message in queue.messages {
                let attempt = number_of(&message)?;
                let again = self.ids.insert(message.id.0, attempt).is_some();
                report.add(Event::InSeveralQueues, u64::from(again));
                if self.gone.contains(&attempt) {
                    report.count(Event::Unexpected);
                    return Err(format!("attempt {attempt} was removed for good, and is there"));
                }
                // From now on it is as safe as any that was confirmed.
                if self.confirmed.insert(attempt) {
                    report.count(Event::Recovered);
                }
            }
        }
        Ok(())
    }
}

/// Judging what is found.
impl Account {
    /// What the oracle says must survive, by the numbers of attempts.
    pub(crate) fn state(&self, oracle: &Oracle) -> State {
        let queue = |queue: SurvivingQueue| {
            let messages = queue.messages.iter();
            let messages =
                messages.map(|one| (self.ids[&one.message.id()], one.handed_out)).collect();
            (queue.name, queue.auto_delete, messages)
        };
        let mut state: State = oracle.survivors().into_iter().map(queue).collect();
        state.push(topology_state(oracle));
        state
    }

    /// What an engine that was just recovered has. Each message must be, in all its parts, one that was
    /// published; that it is where it belongs is seen when states are compared.
    pub(crate) fn found(&self, engine: &Engine) -> Result<State, String> {
        let mut state = State::new();
        for queue in engine.durable_view().queues {
            let mut ready = engine.ready_messages(&queue.name).unwrap_or_default();
            if !ready.is_sorted_by_key(|one| (Reverse(one.priority), one.id)) {
                return Err(format!("queue '{}' is not in order", queue.name));
            }
            ready.sort_by_key(|one| one.id);
            if !ready.iter().map(|one| one.id).eq(queue.messages.iter().map(|one| one.id)) {
                return Err(format!("queue '{}' is not ready as a whole", queue.name));
            }
            let mut messages = Vec::new();
            for (message, ready) in queue.messages.iter().zip(ready) {
                messages.push((self.genuine(message, &queue.name)?, ready.redelivered));
            }
            state.push((queue.name.to_string(), queue.auto_delete, messages));
        }
        state.push(topology_state(&oracle_beside(engine, 0)));
        Ok(state)
    }

    fn genuine(&self, message: &Message, queue: &str) -> Result<u64, String> {
        let number = number_of(message)?;
        let sent = usize::try_from(number).ok().and_then(|number| self.attempts.get(number));
        let sent = sent.ok_or_else(|| format!("attempt {number} was never made"))?;
        let headers = message.properties.headers().iter();
        if headers.flat_map(FieldTable::inner).any(|(name, _)| name.as_str() == "x-death") {
            return genuine_letter(sent, message).map(|()| number);
        }
        let same = sent.properties == message.properties
            && sent.body == message.body
            && sent.exchange.as_str() == &*message.address.exchange
            && sent.routing_key.as_str() == &*message.address.routing_key;
        if same { Ok(number) } else { Err(format!("in {queue}, not as it was sent: {message:?}")) }
    }

    /// What has been promised of what is in durable queues now, and in those that the batch on its way to
    /// the disk leaves: messages that were confirmed, and queues whose declaration was answered.
    pub(crate) fn promised(&self, present: &State, coming: &State) -> Promised {
        let messages = attempts_in(present).intersection(&self.confirmed).copied().collect();
        let there = |queue: &&String| coming.iter().any(|(name, ..)| name == *queue);
        let names = present.iter().map(|(name, ..)| name).filter(there);
        let queues = names.filter(|name| self.declared.contains(*name)).cloned().collect();
        Promised { messages, queues }
    }

    /// At the end, when everything that was there has been received and removed: those that were confirmed
    /// and that nobody has removed.
    pub(crate) fn lost(&self) -> Vec<u64> {
        self.confirmed.difference(&self.removed).copied().collect()
    }
}

/// A dead letter is what was sent but for its address, the headers of its death, and its time to live.
fn genuine_letter(sent: &BasicPublish, letter: &Message) -> Result<(), String> {
    let others = |properties: &Properties| {
        let words = [properties.content_type(), properties.reply_to(), properties.correlation_id()];
        let names = [properties.message_id(), properties.app_id()];
        let numbers =
            (*properties.delivery_mode(), *properties.priority(), *properties.timestamp());
        (words.map(Clone::clone), names.map(Clone::clone), numbers)
    };
    let headers = |properties: &Properties| {
        let headers = properties.headers().clone().unwrap_or_default();
        let own = |name: &str| name == "CC" || name == "x-death" || name.starts_with("x-first-");
        let others = headers.inner().iter().filter(|(name, _)| !own(name.as_str()));
        others.map(|(name, value)| (name.clone(), value.clone())).collect::<BTreeMap<_, _>>()
    };
    let same = sent.body == letter.body
        && others(&sent.properties) == others(&letter.properties)
        && headers(&sent.properties) == headers(&letter.properties);
    if same { Ok(()) } else { Err(format!("not of what was sent: {letter:?}")) }
}

/// What must be there after a crash, whatever else is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Promised {
    messages: BTreeSet<u64>,
    queues: BTreeSet<String>,
}

impl Promised {
    pub(crate) fn kept(&self, found: &State) -> Result<(), String> {
        let there = attempts_in(found);
        let lost: Vec<_> = self.messages.difference(&there).collect();
        let missing = |queue: &&String| found.iter().all(|(name, ..)| name != *queue);
        let queues: Vec<_> = self.queues.iter().filter(missing).collect();
        if lost.is_empty() && queues.is_empty() {
            return Ok(());
        }
        Err(format!("lost: confirmed attempts {lost:?}, declared queues {queues:?}"))
    }
}

/// What an oracle begins with that stands beside a broker with this engine and these durable messages, when the
/// clock shows `time_ms`.
pub(crate) fn oracle_beside(engine: &Engine, time_ms: u64) -> Oracle {
    let queues = engine.durable_view().queues.into_iter().map(|queue| {
        let ready = engine.ready_messages(&queue.name).unwrap_or_default();
        let marked: BTreeMap<_, _> = ready.iter().map(|one| (one.id, one.redelivered)).collect();
        let messages = queue.messages.iter().map(|message| Survivor {
            message: leveret_broker::testing::Message::of(message),
            handed_out: marked[&message.id],
        });
        let (name, auto_delete) = (queue.name.to_string(), queue.auto_delete);
        let messages = messages.collect();
        SurvivingQueue { name, auto_delete, arguments: queue.arguments, messages }
    });
    let queues: Vec<SurvivingQueue> = queues.collect();
    let last = engine.snapshot_records().into_iter().find_map(|record| match record {
        Record::Numbered { last } => Some(last.0),
        _ => None,
    });
    let topology = SurvivingTopology::of(engine);
    Oracle::restarted(&queues, last.unwrap_or(0), time_ms).with_topology(&topology)
}
