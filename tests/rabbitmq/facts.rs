//! Prints how every fact about RabbitMQ stands: what was observed, whether its tests pass here, and whether they
//! pass on a RabbitMQ server.
//!
//! ```text
//! tests/rabbitmq/with-server cargo run --manifest-path tests/rabbitmq/Cargo.toml --bin facts
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// `S56` or `R1`: the letter and the number.
type Fact = (char, u32);

/// How many tests of a fact passed, of how many.
type Passed = BTreeMap<Fact, (u32, u32)>;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let facts = match std::fs::read_to_string(root.join("tests/conformance/FACTS.md")) {
        Ok(facts) => facts,
        Err(error) => {
            eprintln!("FACTS.md cannot be read: {error}");
            return ExitCode::FAILURE;
        }
    };
    let here = run(&root, &["test", "--no-fail-fast", "-p", "leveret-tests"]);
    let manifest = "tests/rabbitmq/Cargo.toml";
    let there = std::env::var_os("AMQP_ADDR").map(|_| {
        let test = ["test", "--no-fail-fast", "--manifest-path", manifest, "--test", "conformance"];
        run(&root, &test)
    });
    if there.is_none() {
        eprintln!("AMQP_ADDR names no server: nothing is run on RabbitMQ");
    }
    println!("{:<6}{:<18}{:<14}{:<22}text", "fact", "status", "Leveret", "RabbitMQ");
    let mut failed = 0;
    for (fact, status, text) in facts.lines().filter_map(listed) {
        let (on_leveret, on_rabbitmq) = (here.get(&fact), there.as_ref().map(|it| it.get(&fact)));
        let right = |passed: &(u32, u32)| passed.0 == passed.1;
        failed += u32::from(!on_leveret.is_none_or(right));
        failed += u32::from(!on_rabbitmq.flatten().is_none_or(right));
        let here = on_leveret.map_or("no test".to_owned(), told);
        let there = match on_rabbitmq {
            None => "not run".to_owned(),
            Some(None) => "not visible there".to_owned(),
            Some(Some(passed)) => told(passed),
        };
        let name = format!("{}{}", fact.0, fact.1);
        let text: String = text.chars().take(80).collect();
        println!("{name:<6}{status:<18}{here:<14}{there:<22}{text}");
    }
    println!("\n{failed} facts with failed tests");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn told((passed, all): &(u32, u32)) -> String {
    if passed == all { format!("passed ({all})") } else { format!("FAILED {} of {all}", all - passed) }
}

/// Runs cargo, and counts what its tests say.
fn run(root: &Path, arguments: &[&str]) -> Passed {
    eprintln!("cargo {}", arguments.join(" "));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output =
        Command::new(cargo).args(arguments).current_dir(root).stderr(Stdio::null()).output();
    let output = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let mut passed = Passed::new();
    for line in output.unwrap_or_default().lines() {
        let Some((name, result)) =
            line.strip_prefix("test ").and_then(|line| line.rsplit_once(" ... "))
        else {
            continue;
        };
        let name = name.rsplit("::").next().unwrap_or(name);
        for fact in name.split('_').map_while(fact) {
            let (ok, all) = passed.entry(fact).or_default();
            *ok += u32::from(result == "ok");
            *all += 1;
        }
    }
    passed
}

/// Reads `s56`, as part of a test's name, or `S56`.
fn fact(word: &str) -> Option<Fact> {
    let kind = word.chars().next()?.to_ascii_uppercase();
    let digits = &word[kind.len_utf8()..];
    let number = digits.parse().ok()?;
    (matches!(kind, 'S' | 'R') && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then_some((kind, number))
}

/// Reads `- S56 (covered) text`.
fn listed(line: &str) -> Option<(Fact, &str, &str)> {
    let (name, rest) = line.strip_prefix("- ")?.split_once(" (")?;
    let (status, text) = rest.split_once(") ")?;
    Some((fact(name)?, status, text))
}
