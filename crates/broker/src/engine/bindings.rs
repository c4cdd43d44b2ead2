//! All bindings by what they are, in the order of binding, and by their ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::protocol::{Binding, DestinationType, Name};

/// The bindings of a broker, by name alone; what an exchange looks at when it routes is its own
/// [`Matcher`](super::exchange::Matcher).
#[derive(Clone, Debug, Default)]
pub(super) struct Bindings {
    /// By number, which counts bindings.
    all: BTreeMap<u64, Arc<Binding>>,
    numbers: BTreeMap<Arc<Binding>, u64>,
    by_source: BTreeSet<(Name, u64)>,
    by_destination: BTreeSet<(DestinationType, Name, u64)>,
    added: u64,
}

impl Bindings {
    pub(super) fn contains(&self, binding: &Binding) -> bool {
        self.numbers.contains_key(binding)
    }

    /// Adds a binding that is not there, and gives its number.
    pub(super) fn insert(&mut self, binding: Arc<Binding>) -> u64 {
        self.added += 1;
        let number = self.added;
        let Binding { source, destination_type, destination, .. } = &*binding;
        self.by_source.insert((source.clone(), number));
        self.by_destination.insert((*destination_type, destination.clone(), number));
        self.numbers.insert(Arc::clone(&binding), number);
        self.all.insert(number, binding);
        number
    }

    /// Removes a binding; gives its number, and itself as it was added.
    pub(super) fn remove(&mut self, binding: &Binding) -> Option<(u64, Arc<Binding>)> {
        let number = self.numbers.remove(binding)?;
        let Binding { source, destination_type, destination, .. } = binding;
        self.by_source.remove(&(source.clone(), number));
        self.by_destination.remove(&(*destination_type, destination.clone(), number));
        self.all.remove(&number).map(|binding| (number, binding))
    }

    /// Whether anything is bound to get messages from an exchange.
    pub(super) fn any_from(&self, source: &Name) -> bool {
        self.by_source.range((source.clone(), 0)..=(source.clone(), u64::MAX)).next().is_some()
    }

    /// The bindings from an exchange, in order.
    pub(super) fn from(&self, source: &Name) -> Vec<Arc<Binding>> {
        let range = (source.clone(), 0)..=(source.clone(), u64::MAX);
        let numbers = self.by_source.range(range).map(|(_, number)| number);
        numbers.filter_map(|number| self.all.get(number)).cloned().collect()
    }

    /// The bindings to a queue or an exchange, in order.
    pub(super) fn to(&self, kind: DestinationType, destination: &Name) -> Vec<Arc<Binding>> {
        let end = |number| (kind, destination.clone(), number);
        let numbers = self.by_destination.range(end(0)..=end(u64::MAX)).map(|(.., number)| number);
        numbers.filter_map(|number| self.all.get(number)).cloned().collect()
    }

    /// All bindings, in the order of binding.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Binding>> {
        self.all.values()
    }
}
