//! Whose turn it is: the consumers of one queue, in the order in which they are tried.
//!
//! Each priority is a level with a rotation of its own, and a lower one is tried only when nobody is
//! left in the higher ones (S15). The head of a level is tried first. If it can take the message it goes
//! to the tail; if its window is full it is set aside, and comes back to the tail of its level when it
//! gets room (S1–S8, S17). A consumer whose window is full keeps its place until its turn comes (S4).
//!
//! A consumer is set aside for one of two reasons. If its *own* window is full it is in no list at
//! all; settling one of its messages brings it back. If its *channel's* window is full it is parked
//! with the others of its channel and level, and all come back together in the order in which they were
//! set aside (S8). Such a party moves as one, so that ten thousand parked consumers cost what one does.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::levels::{Levels, Turn};
use super::party::{Party, Ticket, Tickets};
use crate::protocol::{ChannelId, ConsumerId};

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
    turns: Levels,
    /// By channel and level. While anybody is parked for a channel, all of its consumers here that are
    /// set aside wait for it.
    parked: BTreeMap<(ChannelId, Reverse<i64>), Party>,
    tickets: Tickets,
    /// How many consumers have left since the last sweep; some may still stand in the lists.
    departed: usize,
}

impl Ring {
    /// Puts a consumer at the tail of its level: a new one (S2), or one with room again (S5).
    pub(super) fn join(&mut self, consumer: ConsumerId, priority: i64) {
        self.turns.push(priority, Turn::One(consumer));
    }

    /// Tries consumers from the head until something is decided. Call again after `SetAside` and
    /// `Parked`.
    pub(super) fn try_next(&mut self, mut room: impl FnMut(ConsumerId) -> Room) -> Tried {
        loop {
            let Some((priority, turns)) = self.turns.highest() else {
                return Tried::Nobody;
            };
            let consumer = match turns.front() {
                Some(Turn::One(consumer)) => Some(*consumer),
                Some(Turn::Together(party)) => party.first(),
                None => None,
            };
            let Some(consumer) = consumer else {
                turns.pop_front();
                continue;
            };
            let room = room(consumer);
            if let Room::ChannelFull(channel) = room {
                // What keeps the first of a party from taking the message keeps all of it.
                let party = match turns.pop_front() {
                    Some(Turn::Together(party)) => party,
                    _ => Party::of(consumer, &mut self.tickets),
                };
                if self.park(channel, priority, party) {
                    return Tried::Parked(channel);
                }
                continue;
            }
            match turns.front_mut() {
                Some(Turn::Together(party)) => party.remove_first(),
                _ if room == Room::Free => {
                    turns.rotate_left(1);
                    return Tried::Takes(consumer);
                }
                _ => drop(turns.pop_front()),
            }
            match room {
                Room::Free => {
                    turns.push_back(Turn::One(consumer));
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
    pub(super) fn bring_back(
        &mut self,
        consumer: ConsumerId,
        priority: i64,
        channel: ChannelId,
        ticket: Ticket,
    ) {
        if self.next_parked(channel).is_some() {
            let party = self.parked.entry((channel, Reverse(priority))).or_default();
            party.insert(ticket, consumer);
        } else {
            self.join(consumer, priority);
        }
    }

    /// Brings back everyone parked for `channel`, which has room again.
    pub(super) fn bring_back_parked(&mut self, channel: ChannelId) {
        while let Some(key) = self.next_parked(channel) {
            if let Some(party) = self.parked.remove(&key) {
                self.turns.push(key.1.0, Turn::Together(party));
            }
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
        self.turns.retain(|consumer| !gone(consumer));
        // A party stays parked even when empty: its channel remembers that this queue waits.
        for party in self.parked.values_mut() {
            party.retain(|consumer| !gone(consumer));
        }
    }

    /// Those to be tried, in order, each with the priority of its level, including any that have left.
    pub(super) fn turns(&self) -> impl Iterator<Item = (i64, ConsumerId)> {
        self.turns.iter()
    }

    /// Those parked for a channel, each with the priority of its level, including any that have left.
    pub(super) fn parked(&self) -> impl Iterator<Item = (i64, ConsumerId)> {
        self.parked.iter().flat_map(|((_, Reverse(priority)), party)| {
            party.iter().map(move |consumer| (*priority, consumer))
        })
    }

    /// Those parked for a channel, each with when its group was set aside and its own ticket.
    pub(super) fn places(&self) -> impl Iterator<Item = ([Ticket; 2], ConsumerId)> {
        self.parked.values().flat_map(Party::places)
    }

    /// Drops those parked for `channel`, which is gone and they with it.
    pub(super) fn forget(&mut self, channel: ChannelId) {
        while let Some(key) = self.next_parked(channel) {
            self.parked.remove(&key);
        }
    }

    /// The channels for which consumers are, or were, parked.
    pub(super) fn parked_channels(&self) -> impl Iterator<Item = ChannelId> {
        let mut last = None;
        let channels = self.parked.keys().map(|(channel, _)| *channel);
        channels.filter(move |channel| last.replace(*channel) != Some(*channel))
    }

    /// Sets a party aside now, behind those already parked for the channel in its level. True if nobody
    /// was parked for the channel in any.
    fn park(&mut self, channel: ChannelId, priority: i64, mut party: Party) -> bool {
        party.set_aside_now(&mut self.tickets);
        let first = self.next_parked(channel).is_none();
        self.parked.entry((channel, Reverse(priority))).or_default().append(party);
        first
    }

    /// The highest level in which anybody is parked for a channel.
    fn next_parked(&self, channel: ChannelId) -> Option<(ChannelId, Reverse<i64>)> {
        let levels = (channel, Reverse(i64::MAX))..=(channel, Reverse(i64::MIN));
        self.parked.range(levels).next().map(|(key, _)| *key)
    }
}
