//! A broker and its disk at one time, as a value: it runs, or its process has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use leveret_broker::engine::EngineView;
use leveret_broker::journal::{Journal, JournalOptions};
use leveret_broker::protocol::{
    BasicConsume, BasicPublish, Method, PERSISTENT, Properties, QueueDeclare, Record,
};
use leveret_broker::testing::disk::SimDisk;
use leveret_broker::testing::{Act, Said, SimBroker, Step, Turn, What};

use super::account::{Account, Fate, Found, QUEUES, all_marked, body, contains, look, message_of};
use super::outline::{Holdings, holdings};

/// How large a world is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) queues: usize,
    pub(crate) messages: usize,
    /// Workers, of whom each serves the queue of his number, if he comes.
    pub(crate) workers: usize,
    /// Steps that are on their way to the disk at most.
    pub(crate) sent: usize,
    /// How often a process ends, in whatever way.
    pub(crate) ends: usize,
    pub(crate) segment_bytes: u64,
    /// Bytes that bodies are longer than their names.
    pub(crate) padding: usize,
    /// Whether it matters what stands in which segment.
    pub(crate) by_segment: bool,
}

impl Bounds {
    pub(crate) fn options(&self) -> JournalOptions {
        JournalOptions { segment_bytes: self.segment_bytes, mark: 7, ..JournalOptions::default() }
    }
}

/// The publisher's channel; workers have the next ones.
pub(crate) const PUBLISHER: u16 = 1;

/// A broker that runs.
#[derive(Clone)]
pub(crate) struct Running {
    /// All of it but its journal, which follows from what it found and has written.
    pub(crate) broker: BrokerValue,
    pub(crate) found: SimDisk,
    pub(crate) batches: Vec<Vec<Record>>,
    /// The disk as it is now.
    pub(crate) disk: SimDisk,
    /// What the disk may hold.
    pub(crate) holdings: Arc<Holdings>,
    /// What is durable.
    pub(crate) durable: Found,
    /// What each step that is on its way to the disk leaves.
    pub(crate) steps: Vec<Found>,
    /// This life's publishes, in order, as messages of the account.
    pub(crate) published: Vec<usize>,
    /// The messages by the numbers that they have in the log.
    pub(crate) names: BTreeMap<u64, usize>,
}

/// A broker without its journal, which can be cloned.
pub(crate) struct BrokerValue(SimBroker);

impl Clone for BrokerValue {
    fn clone(&self) -> Self {
        Self(self.0.without_journal())
    }
}

/// A disk without a process.
#[derive(Clone)]
pub(crate) struct Down {
    pub(crate) disk: SimDisk,
    /// What may be found on it.
    pub(crate) legal: BTreeSet<Found>,
    /// What is found.
    pub(crate) recovered: Result<Found, String>,
}

#[derive(Clone)]
pub(crate) enum Life {
    Running(Box<Running>),
    Down(Down),
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) bounds: Bounds,
    pub(crate) account: Account,
    /// How often a process may still end.
    pub(crate) ends: usize,
    pub(crate) life: Life,
    /// What the last step has shown; no part of the key.
    pub(crate) shown: Vec<&'static str>,
    /// What was wrong with it.
    pub(crate) wrong: Option<String>,
}

impl World {
    /// An empty disk.
    pub(crate) fn new(bounds: Bounds) -> Self {
        let legal = BTreeSet::from([Found::new()]);
        let (disk, recovered) = (SimDisk::new(), Ok(Found::new()));
        let life = Life::Down(Down { disk, legal, recovered });
        let (account, shown) = (Account::default(), Vec::new());
        Self { bounds, account, ends: bounds.ends, life, shown, wrong: None }
    }

