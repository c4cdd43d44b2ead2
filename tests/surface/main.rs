//! Every item of lapin 4.12 that a program can name, with its types. The same sources are compiled against Leveret here and
//! against lapin itself in `tests/rabbitmq`, so that they say what lapin has, and Leveret has the same: what drifts is an
//! error of the compiler.
//!
//! How much of lapin that is, `coverage.rs` counts:
//!
//! ```text
//! cargo test -p leveret-tests --test surface coverage -- --nocapture
//! ```

#![allow(clippy::unwrap_used, missing_docs, reason = "a test that panics has failed")]
#![allow(
    unused_qualifications,
    clippy::type_complexity,
    clippy::too_many_arguments,
    clippy::unused_unit,
    reason = "what is named is named in full"
)]

pub(crate) use leveret_client as lapin;

mod channels;
mod connections;
mod coverage;
mod messages;
mod options;
mod pins;
mod protocol;
mod texts;
mod types;
mod uri;
