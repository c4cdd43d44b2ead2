//! `work_queue`: publisher and workers side by side, printing what the tutorial's programs print.
//!
//! ```sh
//! cargo run --bin work_queue -- --workers 2 "First message." "Second message.." "Third message..."
//! ```

mod args;

use std::io::{self, Write};
use std::process::ExitCode;

#[cfg(feature = "rabbitmq")]
use anyhow::Context;
use anyhow::Result;
use leveret_demo::output::{exit_code, printable, stdout};
#[cfg(feature = "rabbitmq")]
use leveret_demo::rabbitmq;
use leveret_demo::work_queue::{DurableRun, Event, Plan, Report, What, Who, run, summary};

use args::Job;

fn main() -> ExitCode {
    let job = args::parse();
    exit_code(play(&job))
}

fn play(job: &Job) -> Result<ExitCode> {
    let mut output = stdout();
    let report = report(job, &mut *output)?;
    if report.plan.tasks.is_empty() {
        output.flush()?;
        return Ok(ExitCode::SUCCESS);
    }
    if !job.quiet {
        writeln!(output)?;
    }
    if job.plan.history {
        writeln!(output, "{}", report.history)?;
    }
    write!(output, "{}{}", summary(&report), epilogue(&report))?;
    output.flush()?;
    Ok(if report.done() < report.plan.tasks.len() && report.all_killed() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Plays the plan where it is to be played.
fn report(job: &Job, output: &mut dyn Write) -> Result<Report> {
    #[cfg(feature = "rabbitmq")]
    if let Some(uri) = &job.server {
        let mut hear = |event: &Event| show(output, job.quiet, &job.plan, event);
        let report = rabbitmq::run(uri, &job.plan, &mut hear);
        return report.with_context(|| format!("on {}", rabbitmq::place(uri)));
    }
    let Some(directory) = &job.directory else {
        return run(&job.plan, &mut |event, _broker| show(output, job.quiet, &job.plan, event));
    };
    let run = DurableRun::open(directory, job.plan.clone())?;
    if !job.quiet || run.plan().tasks.is_empty() {
        write!(output, "{}", prologue(&run))?;
    }
    let plan = run.plan().clone();
    run.run(&mut |event, _broker| show(output, job.quiet, &plan, event))
}

/// Prints what there is to say about an event.
fn show(output: &mut dyn Write, quiet: bool, plan: &Plan, event: &Event) -> io::Result<()> {
    // Where nothing is to be done, the workers only come and go.
    if quiet || plan.tasks.is_empty() {
        return Ok(());
    }
    let Some(line) = line_of(event, plan) else { return Ok(()) };
    let seconds = event.at.as_secs_f64();
    let width = (plan.workers.len().to_string().len() + 1).max(4);
    writeln!(output, "{seconds:8.2}  {:<width$} | {line}", event.who)?;
    // In real time a reader wants each line when it happens, also through a pipe.
    if plan.real_time { output.flush() } else { Ok(()) }
}

/// What a run on a directory begins with.
fn prologue(run: &DurableRun) -> String {
    let nothing = run.plan().tasks.is_empty();
    let mut text = match run.left() {
        _ if nothing && run.given_before() => "  an earlier run has done these tasks\n".to_owned(),
        _ if nothing => "  nothing is left to do\n".to_owned(),
        0 => return String::new(),
        1 => "  1 task is left from an earlier run\n".to_owned(),
        left => format!("  {left} tasks are left from an earlier run\n"),
    };
    if run.given_before() && !nothing {
        text += "  it was given the same tasks, so these are not added\n";
    }
    text
}

/// The line for an event: the program's own, or what a bystander would say.
fn line_of(event: &Event, plan: &Plan) -> Option<String> {
    let again = matches!(event.what, What::Received { redelivered: true, .. });
    if let Some(line) = event.line(&plan.tasks) {
        let mark = if again { "   (redelivered)" } else { "" };
        return Some(printable(&line) + mark);
    }
    let What::Killed { held } = &event.what else { return None };
    let held = match held.as_slice() {
        [] => "idle".to_owned(),
        [one] => format!("holding {}", printable(&plan.tasks[*one].body)),
        [one, more @ ..] => {
            format!("holding {} and {} more", printable(&plan.tasks[*one].body), more.len())
        }
    };
    Some(format!(" --- killed, {held}"))
}

/// What a reader of the summary may wonder about.
fn epilogue(report: &Report) -> String {
    let mut text = String::new();
    let total = report.plan.tasks.len();
    let lost = report.lost();
    if let Some(first) = lost.first() {
        let first = printable(&report.plan.tasks[*first].body);
        text += &format!("  lost with --no-ack: {first}");
        text += &if lost.len() > 1 {
            format!(" and {} more\n", lost.len() - 1)
        } else {
            "\n".to_owned()
        };
    }
    if report.done() < total && report.all_killed() {
        text += &format!(
            "  every worker was killed: {} of {total} tasks done, {} lost, {} left in the queue\n",
            report.done(),
            lost.len(),
            report.left(),
        );
    }
    for (number, tally) in report.tallies().iter().enumerate() {
        let killed_at = report.plan.workers[number].killed_at;
        if let Some(at) = killed_at.filter(|_| tally.killed.is_none()) {
            let who = Who::Worker(number);
            text += &format!("  {who} outlived the work: no kill at {} s\n", at.as_secs_f64());
        }
    }
    text
}
