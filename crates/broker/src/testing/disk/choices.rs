//! Where chance comes from.

/// Picks among possibilities. The same picks make the same image, so a failure is told by a seed.
pub trait Choices {
    /// A number below `bound`, or 0 if there is none.
    fn below(&mut self, bound: usize) -> usize;

    /// Heads or tails.
    fn flip(&mut self) -> bool {
        self.below(2) == 1
    }
}

/// Choices from a seed (the generator is `SplitMix64`).
///
/// ```
/// use leveret_broker::testing::disk::{Choices, Seeded};
///
/// let (mut one, mut two) = (Seeded::new(7), Seeded::new(7));
/// assert_eq!(one.below(1000), two.below(1000));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeded {
    state: u64,
}

impl Seeded {
    /// Choices that are a function of `seed` alone.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}

impl Choices for Seeded {
    fn below(&mut self, bound: usize) -> usize {
        // The upper bits of a product: no division, and no bias that a test could see.
        let product = u128::from(self.bits()) * bound as u128;
        (product >> 64) as usize
    }
}
