//! What a program has told, over all its lives, and what must hold of what is found afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Which message: queue, life, publisher, number.
pub(crate) type Id = [u64; 4];

/// What is known of a message.
#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    confirmed: bool,
    received: u64,
    /// In which life it was received last.
    received_in: Option<u64>,
    acking: bool,
    /// It will not be seen again: its acknowledgement is certainly kept, or it was not there once.
    gone: bool,
    /// How many acknowledgements were known to have returned when it was attempted, in this life.
    acked_before: usize,
}

/// Keeps what was told, and panics with what does not fit it.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    fates: BTreeMap<Id, Fate>,
    life: u64,
    /// Acknowledgements that returned in this life, in order.
    acked: Vec<Id>,
    /// So many of them are as durable as the confirms that came later.
    acked_durably: usize,
    /// The last number that a consumer received in this life, by consumer, queue, life and publisher.
    last_received: BTreeMap<(u64, [u64; 3]), u64>,
    recovered: usize,
    opened: bool,
    stopping: bool,
}

impl Ledger {
    /// A new life of the program begins.
    pub(crate) fn begin(&mut self, life: u64) {
        self.life = life;
        (self.opened, self.stopping) = (false, false);
        self.acked.clear();
        self.acked_durably = 0;
        self.last_received.clear();
    }

    /// Whether the program told in this life that its broker was open.
    pub(crate) fn opened(&self) -> bool {
        self.opened
    }

    /// Whether a kill at this time leaves a log that does not end with a stop, neither this life's nor
    /// the one before it.
    pub(crate) fn running(&self) -> bool {
        self.opened && !self.stopping
    }

    /// Takes a line of the program.
    pub(crate) fn hear(&mut self, line: &str) {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut numbers = rest.split(' ').map_while(|word| word.parse().ok());
        let mut id = Id::default();
        id.fill_with(|| numbers.next().unwrap_or_default());
        match verb {
            "opened" => self.opened = true,
            "stopping" => self.stopping = true,
            "attempt" => {
                let fate = Fate { acked_before: self.acked.len(), ..Fate::default() };
                assert!(self.fates.insert(id, fate).is_none(), "{id:?} is attempted twice");
            }
            "confirmed" => {
                let fate = self.fate(id);
                fate.confirmed = true;
                // The log has one order: what was acknowledged before this was published is kept too.
                let before = fate.acked_before;
                for at in self.acked_durably..before {
                    self.fate(self.acked[at]).gone = true;
                }
                self.acked_durably = self.acked_durably.max(before);
            }
            "received" => self.received(id, numbers.next().unwrap()),
            "acking" => self.fate(id).acking = true,
            "acked" => self.acked.push(id),
            _ => {}
        }
    }

    fn fate(&mut self, id: Id) -> &mut Fate {
        self.fates.get_mut(&id).unwrap_or_else(|| panic!("unexpected: {id:?} was never attempted"))
    }

    fn received(&mut self, id: Id, consumer: u64) {
        let life = self.life;
        let fate = self.fate(id);
        assert!(!fate.gone, "duplicated: {id:?} was acknowledged for good: {fate:?}");
        assert_ne!(fate.received_in, Some(life), "{id:?} came twice without having been returned");
        (fate.received, fate.received_in) = (fate.received + 1, Some(life));
        let [queue, life, publisher, number] = id;
        let before = self.last_received.insert((consumer, [queue, life, publisher]), number);
        assert!(before < Some(number), "consumer {consumer}: {id:?} after {before:?}");
    }

    /// Compares with what a queue holds after an end; `killed` tells whether it was killed while running.
    pub(crate) fn check(&mut self, queue: u64, found: &[(Id, bool)], killed: bool) {
        let mut there = BTreeSet::new();
        let mut last: BTreeMap<u64, u64> = BTreeMap::new();
        let mut last_life = 0;
        for &(id, redelivered) in found {
            let [of, life, publisher, number] = id;
            let fate = *self.fate(id);
            assert_eq!(of, queue, "unexpected: {id:?} was sent to another queue");
            assert!(there.insert(id), "duplicated: {id:?} is there twice");
            assert!(!fate.gone, "duplicated: {id:?} is there again: {fate:?}");
            let due = killed || fate.received > 0;
            assert!(redelivered || !due, "{id:?} is not marked redelivered: {fate:?}");
            if life != last_life {
                assert!(life > last_life, "{id:?} stands behind messages of life {last_life}");
                (last_life, last) = (life, BTreeMap::new());
            }
            let before = last.insert(publisher, number);
            assert!(before < Some(number), "{id:?} stands behind {before:?}");
        }
        self.recovered += there.len();
        for (id, fate) in self.fates.iter_mut().filter(|(id, _)| id[0] == queue) {
            if !there.contains(id) {
                assert!(!fate.confirmed || fate.acking, "lost: {id:?}: {fate:?}");
                fate.gone = true;
            }
        }
    }

    fn count(&self, of: impl Fn(&Fate) -> bool) -> usize {
        self.fates.values().filter(|fate| of(fate)).count()
    }

    /// How many messages were confirmed, and how many found again after an end, all told.
    pub(crate) fn weight(&self) -> (usize, usize) {
        (self.count(|fate| fate.confirmed), self.recovered)
    }
}

/// In the words of Jepsen's `total-queue`.
impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unconfirmed_received = self.count(|fate| !fate.confirmed && fate.received > 0);
        write!(
            f,
            "attempts {}, confirmed {}, received {}, possibly acknowledged {}, recovered {}, \
             recovered or received without a confirm {unconfirmed_received}, duplicated {}, lost 0, \
             unexpected 0",
            self.fates.len(),
            self.count(|fate| fate.confirmed),
            self.count(|fate| fate.received > 0),
            self.count(|fate| fate.acking),
            self.recovered,
            self.count(|fate| fate.received > 1),
        )
    }
}
