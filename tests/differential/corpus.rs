//! How programs and what was seen of them are written down: a line `program`, then for each step its call as JSON,
//! and what was seen below it, indented.

use std::fmt::Write;

use crate::program::Op;

/// A program, and what was seen of each of its steps.
#[derive(Debug, PartialEq)]
pub(crate) struct Recorded {
    pub(crate) ops: Vec<Op>,
    pub(crate) seen: Vec<Vec<String>>,
}

pub(crate) fn write(ops: &[Op], seen: &[Vec<String>]) -> String {
    let mut text = "program\n".to_owned();
    for (op, seen) in ops.iter().zip(seen) {
        let op = serde_json::to_string(op).expect("a call is plain data");
        let _ = writeln!(text, "{op}");
        for line in seen {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

/// Reads what [`write`] wrote, any number of programs; lines that begin with `#` are comments.
pub(crate) fn read(text: &str) -> Result<Vec<Recorded>, String> {
    let mut programs: Vec<Recorded> = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        let wrong = |why: &str| format!("line {}: {why}: {line}", number + 1);
        if line == "program" {
            programs.push(Recorded { ops: Vec::new(), seen: Vec::new() });
            continue;
        }
        let program = programs.last_mut().ok_or_else(|| wrong("no program has begun"))?;
        if let Some(seen) = line.strip_prefix("  ") {
            let step = program.seen.last_mut().ok_or_else(|| wrong("no step has begun"))?;
            step.push(seen.to_owned());
        } else {
            let op = serde_json::from_str(line).map_err(|error| wrong(&error.to_string()))?;
            program.ops.push(op);
            program.seen.push(Vec::new());
        }
    }
    Ok(programs)
}
