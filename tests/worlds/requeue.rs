//! Where a message stands that comes back.

use leveret_broker::protocol::types::AMQPValue;
use leveret_broker::protocol::{Cause, EventKind};
use leveret_broker::testing::worlds::{Consumer, May, Picture, Queue, World};

use super::{in_one_place, numbers};

const MESSAGES: [&str; 3] = ["m1", "m2", "m3"];

/// One consumer holds up to two messages of this queue and lets them go in every way; another may come.
fn world(queue: Queue) -> World {
    World::new()
        .queue(queue)
        .messages(MESSAGES, "tasks")
        .consumer(Consumer::new("ann", "tasks").prefetch(2))
        .consumer(Consumer::new("bob", "tasks").prefetch(1).comes_later())
        .allow([May::Ack, May::Requeue, May::Come, May::LoseConnection])
        .nothing_is_lost()
        .always("a message is in one place", |now| in_one_place(now, &MESSAGES))
        .can_always_drain()
}

/// The messages of the queue that were handed out before stand before those that never were.
fn returned_first(now: &Picture<'_, ()>) -> Result<(), String> {
    let ready = now.ready_messages("tasks");
    let marks: Vec<_> = ready.iter().map(|one| one.redelivered).collect();
    if marks.is_sorted_by(|one, next| one >= next) { Ok(()) } else { Err(format!("{ready:?}")) }
}

#[test]
fn to_its_old_place() {
    let explored = world(Queue::new("tasks"))
        .always("the queue is in the order of publishing", |now| {
            let ready = now.ready("tasks");
            if ready.is_sorted() { Ok(()) } else { Err(ready.join(" ")) }
        })
        .always("what was handed out stands before what was not", returned_first)
        .counting_deliveries_to(2)
        .always("what was handed out before is marked, and nothing else", |now| {
            let first = |body: &str| now.fate(body).delivered == 1;
            match now.handed_out().iter().find(|one| one.redelivered == first(&one.body)) {
                Some(one) => Err(format!("{} is marked {}", one.body, one.redelivered)),
                None => Ok(()),
            }
        })
        .sometimes("one comes back between others", |now| {
            let ready = now.ready_messages("tasks");
            let marks: Vec<_> = ready.iter().map(|one| (&*one.body, one.redelivered)).collect();
            marks == [("m2", true), ("m3", false)] && now.held("bob") == ["m1"]
        })
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (941, 4650, 11));
}

#[test]
fn of_a_quorum_queue_to_the_head_and_not_too_often() {
    let explored = world(Queue::new("tasks").quorum().delivery_limit(1))
        .always("what was handed out stands before what was not", returned_first)
        .always("it is dropped for coming back too often, and for nothing else", |now| {
            let limit = |kind: &EventKind| {
                matches!(kind, EventKind::Dropped { cause, .. } if *cause != Cause::DeliveryLimit)
            };
            match now.events().iter().find(|event| limit(&event.kind)) {
                Some(event) => Err(event.kind.to_string()),
                None => Ok(()),
            }
        })
        .sometimes("one came back too often", |now| now.fate("m1").dropped == 1)
        .sometimes("a later one comes back before an earlier one", |now| {
            now.ready("tasks") == ["m2", "m1"] || now.ready("tasks") == ["m2", "m1", "m3"]
        })
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (854, 4334, 10));
}

#[test]
fn of_a_quorum_queue_without_a_limit_to_the_tail() {
    let queue = Queue::new("tasks").quorum();
    let explored = world(queue.argument("x-delivery-limit", AMQPValue::LongInt(-1)))
        .counting_to(1)
        .always("what was sent back by hand stands last", |now| {
            let back = now.events().iter().rev().find_map(|event| match &event.kind {
                EventKind::Requeued { message, cause: Cause::Rejected, .. } => Some(*message),
                _ => None,
            });
            let ready = now.ready_messages("tasks");
            match (back, ready.last()) {
                (Some(back), Some(last)) if ready.iter().any(|one| one.id == back) => {
                    if last.id == back { Ok(()) } else { Err(format!("{ready:?}")) }
                }
                _ => Ok(()),
            }
        })
        .sometimes("the first stands behind the others", |now| {
            now.ready("tasks") == ["m3", "m1"] || now.ready("tasks") == ["m2", "m3", "m1"]
        })
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (1598, 8699, 12));
}
