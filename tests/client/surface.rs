//! What programs written for lapin name of connections, beside queues and messages.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use leveret_client::auth::{AuthProvider, DefaultTokenProvider, TokenAuthProvider};
use leveret_client::options::{BasicGetOptions, BasicQosOptions, QueuePurgeOptions};
use leveret_client::protocol::{AMQPError, channel, connection};
use leveret_client::types::LongString;
use leveret_client::uri::AMQPUri;
use leveret_client::{
    Broker, BrokerOptions, Connection, ConnectionProperties, ConnectionStatus, Error, ErrorKind,
    Event,
};

use crate::{channel as open, connect, publish};

fn properties() -> ConnectionProperties {
    ConnectionProperties::default()
}

#[tokio::test]
async fn a_broker_is_reached_at_an_address_that_programs_name() {
    let broker = Broker::in_memory();
    broker.listen("amqp://guest:guest@127.0.0.1:56721/%2f").unwrap();
    broker.listen("rabbit.example:5672").unwrap();
    for uri in ["amqp://localhost:56721", "amqp://[::1]:56721/%2f", "amqp://RABBIT.example"] {
        Connection::connect(uri, properties()).await.unwrap();
    }
    let other = Broker::in_memory();
    let taken = other.listen("localhost:56721").unwrap_err();
    assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
    broker.listen("localhost:56721").expect("it has it");
    for wrong in ["", "http://localhost", "localhost:port", "amqp://user@:1", "::1"] {
        let wrong = other.listen(wrong).unwrap_err();
        assert_eq!(wrong.kind(), std::io::ErrorKind::InvalidInput, "{wrong}");
    }
    drop(broker);
    let gone = Connection::connect("amqp://localhost:56721", properties()).await.unwrap_err();
    let text = gone.to_string();
    assert!(text.starts_with("IO error: no broker listens on 'localhost:56721'"), "{text}");
    other.listen("localhost:56721").unwrap();
    other.shutdown();
    assert!(Connection::connect("amqp://localhost:56721", properties()).await.is_err());
}

#[tokio::test]
async fn what_a_uri_asks_for_lowers_what_the_broker_offers() {
    let broker = Broker::in_memory();
    let connection = connect(&broker).await;
    let configuration = format!("{:?}", connection.configuration());
    assert_eq!(
        configuration,
        "Configuration { channel_max: 2047, frame_max: 131072, heartbeat: 60 }"
    );
    let mut uri: AMQPUri = broker.uri().parse().unwrap();
    uri.query.channel_max = Some(2);
    (uri.query.frame_max, uri.query.heartbeat) = (Some(1), Some(5));
    let connection = Connection::connect_uri(uri, properties()).await.unwrap();
    let configuration = connection.configuration();
    assert_eq!(configuration.channel_max(), 2);
    assert_eq!((configuration.frame_max(), configuration.heartbeat()), (8192, 5));
    let _channels =
        [connection.create_channel().await.unwrap(), connection.create_channel().await.unwrap()];
    let error = connection.create_channel().await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ChannelsLimitReached));
}

#[tokio::test]
async fn a_connection_tells_its_listeners_what_happens() {
    let broker = Broker::new(BrokerOptions::default().with_message_limit(0));
    let connection = connect(&broker).await;
    let channel = connection.create_channel().await.unwrap();
    let unheard = channel.basic_get("missing".into(), BasicGetOptions::default()).await;
    assert!(unheard.is_err());
    drop(channel);
    let (mut events, mut others) = (connection.events_listener(), connection.events_listener());
    let channel = connection.create_channel().await.unwrap();
    assert!(channel.basic_get("missing".into(), BasicGetOptions::default()).await.is_err());
    let Some(Event::Error(error)) = events.next().await else { panic!("an error") };
    assert!(error.is_amqp_soft_error());
    drop(channel);
    assert!(others.next().now_or_never().is_none(), "each event is for one of them");
    let other = open(&broker).await;
    let channel = connection.create_channel().await.unwrap();
    publish(&channel, b"m").await;
    let Some(Event::ConnectionBlocked(reason)) = others.next().await else { panic!("blocked") };
    assert_eq!(reason, "low on memory");
    other.queue_purge("q".into(), QueuePurgeOptions::default()).await.unwrap();
    assert!(matches!(events.next().await, Some(Event::ConnectionUnblocked)));
    let waiting = tokio::spawn(async move { events.next().await });
    broker.shutdown();
    let Some(Event::Error(error)) = waiting.await.unwrap() else { panic!("an error") };
    assert!(error.is_amqp_hard_error());
    drop((connection, channel));
    assert!(others.next().await.is_none(), "nothing more can happen");
}

#[test]
fn run_blocks_until_the_last_channel_is_gone_or_the_broker_closes_the_connection() {
    let broker = Broker::in_memory();
    let connect = || Connection::connect(&broker.uri(), properties()).now_or_never().unwrap();
    // Often enough that the other thread waits by then.
    for _ in 0..200 {
        let connection = connect().unwrap();
        let channel = connection.create_channel().now_or_never().unwrap().unwrap();
        std::thread::scope(|scope| {
            let running = scope.spawn(|| connection.run());
            (0..100).for_each(|_| std::thread::yield_now());
            drop(channel);
            running.join().unwrap().unwrap();
        });
    }
    connect().unwrap().run().unwrap();
    let connection = connect().unwrap();
    let _channel = connection.create_channel().now_or_never().unwrap().unwrap();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| connection.run());
        broker.shutdown();
        assert!(running.join().unwrap().unwrap_err().is_amqp_hard_error());
    });
}

