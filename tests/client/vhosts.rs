//! Virtual hosts: worlds of their own behind one address.

use leveret_client::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use leveret_client::types::FieldTable;
use leveret_client::{
    BasicProperties, Broker, BrokerOptions, Connection, ConnectionProperties, Error, ErrorKind,
};

async fn connect(uri: &str) -> Result<Connection, Error> {
    Connection::connect(uri, ConnectionProperties::default()).await
}

/// Publishes a persistent message to the durable queue `q` of the virtual host that a URI leads to.
async fn publish(uri: &str, body: &str) -> Connection {
    let connection = connect(uri).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare("q".into(), options, FieldTable::default()).await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let properties = properties.with_delivery_mode(2);
    let sent = channel.basic_publish("".into(), "q".into(), options, body.as_bytes(), properties);
    sent.await.unwrap().await.unwrap();
    connection
}

fn bodies(broker: &Broker) -> Vec<String> {
    broker.messages("q").into_iter().map(|message| message.body).collect()
}

/// The code and text of a refusal.
fn refusal(result: Result<Connection, Error>) -> (u16, String) {
    let error = result.map(drop).unwrap_err();
    match error.kind() {
        ErrorKind::ProtocolError(error) => (error.get_id(), error.get_message().to_string()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn virtual_hosts_know_nothing_of_one_another() {
    let broker = Broker::new(BrokerOptions::default().with_vhost("team").with_vhost("a b/c"));
    let team = broker.vhost("team").unwrap();
    let odd = broker.vhost("a b/c").unwrap();
    assert_eq!(broker.vhosts(), ["/".into(), "a b/c".into(), "team".into()]);
    assert!(odd.uri().ends_with("/a%20b%2fc"), "{}", odd.uri());
    let _connections = [
        publish(&broker.uri(), "default").await,
        publish(&team.uri(), "team").await,
        publish(&odd.uri(), "odd").await,
    ];
    assert_eq!(bodies(&broker), ["default"]);
    assert_eq!(bodies(&team), ["team"]);
    assert_eq!(bodies(&odd), ["odd"]);
    assert_eq!(team.connections().len(), 1);
    assert_eq!(bodies(&team.vhost("/").unwrap()), ["default"]);
    assert!(broker.vhost("none").is_none());
}

#[tokio::test]
async fn s176_what_is_unknown_or_closed_to_a_user_is_refused() {
    let options = BrokerOptions::default().with_vhost("team").with_vhost("other");
    let options = options.with_user("all", "1").with_user_of("one", "2", &["team"]);
    let broker = Broker::new(options);
    let uri =
        |login: &str, vhost: &str| broker.uri().replace("guest:guest", login).replace("%2f", vhost);
    for (login, vhost) in [("all:1", "team"), ("all:1", "%2f"), ("one:2", "team")] {
        let connection = connect(&uri(login, vhost)).await.unwrap();
        connection.close(200, "bye".into()).await.unwrap();
    }
    assert_eq!(
        refusal(connect(&uri("all:1", "nope")).await),
        (530, "NOT_ALLOWED - vhost nope not found".to_owned())
    );
    assert_eq!(
        refusal(connect(&uri("one:2", "other")).await),
        (530, "NOT_ALLOWED - access to vhost 'other' refused for user 'one'".to_owned())
    );
    // Who is not known hears nothing of virtual hosts.
    assert_eq!(refusal(connect(&uri("one:1", "nope")).await).0, 403);
}

#[tokio::test]
async fn a_directory_keeps_each_virtual_host_and_has_them_again() {
    let directory = std::env::temp_dir().join(format!("leveret-vhosts-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    let options = BrokerOptions::default().with_vhost("team");
    let broker = Broker::open_with(&directory, options).unwrap();
    for vhost in broker.vhosts() {
        publish(&broker.vhost(&vhost).unwrap().uri(), &vhost).await;
    }
    drop(broker);
    // It need not be asked for again.
    let broker = Broker::open(&directory).unwrap();
    assert_eq!(broker.vhosts(), ["/".into(), "team".into()]);
    assert_eq!(bodies(&broker), ["/"]);
    let team = broker.vhost("team").unwrap();
    assert_eq!(bodies(&team), ["team"]);
    assert!(team.recovery().is_some());
    // A broker stops as a whole, whichever handle says so.
    let connection = connect(&broker.uri()).await.unwrap();
    team.shutdown();
    assert!(!connection.status().connected());
    assert!(connect(&broker.uri()).await.is_err());
    std::fs::remove_dir_all(&directory).unwrap();
}

#[tokio::test]
async fn a_broker_lives_as_a_whole_while_anything_of_it_is_used() {
    let broker = Broker::new(BrokerOptions::default().with_vhost("team"));
    let team = broker.vhost("team").unwrap();
    drop(broker);
    let connection = publish(&team.uri(), "m").await;
    let uri = team.vhost("/").unwrap().uri();
    drop(team);
    // Its address goes with the last handle; connections go on.
    assert!(connect(&uri).await.is_err());
    let channel = connection.create_channel().await.unwrap();
    let passive = QueueDeclareOptions { passive: true, ..Default::default() };
    let queue = channel.queue_declare("q".into(), passive, FieldTable::default()).await.unwrap();
    assert_eq!(queue.message_count(), 1);
}

#[test]
fn a_disk_of_the_program_s_own_keeps_one_virtual_host() {
    let disk = std::sync::Arc::new(leveret_broker::disk::MemoryDisk::default());
    let options = BrokerOptions::default().with_vhost("team");
    let error = Broker::open_on(disk, options).map(drop).unwrap_err();
    assert!(error.to_string().contains("'team' takes a directory"), "{error}");
}

#[tokio::test]
async fn a_broker_of_any_virtual_host_makes_the_one_that_is_asked_for_and_keeps_it() {
    let directory = std::env::temp_dir().join(format!("leveret-any-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    let broker = Broker::open_with(&directory, BrokerOptions::default().with_any_vhost()).unwrap();
    let uri = broker.uri().replace("%2f", "team");
    let unknown = uri.replace("guest:guest", "guest:wrong");
    assert_eq!(refusal(connect(&unknown).await).0, 403, "who may not log in makes nothing");
    assert_eq!(broker.vhosts().len(), 1);
    let connection = publish(&uri, "m").await;
    assert_eq!(broker.vhosts(), ["/".into(), "team".into()]);
    assert!(bodies(&broker).is_empty());
    assert_eq!(bodies(&broker.vhost("team").unwrap()), ["m"]);
    let too_long = broker.uri().replace("%2f", &"n".repeat(130));
    let (code, text) = refusal(connect(&too_long).await);
    assert_eq!(code, 541);
    assert!(text.contains(" could not be made: "), "{text}");
    drop((connection, broker));
    assert_eq!(bodies(&Broker::open(&directory).unwrap().vhost("team").unwrap()), ["m"]);
    // One that was shut down makes no more.
    let broker = Broker::new(BrokerOptions::default().with_any_vhost());
    let port = broker.port();
    broker.shutdown();
    let login = leveret_broker::runtime::Login { user: "guest", password: "guest", vhost: "late" };
    assert!(port.to_vhost_of(login).is_err());
    std::fs::remove_dir_all(&directory).unwrap();
}
