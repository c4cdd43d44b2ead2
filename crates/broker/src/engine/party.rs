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

    /// Those of it in order, each with when its group was set aside and its own ticket.
    pub(super) fn places(&self) -> impl Iterator<Item = ([Ticket; 2], ConsumerId)> {
        self.groups.iter().flat_map(|group| {
            let members = group.members.iter();
            members.map(|(ticket, consumer)| ([group.since, *ticket], *consumer))
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = ConsumerId> {
        let groups = self.groups.iter();
        groups.flat_map(|group| group.members.values().copied())
    }
}

#[cfg(test)]
mod tests {
    use slotmap::KeyData;

    use super::*;

    /// The same on a plain list: who, and since when.
    #[derive(Default)]
    struct Plain(Vec<(Ticket, ConsumerId)>);

    impl Plain {
        fn insert(&mut self, ticket: Ticket, consumer: ConsumerId) {
            let later = self.0.iter().position(|(since, _)| *since > ticket);
            let place = later.unwrap_or(self.0.len());
            self.0.insert(place, (ticket, consumer));
        }

        fn set_aside_now(&mut self, now: Ticket) {
            for (since, _) in &mut self.0 {
                *since = now;
            }
        }
    }

    fn consumer(number: u64) -> ConsumerId {
        ConsumerId::from(KeyData::from_ffi(number))
    }

    #[test]
    fn it_keeps_the_order_of_a_plain_list() {
        let (mut party, mut plain) = (Party::default(), Plain::default());
        let mut tickets = Tickets::default();
        let mut on_their_own = Vec::new();
        let mut state = 1_u64;
        for number in 1..20_000 {
            // A linear congruential generator is enough to mix the cases.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let draw = (state >> 33) as usize;
            match draw % 8 {
                0..=2 => {
                    let mut later = Party::of(consumer(number), &mut tickets);
                    later.set_aside_now(&mut tickets);
                    party.append(later);
                    plain.insert(Ticket(tickets.last), consumer(number));
                }
                3 => on_their_own.push((tickets.next(), consumer(number))),
                4 if !on_their_own.is_empty() => {
                    let (ticket, consumer) = on_their_own.remove(draw % on_their_own.len());
                    party.insert(ticket, consumer);
                    plain.insert(ticket, consumer);
                }
                5 | 6 if !plain.0.is_empty() => {
                    assert_eq!(party.first(), Some(plain.0.remove(0).1));
                    party.remove_first();
                }
                7 => {
                    party.set_aside_now(&mut tickets);
                    plain.set_aside_now(Ticket(tickets.last));
                }
                _ => {}
            }
            assert_eq!(party.first(), plain.0.first().map(|(_, consumer)| *consumer));
        }
        assert!(plain.0.len() > 100);
        assert!(party.iter().eq(plain.0.iter().map(|(_, consumer)| *consumer)));
    }
}
