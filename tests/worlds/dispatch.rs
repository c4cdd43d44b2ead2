//! Who gets what: windows, turns, and work that is not left lying.

use leveret_broker::testing::worlds::{Consumer, Do, May, Message, Picture, Queue, World};

use super::{in_one_place, in_order, numbers};

type Now<'a> = Picture<'a, ()>;

const MESSAGES: [&str; 3] = ["m1", "m2", "m3"];

/// Two consumers of one queue with a window of one each, who settle in every way, leave, are lost, and come again.
fn two_workers() -> World {
    World::new()
        .queue(Queue::new("tasks"))
        .messages(MESSAGES, "tasks")
        .consumer(Consumer::new("ann", "tasks").prefetch(1))
        .consumer(Consumer::new("bob", "tasks").prefetch(1))
        .allow([May::Ack, May::Requeue, May::Reject])
        .allow([May::Cancel, May::Come, May::CloseChannel, May::LoseConnection])
        .nothing_is_lost()
        .always("a message is in one place", |now| in_one_place(now, &MESSAGES))
        .always("who gets a message gets the first", |now| in_order(now, "tasks"))
        .always("no window is exceeded", |now| windows(now, &["ann", "bob"]))
        .always("no message waits for who has room", |now| conserved(now, &["ann", "bob"]))
        .can_always_drain()
}

/// No consumer holds more than its window allows, since it came.
fn windows(now: &Now<'_>, consumers: &[&str]) -> Result<(), String> {
    let all = consumers.iter().filter_map(|tag| now.consumer(tag));
    let mut over = all.filter(|one| one.messages_unacknowledged > one.prefetch_count.into());
    over.next().map_or(Ok(()), |one| Err(format!("{} holds too much", one.consumer_tag)))
}

/// While a message is ready nobody has room.
fn conserved(now: &Now<'_>, consumers: &[&str]) -> Result<(), String> {
    let all = consumers.iter().filter_map(|tag| now.consumer(tag));
    let mut idle = all.filter(|one| one.messages_unacknowledged < one.prefetch_count.into());
    match idle.next() {
        Some(one) if !now.ready(&one.queue).is_empty() => {
            Err(format!("{} has room, and {:?} wait", one.consumer_tag, now.ready(&one.queue)))
        }
        _ => Ok(()),
    }
}

#[test]
fn two_workers_of_a_queue() {
    let explored = two_workers()
        .sometimes("both are at work", |now| {
            !now.held("ann").is_empty() && !now.held("bob").is_empty()
        })
        .sometimes("one holds more than the window, from before it cancelled", |now| {
            now.held("ann").len() == 2
        })
        .sometimes("what the one held goes to the other", |now| {
            let to_bob = now.handed_out().iter().any(|one| &*one.consumer == "bob");
            to_bob && now.handed_out()[0].redelivered && !now.is_here("ann")
        })
        .sometimes("everything is settled", |now| now.is_drained())
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (2824, 26668, 14));
}

/// Whoever was given the last message is the last to be tried for the next, of those who can be.
fn to_the_tail(now: &Now<'_>) -> Result<(), String> {
    let Some(last) = now.handed_out().last() else { return Ok(()) };
    let queue = &now.view().queues[0];
    let mut active = queue.consumers.iter().filter(|one| one.active).rev();
    match active.next() {
        Some(tail) if *tail.consumer_tag != *last.consumer => {
            let own = queue.consumers.iter().find(|one| *one.consumer_tag == *last.consumer);
            let stands = own.is_some_and(|own| own.active);
            let why = format!("{} is tried before {}", last.consumer, tail.consumer_tag);
            if stands { Err(why) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}

#[test]
fn consumers_take_turns() {
    let explored = World::new()
        .queue(Queue::new("tasks"))
        .messages(MESSAGES, "tasks")
        .consumer(Consumer::new("ann", "tasks").prefetch(2))
        .consumer(Consumer::new("bob", "tasks").prefetch(2))
        .consumer(Consumer::new("cid", "tasks").prefetch(2))
        .allow([May::Ack, May::Requeue])
        .always("who gets a message goes to the tail", to_the_tail)
        .always("who gets a message gets the first", |now| in_order(now, "tasks"))
        .always("nobody is passed over: fresh messages go round", |now| {
            // With room for all of it nobody gets a second fresh message before everybody had one.
            let fresh = now.fates().filter(|(_, fate)| fate.acked + fate.delivered > 0).count();
            let held = ["ann", "bob", "cid"].map(|tag| now.held(tag).len());
            let untouched = now.fates().all(|(_, fate)| fate.acked == 0);
            let redelivered = now.handed_out().iter().any(|one| one.redelivered);
            if untouched && !redelivered && fresh == 3 && held.iter().any(|one| *one > 2) {
                return Err(format!("{held:?}"));
            }
            Ok(())
        })
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (574, 2572, 14));
}

#[test]
fn nobody_gets_two_more_than_another_while_all_have_room() {
    let worker = |tag: &'static str| {
        Consumer::new(tag, "tasks").no_ack().handler(move |_, _| vec![Do::effect(tag)])
    };
    let explored = World::new()
        .queue(Queue::new("tasks"))
        .messages(["m1", "m2", "m3", "m4", "m5"], "tasks")
        .consumer(worker("ann"))
        .consumer(worker("bob"))
        .counting_to(5)
        .when_drained("the work is shared evenly", |now| {
            match (now.effect("ann"), now.effect("bob")) {
                (one, other) if one.abs_diff(other) <= 1 => Ok(()),
                counts => Err(format!("{counts:?}")),
            }
        })
        .sometimes("all of it is done", |now| now.effect("ann") + now.effect("bob") == 5)
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (34, 63, 10));
}

