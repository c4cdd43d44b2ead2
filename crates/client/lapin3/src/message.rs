//! Messages as a program receives them.

same_messages!();
