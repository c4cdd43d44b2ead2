//! Outputs that wait until what they speak of is durable.

use std::collections::BTreeMap;
use std::collections::vec_deque::{Drain, VecDeque};

use crate::protocol::{ChannelId, Gate, Notice, Output, Verdict};

/// Holds back confirms and answers until the records of their step are durable.
///
/// Steps that made records are numbered from 1. What waits is let out in order. A confirm that needs
/// no record waits all the same while an earlier one of its channel does: confirms of a channel take
/// one road, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Doorkeeper {
    /// The last step whose records are durable.
    durable: u64,
    waiting: VecDeque<(u64, Output)>,
    /// How many confirms wait, by channel; none of them 0.
    confirms: BTreeMap<ChannelId, usize>,
}

impl Doorkeeper {
    /// Lets an output pass, or keeps it; gives what is to be said now. Of a confirm that is kept the
    /// publisher hears that it waits.
    ///
    /// `recorded` is the last step that made records, up to and with the output's own.
    pub(super) fn pass(&mut self, recorded: u64, output: Output) -> Option<Output> {
        let confirmed = confirmed(&output);
        let queued = confirmed.is_some_and(|channel| self.confirms.contains_key(&channel));
        let undurable = output.gate == Gate::OnceDurable && recorded > self.durable;
        if !undurable && !queued {
            return Some(output);
        }
        // What waits only for its turn stands behind everything that waits already.
        let last = self.waiting.back().map_or(0, |(step, _)| *step);
        let step = if undurable { recorded } else { last };
        let said = match output.notice {
            Notice::Confirm { call, publish_seq, .. } => {
                let Output { connection, channel, .. } = output;
                let notice = Notice::Withheld { publish_seq, call };
                Some(Output { connection, channel, gate: Gate::AtOnce, notice })
            }
            _ => None,
        };
        if let Some(channel) = confirmed {
            *self.confirms.entry(channel).or_default() += 1;
        }
        self.waiting.push_back((step, output));
        said
    }

    /// How many outputs wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many confirms of a channel wait.
    pub(super) fn confirms(&self, channel: ChannelId) -> usize {
        self.confirms.get(&channel).copied().unwrap_or_default()
    }

    /// What waits, in order, each with the step that it waits for.
    pub(super) fn outputs(&self) -> impl Iterator<Item = (u64, &Output)> {
        self.waiting.iter().map(|(step, output)| (*step, output))
    }

    /// What waits for steps up to `step`, in order.
    pub(super) fn due(&self, step: u64) -> impl Iterator<Item = &Output> {
        self.waiting.range(..self.count_due(step)).map(|(_, output)| output)
    }

    /// Lets out, in order, what waited for steps up to `step`; also what the iterator is not asked for.
    pub(super) fn durable(&mut self, step: u64) -> LetOut<'_> {
        self.durable = self.durable.max(step);
        let due = self.count_due(self.durable);
        LetOut { due: self.waiting.drain(..due), confirms: &mut self.confirms, run: None }
    }

    fn count_due(&self, step: u64) -> usize {
        self.waiting.partition_point(|(waits_for, _)| *waits_for <= step)
    }

    /// Nothing more will become durable: gives the confirms that waited, as refusals, and forgets the
    /// answers.
    pub(super) fn give_up(&mut self) -> Vec<Output> {
        self.confirms.clear();
        let waiting = self.waiting.drain(..).map(|(_, output)| output);
        let refused = waiting.filter_map(|mut output| match &mut output.notice {
            Notice::Confirm { verdict, .. } => {
                *verdict = Verdict::Nack;
                Some(output)
            }
            _ => None,
        });
        refused.collect()
    }
}

/// What is let out.
pub(super) struct LetOut<'a> {
    due: Drain<'a, (u64, Output)>,
    confirms: &'a mut BTreeMap<ChannelId, usize>,
    /// How many confirms of which channel came last, one behind the other, and are not yet counted off.
    run: Option<(ChannelId, usize)>,
}

impl LetOut<'_> {
    fn count_off(&mut self) {
        let Some((channel, count)) = self.run.take() else { return };
        let Some(left) = self.confirms.get_mut(&channel) else { return };
        *left -= count;
        if *left == 0 {
            self.confirms.remove(&channel);
        }
    }
}

