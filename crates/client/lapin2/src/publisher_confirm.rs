//! Publisher confirms.

leveret_lapin3::same_confirms!();
