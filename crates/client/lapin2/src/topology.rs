//! What a connection has declared, as data that can be kept and declared again.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::options::{
    BasicConsumeOptions, ExchangeBindOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use crate::types::{FieldTable, ShortString};
use crate::{Channel, Connection, Consumer, ExchangeKind, Queue, Result};

/// What a connection has declared: see [`Connection::topology`].
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct TopologyDefinition {
    /// Exchanges, with what was bound to them.
    #[serde(default)]
    pub exchanges: Vec<ExchangeDefinition>,
    /// Queues that are not exclusive.
    #[serde(default)]
    pub queues: Vec<QueueDefinition>,
    /// Open channels.
    #[serde(default)]
    pub channels: Vec<ChannelDefinition>,
}

/// An exchange.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct ExchangeDefinition {
    /// Its name.
    pub name: ShortString,
    /// Its type, if the connection has declared it.
    pub kind: Option<ExchangeKind>,
    /// How it was declared, if it was.
    pub options: Option<ExchangeDeclareOptions>,
    /// The arguments that it was declared with, if it was.
    pub arguments: Option<FieldTable>,
    /// From where it gets messages.
    #[serde(default)]
    pub bindings: Vec<BindingDefinition>,
}

/// A queue.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct QueueDefinition {
    /// Its name.
    pub name: ShortString,
    /// How it was declared, if the connection has declared it.
    pub options: Option<QueueDeclareOptions>,
    /// The arguments that it was declared with, if it was.
    pub arguments: Option<FieldTable>,
    /// From where it gets messages.
    #[serde(default)]
    pub bindings: Vec<BindingDefinition>,
}

/// A binding.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct BindingDefinition {
    /// The exchange that messages come from.
    pub source: ShortString,
    /// The binding key.
    pub routing_key: ShortString,
    /// Its arguments.
    #[serde(default)]
    pub arguments: FieldTable,
}

/// A channel.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct ChannelDefinition {
    /// The exclusive queues that it has declared.
    #[serde(default)]
    pub queues: Vec<QueueDefinition>,
    /// Its consumers.
    pub consumers: Vec<ConsumerDefinition>,
}

/// A consumer.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct ConsumerDefinition {
    /// The queue that it consumes.
    pub queue: ShortString,
    /// Its tag.
    #[serde(default)]
    pub tag: ShortString,
    /// How it consumes.
    #[serde(default)]
    pub options: BasicConsumeOptions,
    /// Its arguments.
    #[serde(default)]
    pub arguments: FieldTable,
}

/// What [`Connection::restore`] has made.
#[derive(Default)]
pub struct RestoredTopology {
    queues: Vec<Queue>,
    channels: Vec<RestoredChannel>,
}

impl RestoredTopology {
    /// A queue, in the order of the definition.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    #[must_use]
    pub fn queue(&self, index: usize) -> Queue {
        self.queues[index].clone()
    }

    /// A channel, in the order of the definition.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    #[must_use]
    pub fn channel(&self, index: usize) -> RestoredChannel {
        self.channels[index].clone()
    }
}

/// A channel that [`Connection::restore`] has made. It derefs to the channel.
#[derive(Clone)]
pub struct RestoredChannel {
    channel: Channel,
    queues: Vec<Queue>,
    consumers: Vec<Consumer>,
}

impl RestoredChannel {
    /// The channel.
    #[must_use]
    pub fn into_inner(self) -> Channel {
        self.channel
    }

    /// An exclusive queue of the channel, in the order of the definition.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    #[must_use]
    pub fn queue(&self, index: usize) -> Queue {
        self.queues[index].clone()
    }

    /// A consumer, in the order of the definition.
    ///
    /// # Panics
    ///
    /// If there are not so many.
    #[must_use]
    pub fn consumer(&self, index: usize) -> Consumer {
        self.consumers[index].clone()
    }

    async fn declare(&mut self, definition: &ChannelDefinition) -> Result<()> {
        for queue in &definition.queues {
            self.queues.push(declare_queue(&self.channel, queue).await?);
        }
        for queue in &definition.queues {
            bind_queue(&self.channel, queue).await?;
        }
        for ConsumerDefinition { queue, tag, options, arguments } in &definition.consumers {
            let (queue, tag) = (queue.as_str(), tag.as_str());
            let consumer = self.channel.basic_consume(queue, tag, *options, arguments.clone());
            self.consumers.push(consumer.await?);
        }
        Ok(())
    }
}

impl Deref for RestoredChannel {
    type Target = Channel;

    fn deref(&self) -> &Channel {
        &self.channel
    }
}

/// Declares all of a topology, in the order in which one needs the other.
pub(crate) async fn restore(
    connection: &Connection,
    topology: TopologyDefinition,
) -> Result<RestoredTopology> {
    let mut restored = RestoredTopology::default();
    for _ in &topology.channels {
        let channel = connection.create_channel().await?;
        let (queues, consumers) = (Vec::new(), Vec::new());
        restored.channels.push(RestoredChannel { channel, queues, consumers });
    }
    let channel = match restored.channels.first() {
        Some(first) => first.channel.clone(),
        None => connection.create_channel().await?,
    };
    for exchange in &topology.exchanges {
        let (kind, options) = (exchange.kind.clone(), exchange.options.unwrap_or_default());
        let (name, arguments) = (exchange.name.as_str(), exchange.arguments.clone());
        let (kind, arguments) = (kind.unwrap_or_default(), arguments.unwrap_or_default());
        channel.exchange_declare(name, kind, options, arguments).await?;
    }
    for exchange in &topology.exchanges {
        for BindingDefinition { source, routing_key, arguments } in &exchange.bindings {
            let (name, source, key) =
                (exchange.name.as_str(), source.as_str(), routing_key.as_str());
            let options = ExchangeBindOptions::default();
            channel.exchange_bind(name, source, key, options, arguments.clone()).await?;
        }
    }
    for queue in &topology.queues {
        restored.queues.push(declare_queue(&channel, queue).await?);
    }
    for queue in &topology.queues {
        bind_queue(&channel, queue).await?;
    }
    for (channel, definition) in restored.channels.iter_mut().zip(&topology.channels) {
        channel.declare(definition).await?;
    }
    Ok(restored)
}

async fn declare_queue(channel: &Channel, queue: &QueueDefinition) -> Result<Queue> {
    let arguments = queue.arguments.clone().unwrap_or_default();
    channel.queue_declare(queue.name.as_str(), queue.options.unwrap_or_default(), arguments).await
}

async fn bind_queue(channel: &Channel, queue: &QueueDefinition) -> Result<()> {
    for BindingDefinition { source, routing_key, arguments } in &queue.bindings {
        let (name, source, key) = (queue.name.as_str(), source.as_str(), routing_key.as_str());
        let options = QueueBindOptions::default();
        channel.queue_bind(name, source, key, options, arguments.clone()).await?;
    }
    Ok(())
}
