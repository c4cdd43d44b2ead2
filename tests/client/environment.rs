//! `LEVERET` in the environment: a program that names an address finds a broker there without a line of its own.
//!
//! Each test runs itself once more in processes whose environment has the variable.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use leveret_client::options::{BasicGetOptions, BasicPublishOptions, QueueDeclareOptions};
use leveret_client::types::FieldTable;
use leveret_client::{BasicProperties, Channel, Connection, ConnectionProperties, Result};

/// What a process is asked to do.
const ROLE: &str = "LEVERET_TEST_ROLE";
const ADDRESS: &str = "amqp://somebody:secret@rabbit.example:5673/orders";

/// Does a role in a process of its own; gives what it says.
fn run(test: &str, role: &str, leveret: &str) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("environment::{test}"), "--nocapture"]);
    command.env(ROLE, role).env("LEVERET", leveret).stderr(Stdio::inherit());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{role}: {}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split_once("said: ")).map(|(_, said)| said).collect()
}

fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

fn directory(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("leveret-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    directory
}

fn wait<T>(call: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(call)
}

fn connect(uri: &str) -> Result<Connection> {
    wait(Connection::connect(uri, ConnectionProperties::default()))
}

fn channel(connection: &Connection) -> Channel {
    let channel = wait(connection.create_channel()).unwrap();
    let (options, arguments) = (QueueDeclareOptions::durable(), FieldTable::default());
    wait(channel.queue_declare("q".into(), options, arguments)).unwrap();
    channel
}

fn publish(channel: &Channel, body: &[u8]) {
    let properties = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions::default();
    let published = channel.basic_publish("".into(), "q".into(), options, body, properties);
    // It is in its queue; that it is on the disk is another matter.
    drop(wait(published).unwrap());
}

fn get(channel: &Channel) -> Option<(Vec<u8>, bool)> {
    let got = channel.basic_get("q".into(), BasicGetOptions { no_ack: true });
    let got = wait(got).unwrap()?;
    Some((got.delivery.data, got.delivery.redelivered))
}

#[test]
fn in_memory_each_address_is_a_broker_that_stays_and_anybody_is_let_in_anywhere() {
    const TEST: &str =
        "in_memory_each_address_is_a_broker_that_stays_and_anybody_is_let_in_anywhere";
    if role().is_none() {
        assert_eq!(run(TEST, "all", "memory"), "fine");
        return;
    }
    let connection = connect(ADDRESS).unwrap();
    publish(&channel(&connection), b"task");
    assert_eq!(connection.status().vhost().as_str(), "orders");
    wait(connection.close(200, "".into())).unwrap();
    let other_address = connect("amqp://rabbit.example/orders").unwrap();
    assert_eq!(get(&channel(&other_address)), None);
    let other_vhost = connect("amqp://rabbit.example:5673").unwrap();
    assert_eq!(get(&channel(&other_vhost)), None);
    let again = connect("amqp://nobody:x@RABBIT.example:5673/orders");
    assert_eq!(get(&channel(&again.unwrap())), Some((b"task".to_vec(), false)));
    println!("\nsaid: fine");
}

#[test]
fn on_a_directory_what_was_published_before_a_close_is_there_for_the_next_process() {
    const TEST: &str =
        "on_a_directory_what_was_published_before_a_close_is_there_for_the_next_process";
    match role().as_deref() {
        Some("publish") => {
            let connection = connect(ADDRESS).unwrap();
            (0..100).for_each(|_| publish(&channel(&connection), b"task"));
            wait(connection.close(200, "".into())).unwrap();
            // Nothing is dropped.
            std::process::exit(0);
        }
        Some("get") => {
            for _ in 0..100 {
                let connection = connect(ADDRESS).unwrap();
                assert_eq!(get(&channel(&connection)), Some((b"task".to_vec(), false)));
            }
            assert_eq!(get(&channel(&connect(ADDRESS).unwrap())), None);
            println!("\nsaid: fine");
        }
        _ => {
            let directory = directory("kept");
            let leveret = directory.to_str().unwrap();
            run(TEST, "publish", leveret);
            assert_eq!(run(TEST, "get", leveret), "fine");
            assert!(directory.join("rabbit.example_5673").is_dir());
            std::fs::remove_dir_all(&directory).unwrap();
        }
    }
}

#[test]
fn connections_that_come_while_the_last_one_goes_find_the_directory_free() {
    const TEST: &str = "connections_that_come_while_the_last_one_goes_find_the_directory_free";
    if role().is_none() {
        let directory = directory("busy");
        assert_eq!(run(TEST, "all", directory.to_str().unwrap()), "fine");
        std::fs::remove_dir_all(&directory).unwrap();
        return;
    }
    let threads = (0..4).map(|_| {
        thread::spawn(|| {
            for _ in 0..50 {
                publish(&channel(&connect(ADDRESS).unwrap()), b"task");
            }
        })
    });
    threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
    let channel = channel(&connect(ADDRESS).unwrap());
    assert_eq!(std::iter::from_fn(|| get(&channel)).count(), 200);
    println!("\nsaid: fine");
}

#[test]
fn what_is_no_directory_is_refused_in_words_and_nothing_is_asked_without_the_variable() {
    const TEST: &str =
        "what_is_no_directory_is_refused_in_words_and_nothing_is_asked_without_the_variable";
    if role().is_some() {
        println!("\nsaid: {}", connect(ADDRESS).unwrap_err());
        return;
    }
    let file = directory("file");
    std::fs::write(&file, "not a directory").unwrap();
    let said = run(TEST, "connect", file.to_str().unwrap());
    assert!(said.starts_with("IO error: LEVERET asks for a broker on "), "{said}");
    let said = run(TEST, "connect", "");
    assert!(said.contains("no broker listens on 'rabbit.example:5673' in this process"), "{said}");
    assert!(said.ends_with("or run the program with LEVERET=memory"), "{said}");
    std::fs::remove_file(&file).unwrap();
}
