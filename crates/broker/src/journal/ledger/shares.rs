//! Who has what share of the log.

use std::collections::BTreeMap;

use super::{GONE, Ledger, SEVERAL};
use crate::journal::examine::QueueUse;

impl Ledger {
    /// The bytes of each segment that are needed; together they are [`live`](Self::live). Declarations are
    /// counted in the last one, which says them again.
    pub(in crate::journal) fn live_by_segment(&self) -> BTreeMap<u64, u64> {
        let mut live = BTreeMap::new();
        for segment in &self.segments {
            let entries = segment.entries.iter();
            let needed = entries.filter(|entry| self.is_held(entry.queue));
            live.insert(segment.number, needed.map(|entry| u64::from(entry.len)).sum());
        }
        for (segment, entry) in self.moved.values() {
            if self.is_held(entry.queue) {
                *live.entry(*segment).or_default() += u64::from(entry.len);
            }
        }
        if let Some(last) = self.segments.back() {
            *live.entry(last.number).or_default() += self.topology();
        }
        live
    }

    /// The queues in the order of declaring, with what they hold.
    pub(in crate::journal) fn queue_uses(&self) -> Vec<QueueUse> {
        let mut uses: BTreeMap<u32, QueueUse> = BTreeMap::new();
        for (number, queue) in &self.queues {
            let name = queue.name.clone();
            uses.insert(*number, QueueUse { name, messages: 0, bytes: 0 });
        }
        let in_order = self.segments.iter().flat_map(|segment| &segment.entries);
        for entry in in_order.chain(self.moved.values().map(|(_, entry)| entry)) {
            let one = [entry.queue];
            let holders = match entry.queue {
                SEVERAL => self.shared.get(&crate::protocol::MessageId(entry.id)),
                _ => None,
            };
            for number in holders.map_or(&one[..], Vec::as_slice) {
                if let Some(holder) = uses.get_mut(number) {
                    holder.messages += 1;
                    holder.bytes += u64::from(entry.len);
                }
            }
        }
        uses.into_values().collect()
    }

    fn is_held(&self, queue: u32) -> bool {
        queue != GONE && (queue == SEVERAL || self.queues.contains_key(&queue))
    }
}
