//! What the clients know: which messages and queues were promised, and which are gone for good.

use leveret_broker::engine::Engine;
use leveret_broker::protocol::{Message, PERSISTENT};

pub(crate) const QUEUES: [&str; 2] = ["q1", "q2"];

/// What is durable: the queues in the order of declaring, each with its messages in order and whether they
/// are marked redelivered. Queues and messages by their places in the account, which count attempts.
pub(crate) type Found = Vec<(usize, Vec<(usize, bool)>)>;

/// What has become of a message, as its publisher and the workers know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// Published, and not confirmed: a crash may take it or leave it.
    Unconfirmed,
    /// Confirmed, or found after a crash: it must be there.
    Safe,
    /// Acknowledged or rejected for good, and that is not durable yet: it may come back.
    Settled,
    /// It must never be there again.
    Gone,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Account {
    /// The queues that exist, in the order of declaring, and whether that was answered.
    pub(crate) queues: Vec<(usize, bool)>,
    /// Every message that was ever published: its queue, and its fate.
    pub(crate) messages: Vec<(usize, Fate)>,
}

impl Account {
    pub(crate) fn has(&self, queue: usize) -> bool {
        self.queues.iter().any(|(one, _)| *one == queue)
    }

    pub(crate) fn fate(&self, message: usize) -> Fate {
        self.messages[message].1
    }

    /// What must survive once everything is durable, as it is found after a crash: all marked (S180).
    pub(crate) fn present(&self) -> Found {
        let alive = |fate| matches!(fate, Fate::Unconfirmed | Fate::Safe);
        let messages = |queue: usize| {
            let all = self.messages.iter().enumerate();
            let own = all.filter(|(_, (of, fate))| *of == queue && alive(*fate));
            own.map(|(message, _)| (message, true)).collect()
        };
        self.queues.iter().map(|(queue, _)| (*queue, messages(*queue))).collect()
    }

    /// What was durable as one of `before` is now this: what was settled and is in it no more is gone.
    pub(crate) fn settled(&mut self, before: &[Found], now: &Found) {
        for (message, (_, fate)) in self.messages.iter_mut().enumerate() {
            let was = before.iter().any(|found| contains(found, message));
            if *fate == Fate::Settled && was && !contains(now, message) {
                *fate = Fate::Gone;
            }
        }
    }

    /// Whether what was promised is in what was found, and what is gone is not.
    pub(crate) fn judge(&self, found: &Found) -> Result<(), String> {
        for (message, (_, fate)) in self.messages.iter().enumerate() {
            let there = contains(found, message);
            match fate {
                Fate::Safe if !there => return Err(format!("m{} is lost", message + 1)),
                Fate::Gone if there => {
                    return Err(format!("m{} was gone, and is back", message + 1));
                }
                _ => {}
            }
        }
        let there = |queue| found.iter().any(|(one, _)| *one == queue);
        match self.queues.iter().find(|(queue, answered)| *answered && !there(*queue)) {
            Some((queue, _)) => Err(format!("{} is lost", QUEUES[*queue])),
            None => Ok(()),
        }
    }

    /// The account of the life that begins with what was found: all of it is durable, and nothing else
    /// may ever appear.
    pub(crate) fn reborn(&self, found: &Found) -> Self {
        let queues = found.iter().map(|(queue, _)| (*queue, true)).collect();
        let fate = |message| if contains(found, message) { Fate::Safe } else { Fate::Gone };
        let messages = self.messages.iter().enumerate();
        let messages = messages.map(|(message, (queue, _))| (*queue, fate(message))).collect();
        Self { queues, messages }
    }
}

pub(crate) fn contains(found: &Found, message: usize) -> bool {
    found.iter().any(|(_, messages)| messages.iter().any(|(one, _)| *one == message))
}

/// Everything marked redelivered, as after a crash (S180).
pub(crate) fn all_marked(found: &Found) -> Found {
    let mark =
        |messages: &Vec<(usize, bool)>| messages.iter().map(|(one, _)| (*one, true)).collect();
    found.iter().map(|(queue, messages)| (*queue, mark(messages))).collect()
}

/// The body of a message: its name, and so much behind it.
pub(crate) fn body(message: usize, padding: usize) -> String {
    format!("m{}{}", message + 1, " ".repeat(padding))
}

/// The message that a body names.
pub(crate) fn message_of(body: &str) -> Option<usize> {
    let name = body.strip_prefix('m')?;
    let digits = name.split(|char: char| !char.is_ascii_digit()).next()?;
    digits.parse::<usize>().ok()?.checked_sub(1)
}

/// What a broker has that was just recovered. Each message must be, in all its parts, one that was published
/// to the queue that it is in, and be ready.
pub(crate) fn look(engine: &Engine, padding: usize) -> Result<Found, String> {
    let mut found = Found::new();
    for queue in engine.durable_view().queues {
        let place = QUEUES.iter().position(|name| *name == &*queue.name);
        let place = place.ok_or_else(|| format!("a queue '{}'", queue.name))?;
        let ready = engine.ready_messages(&queue.name).unwrap_or_default();
        if !ready.iter().map(|one| one.id).eq(queue.messages.iter().map(|one| one.id)) {
            return Err(format!("{} is not ready as a whole", queue.name));
        }
        let messages = queue.messages.iter().zip(&ready);
        let messages = messages.map(|(message, ready)| {
            genuine(message, &queue.name, padding).map(|message| (message, ready.redelivered))
        });
        found.push((place, messages.collect::<Result<_, _>>()?));
    }
    Ok(found)
}

fn genuine(message: &Message, queue: &str, padding: usize) -> Result<usize, String> {
    let text = std::str::from_utf8(&message.body).ok();
    let number = text.and_then(message_of).filter(|number| {
        let whole = message.body == body(*number, padding).as_bytes();
        let address = &message.address;
        whole
            && message.properties.delivery_mode() == &Some(PERSISTENT)
            && address.exchange.is_empty()
            && &*address.routing_key == queue
    });
    number.ok_or_else(|| format!("in {queue}, not as it was sent: {message:?}"))
}
