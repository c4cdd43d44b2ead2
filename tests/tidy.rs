//! Rules of the tree that a test can check: who may know whom, how long files and functions are, and
//! that the documents agree with the code.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// The longest file, in lines.
const FILE_LINES_MAX: usize = 500;
/// The longest function, in lines.
const FUNCTION_LINES_MAX: usize = 70;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below `folder` with this ending, as paths from the root and texts, in order.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if name.ends_with(ending) {
                let short = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push((short, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "nothing to check below {folder}");
    found
}

/// The code of a line, without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or(line)
}

/// Lines below `folder` whose code contains one of `words`, but for files that `allowed` names.
fn offences(folder: &str, words: &[&str], allowed: &[&str]) -> Vec<String> {
    let mut offences = Vec::new();
    for (path, text) in files(folder, ".rs") {
        if allowed.iter().any(|file| path.ends_with(file)) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| code(line).contains(**word)) {
                offences.push(format!("{path}:{}: {word}", number + 1));
            }
        }
    }
    offences
}

fn assert_none(rule: &str, offences: &[String]) {
    assert!(offences.is_empty(), "{rule}:\n{}", offences.join("\n"));
}

#[test]
fn the_engine_knows_nothing_of_the_world() {
    let world = [
        "crate::runtime",
        "crate::journal",
        "crate::disk",
        "crate::testing",
        "std::time",
        "SystemTime",
        "std::thread",
        "std::fs",
        "std::sync::Mutex",
        "parking_lot",
        "tokio",
        "rand::",
    ];
    assert_none(
        "the engine decides, and knows only protocol",
        &offences("crates/broker/src/engine", &world, &[]),
    );
}

#[test]
fn the_engine_depends_on_no_hash_order() {
    let maps = ["HashMap", "HashSet", "RandomState"];
    // The one table of names cannot be iterated.
    let offences = offences("crates/broker/src/engine", &maps, &["engine/index.rs"]);
    assert_none("maps are ordered", &offences);
}

#[test]
fn protocol_knows_no_other_layer() {
    let layers =
        ["crate::engine", "crate::runtime", "crate::journal", "crate::disk", "crate::testing"];
    assert_none("protocol is the bottom", &offences("crates/broker/src/protocol", &layers, &[]));
}

#[test]
fn the_journal_knows_only_the_disk_and_the_words() {
    let layers = ["crate::engine", "crate::runtime", "crate::testing", "std::fs"];
    let world = ["std::time", "std::thread", "HashMap", "parking_lot", "tokio", "rand::"];
    let words = [layers.as_slice(), &world].concat();
    let offences = offences("crates/broker/src/journal", &words, &[]);
    assert_none("the journal is bytes, and the disk is given to it", &offences);
}

#[test]
fn the_runtime_does_not_need_the_testing_kit() {
    let offences = offences("crates/broker/src/runtime", &["crate::testing"], &[]);
    assert_none("testing stands on top", &offences);
}

#[test]
fn the_client_reaches_the_broker_through_one_file() {
    let allowed = ["client/src/translate.rs"];
    let offences = offences("crates/client/src", &["leveret_broker"], &allowed);
    assert_none("translate.rs is the only way", &offences);
}

#[test]
fn the_demo_uses_what_users_have() {
    // Who looks into a journal's bytes has no use for a client.
    let allowed = ["journal/text.rs", "journal/records.rs", "journal/survey.rs", "journal/main.rs"];
    let behind = offences("crates/demo/src", &["leveret_broker"], &allowed);
    assert_none("the demo goes through the client", &behind);
    let deeper =
        offences("crates/demo/src", &["leveret_broker::engine", "leveret_broker::runtime"], &[]);
    assert_none("the journal program knows bytes, and the client's Broker", &deeper);
}

#[test]
fn only_the_clock_reads_a_clock_and_nobody_sleeps() {
    let clocks = ["Instant::now(", "SystemTime::now(", "thread::sleep("];
    let offences = offences("crates/broker/src", &clocks, &["runtime/clock.rs"]);
    assert_none("time is an argument", &offences);
    let tests = offences_in_tests(&["thread::sleep(", "SystemTime::now("]);
    assert_none("tests never sleep", &tests);
}

fn offences_in_tests(words: &[&str]) -> Vec<String> {
    offences("tests", words, &["tests/tidy.rs"])
}

#[test]
fn nothing_is_left_for_later_or_switched_off() {
    let marks = ["todo!(", "unimplemented!(", "#[ignore", "dbg!("];
    for folder in ["crates", "tests"] {
        assert_none("no marks", &offences(folder, &marks, &["tests/tidy.rs"]));
        for (path, text) in files(folder, ".rs") {
            let marked = text.lines().any(|line| line.contains("TODO") || line.contains("FIXME"));
            assert!(!marked || path == "tests/tidy.rs", "{path}: a hole is marked");
        }
    }
}

