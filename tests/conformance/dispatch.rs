//! Who gets the next message.

use crate::stage::{
    Stage, ack, cancel, close, consume, consume_no_ack, get, heard, publish, publish_range, qos,
    qos_global, range, ready, subscribe,
};

#[tokio::test]
async fn s1_the_first_to_subscribe_gets_the_first_message_then_in_turn() {
    let s = Stage::new().await;
    let second_channel = s.open().await;
    let (_elsewhere, other_connection) = s.elsewhere().await;
    let mut a = consume(&second_channel, &s.q, "z").await;
    let mut b = consume(&other_connection, &s.q, "m").await;
    let mut c = consume(&s.channel, &s.q, "a").await;
    publish(&s.channel, &s.q, "m1 m2 m3 m4 m5").await;
    assert_eq!(heard(&mut a).await, "m1 m4");
    assert_eq!(heard(&mut b).await, "m2 m5");
    assert_eq!(heard(&mut c).await, "m3");
}

#[tokio::test]
async fn s1_consumers_of_one_channel_take_turns() {
    let s = Stage::new().await;
    let [mut a, mut b, mut c] = subscribe(&s.channel, &s.q, ["a", "b", "c"]).await;
    publish(&s.channel, &s.q, "m1 m2 m3 m4").await;
    assert_eq!(heard(&mut a).await, "m1 m4");
    assert_eq!(heard(&mut b).await, "m2");
    assert_eq!(heard(&mut c).await, "m3");
}

#[tokio::test]
async fn s2_a_newcomer_goes_to_the_tail_of_the_rotation_as_it_stands() {
    let s = Stage::new().await;
    let [mut a, mut b] = subscribe(&s.channel, &s.q, ["a", "b"]).await;
    publish(&s.channel, &s.q, "m1").await;
    let mut c = consume(&s.channel, &s.q, "c").await;
    publish(&s.channel, &s.q, "m2 m3 m4 m5").await;
    assert_eq!(heard(&mut a).await, "m1 m3");
    assert_eq!(heard(&mut b).await, "m2 m5");
    assert_eq!(heard(&mut c).await, "m4");
}

#[tokio::test]
async fn s2_a_newcomer_waits_for_all_who_were_there_in_mid_rotation() {
    let s = Stage::new().await;
    let [mut a, mut b, mut c] = subscribe(&s.channel, &s.q, ["a", "b", "c"]).await;
    publish(&s.channel, &s.q, "m1 m2").await;
    let mut d = consume(&s.channel, &s.q, "d").await;
    publish(&s.channel, &s.q, "m3 m4 m5 m6").await;
    assert_eq!(heard(&mut a).await, "m1 m4");
    assert_eq!(heard(&mut b).await, "m2 m5");
    assert_eq!(heard(&mut c).await, "m3");
    assert_eq!(heard(&mut d).await, "m6");
}

#[tokio::test]
async fn s3_those_who_stay_keep_their_order_when_one_leaves() {
    let s = Stage::new().await;
    let [mut a, mut b, mut c] = subscribe(&s.channel, &s.q, ["a", "b", "c"]).await;
    publish(&s.channel, &s.q, "m1").await;
    cancel(&s.channel, "b").await;
    publish(&s.channel, &s.q, "m2 m3 m4").await;
    assert_eq!(heard(&mut a).await, "m1 m3");
    assert_eq!(heard(&mut b).await, "");
    assert_eq!(heard(&mut c).await, "m2 m4");
}

#[tokio::test]
async fn s3_one_who_leaves_and_returns_is_last() {
    let s = Stage::new().await;
    let [mut a, _b, mut c] = subscribe(&s.channel, &s.q, ["a", "b", "c"]).await;
    cancel(&s.channel, "b").await;
    let mut b = consume(&s.channel, &s.q, "b").await;
    publish(&s.channel, &s.q, "m1 m2 m3 m4").await;
    assert_eq!(heard(&mut a).await, "m1 m4");
    assert_eq!(heard(&mut c).await, "m2");
    assert_eq!(heard(&mut b).await, "m3");
}

