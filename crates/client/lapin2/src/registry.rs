//! What a connection has declared so far, kept for [`Connection::topology`](crate::Connection::topology).

use std::sync::Arc;

use leveret_client as client;
use leveret_client::facade::ConsumerWatch;
use parking_lot::Mutex;

use crate::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use crate::topology::{
    BindingDefinition, ChannelDefinition, ConsumerDefinition, ExchangeDefinition, QueueDefinition,
    TopologyDefinition,
};
use crate::types::{ChannelId, FieldTable, ShortString};
use crate::{Consumer, ExchangeKind};

/// A connection's own; its channels have handles to it.
#[derive(Clone, Default)]
pub(crate) struct Registry(Arc<Mutex<Declared>>);

#[derive(Default)]
struct Declared {
    exchanges: Vec<ExchangeDefinition>,
    queues: Vec<DeclaredQueue>,
    channels: Vec<OpenChannel>,
}

struct DeclaredQueue {
    definition: QueueDefinition,
    /// The channel that declared it, if it is exclusive.
    of: Option<ChannelId>,
}

struct OpenChannel {
    id: ChannelId,
    status: client::ChannelStatus,
    consumers: Vec<(ConsumerWatch, ConsumerDefinition)>,
}

impl Registry {
    /// A channel was opened. Those that have closed are forgotten.
    pub(crate) fn opened(&self, channel: &client::Channel) {
        let (id, status) = (channel.id(), channel.status().clone());
        let mut declared = self.0.lock();
        declared.channels.retain(|channel| channel.status.connected());
        declared.channels.push(OpenChannel { id, status, consumers: Vec::new() });
    }

    pub(crate) fn exchange_declared(
        &self,
        name: ShortString,
        kind: ExchangeKind,
        options: ExchangeDeclareOptions,
        arguments: FieldTable,
    ) {
        let mut declared = self.0.lock();
        let exchange = declared.exchange(name);
        (exchange.kind, exchange.options) = (Some(kind), Some(options));
        exchange.arguments = Some(arguments);
    }

    pub(crate) fn exchange_deleted(&self, name: &str) {
        self.0.lock().exchanges.retain(|exchange| exchange.name.as_str() != name);
    }

    pub(crate) fn exchange_bound(&self, name: ShortString, binding: BindingDefinition) {
        self.0.lock().exchange(name).bindings.push(binding);
    }

    pub(crate) fn exchange_unbound(&self, name: &str, binding: &BindingDefinition) {
        let mut declared = self.0.lock();
        for exchange in &mut declared.exchanges {
            if exchange.name.as_str() == name {
                exchange.bindings.retain(|bound| !same(bound, binding));
            }
        }
    }

    pub(crate) fn queue_declared(
        &self,
        channel: ChannelId,
        name: ShortString,
        options: QueueDeclareOptions,
        arguments: FieldTable,
    ) {
        let mut declared = self.0.lock();
        let queue = declared.queue(name);
        queue.of = options.exclusive.then_some(channel);
        (queue.definition.options, queue.definition.arguments) = (Some(options), Some(arguments));
    }

    pub(crate) fn queue_deleted(&self, name: &str) {
        self.0.lock().queues.retain(|queue| queue.definition.name.as_str() != name);
    }

    pub(crate) fn queue_bound(&self, name: ShortString, binding: BindingDefinition) {
        self.0.lock().queue(name).definition.bindings.push(binding);
    }

    pub(crate) fn queue_unbound(&self, name: &str, binding: &BindingDefinition) {
        let mut declared = self.0.lock();
        for DeclaredQueue { definition, .. } in &mut declared.queues {
            if definition.name.as_str() == name {
                definition.bindings.retain(|bound| !same(bound, binding));
            }
        }
    }

    pub(crate) fn consuming(
        &self,
        channel: ChannelId,
        consumer: &Consumer,
        definition: ConsumerDefinition,
    ) {
        let mut declared = self.0.lock();
        if let Some(channel) = declared.channels.iter_mut().find(|open| open.id == channel) {
            channel.consumers.retain(|(watch, _)| watch.is_active());
            channel.consumers.push((consumer.watch(), definition));
        }
    }

    pub(crate) fn topology(&self) -> TopologyDefinition {
        let declared = self.0.lock();
        let of = |channel: Option<ChannelId>| -> Vec<QueueDefinition> {
            let queues = declared.queues.iter().filter(|queue| queue.of == channel);
            queues.map(|queue| queue.definition.clone()).collect()
        };
        let open = declared.channels.iter().filter(|channel| channel.status.connected());
        let channels = open.map(|channel| {
            let live = channel.consumers.iter().filter(|(watch, _)| watch.is_active());
            let consumers = live.map(|(_, definition)| definition.clone()).collect();
            ChannelDefinition { queues: of(Some(channel.id)), consumers }
        });
        let channels = channels.collect();
        TopologyDefinition { exchanges: declared.exchanges.clone(), queues: of(None), channels }
    }
}

impl Declared {
    /// An exchange that something is known of from here on.
    fn exchange(&mut self, name: ShortString) -> &mut ExchangeDefinition {
        let known = self.exchanges.iter().position(|exchange| exchange.name == name);
        let place = known.unwrap_or_else(|| {
            self.exchanges.push(ExchangeDefinition { name, ..ExchangeDefinition::default() });
            self.exchanges.len() - 1
        });
        &mut self.exchanges[place]
    }

    /// A queue that something is known of from here on.
    fn queue(&mut self, name: ShortString) -> &mut DeclaredQueue {
        let known = self.queues.iter().position(|queue| queue.definition.name == name);
        let place = known.unwrap_or_else(|| {
            let definition = QueueDefinition { name, ..QueueDefinition::default() };
            self.queues.push(DeclaredQueue { definition, of: None });
            self.queues.len() - 1
        });
        &mut self.queues[place]
    }
}

fn same(one: &BindingDefinition, other: &BindingDefinition) -> bool {
    one.source == other.source
        && one.routing_key == other.routing_key
        && one.arguments == other.arguments
}
