//! The programs, and a test for each.

mod batches;
mod calls;
mod channels;
mod concurrent;
mod confirms;
mod delegates;
mod pool;
mod publish_subscribe;
mod retries;
mod routing;
mod rpc;
mod topics;
mod work_queues;

use std::time::Duration;

use crate::Subject;

/// What a program may take, on a busy machine.
const LATEST: Duration = Duration::from_secs(30);

/// A test for each program: it prints what is written beside it.
macro_rules! each_prints_its_output {
    ($($program:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $program() {
            let subject = Subject::start();
            let (uri, prefix) = (subject.uri(), subject.prefix());
            let printed = tokio::time::timeout(LATEST, $program::run(&uri, &prefix)).await;
            let printed = printed.expect("it ends").expect("the broker refuses nothing");
            assert_eq!(printed, $program::OUTPUT);
        }
    )+};
}

each_prints_its_output!(
    batches,
    calls,
    channels,
    concurrent,
    confirms,
    delegates,
    pool,
    publish_subscribe,
    retries,
    routing,
    rpc,
    topics,
    work_queues,
);
