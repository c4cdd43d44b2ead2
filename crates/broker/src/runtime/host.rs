//! A broker's virtual hosts: worlds of their own behind one address and one set of users.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::handle::{Broker, Shared};
use super::open::OpenError;
use super::options::BrokerOptions;
use super::port::Login;
use super::registry;
use crate::protocol::{Name, Refusal, ReplyCode};

/// Who may connect.
#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) name: Name,
    pub(super) password: String,
    /// The virtual hosts that it may use; `None` for all.
    pub(super) vhosts: Option<Vec<Name>>,
}

/// All virtual hosts of a broker. Connections keep it, so that a broker lives as a whole.
pub(super) struct Host {
    /// The virtual host that a broker's own handle is of.
    default: Arc<Shared>,
    vhosts: Mutex<Vhosts>,
    users: Vec<User>,
    /// Whether anybody may connect, with any password.
    open: bool,
    /// Whether nobody finds it.
    pub(super) refuses: AtomicBool,
    /// What lies between clients and the broker, if anything does.
    #[cfg(feature = "testing")]
    pub(super) wire: Option<Arc<dyn super::wire::Wire>>,
}

struct Vhosts {
    by_name: BTreeMap<Name, Arc<Shared>>,
    /// How one is made that is asked for and not there, if it may be.
    maker: Option<VhostMaker>,
}

/// Makes the virtual host of a name.
pub(super) type VhostMaker = Box<dyn Fn(&Name) -> Result<Arc<Shared>, OpenError> + Send>;

impl Host {
    pub(super) fn default_vhost(&self) -> &Arc<Shared> {
        &self.default
    }

    pub(super) fn vhost(&self, name: &str) -> Option<Arc<Shared>> {
        self.vhosts.lock().by_name.get(name).cloned()
    }

    pub(super) fn vhosts(&self) -> Vec<Arc<Shared>> {
        self.vhosts.lock().by_name.values().cloned().collect()
    }

    /// No further virtual host is made.
    pub(super) fn make_no_more(&self) {
        let maker = self.vhosts.lock().maker.take();
        drop(maker);
    }

    /// The virtual host of a name, made if it may be.
    fn vhost_or_make(&self, name: &str) -> Result<Arc<Shared>, Refusal> {
        let mut vhosts = self.vhosts.lock();
        if let Some(found) = vhosts.by_name.get(name) {
            return Ok(Arc::clone(found));
        }
        let Some(make) = &vhosts.maker else {
            return Err(not_allowed(format!("vhost {name} not found")));
        };
        let name = Name::from(name);
        let made = make(&name).map_err(|error| {
            let text = format!("vhost {name} could not be made: {error}");
            Refusal::new(ReplyCode::InternalError, text)
        })?;
        vhosts.by_name.insert(name, Arc::clone(&made));
        Ok(made)
    }

    /// Checks who connects, and whereto (S176).
    pub(super) fn log_in(&self, login: Login<'_>) -> Result<Arc<Shared>, Refusal> {
        let Login { user, password, vhost } = login;
        let known = |known: &&User| &*known.name == user && known.password == password;
        let anybody = User { name: user.into(), password: String::new(), vhosts: None };
        let known = self.users.iter().find(known).or(self.open.then_some(&anybody));
        let Some(known) = known else {
            let text = "Login was refused using authentication mechanism PLAIN. For details see \
                        the broker logfile.";
            return Err(Refusal::new(ReplyCode::AccessRefused, text));
        };
        let closed =
            known.vhosts.as_ref().is_some_and(|its| !its.iter().any(|its| &**its == vhost));
        if closed && self.vhost(vhost).is_some() {
            return Err(not_allowed(format!(
                "access to vhost '{vhost}' refused for user '{user}'"
            )));
        } else if closed {
            return Err(not_allowed(format!("vhost {vhost} not found")));
        }
        self.vhost_or_make(vhost)
    }
}

fn not_allowed(text: String) -> Refusal {
    Refusal::new(ReplyCode::NotAllowed, text).of_method((10, 40))
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = &self.default.inner.vhost;
        f.debug_struct("Host").field("default", default).finish_non_exhaustive()
    }
}

/// Addresses, which nobody reaches any more when this is dropped.
pub(super) struct Listener {
    authority: String,
    /// Those that were asked for.
    others: Mutex<Vec<String>>,
    /// Whose they are.
    host: Weak<Host>,
}