#[tokio::test]
async fn small_things_that_have_no_effect_are_there() {
    let broker = Broker::in_memory();
    let properties = properties()
        .with_locale("de_DE".into())
        .with_connection_name("name".into())
        .configure_backoff(|backoff| backoff.with_max_times(3))
        .enable_auto_recover();
    let connection = Connection::connect(&broker.uri(), properties).await.unwrap();
    connection.update_secret("new".into(), "because".into()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.access_request("/data".into(), Default::default()).await.unwrap();
    let error = Error::from(ErrorKind::NoDefaultRuntime);
    assert_eq!(channel.wait_for_recovery(error.clone()).await.unwrap_err(), error);
    channel.basic_qos(7, BasicQosOptions::default()).await.unwrap();
    channel.basic_qos(9, BasicQosOptions { global: true }).await.unwrap();
    let qos = channel.status().qos();
    assert_eq!((qos.prefetch_count, qos.global_prefetch_count), (Some(7), Some(9)));
    connection.close(200, "".into()).await.unwrap();
    assert!(connection.update_secret("new".into(), "".into()).await.is_err());
    let error = channel.access_request("/data".into(), Default::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "invalid channel state: Closed (access.request)");
    let nobody = ConnectionStatus::default();
    assert_eq!(
        format!("{nobody:?}"),
        "ConnectionStatus { vhost: ShortString(\"/\"), username: \"guest\", state: Initial, blocked: false }"
    );
}

#[tokio::test]
async fn a_provider_logs_in_with_what_it_makes() {
    struct Plain(&'static [u8]);
    impl AuthProvider for Plain {
        fn mechanism(&self) -> leveret_client::types::ShortString {
            "PLAIN".into()
        }

        fn auth_starter(&self) -> Result<LongString, String> {
            Ok(self.0.into())
        }
    }
    struct Certificate;
    impl AuthProvider for Certificate {}

    let broker = Broker::new(BrokerOptions::default().with_user("worker", "secret"));
    let connect = async |properties| Connection::connect(&broker.uri(), properties).await;
    let known = connect(properties().with_auth_provider(Plain(b"\0worker\0secret"))).await.unwrap();
    assert_eq!(known.status().username(), "worker");
    let refused = connect(properties().with_auth_provider(Plain(b"\0worker\0wrong"))).await;
    assert!(refused.unwrap_err().to_string().contains("ACCESS_REFUSED"));
    let malformed = connect(properties().with_auth_provider(Plain(b"worker"))).await.unwrap_err();
    assert!(matches!(malformed.kind(), ErrorKind::AuthProviderError(_)), "{malformed}");
    let external = connect(properties().with_auth_provider(Certificate)).await.unwrap();
    assert_eq!(external.status().username(), "guest");

    let tokens = || {
        let minute = |_: &LongString| Some(Duration::from_secs(60));
        TokenAuthProvider::new(DefaultTokenProvider::new(minute, || Ok("token".into())))
    };
    assert!(connect(properties().with_auth_provider(tokens())).await.is_err(), "nobody knows it");
    let open = Broker::new(BrokerOptions::default().with_any_user());
    let properties = properties().with_auth_provider(tokens());
    Connection::connect(&open.uri(), properties).await.unwrap();
    assert_eq!(tokens().valid_for(), Some(Duration::from_secs(60)));
}

#[test]
fn errors_say_what_they_are() {
    let io = |kind: std::io::ErrorKind| Error::from(std::io::Error::from(kind));
    assert!(io(std::io::ErrorKind::WouldBlock).wouldblock());
    assert!(io(std::io::ErrorKind::Interrupted).interrupted());
    assert!(io(std::io::ErrorKind::Other).is_io_error());
    assert!(!io(std::io::ErrorKind::Other).is_runtime_shutdown_error());
    assert_ne!(io(std::io::ErrorKind::Other), io(std::io::ErrorKind::Other));
    let recovered = [ErrorKind::InvalidChannel(1), ErrorKind::MissingHeartbeatError];
    assert!(recovered.into_iter().all(|kind| Error::from(kind).can_be_recovered()));
    let lost = [
        ErrorKind::ChannelsLimitReached,
        ErrorKind::FutureCompleted,
        ErrorKind::NoDefaultRuntime,
        ErrorKind::AuthProviderError("no".into()),
    ];
    assert!(lost.into_iter().all(|kind| !Error::from(kind).can_be_recovered()));
    let close = channel::Close { reply_code: 404, reply_text: "gone".into(), ..Default::default() };
    let error = AMQPError::try_from(close).unwrap();
    assert_eq!(error.to_string(), "AMQP soft error: NOT-FOUND: gone");
    let close = connection::Close { reply_code: 200, ..Default::default() };
    assert_eq!(
        AMQPError::try_from(close).unwrap_err(),
        "Couldn't convert method to error: Close { reply_code: 200, reply_text: ShortString(\"\"), \
         class_id: 0, method_id: 0 }"
    );
}
