//! What is asked of a record, whichever broker it was made on.

use leveret_client::testing::checkers::{
    exclusive, first_deliveries_in_order, no_wrong_empty, queue_linearizable, redelivered_exact,
    requeued_to_place, total_queue, window, work_conservation,
};
use leveret_client::testing::trace::Trace;

/// Every checker that a client's record allows has looked at something, and is content.
pub(crate) fn assert_right(trace: &Trace) {
    let checkers = [
        exclusive,
        first_deliveries_in_order,
        no_wrong_empty,
        queue_linearizable,
        redelivered_exact,
        requeued_to_place,
        total_queue,
        window,
        work_conservation,
    ];
    for checker in checkers {
        let verdict = checker(trace);
        assert!(verdict.holds(), "{verdict}\n{trace}");
    }
}
