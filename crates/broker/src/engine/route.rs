//! Where a message goes: a pure function of the topology and the message's address.

use std::sync::Arc;

use super::Engine;
use crate::protocol::{Address, ChannelId, QueueId, Refusal, ReplyCode};

/// The outcome of routing.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Route {
    pub(super) address: Arc<Address>,
    /// The queue that takes the message; `None` if it is unroutable.
    pub(super) queue: Option<QueueId>,
}

impl Engine {
    /// Routes from a channel to `exchange` with `routing_key`.
    ///
    /// The default exchange, the only one, has every queue under its own name (S153).
    pub(super) fn route(
        &mut self,
        channel_id: ChannelId,
        exchange: &str,
        routing_key: &str,
    ) -> Result<Route, Refusal> {
        let channel = &mut self.channels[channel_id];
        if let Some((address, queue)) = &channel.last_route
            && &*address.routing_key == routing_key
            && &*address.exchange == exchange
            // The handle of a queue that was deleted names nothing, even if its name is back.
            && self.queues.contains_key(*queue)
        {
            return Ok(Route { address: Arc::clone(address), queue: Some(*queue) });
        }
        if !exchange.is_empty() {
            let vhost = &self.options.vhost;
            let text = format!("no exchange '{exchange}' in vhost '{vhost}'");
            return Err(Refusal::new(ReplyCode::NotFound, text));
        }
        let address = Address { exchange: exchange.into(), routing_key: routing_key.into() };
        let address = Arc::new(address);
        let queue = self.queue_index.get(routing_key);
        channel.last_route = queue.map(|queue| (Arc::clone(&address), queue));
        Ok(Route { address, queue })
    }
}