impl Iterator for LetOut<'_> {
    type Item = Output;

    fn next(&mut self) -> Option<Output> {
        let (_, output) = self.due.next()?;
        match (confirmed(&output), &mut self.run) {
            (Some(channel), Some((last, count))) if *last == channel => *count += 1,
            (Some(channel), _) => {
                self.count_off();
                self.run = Some((channel, 1));
            }
            (None, _) => {}
        }
        Some(output)
    }
}

impl Drop for LetOut<'_> {
    fn drop(&mut self) {
        while self.next().is_some() {}
        self.count_off();
    }
}

/// The channel that a confirm is for.
fn confirmed(output: &Output) -> Option<ChannelId> {
    output.channel.filter(|_| matches!(output.notice, Notice::Confirm { .. }))
}

#[cfg(test)]
mod tests {
    use slotmap::{Key, KeyData};

    use super::*;
    use crate::protocol::{CallId, ConnectionId, Reply};

    fn channel(number: u64) -> ChannelId {
        KeyData::from_ffi((1 << 32) | number).into()
    }

    fn output(number: u64, gate: Gate, notice: Notice) -> Output {
        Output { connection: ConnectionId::null(), channel: Some(channel(number)), gate, notice }
    }

    fn confirm(number: u64, gate: Gate, seq: u64) -> Output {
        let (call, verdict) = (CallId(seq), Verdict::Ack);
        output(number, gate, Notice::Confirm { call, publish_seq: seq, verdict })
    }

    fn withheld(output: &Option<Output>) -> bool {
        !matches!(
            output,
            Some(Output { notice: Notice::Confirm { .. } | Notice::Reply { .. }, .. })
        )
    }

    #[test]
    fn what_is_durable_passes_and_what_is_not_waits_in_order() {
        let mut doorkeeper = Doorkeeper::default();
        assert!(withheld(&doorkeeper.pass(1, confirm(1, Gate::OnceDurable, 1))));
        assert!(withheld(&doorkeeper.pass(2, confirm(2, Gate::OnceDurable, 1))));
        let answer = Notice::Reply { call: CallId(7), reply: Reply::Deleted(0) };
        assert!(withheld(&doorkeeper.pass(2, output(1, Gate::OnceDurable, answer.clone()))));
        assert!(!withheld(&doorkeeper.pass(2, output(1, Gate::AtOnce, answer.clone()))));
        let first: Vec<_> = doorkeeper.durable(1).collect();
        assert_eq!(first, [confirm(1, Gate::OnceDurable, 1)]);
        let rest: Vec<_> = doorkeeper.durable(2).collect();
        assert_eq!(rest, [confirm(2, Gate::OnceDurable, 1), output(1, Gate::OnceDurable, answer)]);
        assert!(!withheld(&doorkeeper.pass(2, confirm(1, Gate::OnceDurable, 2))));
    }

    #[test]
    fn a_confirm_that_needs_no_record_waits_behind_one_of_its_channel_that_does() {
        let mut doorkeeper = Doorkeeper::default();
        assert!(withheld(&doorkeeper.pass(1, confirm(1, Gate::OnceDurable, 1))));
        assert!(withheld(&doorkeeper.pass(1, confirm(1, Gate::AtOnce, 2))));
        assert!(!withheld(&doorkeeper.pass(1, confirm(2, Gate::AtOnce, 1))), "another channel");
        let released: Vec<_> = doorkeeper.durable(1).collect();
        assert_eq!(released, [confirm(1, Gate::OnceDurable, 1), confirm(1, Gate::AtOnce, 2)]);
        assert!(!withheld(&doorkeeper.pass(1, confirm(1, Gate::AtOnce, 3))));
    }

    #[test]
    fn when_nothing_can_become_durable_any_more_confirms_are_refused() {
        let mut doorkeeper = Doorkeeper::default();
        doorkeeper.pass(1, confirm(1, Gate::OnceDurable, 1));
        let refused = doorkeeper.give_up();
        let verdicts = refused.iter().map(|output| match output.notice {
            Notice::Confirm { verdict, .. } => verdict,
            _ => panic!("{output:?}"),
        });
        assert!(verdicts.eq([Verdict::Nack]));
        assert_eq!(doorkeeper.durable(9).count(), 0);
    }
}
