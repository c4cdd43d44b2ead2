//! Policies: what the operator says of queues and exchanges, beside what they were declared with.

use std::cmp::Reverse;

use super::Engine;
use super::arguments::{integer, is_quorum};
use super::rules::Rules;
use crate::protocol::types::FieldTable;
use crate::protocol::{Effects, EventKind, MessageId, Name, Policy};

impl Engine {
    /// Sets a policy, in the place of the one of that name if there is one.
    pub(super) fn set_policy(&mut self, policy: &Policy, effects: &mut Effects) {
        let name = Name::from(policy.name());
        effects.record_event(None, None, || EventKind::PolicySet { policy: name.clone() });
        self.policies.insert(name, policy.clone());
        self.apply_policies();
    }

    /// Clears a policy; if there is none of that name nothing happens.
    pub(super) fn clear_policy(&mut self, name: &Name, effects: &mut Effects) {
        if self.policies.remove(name).is_some() {
            effects.record_event(None, None, || EventKind::PolicyCleared { policy: name.clone() });
            self.apply_policies();
        }
    }

    /// The policies, by name.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.policies.values()
    }

    /// The one policy that counts for a queue.
    pub(super) fn policy_of_queue(&self, name: &str, arguments: &FieldTable) -> Option<&Policy> {
        let quorum = is_quorum(arguments);
        self.first(|policy| policy.is_for_queue(name, quorum))
    }

    /// What a queue's arguments and its policy make of it together.
    pub(super) fn rules_of(&self, name: &str, arguments: &FieldTable) -> Rules {
        match self.policy_of_queue(name, arguments) {
            None => Rules::of(arguments, self.version()),
            Some(policy) => Rules::of(&merged(arguments, &policy.arguments), self.version()),
        }
    }

    /// The alternate exchange that a policy gives an exchange.
    pub(super) fn alternate_by_policy(&self, exchange: &str) -> Option<Name> {
        let policy = self.first(|policy| policy.is_for_exchange(exchange))?;
        let alternate = policy.arguments.inner().get("alternate-exchange")?;
        super::rules::text(alternate).map(Name::from)
    }

    /// The highest priority comes first, and then the name.
    fn first(&self, is_meant: impl Fn(&Policy) -> bool) -> Option<&Policy> {
        let meant = self.policies.values().filter(|policy| is_meant(policy));
        meant.min_by_key(|policy| Reverse(policy.priority()))
    }

    /// Has every queue and exchange go by the policies as they are now.
    fn apply_policies(&mut self) {
        self.topology += 1;
        let alternates =
            self.exchanges.iter().map(|(id, it)| (id, self.alternate_by_policy(&it.name)));
        for (id, alternate) in alternates.collect::<Vec<_>>() {
            self.exchanges[id].alternate_by_policy = alternate;
        }
        let mut queues: Vec<_> = self.queues.iter().map(|(id, queue)| (queue.number, id)).collect();
        queues.sort_unstable();
        for (_, queue_id) in queues {
            let queue = &self.queues[queue_id];
            let mut rules = self.rules_of(&queue.name, &queue.arguments);
            rules.earlier_ttls_ms.clone_from(&queue.rules.earlier_ttls_ms);
            if queue.ready.is_empty() && queue.unacked == 0 {
                rules.earlier_ttls_ms.clear();
            } else if rules.ttl_ms != queue.rules.ttl_ms {
                // What is there keeps the time to live that it came with.
                let last = MessageId(self.messages_published);
                rules.earlier_ttls_ms.push((last, queue.rules.ttl_ms));
            }
            if rules == queue.rules {
                continue;
            }
            self.timed_queues += usize::from(rules.need_time());
            self.timed_queues -= usize::from(queue.rules.need_time());
            let queue = &mut self.queues[queue_id];
            let lease_changes = rules.expires_ms != queue.rules.expires_ms;
            queue.rules = rules;
            queue.times.may_expire = true;
            queue.times.came_back = queue.rules.drops_head();
            queue.times.is_full = false;
            queue.note_fullness();
            self.note_head(queue_id);
            if lease_changes {
                self.renew(queue_id);
            }
            self.touch(queue_id);
        }
    }
}

/// Of a number in both the lower one counts, otherwise the argument.
fn merged(arguments: &FieldTable, policy: &FieldTable) -> FieldTable {
    let mut merged = arguments.clone();
    for (name, value) in policy.inner() {
        let argument = arguments.inner().get(name);
        let counts = match (argument.and_then(integer), integer(value)) {
            // A negative delivery limit is none, and the other one counts (R2).
            (Some(argument), Some(value)) if argument < 0 || value < 0 => value > argument,
            (Some(argument), Some(value)) => value < argument,
            _ => false,
        };
        if argument.is_none() || counts {
            merged.insert(name.clone(), value.clone());
        }
    }
    merged
}
