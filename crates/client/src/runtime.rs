//! The runtime that a connection's delegates run on.
//!
//! A broker of this process needs no runtime. The types are lapin's, those of the crate `async-rs`, so that programs which
//! choose one compile; what a connection that was made with one uses it for is to run its
//! [delegates](crate::ConsumerDelegate).

use crate::error::Result;

#[cfg(feature = "tokio")]
mod default {
    pub(crate) type Kit = async_rs::Tokio;
    pub(super) fn make() -> crate::Result<async_rs::Runtime<Kit>> {
        Ok(async_rs::Runtime::tokio_current())
    }
}

#[cfg(all(not(feature = "tokio"), feature = "async-global-executor"))]
mod default {
    pub(crate) type Kit =
        async_rs::util::RuntimeParts<async_rs::AsyncGlobalExecutor, async_rs::AsyncIO>;
    pub(super) fn make() -> crate::Result<async_rs::Runtime<Kit>> {
        Ok(async_rs::Runtime::async_global_executor())
    }
}

#[cfg(all(not(feature = "tokio"), not(feature = "async-global-executor"), feature = "smol"))]
mod default {
    pub(crate) type Kit = async_rs::Smol;
    pub(super) fn make() -> crate::Result<async_rs::Runtime<Kit>> {
        Ok(async_rs::Runtime::smol())
    }
}

#[cfg(not(any(feature = "tokio", feature = "async-global-executor", feature = "smol")))]
mod default {
    pub(crate) type Kit = async_rs::Noop;
    pub(super) fn make() -> crate::Result<async_rs::Runtime<Kit>> {
        Err(crate::ErrorKind::NoDefaultRuntime.into())
    }
}

pub(crate) use default::Kit as DefaultRuntimeKit;

/// The runtime that lapin's features ask for: tokio's current one with `tokio`, which is a default feature; else that of
/// `async-global-executor` or `smol`.
///
/// # Errors
///
/// `NoDefaultRuntime` without any of these features.
///
/// # Panics
///
/// With `tokio`, outside of its context.
pub fn default_runtime() -> Result<async_rs::Runtime<DefaultRuntimeKit>> {
    default::make()
}