impl Listener {
    /// With an address that no other broker has.
    fn new(host: &Arc<Host>) -> Self {
        let (authority, host) = (registry::unused_authority(), Arc::downgrade(host));
        let listener = Self { authority, others: Mutex::default(), host };
        // Nobody else ever has it.
        let _ = registry::listen(&listener.authority, &listener.host);
        listener
    }

    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// Lets go of all addresses.
    pub(super) fn stop(&self) {
        let others = std::mem::take(&mut *self.others.lock());
        for address in others.iter().chain([&self.authority]) {
            registry::stop_listening(address, &self.host);
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Broker {
    /// The URI that a client connects to, with the default user: `amqp://guest:guest@leveret-1/%2f`.
    #[must_use]
    pub fn uri(&self) -> String {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let vhost = self.shared.inner.vhost.bytes().map(|byte| match byte {
            byte if unreserved(byte) => char::from(byte).to_string(),
            byte => format!("%{byte:02x}"),
        });
        format!("amqp://guest:guest@{}/{}", self.listener.authority(), vhost.collect::<String>())
    }

    /// Has the broker reached at another address too, for programs that name one: `amqp://127.0.0.1:5672`. No socket
    /// is opened: only this process finds it, until the last handle to it is dropped. The names of this machine are
    /// one name: `localhost`, `127.0.0.1` and `[::1]`.
    ///
    /// ```
    /// use leveret_broker::Broker;
    ///
    /// let broker = Broker::in_memory();
    /// broker.listen("amqp://127.0.0.1:5672")?;
    /// assert!(Broker::find("localhost", 5672).is_some());
    /// assert!(Broker::in_memory().listen("amqp://localhost").is_err(), "it is taken");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Another broker of this process has the address (`AddrInUse`), or it is none (`InvalidInput`): a URI or the
    /// part of it behind `@` and before the path, without a port for 5672, or for `amqps` 5671.
    pub fn listen(&self, address: &str) -> std::io::Result<()> {
        let address = registry::address_of(address)?;
        registry::listen(&address, &self.listener.host)?;
        self.listener.others.lock().push(address);
        Ok(())
    }

    /// The virtual hosts, by name.
    #[must_use]
    pub fn vhosts(&self) -> Vec<Name> {
        self.host.vhosts().iter().map(|vhost| vhost.inner.vhost.clone()).collect()
    }

    /// A handle to this broker that shows another of its [virtual hosts](BrokerOptions::with_vhost): its
    /// [`uri`](Self::uri) leads there, and its queues, exchanges, connections and history are those of that one.
    /// `None` if there is none of that name.
    ///
    /// ```
    /// use leveret_broker::{Broker, BrokerOptions};
    ///
    /// let broker = Broker::new(BrokerOptions::default().with_vhost("team"));
    /// let team = broker.vhost("team").expect("it was asked for");
    /// assert!(team.uri().ends_with("/team"));
    /// assert!(broker.vhost("nobody's").is_none());
    /// ```
    #[must_use]
    pub fn vhost(&self, name: &str) -> Option<Self> {
        let shared = self.host.vhost(name)?;
        let (host, listener) = (Arc::clone(&self.host), Arc::clone(&self.listener));
        Some(Self { shared, host, listener })
    }

    /// A broker of these virtual hosts, the default one and the others, that can be connected to. `maker` makes further ones,
    /// if the options let it.
    pub(super) fn of(
        options: &BrokerOptions,
        default: Arc<Shared>,
        others: Vec<Arc<Shared>>,
        maker: VhostMaker,
    ) -> Self {
        let mut users = options.users.clone();
        users.push(User { name: "guest".into(), password: "guest".to_owned(), vhosts: None });
        let all = others.into_iter().chain([Arc::clone(&default)]);
        let by_name = all.map(|shared| (shared.inner.vhost.clone(), shared)).collect();
        let vhosts = Mutex::new(Vhosts { by_name, maker: options.any_vhost.then_some(maker) });
        let open = options.any_user;
        let host = Arc::new(Host {
            vhosts,
            default,
            users,
            open,
            refuses: AtomicBool::new(false),
            #[cfg(feature = "testing")]
            wire: options.testing.wire.clone(),
        });
        let listener = Arc::new(Listener::new(&host));
        Self { shared: Arc::clone(host.default_vhost()), host, listener }
    }
}

impl BrokerOptions {
    /// The same for another virtual host.
    pub(super) fn of_vhost(&self, vhost: &Name) -> Self {
        let mut options = self.clone();
        options.engine.vhost = vhost.clone();
        options
    }
}

/// The folder of a directory that has the other virtual hosts, each in one of its own.
const VHOSTS: &str = "vhosts";

/// How long the name of a folder may be everywhere, in bytes.
const FOLDER_NAME_MAX: usize = 255;

/// The folder around those of the virtual hosts.
pub(super) fn folder_around(directory: &Path) -> PathBuf {
    directory.join(VHOSTS)
}

/// Where a virtual host other than the default one is kept. Any name makes a name of a folder: it is written as the
/// hexadecimal numbers of its bytes.
pub(super) fn folder_of(directory: &Path, vhost: &str) -> std::io::Result<PathBuf> {
    if vhost.len() > FOLDER_NAME_MAX / 2 {
        let (length, max) = (vhost.len(), FOLDER_NAME_MAX / 2);
        let text = format!(
            "a directory keeps virtual hosts with names of at most {max} bytes; this one has {length}: {vhost}"
        );
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, text));
    }
    let name: String = vhost.bytes().map(|byte| format!("{byte:02x}")).collect();
    // The empty name is one too.
    Ok(folder_around(directory).join(format!("v{name}")))
}

/// The names of the virtual hosts that a directory keeps beside the default one.
pub(super) fn kept_in(directory: &Path) -> std::io::Result<Vec<Name>> {
    let entries = match std::fs::read_dir(folder_around(directory)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().to_str().and_then(name_of));
    }
    names.sort_unstable();
    Ok(names)
}

fn name_of(folder: &str) -> Option<Name> {
    let digits = folder.strip_prefix('v')?.as_bytes();
    let bytes = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
    String::from_utf8(bytes).ok().map(Name::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_folder_of_its_own_that_tells_it() {
        for name in ["", "/", "team", "..", "a/b\\c", "ü", "\0"] {
            let folder = folder_of(Path::new("d"), name).unwrap();
            let last = folder.file_name().and_then(|last| last.to_str()).unwrap();
            assert_eq!(name_of(last).as_deref(), Some(name));
            assert!(last.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{last}");
        }
        assert!(folder_of(Path::new("d"), &"n".repeat(127)).is_ok());
        let error = folder_of(Path::new("d"), &"n".repeat(128)).unwrap_err();
        assert!(error.to_string().contains("at most 127 bytes; this one has 128"), "{error}");
        for other in ["", "team", "v1", "vzz", "vff"] {
            assert_eq!(name_of(other), None, "{other}");
        }
    }
}
