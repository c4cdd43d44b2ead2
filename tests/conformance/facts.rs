//! The list of facts and the names of the tests agree.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// `S56` or `R1`: the letter and the number.
type Fact = (char, u32);

const STATUSES: [&str; 5] = ["covered", "later", "not visible", "decided against", "free"];
const LAST: [Fact; 2] = [('S', 193), ('R', 15)];

/// The facts of the list, each with its status.
fn listed(markdown: &str) -> Result<BTreeMap<Fact, String>, String> {
    let mut facts = BTreeMap::new();
    for line in markdown.lines() {
        let Some((name, rest)) = line.strip_prefix("- ").and_then(|line| line.split_once(" ("))
        else {
            continue;
        };
        let fact = fact(name).ok_or_else(|| format!("no number: {line}"))?;
        let (status, text) = rest.split_once(") ").ok_or_else(|| format!("no status: {line}"))?;
        if !STATUSES.contains(&status) || text.trim().is_empty() {
            return Err(format!("unknown status or no text: {line}"));
        }
        if facts.insert(fact, status.to_owned()).is_some() {
            return Err(format!("listed twice: {name}"));
        }
    }
    Ok(facts)
}

/// Reads `S56`, or as part of a test's name `s56`.
fn fact(word: &str) -> Option<Fact> {
    let kind = word.chars().next()?.to_ascii_uppercase();
    let digits = &word[kind.len_utf8()..];
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?;
    matches!(kind, 'S' | 'R').then_some((kind, number?))
}

/// The names of the test functions in a source file.
fn test_names(source: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        } else if let Some(rest) = line.strip_prefix("async fn ").or(line.strip_prefix("fn ")) {
            if std::mem::take(&mut is_test) {
                names.extend(rest.split(['(', '<']).next());
            }
        } else if !line.starts_with("#[") && !line.starts_with("//") {
            is_test = false;
        }
    }
    names
}

/// The facts that a test's name begins with.
fn named(test: &str) -> impl Iterator<Item = Fact> {
    test.split('_').map_while(fact)
}

fn sources(folder: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(fs::read_to_string(&path).unwrap());
        }
    }
}

/// Where the list and the names disagree.
fn drift(facts: &BTreeMap<Fact, String>, named: &BTreeSet<Fact>) -> Vec<String> {
    let mut drift = Vec::new();
    for (kind, last) in LAST {
        let missing = (1..=last).filter(|number| !facts.contains_key(&(kind, *number)));
        drift.extend(missing.map(|number| format!("{kind}{number} is not listed")));
    }
    let unlisted = named.iter().filter(|fact| !facts.contains_key(fact));
    drift.extend(unlisted.map(|(kind, number)| format!("a test names {kind}{number}: unlisted")));
    let covered = facts.iter().filter(|(_, status)| *status == "covered");
    let untested = covered.filter(|(fact, _)| !named.contains(fact));
    drift.extend(untested.map(|((kind, number), _)| format!("no test names {kind}{number}")));
    drift
}

#[test]
fn the_list_of_facts_and_the_names_of_the_tests_agree() {
    let facts = listed(include_str!("FACTS.md")).unwrap();
    let mut files = Vec::new();
    for folder in ["tests", "crates"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files);
    }
    let tests = files.iter().flat_map(|source| test_names(source));
    let named: BTreeSet<_> = tests.flat_map(named).collect();
    for status in STATUSES {
        let count = facts.values().filter(|value| *value == status).count();
        println!("{status}: {count}");
    }
    println!("named by tests: {}", named.len());
    let drift = drift(&facts, &named);
    assert!(drift.is_empty(), "{}", drift.join("\n"));
}

#[test]
fn every_kind_of_drift_is_found() {
    let whole = |skip: Fact, status: &str| -> BTreeMap<Fact, String> {
        let all = LAST.into_iter().flat_map(|(kind, last)| (1..=last).map(move |n| (kind, n)));
        all.filter(|fact| *fact != skip).map(|fact| (fact, status.to_owned())).collect()
    };
    let none = BTreeSet::new();
    assert_eq!(drift(&whole(('S', 0), "later"), &none), [""; 0]);
    assert_eq!(drift(&whole(('R', 3), "later"), &none), ["R3 is not listed"]);
    let named = BTreeSet::from([('S', 194)]);
    assert_eq!(drift(&whole(('S', 0), "later"), &named), ["a test names S194: unlisted"]);
    let mut facts = whole(('S', 0), "later");
    facts.insert(('S', 7), "covered".to_owned());
    assert_eq!(drift(&facts, &none), ["no test names S7"]);
    assert_eq!(drift(&facts, &BTreeSet::from([('S', 7)])), [""; 0]);
}

#[test]
fn names_are_read_from_test_functions_alone() {
    // Put together here, so that this file's own text is not read as tests.
    let attribute = "#[";
    let source = format!(
        "{attribute}tokio::test(flavor = \"multi_thread\")]\n/// Words.\nasync fn s1_s22_r3_x_s4() {{}}\n\
         fn s5_helper() {{}}\n{attribute}test]\nfn s6() {{}}\nlet s7 = 1;\n"
    );
    let names = test_names(&source);
    assert_eq!(names, ["s1_s22_r3_x_s4", "s6"]);
    let facts: Vec<_> = names.into_iter().flat_map(named).collect();
    assert_eq!(facts, [('S', 1), ('S', 22), ('R', 3), ('S', 6)]);
}

#[test]
fn a_list_that_cannot_be_read_is_refused() {
    for line in ["- S1 (maybe) text", "- S1 (later) ", "- X1 (later) text", "- S (later) text"] {
        assert!(listed(line).is_err(), "{line}");
    }
    assert!(listed("- S1 (later) one\n- S1 (free) two").is_err());
    assert_eq!(listed("- S1 (not visible) one").unwrap().len(), 1);
}
