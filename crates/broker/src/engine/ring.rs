//! Whose turn it is: the consumers of one queue, in the order in which they are tried.
//!
//! The head of the ring is tried first. If it can take the message it goes to the tail; if its
//! window is full it is set aside, and comes back to the tail when it gets room (S1–S8). A consumer
//! whose window is full keeps its place until its turn comes (S4).
//!
//! A consumer is set aside for one of two reasons. If its *own* window is full it is in no list at
//! all; settling one of its messages brings it back. If its *channel's* window is full it is parked
//! with the others of its channel, and all come back together in the order in which they were set
//! aside (S8). Such a party moves as one, so that ten thousand parked consumers cost what one does.

use std::collections::{BTreeMap, VecDeque};

use super::party::{Party, Ticket, Tickets};
use crate::protocol::{ChannelId, ConsumerId};

#[derive(Clone, Debug)]
enum Turn {
    One(ConsumerId),
    /// Came back together, and have not all had a turn yet.
    Together(Party),
}

/// What a consumer whose turn has come can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Take the message.
    Free,
    /// Nothing: its own window is full.
    ConsumerFull,
    /// Nothing: its channel's window is full.
    ChannelFull(ChannelId),
    /// Nothing: it has left.
    Gone,
}

/// What came of trying the ring's consumers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    /// This one takes the message; it is at the tail now.
    Takes(ConsumerId),
    /// This one was set aside, its own window being full; remember the ticket.
    SetAside(ConsumerId, Ticket),
    /// The first consumers of this channel were parked; whoever gives the channel room must know.
    Parked(ChannelId),
    /// Nobody is left to try.
    Nobody,
}

/// The consumers of one queue that are to be tried, and those parked for their channel.
#[derive(Clone, Debug, Default)]
pub(super) struct Ring {
    turns: VecDeque<Turn>,
    parked: BTreeMap<ChannelId, Party>,
    tickets: Tickets,
    /// How many consumers have left since the last sweep; some may still stand in the lists.
    departed: usize,
}

impl Ring {
    /// Puts a consumer at the tail: a new one (S2), or one with room again (S5).
    pub(super) fn join(&mut self, consumer: ConsumerId) {
        self.turns.push_back(Turn::One(consumer));
    }

    /// Tries consumers from the head until something is decided. Call again after `SetAside` and
    /// `Parked`.
    pub(super) fn try_next(&mut self, mut room: impl FnMut(ConsumerId) -> Room) -> Tried {
        loop {
            let consumer = match self.turns.front() {
                None => return Tried::Nobody,
                Some(Turn::One(consumer)) => Some(*consumer),
                Some(Turn::Together(party)) => party.first(),
            };
            let Some(consumer) = consumer else {
                self.turns.pop_front();
                continue;
            };
            let room = room(consumer);
            if let Room::ChannelFull(channel) = room {
                // What keeps the first of a party from taking the message keeps all of it.
                let party = match self.turns.pop_front() {
                    Some(Turn::Together(party)) => party,
                    _ => Party::of(consumer, &mut self.tickets),
                };
                if self.park(channel, party) {
                    return Tried::Parked(channel);
                }
                continue;
            }
            match self.turns.front_mut() {
                Some(Turn::Together(party)) => party.remove_first(),
                _ if room == Room::Free => {
                    self.turns.rotate_left(1);
                    return Tried::Takes(consumer);
                }
                _ => drop(self.turns.pop_front()),
            }
            match room {
                Room::Free => {
                    self.join(consumer);
                    return Tried::Takes(consumer);
                }
                Room::ConsumerFull => return Tried::SetAside(consumer, self.tickets.next()),
                Room::Gone | Room::ChannelFull(_) => {}
            }
        }
    }

    /// Brings back a consumer whose own window has room again.
    ///
    /// If others of its channel are parked here it takes its place among them: they come back in the
    /// order of setting aside, whatever the reason was (S37).
    pub(super) fn bring_back(&mut self, consumer: ConsumerId, channel: ChannelId, ticket: Ticket) {
        match self.parked.get_mut(&channel) {
            Some(party) => party.insert(ticket, consumer),
            None => self.join(consumer),
        }
    }

    /// Brings back everyone parked for `channel`, which has room again.
    pub(super) fn bring_back_parked(&mut self, channel: ChannelId) {
        if let Some(party) = self.parked.remove(&channel) {
            self.turns.push_back(Turn::Together(party));
        }
    }

    /// Notes that a consumer has left, `remaining` being those that have not. Its handle may stay in
    /// the lists until its turn comes or the next sweep; sweeping only when most of what is listed may
    /// be gone keeps leaving cheap.
    pub(super) fn leave(&mut self, remaining: usize, gone: impl Fn(ConsumerId) -> bool) {
        self.departed += 1;
        if self.departed <= remaining + 32 {
            return;
        }
        self.departed = 0;
        self.turns.retain_mut(|turn| match turn {
            Turn::One(consumer) => !gone(*consumer),
            Turn::Together(party) => {
                party.retain(|consumer| !gone(consumer));
                party.first().is_some()
            }
        });
        // A party stays parked even when empty: its channel remembers that this queue waits.
        for party in self.parked.values_mut() {
            party.retain(|consumer| !gone(consumer));
        }
    }

    /// Those to be tried, in order, including any that have left.
    pub(super) fn turns(&self) -> impl Iterator<Item = ConsumerId> {
        self.turns.iter().flat_map(|turn| {
            let (one, party) = match turn {
                Turn::One(consumer) => (Some(*consumer), None),
                Turn::Together(party) => (None, Some(party)),
            };
            one.into_iter().chain(party.into_iter().flat_map(Party::iter))
        })
    }

    /// Those parked for a channel, in order, including any that have left.
    pub(super) fn parked(&self) -> impl Iterator<Item = ConsumerId> {
        self.parked.values().flat_map(Party::iter)
    }

    /// Drops those parked for `channel`, which is gone and they with it.
    pub(super) fn forget(&mut self, channel: ChannelId) {
        self.parked.remove(&channel);
    }

    /// The channels for which consumers are, or were, parked.
    pub(super) fn parked_channels(&self) -> impl Iterator<Item = ChannelId> {
        self.parked.keys().copied()
    }

    /// Sets a party aside now, behind those already parked for the channel. True if nobody was.
    fn park(&mut self, channel: ChannelId, mut party: Party) -> bool {
        party.set_aside_now(&mut self.tickets);
        match self.parked.get_mut(&channel) {
            Some(before) => {
                before.append(party);
                false
            }
            None => {
                self.parked.insert(channel, party);
                true
            }
        }
    }
}
