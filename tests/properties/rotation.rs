//! Whose turn it is: laws of the rotation, watched from outside.
//!
//! A consumer *has room* when neither its own window nor its channel's is full. While it has, no other
//! consumer of its priority gets two messages between two of its own. So among k consumers at most k − 1 deliveries pass
//! one by; and two that have room take turns, so that over any interval their counts differ by one at most.

use std::collections::{BTreeMap, BTreeSet};

use leveret_broker::engine::{ActivityStatus, ChannelView, ConsumerView, EngineView, QueueView};
use leveret_broker::protocol::EventKind;
use leveret_broker::testing::{Op, Profile, Step, What, ops, program};
use proptest::prelude::*;

use crate::support::{cases, run};

/// A consumer by connection, channel and tag.
type Who = (u64, u16, String);

/// The consumers that are passed by here, and their priorities.
type Priorities = BTreeMap<Who, i64>;

fn who(consumer: &ConsumerView) -> Who {
    let tag = consumer.consumer_tag.to_string();
    (consumer.connection, consumer.channel, tag)
}

/// The deliveries that `basic.get` took, by connection, channel and tag: no window counts them.
#[derive(Default)]
struct Got(BTreeSet<(u64, u16, u64)>);

impl Got {
    fn learn(&mut self, step: &Step) {
        for said in &step.said {
            let channel = (said.connection, said.channel.unwrap_or(0));
            match said.what {
                What::GetOk { tag, .. } => {
                    self.0.insert((channel.0, channel.1, tag));
                }
                // A number that is opened again counts anew.
                What::ChannelOpenOk => self.0.retain(|got| (got.0, got.1) != channel),
                _ => {}
            }
        }
    }

    /// What a channel's window counts.
    fn held(&self, channel: &ChannelView) -> usize {
        let key = |tag| (channel.connection, channel.number, tag);
        let held = channel.unacknowledged.iter();
        held.filter(|(tag, _)| !self.0.contains(&key(*tag))).count()
    }

    /// Whether neither the consumer's window nor its channel's is full.
    fn leaves_room(&self, view: &EngineView, consumer: &ConsumerView) -> bool {
        let same = |channel: &&ChannelView| {
            (channel.connection, channel.number) == (consumer.connection, consumer.channel)
        };
        let channel = view.channels.iter().find(same).unwrap();
        let own = usize::from(consumer.prefetch_count);
        let global = usize::from(channel.global_prefetch_count);
        !consumer.ack_required
            || ((own == 0 || consumer.messages_unacknowledged < own)
                && (global == 0 || self.held(channel) < global))
    }
}

/// The receivers of a step's deliveries, by queue.
fn receivers(step: &Step) -> BTreeMap<String, Vec<Who>> {
    let mut receivers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in &step.events {
        if let EventKind::Delivered { queue, consumer_tag: Some(tag), .. } = &event.kind {
            let who = (event.connection.unwrap(), event.channel.unwrap(), tag.to_string());
            receivers.entry(queue.to_string()).or_default().push(who);
        }
    }
    receivers
}

/// Windows hold, and nobody with room waits beside a message.
fn windows_hold_and_work_is_conserved(program: &[Op]) -> Result<(), TestCaseError> {
    let mut got = Got::default();
    run(program, |_, _, after, step| {
        got.learn(step);
        let view = after.view();
        for queue in &view.queues {
            for consumer in &queue.consumers {
                let own = usize::from(consumer.prefetch_count);
                let kept = own == 0 || consumer.messages_unacknowledged <= own;
                prop_assert!(kept, "{:?}", consumer);
                let waits = consumer.activity_status == ActivityStatus::Waiting;
                let has_room = !waits && got.leaves_room(&view, consumer);
                let idle = queue.messages_ready > 0 && has_room;
                prop_assert!(!idle, "{:?} idles", consumer);
            }
        }
        for channel in &view.channels {
            // A window may shrink below what is held, but nothing is delivered into a full one.
            let delivered = step.said.iter().any(|said| match said.what {
                What::Deliver { tag, .. } => {
                    let held = &channel.unacknowledged;
                    (said.connection, said.channel) == (channel.connection, Some(channel.number))
                        && held.iter().any(|(held, _)| *held == tag)
                }
                _ => false,
            });
            let (held, global) = (got.held(channel), usize::from(channel.global_prefetch_count));
            let kept = !delivered || global == 0 || held <= global;
            prop_assert!(kept, "{} held, {} allowed", held, global);
        }
        Ok(())
    })?;
    Ok(())
}

