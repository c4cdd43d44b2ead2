//! The tour: the tutorial's ideas, narrated.
