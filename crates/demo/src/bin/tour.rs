//! The tour: the tutorial's parts, narrated.

fn main() {}
