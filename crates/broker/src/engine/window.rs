//! Prefetch: how many unacknowledged messages may be out at once.

/// A window of `basic.qos`, of one consumer or of a whole channel.
///
/// The limit may shrink below what is held: nothing is revoked, the window drains (S36).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    /// The greatest number of messages held; 0 for no limit (S35).
    limit: u16,
    /// Messages held now.
    held: usize,
}

impl Window {
    pub(super) fn new(limit: u16) -> Self {
        Self { limit, held: 0 }
    }

    pub(super) fn limit(&self) -> u16 {
        self.limit
    }

    pub(super) fn held(&self) -> usize {
        self.held
    }

    pub(super) fn has_room(&self) -> bool {
        self.limit == 0 || self.held < usize::from(self.limit)
    }

    pub(super) fn set_limit(&mut self, limit: u16) {
        self.limit = limit;
    }

    pub(super) fn take_one(&mut self) {
        self.held += 1;
    }

    pub(super) fn give_one_back(&mut self) {
        debug_assert!(self.held > 0, "what is given back was taken");
        self.held -= 1;
    }
}
