//! What queues do by themselves: as time passes, when they are too full, and with what dies in them.

use super::arguments::{integer, text};
use super::{Message, Oracle, Queue, Ready};
use crate::protocol::types::FieldTable;

/// What the arguments of a queue say.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) ttl_ms: Option<u64>,
    expires_ms: Option<u64>,
    max_length: Option<usize>,
    max_length_bytes: Option<usize>,
    overflow: String,
    dead_letter_exchange: Option<String>,
    dead_letter_routing_key: Option<String>,
    /// How often a message may come back, if it is a quorum queue; `None` for ever.
    pub(super) quorum: Option<Option<i64>>,
}

/// What has died, and where it goes.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    message: Message,
    queue: String,
    reason: &'static str,
    exchange: String,
    key: Option<String>,
}

impl Rules {
    pub(super) fn of(arguments: &FieldTable) -> Self {
        let number = |name| integer(arguments, name).map(|it| u64::try_from(it).unwrap_or(0));
        let size = |name| number(name).map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        Self {
            ttl_ms: number("x-message-ttl"),
            expires_ms: number("x-expires"),
            max_length: size("x-max-length"),
            max_length_bytes: size("x-max-length-bytes"),
            overflow: text(arguments, "x-overflow").unwrap_or_default(),
            dead_letter_exchange: text(arguments, "x-dead-letter-exchange"),
            dead_letter_routing_key: text(arguments, "x-dead-letter-routing-key"),
            quorum: (text(arguments, "x-queue-type").as_deref() == Some("quorum")).then(|| {
                let limit = integer(arguments, "x-delivery-limit").unwrap_or(20);
                (limit >= 0).then_some(limit)
            }),
        }
    }
}

impl Queue {
    /// Whether so many more messages with so many more bytes are too many.
    fn is_too_full(&self, more: usize, bytes: usize) -> bool {
        let length = self.ready.len() + more;
        let bytes = self.ready.iter().map(|ready| ready.message.len).sum::<usize>() + bytes;
        self.rules.max_length.is_some_and(|max| length > max)
            || self.rules.max_length_bytes.is_some_and(|max| bytes > max)
    }

    /// Where the message is that leaves next: the first one, but for one of each three of a quorum queue that go by
    /// priority (R4).
    pub(super) fn head(&self) -> Option<usize> {
        let is_low = |ready: &Ready| ready.last || self.priority_of(&ready.message) == 0;
        let others = self.ready.first().is_some_and(|first| first.returned) || self.in_a_row < 2;
        let low = self.ready.iter().position(is_low).filter(|_| !others);
        low.or_else(|| (!self.ready.is_empty()).then_some(0))
    }

    /// Takes that message, which must be there.
    pub(super) fn take_head(&mut self) -> Ready {
        let taken = self.ready.remove(self.head().expect("a message is there"));
        if self.rules.quorum.is_some() && !taken.returned {
            self.in_a_row = if self.in_a_row == 2 { 0 } else { self.in_a_row + 1 };
        }
        taken
    }

    /// When its head expires: the shorter time to live counts (S116).
    fn head_expires_ms(&self) -> Option<u64> {
        let head = &self.ready.get(self.head()?)?.message;
        let ttl_ms = head.ttl_ms.into_iter().chain(self.rules.ttl_ms).min()?;
        Some(head.entered_ms + ttl_ms)
    }

    /// When it goes itself, if nobody uses it (S122).
    fn expires_ms(&self) -> Option<u64> {
        let unused = self.consumers().is_empty();
        self.rules.expires_ms.filter(|_| unused).map(|lease_ms| self.used_ms + lease_ms)
    }
}

/// Time.
impl Oracle {
    /// Lets so much time pass.
    pub(super) fn pass(&mut self, ms: u64) {
        self.time_ms += ms;
    }

    /// Does what is due by now, one thing after the other, each at its own time.
    pub(super) fn do_what_is_due(&mut self) {
        if std::mem::take(&mut self.recovered) {
            self.now_ms = self.time_ms;
            for queue in &mut self.queues {
                (queue.used_ms, queue.came_back, queue.has_changed) = (self.now_ms, true, true);
            }
            self.finish();
        }
        while let Some((at_ms, number, itself)) =
            self.next_due().filter(|due| due.0 <= self.time_ms)
        {
            self.now_ms = self.now_ms.max(at_ms);
            self.known = self.published;
            let found = self.queues.iter().position(|queue| queue.number == number);
            let index = found.expect("it was just found");
            if itself {
                self.queues.remove(index);
                self.drop_loose_ends();
            } else {
                self.expire(index, self.known);
            }
            self.finish();
        }
        self.now_ms = self.time_ms;
    }

    /// When, of which queue, and whether that is due itself rather than its head.
    fn next_due(&self) -> Option<(u64, u64, bool)> {
        let heads = self.queues.iter().map(|queue| (queue.head_expires_ms(), queue.number, false));
        let leases = self.queues.iter().map(|queue| (queue.expires_ms(), queue.number, true));
        let all = heads.chain(leases);
        all.filter_map(|(at_ms, number, itself)| Some((at_ms?, number, itself))).min()
    }

