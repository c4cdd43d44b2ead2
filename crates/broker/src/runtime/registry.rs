//! The process-wide table of authorities at which brokers can be reached. No socket is ever opened.

use std::collections::BTreeMap;
use std::sync::Weak;

use parking_lot::Mutex;

use super::host::Host;

static LISTENING: Mutex<Table> = Mutex::new(Table { next: 1, brokers: BTreeMap::new() });

struct Table {
    next: u64,
    brokers: BTreeMap<String, Weak<Host>>,
}

/// An authority that no other broker of this process has, or had.
pub(super) fn unused_authority() -> String {
    let mut table = LISTENING.lock();
    let authority = format!("leveret-{}", table.next);
    table.next += 1;
    authority
}

/// Makes a broker reachable at `authority`.
pub(super) fn listen(authority: &str, broker: Weak<Host>) {
    LISTENING.lock().brokers.insert(authority.to_owned(), broker);
}

/// Makes `authority` unreachable.
pub(super) fn stop_listening(authority: &str) {
    LISTENING.lock().brokers.remove(authority);
}

/// The broker that listens on `authority`.
pub(super) fn find(authority: &str) -> Option<std::sync::Arc<Host>> {
    // The table's lock is released before the broker can be dropped, which takes it again.
    let broker = LISTENING.lock().brokers.get(authority).cloned();
    broker?.upgrade()
}
