//! Equations between programs: what composes, what undoes what, what changes nothing.

use std::collections::BTreeSet;

use leveret_broker::engine::{EngineView, MessageView};
use leveret_broker::protocol::{EventKind, Method, Record};
use leveret_broker::testing::{Act, Harness, Op, Profile, What, ops, program};
use proptest::prelude::*;

use crate::support::{cases, run};

/// The views of two engines agree but for what one says of the channel that closed.
fn refusals_change_nothing(program: &[Op]) -> Result<usize, TestCaseError> {
    let mut refused = 0;
    run(program, |before, act, after, step| {
        let closing = step.said.iter().find_map(|said| match &said.what {
            What::ChannelClose(_) => Some(false),
            What::ConnectionClose(_) => Some(true),
            _ => None,
        });
        let (connection, channel) = match act {
            Act::Open { connection, channel } | Act::Method { connection, channel, .. } => {
                (*connection, *channel)
            }
            _ => return Ok(()),
        };
        let Some(hard) = closing else {
            return Ok(());
        };
        refused += 1;
        // What remains is what remains if the channel, or the connection, had simply ended.
        let mut ended = before.clone();
        ended.act(&if hard {
            Act::Disconnect { connection }
        } else {
            Act::Method { connection, channel, method: Method::ChannelClose }
        });
        prop_assert_eq!(ended.view(), after.view(), "{:?}", act);
        prop_assert_eq!(&step.records, &ended_records(before, hard, connection, channel));
        Ok(())
    })?;
    Ok(refused)
}

/// The records of a channel's or connection's end.
fn ended_records(before: &Harness, hard: bool, connection: u64, channel: u16) -> Vec<Record> {
    let mut ended = before.clone();
    let step = if hard {
        ended.act(&Act::Disconnect { connection })
    } else {
        let id = ended.channel_id(connection, channel);
        ended.close(id)
    };
    step.records
}

/// The engine after a program, with the numbers of a channel that holds something.
fn holder(program: &[Op]) -> Option<(Harness, u64, u16, Vec<u64>)> {
    let harness = run(program, |_, _, _, _| Ok(())).ok()?;
    let channels = harness.engine().channel_views();
    let holder = channels.iter().max_by_key(|channel| channel.unacknowledged.len())?;
    let tags: Vec<_> = holder.unacknowledged.iter().map(|(tag, _)| *tag).collect();
    let (connection, number) = (holder.connection, holder.number);
    (!tags.is_empty()).then_some((harness, connection, number, tags))
}

/// What does not depend on who was served first: how many messages each queue has, wherever they are.
fn in_all(view: &EngineView) -> Vec<(String, usize)> {
    let queues = view.queues.iter();
    let counts = queues.map(|queue| {
        let messages = queue.messages_ready + queue.messages_unacknowledged;
        (queue.name.to_string(), messages)
    });
    counts.collect()
}

/// Cancels all consumers, so that what is settled goes to nobody.
fn silence(harness: &mut Harness) {
    for queue in harness.engine().queue_views() {
        for consumer in queue.consumers {
            let channel = harness.channel_id(consumer.connection, consumer.channel);
            harness.cancel(channel, &consumer.consumer_tag);
        }
    }
}

/// Ends with the same queues and the same channels.
fn same_queues(left: &Harness, right: &Harness) -> Result<(), TestCaseError> {
    prop_assert_eq!(left.view().queues, right.view().queues);
    Ok(())
}

fn acks_compose(program: &[Op], pick: usize) -> Result<(), TestCaseError> {
    let Some((mut together, connection, number, tags)) = holder(program) else {
        return Ok(());
    };
    let channel = together.channel_id(connection, number);
    let last = tags[pick % tags.len()];
    let meant: Vec<_> = tags.into_iter().filter(|tag| *tag <= last).collect();
    // With consumers, deliveries fall between the single acks, but the same messages are left.
    let mut one_by_one = together.clone();
    let mut quiet_together = together.clone();
    silence(&mut quiet_together);
    let mut quiet_one_by_one = quiet_together.clone();

    together.ack_multiple(channel, last);
    quiet_together.ack_multiple(channel, last);
    for tag in meant {
        one_by_one.ack(channel, tag);
        quiet_one_by_one.ack(channel, tag);
    }
    prop_assert_eq!(quiet_together.view(), quiet_one_by_one.view());
    prop_assert_eq!(in_all(&together.view()), in_all(&one_by_one.view()));
    Ok(())
}

