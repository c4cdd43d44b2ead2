//! Where the world comes in: the lock, the clock, and who is told what.

mod clock;
mod core;
mod handle;
mod history;
mod mailbox;
mod options;
mod registry;

pub use clock::{Clock, ManualClock};
pub use core::Core;
pub use handle::{Broker, BrokerError, Login, Port};
pub use history::History;
pub use mailbox::{Deferred, Mailbox};
pub use options::BrokerOptions;
