//! Rules of the tree that a test can check.