    /// The world in which this broker was opened on that disk.
    pub(crate) fn with_broker(&self, down: &Down, broker: &SimBroker, disk: &SimDisk) -> Self {
        let mut next = self.clone();
        (next.shown, next.wrong) = (Vec::new(), None);
        let found = match look(broker.engine(), self.bounds.padding) {
            Ok(found) => found,
            Err(why) => {
                next.wrong = Some(why);
                Found::new()
            }
        };
        let back = |message: &usize| contains(&found, *message);
        if (0..self.account.messages.len())
            .filter(back)
            .any(|m| self.account.fate(m) == Fate::Settled)
        {
            next.shown.push("an acknowledged message comes back");
        }
        if !next.account.messages.is_empty()
            && found.iter().any(|(_, all)| all.iter().any(|one| !one.1))
        {
            next.shown.push("after a stop a message that was never handed out is not marked");
        }
        let views = broker.engine().view().messages;
        let views = views.values().flatten();
        let named =
            |view: &leveret_broker::engine::MessageView| Some((view.id.0, message_of(&view.body)?));
        let names = views.filter_map(named).collect();
        next.account = self.account.reborn(&found);
        let mut running = Running {
            broker: BrokerValue(broker.without_journal()),
            found: down.disk.copy(),
            batches: Vec::new(),
            disk: disk.copy(),
            holdings: Arc::new(holdings(disk, self.bounds.by_segment)),
            durable: all_marked(&found),
            steps: Vec::new(),
            published: Vec::new(),
            names,
        };
        running.clients_come(self.bounds.workers);
        next.life = Life::Running(Box::new(running));
        next
    }

    /// The world in which the process has ended, and this disk is left.
    pub(crate) fn down(&self, disk: SimDisk, legal: impl IntoIterator<Item = Found>) -> Self {
        let legal = legal.into_iter().collect();
        let recovered = SimBroker::recovered(&disk.copy(), self.bounds.options());
        let recovered = recovered.map_err(|error| error.to_string());
        let recovered = recovered.and_then(|core| look(core.engine(), self.bounds.padding));
        let (bounds, account, ends) = (self.bounds, self.account.clone(), self.ends);
        let (life, shown) = (Life::Down(Down { disk, legal, recovered }), Vec::new());
        Self { bounds, account, ends, life, shown, wrong: None }
    }

    pub(crate) fn showing(mut self, what: &'static str) -> Self {
        self.shown.push(what);
        self
    }
}

impl Running {
    pub(crate) fn broker(&self) -> &SimBroker {
        &self.broker.0
    }

    pub(crate) fn view(&self) -> EngineView {
        self.broker().engine().view()
    }

    /// Goes on with a broker that has written.
    pub(crate) fn take(&mut self, broker: &SimBroker, disk: &SimDisk, by_segment: bool) {
        self.broker = BrokerValue(broker.without_journal());
        self.disk = disk.copy();
        self.holdings = Arc::new(holdings(&self.disk, by_segment));
    }

    fn clients_come(&mut self, workers: usize) {
        self.quietly(&Act::Connect { user: "guest".into() });
        self.quietly(&Act::Open { connection: 1, channel: PUBLISHER });
        self.quietly(&on(PUBLISHER, Method::ConfirmSelect { nowait: false }));
        for worker in 0..workers {
            let channel = channel_of(worker);
            self.quietly(&Act::Open { connection: 1, channel });
            let one = Method::BasicQos { prefetch_size: 0, prefetch_count: 1, global: false };
            self.quietly(&on(channel, one));
        }
    }

    fn quietly(&mut self, act: &Act) {
        let turn = self.broker.0.act(act);
        assert_eq!((turn.step.refusal(), turn.recorded), (None, None), "{act:?}");
    }

    /// The same broker with its journal, on a disk of its own.
    pub(crate) fn awake(&self, bounds: &Bounds) -> (SimDisk, SimBroker) {
        let disk = self.found.copy();
        let journal = SimBroker::same_journal(&disk, bounds.options(), &self.batches);
        let journal: Journal = journal.expect("it was so before");
        (disk, self.broker().without_journal().with_journal(journal))
    }

    pub(crate) fn has_come(&self, worker: usize) -> bool {
        let mut channels = self.broker().engine().channel_views().into_iter();
        channels.any(|one| one.number == channel_of(worker) && one.consumer_count > 0)
    }

    /// The delivery that a worker holds: its tag, and the message.
    pub(crate) fn held(&self, worker: usize) -> Option<(u64, usize)> {
        let channels = self.broker().engine().channel_views();
        let channel = channels.into_iter().find(|one| one.number == channel_of(worker))?;
        let (tag, id) = *channel.unacknowledged.first()?;
        Some((tag, self.names[&id.0]))
    }

    /// What is found after a stop now: only what was handed out is marked (S180).
    pub(crate) fn stopped(&self) -> Found {
        let view = self.view();
        let unmarked = |queue: usize, message: usize| {
            let ready = view.messages[QUEUES[queue]].iter();
            let mut ready = ready.filter(|one| message_of(&one.body) == Some(message));
            ready.any(|one| !one.redelivered)
        };
        let mut found = self.steps.last().unwrap_or(&self.durable).clone();
        for (queue, messages) in &mut found {
            messages.iter_mut().for_each(|(message, marked)| *marked = !unmarked(*queue, *message));
        }
        found
    }
}

