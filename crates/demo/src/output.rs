//! How the programs print and how they end.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// Whether to use colour: only on a terminal, and only if `NO_COLOR` is not set.
#[must_use]
pub fn wants_colour() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !refused
}

/// Standard output: a line at a time for a reader, in blocks for a pipe.
#[must_use]
pub fn stdout() -> Box<dyn Write> {
    if io::stdout().is_terminal() {
        Box::new(io::stdout().lock())
    } else {
        Box::new(io::BufWriter::new(io::stdout().lock()))
    }
}

/// Turns how a program went into its exit code. That the reader of its output has gone (`… | head`)
/// is no error.
#[must_use]
pub fn exit_code(result: anyhow::Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell if this fails too.
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Makes text safe to print on one line of a terminal: no control characters.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Something to print to that gives `take` one whole line after the other, without its end and
/// [`printable`].
#[derive(Debug)]
pub struct Lines<F> {
    begun: Vec<u8>,
    take: F,
}

impl<F: FnMut(&str) -> io::Result<()>> Lines<F> {
    /// Lines for `take`. What it refuses is refused to whoever prints.
    pub fn new(take: F) -> Self {
        Self { begun: Vec::new(), take }
    }
}

impl<F: FnMut(&str) -> io::Result<()>> Write for Lines<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for &byte in bytes {
            if byte == b'\n' {
                let line = printable(&String::from_utf8_lossy(&self.begun));
                self.begun.clear();
                (self.take)(&line)?;
            } else {
                self.begun.push(byte);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
