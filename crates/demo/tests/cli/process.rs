//! Running a program.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread;

/// What a program printed, and how it ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a program with nothing to read.
pub(crate) fn run(program: &str, args: &[&str]) -> Ran {
    run_with_input(program, args, "")
}

/// Runs a program that reads `input` through a pipe.
pub(crate) fn run_with_input(program: &str, args: &[&str], input: &str) -> Ran {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_owned();
    // On a thread, or both sides could wait for each other; a program need not read it at all.
    let feed = thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let Output { status, stdout, stderr } = child.wait_with_output().expect("it ends");
    feed.join().expect("fed");
    Ran {
        code: status.code(),
        stdout: String::from_utf8(stdout).expect("UTF-8"),
        stderr: String::from_utf8(stderr).expect("UTF-8"),
    }
}

/// Reads one line of what a program prints, then closes the pipe, as `head -1` does. Gives the exit
/// code and what it printed on standard error.
pub(crate) fn run_into_head(program: &str, args: &[&str]) -> (Option<i32>, String) {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    stdout.read_line(&mut line).expect("a line");
    drop(stdout);
    let Output { status, stderr, .. } = child.wait_with_output().expect("it ends");
    (status.code(), String::from_utf8(stderr).expect("UTF-8"))
}

/// Runs a program in a working directory, with nothing to read.
pub(crate) fn run_in(working: &Path, program: &str, args: &[&str]) -> Ran {
    let mut command = Command::new(program);
    let output = command.args(args).current_dir(working).stdin(Stdio::null()).output();
    let Output { status, stdout, stderr } = output.expect("it runs");
    Ran {
        code: status.code(),
        stdout: String::from_utf8(stdout).expect("UTF-8"),
        stderr: String::from_utf8(stderr).expect("UTF-8"),
    }
}

/// A program that is running, whose lines are read as they come. It is killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    /// Starts a program with nothing to read.
    pub(crate) fn start(program: &str, args: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        Self { child, stdout }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has printed `mark`; gives the lines up to that one.
    pub(crate) fn lines_until(&mut self, mark: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line: &String| !line.contains(mark)) {
            let mut line = String::new();
            let bytes = self.stdout.read_line(&mut line).expect("UTF-8");
            assert!(bytes > 0, "it ended without {mark:?}: {lines:?}");
            lines.push(line.trim_end().to_owned());
        }
        lines
    }

    /// Kills it as by `kill -9`; gives the lines that it had printed and that were not read yet.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
        // The last line may have been cut short.
        (&mut self.stdout).lines().map_while(Result::ok).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // If it has ended already there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory of a test's own, which goes with it.
pub(crate) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Names a directory that is not there yet. `name` tells it from those of other tests.
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("leveret-demo-{}-{name}", std::process::id());
        Self { path: std::env::temp_dir().join(name) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Its path as an argument.
    pub(crate) fn arg(&self) -> &str {
        self.path.to_str().expect("UTF-8")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may never have been made.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
