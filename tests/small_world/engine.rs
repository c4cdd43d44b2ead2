//! The engine alone: two queues, three messages, two workers with a window of one, who come to a queue,
//! settle, cancel and leave in every order there is.

use leveret_broker::engine::EngineView;
use leveret_broker::protocol::{ChannelId, ConnectionId};
use leveret_broker::testing::explore::{Always, Explorer, Model, Sometimes};
use leveret_broker::testing::{Harness, Step};

const QUEUES: [&str; 2] = ["q1", "q2"];
const MESSAGES: usize = 3;
/// The workers, by the number of their channel; the publisher has channel 1.
const WORKERS: [u16; 2] = [2, 3];

/// What has become of a message, as its publisher and the workers know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Published {
    queue: usize,
    handed_out: bool,
    settled: bool,
}

#[derive(Clone, Debug)]
struct World {
    harness: Harness,
    connection: ConnectionId,
    publisher: ChannelId,
    published: Vec<Published>,
    /// What the last step handed out: the message, and whether it was marked redelivered.
    delivered: Vec<(usize, bool)>,
    /// Whether what was handed out had been handed out before.
    known: Vec<bool>,
    /// Whether the last step took a message from one worker and gave it to another.
    handed_on: bool,
}

impl World {
    fn new() -> Self {
        let mut harness = Harness::new();
        let connection = harness.connect();
        let publisher = harness.open(connection);
        for queue in QUEUES {
            harness.declare_with(publisher, queue, |declare| declare.durable = true);
        }
        let (published, delivered, known) = (Vec::new(), Vec::new(), Vec::new());
        let handed_on = false;
        Self { harness, connection, publisher, published, delivered, known, handed_on }
    }

    fn channel(&self, worker: u16) -> Option<ChannelId> {
        let channels = self.harness.engine().channel_views();
        let open = channels.iter().any(|channel| channel.number == worker);
        open.then(|| self.harness.channel_id(1, worker))
    }

    /// The deliveries that a worker holds: their tags, and which message it is.
    fn held(&self, worker: u16) -> Vec<(u64, usize)> {
        let channels = self.harness.engine().channel_views();
        let channel = channels.into_iter().find(|channel| channel.number == worker);
        let held = channel.map(|channel| channel.unacknowledged).unwrap_or_default();
        held.into_iter().map(|(tag, id)| (tag, id.0 as usize - 1)).collect()
    }

    fn holder(&self, message: usize) -> Option<u16> {
        let holds = |worker: &u16| self.held(*worker).iter().any(|(_, held)| *held == message);
        WORKERS.into_iter().find(holds)
    }

    fn consumes(&self, worker: u16) -> bool {
        let queues = self.harness.engine().queue_views();
        queues.iter().any(|queue| queue.consumers.iter().any(|one| one.channel == worker))
    }

    /// The world after `act`.
    fn after(&self, act: impl FnOnce(&mut Self) -> Step) -> Self {
        let mut next = self.clone();
        let step = act(&mut next);
        assert_eq!(step.refusal(), None);
        (next.delivered, next.known) = (Vec::new(), Vec::new());
        for delivery in step.deliveries() {
            let body = delivery.split(' ').nth(1).unwrap();
            let index: usize = body.trim_matches(['m', '*']).parse().unwrap();
            let message = &mut next.published[index - 1];
            next.known.push(message.handed_out);
            next.delivered.push((index - 1, body.ends_with('*')));
            message.handed_out = true;
        }
        next.handed_on = next.delivered.iter().any(|(message, _)| {
            let [before, now] = [self, &next].map(|world| world.holder(*message));
            before.is_some() && before != now
        });
        next
    }

    fn publish(&self, queue: usize) -> Self {
        self.after(|world| {
            world.published.push(Published { queue, handed_out: false, settled: false });
            let body = format!("m{}", world.published.len());
            world.harness.publish_with(world.publisher, QUEUES[queue], &body, |publish| {
                publish.properties = std::mem::take(&mut publish.properties).with_delivery_mode(2);
            })
        })
    }

    fn come(&self, worker: u16, queue: &str) -> Self {
        self.after(|world| {
            if world.channel(worker).is_none() {
                world.harness.open_number(world.connection, worker);
            }
            let channel = world.harness.channel_id(1, worker);
            world.harness.qos(channel, 1);
            world.harness.consume(channel, queue, "worker")
        })
    }

    /// Steps of a worker who has a channel.
    fn steps_of(&self, worker: u16, channel: ChannelId) -> Vec<(String, Self)> {
        let mut steps = Vec::new();
        for (tag, message) in self.held(worker) {
            let name = message + 1;
            let acked = self.after(|world| {
                world.published[message].settled = true;
                world.harness.ack(channel, tag)
            });
            let dropped = self.after(|world| {
                world.published[message].settled = true;
                world.harness.reject(channel, tag)
            });
            let requeued = self.after(|world| world.harness.requeue(channel, tag));
            steps.push((format!("worker {worker} acknowledges m{name}"), acked));
            steps.push((format!("worker {worker} rejects m{name} for good"), dropped));
            steps.push((format!("worker {worker} requeues m{name}"), requeued));
        }
        if self.consumes(worker) {
            let cancelled = self.after(|world| world.harness.cancel(channel, "worker"));
            steps.push((format!("worker {worker} cancels"), cancelled));
        }
        let closed = self.after(|world| world.harness.close(channel));
        steps.push((format!("worker {worker} leaves"), closed));
        steps
    }
}

