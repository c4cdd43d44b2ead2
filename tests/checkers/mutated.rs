//! Right traces, made wrong in one place: the checker whose property that breaks says so, wherever the place is.

use leveret_broker::testing::checkers::{
    Verdict, every_checker, exclusive, no_wrong_empty, queue_linearizable, redelivered_exact,
    total_queue, window, work_conservation,
};
use leveret_broker::testing::trace::{Observation, Observed, Settlement, Trace, Viewpoint};
use leveret_broker::testing::work_queue::strategies::Workloads;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support::cases;

/// Workloads with a backlog and full windows, so that every place matters.
fn busy() -> Workloads {
    Workloads::new().with_tasks(6..=20).with_workers(1..=3).with_windows(1..=2)
}

fn remade(observations: Vec<Observation>) -> Trace {
    let mut trace = Trace::new(Viewpoint::Broker);
    observations.into_iter().for_each(|one| trace.push(one));
    trace
}

/// The place of one of the observations that `wanted` picks.
fn pick(trace: &[Observation], index: Index, wanted: impl Fn(&Observed) -> bool) -> usize {
    let places = trace.iter().enumerate().filter(|(_, one)| wanted(&one.what));
    let places: Vec<usize> = places.map(|(place, _)| place).collect();
    places[index.index(places.len())]
}

fn is_delivery(what: &Observed) -> bool {
    matches!(what, Observed::Delivered { .. })
}

fn must_break(verdict: &Verdict, trace: &Trace) -> Result<(), TestCaseError> {
    prop_assert!(verdict.is_broken(), "{}\n{}", verdict, trace);
    let example = verdict.counter_example().unwrap();
    prop_assert!(!example.observations.is_empty(), "{}", verdict);
    Ok(())
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn a_mark_that_is_turned_is_found(workload in busy(), index: Index) {
        let mut trace = workload.play().trace().observations().to_vec();
        let place = pick(&trace, index, is_delivery);
        if let Observed::Delivered { redelivered, .. } = &mut trace[place].what {
            *redelivered = !*redelivered;
        }
        let trace = remade(trace);
        must_break(&redelivered_exact(&trace), &trace)?;
    }

    #[test]
    fn two_first_deliveries_that_change_places_are_found(workload in busy(), index: Index) {
        let mut trace = workload.play().trace().observations().to_vec();
        let last = trace.iter().rposition(|one| is_delivery(&one.what)).unwrap();
        let place = pick(&trace[..last], index, is_delivery);
        let next = place + 1 + trace[place + 1..].iter().position(|one| is_delivery(&one.what)).unwrap();
        let other = trace[next].what.message().unwrap().clone();
        let this = trace[place].what.message().unwrap().clone();
        for (at, name) in [(place, &other), (next, &this)] {
            if let Observed::Delivered { message, .. } = &mut trace[at].what {
                *message = name.clone();
            }
        }
        let trace = remade(trace);
        // If one comes before it was even published, it comes from nowhere.
        must_break(&queue_linearizable(&trace), &trace)?;
    }

    #[test]
    fn a_delivery_that_comes_twice_is_found(workload in busy(), index: Index) {
        let mut trace = workload.play().trace().observations().to_vec();
        let place = pick(&trace, index, is_delivery);
        trace.insert(place, trace[place].clone());
        let trace = remade(trace);
        must_break(&exclusive(&trace), &trace)?;
    }

    #[test]
    fn a_delivery_to_somebody_else_is_found(
        workload in busy().with_workers(2..=3),
        index: Index,
    ) {
        let mut trace = workload.play().trace().observations().to_vec();
        let place = pick(&trace, index, is_delivery);
        let from = trace[place].channel.clone();
        let others = trace.iter().find_map(|one| match &one.what {
            Observed::ConsumerAdded { consumer, .. } if one.channel != from => {
                Some((one.channel.clone(), consumer.clone()))
            }
            _ => None,
        });
        let (channel, tag) = others.unwrap();
        trace[place].channel = channel;
        if let Observed::Delivered { consumer, .. } = &mut trace[place].what {
            *consumer = Some(tag);
        }
        let trace = remade(trace);
        let verdicts = every_checker(&trace);
        let broken: Vec<_> = verdicts.iter().filter(|verdict| verdict.is_broken()).collect();
        prop_assert!(!broken.is_empty(), "{}", trace);
    }

    #[test]
    fn a_message_that_is_lost_is_found(workload in busy(), index: Index) {
        let mut trace = workload.play().trace().observations().to_vec();
        let place = pick(&trace, index, is_delivery);
        let lost = trace[place].what.message().unwrap().clone();
        trace.retain(|one| {
            let handled = matches!(one.what, Observed::Delivered { .. } | Observed::Settled { .. });
            !(handled && one.what.message() == Some(&lost))
        });
        let trace = remade(trace);
        must_break(&total_queue(&trace), &trace)?;
        must_break(&no_wrong_empty(&trace), &trace)?;
        let said = format!("1 lost ({})", lost);
        prop_assert!(total_queue(&trace).to_string().contains(&said));
    }

    #[test]
    fn an_acknowledgement_that_nobody_gave_is_missed(workload in busy(), index: Index) {
        let mut trace = workload.play().trace().observations().to_vec();
        // Of one behind which its worker was sent another.
        let followed = |place: usize, trace: &[Observation]| {
            trace[place + 1..].iter().any(|one| {
                one.channel == trace[place].channel && is_delivery(&one.what)
            })
        };
        let acked = |place: &usize| {
            matches!(trace[*place].what, Observed::Settled { how: Settlement::Acked, .. })
                && followed(*place, &trace)
        };
        let places: Vec<usize> = (0..trace.len()).filter(acked).collect();
        if places.is_empty() {
            return Ok(());
        }
        let place = places[index.index(places.len())];
        trace.remove(place);
        let trace = remade(trace);
        must_break(&window(&trace), &trace)?;
    }

    #[test]
    fn a_delivery_that_is_late_is_found(workload in busy(), index: Index) {
        let mut trace = workload.play().trace().observations().to_vec();
        let place = pick(&trace, index, is_delivery);
        // Time passes before it: another step begins.
        let at = trace[place].at;
        let rest = Observation { at, channel: "".into(), what: Observed::AtRest };
        trace.insert(place, rest);
        let trace = remade(trace);
        must_break(&work_conservation(&trace), &trace)?;
    }
}
