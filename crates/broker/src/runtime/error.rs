//! Why a broker does nothing any more.

/// Why a broker does nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// It was shut down.
    #[error("the broker was shut down")]
    Stopped,
    /// Its journal could not be written or synced, and is not tried again. What was confirmed before is
    /// on disk: open the directory anew.
    #[error(
        "the journal failed; what was confirmed is safe: open the directory anew once the medium works"
    )]
    JournalFailed,
    /// A defect of its own stopped it in the middle of a step; its state cannot be trusted.
    #[error("the broker is broken: an earlier call panicked inside it; make a new one")]
    Broken,
}
