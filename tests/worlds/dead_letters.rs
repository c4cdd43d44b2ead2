//! Dead letters in circles: they end, nothing is lost, and nothing is there twice.

use leveret_broker::testing::worlds::{Consumer, Do, May, Message, Picture, Queue, World};

use super::{in_one_place, numbers};

const MESSAGES: [&str; 2] = ["m1", "m2"];

/// Two queues, each of which sends its dead letters to the other.
fn circle(adjust: impl Fn(Queue) -> Queue) -> World {
    World::new()
        .queue(adjust(Queue::new("q1").dead_letters_to("q2")))
        .queue(adjust(Queue::new("q2").dead_letters_to("q1")))
        .messages(MESSAGES, "q1")
        .nothing_is_lost()
        .always("a message is in one place, or gone for one reason", |now| {
            in_one_place(now, &MESSAGES)
        })
}

#[test]
fn a_rejected_message_goes_round_as_long_as_it_is_rejected() {
    let explored = circle(|queue| queue)
        .consumer(Consumer::new("a", "q1").prefetch(1))
        .consumer(Consumer::new("b", "q2").prefetch(1))
        .allow([May::Ack, May::Reject, May::LoseConnection, May::Come])
        .always("nothing is dropped", |now| match now.fates().find(|(_, fate)| fate.dropped > 0) {
            Some((body, _)) => Err(body.to_owned()),
            None => Ok(()),
        })
        .sometimes("one has gone round", |now| {
            now.fate("m1").dead_lettered == 2 && now.held("a") == ["m1"]
        })
        .can_always_drain()
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (517, 1516, 16));
}

#[test]
fn what_expires_in_a_circle_ends_there() {
    let explored = circle(|queue| queue.ttl_ms(10))
        .consumer(Consumer::new("a", "q2").prefetch(1).comes_later())
        .allow([May::TimePasses, May::Ack, May::Reject, May::Requeue])
        .allow([May::Come, May::Cancel, May::LoseConnection])
        .sometimes("one expired twice, and is dropped", |now| {
            now.fate("m1").dropped == 1 && now.fate("m1").dead_lettered == 2
        })
        .sometimes("one expired, was rejected, and may go round once more", |now| {
            now.fate("m1").dead_lettered == 2 && now.count("m1") == 1
        })
        .can_always("all of it is gone", |now| {
            now.all_published() && MESSAGES.iter().all(|one| now.count(one) == 0)
        })
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (819, 3664, 19));
}

#[test]
fn what_is_too_much_in_a_circle_ends_there() {
    let explored = World::new()
        .queue(Queue::new("q1").dead_letters_to("q2").max_length(1))
        .queue(Queue::new("q2").dead_letters_to("q1").max_length(1))
        .messages(["m1", "m2", "m3"], "q1")
        .consumer(Consumer::new("a", "q2").prefetch(1).comes_later())
        .allow([May::Ack, May::Reject, May::Requeue, May::Come, May::LoseConnection])
        .nothing_is_lost()
        .always("a message is in one place, or gone for one reason", |now| {
            in_one_place(now, &["m1", "m2", "m3"])
        })
        .always("no queue has more than it may", |now| {
            match [now.ready("q1").len(), now.ready("q2").len()] {
                [0 | 1, 0 | 1] => Ok(()),
                counts => Err(format!("{counts:?}")),
            }
        })
        .sometimes("the oldest is dropped when it has been round", |now| {
            now.fate("m1").dropped == 1 && now.ready("q1") == ["m3"] && now.ready("q2") == ["m2"]
        })
        .sometimes("one is held, and comes back to a full queue", |now| {
            now.fate("m1").dropped == 1 && now.fate("m1").delivered == 1
        })
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (293, 620, 13));
}

/// What waits before it is tried again, as programs make it of a time to live and a dead letter.
#[test]
fn a_retry_with_a_delay_ends_where_the_handler_says() {
    let world = |gives_up: bool| {
        World::new()
            .queue(Queue::new("work").dead_letters_to("wait"))
            .queue(Queue::new("wait").dead_letters_to("work").ttl_ms(100))
            .queue(Queue::new("parked"))
            .messages(["fails"], "work")
            .consumer(Consumer::new("w", "work").prefetch(1).handler(move |_, task| {
                match task.deaths {
                    // Each attempt dies twice: rejected at work, expired while it waited.
                    4.. if gives_up => vec![Do::publish("parked", "gave up"), Do::Ack],
                    _ => vec![Do::Reject],
                }
            }))
            .allow([May::TimePasses, May::Die])
            .mishaps_at_most(1)
            .counting_to(4)
            .always("there is one of it, or it was given up", |now: &Picture<'_, ()>| {
                let there = now.count("fails") + now.count("gave up");
                match (now.fate("fails").published, there) {
                    (0, 0) | (1, 1..) => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            })
            .can_always("it has an end", |now| now.is_drained() && now.ready("wait").is_empty())
    };
    let explored = world(true).checking_keys().verify();
    assert_eq!(numbers(&explored), (34, 42, 10));
    let found = world(false).refute();
    assert_eq!((found.property.as_str(), found.trace.len()), ("it has an end", 0));
}

/// On a disk: the end of a message and the letter that it becomes are one step, so no crash parts them.
#[test]
fn no_crash_loses_or_doubles_a_dead_letter() {
    let explored = World::new()
        .queue(Queue::new("q1").durable().ttl_ms(10).dead_letters_to("q2"))
        .queue(Queue::new("q2").durable())
        .message(Message::new("m1", "q1"))
        .message(Message::new("m2", "q1").expiration_ms(5))
        .publisher_confirms()
        .consumer(Consumer::new("a", "q1").prefetch(1).comes_later())
        .on_disk()
        .allow([May::TimePasses, May::Crash, May::Reject, May::Come, May::Ack])
        .mishaps_at_most(2)
        .nothing_is_lost()
        .always("there is never more than one of a message", |now| {
            match MESSAGES.into_iter().find(|one| now.count(one) > 1) {
                Some(one) => Err(one.to_owned()),
                None => Ok(()),
            }
        })
        .always("nor on the disk", |now| {
            let found = now.on_disk();
            let count = |one: &str| found.values().flatten().filter(|body| *body == one).count();
            match MESSAGES.into_iter().find(|one| count(one) > 1) {
                Some(one) => Err(format!("{one}: {found:?}")),
                None => Ok(()),
            }
        })
        .sometimes("a letter is on the disk", |now| {
            now.on_disk().get("q2").is_some_and(|letters| letters == &["m2", "m1"])
        })
        .sometimes("what has expired is back, because that was not on the disk", |now| {
            now.fate("m1").dead_lettered == 1 && now.ready("q1") == ["m1"]
        })
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (8369, 13_821, 15));
}
