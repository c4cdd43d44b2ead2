//! A broker on a disk that may die at any time, with any beginning of its last steps on the disk.

use leveret_broker::testing::worlds::{Consumer, May, Message, Picture, Queue, World};

use super::numbers;

fn world() -> World {
    World::new()
        .queue(Queue::new("tasks").durable())
        .publisher_confirms()
        .on_disk()
        .allow([May::Crash, May::Come, May::Ack, May::Requeue])
        .nothing_is_lost()
}

/// What is confirmed and was never settled is on the disk.
fn confirmed_is_durable(now: &Picture<'_, ()>) -> Result<(), String> {
    let found = now.on_disk().remove("tasks").unwrap_or_default();
    let unsettled = now.fates().filter(|(_, fate)| fate.confirmed > 0 && fate.acked == 0);
    match unsettled.map(|(body, _)| body).find(|body| !found.iter().any(|one| one == body)) {
        Some(body) => Err(format!("{body} is confirmed, and on the disk there is {found:?}")),
        None => Ok(()),
    }
}

#[test]
fn a_confirm_waits_for_the_disk_and_holds_for_ever() {
    let explored = world()
        .messages(["m1", "m2"], "tasks")
        .consumer(Consumer::new("ann", "tasks").prefetch(1).comes_later())
        .always("what is confirmed is on the disk", confirmed_is_durable)
        .always("nothing is there twice", |now| {
            let twice = ["m1", "m2"].into_iter().find(|one| now.count(one) > 1);
            twice.map_or(Ok(()), |one| Err(one.to_owned()))
        })
        .always("the disk keeps the order", |now| {
            let found = now.on_disk().remove("tasks").unwrap_or_default();
            if found.is_sorted() { Ok(()) } else { Err(found.join(" ")) }
        })
        .sometimes("an unconfirmed message survives", |now| {
            now.fate("m1").confirmed == 0 && now.unwritten() == 0 && now.ready("tasks") == ["m1"]
        })
        .sometimes("an unconfirmed message does not survive", |now| {
            now.fate("m1").published == 1
                && now.unwritten() == 0
                && now.count("m1") == 0
                && now.fate("m1").acked == 0
        })
        .sometimes("an acknowledged message comes back", |now| {
            now.fate("m1").acked == 1 && now.ready("tasks").contains(&"m1".to_owned())
        })
        .sometimes("a message is worked on before it is on the disk", |now| {
            now.held("ann") == ["m1"] && now.unwritten() == 1
        })
        .sometimes("everything is done, and on the disk", |now| {
            now.is_drained() && now.unwritten() == 0 && now.fate("m2").confirmed == 1
        })
        .can_always_drain()
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (457, 1331, 14));
}

#[test]
fn an_early_confirm_would_be_found() {
    let found = world()
        .messages(["m1"], "tasks")
        .always("what is published is on the disk", |now: &Picture<'_, ()>| {
            let found = now.on_disk().remove("tasks").unwrap_or_default();
            if now.fate("m1").published == 1 && found.is_empty() {
                return Err("it is not".to_owned());
            }
            Ok(())
        })
        .refute();
    assert_eq!(found.trace, ["publish m1 to tasks"]);
}

#[test]
fn what_is_transient_is_confirmed_at_once_but_not_before_what_came_first() {
    let explored = world()
        .message(Message::new("kept", "tasks"))
        .message(Message::new("transient", "tasks").transient())
        .message(Message::new("nowhere", "no queue").mandatory())
        .always("confirms come in order", |now| {
            let confirmed = ["kept", "transient", "nowhere"].map(|one| now.fate(one).confirmed);
            if confirmed.is_sorted_by(|one, next| one >= next) {
                Ok(())
            } else {
                Err(format!("{confirmed:?}"))
            }
        })
        // What is transient is lost when the broker dies, as it should be; so nobody dies here.
        .mishaps_at_most(0)
        .sometimes("two confirms wait for one record", |now| {
            let confirmed = ["kept", "transient"].map(|one| now.fate(one).confirmed);
            now.fate("transient").published == 1 && now.unwritten() == 1 && confirmed == [0, 0]
        })
        .always("nothing is confirmed before what was kept is on the disk", |now| {
            let found = now.on_disk().remove("tasks").unwrap_or_default();
            let confirmed = now.fates().find(|(_, fate)| fate.confirmed > 0);
            match confirmed.filter(|_| found != ["kept"]) {
                Some((body, _)) => Err(body.to_owned()),
                None => Ok(()),
            }
        })
        .sometimes("all are confirmed", |now| now.fate("nowhere").confirmed == 1)
        .always("nothing waits when all is written", |now| {
            let waits = now.fates().any(|(_, fate)| fate.published > fate.confirmed);
            if waits && now.unwritten() == 0 { Err("it does".to_owned()) } else { Ok(()) }
        })
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (7, 8, 4));
}

#[test]
fn a_full_queue_refuses_and_keeps_what_it_has() {
    let explored = World::new()
        .queue(Queue::new("tasks").durable().max_length(1).reject_publish())
        .messages(["m1", "m2", "m3"], "tasks")
        .publisher_confirms()
        .consumer(Consumer::new("ann", "tasks").prefetch(1).comes_later())
        .on_disk()
        .allow([May::Crash, May::Come, May::Ack])
        .mishaps_at_most(1)
        .nothing_is_lost()
        .always("what is refused is nowhere", |now| {
            let there = now.fates().find(|(body, fate)| fate.refused > 0 && now.count(body) > 0);
            there.map_or(Ok(()), |(body, _)| Err(body.to_owned()))
        })
        .always("what is confirmed is on the disk", confirmed_is_durable)
        .sometimes("one is refused while another waits for the disk", |now| {
            now.fate("m2").published == 1
                && now.fate("m2").refused == 0
                && now.unwritten() == 1
                && now.ready("tasks") == ["m1"]
                && now.count("m2") == 0
        })
        .sometimes("one is refused, and the next is taken", |now| {
            now.fate("m2").refused == 1 && now.fate("m3").confirmed == 1
        })
        .checking_keys()
        .verify();
    assert_eq!(numbers(&explored), (937, 1497, 14));
}