#[test]
fn a_lower_priority_gets_what_the_higher_has_no_room_for() {
    let explored = World::new()
        .queue(Queue::new("tasks"))
        .messages(MESSAGES, "tasks")
        .consumer(Consumer::new("first", "tasks").prefetch(1).priority(1))
        .consumer(Consumer::new("second", "tasks").prefetch(2))
        .allow([May::Ack, May::Requeue, May::LoseConnection, May::Come])
        .nothing_is_lost()
        .always("the second gets nothing while the first has room", |now| {
            let to_second = now.handed_out().iter().any(|one| &*one.consumer == "second");
            let room = now.consumer("first").is_some_and(|one| one.messages_unacknowledged == 0);
            if to_second && room { Err("it did".to_owned()) } else { Ok(()) }
        })
        .always("no message waits for who has room", |now| conserved(now, &["first", "second"]))
        .sometimes("both hold all they may", |now| now.held("second").len() == 2)
        .can_always_drain()
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (159, 783, 9));
}

#[test]
fn consumers_of_a_channel_share_its_window() {
    let on_one = |tag, queue| -> Consumer {
        Consumer::new(tag, queue).on_channel("shared").on_connection("one")
    };
    let explored = World::new()
        .queue(Queue::new("q1"))
        .queue(Queue::new("q2"))
        .messages(["m1", "m2"], "q1")
        .messages(["n1"], "q2")
        .consumer(on_one("a", "q1").channel_prefetch(2).prefetch(1))
        .consumer(on_one("b", "q1"))
        .consumer(on_one("c", "q2"))
        .allow([May::Ack, May::AckMultiple, May::Cancel, May::Come])
        .in_any_order()
        .nothing_is_lost()
        .always("together they hold at most two", |now| {
            let held: usize = ["a", "b", "c"].map(|tag| now.held(tag).len()).iter().sum();
            if held > 2 { Err(format!("{held}")) } else { Ok(()) }
        })
        .sometimes("a message waits, because of what is held of another queue", |now| {
            now.ready("q1") == ["m2"] && now.held("c") == ["n1"] && now.held("b").is_empty()
        })
        .can_always_drain()
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (5474, 37_196, 13));
}

#[test]
fn the_most_urgent_message_goes_first() {
    let explored = World::new()
        .queue(Queue::new("tasks").max_priority(2))
        .message(Message::new("low", "tasks"))
        .message(Message::new("middle", "tasks").priority(1))
        .message(Message::new("high", "tasks").priority(9))
        .consumer(Consumer::new("ann", "tasks").prefetch(1))
        .consumer(Consumer::new("bob", "tasks").prefetch(1).comes_later())
        .allow([May::Ack, May::Requeue, May::Come, May::LoseConnection])
        .in_any_order()
        .nothing_is_lost()
        .always("what waits is in order of urgency", |now| {
            let waiting: Vec<_> =
                now.ready_messages("tasks").iter().map(|one| one.priority).collect();
            if waiting.is_sorted_by(|one, next| one >= next) {
                Ok(())
            } else {
                Err(format!("{waiting:?}"))
            }
        })
        .always("who gets a message gets the most urgent", |now| {
            let urgency =
                |body: &str| ["low", "middle", "high"].iter().position(|one| *one == body);
            let waiting = now.ready("tasks").iter().map(|body| urgency(body)).max();
            let handed = now.handed_out().iter().map(|one| urgency(&one.body)).min();
            match (waiting, handed) {
                (Some(waiting), Some(handed)) if waiting > handed => Err(format!("{waiting:?}")),
                _ => Ok(()),
            }
        })
        .sometimes("what came last goes first", |now| {
            now.held("ann") == ["low"]
                && now.held("bob") == ["high"]
                && now.ready("tasks") == ["middle"]
        })
        .can_always_drain()
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (546, 2459, 8));
}

/// That a property is not true by being badly said: what is false is found.
#[test]
fn what_does_not_hold_is_found() {
    let found = two_workers()
        .always("nobody is ever given what another had", |now| {
            match now.handed_out().iter().find(|one| one.redelivered) {
                Some(one) => Err(format!("{} was {}", one.consumer, one.body)),
                None => Ok(()),
            }
        })
        .refute();
    assert_eq!(found.trace, ["publish m1 to tasks", "ann requeues m1"]);
    let found = two_workers().can_always("ann has come", |now| now.held("ann").len() == 3).refute();
    assert_eq!(found.property, "ann has come");
    let found = two_workers().sometimes("bob holds all", |now| now.held("bob").len() == 4).refute();
    assert_eq!(found.why, "nowhere: bob holds all");
}
