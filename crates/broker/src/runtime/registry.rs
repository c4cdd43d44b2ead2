//! The process-wide table of authorities at which brokers can be reached. No socket is ever opened.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Weak};

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

/// Makes a broker reachable at an address, unless another is.
pub(super) fn listen(address: &str, broker: &Weak<Host>) -> io::Result<()> {
    let mut table = LISTENING.lock();
    let another = |other: &Weak<Host>| other.strong_count() > 0 && !other.ptr_eq(broker);
    if table.brokers.get(address).is_some_and(another) {
        let text = format!("another broker of this process listens on {address}");
        return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
    }
    table.brokers.insert(address.to_owned(), Weak::clone(broker));
    Ok(())
}

/// Makes a broker unreachable at an address, which may be another's by now.
pub(super) fn stop_listening(address: &str, broker: &Weak<Host>) {
    let mut table = LISTENING.lock();
    if table.brokers.get(address).is_some_and(|listening| listening.ptr_eq(broker)) {
        table.brokers.remove(address);
    }
}

/// The broker that is reached at an address. Upper and lower case are one in the name of a host.
pub(super) fn find(host: &str, port: u16) -> Option<Arc<Host>> {
    let host = &*host.to_ascii_lowercase();
    // The table's lock is released before the broker can be dropped, which takes it again.
    let broker = {
        let table = LISTENING.lock();
        let found = table.brokers.get(host).or_else(|| table.brokers.get(&with_port(host, port)));
        found.cloned()
    };
    broker?.upgrade()
}

/// The address that a text names, as the table has it.
pub(super) fn address_of(text: &str) -> io::Result<String> {
    let wrong = || {
        let text = format!("'{text}' is no address: it is amqp://host:port, or host:port");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    };
    let (scheme, rest) = text.split_once("://").unwrap_or(("amqp", text));
    let default = match scheme {
        "amqp" => 5672,
        "amqps" => 5671,
        _ => return Err(wrong()),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let authority = authority.rsplit_once('@').map_or(authority, |(_, authority)| authority);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !authority.ends_with(']') => {
            (host, port.parse().map_err(|_| wrong())?)
        }
        _ => (authority, default),
    };
    let in_brackets = host.starts_with('[') && host.ends_with(']');
    if host.is_empty() || host.contains(':') && !in_brackets {
        Err(wrong())
    } else {
        Ok(with_port(&host.to_ascii_lowercase(), port))
    }
}

/// This machine has one name.
fn with_port(host: &str, port: u16) -> String {
    let host = if ["127.0.0.1", "[::1]"].contains(&host) { "localhost" } else { host };
    format!("{host}:{port}")
}
