//! What must hold when a test has returned.

use std::time::Duration;

use tokio::time::sleep;

use super::report::Reason;
use super::world::{Run, World};

/// Waits until everything has come to its end, and looks at what is left.
pub(super) async fn at_the_end(world: &World) -> Option<Reason> {
    world.settle().await;
    let run = &world.run;
    let (began, patience) = (world.now(), run.options.patience);
    run.look_for_losses();
    let mut interval = Duration::from_millis(1);
    while !run.options.unacked_may_stay && (unacked(run) > 0 || !run.node.is_up()) {
        let waited = world.now().saturating_sub(began);
        if waited > patience {
            return Some(Reason::Unacked { waited: patience, stand: stand(run) });
        }
        sleep(interval).await;
        interval = (interval * 2).min(Duration::from_secs(1));
    }
    run.node.broker().check_invariants().err().map(Reason::BrokerFailed)
}

impl Run {
    /// Fails the run if a broker has begun without what an earlier one had confirmed.
    pub(super) fn look_for_losses(&self) {
        let lost = self.node.lost_messages();
        if !lost.is_empty() && !self.options.confirmed_may_be_lost {
            self.fail(Reason::Lost(lost));
        }
    }
}

/// How many messages are held by consumers.
fn unacked(run: &Run) -> usize {
    run.node.broker().queues().iter().map(|queue| queue.messages_unacknowledged).sum()
}

/// How things stand, in lines.
pub(super) fn stand(run: &Run) -> Vec<String> {
    let broker = run.node.broker();
    let mut lines = Vec::new();
    if !run.node.is_up() {
        lines.push("no broker runs".to_owned());
    }
    for queue in broker.queues() {
        let (ready, held) = (queue.messages_ready, queue.messages_unacknowledged);
        let consumers = queue.consumers.len();
        lines.push(format!(
            "queue {}: {ready} ready, {held} unacknowledged, {consumers} consumers",
            queue.name
        ));
        for consumer in queue.consumers {
            let held = consumer.messages_unacknowledged;
            let (connection, channel) = (consumer.connection, consumer.channel);
            lines.push(format!(
                "  {} on channel {connection}.{channel} holds {held} of a window of {}",
                consumer.consumer_tag, consumer.prefetch_count
            ));
        }
    }
    for connection in broker.connections().iter().filter(|connection| connection.blocked) {
        lines.push(format!("connection {} is blocked", connection.number));
    }
    for process in &run.state.lock().processes {
        lines.push(process.line());
    }
    if lines.is_empty() {
        lines.push("there are no queues and no processes".to_owned());
    }
    lines
}