#[tokio::test]
async fn s4_a_full_consumer_that_settles_before_its_turn_has_lost_nothing() {
    let s = Stage::new().await;
    qos(&s.channel, 1).await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    qos(&s.channel, 0).await;
    let [mut b, mut c] = subscribe(&s.channel, &s.q, ["b", "c"]).await;
    publish(&s.channel, &s.q, "m1 m2").await;
    ack(&s.channel, 1).await;
    publish(&s.channel, &s.q, "m3 m4 m5").await;
    assert_eq!(heard(&mut a).await, "m1 m4");
    assert_eq!(heard(&mut b).await, "m2 m5");
    assert_eq!(heard(&mut c).await, "m3");
}

#[tokio::test]
async fn s5_one_that_was_set_aside_returns_to_the_tail() {
    let s = Stage::new().await;
    qos(&s.channel, 1).await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    qos(&s.channel, 0).await;
    let [mut b, mut c] = subscribe(&s.channel, &s.q, ["b", "c"]).await;
    publish(&s.channel, &s.q, "m1 m2 m3 m4 m5 m6").await;
    assert_eq!(heard(&mut a).await, "m1");
    assert_eq!(heard(&mut b).await, "m2 m4 m6");
    assert_eq!(heard(&mut c).await, "m3 m5");
    ack(&s.channel, 1).await;
    publish(&s.channel, &s.q, "m7 m8 m9 m10").await;
    assert_eq!(heard(&mut c).await, "m7 m10");
    assert_eq!(heard(&mut b).await, "m8");
    assert_eq!(heard(&mut a).await, "m9");
}

#[tokio::test]
async fn s6_those_set_aside_return_in_the_order_in_which_they_got_room() {
    let s = Stage::new().await;
    qos(&s.channel, 1).await;
    let [mut a, mut b, mut c] = subscribe(&s.channel, &s.q, ["a", "b", "c"]).await;
    publish(&s.channel, &s.q, "m1 m2 m3 m4").await;
    // The fourth found nobody, which set all three aside; now nothing waits.
    let other = s.open().await;
    let fourth = get(&other, &s.q).await.unwrap();
    assert_eq!(fourth.data, b"m4");
    for tag in [3, 1, 2] {
        ack(&s.channel, tag).await;
    }
    publish(&s.channel, &s.q, "m5 m6 m7").await;
    assert_eq!(heard(&mut c).await, "m3 m5");
    assert_eq!(heard(&mut a).await, "m1 m6");
    assert_eq!(heard(&mut b).await, "m2 m7");
}

#[tokio::test]
async fn s7_with_everybody_full_the_one_that_acks_gets_the_head_at_once() {
    let s = Stage::new().await;
    qos(&s.channel, 1).await;
    let [mut a, mut b, mut c] = subscribe(&s.channel, &s.q, ["a", "b", "c"]).await;
    publish(&s.channel, &s.q, "m1 m2 m3 m4 m5").await;
    ack(&s.channel, 3).await;
    assert_eq!(heard(&mut c).await, "m3 m4");
    ack(&s.channel, 1).await;
    assert_eq!(heard(&mut a).await, "m1 m5");
    assert_eq!(heard(&mut b).await, "m2");
}

#[tokio::test]
async fn s8_consumers_of_a_full_channel_return_together_in_the_order_of_setting_aside() {
    let s = Stage::new().await;
    let limited = s.open().await;
    qos_global(&limited, 1).await;
    let [mut a, mut b] = subscribe(&limited, &s.q, ["a", "b"]).await;
    let mut c = consume(&s.channel, &s.q, "c").await;
    publish(&s.channel, &s.q, "m1 m2 m3 m4").await;
    assert_eq!(heard(&mut a).await, "m1");
    assert_eq!(heard(&mut c).await, "m2 m3 m4");
    ack(&limited, 1).await;
    publish(&s.channel, &s.q, "m5 m6 m7").await;
    assert_eq!(heard(&mut c).await, "m5 m7");
    assert_eq!(heard(&mut b).await, "m6");
    assert_eq!(heard(&mut a).await, "");
}

