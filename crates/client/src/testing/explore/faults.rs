//! What may go wrong in an explored world.

use std::fmt;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $kind:ident $name:literal,)*) => {
        /// A kind of fault that exploration may strike with.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum FaultKind {
            $($(#[doc = $doc])* $kind,)*
        }

        impl FaultKind {
            /// All of them, in a fixed order.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }
        }
    };
}

kinds! {
    /// A connection is lost, as when a network fails.
    LoseConnection "lose connection",
    /// The operator closes a connection (`320 CONNECTION_FORCED`).
    CloseConnection "close connection",
    /// The broker closes a channel.
    CloseChannel "close channel",
    /// The broker cancels a consumer, as when its queue goes.
    CancelConsumer "cancel consumer",
    /// The broker nacks a few publishes.
    NackPublishes "nack publishes",
    /// Publishers are blocked for a while.
    BlockPublishers "block publishers",
    /// Connections are refused for a while.
    RefuseConnections "refuse connections",
    /// A [process](super::World::process) crashes, and is started again.
    CrashProcess "crash process",
    /// The broker's process crashes, and is started again.
    CrashBroker "crash broker",
    /// The broker's machine loses its power, and is started again.
    CutPower "cut power",
    /// The broker is stopped and started again.
    RestartBroker "restart broker",
    /// A write to the broker's disk fails: what waited for it is nacked, connections are closed
    /// (`541 INTERNAL_ERROR`), and the broker is started again on a disk that works.
    FailDisk "fail disk",
}

impl FaultKind {
    /// Whether the broker comes back with what is on its disk.
    pub(super) fn ends_broker(self) -> bool {
        matches!(self, Self::CrashBroker | Self::CutPower | Self::RestartBroker | Self::FailDisk)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The kinds of faults that may strike.
///
/// ```
/// use leveret_client::testing::{FaultKind, FaultSet};
///
/// let faults = FaultSet::all().without(FaultKind::CutPower);
/// assert!(faults.contains(FaultKind::LoseConnection) && !faults.contains(FaultKind::CutPower));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultSet(Vec<FaultKind>);

impl FaultSet {
    /// Nothing goes wrong.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Everything may go wrong.
    #[must_use]
    pub fn all() -> Self {
        Self(FaultKind::ALL.to_vec())
    }

    /// What any client of any broker has to bear: connections are lost or refused, channels closed, consumers cancelled,
    /// publishes nacked or blocked, and processes crash; the broker stays.
    #[must_use]
    pub fn of_clients() -> Self {
        let stays = FaultKind::ALL.iter().copied().filter(|kind| !kind.ends_broker());
        Self(stays.collect())
    }

    /// One more.
    #[must_use]
    pub fn with(mut self, kind: FaultKind) -> Self {
        if !self.contains(kind) {
            self.0.push(kind);
            self.0.sort_unstable();
        }
        self
    }

    /// One less.
    #[must_use]
    pub fn without(mut self, kind: FaultKind) -> Self {
        self.0.retain(|its| *its != kind);
        self
    }

    /// Whether it has this one.
    #[must_use]
    pub fn contains(&self, kind: FaultKind) -> bool {
        self.0.contains(&kind)
    }

    /// The kinds, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = FaultKind> + '_ {
        self.0.iter().copied()
    }
}

impl From<FaultKind> for FaultSet {
    fn from(kind: FaultKind) -> Self {
        Self::none().with(kind)
    }
}

impl FromIterator<FaultKind> for FaultSet {
    fn from_iter<I: IntoIterator<Item = FaultKind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::none(), Self::with)
    }
}
