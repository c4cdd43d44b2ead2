//! What a crash leaves.

use std::collections::{BTreeMap, BTreeSet};

use super::super::trace::{Observation, Observed, Settlement, Trace, Viewpoint};
use super::{Verdict, count};
use crate::protocol::Name;

/// A message's copy in a queue.
type Copy = (Name, Name);

/// Prefix consistency: what a broker has after a crash is what some prefix of the earlier life's publishes and removals
/// makes, and that prefix has every publish that was confirmed. After a stop it has everything. Asked of persistent
/// messages in durable queues; where a trace does not say, of all.
///
/// That one prefix counts for all queues is true of a broker with one log, as Leveret is; RabbitMQ has a log for each
/// queue, and does not promise it.
///
/// Not applicable to what clients observed, who do not know the broker's order; where no broker crashed or stopped; where
/// nobody knows what was recovered, because no later life says so, as a broker's history does, and a queue was not found
/// empty by `basic.get` there either; and
/// where there are dead letters, whose history does not say exactly when messages left their queues.
pub fn prefix_after_crash(trace: &Trace) -> Verdict {
    const PROPERTY: &str = "prefix_after_crash";
    if trace.viewpoint() == Viewpoint::Client {
        return Verdict::inapplicable(
            PROPERTY,
            "clients do not know the order of the broker's log",
        );
    }
    let letter = |one: &Observation| {
        one.channel.is_empty() && matches!(one.what, Observed::Published { .. })
    };
    if trace.observations().iter().any(letter) {
        return Verdict::inapplicable(PROPERTY, "there are dead letters");
    }
    let lives = lives(trace);
    let (_, later @ [_, ..]) = lives.split_at(1) else {
        return Verdict::inapplicable(PROPERTY, "no broker crashed or stopped");
    };
    let mut domain = Domain::default();
    let mut initial = BTreeSet::new();
    let mut recovered_in_all = 0;
    for (life, next) in lives.iter().zip(later) {
        let log = domain.read(life);
        let recovered = match domain.recovered(next) {
            Ok(recovered) => recovered,
            Err(why) => return Verdict::inapplicable(PROPERTY, why),
        };
        recovered_in_all += recovered.len();
        if let Err((sentence, messages)) = log.explain(&initial, &recovered) {
            return Verdict::broken(PROPERTY, sentence, trace, next.end, |one| {
                matches!(one.what, Observed::Crashed | Observed::Stopped)
                    || one.what.message().is_some_and(|message| messages.contains(message))
            });
        }
        initial = recovered;
    }
    let held = count(later.len(), "restart", "restarts");
    Verdict::held(PROPERTY, format!("{held}, with {recovered_in_all} messages recovered"))
}

/// A broker's life: its observations, where they end in the trace, and how.
struct Life<'a> {
    observations: &'a [Observation],
    end: usize,
    stopped: bool,
}

fn lives(trace: &Trace) -> Vec<Life<'_>> {
    let all = trace.observations();
    let mut lives = Vec::new();
    let mut began = 0;
    for (index, one) in all.iter().enumerate() {
        if matches!(one.what, Observed::Crashed | Observed::Stopped) {
            let stopped = one.what == Observed::Stopped;
            lives.push(Life { observations: &all[began..index], end: index, stopped });
            began = index + 1;
        }
    }
    lives.push(Life { observations: &all[began..], end: all.len(), stopped: false });
    lives
}

/// What survives: persistent messages in durable queues, over all lives.
#[derive(Default)]
struct Domain {
    transient: BTreeSet<Name>,
    /// The copies that were published in earlier lives.
    earlier: BTreeSet<Copy>,
}

/// What one life did, in order.
struct Log {
    /// What each entry added and removed.
    entries: Vec<(Vec<Copy>, Vec<Copy>)>,
    /// So many of the entries must be there.
    confirmed: usize,
}

