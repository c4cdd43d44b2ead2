//! Bodies for the reader.

use std::fmt;
use std::ops::Deref;

use super::Message;

/// A body as histories have it: its beginning as text, to read, and a hash of all of it, so that only equal bodies are equal. It
/// derefs to the text.
///
/// ```
/// use leveret_broker::protocol::Preview;
///
/// let long = |last: &str| Preview::of(format!("{:40}{last}", "long").as_bytes());
/// assert_eq!(long("a").as_str(), long("b").as_str());
/// assert!(long("a") != long("b"));
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Preview {
    text: String,
    hash: u64,
}

impl Preview {
    /// That of a body.
    #[must_use]
    pub fn of(body: &[u8]) -> Self {
        Self { text: Message::preview_of(body), hash: fnv_1a(body) }
    }

    /// The beginning: at most 32 characters, control characters and invalid UTF-8 replaced.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Deref for Preview {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Preview {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

/// FNV-1a, of 64 bits: the same on every machine.
pub(crate) fn fnv_1a(bytes: &[u8]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let add = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
    bytes.iter().fold(OFFSET_BASIS, add)
}
