//! What clients would see of a right broker, with frames on their way for as long as it takes: no checker finds fault.

use std::collections::{BTreeMap, VecDeque};

use leveret_broker::testing::checkers::every_checker;
use leveret_broker::testing::trace::{Observation, Observed, Trace, Viewpoint};
use leveret_broker::testing::work_queue::strategies::Workloads;
use proptest::prelude::*;

use crate::support::cases;

/// Draws that come round again.
struct Draws<'a>(std::iter::Cycle<std::slice::Iter<'a, u8>>);

impl Draws<'_> {
    fn one_in(&mut self, n: u8) -> bool {
        self.0.next().is_some_and(|draw| draw % n == 0)
    }
}

/// How an observation of a broker comes to a client.
#[derive(PartialEq)]
enum Way {
    /// The client did it, before the broker heard of it.
    Sent,
    /// The client hears it, some time later.
    Heard,
    /// No client sees it.
    Hidden,
}

fn way(what: &Observed) -> Way {
    match what {
        Observed::Published { .. }
        | Observed::Settled { .. }
        | Observed::ConsumerAdded { .. }
        | Observed::ChannelWindow { .. }
        | Observed::QueueDeclared { .. } => Way::Sent,
        Observed::Confirmed { .. }
        | Observed::Returned { .. }
        | Observed::Delivered { .. }
        | Observed::ConsumerRemoved { .. }
        | Observed::GotEmpty { .. }
        | Observed::ChannelClosed => Way::Heard,
        _ => Way::Hidden,
    }
}

/// A broker's trace as its clients may record it: what each channel hears comes in order, but whenever it will. Whatever
/// the channel does next comes behind it, for the program has done it knowing that.
fn delayed(trace: &Trace, draws: &[u8]) -> Trace {
    let mut draws = Draws(draws.iter().cycle());
    let mut seen = Trace::new(Viewpoint::Client);
    let mut pipes: BTreeMap<_, VecDeque<Observation>> = BTreeMap::new();
    for one in trace.observations() {
        match (&one.what, way(&one.what)) {
            (Observed::Crashed | Observed::Stopped, _) => {
                // What was on its way is lost.
                pipes.clear();
                seen.push(one.clone());
            }
            (Observed::Started, _) => seen.push(one.clone()),
            (Observed::AtRest, _) => {
                if draws.one_in(4) {
                    pipes
                        .values_mut()
                        .flat_map(|pipe| pipe.drain(..))
                        .for_each(|one| seen.push(one));
                    seen.push(one.clone());
                }
            }
            (_, Way::Hidden) => {}
            (_, Way::Heard) => pipes.entry(one.channel.clone()).or_default().push_back(one.clone()),
            (_, Way::Sent) => {
                let pipe = pipes.entry(one.channel.clone()).or_default();
                pipe.drain(..).for_each(|heard| seen.push(heard));
                seen.push(one.clone());
            }
        }
        for pipe in pipes.values_mut() {
            while !pipe.is_empty() && draws.one_in(3) {
                seen.push(pipe.pop_front().unwrap());
            }
        }
    }
    // What is still on its way is heard, or the program ends before.
    if draws.one_in(2) {
        pipes.values_mut().flat_map(|pipe| pipe.drain(..)).for_each(|one| seen.push(one));
    }
    seen
}

proptest! {
    #![proptest_config(cases(80))]

    #[test]
    fn clients_of_a_right_broker_find_no_fault(
        workload in Workloads::new().with_everything(),
        draws in proptest::collection::vec(any::<u8>(), 1..200),
    ) {
        let seen = delayed(workload.play().trace(), &draws);
        for verdict in every_checker(&seen) {
            prop_assert!(!verdict.is_broken(), "{}\n{}", verdict, seen);
        }
    }

    #[test]
    fn nor_do_they_at_once(workload in Workloads::new().with_everything()) {
        let seen = delayed(workload.play().trace(), &[0]);
        for verdict in every_checker(&seen) {
            prop_assert!(!verdict.is_broken(), "{}\n{}", verdict, seen);
        }
    }
}
