//! Where the world comes in: the lock, the clock, and who is told what.

mod arranging;
#[cfg(feature = "testing")]
mod by_hand;
mod clock;
mod core;
mod driver;
mod error;
mod examine;
mod gate;
mod handle;
mod history;
mod host;
mod level;
mod locked;
mod looking;
mod mailbox;
mod open;
mod operator;
mod options;
mod policies;
mod port;
mod recovery;
mod registry;
mod remark;
mod salvage;
#[cfg(feature = "testing")]
mod settle;
#[cfg(feature = "tokio")]
mod standstill;
mod timer;
#[cfg(feature = "testing")]
mod wire;

pub use arranging::{OperatorError, TakenMessage};
#[cfg(feature = "testing")]
pub use by_hand::{EventWatch, JournalHand, WeakBroker};
pub use clock::{Clock, ManualClock};
pub use core::Core;
pub use error::BrokerError;
pub use examine::Examined;
pub use handle::Broker;
pub use history::{Digest, Divergence, History, Selection};
pub use level::Level;
pub use mailbox::{Deferred, Mailbox};
pub use open::OpenError;
#[cfg(feature = "testing")]
pub(crate) use open::recover;
pub use options::BrokerOptions;
pub use port::{Login, Port};
pub use recovery::RecoveryReport;
pub use remark::{Remark, RemarkKind, Seen};
pub use salvage::{Contradicted, SalvageError, SalvageReport};
#[cfg(feature = "testing")]
pub use wire::{BrokerEnd, Line, OnItsWay, Wire};
