//! Topic patterns: words between dots, `*` for any one word, `#` for any number of words (S154).
//!
//! The patterns of an exchange are one tree of words. A routing key is read word by word, with all places
//! of the tree that its beginning can stand for at a time. No place is visited twice for one word, so a
//! key costs at most its words times the places, whatever the patterns are.

use smallvec::SmallVec;

use super::exchange::{Target, Targets};
use super::index::Index;

/// The patterns of one exchange.
#[derive(Clone, Debug)]
pub(super) struct Patterns {
    /// The places of the tree; the first is its root. Others may be out of use.
    places: Vec<Place>,
    /// Places that are out of use.
    unused: Vec<usize>,
}

/// What stands behind the words that lead here.
#[derive(Clone, Debug, Default)]
struct Place {
    words: Index<usize>,
    /// Behind `*`.
    one_word: Option<usize>,
    /// Behind `#`.
    any_words: Option<usize>,
    /// Whether this is behind `#`, which takes one more word and is here again.
    repeats: bool,
    /// What patterns that end here are bound to.
    targets: Targets,
}

const ROOT: usize = 0;
const ONE_WORD: &str = "*";
const ANY_WORDS: &str = "#";

/// The places that what was read of a key can stand for.
type Active = SmallVec<[usize; 16]>;

impl Default for Patterns {
    fn default() -> Self {
        Self { places: vec![Place::default()], unused: Vec::new() }
    }
}

impl Patterns {
    pub(super) fn insert(&mut self, pattern: &str, number: u64, target: Target) {
        let mut at = ROOT;
        for word in words(pattern) {
            at = match self.places[at].next(word) {
                Some(next) => next,
                None => {
                    let next = self.new_place(word);
                    self.places[at].set_next(word, Some(next));
                    next
                }
            };
        }
        self.places[at].targets.insert(number, target);
    }

    pub(super) fn remove(&mut self, pattern: &str, number: u64) {
        let mut at = ROOT;
        let mut way = Vec::new();
        for word in words(pattern) {
            way.push((at, word));
            let Some(next) = self.places[at].next(word) else { return };
            at = next;
        }
        self.places[at].targets.remove(number);
        while self.places[at].is_empty()
            && let Some((before, word)) = way.pop()
        {
            self.places[before].set_next(word, None);
            self.unused.push(at);
            at = before;
        }
        if self.places[ROOT].is_empty() {
            // Nothing is left, and the room for what was there is not kept.
            *self = Self::default();
        }
    }

    /// Hands over the target of each pattern that matches.
    pub(super) fn for_each_match(&self, routing_key: &str, found: &mut impl FnMut(Target)) {
        let (mut at, mut next) = (Active::new(), Active::new());
        self.enter(ROOT, &mut at);
        for word in words(routing_key) {
            for &place in &at {
                let Place { words, one_word, repeats, .. } = &self.places[place];
                if *repeats {
                    next.push(place);
                }
                for step in words.get(word).into_iter().chain(*one_word) {
                    self.enter(step, &mut next);
                }
            }
            // A place behind `#` is reached from before it and from itself.
            next.sort_unstable();
            next.dedup();
            std::mem::swap(&mut at, &mut next);
            next.clear();
        }
        for place in at {
            self.places[place].targets.iter().for_each(&mut *found);
        }
    }

    /// How many patterns there are.
    pub(super) fn len(&self) -> usize {
        self.places.iter().map(|place| place.targets.len()).sum()
    }

    /// Adds a place, and those that no word at all leads to from there.
    fn enter(&self, place: usize, active: &mut Active) {
        let mut entered = Some(place);
        while let Some(place) = entered {
            active.push(place);
            entered = self.places[place].any_words;
        }
    }

    /// A place that one `word` leads to.
    fn new_place(&mut self, word: &str) -> usize {
        let place = Place { repeats: word == ANY_WORDS, ..Place::default() };
        if let Some(at) = self.unused.pop() {
            self.places[at] = place;
            return at;
        }
        self.places.push(place);
        self.places.len() - 1
    }
}

impl Place {
    fn next(&self, word: &str) -> Option<usize> {
        match word {
            ONE_WORD => self.one_word,
            ANY_WORDS => self.any_words,
            _ => self.words.get(word),
        }
    }

    fn set_next(&mut self, word: &str, next: Option<usize>) {
        match (word, next) {
            (ONE_WORD, next) => self.one_word = next,
            (ANY_WORDS, next) => self.any_words = next,
            (word, Some(next)) => self.words.insert(word.into(), next),
            (word, None) => self.words.remove(word),
        }
    }

    /// Whether no pattern leads here or on from here.
    fn is_empty(&self) -> bool {
        self.words.len() == 0
            && self.one_word.is_none()
            && self.any_words.is_none()
            && self.targets.is_empty()
    }
}

/// The words of a key or pattern; the empty one has none.
fn words(key: &str) -> impl Iterator<Item = &str> {
    let none = key.is_empty();
    key.split('.').filter(move |_| !none)
}
