//! Brokers on a directory, for programs that find in it what another program left.

use std::path::Path;

use anyhow::{Result, anyhow};
use leveret_client::{Broker, BrokerOptions};

/// Where `new_task` and `worker` meet if they are told nothing else: a folder where they are run.
pub const DEFAULT: &str = "leveret-data";

/// Opens a broker on a directory, which is made if there is none.
///
/// # Errors
///
/// Another process has the directory (the text names its process id), it cannot be read or written, or
/// what it holds is damaged.
pub fn open(directory: &Path, options: BrokerOptions) -> Result<Broker> {
    // The error's own text has its cause in it.
    Broker::open_with(directory, options)
        .map_err(|error| anyhow!("cannot use the directory {}: {error}", directory.display()))
}
