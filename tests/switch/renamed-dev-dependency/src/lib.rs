//! Nothing but tests is in this package: see `tests`.
