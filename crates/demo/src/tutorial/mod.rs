//! The tutorial's two programs, call by call.
//!
//! Lay [`new_task`](mod@new_task) beside `new_task.php` and [`worker`](mod@worker) beside
//! `worker.php`: the calls are the same, in the same order. They differ in what an in-memory broker
//! needs: it lives in one process, so both programs are functions that are told where the broker is
//! and where to print. (The original worker prints an empty line first, because its file begins with
//! one; this one does not.)

pub mod new_task;
pub mod worker;

pub use new_task::new_task;
pub use worker::worker;
