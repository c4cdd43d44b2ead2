//! Whose turn it is: laws of the rotation, watched from outside.
//!
//! A consumer *has room* when neither its own window nor its channel's is full. While it has, no other
//! consumer gets two messages between two of its own: among k consumers at most k − 1 deliveries pass
//! it by. And while all have room, the counts of any two differ by one at most.

use std::collections::{BTreeMap, BTreeSet};

use leveret_broker::engine::{ChannelView, ConsumerView, EngineView};
use leveret_broker::testing::{Op, Profile, Said, Step, What, ops};
use proptest::prelude::*;

use crate::support::{cases, run};

/// A consumer by connection, channel and tag.
type Who = (u64, u16, String);

fn who(consumer: &ConsumerView) -> Who {
    let tag = consumer.consumer_tag.to_string();
    (consumer.connection, consumer.channel, tag)
}

fn channel_of<'a>(view: &'a EngineView, consumer: &ConsumerView) -> &'a ChannelView {
    let same = |channel: &&ChannelView| {
        channel.connection == consumer.connection && channel.number == consumer.channel
    };
    view.channels.iter().find(same).unwrap()
}

/// How many deliveries a channel's window counts: those of its consumers, and of consumers that left.
/// What was got counts for no window, so without knowing that, only an upper bound.
fn at_most_held(view: &EngineView, consumer: &ConsumerView) -> usize {
    channel_of(view, consumer).unacknowledged.len()
}

/// Whether the consumer certainly has room.
fn has_room(view: &EngineView, consumer: &ConsumerView) -> bool {
    let own = usize::from(consumer.prefetch_count);
    let global = usize::from(channel_of(view, consumer).global_prefetch_count);
    !consumer.ack_required
        || ((own == 0 || consumer.messages_unacknowledged < own)
            && (global == 0 || at_most_held(view, consumer) < global))
}

/// The receivers of a step's deliveries, by queue.
fn receivers(step: &Step) -> BTreeMap<String, Vec<Who>> {
    let mut receivers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for Said {
        connection,
        channel,
        what,
    } in &step.said
    {
        if let What::Deliver {
            consumer, queue, ..
        } = what
        {
            let who = (*connection, channel.unwrap(), consumer.clone());
            receivers.entry(queue.clone()).or_default().push(who);
        }
    }
    receivers
}

/// Windows hold, and nobody with room waits beside a message.
fn windows_hold_and_work_is_conserved(program: &[Op]) -> Result<(), TestCaseError> {
    run(program, |before, _, after, step| {
        let view = after.view();
        for queue in &view.queues {
            for consumer in &queue.consumers {
                let own = usize::from(consumer.prefetch_count);
                let kept = own == 0 || consumer.messages_unacknowledged <= own;
                prop_assert!(kept, "{:?}", consumer);
                let waiting = !queue.messages_ready.is_empty();
                prop_assert!(
                    !(waiting && has_room(&view, consumer)),
                    "{:?} idles",
                    consumer
                );
            }
        }
        // A channel's window may shrink below what is held, but nothing is delivered into a full one.
        for channel in before.view().channels {
            let global = usize::from(channel.global_prefetch_count);
            let same = |other: &&ChannelView| {
                (other.connection, other.number) == (channel.connection, channel.number)
            };
            let Some(now) = view.channels.iter().find(same) else {
                continue;
            };
            let unlimited = |what: &What| match what {
                What::Deliver {
                    consumer, queue, ..
                } => {
                    let queue = view.queues.iter().find(|view| *view.name == **queue);
                    let consumers = queue.map(|queue| queue.consumers.as_slice());
                    let known = consumers.unwrap_or_default().iter();
                    known.filter(|known| !known.ack_required).any(|known| {
                        who(known) == (channel.connection, channel.number, consumer.clone())
                    })
                }
                _ => true,
            };
            let on_channel = step.said.iter().filter(|said| {
                (said.connection, said.channel) == (channel.connection, Some(channel.number))
            });
            let counted = on_channel.filter(|said| !unlimited(&said.what)).count();
            if counted > 0
                && global > 0
                && now.global_prefetch_count == channel.global_prefetch_count
            {
                let got = channel.unacknowledged.len();
                prop_assert!(
                    counted <= global,
                    "{} delivered, {} held before",
                    counted,
                    got
                );
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// One queue's rotation since each consumer last had a turn, or came.
#[derive(Debug, Default)]
struct Watch {
    /// Who got one since this one did, or since it has room.
    passed_by: BTreeMap<Who, BTreeSet<Who>>,
    /// Deliveries to each since the last change of who is there and has room.
    counts: BTreeMap<Who, usize>,
}

impl Watch {
    fn see(&mut self, receivers: &[Who], all: &[Who], roomy: &[Who]) -> Result<(), TestCaseError> {
        // Only those who had room before and have it after had it all the while; the others start anew.
        self.passed_by.retain(|who, _| roomy.contains(who));
        if self.counts.len() != all.len() || roomy.len() != all.len() {
            self.counts.clear();
        }
        self.counts.retain(|who, _| all.contains(who));
        for receiver in receivers {
            for (who, passed_by) in &mut self.passed_by {
                if who == receiver {
                    passed_by.clear();
                } else {
                    let once = passed_by.insert(receiver.clone());
                    prop_assert!(once, "{:?} got two while {:?} had room", receiver, who);
                }
            }
            if let Some(count) = self.counts.get_mut(receiver) {
                *count += 1;
            }
            let (most, least) = (self.counts.values().max(), self.counts.values().min());
            if let (Some(most), Some(least)) = (most, least) {
                prop_assert!(most - least <= 1, "{:?}", self.counts);
            }
        }
        for who in roomy {
            self.passed_by.entry(who.clone()).or_default();
        }
        if roomy.len() == all.len() && self.counts.is_empty() {
            self.counts = all.iter().map(|who| (who.clone(), 0)).collect();
        }
        Ok(())
    }
}

fn nobody_is_passed_over(program: &[Op]) -> Result<(), TestCaseError> {
    let mut watches: BTreeMap<String, Watch> = BTreeMap::new();
    run(program, |_, _, after, step| {
        let view = after.view();
        let mut receivers = receivers(step);
        watches.retain(|name, _| view.queues.iter().any(|queue| *queue.name == **name));
        for queue in &view.queues {
            let all: Vec<_> = queue.consumers.iter().map(who).collect();
            let consumers = queue.consumers.iter();
            let roomy = consumers.filter(|consumer| consumer.active && has_room(&view, consumer));
            let roomy: Vec<_> = roomy.map(who).collect();
            let received = receivers.remove(&*queue.name).unwrap_or_default();
            let watch = watches.entry(queue.name.to_string()).or_default();
            watch.see(&received, &all, &roomy)?;
        }
        Ok(())
    })?;
    Ok(())
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn windows_hold_and_no_message_waits_beside_room(program in ops(Profile::Everyday, 120)) {
        windows_hold_and_work_is_conserved(&program)?;
    }

    #[test]
    fn also_with_channel_windows(program in ops(Profile::Windows, 120)) {
        windows_hold_and_work_is_conserved(&program)?;
    }

    #[test]
    fn who_has_room_is_passed_over_by_each_other_once_at_most(
        program in ops(Profile::Everyday, 150)
    ) {
        nobody_is_passed_over(&program)?;
    }

    #[test]
    fn also_beside_consumers_that_block(program in ops(Profile::Windows, 150)) {
        nobody_is_passed_over(&program)?;
    }
}