fn close_is_nack_of_all(program: &[Op]) -> Result<(), TestCaseError> {
    let Some((mut closed, connection, number, _)) = holder(program) else {
        return Ok(());
    };
    silence(&mut closed);
    let channel = closed.channel_id(connection, number);
    let (mut nacked, mut recovered) = (closed.clone(), closed.clone());
    let mut backwards = closed.clone();
    closed.close(channel);
    nacked.requeue_multiple(channel, 0);
    recovered.recover(channel);
    let held = backwards.engine().channel_views();
    let own = held.iter().find(|view| (view.connection, view.number) == (connection, number));
    for (tag, _) in own.unwrap().unacknowledged.iter().rev() {
        backwards.requeue(channel, *tag);
    }
    same_queues(&closed, &nacked)?;
    same_queues(&closed, &recovered)?;
    same_queues(&closed, &backwards)
}

fn cancel_keeps_what_is_held(program: &[Op]) -> Result<(), TestCaseError> {
    run(program, |before, act, after, step| {
        let Act::Method { method: Method::BasicCancel { .. }, .. } = act else {
            return Ok(());
        };
        let held = |harness: &Harness| {
            let channels = harness.engine().channel_views();
            let held = channels.into_iter().map(|channel| channel.unacknowledged);
            held.collect::<Vec<_>>()
        };
        // Whoever succeeds a single active consumer gets messages at once; nothing else moves.
        let view = after.view();
        let mut more = BTreeSet::new();
        for event in &step.events {
            if let EventKind::Delivered { queue, message, .. } = &event.kind {
                more.insert(*message);
                let queue = view.queues.iter().find(|one| one.name == *queue).unwrap();
                prop_assert!(queue.single_active_consumer, "a delivery from {}", &queue.name);
            }
        }
        let mut held_after = held(after);
        held_after.iter_mut().for_each(|held| held.retain(|(_, message)| !more.contains(message)));
        prop_assert_eq!(held(before), held_after);
        Ok(())
    })?;
    Ok(())
}

/// Delivering and returning changes a queue in nothing but the flag.
fn nack_undoes_deliver(program: &[Op]) -> Result<(), TestCaseError> {
    let mut harness = run(program, |_, _, _, _| Ok(()))?;
    silence(&mut harness);
    let connection = harness.connect();
    let channel = harness.open(connection);
    for before in harness.engine().queue_views() {
        if before.exclusive {
            continue;
        }
        let ids = |messages: &[MessageView]| messages.iter().map(|one| one.id).collect::<Vec<_>>();
        let ids_before = ids(&harness.engine().ready_messages(&before.name).unwrap());
        while harness.get(channel, &before.name).lines()[0].contains("get-ok") {}
        harness.requeue_multiple(channel, 0);
        let queues = harness.engine().queue_views();
        let after = queues.iter().find(|queue| queue.name == before.name);
        prop_assert_eq!(after, Some(&before));
        let messages = harness.engine().ready_messages(&before.name).unwrap();
        prop_assert_eq!(ids(&messages), ids_before);
        prop_assert!(messages.iter().all(|message| message.redelivered));
    }
    Ok(())
}

/// The same commands twice give the same effects, and a clone goes the same way.
fn it_is_determined(program: &[Op]) -> Result<(), TestCaseError> {
    let mut first = Vec::new();
    run(program, |before, act, _, step| {
        let mut copy = before.clone();
        prop_assert_eq!(&copy.act(act), step, "a clone does otherwise");
        first.push(step.clone());
        Ok(())
    })?;
    let mut second = first.iter();
    run(program, |_, _, _, step| {
        prop_assert_eq!(Some(step), second.next());
        Ok(())
    })?;
    Ok(())
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_refused_command_does_nothing_but_end_its_channel_or_connection(
        program in ops(Profile::Churn, 100)
    ) {
        refusals_change_nothing(&program)?;
    }

    #[test]
    fn ack_multiple_is_the_single_acks(program in ops(Profile::Everyday, 80), pick in 0_usize..16) {
        acks_compose(&program, pick)?;
    }

    #[test]
    fn close_recover_and_nack_in_any_order_return_the_same(
        program in ops(Profile::Windows, 80)
    ) {
        close_is_nack_of_all(&program)?;
    }

    #[test]
    fn cancel_changes_nothing_that_is_held(program in ops(Profile::Everyday, 100)) {
        cancel_keeps_what_is_held(&program)?;
    }

    #[test]
    fn returning_undoes_delivering_up_to_the_flag(program in ops(Profile::Everyday, 80)) {
        nack_undoes_deliver(&program)?;
    }

    #[test]
    fn the_same_program_does_the_same(program in ops(Profile::Churn, 100)) {
        it_is_determined(&program)?;
    }
}

/// The random programs do make mistakes: otherwise the first law above would say nothing.
#[test]
fn programs_are_refused_often_enough() {
    let program = program(Profile::Churn, 1, 1000);
    let refused = refusals_change_nothing(&program).unwrap();
    assert!(refused > 30, "{refused} refusals");
}