impl Domain {
    fn read(&mut self, life: &Life<'_>) -> Log {
        let mut log = Log { entries: Vec::new(), confirmed: 0 };
        let mut published: BTreeMap<&Name, usize> = BTreeMap::new();
        // What is ready and what is there at all, for purges.
        let (mut there, mut held): (BTreeSet<Copy>, BTreeSet<Copy>) =
            (self.earlier.clone(), BTreeSet::new());
        for one in life.observations {
            let (mut added, mut removed) = (Vec::new(), Vec::new());
            match &one.what {
                Observed::QueueDeclared { queue, durable: Some(false) } => {
                    self.transient.insert(queue.clone());
                }
                Observed::Published { message, queues: Some(queues), persistent, .. }
                    if *persistent != Some(false) =>
                {
                    let durable = queues.iter().filter(|queue| !self.transient.contains(*queue));
                    added.extend(durable.map(|queue| (queue.clone(), message.clone())));
                    // What went to no durable queue is no entry, and its confirm promises nothing.
                    if !added.is_empty() {
                        published.insert(message, log.entries.len() + 1);
                    }
                }
                Observed::Confirmed { message } => {
                    let entry = published.get(message).copied().unwrap_or(0);
                    log.confirmed = log.confirmed.max(entry);
                }
                Observed::Delivered { message, queue, no_ack, .. } => {
                    let copy = (queue.clone(), message.clone());
                    if *no_ack {
                        removed.push(copy);
                    } else {
                        held.insert(copy);
                    }
                }
                Observed::Settled { message, queue, how: Settlement::Requeued }
                | Observed::CameBack { message, queue } => {
                    held.remove(&(queue.clone(), message.clone()));
                }
                Observed::Settled { message, queue, .. }
                | Observed::Gone { message, queue, .. } => {
                    removed.push((queue.clone(), message.clone()));
                }
                Observed::QueuePurged { queue, .. } => {
                    let ready =
                        there.iter().filter(|copy| copy.0 == *queue && !held.contains(*copy));
                    removed.extend(ready.cloned());
                }
                Observed::QueueDeleted { queue } => {
                    removed.extend(there.iter().filter(|copy| copy.0 == *queue).cloned());
                }
                _ => {}
            }
            if added.is_empty() && removed.is_empty() {
                continue;
            }
            there.extend(added.iter().cloned());
            removed.iter().for_each(|copy| {
                there.remove(copy);
                held.remove(copy);
            });
            log.entries.push((added, removed));
        }
        if life.stopped {
            log.confirmed = log.entries.len();
        }
        let added = log.entries.iter().flat_map(|(added, _)| added.iter().cloned());
        self.earlier.extend(added);
        log
    }

    /// What a life found of earlier ones.
    fn recovered(&self, life: &Life<'_>) -> Result<BTreeSet<Copy>, String> {
        let (mut recovered, mut empty) = (BTreeSet::new(), BTreeSet::new());
        let mut said = None;
        for one in life.observations {
            match &one.what {
                Observed::Delivered { message, queue, .. }
                | Observed::Gone { message, queue, .. } => {
                    recovered.insert((queue.clone(), message.clone()));
                }
                Observed::GotEmpty { queue } => {
                    empty.insert(queue.clone());
                }
                Observed::Recovered { queue, messages } => {
                    let copies = messages.iter().map(|message| (queue.clone(), message.clone()));
                    said.get_or_insert_with(BTreeSet::new).extend(copies);
                }
                _ => {}
            }
        }
        if let Some(mut said) = said {
            said.retain(|copy| self.earlier.contains(copy));
            return Ok(said);
        }
        recovered.retain(|copy| self.earlier.contains(copy));
        match self.earlier.iter().find(|(queue, _)| !empty.contains(queue)) {
            Some((queue, _)) => Err(format!(
                "{queue} was not found empty after the restart, so that nobody knows what was recovered"
            )),
            None => Ok(recovered),
        }
    }
}

impl Log {
    /// Finds a prefix that makes what was recovered, and has what was confirmed.
    fn explain(
        &self,
        initial: &BTreeSet<Copy>,
        recovered: &BTreeSet<Copy>,
    ) -> Result<(), (String, Vec<Name>)> {
        let mut there = initial.clone();
        let mut confirmed = None;
        let mut differences = there.symmetric_difference(recovered).count();
        for taken in 0..=self.entries.len() {
            if taken > 0 {
                let (added, removed) = &self.entries[taken - 1];
                for copy in added.iter().filter(|copy| !there.contains(*copy)).collect::<Vec<_>>() {
                    there.insert(copy.clone());
                    adjust(&mut differences, recovered.contains(copy));
                }
                for copy in removed {
                    if there.remove(copy) {
                        adjust(&mut differences, !recovered.contains(copy));
                    }
                }
            }
            if taken == self.confirmed {
                confirmed = Some(there.clone());
            }
            if taken >= self.confirmed && differences == 0 {
                return Ok(());
            }
        }
        let confirmed = confirmed.unwrap_or_default();
        let never_removed = |copy: &&Copy| there.contains(*copy) && !recovered.contains(*copy);
        if let Some((queue, message)) = confirmed.iter().find(never_removed) {
            let sentence = format!(
                "{message} was in {queue} for certain, was not removed, and is not there after the restart"
            );
            return Err((sentence, vec![message.clone()]));
        }
        let list = |copies: &BTreeSet<Copy>| {
            copies.iter().map(|(_, message)| message.clone()).collect::<Vec<_>>()
        };
        let messages = list(recovered);
        let sentence =
            format!("what was recovered ({}) is what no prefix makes", messages.join(", "));
        let all =
            self.entries.iter().flat_map(|(added, _)| added.iter().map(|copy| copy.1.clone()));
        Err((sentence, all.chain(messages).collect()))
    }
}

/// One copy more or less is a difference less if that is as it should be, otherwise one more.
fn adjust(differences: &mut usize, as_recovered: bool) {
    if as_recovered {
        *differences -= 1;
    } else {
        *differences += 1;
    }
}
