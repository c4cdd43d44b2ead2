//! Publisher confirms.

same_confirms!();
