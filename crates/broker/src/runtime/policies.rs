//! Policies, as an operator sets them.

use super::handle::{Broker, Inner};
use crate::protocol::{Command, Policy};

impl Broker {
    /// Sets a policy in this handle's virtual host, in the place of the one of that name if there is one. From then on
    /// every queue and exchange that it matches goes by it, those that are there too; messages keep the time to live
    /// that they came with.
    ///
    /// A broker that was shut down has none.
    pub fn set_policy(&self, policy: Policy) {
        self.shared.inner.set_policies([policy]);
    }

    /// Clears a policy; queues and exchanges go by the next that matches them, or by what they were declared with. If
    /// there is none of that name nothing happens.
    pub fn clear_policy(&self, name: &str) {
        let _ = self.shared.inner.step(Command::ClearPolicy { policy: name.into() }, None);
    }

    /// The policies of this handle's virtual host, by name.
    #[must_use]
    pub fn policies(&self) -> Vec<Policy> {
        self.shared.inner.policies()
    }
}

impl Inner {
    pub(super) fn set_policies(&self, policies: impl IntoIterator<Item = Policy>) {
        for policy in policies {
            // A broker that does nothing any more takes none.
            let _ = self.step(Command::SetPolicy { policy: Box::new(policy) }, None);
        }
    }
}
