//! A history as one short number.

use std::fmt;

use crate::protocol::fnv_1a;

/// A history's short form: 64 bits, shown as 16 hexadecimal digits.
///
/// It is FNV-1a over the [lines of JSON](super::History::to_json_lines), so it depends on what happened and on nothing
/// else: not on the build, the machine or the number of threads.
///
/// ```
/// use leveret_broker::History;
///
/// assert_eq!(History::default().digest().to_string(), "cbf29ce484222325", "nothing happened");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub u64);

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(fnv_1a(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_fnv_1a() {
        // From the test vectors of its authors.
        assert_eq!(Digest::of(b"").to_string(), "cbf29ce484222325");
        assert_eq!(Digest::of(b"a").to_string(), "af63dc4c8601ec8c");
        assert_eq!(Digest::of(b"foobar").to_string(), "85944171f73967e8");
    }
}
