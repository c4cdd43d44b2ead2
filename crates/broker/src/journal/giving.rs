//! The end of the way from the walk to the fold.

use std::collections::VecDeque;

use super::codec::Decoder;
use super::portion::{Portion, Unreadable};
use super::runs::{RecordedMessages, RecordedRemovals};
use super::{Fold, Recorded};
use crate::protocol::Record;

/// Makes records of portions, and hands those of whole batches on in their order.
pub(super) struct Records<'a> {
    decoder: Decoder,
    giving: Giving<'a>,
    /// What is not known to be of whole batches yet.
    pending: VecDeque<Portion>,
}

impl<'a> Records<'a> {
    /// Begins a fold anew.
    pub(super) fn new(fold: &'a mut dyn Fold) -> Self {
        fold.restart();
        let giving = Giving { fold, given: None, in_head: false };
        Self { decoder: Decoder::default(), giving, pending: VecDeque::new() }
    }

    /// Takes the next portion in, and hands on what is of whole batches by now; or says which record of it means
    /// nothing. Portions that are done with are given to `spare`.
    pub(super) fn take(
        &mut self,
        portion: Portion,
        mut spare: impl FnMut(Portion),
    ) -> Result<(), Unreadable> {
        let before = portion.whole_before;
        self.pending.push_back(portion);
        while let Some(portion) = self.pending.front_mut() {
            portion.hand_on(before, &mut self.decoder, &mut self.giving)?;
            if !portion.is_done() {
                break;
            }
            self.pending.pop_front().into_iter().for_each(|portion| spare(portion.emptied()));
        }
        Ok(())
    }

    /// The segment of the first record.
    pub(super) fn first(&self) -> Option<u64> {
        self.giving.given.map(|(first, _)| first)
    }
}

/// Hands records on, but not those at the head of a segment that is not the first.
pub(super) struct Giving<'a> {
    fold: &'a mut dyn Fold,
    /// The segments of the first and of the last record so far.
    given: Option<(u64, u64)>,
    /// Whether the last record was of the head of a segment, which says again what was said before it.
    in_head: bool,
}

impl Giving<'_> {
    pub(super) fn give_messages(&mut self, recorded: RecordedMessages<'_>) {
        self.goes_on(recorded.segment);
        self.fold.take_messages(recorded);
    }

    pub(super) fn give_removals(&mut self, recorded: RecordedRemovals<'_>) {
        self.goes_on(recorded.segment);
        self.fold.take_removals(recorded);
    }

    /// Notes records that are not of a head.
    fn goes_on(&mut self, segment: u64) {
        let (first, _) = self.given.unwrap_or((segment, segment));
        (self.in_head, self.given) = (false, Some((first, segment)));
    }

    pub(super) fn give(&mut self, recorded: Recorded) {
        let (first, last) = self.given.unwrap_or((recorded.segment, recorded.segment));
        self.in_head = match recorded.record {
            Record::Numbered { .. } => recorded.segment != last,
            Record::QueueKept { .. } | Record::ExchangeKept { .. } | Record::BindingKept(_) => {
                self.in_head
            }
            _ => false,
        };
        self.given = Some((first, recorded.segment));
        if !self.in_head {
            self.fold.take(recorded);
        }
    }
}
