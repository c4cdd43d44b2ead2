//! A table from names to handles: flat in its size, and without an order to depend on.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::BuildHasherDefault;

use crate::protocol::Name;

/// Looks names up; cannot be iterated, so that no behaviour can depend on a hash order.
///
/// The hasher has fixed keys: two engines that were told the same things are the same.
#[derive(Clone, Debug)]
pub(super) struct Index<T> {
    entries: HashMap<Name, T, BuildHasherDefault<DefaultHasher>>,
}

impl<T: Copy> Index<T> {
    pub(super) fn get(&self, name: &str) -> Option<T> {
        self.entries.get(name).copied()
    }
}

impl<T> Index<T> {
    pub(super) fn find(&self, name: &str) -> Option<&T> {
        self.entries.get(name)
    }

    pub(super) fn find_mut(&mut self, name: &str) -> Option<&mut T> {
        self.entries.get_mut(name)
    }

    pub(super) fn get_or_default(&mut self, name: &Name) -> &mut T
    where
        T: Default,
    {
        self.entries.entry(Name::clone(name)).or_default()
    }

    pub(super) fn insert(&mut self, name: Name, value: T) {
        self.entries.insert(name, value);
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.entries.remove(name);
    }

    /// The sum of a measure over all values.
    pub(super) fn total(&self, measure: impl Fn(&T) -> usize) -> usize {
        self.entries.values().map(measure).sum()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self { entries: HashMap::default() }
    }
}
