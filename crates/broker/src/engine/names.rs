//! Names that the broker makes: `amq.gen-…` for queues (S83), `amq.ctag-…` for consumers (S27).

/// Makes names from a seed: the same seed gives the same names in the same order, to each life others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NameGenerator {
    state: u64,
}

/// From one state to the next: odd, so that all of them come before one comes again.
const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;

/// URL-safe base64.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl NameGenerator {
    /// The states of a seed are one circle of 2^64; each life begins 2^24 states after the one before,
    /// and a name takes two. So the names of 2^40 lives differ if each makes at most 2^23.
    pub(super) fn new(seed: u64, life: u64) -> Self {
        Self { state: seed.wrapping_add((life << 24).wrapping_mul(STRIDE)) }
    }

    /// `prefix-` and 22 characters: 16 bytes in URL-safe base64 without padding.
    pub(super) fn make(&mut self, prefix: &str) -> String {
        let bits = (u128::from(self.next()) << 64) | u128::from(self.next());
        let mut name = format!("{prefix}-");
        for place in 0..21 {
            name.push(letter((bits >> (122 - 6 * place)) & 63));
        }
        name.push(letter((bits & 3) << 4));
        name
    }

    /// SplitMix64: every seed is a good seed, and eight bytes are all its state.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STRIDE);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

fn letter(sextet: u128) -> char {
    char::from(ALPHABET[(sextet & 63) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s27_s83_names_have_22_characters_of_url_safe_base64_and_follow_from_the_seed() {
        let mut one = NameGenerator::new(7, 0);
        let mut same = NameGenerator::new(7, 0);
        let first = one.make("amq.gen");
        assert_eq!(first, same.make("amq.gen"));
        assert_ne!(first, one.make("amq.gen"));
        assert_ne!(first, NameGenerator::new(8, 0).make("amq.gen"));
        let random = first.strip_prefix("amq.gen-").unwrap();
        assert_eq!(random.len(), 22);
        assert!(random.bytes().all(|byte| ALPHABET.contains(&byte)));
    }

    #[test]
    fn the_names_of_a_life_end_where_those_of_the_next_begin() {
        let mut first = NameGenerator::new(7, 3);
        for _ in 0..1 << 23 {
            first.next();
            first.next();
        }
        assert_eq!(first, NameGenerator::new(7, 4));
    }
}
