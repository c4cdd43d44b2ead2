//! The programs as a user runs them: arguments, pipes, exit codes.

mod across_processes;
mod journal;
mod process;
mod tour;
mod tutorial;
mod uri;
mod work_queue;
mod work_queue_dir;
