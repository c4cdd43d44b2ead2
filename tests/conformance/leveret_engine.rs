//! Answers that no method of lapin's API can provoke or show, asked of the engine itself.

use leveret_broker::engine::{Engine, EngineOptions};
use leveret_broker::protocol::{
    BasicConsume, BasicPublish, CallId, ChannelId, Command, ConnectionId, Effects, Method, Notice,
    Now, Properties, QueueDeclare, Refusal, Reply,
};

/// An engine with one connection.
struct Wire {
    engine: Engine,
    connection: ConnectionId,
}

impl Wire {
    fn open(options: EngineOptions) -> Self {
        let mut engine = Engine::new(options);
        let mut effects = Effects::default();
        let open = Command::OpenConnection { user: "guest".into() };
        engine.handle(Now::default(), open, &mut effects);
        let connection = effects.outputs[0].connection;
        Self { engine, connection }
    }

    /// What the broker says to a command.
    fn say(&mut self, command: Command) -> Vec<Notice> {
        let mut effects = Effects::default();
        self.engine.handle(Now::default(), command, &mut effects);
        self.engine.check_invariants().unwrap();
        effects.outputs.into_iter().map(|output| output.notice).collect()
    }

    fn open_channel(&mut self, number: u16) -> Vec<Notice> {
        let connection = self.connection;
        self.say(Command::OpenChannel { connection, number, call: CallId(0) })
    }

    fn channel(&mut self, number: u16) -> ChannelId {
        match self.open_channel(number).as_slice() {
            [Notice::Reply { reply: Reply::ChannelOpened(channel), .. }] => *channel,
            other => panic!("{other:?}"),
        }
    }

    fn send(&mut self, channel: ChannelId, method: Method) -> Vec<Notice> {
        self.say(Command::Channel { channel, call: CallId(0), method })
    }
}

/// The refusal that closed the connection.
fn hard(notices: &[Notice]) -> &Refusal {
    match notices.last() {
        Some(Notice::ConnectionClosed(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn declare() -> Method {
    Method::QueueDeclare(QueueDeclare {
        queue: "q".into(),
        passive: false,
        durable: false,
        exclusive: false,
        auto_delete: false,
        nowait: false,
        arguments: Default::default(),
    })
}

#[test]
fn s38_a_prefetch_size_is_not_implemented() {
    let mut wire = Wire::open(EngineOptions::default());
    let channel = wire.channel(1);
    let method = Method::BasicQos { prefetch_size: 1, prefetch_count: 0, global: false };
    let notices = wire.send(channel, method);
    let refusal = hard(&notices);
    assert_eq!(refusal.to_string(), "540 NOT_IMPLEMENTED - prefetch_size!=0 (1)");
    assert_eq!(refusal.method_id, (60, 10));
}

#[test]
fn s172_a_channel_is_not_opened_twice() {
    let mut wire = Wire::open(EngineOptions::default());
    wire.channel(1);
    let notices = wire.open_channel(1);
    let refusal = hard(&notices);
    assert_eq!(refusal.to_string(), "504 CHANNEL_ERROR - second 'channel.open' seen");
    assert_eq!(refusal.method_id, (20, 10));
}

#[test]
fn s173_more_channels_than_allowed_close_the_connection() {
    let mut wire = Wire::open(EngineOptions { channel_max: 3, ..EngineOptions::default() });
    for number in 1..=3 {
        wire.channel(number);
    }
    let notices = wire.open_channel(4);
    let refusal = hard(&notices);
    let text = "530 NOT_ALLOWED - number of channels opened (3) has reached the negotiated \
                channel_max (3)";
    assert_eq!((refusal.to_string().as_str(), refusal.method_id), (text, (0, 0)));
}

#[test]
fn s171_a_method_on_a_channel_that_is_gone_is_ignored() {
    let mut wire = Wire::open(EngineOptions::default());
    let channel = wire.channel(1);
    assert!(matches!(
        wire.send(channel, Method::BasicAck { delivery_tag: 9, multiple: false }).as_slice(),
        [Notice::ChannelClosed(refusal)] if refusal.method_id == (60, 80)
    ));
    assert_eq!(wire.send(channel, declare()), []);
    assert!(wire.engine.queue_views().is_empty());
}

#[test]
fn s50_a_refusal_names_the_method_that_was_refused() {
    for (method, id) in [
        (Method::BasicAck { delivery_tag: 9, multiple: false }, (60, 80)),
        (Method::BasicNack { delivery_tag: 9, multiple: false, requeue: true }, (60, 120)),
        (Method::BasicReject { delivery_tag: 9, requeue: true }, (60, 90)),
        (Method::QueuePurge { queue: "nope".into(), nowait: false }, (50, 30)),
        (Method::BasicGet { queue: "nope".into(), no_ack: false }, (60, 70)),
    ] {
        let mut wire = Wire::open(EngineOptions::default());
        let channel = wire.channel(1);
        let notices = wire.send(channel, method);
        let [Notice::ChannelClosed(refusal)] = notices.as_slice() else { panic!("{notices:?}") };
        assert_eq!(refusal.method_id, id, "{refusal}");
    }
}

#[test]
fn s9_s107_answers_come_before_deliveries_and_deliveries_before_confirms() {
    let mut wire = Wire::open(EngineOptions::default());
    let channel = wire.channel(1);
    wire.send(channel, declare());
    wire.send(channel, Method::ConfirmSelect { nowait: false });
    let publish = || {
        Method::BasicPublish(BasicPublish {
            exchange: "".into(),
            routing_key: "q".into(),
            mandatory: false,
            immediate: false,
            properties: Properties::default(),
            body: "m".into(),
        })
    };
    wire.send(channel, publish());
    let consume = Method::BasicConsume(BasicConsume {
        queue: "q".into(),
        consumer_tag: "a".into(),
        no_local: false,
        no_ack: false,
        exclusive: false,
        nowait: false,
        arguments: Default::default(),
    });
    assert!(matches!(
        wire.send(channel, consume).as_slice(),
        [Notice::Reply { reply: Reply::Consuming { .. }, .. }, Notice::Deliver { .. }]
    ));
    assert!(matches!(
        wire.send(channel, publish()).as_slice(),
        [Notice::Deliver { .. }, Notice::Confirm { publish_seq: 2, .. }]
    ));
    assert!(matches!(
        wire.send(channel, Method::BasicRecover { requeue: true }).as_slice(),
        [
            Notice::Reply { reply: Reply::Recovered, .. },
            Notice::Deliver { .. },
            Notice::Deliver { .. }
        ]
    ));
}

#[test]
fn s74_the_answer_to_a_deletion_comes_before_the_consumers_hear_of_it() {
    let mut wire = Wire::open(EngineOptions::default());
    let channel = wire.channel(1);
    wire.send(channel, declare());
    let consume = Method::BasicConsume(BasicConsume {
        queue: "q".into(),
        consumer_tag: "a".into(),
        no_local: false,
        no_ack: false,
        exclusive: false,
        nowait: true,
        arguments: Default::default(),
    });
    assert_eq!(wire.send(channel, consume), []);
    let delete =
        Method::QueueDelete { queue: "q".into(), if_unused: false, if_empty: false, nowait: false };
    assert!(matches!(
        wire.send(channel, delete).as_slice(),
        [Notice::Reply { reply: Reply::Deleted(0), .. }, Notice::ConsumerCancelled { .. }]
    ));
}
