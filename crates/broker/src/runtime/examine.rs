//! Looking into a directory without opening it.

use std::path::Path;
use std::sync::Arc;

use super::handle::Broker;
use super::open::OpenError;
use crate::disk::{Disk, FsDisk};
use crate::engine::{Restore, RestoreError};
use crate::journal::{Examination, Fold, Recorded, examine_into};
use crate::protocol::{Message, Record};

/// A directory as it stands.
#[derive(Debug)]
#[non_exhaustive]
pub struct Examined {
    /// Its journal: segments, queues, and what opening would do.
    pub journal: Examination,
    /// The first record that cannot be true, which opening would refuse, though every checksum holds.
    pub contradiction: Option<RestoreError>,
}

impl Broker {
    /// Looks at a directory, as [`open`](Self::open) would find it, and changes nothing in it.
    ///
    /// It need not be writable and may be damaged, of any vhost, or in use: then it is seen as it was a
    /// moment ago, and what is being written looks torn. Messages' bodies are read and not kept.
    ///
    /// ```
    /// use leveret_broker::Broker;
    ///
    /// # let directory = std::env::temp_dir().join(format!("leveret-doc-examine-{}", std::process::id()));
    /// # drop(Broker::open(&directory).unwrap());
    /// # fn look(directory: &std::path::Path) -> Result<(), leveret_broker::runtime::OpenError> {
    /// let examined = Broker::examine(directory)?;
    /// assert!(examined.journal.refusal.is_none() && examined.contradiction.is_none());
    /// assert!(examined.journal.queues.is_empty());
    /// # Ok(()) }
    /// # look(&directory).unwrap();
    /// # std::fs::remove_dir_all(&directory).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// The directory is not there, or cannot be read.
    pub fn examine(directory: impl AsRef<Path>) -> Result<Examined, OpenError> {
        Self::examine_on(&FsDisk::read_only(directory)?)
    }

    /// [`examine`](Self::examine) on any disk.
    ///
    /// # Errors
    ///
    /// As [`examine`](Self::examine).
    pub fn examine_on(disk: &dyn Disk) -> Result<Examined, OpenError> {
        let mut light = Light::default();
        let journal = examine_into(disk, &mut light)?;
        Ok(Examined { journal, contradiction: light.error })
    }
}

/// The fold of opening, without bodies.
#[derive(Default)]
struct Light {
    restore: Restore,
    error: Option<RestoreError>,
}

impl Fold for Light {
    fn restart(&mut self) {
        *self = Self::default();
    }

    fn take(&mut self, recorded: Recorded) {
        if self.error.is_some() {
            return;
        }
        let record = match recorded.record {
            Record::Enqueued { message, queues } => {
                Record::Enqueued { message: without_body(&message), queues }
            }
            Record::MessageKept { message, queues } => {
                Record::MessageKept { message: without_body(&message), queues }
            }
            other => other,
        };
        self.error = self.restore.apply(record).err();
    }
}

fn without_body(message: &Message) -> Arc<Message> {
    let body = Default::default();
    Arc::new(Message { body, ..message.clone() })
}
