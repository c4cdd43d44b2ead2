//! What goes on behind a run: things arrive, and faults strike.

use std::future::{Future, poll_fn};
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::choices::{About, Planned, When, below, mix};
use super::faults::FaultKind;
use super::report::{Reason, Struck};
use super::world::Run;
use crate::translate::{Broker, ReplyCode};

/// How long it is looked ahead when nothing is to come.
const FAR: Duration = Duration::from_secs(1 << 30);

/// Lets things arrive and faults strike for as long as the run lasts.
pub(super) async fn drive(run: Arc<Run>) {
    let began = Instant::now() - run.clock.elapsed();
    let mut alarm = Box::pin(sleep_until(began + FAR));
    let mut armed = None;
    loop {
        poll_fn(|cx| {
            run.network.wake_on_more(cx.waker());
            let due = run.next_due();
            if due.is_some_and(|due| due <= run.clock.elapsed()) {
                return Poll::Ready(());
            }
            if armed != Some(due) {
                armed = Some(due);
                alarm.as_mut().reset(began + due.unwrap_or(FAR));
            }
            // When it is over what was due is, or the clock is a moment behind its timer.
            match alarm.as_mut().poll(cx) {
                Poll::Ready(()) => {
                    armed = None;
                    Poll::Ready(())
                }
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        if run.network.move_next() {
            run.after_arrival();
        }
        run.strike_due();
        if run.lets_others_run() {
            tokio::task::yield_now().await;
        }
    }
}

impl Run {
    fn next_due(&self) -> Option<Duration> {
        let arrival = self.network.next_due();
        let state = self.state.lock();
        let timed = state.plan.iter().filter_map(|planned| match planned.when {
            When::At(time) => Some(time),
            When::Arrived(_) => None,
        });
        timed.chain(arrival).min()
    }

    fn after_arrival(&self) {
        let arrivals = self.network.moved();
        if arrivals > self.options.most_arrivals {
            self.fail(Reason::Livelock { arrivals });
        }
    }

    /// Whether tasks run between this arrival and the next, if that is due too.
    fn lets_others_run(&self) -> bool {
        let moved = self.network.moved();
        self.replay.off.yields || self.choices.below(About::Step, 0, moved, 4) > 0
    }

    /// Strikes with every fault whose time has come; one that finds nobody to strike is late.
    fn strike_due(&self) {
        let (now, arrivals) = (self.clock.elapsed(), self.network.moved());
        if self.state.lock().plan.is_empty() {
            return;
        }
        let due = |planned: &Planned| match planned.when {
            When::Arrived(number) => arrivals >= number,
            When::At(time) => now >= time,
        };
        let plan = std::mem::take(&mut self.state.lock().plan);
        let mut left = Vec::new();
        for mut planned in plan {
            let struck = if due(&planned) { self.strike(&planned) } else { None };
            match struck {
                Some(whom) => self.note_strike(&planned, whom),
                None => {
                    if due(&planned) {
                        planned.when = When::Arrived(arrivals + 1);
                    }
                    left.push(planned);
                }
            }
        }
        let mut state = self.state.lock();
        state.calm |= left.is_empty();
        if !state.calm {
            state.plan = left;
        }
    }

    fn note_strike(&self, planned: &Planned, whom: String) {
        let (at, arrivals) = (self.clock.elapsed(), self.network.moved());
        let life = self.node.lives_before();
        let events = self.node.broker().events_so_far();
        let Planned { number, kind, .. } = *planned;
        let struck = Struck { number, kind, at, arrivals, whom, life, events };
        self.state.lock().struck.push(struck);
    }

    /// No more faults; those that last end soon by themselves.
    pub(super) fn calm_down(&self) {
        let mut state = self.state.lock();
        state.plan.clear();
        state.calm = true;
    }

    /// Strikes, and says whom; `None` if there is nobody yet.
    fn strike(&self, planned: &Planned) -> Option<String> {
        let Planned { kind, bits, .. } = *planned;
        let broker = self.node.broker();
        let up = self.node.is_up();
        if !up && kind != FaultKind::CrashProcess {
            return None;
        }
        let last_for = Duration::from_micros(below(mix(bits ^ 2), 1_000_000));
        match kind {
            FaultKind::LoseConnection | FaultKind::CloseConnection => {
                let views = broker.connections();
                let number = pick(&views, bits)?.number;
                if kind == FaultKind::CloseConnection {
                    broker.close_connection(number, "a fault");
                    return Some(format!("connection {number}"));
                }
                Some(self.lose_connection(number, mix(bits ^ 3)))
            }
            FaultKind::CloseChannel => close_channel(&broker, bits),
            FaultKind::CancelConsumer => {
                let queues = broker.queues();
                let consumers: Vec<_> = queues.iter().flat_map(|queue| &queue.consumers).collect();
                let consumer = pick(&consumers, bits)?;
                broker.cancel_consumer(&consumer.consumer_tag);
                Some(format!("{} on {}", consumer.consumer_tag, consumer.queue))
            }
            FaultKind::NackPublishes => {
                let channels = broker.channels();
                channels.iter().find(|channel| channel.confirm)?;
                let count = 1 + below(mix(bits), 3);
                broker.nack_publishes(None, count);
                Some(format!("the next {count}"))
            }
            FaultKind::BlockPublishers => {
                broker.block_publishers("low on memory");
                self.later(last_for, |run| {
                    run.node.broker().unblock_publishers();
                });
                Some(format!("for {last_for:?}"))
            }
            FaultKind::RefuseConnections => {
                broker.refuse_connections(true);
                self.later(last_for, |run| run.node.broker().refuse_connections(false));
                Some(format!("for {last_for:?}"))
            }
            FaultKind::CrashProcess => self.strike_process(bits),
            FaultKind::CrashBroker | FaultKind::CutPower | FaultKind::RestartBroker => {
                self.strike_broker(kind, bits, last_for)
            }
        }
    }

    /// The network fails: the broker finds out first, or the client does, long before the broker.
    fn lose_connection(&self, number: u64, bits: u64) -> String {
        let late = Duration::from_micros(below(mix(bits), 3_000_000));
        let lines = self.network.lines();
        let line = lines.iter().rfind(|line| line.end.number() == number);
        match line.filter(|_| bits.is_multiple_of(2)) {
            Some(line) if self.network.break_line(line.line, late) => {
                format!("connection {number}; the broker notices after {late:?}")
            }
            _ => {
                self.node.broker().lose_connection(number);
                format!("connection {number}")
            }
        }
    }

    fn strike_process(&self, bits: u64) -> Option<String> {
        let running: Vec<_> = {
            let state = self.state.lock();
            let running = state.processes.iter().enumerate().filter(|(_, its)| its.running);
            running.map(|(number, process)| (number, process.name.clone())).collect()
        };
        let (number, name) = pick(&running, bits)?;
        self.crash_process(*number).then(|| name.clone())
    }

    fn strike_broker(&self, kind: FaultKind, bits: u64, down_for: Duration) -> Option<String> {
        match kind {
            FaultKind::CrashBroker => self.node.crash(),
            FaultKind::CutPower => self.node.power_cut(bits),
            _ => self.node.stop(),
        }
        self.later(down_for, |run| {
            if let Err(error) = run.node.start() {
                run.fail(Reason::BrokerFailed(error.to_string()));
            }
        });
        Some(format!("down for {down_for:?}"))
    }

    fn later(&self, time: Duration, act: impl FnOnce(&Self) + Send + 'static) {
        let run = Weak::clone(&self.this);
        self.network.after(time, move || {
            if let Some(run) = run.upgrade() {
                act(&run);
            }
        });
    }
}

fn close_channel(broker: &Broker, bits: u64) -> Option<String> {
    let channels = broker.channels();
    let channel = pick(&channels, bits)?;
    let code = ReplyCode::PreconditionFailed;
    broker.close_channel(channel.connection, channel.number, code, "a fault");
    Some(format!("channel {}.{}", channel.connection, channel.number))
}

fn pick<T>(from: &[T], bits: u64) -> Option<&T> {
    from.get(usize::try_from(below(bits, from.len() as u64)).ok()?)
}
