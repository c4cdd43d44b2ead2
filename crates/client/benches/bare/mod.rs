//! An engine driven without a runtime, for the benchmarks.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

use bytes::Bytes;
use criterion::Bencher;
use leveret_broker::engine::{Engine, EngineOptions};
use leveret_broker::protocol::types::FieldTable;
use leveret_broker::protocol::{
    BasicConsume, BasicPublish, CallId, ChannelId, Command, Effects, ExchangeDeclare, Instant,
    Method, Notice, Now, Properties, QueueBind, QueueDeclare, Reply,
};

pub(crate) const BODY: [u8; 100] = [b'x'; 100];

/// An engine with one queue and one consumer, driven without a runtime.
pub(crate) struct Bare {
    pub(crate) engine: Engine,
    effects: Effects,
    channel: ChannelId,
    /// The time, in milliseconds.
    now_ms: u64,
}

impl Bare {
    /// With the queue `q`, and a window for later consumers.
    pub(crate) fn new(prefetch_count: u16) -> Self {
        Self::with(EngineOptions::default(), FieldTable::default(), prefetch_count)
    }

    /// The same with these options, and these arguments of the queue.
    pub(crate) fn with(options: EngineOptions, arguments: FieldTable, prefetch_count: u16) -> Self {
        let mut engine = Engine::new(options);
        let mut effects = Effects::default();
        engine.handle(
            Now::default(),
            Command::OpenConnection { user: "guest".into() },
            &mut effects,
        );
        let connection = effects.outputs[0].connection;
        let open = Command::OpenChannel { connection, number: 1, call: CallId(0) };
        engine.handle(Now::default(), open, &mut effects);
        let Some(Notice::Reply { reply: Reply::ChannelOpened(channel), .. }) =
            effects.outputs.last().map(|output| output.notice.clone())
        else {
            panic!("the channel opens")
        };
        let mut bare = Self { engine, effects, channel, now_ms: 0 };
        bare.declare("q", arguments);
        bare.send(Method::BasicQos { prefetch_size: 0, prefetch_count, global: false });
        bare
    }

    pub(crate) fn declare(&mut self, queue: &str, arguments: FieldTable) {
        let queue = queue.into();
        self.send(Method::QueueDeclare(QueueDeclare { queue, arguments, ..Default::default() }));
    }

    pub(crate) fn consume(&mut self, count: usize) {
        for _ in 0..count {
            self.send(Method::BasicConsume(BasicConsume {
                queue: "q".into(),
                ..Default::default()
            }));
        }
    }

    pub(crate) fn send(&mut self, method: Method) {
        self.effects.outputs.clear();
        let command = Command::Channel { channel: self.channel, call: CallId(0), method };
        self.engine.handle(self.now(), command, &mut self.effects);
    }

    fn now(&self) -> Now {
        Now { instant: Instant(self.now_ms * 1_000_000), wall_ms: self.now_ms }
    }

    /// Lets a millisecond pass, and what is due happen.
    pub(crate) fn tick(&mut self) {
        self.now_ms += 1;
        self.effects.outputs.clear();
        self.engine.handle(self.now(), Command::TimePassed, &mut self.effects);
    }

    pub(crate) fn publish(&mut self) {
        self.publish_with("q", Properties::default());
    }

    pub(crate) fn publish_with(&mut self, queue: &str, properties: Properties) {
        self.send(Method::BasicPublish(BasicPublish {
            routing_key: queue.into(),
            properties,
            body: Bytes::copy_from_slice(&BODY),
            ..Default::default()
        }));
    }

    /// Declares the exchange `x` and binds the queue to it by each key.
    pub(crate) fn bind(&mut self, kind: &str, keys: impl Iterator<Item = String>) {
        let (exchange, kind) = ("x".into(), kind.into());
        let declare = ExchangeDeclare { exchange, kind, ..Default::default() };
        self.send(Method::ExchangeDeclare(declare));
        for key in keys {
            let (queue, exchange, routing_key) = ("q".into(), "x".into(), key.into());
            let bind = QueueBind { queue, exchange, routing_key, ..Default::default() };
            self.send(Method::QueueBind(bind));
        }
    }

    pub(crate) fn publish_to(&mut self, key: &str) {
        self.send(Method::BasicPublish(BasicPublish {
            exchange: "x".into(),
            routing_key: key.into(),
            body: Bytes::copy_from_slice(&BODY),
            ..Default::default()
        }));
    }

    /// Measures a publish, and an ack of what it has delivered, again and again.
    pub(crate) fn measure_cycles(mut self, bencher: &mut Bencher<'_>) {
        let mut delivery_tag = 0;
        bencher.iter(|| {
            self.publish();
            delivery_tag += 1;
            self.ack(delivery_tag);
        });
    }

    pub(crate) fn ack(&mut self, delivery_tag: u64) {
        self.send(Method::BasicAck { delivery_tag, multiple: false });
    }
}
