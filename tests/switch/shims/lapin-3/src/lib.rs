//! Leveret's facade of lapin 3, by lapin's name: for `[patch.crates-io]`.

pub use leveret_lapin3::*;
