//! Where programs run here: each on a broker of its own, which is the RabbitMQ that the answers are from.

pub(crate) use leveret_client as lapin;

#[path = "calls.rs"]
mod calls;
#[path = "run.rs"]
pub(crate) mod run;

use crate::program::Op;
use lapin::{
    Broker, BrokerOptions, Clock, Connection, ConnectionProperties, ManualClock, RabbitMqVersion,
    Result,
};

pub(crate) struct Place(Broker);

impl Place {
    /// Names are told from keys, as they are on a server.
    pub(crate) fn prefix(&self) -> &'static str {
        "here-"
    }

    /// Everything has its effects at once.
    pub(crate) fn rounds(&self) -> usize {
        0
    }

    pub(crate) async fn connect(&self) -> Result<Connection> {
        Connection::connect(&self.0.uri(), ConnectionProperties::default()).await
    }
}

/// What is seen of a program on a new broker.
pub(crate) fn run_alone(ops: &[Op]) -> run::Seen {
    let options = BrokerOptions::default().with_version(RabbitMqVersion::V3_10);
    let broker = Broker::new(options.with_clock(Clock::manual(ManualClock::default())));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(run::run(ops, &Place(broker))).expect("an in-process broker is there")
}
