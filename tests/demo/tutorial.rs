//! The tutorial's programs print what the originals print.

use std::io::Write;
use std::sync::mpsc;
use std::thread;

use leveret_client::Broker;
use leveret_demo::tutorial::{new_task, worker};

/// An output that sends what is printed to another thread.
struct Printed(mpsc::Sender<String>);

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.send(String::from_utf8_lossy(bytes).into_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn s183_new_task_prints_what_it_sent() {
    let broker = Broker::in_memory();
    let mut output = Vec::new();
    new_task(&broker.uri(), &["First", "message."], &mut output).unwrap();
    new_task(&broker.uri(), &[], &mut output).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output),
        " [x] Sent First message.\n [x] Sent Hello World!\n"
    );

    let queue = broker.queue("task_queue").expect("declared");
    assert!(queue.durable);
    let messages = broker.messages("task_queue");
    let bodies: Vec<&str> = messages.iter().map(|one| one.body.as_str()).collect();
    assert_eq!(bodies, ["First message.", "Hello World!"]);
    assert!(broker.connections().is_empty());
}

#[test]
fn s184_worker_prints_that_it_waits_and_what_it_did() {
    let broker = Broker::in_memory();
    new_task(&broker.uri(), &["no", "dots"], &mut Vec::new()).unwrap();
    let (lines, printed) = mpsc::channel();
    let uri = broker.uri();
    let program = thread::spawn(move || worker(&uri, Printed(lines), || false));
    let mut output = String::new();
    while !output.ends_with(" [x] Done\n") {
        output += &printed.recv().expect("the worker lives until it is done");
    }
    let expected = " [*] Waiting for messages. To exit press CTRL+C\n \
                    [x] Received no dots\n [x] Done\n";
    assert_eq!(output, expected);

    // The ack comes right after; then the worker waits until the broker goes.
    while broker.queue("task_queue").is_some_and(|queue| queue.messages_unacknowledged > 0) {
        thread::yield_now();
    }
    let queue = broker.queue("task_queue").expect("declared");
    assert_eq!(queue.messages_ready, 0);
    assert_eq!(queue.consumers[0].prefetch_count, 1);
    assert!(queue.consumers[0].ack_required);
    broker.shutdown();
    let error = program.join().expect("no panic").unwrap_err();
    assert!(error.to_string().contains("CONNECTION_FORCED"), "{error}");
}
