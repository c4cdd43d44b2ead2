//! Messages as a program receives them.

leveret_lapin3::same_messages!();
