//! Where a message goes: a pure function of the topology and of what is published.

use std::collections::BTreeSet;
use std::sync::Arc;

use smallvec::SmallVec;

use super::Engine;
use super::exchange::{Published, Target};
use super::reply_to::is_reply_name;
use crate::protocol::{Address, ConsumerId, ExchangeId, QueueId, Refusal, ReplyCode};

/// The queues that take a message, in the order of declaring, each once; none if it is unroutable.
pub(super) type Queues = SmallVec<[QueueId; 2]>;

/// Where a message goes.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) address: Arc<Address>,
    pub(super) queues: Queues,
    /// The consumers of answers that it is for.
    pub(super) replies: Vec<ConsumerId>,
    /// The state of the topology that it follows from; does not matter for the default exchange.
    topology: u64,
    /// Whether the next message with the same address goes the same way, as long as that state lasts.
    pub(super) lasts: bool,
}

/// What the bindings say.
struct Found {
    queues: Vec<(u64, QueueId)>,
    /// Whether another message with the same key goes the same way.
    by_key_alone: bool,
}

impl Engine {
    /// The exchange that a message is published to must be there, and take messages from clients.
    pub(super) fn check_exchange(&self, name: &str) -> Result<(), Refusal> {
        if name.is_empty() {
            return Ok(());
        }
        let exchange_id = self.exchange_index.get(name).ok_or_else(|| self.no_exchange(name))?;
        if self.exchanges[exchange_id].internal {
            let vhost = &self.options.vhost;
            let text = format!("cannot publish to internal exchange '{name}' in vhost '{vhost}'");
            return Err(Refusal::new(ReplyCode::AccessRefused, text));
        }
        Ok(())
    }

    /// Whether a message to this address goes where the one before went.
    pub(super) fn still_leads(&self, last: &Route, exchange: &str, routing_key: &str) -> bool {
        let Route { address, queues, topology, .. } = last;
        &*address.routing_key == routing_key
            && &*address.exchange == exchange
            && match (exchange, queues.as_slice()) {
                // The handle of a queue that was deleted names nothing, even if its name is back.
                ("", [queue]) => self.queues.contains_key(*queue),
                _ => *topology == self.topology,
            }
    }

    /// Where a message goes from an exchange; `None` is the default exchange.
    pub(super) fn route(&self, exchange: Option<ExchangeId>, published: Published<'_>) -> Route {
        let mut found = match exchange {
            None => self.route_by_default(published),
            Some(exchange) => self.route_from(exchange, published),
        };
        found.queues.sort_unstable();
        found.queues.dedup();
        let queues: Queues = found.queues.into_iter().map(|(_, queue)| queue).collect();
        let replies = if exchange.is_none() { self.replies_to(published) } else { Vec::new() };
        let routing_key = published.routing_key.into();
        let exchange = exchange.map_or_else(|| "".into(), |id| self.exchanges[id].name.clone());
        // A queue that is declared later gets what the default exchange could not route.
        let lasts = found.by_key_alone && !(exchange.is_empty() && queues.is_empty());
        let address = Arc::new(Address { exchange, routing_key });
        Route { address, queues, replies, topology: self.topology, lasts }
    }

    /// The default exchange has every queue under its own name (S153).
    fn route_by_default(&self, published: Published<'_>) -> Found {
        let queues = published.keys().filter_map(|key| self.queue_index.get(key));
        let queues = queues.map(|queue| (self.queues[queue].number, queue)).collect();
        Found { queues, by_key_alone: published.more_keys.is_empty() }
    }

    /// Those whose names are among the keys, each once.
    fn replies_to(&self, published: Published<'_>) -> Vec<ConsumerId> {
        let names = published.keys().filter(|key| is_reply_name(key));
        let replies = names.filter_map(|name| self.reply_index.get(name));
        let replies: BTreeSet<_> = replies.collect();
        replies.into_iter().collect()
    }

    /// Goes from exchange to exchange, to each once (S157). One where nothing matches hands over to its
    /// alternate exchange, if that is there (S158).
    fn route_from(&self, first: ExchangeId, published: Published<'_>) -> Found {
        let mut queues = Vec::new();
        let mut by_key_alone = published.more_keys.is_empty();
        let mut seen = BTreeSet::new();
        let mut ahead: SmallVec<[ExchangeId; 4]> = SmallVec::from_slice(&[first]);
        while let Some(exchange_id) = ahead.pop() {
            let exchange = &self.exchanges[exchange_id];
            by_key_alone &= exchange.goes_by_key();
            let mut visit = |exchange: ExchangeId| {
                if exchange != first && seen.insert(exchange) {
                    ahead.push(exchange);
                }
            };
            let mut matched = false;
            exchange.matcher.for_each_match(published, &mut |target| {
                matched = true;
                match target {
                    Target::Queue(number, queue) => queues.push((number, queue)),
                    Target::Exchange(_, exchange) => visit(exchange),
                }
            });
            if !matched && let Some(alternate) = exchange.alternate() {
                self.exchange_index.get(alternate).map(visit);
            }
        }
        Found { queues, by_key_alone }
    }
}
