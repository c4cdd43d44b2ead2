//! Leveret's facade of lapin 2, by lapin's name: for `[patch.crates-io]`.

pub use leveret_lapin2::*;
