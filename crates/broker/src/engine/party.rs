//! Consumers of one channel that were set aside, in the order of that, moved as one.

use std::collections::{BTreeMap, VecDeque};

use crate::protocol::ConsumerId;

/// A place in the order of setting aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ticket(i64);

/// Gives tickets, at the end of the order and before its beginning.
#[derive(Clone, Debug, Default)]
pub(super) struct Tickets {
    last: i64,
    first: i64,
}

/// Consumers of one channel and queue in the order in which they were set aside.
///
/// When a party that came back finds its channel's window full again, all of it is set aside anew, and
/// stands behind everyone who was set aside in the meantime. That is one assignment: its tickets stay, and
/// the group is marked with the moment since which they count.
#[derive(Clone, Debug, Default)]
pub(super) struct Party {
    /// In order, none empty, each `since` later than the one before.
    groups: VecDeque<Group>,
}

#[derive(Clone, Debug)]
struct Group {
    /// When those with earlier tickets were set aside, all at once; the others have their own ticket.
    since: Ticket,
    /// In order.
    members: BTreeMap<Ticket, ConsumerId>,
}

impl Tickets {
    pub(super) fn next(&mut self) -> Ticket {
        self.last += 1;
        Ticket(self.last)
    }

    fn before_all(&mut self) -> Ticket {
        self.first -= 1;
        Ticket(self.first)
    }
}

impl Party {
    /// A party of one that is set aside now.
    pub(super) fn of(consumer: ConsumerId, tickets: &mut Tickets) -> Self {
        let mut party = Self::default();
        party.insert(tickets.next(), consumer);
        party
    }

    pub(super) fn first(&self) -> Option<ConsumerId> {
        let first = self.groups.front()?.members.values().next();
        first.copied()
    }

    pub(super) fn remove_first(&mut self) {
        if let Some(group) = self.groups.front_mut() {
            group.members.pop_first();
            if group.members.is_empty() {
                self.groups.pop_front();
            }
        }
    }

    /// Adds a consumer that was set aside when it got `ticket`.
    pub(super) fn insert(&mut self, ticket: Ticket, consumer: ConsumerId) {
        let its_group = self.groups.iter_mut().rfind(|group| group.since <= ticket);
        match its_group {
            Some(group) => {
                group.members.insert(ticket, consumer);
            }
            None => self.groups.push_front(Group {
                since: Ticket(i64::MIN),
                members: BTreeMap::from([(ticket, consumer)]),
            }),
        }
    }

    /// Sets all of it aside anew. The smaller part of what has to be joined gets new tickets, at
    /// whichever end it belongs.
    pub(super) fn set_aside_now(&mut self, tickets: &mut Tickets) {
        let since = tickets.next();
        let mut members = BTreeMap::new();
        for Group { members: next, .. } in self.groups.drain(..) {
            if next.len() <= members.len() {
                let next = next.into_values();
                members.extend(next.map(|consumer| (tickets.next(), consumer)));
            } else {
                let earlier = std::mem::replace(&mut members, next);
                let earlier = earlier.into_values().rev();
                members.extend(earlier.map(|consumer| (tickets.before_all(), consumer)));
            }
        }
        if !members.is_empty() {
            self.groups.push_back(Group { since, members });
        }
    }

    /// Adds a party that was set aside later than all of this one.
    pub(super) fn append(&mut self, later: Self) {
        self.groups.extend(later.groups);
    }

    pub(super) fn retain(&mut self, keep: impl Fn(ConsumerId) -> bool) {
        for group in &mut self.groups {
            group.members.retain(|_, consumer| keep(*consumer));
        }
        self.groups.retain(|group| !group.members.is_empty());
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = ConsumerId> {
        let groups = self.groups.iter();
        groups.flat_map(|group| group.members.values().copied())
    }
}
