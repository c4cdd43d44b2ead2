//! What goes on behind a run: things arrive, and faults strike.

use std::io::ErrorKind;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::choices::{About, Planned, When, below, mix};
use super::faults::FaultKind;
use super::report::{Reason, Struck};
use super::world::Run;
use crate::testing::network::Alarm;
use crate::translate::{Broker, Level, ReplyCode, disk};

/// Lets things arrive and faults strike for as long as the run lasts.
pub(super) async fn drive(run: Arc<Run>) {
    let mut alarm = Alarm::new(&run.clock);
    loop {
        alarm.until_due(&run.network, &run.clock, || run.next_due()).await;
        run.pulse.fetch_add(1, Ordering::Relaxed);
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
            FaultKind::FailDisk => self.fail_disk(bits, last_for),
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
        self.later(down_for, Self::start_broker);
        Some(format!("down for {down_for:?}"))
    }

    fn start_broker(&self) {
        match self.node.start() {
            Ok(()) => self.look_for_losses(),
            Err(error) => self.fail(Reason::BrokerFailed(error.to_string())),
        }
    }

    /// The write that is on its way fails now; `None` if there is none.
    fn fail_disk(&self, bits: u64, down_for: Duration) -> Option<String> {
        let (disk, hand) = (self.node.disk()?, self.hand.as_ref()?);
        if !hand.has_work() {
            return None;
        }
        let syncs = self.options.broker.clone().unwrap_or_default().level() == Level::Synced;
        let (fault, what) = disk_fault(bits, syncs);
        disk.inject(fault);
        hand.write();
        let down_after = Duration::from_micros(below(mix(bits ^ 5), 50_000));
        self.later(down_after, move |run| {
            run.node.crash();
            run.later(down_for, Self::start_broker);
        });
        Some(what.to_owned())
    }

    fn later(&self, time: Duration, act: impl FnOnce(&Self) + Send + 'static) {
        let run = Weak::clone(&self.this);
        self.state.lock().lasting += 1;
        self.network.after(time, move || {
            if let Some(run) = run.upgrade() {
                run.state.lock().lasting -= 1;
                act(&run);
            }
        });
    }
}

/// How a write fails.
fn disk_fault(bits: u64, syncs: bool) -> (disk::Fault, &'static str) {
    use disk::{Fault, OpKind, SyncLoss};
    let sync = |loss| Fault::failed_sync(loss).on(OpKind::Sync);
    match below(bits, if syncs { 5 } else { 2 }) {
        0 => (Fault::error(ErrorKind::Other).on(OpKind::Append), "nothing is written"),
        1 => {
            let written = usize::try_from(below(mix(bits), 200)).unwrap_or_default();
            (Fault::partial_append(written, ErrorKind::StorageFull), "it is full")
        }
        2 => (sync(SyncLoss::Kept), "a sync fails"),
        3 => (sync(SyncLoss::Seen), "a sync fails, and what was to be synced is gone"),
        _ => (sync(SyncLoss::Hidden), "a sync fails, and later ones only seem not to"),
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