/// What clients do.
impl World {
    /// The world after a client's act, of which the account is told first by `note`.
    fn after(
        &self,
        running: &Running,
        act: &Act,
        note: impl FnOnce(&mut Self, &mut Running),
    ) -> Self {
        let (mut next, mut running) = (self.clone(), running.clone());
        (next.shown, next.wrong) = (Vec::new(), None);
        note(&mut next, &mut running);
        let turn = running.broker.0.act(act);
        assert_eq!(turn.step.refusal(), None, "{act:?}");
        running.learn(&turn.step);
        next.wrong = next.step_is_right(&mut running, &turn).err();
        if turn.step.deliveries().iter().any(|line| line.ends_with('*'))
            && self.ends < self.bounds.ends
        {
            next.shown.push("after a crash a message is handed out again, marked");
        }
        next.life = Life::Running(Box::new(running));
        next
    }

    fn step_is_right(&self, running: &mut Running, turn: &Turn) -> Result<(), String> {
        let present = self.account.present();
        let before = running.steps.last().unwrap_or(&running.durable);
        match turn.recorded {
            Some(_) => running.steps.push(present),
            None if present == *before => {}
            None => return Err("what must survive has changed, and nothing was recorded".into()),
        }
        // Nothing that is promised may be told before it is durable.
        let early =
            |said: &&Said| matches!(said.what, What::ConfirmAck(_) | What::DeclareOk { .. });
        match turn.told.iter().find(early) {
            Some(said) => Err(format!("told before anything was written: {said}")),
            None => Ok(()),
        }
    }

    pub(crate) fn declare(&self, running: &Running, queue: usize) -> Self {
        let declare =
            QueueDeclare { queue: QUEUES[queue].into(), durable: true, ..QueueDeclare::default() };
        let act = on(PUBLISHER, Method::QueueDeclare(declare));
        self.after(running, &act, |next, _| next.account.queues.push((queue, false)))
    }

    pub(crate) fn publish(&self, running: &Running, queue: usize) -> Self {
        let message = self.account.messages.len();
        let publish = BasicPublish {
            routing_key: QUEUES[queue].into(),
            properties: Properties::default().with_delivery_mode(PERSISTENT),
            body: body(message, self.bounds.padding).into(),
            ..BasicPublish::default()
        };
        self.after(running, &on(PUBLISHER, Method::BasicPublish(publish)), |next, running| {
            next.account.messages.push((queue, Fate::Unconfirmed));
            running.published.push(message);
        })
    }

    pub(crate) fn come(&self, running: &Running, worker: usize) -> Self {
        let consume = BasicConsume {
            queue: QUEUES[worker].into(),
            consumer_tag: "worker".into(),
            ..BasicConsume::default()
        };
        self.after(running, &on(channel_of(worker), Method::BasicConsume(consume)), |_, _| {})
    }

    /// A worker is done with what he holds: it goes for good, or back.
    pub(crate) fn settle(&self, running: &Running, worker: usize, how: Settle) -> Self {
        let (delivery_tag, message) = running.held(worker).expect("he holds something");
        let (multiple, requeue) = (false, how == Settle::Requeue);
        let method = match how {
            Settle::Ack => Method::BasicAck { delivery_tag, multiple },
            Settle::Nack => Method::BasicNack { delivery_tag, multiple, requeue },
            Settle::Requeue => Method::BasicReject { delivery_tag, requeue },
        };
        self.after(running, &on(channel_of(worker), method), |next, _| {
            if !requeue {
                next.account.messages[message].1 = Fate::Settled;
            }
        })
    }
}

/// How a worker is done with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settle {
    Ack,
    /// With `basic.nack`, for good.
    Nack,
    /// With `basic.reject`, back to its place.
    Requeue,
}

impl Running {
    /// Learns the numbers of new messages.
    fn learn(&mut self, step: &Step) {
        for record in &step.records {
            if let (Record::Enqueued { message, .. }, Some(published)) =
                (record, self.published.last())
            {
                self.names.insert(message.id.0, *published);
            }
        }
    }
}

pub(crate) fn channel_of(worker: usize) -> u16 {
    PUBLISHER + 1 + worker as u16
}

fn on(channel: u16, method: Method) -> Act {
    Act::Method { connection: 1, channel, method }
}
