//! The lock around a virtual host's state, and news for whoever holds it.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering, fence};

use parking_lot::MutexGuard;

use super::handle::{Inner, State};

/// The state while it is held. Who lets go of it tells the news that came meanwhile.
pub(super) struct Locked<'a> {
    // Dropped in this order.
    pub(super) state: MutexGuard<'a, State>,
    pub(super) _then: TellNews<'a>,
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

/// Tells the news when it is dropped, which is after the lock was released.
pub(super) struct TellNews<'a>(pub(super) &'a Inner);

impl Drop for TellNews<'_> {
    fn drop(&mut self) {
        // Who added news before this and did not get the lock is seen here; who adds it later gets the lock.
        fence(Ordering::SeqCst);
        self.0.tell_news();
    }
}

/// The last step that is durable, until somebody tells the clients.
#[derive(Debug, Default)]
pub(super) struct News(AtomicU64);

impl News {
    pub(super) fn add(&self, step: u64) {
        self.0.fetch_max(step, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    pub(super) fn is_there(&self) -> bool {
        self.0.load(Ordering::SeqCst) != 0
    }

    /// The step; 0 if there is no news.
    pub(super) fn take(&self) -> u64 {
        self.0.swap(0, Ordering::SeqCst)
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::thread;

    use parking_lot::Mutex;

    use super::*;
    use crate::disk::MemoryDisk;
    use crate::protocol::{
        BasicPublish, CallId, Method, Notice, Properties, QueueDeclare, Reply, Verdict,
    };
    use crate::runtime::{Broker, BrokerOptions, Deferred, JournalHand, Login, Mailbox, OpenError};

    /// What the broker has said.
    #[derive(Default)]
    struct Heard(Mutex<Vec<Notice>>);

    impl Mailbox for Heard {
        fn put(&self, notice: Notice, _deferred: &mut Deferred) {
            self.0.lock().push(notice);
        }
    }

    impl Heard {
        fn verdicts(&self) -> Vec<Verdict> {
            let verdict = |notice: &Notice| match notice {
                Notice::Confirm { verdict, .. } => Some(*verdict),
                _ => None,
            };
            self.0.lock().iter().filter_map(verdict).collect()
        }
    }

    /// A broker on a disk to which a message was published that waits to be written.
    fn published() -> Result<(Broker, JournalHand, Arc<Heard>), OpenError> {
        let (hand, heard) = (JournalHand::default(), Arc::<Heard>::default());
        let options = BrokerOptions::default().with_journal_hand(hand.clone());
        let broker = Broker::open_on(Arc::new(MemoryDisk::default()), options)?;
        publish(&broker, &heard);
        assert!(heard.verdicts().is_empty(), "it is not written");
        Ok((broker, hand, heard))
    }

    /// Publishes a message to a queue on a connection of its own.
    fn publish(broker: &Broker, heard: &Arc<Heard>) {
        let port = broker.port();
        let login = Login { user: "guest", password: "guest", vhost: "/" };
        let connection = port.connect(login, heard.clone()).expect("it listens");
        port.open_channel(connection, 1, CallId(0), heard.clone()).expect("it listens");
        let opened = heard.0.lock().iter().find_map(|notice| match notice {
            Notice::Reply { reply: Reply::ChannelOpened(channel), .. } => Some(*channel),
            _ => None,
        });
        let declare = QueueDeclare { queue: "q".into(), durable: true, ..Default::default() };
        let publish = BasicPublish {
            routing_key: "q".into(),
            properties: Properties::default().with_delivery_mode(2),
            ..Default::default()
        };
        let methods = [
            Method::ConfirmSelect { nowait: false },
            Method::QueueDeclare(declare),
            Method::BasicPublish(publish),
        ];
        for (call, method) in (1..).zip(methods) {
            port.send(connection, opened.expect("it opens"), CallId(call), method)
                .expect("it runs");
        }
    }

    #[test]
    fn what_became_durable_while_the_state_was_held_is_told_when_it_is_let_go()
    -> Result<(), OpenError> {
        let (broker, hand, heard) = published()?;
        let held = broker.shared.inner.lock();
        assert!(hand.write(), "it does not wait for the lock");
        assert!(heard.verdicts().is_empty());
        drop(held);
        assert_eq!(heard.verdicts(), [Verdict::Ack]);
        Ok(())
    }

    #[test]
    fn what_was_durable_before_the_journal_failed_is_confirmed() -> Result<(), OpenError> {
        let (broker, hand, heard) = published()?;
        let Locked { state, _then } = broker.shared.inner.lock();
        assert!(hand.write());
        // The journal's thread is faster than who lets go of the lock.
        std::mem::forget(_then);
        drop(state);
        broker.shared.inner.journal_failed("the disk is gone");
        assert_eq!(heard.verdicts(), [Verdict::Ack]);
        Ok(())
    }

    #[test]
    fn what_a_caller_has_left_for_the_disk_is_written_even_if_it_panics() -> Result<(), OpenError> {
        let heard = Arc::<Heard>::default();
        let disk = Arc::new(MemoryDisk::default());
        let broker = Broker::open_on(disk, BrokerOptions::default())?;
        let panics = || {
            broker.port().poll_and_write::<()>(|| {
                publish(&broker, &heard);
                panic!("after it has published")
            })
        };
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        // Without end if it is not written, but for a bound.
        assert!((0..20_000_000).any(|_| {
            thread::yield_now();
            heard.verdicts() == [Verdict::Ack]
        }));
        Ok(())
    }
}
