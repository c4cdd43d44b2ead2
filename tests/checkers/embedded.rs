//! The program that records, on an embedded broker.

pub(crate) use leveret_client as lapin;

#[path = "recorded.rs"]
pub(crate) mod recorded;

use lapin::testing::trace::Trace;
use lapin::{Broker, BrokerOptions};

/// What the program recorded, and what the broker says of it.
pub(crate) async fn run() -> (Trace, Trace) {
    let broker = Broker::new(BrokerOptions::default().with_history());
    let recorded = recorded::run(&broker.uri(), "").await.expect("the broker refuses nothing");
    (recorded, Trace::by_name(&broker.history()))
}