#[test]
fn files_are_short_enough_to_read() {
    for folder in ["crates", "tests"] {
        for (path, text) in files(folder, ".rs") {
            let lines = text.lines().count();
            assert!(lines <= FILE_LINES_MAX, "{path} has {lines} lines");
        }
    }
}

#[test]
fn functions_fit_a_screen() {
    for folder in ["crates", "tests"] {
        for (path, text) in files(folder, ".rs") {
            for (name, lines) in function_lengths(&text) {
                assert!(lines <= FUNCTION_LINES_MAX, "{path}: fn {name} has {lines} lines");
            }
        }
    }
}

/// Functions with their numbers of lines, in formatted code: a function ends at the first closing
/// brace that stands as far in as it does.
fn function_lengths(text: &str) -> Vec<(String, usize)> {
    let mut open: Option<(String, String, usize)> = None;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match &open {
            None => {
                let trimmed = line.trim_start();
                let starts = [
                    "fn ",
                    "pub fn ",
                    "pub(crate) fn ",
                    "pub(super) fn ",
                    "async fn ",
                    "pub async fn ",
                    "pub(crate) async fn ",
                    "const fn ",
                    "pub const fn ",
                ];
                if let Some(start) = starts.iter().find(|start| trimmed.starts_with(**start)) {
                    let name = trimmed[start.len()..].split(['(', '<']).next().unwrap();
                    let indent = &line[..line.len() - trimmed.len()];
                    if !line.trim_end().ends_with([';', '}']) {
                        open = Some((name.to_owned(), format!("{indent}}}"), number));
                    }
                }
            }
            Some((name, end, began)) => {
                let without_body = line.starts_with(&end.replace('}', ")")) && line.ends_with(';');
                if line == end {
                    found.push((name.clone(), number - began + 1));
                }
                if line == end || without_body {
                    open = None;
                }
            }
        }
    }
    found
}

#[test]
fn functions_are_measured_as_they_stand() {
    let text = "impl A {\n    fn one(&self) {\n        if x {\n        }\n    }\n\n    pub fn two() -> u8 {\n        1\n    }\n}\n";
    assert_eq!(function_lengths(text), [("one".to_owned(), 4), ("two".to_owned(), 3)]);
}

#[test]
fn the_readme_names_the_commands_that_are_run() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let ci = fs::read_to_string(root().join(".ci/run")).unwrap();
    for (command, place) in [("cargo test --workspace", &ci), ("cargo run", &readme)] {
        assert!(place.contains(command) && readme.contains(command), "`{command}` is not there");
    }
}

#[test]
fn the_tests_that_the_promises_name_exist() {
    let promises = fs::read_to_string(root().join("docs/promises.md")).unwrap();
    let sources: String = files("tests", ".rs").into_iter().map(|(_, text)| text).collect();
    let quoted = promises.split('`').skip(1).step_by(2);
    let names: Vec<_> = quoted.filter(|text| text.contains('_') && !text.contains(' ')).collect();
    assert!(names.len() >= 8, "the promises name their tests: {names:?}");
    for name in names {
        assert!(sources.contains(&format!("fn {name}(")), "no test is called {name}");
    }
}

#[test]
fn rabbitmq_is_asked_everything_that_it_can_be_asked() {
    let modules = |path: &str| -> Vec<String> {
        let text = fs::read_to_string(root().join(path)).unwrap();
        let lines = text.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
        lines.map(str::to_owned).collect()
    };
    let own = |module: &String| module.starts_with("leveret_") || module == "facts";
    for suite in ["conformance", "surface"] {
        let mut shared = modules(&format!("tests/{suite}/main.rs"));
        shared.retain(|module| !own(module));
        let mut asked = modules(&format!("tests/rabbitmq/{suite}.rs"));
        asked.sort();
        assert_eq!(asked, shared, "the modules of both suites, in order");
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    for (path, text) in files(".", ".md") {
        let folder = root().join(&path).parent().unwrap().to_owned();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap();
            if target.is_empty() || target.contains("://") || target.contains(' ') {
                continue;
            }
            assert!(folder.join(target).exists(), "{path} links to {target}");
        }
    }
}

#[test]
fn the_minimum_rust_is_written_once_and_told_right() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let line = manifest.lines().find(|line| line.starts_with("rust-version")).unwrap();
    let version = line.split('"').nth(1).unwrap();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains(&format!("Rust {version}")), "README names Rust {version}");
}
