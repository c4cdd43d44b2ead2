//! The programs as a user runs them: arguments, pipes, exit codes.

mod process;
mod tutorial;
mod work_queue;
