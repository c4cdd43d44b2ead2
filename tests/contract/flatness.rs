//! Work that does not grow with what waits: ten thousand blocked consumers cost what one does.
//!
//! The measure is work, not time: how often a consumer is asked whether it has room. The engine is
//! driven without the harness, which looks at everything after every step.

use bytes::Bytes;
use leveret_broker::engine::{Engine, EngineOptions};
use leveret_broker::protocol::{
    BasicConsume, BasicPublish, CallId, ChannelId, Command, ConnectionId, Effects, Method, Notice,
    Now, QueueDeclare, Reply,
};

const CONSUMERS: usize = 10_000;
const CYCLES: usize = 20_000;

struct Driver {
    engine: Engine,
    effects: Effects,
    connection: ConnectionId,
}

impl Driver {
    fn new() -> Self {
        let options = EngineOptions { channel_max: u16::MAX, ..EngineOptions::default() };
        let mut driver = Self {
            engine: Engine::new(options),
            effects: Effects::default(),
            connection: ConnectionId::default(),
        };
        let user = "guest".into();
        driver.step(Command::OpenConnection { user });
        driver.connection = driver.effects.outputs[0].connection;
        driver
    }

    fn step(&mut self, command: Command) {
        self.effects.outputs.clear();
        self.engine.handle(Now::default(), command, &mut self.effects);
    }

    fn open(&mut self, number: u16) -> ChannelId {
        let connection = self.connection;
        let call = CallId::default();
        self.step(Command::OpenChannel { connection, number, call });
        match self.effects.outputs[0].notice {
            Notice::Reply { reply: Reply::ChannelOpened(channel), .. } => channel,
            _ => panic!("not opened"),
        }
    }

    fn method(&mut self, channel: ChannelId, method: Method) {
        let call = CallId::default();
        self.step(Command::Channel { channel, call, method });
    }

    fn declare(&mut self, channel: ChannelId) {
        let queue = "q".into();
        let declare = QueueDeclare { queue, ..QueueDeclare::default() };
        self.method(channel, Method::QueueDeclare(declare));
    }

    fn consume(&mut self, channel: ChannelId, tag: usize) {
        let consume = BasicConsume {
            queue: "q".into(),
            consumer_tag: tag.to_string().into(),
            ..BasicConsume::default()
        };
        self.method(channel, Method::BasicConsume(consume));
    }

    fn qos(&mut self, channel: ChannelId, prefetch_count: u16, global: bool) {
        let prefetch_size = 0;
        self.method(channel, Method::BasicQos { prefetch_size, prefetch_count, global });
    }

    fn publish(&mut self, channel: ChannelId) {
        let publish = BasicPublish {
            routing_key: "q".into(),
            body: Bytes::from_static(b"m"),
            ..BasicPublish::default()
        };
        self.method(channel, Method::BasicPublish(publish));
    }

    /// Publishes and acknowledges, and gives how often consumers were asked in one such cycle, on
    /// average over all. `holder` says who holds what in the n-th cycle.
    fn cycle(&mut self, publisher: ChannelId, holder: impl Fn(usize) -> (ChannelId, u64)) -> f64 {
        let before = self.engine.consumers_asked();
        for n in 0..CYCLES {
            self.publish(publisher);
            assert!(self.effects.outputs.is_empty(), "everybody is full");
            let (channel, delivery_tag) = holder(n);
            let multiple = false;
            self.method(channel, Method::BasicAck { delivery_tag, multiple });
            assert_eq!(self.effects.outputs.len(), 1, "the message waited for this ack");
        }
        self.engine.check_invariants().unwrap();
        (self.engine.consumers_asked() - before) as f64 / CYCLES as f64
    }
}

#[test]
fn consumers_blocked_by_their_own_windows_cost_nothing() {
    let mut driver = Driver::new();
    let publisher = driver.open(1);
    driver.declare(publisher);
    let channel = driver.open(2);
    driver.qos(channel, 1, false);
    for tag in 0..CONSUMERS {
        driver.consume(channel, tag);
        driver.publish(publisher);
    }
    let asked = driver.cycle(publisher, |n| (channel, n as u64 + 1));
    assert!(asked < 4.0, "{asked} consumers asked for each message");
}

#[test]
fn consumers_parked_for_one_channel_cost_what_one_does() {
    let mut driver = Driver::new();
    let publisher = driver.open(1);
    driver.declare(publisher);
    let channel = driver.open(2);
    driver.qos(channel, 1, true);
    for tag in 0..CONSUMERS {
        driver.consume(channel, tag);
    }
    driver.publish(publisher);
    let asked = driver.cycle(publisher, |n| (channel, n as u64 + 1));
    assert!(asked < 4.0, "{asked} consumers asked for each message");
}

#[test]
fn channels_with_full_windows_cost_nothing() {
    let mut driver = Driver::new();
    let publisher = driver.open(1);
    driver.declare(publisher);
    let channels: Vec<_> = (0..CONSUMERS)
        .map(|index| {
            let channel = driver.open(u16::try_from(index + 2).unwrap());
            driver.qos(channel, 1, true);
            driver.consume(channel, index);
            driver.publish(publisher);
            channel
        })
        .collect();
    let holder = |n: usize| (channels[n % CONSUMERS], (n / CONSUMERS) as u64 + 1);
    let asked = driver.cycle(publisher, holder);
    assert!(asked < 4.0, "{asked} consumers asked for each message");
}

#[test]
fn two_channels_with_full_windows_and_their_own_limits_stay_flat_too() {
    let mut driver = Driver::new();
    let publisher = driver.open(1);
    driver.declare(publisher);
    let channels = [driver.open(2), driver.open(3)];
    for channel in channels {
        driver.qos(channel, 2, false);
        driver.qos(channel, 3, true);
    }
    for tag in 0..CONSUMERS {
        driver.consume(channels[tag % 2], tag);
    }
    for _ in 0..6 {
        driver.publish(publisher);
    }
    let holder = |n: usize| (channels[n % 2], (n / 2) as u64 + 1);
    let asked = driver.cycle(publisher, holder);
    assert!(asked < 6.0, "{asked} consumers asked for each message");
}
