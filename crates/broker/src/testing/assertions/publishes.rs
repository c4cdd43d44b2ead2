//! What is to hold of what was published to one address.

use std::fmt;

use super::{Assertions, bodies_of, number_of, previews};
use crate::protocol::{Event, EventKind, Preview};
use crate::runtime::Selection;

/// What is to hold of what was published to an exchange with a routing key. After that, what is to hold of everything can
/// follow: see [`Assertions`].
///
/// # Panics
///
/// Every sentence, as those of [`Assertions`].
#[derive(Clone)]
pub struct PublishAssertions<'a> {
    pub(super) all: &'a Assertions,
    address: String,
    publishes: Selection<'a>,
}

impl<'a> PublishAssertions<'a> {
    #[track_caller]
    pub(super) fn new(all: &'a Assertions, exchange: &str, routing_key: &str) -> Self {
        let is_meant = |event: &Event| match &event.kind {
            EventKind::Published { exchange: its, routing_key: key, .. } => {
                &**its == exchange && &**key == routing_key
            }
            _ => false,
        };
        let address = format!("exchange {exchange:?} with key {routing_key:?}");
        Self { all, address, publishes: all.history().select().filter(is_meant) }
    }

    /// Only those with this body.
    #[must_use]
    pub fn with_body(&self, body: impl AsRef<[u8]>) -> Self {
        let wanted = Preview::of(body.as_ref());
        let is_meant = |event: &Event| match &event.kind {
            EventKind::Published { body, .. } => *body == wanted,
            _ => false,
        };
        Self {
            all: self.all,
            address: format!("{} and body {wanted:?}", self.address),
            publishes: self.publishes.filter(is_meant),
        }
    }

    /// So many.
    #[track_caller]
    pub fn times(&self, count: usize) -> &Self {
        if self.publishes.count() != count {
            let count = number_of(count, "publish", "publishes");
            self.fail(&format!("{count} to {}", self.address));
        }
        self
    }

    /// One.
    #[track_caller]
    pub fn once(&self) -> &Self {
        self.times(1)
    }

    /// None.
    #[track_caller]
    pub fn never(&self) -> &Self {
        self.times(0)
    }

    /// So many or more.
    #[track_caller]
    pub fn at_least(&self, count: usize) -> &Self {
        if self.publishes.count() < count {
            let count = number_of(count, "publish", "publishes");
            self.fail(&format!("at least {count} to {}", self.address));
        }
        self
    }

    /// They are these, in this order.
    #[track_caller]
    pub fn with_bodies<B: AsRef<[u8]>>(&self, bodies: impl IntoIterator<Item = B>) -> &Self {
        let expected = previews(bodies);
        if !expected.iter().eq(bodies_of(&self.publishes)) {
            self.fail(&format!("publishes to {} of {expected:?}", self.address));
        }
        self
    }

    /// Every one was taken by a queue, or by who waits for it as an answer.
    #[track_caller]
    pub fn all_routed(&self) -> &Self {
        if !self.publishes.unroutable().is_empty() {
            self.fail(&format!("every publish to {} to be routed", self.address));
        }
        self
    }

    #[track_caller]
    fn fail(&self, expected: &str) -> ! {
        let found = match self.publishes.count() {
            0 => "none".to_owned(),
            count => format!("{count}: {:?}", self.publishes.bodies()),
        };
        self.all.fail(expected, &found, &self.all.history().publishes());
    }
}

impl fmt::Debug for PublishAssertions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublishAssertions").field("address", &self.address).finish_non_exhaustive()
    }
}
