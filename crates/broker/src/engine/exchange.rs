//! An exchange: its attributes, and which of its bindings a message matches.

use std::collections::BTreeMap;

use super::headers::HeaderMatch;
use super::index::Index;
use super::pattern::Patterns;
use crate::protocol::types::FieldTable;
use crate::protocol::{Binding, ExchangeId, ExchangeKind, Name, QueueId};

/// The exchanges that are there from the start, beside the default one (S147): name, kind, and whether
/// it is internal.
pub(super) const PREDECLARED: [(&str, ExchangeKind, bool); 6] = [
    ("amq.direct", ExchangeKind::Direct, false),
    ("amq.fanout", ExchangeKind::Fanout, false),
    ("amq.headers", ExchangeKind::Headers, false),
    ("amq.match", ExchangeKind::Headers, false),
    ("amq.rabbitmq.trace", ExchangeKind::Topic, true),
    ("amq.topic", ExchangeKind::Topic, false),
];

/// Whether a name is that of an exchange that is there from the start, beside the default one.
pub(super) fn is_predeclared(name: &str) -> bool {
    PREDECLARED.iter().any(|(predeclared, ..)| *predeclared == name)
}

/// One exchange; the default exchange is none of these.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) name: Name,
    /// Its place in the order of declaring, from 1.
    pub(super) number: u64,
    pub(super) kind: ExchangeKind,
    pub(super) durable: bool,
    pub(super) auto_delete: bool,
    pub(super) internal: bool,
    pub(super) arguments: FieldTable,
    /// The alternate exchange that a policy gives it, if its arguments give it none.
    pub(super) alternate_by_policy: Option<Name>,
    pub(super) matcher: Matcher,
}

impl Exchange {
    /// Whether its existence is a durable fact: those that are there from the start need not be told.
    pub(super) fn is_recorded(&self) -> bool {
        self.durable && !is_predeclared(&self.name)
    }

    /// Whether a routing key alone says what matches.
    pub(super) fn goes_by_key(&self) -> bool {
        self.kind != ExchangeKind::Headers
    }

    /// The exchange that gets what matches nothing here (S158).
    pub(super) fn alternate(&self) -> Option<&str> {
        match self.arguments.inner().get(ALTERNATE_EXCHANGE) {
            Some(argument) => super::rules::text(argument),
            None => self.alternate_by_policy.as_deref(),
        }
    }
}

/// The one argument of an exchange that has a meaning.
pub(super) const ALTERNATE_EXCHANGE: &str = "alternate-exchange";

/// What a binding leads to, inside the engine. In the order of declaring; queues come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    /// A queue and its number.
    Queue(u64, QueueId),
    /// Another exchange and its number.
    Exchange(u64, ExchangeId),
}

/// What bindings are compared with: the routing key and those that the headers add (S165).
#[derive(Clone, Copy, Debug)]
pub(super) struct Published<'a> {
    pub(super) routing_key: &'a str,
    pub(super) more_keys: &'a [String],
    pub(super) headers: Option<&'a FieldTable>,
}

impl<'a> Published<'a> {
    /// All routing keys.
    pub(super) fn keys(self) -> impl Iterator<Item = &'a str> {
        std::iter::once(self.routing_key).chain(self.more_keys.iter().map(String::as_str))
    }
}

/// The bindings of an exchange, in the shape that its kind of question asks for. Each has a number; of one
/// target there may be several.
#[derive(Clone, Debug)]
pub(super) enum Matcher {
    /// By binding key.
    Direct(Index<Targets>),
    /// All alike.
    Fanout(Targets),
    /// One by one: no two ask for the same.
    Headers(BTreeMap<u64, (HeaderMatch, Target)>),
    /// As a tree of words.
    Topic(Patterns),
}

impl Matcher {
    pub(super) fn new(kind: ExchangeKind) -> Self {
        match kind {
            ExchangeKind::Direct => Self::Direct(Index::default()),
            ExchangeKind::Fanout => Self::Fanout(Targets::default()),
            ExchangeKind::Headers => Self::Headers(BTreeMap::new()),
            ExchangeKind::Topic => Self::Topic(Patterns::default()),
        }
    }

    pub(super) fn insert(&mut self, number: u64, binding: &Binding, target: Target) {
        match self {
            Self::Direct(keys) => {
                keys.get_or_default(&binding.routing_key).insert(number, target);
            }
            Self::Fanout(targets) => targets.insert(number, target),
            Self::Headers(matches) => {
                let wanted = HeaderMatch::new(&binding.arguments);
                matches.insert(number, (wanted, target));
            }
            Self::Topic(patterns) => patterns.insert(&binding.routing_key, number, target),
        }
    }

    pub(super) fn remove(&mut self, number: u64, binding: &Binding) {
        match self {
            Self::Direct(keys) => {
                let Some(targets) = keys.find_mut(&binding.routing_key) else { return };
                targets.remove(number);
                if targets.is_empty() {
                    keys.remove(&binding.routing_key);
                }
            }
            Self::Fanout(targets) => targets.remove(number),
            Self::Headers(matches) => drop(matches.remove(&number)),
            Self::Topic(patterns) => patterns.remove(&binding.routing_key, number),
        }
    }

    /// How many bindings there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Direct(keys) => keys.total(Targets::len),
            Self::Fanout(targets) => targets.len(),
            Self::Headers(matches) => matches.len(),
            Self::Topic(patterns) => patterns.len(),
        }
    }

    /// Hands over the target of each binding that matches, some of them more than once.
    pub(super) fn for_each_match(&self, published: Published<'_>, found: &mut impl FnMut(Target)) {
        match self {
            Self::Direct(keys) => {
                let matching = published.keys().filter_map(|key| keys.find(key));
                matching.for_each(|targets| targets.iter().for_each(&mut *found));
            }
            Self::Fanout(targets) => targets.iter().for_each(found),
            Self::Headers(matches) => {
                for (wanted, target) in matches.values() {
                    if wanted.matches(published.headers) {
                        found(*target);
                    }
                }
            }
            Self::Topic(patterns) => {
                published.keys().for_each(|key| patterns.for_each_match(key, found));
            }
        }
    }
}

/// Targets by the numbers of their bindings, which mostly come in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Targets {
    targets: Vec<(u64, Target)>,
}

impl Targets {
    pub(super) fn insert(&mut self, number: u64, target: Target) {
        let place = self.targets.partition_point(|(other, _)| *other < number);
        self.targets.insert(place, (number, target));
    }

    pub(super) fn remove(&mut self, number: u64) {
        if let Ok(place) = self.targets.binary_search_by_key(&number, |(number, _)| *number) {
            self.targets.remove(place);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.targets.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Target> {
        self.targets.iter().map(|(_, target)| *target)
    }
}
