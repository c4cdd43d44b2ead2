//! Times to live and dead letters on a broker with its journal, bytes and all: every sequence of a few things, and
//! every disk that the process or the power may leave at any operation.
//!
//! The worlds of `dead_letters` and `confirms` take for granted what a journal promises. Here is the journal itself:
//! every recovered broker has what theirs would have.

use leveret_broker::engine::Engine;
use leveret_broker::journal::JournalOptions;
use leveret_broker::protocol::types::{AMQPValue, FieldTable, LongString};
use leveret_broker::protocol::{BasicPublish, Method, PERSISTENT, Properties, QueueDeclare};
use leveret_broker::testing::disk::SimDisk;
use leveret_broker::testing::{Act, Said, SimBroker, What};

/// The messages expire after so long in the first queue, and are letters in the second then.
const TTL_MS: u64 = 10;

/// What may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thing {
    Publish,
    /// The first queue's messages expire.
    Expire,
    /// Somebody takes a message from the first queue and rejects it.
    Reject,
    /// Somebody takes a message from the second queue and acknowledges it.
    Finish,
    /// The oldest step that is not on the disk is written, and told.
    Write,
}

const THINGS: [Thing; 5] =
    [Thing::Publish, Thing::Expire, Thing::Reject, Thing::Finish, Thing::Write];

struct Life {
    disk: SimDisk,
    broker: SimBroker,
    published: usize,
    confirmed: usize,
    /// Messages that were acknowledged.
    finished: Vec<usize>,
}

fn on(method: Method) -> Act {
    Act::Method { connection: 1, channel: 1, method }
}

fn declare(queue: &str, arguments: FieldTable) -> Act {
    let queue = queue.into();
    let declare = QueueDeclare { queue, durable: true, arguments, ..QueueDeclare::default() };
    on(Method::QueueDeclare(declare))
}

impl Life {
    fn new() -> Self {
        let disk = SimDisk::new();
        let mut broker = SimBroker::open(&disk, JournalOptions::default()).unwrap();
        let mut rules = FieldTable::default();
        let text = |text: &str| AMQPValue::LongString(LongString::from(text));
        rules.insert("x-message-ttl".into(), AMQPValue::LongLongInt(TTL_MS as i64));
        rules.insert("x-dead-letter-exchange".into(), text(""));
        rules.insert("x-dead-letter-routing-key".into(), text("q2"));
        for act in [
            Act::Connect { user: "guest".into() },
            Act::Open { connection: 1, channel: 1 },
            on(Method::ConfirmSelect { nowait: false }),
            declare("q1", rules),
            declare("q2", FieldTable::default()),
        ] {
            broker.act(&act);
        }
        broker.write(usize::MAX).unwrap();
        broker.tell();
        Self { disk, broker, published: 0, confirmed: 0, finished: Vec::new() }
    }

    fn hear(&mut self, said: &[Said]) {
        let confirms = said.iter().filter(|said| matches!(said.what, What::ConfirmAck(_)));
        self.confirmed += confirms.count();
    }

    /// Takes a message from a queue; gives its tag, and which it is.
    fn get(&mut self, queue: &str) -> Option<(u64, usize)> {
        let turn = self.broker.act(&on(Method::BasicGet { queue: queue.into(), no_ack: false }));
        turn.step.said.iter().find_map(|said| match &said.what {
            What::GetOk { tag, body, .. } => Some((*tag, body.parse().unwrap())),
            _ => None,
        })
    }

    /// Lets a thing happen. False if it cannot.
    fn act(&mut self, thing: Thing) -> bool {
        match thing {
            Thing::Publish if self.published < 2 => {
                let publish = BasicPublish {
                    routing_key: "q1".into(),
                    properties: Properties::default().with_delivery_mode(PERSISTENT),
                    body: self.published.to_string().into(),
                    ..BasicPublish::default()
                };
                self.published += 1;
                let told = self.broker.act(&on(Method::BasicPublish(publish))).told;
                assert!(told.is_empty(), "told before anything was written: {told:?}");
                true
            }
            Thing::Publish => false,
            Thing::Expire => {
                let turn = self.broker.act(&Act::Pass { ms: TTL_MS });
                turn.recorded.is_some()
            }
            Thing::Reject => {
                let Some((delivery_tag, _)) = self.get("q1") else { return false };
                self.broker.act(&on(Method::BasicReject { delivery_tag, requeue: false }));
                true
            }
            Thing::Finish => {
                let Some((delivery_tag, message)) = self.get("q2") else { return false };
                self.finished.push(message);
                let multiple = false;
                self.broker.act(&on(Method::BasicAck { delivery_tag, multiple }));
                true
            }
            Thing::Write => self.broker.sent().next().is_some() && self.write(1) > 0,
        }
    }

    /// Writes so many steps, and looks at every disk that an end during that may leave.
    fn write(&mut self, steps: usize) -> usize {
        self.disk.keep_moments();
        self.broker.write(steps).unwrap();
        let moments = self.disk.take_moments();
        let seen = moments.iter().map(|moment| self.look(moment)).sum();
        // What is on the disk by now may be told.
        let told = self.broker.tell();
        self.hear(&told);
        seen
    }

    /// Looks at every disk that the power may leave of this one; gives their number.
    fn look(&self, disk: &SimDisk) -> usize {
        let images = disk.crash_images(usize::MAX);
        for image in &images {
            let core = SimBroker::recovered(image, JournalOptions::default()).unwrap();
            self.judge(core.engine());
        }
        images.len()
    }

    fn judge(&self, engine: &Engine) {
        let found = |queue: &str| engine.ready_messages(queue).unwrap_or_default();
        for message in 0..self.published {
            let name = message.to_string();
            let count = ["q1", "q2"]
                .map(|queue| found(queue).iter().filter(|one| one.body == name).count());
            let count = count[0] + count[1];
            assert!(count <= 1, "message {message} is there twice");
            let safe = message < self.confirmed && !self.finished.contains(&message);
            assert!(!safe || count == 1, "message {message} was confirmed, and is lost");
        }
    }
}

/// Everything that can follow on these things, up to so many more. Brokers with a journal cannot be copied, so each
/// sequence begins anew.
fn follow(things: &mut Vec<Thing>, more: usize, seen: &mut (usize, usize)) {
    for thing in THINGS {
        let mut life = Life::new();
        for before in things.iter() {
            life.act(*before);
        }
        if !life.act(thing) {
            continue;
        }
        seen.0 += 1;
        things.push(thing);
        if more > 1 {
            follow(things, more - 1, seen);
        } else {
            seen.1 += life.write(usize::MAX);
        }
        things.pop();
    }
}

#[test]
fn no_disk_that_is_left_loses_or_doubles_what_expired_or_was_rejected() {
    let mut seen = (0, 0);
    follow(&mut Vec::new(), 6, &mut seen);
    assert_eq!(seen, (387, 3967), "sequences, and disks at their ends");
}
