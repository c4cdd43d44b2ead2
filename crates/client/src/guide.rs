//! The guide's code runs as tests.

macro_rules! chapters {
    ($($name:ident $file:literal,)*) => {
        $(
            #[doc = include_str!(concat!("../../../docs/guide/", $file))]
            struct $name;
        )*
    };
}

chapters! {
    FiveMinutes "five-minutes.md",
    VirtualTime "virtual-time.md",
    Looking "looking.md",
    Striking "faults.md",
    Exploring "exploration.md",
    Exhaustive "../exhaustive.md",
}

/// With workloads drawn by strategies.
#[cfg(feature = "proptest")]
#[doc = include_str!("../../../docs/checkers.md")]
struct Checkers;

/// With trials drawn by strategies.
#[cfg(feature = "proptest")]
#[doc = include_str!("../../../docs/guide/properties.md")]
struct Properties;
