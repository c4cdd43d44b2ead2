//! The tutorial's two programs, call by call.
//!
//! Lay [`new_task`](mod@new_task) beside `new_task.php` and [`worker`](mod@worker) beside
//! `worker.php`: the calls are the same, in the same order, but that `new_task` asks for a confirm. They
//! differ in what an embedded broker needs: it lives in one process, so both programs are functions that
//! are told where the broker is and where to print, and `worker` also when to end. (The original worker
//! prints an empty line first, because its file begins with one; this one does not.)
//!
//! The programs `new_task` and `worker` run one of them each, on a broker in a directory; the program
//! `tutorial` runs both in one process.
//!
//! With the feature `rabbitmq` the same two files are compiled a second time, against lapin.

use leveret_client::{self as lapin, blocking};

pub mod new_task;
pub mod worker;

pub use new_task::new_task;
pub use worker::worker;