    /// Somebody has used a queue.
    pub(super) fn used(&mut self, name: &str) {
        let now_ms = self.now_ms;
        let queues = self.queues.iter_mut().filter(|queue| queue.name == name);
        queues.for_each(|queue| queue.used_ms = now_ms);
    }
}

/// What leaves at the head.
impl Oracle {
    /// Takes what has expired from the head of a queue, if its number is at most `last`.
    pub(super) fn expire(&mut self, index: usize, last: u64) {
        loop {
            let queue = &self.queues[index];
            let due = queue.head_expires_ms().is_some_and(|at_ms| at_ms <= self.now_ms);
            let head = queue.head().map(|head| queue.ready[head].message.id);
            if !due || head.is_none_or(|id| id > last) {
                return;
            }
            self.drop_head(index, "expired");
        }
    }

    /// Takes what is too much from the head of a queue (S133).
    pub(super) fn drop_excess(&mut self, index: usize) {
        let rejects = self.queues[index].rules.overflow.starts_with("reject");
        while !rejects
            && !self.queues[index].ready.is_empty()
            && self.queues[index].is_too_full(0, 0)
        {
            self.drop_head(index, "maxlen");
        }
    }

    fn drop_head(&mut self, index: usize, reason: &'static str) {
        let Ready { message, .. } = self.queues[index].take_head();
        self.bury(index, message, reason);
    }

    /// A message has died in a queue: it is gone, or goes elsewhere.
    pub(super) fn bury(&mut self, index: usize, message: Message, reason: &'static str) {
        let Queue { name: queue, rules, .. } = &self.queues[index];
        let Some(exchange) = rules.dead_letter_exchange.clone() else { return };
        let (queue, key) = (queue.clone(), rules.dead_letter_routing_key.clone());
        self.letters.push(Letter { message, queue, reason, exchange, key });
    }

    /// A message comes back to a quorum queue: before those that never did, or last if returns have no limit, unless
    /// its channel has ended (S66). One that came back too often dies (S142).
    pub(super) fn come_back_to_quorum(
        &mut self,
        index: usize,
        mut message: Message,
        channel_ended: bool,
        limit: Option<i64>,
    ) {
        message.returns += 1;
        if limit.is_some_and(|limit| message.returns > limit) {
            self.bury(index, message, "delivery_limit");
            return;
        }
        let queue = &mut self.queues[index];
        let first = limit.is_some() || channel_ended;
        let returned = queue.ready.iter().take_while(|ready| ready.returned).count();
        let place = if first { returned } else { queue.ready.len() };
        queue
            .ready
            .insert(place, Ready { message, redelivered: true, returned: first, last: !first });
        queue.has_changed = true;
    }

    /// Hands out what can be handed out, and then publishes the dead letters, each of which may be handed out.
    pub(super) fn finish(&mut self) {
        self.hand_out();
        while !self.letters.is_empty() {
            let letter = self.letters.remove(0);
            self.known = self.published;
            self.publish_letter(letter);
            self.hand_out();
        }
    }

    fn publish_letter(&mut self, letter: Letter) {
        let Letter { mut message, queue, reason, exchange, key } = letter;
        if !exchange.is_empty() && self.exchanges.iter().all(|other| other.name != exchange) {
            return;
        }
        message.die(&queue, reason);
        if let Some(key) = key {
            (message.key, message.copies) = (key, Vec::new());
        }
        (message.exchange, message.ttl_ms, message.returns) = (exchange, None, 0);
        let mut names = self.route(&message.exchange, &keys(&message), &message.headers);
        if reason != "rejected" {
            names.retain(|name| !message.goes_round(name));
        }
        self.published += 1;
        message.id = self.published;
        self.put(message, &names);
    }

    /// Puts a message into queues. False if one of them is too full for it.
    pub(super) fn put(&mut self, mut message: Message, names: &[String]) -> bool {
        let going: Vec<usize> =
            (0..self.queues.len()).filter(|at| names.contains(&self.queues[*at].name)).collect();
        let refuses = |at: &usize| {
            let queue = &self.queues[*at];
            queue.rules.overflow.starts_with("reject") && queue.is_too_full(1, message.len)
        };
        let (refusing, taking): (Vec<usize>, Vec<usize>) = going.into_iter().partition(refuses);
        let timed = taking.iter().any(|at| self.queues[*at].rules.ttl_ms.is_some());
        let timed = timed || message.ttl_ms.is_some();
        message.entered_ms = if timed { self.now_ms } else { 0 };
        for at in &refusing {
            if self.queues[*at].rules.overflow == "reject-publish-dlx" {
                self.bury(*at, message.clone(), "maxlen");
            }
        }
        for at in taking {
            self.queues[at].insert(Ready {
                message: message.clone(),
                redelivered: false,
                returned: false,
                last: false,
            });
        }
        refusing.is_empty()
    }
}

/// The keys that a message is routed by.
fn keys(message: &Message) -> Vec<String> {
    [&message.key].into_iter().chain(&message.copies).cloned().collect()
}
