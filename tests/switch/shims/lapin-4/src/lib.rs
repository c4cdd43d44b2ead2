//! Leveret, by lapin's name: for `[patch.crates-io]`.

pub use leveret_client::*;
