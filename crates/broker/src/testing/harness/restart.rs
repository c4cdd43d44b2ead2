//! The end of the broker, and the next one made of its records.

use super::Harness;
use crate::engine::Stop;
use crate::protocol::Record;

/// Ending it.
impl Harness {
    /// Another broker, made of the records that this one gave: what there is after a stop or a kill.
    /// Its clients are gone, and it counts connections and steps anew; time goes on.
    ///
    /// # Panics
    ///
    /// If the records contradict each other, or the new engine breaks an invariant.
    #[must_use]
    pub fn restarted(&self, stop: Stop) -> Self {
        let mut fold = self.fold.clone();
        let mut take = |record: Record| {
            if let Err(error) = fold.apply(record) {
                panic!("{error}");
            }
        };
        // A kill leaves nothing behind but what the steps gave; what an earlier stop said is void.
        match stop {
            Stop::Graceful => self.engine.stop_records().into_iter().for_each(&mut take),
            Stop::Killed => take(Record::Started),
        }
        assert_eq!(fold.stop(), stop, "the records tell how the broker ended");
        let engine = fold.clone().finish(self.options.clone());
        if let Err(broken) = engine.check_invariants() {
            panic!("restored: {broken}");
        }
        let mut restarted = Self::around(engine, self.options.clone(), fold);
        restarted.now = self.now;
        let started = restarted.check_records(&[Record::Started]);
        assert_eq!(started, Ok(()), "restored");
        restarted
    }
}
