//! A record on the client's side says what the broker's own history says.

use leveret_broker::testing::trace::{Row, Viewpoint};

use crate::embedded;
use crate::judged::assert_right;

#[tokio::test]
async fn a_program_records_what_checkers_need() {
    let (recorded, _) = embedded::run().await;
    assert_eq!(recorded.viewpoint(), Viewpoint::Client);
    assert_right(&recorded);
}

#[tokio::test]
async fn the_record_and_the_history_laid_side_by_side_are_the_same() {
    let (recorded, history) = embedded::run().await;
    let channels = [("1.1", "publisher"), ("1.2", "first"), ("1.3", "second")];
    let history = channels
        .iter()
        .fold(history, |history, (number, name)| history.with_channel_called(number, name));
    let both = recorded.side_by_side(&history);
    let differences: Vec<_> =
        both.rows().iter().filter(|row| !matches!(row, Row::Both(_))).collect();
    let allowed = [
        // No history says that there was nothing to get.
        Row::Left("publisher  got nothing     from tasks".to_owned()),
        // The program did not close this channel by itself.
        Row::Right("publisher  channel closed".to_owned()),
    ];
    assert_eq!(differences, allowed.iter().collect::<Vec<_>>(), "\n{both}");
}

#[tokio::test]
async fn two_runs_are_the_same() {
    let (once, again) = (embedded::run().await.0, embedded::run().await.0);
    once.side_by_side(&again).assert_same();
}
