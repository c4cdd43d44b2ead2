//! Brokers that the environment variable `LEVERET` asks for, so that a program which names an address finds a broker
//! there without a line of its own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::translate::{Broker, BrokerOptions, Port};

/// The variable: `memory`, or a directory.
pub(crate) const VARIABLE: &str = "LEVERET";

/// The brokers made so far, by the address that was connected to.
static TABLE: Mutex<Table> = Mutex::new(BTreeMap::new());
/// One of them has stopped.
static STOPPED: Condvar = Condvar::new();

type Table = BTreeMap<Address, Made>;
type Address = (String, u16);

enum Made {
    /// It stays until the process ends, as a server would.
    InMemory(Broker),
    /// It stops with its last connection, so that all is written when a program that has closed its connections ends.
    OnDirectory(Weak<Kept>),
}

/// A broker on a directory. Open connections keep it.
pub(crate) struct Kept {
    address: Address,
    broker: Broker,
}

impl Drop for Kept {
    fn drop(&mut self) {
        // Not under the table's lock: it waits for the journal's thread, which may be closing a connection too.
        self.broker.shutdown();
        TABLE.lock().remove(&self.address);
        STOPPED.notify_all();
    }
}

/// The way to the broker that the environment asks for at an address, made if it is not there, and what keeps it; `None`
/// if the environment asks for none.
///
/// # Errors
///
/// The directory cannot be opened.
pub(crate) fn broker_at(host: &str, port: u16) -> io::Result<Option<(Port, Option<Arc<Kept>>)>> {
    let asked = std::env::var_os(VARIABLE).filter(|asked| !asked.is_empty());
    asked.map(|asked| find_or_make(address(host, port), asked)).transpose()
}

fn find_or_make(address: Address, asked: OsString) -> io::Result<(Port, Option<Arc<Kept>>)> {
    let mut table = TABLE.lock();
    if let Some(found) = find(&mut table, &address) {
        return Ok(found);
    }
    let options = BrokerOptions::default().with_any_user().with_any_vhost();
    if asked == "memory" {
        let broker = Broker::new(options);
        let port = broker.port();
        table.insert(address, Made::InMemory(broker));
        return Ok((port, None));
    }
    let folder = folder(asked, &address);
    let broker = Broker::open_with(&folder, options).map_err(|error| {
        let folder = folder.display();
        io::Error::other(format!("{VARIABLE} asks for a broker on {folder}: {error}"))
    })?;
    let kept = Arc::new(Kept { address: address.clone(), broker });
    table.insert(address, Made::OnDirectory(Arc::downgrade(&kept)));
    Ok((kept.broker.port(), Some(kept)))
}

fn find(table: &mut MutexGuard<'_, Table>, address: &Address) -> Option<(Port, Option<Arc<Kept>>)> {
    loop {
        match table.get(address)? {
            Made::InMemory(broker) => return Some((broker.port(), None)),
            Made::OnDirectory(kept) => {
                if let Some(kept) = kept.upgrade() {
                    return Some((kept.broker.port(), Some(kept)));
                }
            }
        }
        // It is stopping, and has the directory until it has stopped.
        STOPPED.wait(table);
    }
}

/// The names of this machine are one.
fn address(host: &str, port: u16) -> Address {
    let host = host.to_ascii_lowercase();
    let local = ["127.0.0.1", "[::1]", "::1"].contains(&&*host);
    (if local { "localhost".to_owned() } else { host }, port)
}

/// The folder of the directory for an address: brokers at two addresses are two.
fn folder(directory: OsString, (host, port): &Address) -> PathBuf {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    let mut name = String::new();
    for byte in host.bytes() {
        match plain(byte) {
            true => name.push(char::from(byte)),
            false => name.push_str(&format!("_{byte:02x}")),
        }
    }
    PathBuf::from(directory).join(format!("{name}_{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_a_folder_of_its_own_whatever_its_name() {
        let folder = |host: &str, port| folder("d".into(), &address(host, port));
        assert_eq!(folder("LocalHost", 5672), PathBuf::from("d/localhost_5672"));
        assert_eq!(folder("[::1]", 1), PathBuf::from("d/localhost_1"));
        assert_eq!(folder("[::2]", 1), PathBuf::from("d/_5b_3a_3a2_5d_1"));
        assert_eq!(folder("..", 1), PathBuf::from("d/.._1"));
        assert_eq!(folder("a/b", 1), PathBuf::from("d/a_2fb_1"));
        assert_ne!(folder("a_1", 2), folder("a", 12));
    }
}
