//! Which task a message is.

use std::collections::BTreeMap;

/// The tasks of a run, by what their messages are known by: an id, or the text if they have none. Of
/// several with the same text it does not matter which one a message is, as long as each is done.
#[derive(Default)]
pub(crate) struct Register {
    entries: Vec<Entry>,
    by_key: BTreeMap<Vec<u8>, Vec<usize>>,
}

struct Entry {
    /// The id that its message is sent with.
    id: String,
    /// Whether a worker has begun with it, and has neither finished it nor died.
    held: bool,
    /// Whether it needs no more work.
    settled: bool,
    /// Whether no worker can have had it, whatever the broker says: this program took it out to look.
    only_looked_at: bool,
}

impl Register {
    /// So many tasks, with their numbers as ids.
    pub(crate) fn numbered(count: usize) -> Self {
        let mut register = Self::default();
        (0..count).for_each(|number| register.add(number.to_string()));
        register
    }

    /// Adds a task that is sent with an id of its own.
    pub(super) fn add(&mut self, id: String) {
        let key = id.clone().into_bytes();
        self.insert(key, id, false);
    }

    /// Adds a task that is in the queue, known by `key`.
    pub(super) fn add_found(&mut self, key: Vec<u8>, redelivered: bool) {
        self.insert(key, String::new(), !redelivered);
    }

    fn insert(&mut self, key: Vec<u8>, id: String, only_looked_at: bool) {
        self.by_key.entry(key).or_default().push(self.entries.len());
        self.entries.push(Entry { id, held: false, settled: false, only_looked_at });
    }

    pub(super) fn id(&self, task: usize) -> &str {
        &self.entries[task].id
    }

    /// The task that a message with this key is; a worker has it from now on.
    pub(super) fn take(&mut self, key: &[u8]) -> Option<usize> {
        let tasks = self.by_key.get(key)?;
        let entry = |task: &&usize| &self.entries[**task];
        let open = tasks.iter().find(|task| !entry(task).held && !entry(task).settled);
        // One that is settled may come again: its ack was forgotten.
        let task = open.or_else(|| tasks.iter().find(|task| !entry(task).held));
        let task = *task.or_else(|| tasks.first())?;
        self.entries[task].held = true;
        Some(task)
    }

    /// The worker that had it is gone.
    pub(super) fn give_back(&mut self, task: usize) {
        self.entries[task].held = false;
        self.entries[task].only_looked_at = false;
    }

    /// Whether a worker had it before, when the broker says that it was `handed_out`.
    pub(super) fn begun_before(&mut self, task: usize, handed_out: bool) -> bool {
        let only_looked_at = std::mem::take(&mut self.entries[task].only_looked_at);
        handed_out && !only_looked_at
    }

    /// It needs no more work; says whether that is news.
    pub(super) fn settle(&mut self, task: usize) -> bool {
        self.entries[task].held = false;
        !std::mem::replace(&mut self.entries[task].settled, true)
    }

    /// How many tasks need work.
    pub(super) fn unsettled(&self) -> usize {
        self.entries.iter().filter(|entry| !entry.settled).count()
    }
}