/// The engine's view with delivery tags replaced by their order, which is all that matters of them.
fn without_tags(mut view: EngineView) -> EngineView {
    for channel in &mut view.channels {
        for (rank, (tag, _)) in (1..).zip(&mut channel.unacknowledged) {
            *tag = rank;
        }
    }
    view
}

struct Everything;

impl Model for Everything {
    type State = World;
    type Action = String;
    type Key = (EngineView, Vec<Published>);

    fn initial(&self) -> Vec<World> {
        vec![World::new()]
    }

    fn steps(&self, world: &World) -> Vec<(String, World)> {
        let mut steps = Vec::new();
        if world.published.len() < MESSAGES {
            let name = world.published.len() + 1;
            let publish = |queue: usize| {
                (format!("publish m{name} to {}", QUEUES[queue]), world.publish(queue))
            };
            steps.extend([publish(0), publish(1)]);
        }
        for worker in WORKERS {
            if !world.consumes(worker) {
                let come = |queue| {
                    (format!("worker {worker} comes to {queue}"), world.come(worker, queue))
                };
                steps.extend(QUEUES.map(come));
            }
            if let Some(channel) = world.channel(worker) {
                steps.extend(world.steps_of(worker, channel));
            }
        }
        steps
    }

    fn key(&self, world: &World) -> Self::Key {
        (without_tags(world.harness.view()), world.published.clone())
    }

    fn always(&self) -> Vec<Always<World>> {
        vec![
            ("every invariant of the engine holds", |world| {
                world.harness.engine().check_invariants()
            }),
            ("a message is ready or held until it is settled, and then nowhere", nothing_is_lost),
            ("a message that is handed out leaves no earlier one waiting", in_order),
            ("what was handed out before is marked redelivered, and nothing else", marked),
        ]
    }

    fn sometimes(&self) -> Vec<Sometimes<World>> {
        vec![
            ("everything is settled", |world| {
                world.published.len() == MESSAGES && world.published.iter().all(|one| one.settled)
            }),
            ("a worker leaves, and what he held goes to the other", |world| world.handed_on),
            ("a message comes back before later ones that wait in its queue", |world| {
                let waiting = &world.harness.view().messages[QUEUES[0]];
                world.delivered == [(0, true)] && waiting.len() == 2
            }),
            ("a worker holds more than his window, from before he cancelled", |world| {
                world.held(WORKERS[0]).len() == 3
            }),
            ("a message waits though a worker of another queue has room", |world| {
                let view = world.harness.view();
                let [one, other] = [&view.queues[0], &view.queues[1]];
                one.messages_ready > 0 && other.consumers.iter().any(|consumer| consumer.active)
            }),
        ]
    }

    fn describe(&self, world: &World) -> String {
        format!("{:#?}", world.harness.view())
    }
}

fn nothing_is_lost(world: &World) -> Result<(), String> {
    let view = world.harness.view();
    for (index, message) in world.published.iter().enumerate() {
        let ready = view.messages[QUEUES[message.queue]].iter();
        let ready = ready.filter(|one| one.id.0 as usize == index + 1).count();
        let held = WORKERS.iter().flat_map(|worker| world.held(*worker));
        let held = held.filter(|(_, one)| *one == index).count();
        if ready + held != usize::from(!message.settled) {
            return Err(format!("m{} is {ready} times ready and {held} times held", index + 1));
        }
    }
    Ok(())
}

fn in_order(world: &World) -> Result<(), String> {
    let view = world.harness.view();
    for (message, _) in &world.delivered {
        let queue = QUEUES[world.published[*message].queue];
        let waiting = view.messages[queue].iter().map(|one| one.id.0 as usize - 1);
        if let Some(earlier) = waiting.into_iter().find(|waiting| waiting < message) {
            return Err(format!("m{} is handed out before m{}", message + 1, earlier + 1));
        }
    }
    Ok(())
}

fn marked(world: &World) -> Result<(), String> {
    for ((message, redelivered), known) in world.delivered.iter().zip(&world.known) {
        if redelivered != known {
            return Err(format!("m{} is marked {redelivered}", message + 1));
        }
    }
    Ok(())
}

/// A change of these numbers is a change of what clients can do, or of what they can see.
#[test]
fn every_state_of_two_queues_three_messages_and_two_workers() {
    let explored =
        Explorer::new(Everything).run().unwrap_or_else(|violation| panic!("{violation}"));
    eprintln!("{explored}");
    assert!(explored.complete);
    assert_eq!((explored.states, explored.transitions, explored.depth), (16_714, 168_268, 16));
}