#[tokio::test]
async fn s9_an_unlimited_consumer_takes_the_whole_backlog() {
    let s = Stage::new().await;
    publish_range(&s.channel, &s.q, 1, 50).await;
    let [mut a, mut b] = subscribe(&s.channel, &s.q, ["a", "b"]).await;
    assert_eq!(heard(&mut a).await, range(1, 50));
    assert_eq!(heard(&mut b).await, "");
}

#[tokio::test]
async fn s11_with_a_window_a_backlog_is_shared_as_consumers_come() {
    let s = Stage::new().await;
    publish_range(&s.channel, &s.q, 1, 6).await;
    qos(&s.channel, 2).await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    assert_eq!(heard(&mut a).await, "m1 m2");
    let mut b = consume(&s.channel, &s.q, "b").await;
    assert_eq!(heard(&mut b).await, "m3 m4");
    ack(&s.channel, 1).await;
    assert_eq!(heard(&mut a).await, "m5");
    assert_eq!(ready(&s.channel, &s.q).await, 1);
}

#[tokio::test]
async fn s11_two_that_wait_share_what_is_published_up_to_their_windows() {
    let s = Stage::new().await;
    qos(&s.channel, 2).await;
    let [mut a, mut b] = subscribe(&s.channel, &s.q, ["a", "b"]).await;
    publish_range(&s.channel, &s.q, 1, 6).await;
    assert_eq!(heard(&mut a).await, "m1 m3");
    assert_eq!(heard(&mut b).await, "m2 m4");
    assert_eq!(ready(&s.channel, &s.q).await, 2);
}

#[tokio::test]
async fn s12_one_that_joins_while_others_are_full_gets_what_waits() {
    let s = Stage::new().await;
    qos(&s.channel, 1).await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    publish(&s.channel, &s.q, "m1 m2 m3").await;
    qos(&s.channel, 0).await;
    let mut b = consume(&s.channel, &s.q, "b").await;
    assert_eq!(heard(&mut a).await, "m1");
    assert_eq!(heard(&mut b).await, "m2 m3");
}

#[tokio::test]
async fn s12_what_waits_behind_a_full_consumer_goes_to_the_next_when_that_one_leaves() {
    let s = Stage::new().await;
    let leaving = s.open().await;
    qos(&leaving, 1).await;
    let mut a = consume(&leaving, &s.q, "a").await;
    publish(&s.channel, &s.q, "m1 m2").await;
    assert_eq!(heard(&mut a).await, "m1");
    close(&leaving).await;
    let mut b = consume(&s.channel, &s.q, "b").await;
    assert_eq!(heard(&mut b).await, "m1* m2");
}

#[tokio::test]
async fn s13_a_get_does_not_touch_the_rotation() {
    let s = Stage::new().await;
    let [mut a, mut b] = subscribe(&s.channel, &s.q, ["a", "b"]).await;
    publish(&s.channel, &s.q, "m1").await;
    assert_eq!(get(&s.channel, &s.q).await, None);
    publish(&s.channel, &s.q, "m2 m3").await;
    assert_eq!(heard(&mut a).await, "m1 m3");
    assert_eq!(heard(&mut b).await, "m2");
}

#[tokio::test]
async fn s13_consumers_without_acks_take_turns_with_the_others() {
    let s = Stage::new().await;
    let mut a = consume(&s.channel, &s.q, "a").await;
    let mut n = consume_no_ack(&s.channel, &s.q, "n").await;
    let mut b = consume(&s.channel, &s.q, "b").await;
    publish(&s.channel, &s.q, "m1 m2 m3 m4 m5").await;
    assert_eq!(heard(&mut a).await, "m1 m4");
    assert_eq!(heard(&mut n).await, "m2 m5");
    assert_eq!(heard(&mut b).await, "m3");
}

#[tokio::test]
async fn s14_each_consumer_receives_in_the_order_of_publishing() {
    let s = Stage::new().await;
    let [mut a, mut b] = subscribe(&s.channel, &s.q, ["a", "b"]).await;
    publish_range(&s.open().await, &s.q, 1, 200).await;
    let of = |first: u32| {
        let numbers = (first..=200).step_by(2).map(|number| format!("m{number}"));
        numbers.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(heard(&mut a).await, of(1));
    assert_eq!(heard(&mut b).await, of(2));
}
