//! The only place that says which crate `lapin` is. All others begin their paths with `crate::broker::lapin`.

#[cfg(not(test))]
pub(crate) use lapin;
#[cfg(test)]
pub(crate) use leveret_client as lapin;