/// Who has room before a step and after it had room all the while, and then nobody of a lower priority
/// got a message. (Who has room again, but is parked with its channel, comes back behind what the step does
/// first.)
fn higher_ones_come_first(program: &[Op]) -> Result<usize, TestCaseError> {
    let mut got = Got::default();
    let mut lower_ones = 0;
    run(program, |before, _, after, step| {
        let (old, view) = (before.view(), after.view());
        let mut had_room = BTreeSet::new();
        for queue in &old.queues {
            let roomy = queue.consumers.iter().filter(|one| got.leaves_room(&old, one));
            had_room.extend(roomy.map(|one| (queue.name.clone(), who(one))));
        }
        got.learn(step);
        let receivers = receivers(step);
        for queue in &view.queues {
            let priorities: Priorities =
                queue.consumers.iter().map(|one| (who(one), one.priority)).collect();
            for receiver in receivers.get(&*queue.name).into_iter().flatten() {
                for consumer in &queue.consumers {
                    let waits = consumer.activity_status == ActivityStatus::Waiting;
                    let higher = !waits && consumer.priority > priorities[receiver];
                    lower_ones += usize::from(higher);
                    let had_room = had_room.contains(&(queue.name.clone(), who(consumer)));
                    let passed_over = higher && had_room && got.leaves_room(&view, consumer);
                    prop_assert!(!passed_over, "{:?} got one beside {:?}", receiver, consumer);
                }
            }
        }
        Ok(())
    })?;
    Ok(lower_ones)
}

/// The messages of a queue with a single active consumer go to it alone, and it stays that one until it
/// leaves.
fn one_consumer_has_it_all(program: &[Op]) -> Result<usize, TestCaseError> {
    let mut successions = 0;
    run(program, |before, _, after, step| {
        let (before, after) = (before.view(), after.view());
        let receivers = receivers(step);
        let active = |queue: &QueueView| {
            let status = ActivityStatus::SingleActive;
            let one = queue.consumers.iter().find(|one| one.activity_status == status);
            prop_assert_eq!(
                one.map(|one| &one.consumer_tag),
                queue.single_active_consumer_tag.as_ref()
            );
            Ok(one.map(who))
        };
        for queue in after.queues.iter().filter(|queue| queue.single_active_consumer) {
            let now = active(queue)?;
            for receiver in receivers.get(&*queue.name).into_iter().flatten() {
                prop_assert_eq!(Some(receiver), now.as_ref());
            }
            let Some(old) = before.queues.iter().find(|old| old.name == queue.name) else {
                continue;
            };
            let then = active(old)?;
            if then != now && then.is_some() {
                let stayed = queue.consumers.iter().any(|one| Some(who(one)) == then);
                prop_assert!(!stayed, "{:?} was displaced by {:?}", then, now);
                successions += usize::from(now.is_some());
            }
        }
        Ok(())
    })?;
    Ok(successions)
}

/// One queue's rotation since each consumer last had a turn, or came.
#[derive(Debug, Default)]
struct Watch {
    /// Who got one since this one did, or since it has room.
    passed_by: BTreeMap<Who, BTreeSet<Who>>,
}

impl Watch {
    fn see(
        &mut self,
        receivers: &[Who],
        roomy: &[Who],
        priorities: &Priorities,
    ) -> Result<(), TestCaseError> {
        // Only those who had room before and have it after had it all the while; the others start anew.
        self.passed_by.retain(|who, _| roomy.contains(who));
        for receiver in receivers {
            for (who, passed_by) in &mut self.passed_by {
                if who == receiver {
                    passed_by.clear();
                } else if priorities[who] == priorities[receiver] {
                    let once = passed_by.insert(receiver.clone());
                    prop_assert!(once, "{:?} got two while {:?} had room", receiver, who);
                }
            }
        }
        for who in roomy {
            self.passed_by.entry(who.clone()).or_default();
        }
        Ok(())
    }
}

fn nobody_is_passed_over(program: &[Op]) -> Result<(), TestCaseError> {
    let mut watches: BTreeMap<String, Watch> = BTreeMap::new();
    let mut got = Got::default();
    run(program, |_, _, after, step| {
        got.learn(step);
        let view = after.view();
        let mut receivers = receivers(step);
        watches.retain(|name, _| view.queues.iter().any(|queue| *queue.name == **name));
        for queue in &view.queues {
            let consumers = queue.consumers.iter();
            let roomy =
                consumers.filter(|consumer| consumer.active && got.leaves_room(&view, consumer));
            let roomy: Vec<_> = roomy.map(who).collect();
            let priorities = queue.consumers.iter().map(|one| (who(one), one.priority)).collect();
            let received = receivers.remove(&*queue.name).unwrap_or_default();
            let watch = watches.entry(queue.name.to_string()).or_default();
            watch.see(&received, &roomy, &priorities)?;
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

    #[test]
    fn no_lower_priority_is_served_while_a_higher_one_has_room(
        program in ops(Profile::Windows, 150)
    ) {
        higher_ones_come_first(&program)?;
    }

    #[test]
    fn one_consumer_is_active_until_it_leaves(program in ops(Profile::Churn, 150)) {
        one_consumer_has_it_all(&program)?;
    }
}

/// The random programs do come to that: otherwise the laws above would say nothing.
#[test]
fn programs_pass_by_higher_ones_and_let_consumers_succeed_each_other() {
    let lower_ones = higher_ones_come_first(&program(Profile::Windows, 1, 1000)).unwrap();
    assert!(lower_ones > 10, "{lower_ones} deliveries to lower ones");
    let successions = one_consumer_has_it_all(&program(Profile::Churn, 1, 3000)).unwrap();
    assert!(successions > 2, "{successions} successions");
}
