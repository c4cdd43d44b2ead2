//! The scenes, one a file.

pub(super) mod automatic_ack;
pub(super) mod crash;
pub(super) mod durability;
pub(super) mod fair_dispatch;
pub(super) mod forgotten_ack;
pub(super) mod power_cut;
pub(super) mod round_robin;
