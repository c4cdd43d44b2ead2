//! How much of lapin the other files name: what its listing has and they do not is missing.
//!
//! `lapin-4.12.txt` has a line for each item of lapin 4.12.3 that a program can name, made from what rustdoc says of it: types,
//! functions, variants (`Enum::Variant`), fields (`Struct.field`), and traits (`Type: Trait`). A line begins with `*` for what
//! was found in use in public programs, and with `wire` for what writes and reads frames, opens sockets or speaks TLS, which
//! an embedded broker has no use for. What is named here has passed the compiler, on Leveret and on lapin.
//!
//! ```text
//! cargo test -p leveret-tests --test surface coverage -- --nocapture
//! ```

use std::collections::BTreeSet;

use crate::{channels, connections, messages, options, protocol, types, uri};

const LISTING: &str = include_str!("lapin-4.12.txt");

/// How much of lapin must be there, in percent, but for the wire.
const PERCENT_MIN: usize = 97;

/// A name without what it is generic in, and without spaces: `a::B::<C>::d` is `a::B::d`. A trait keeps that, but for
/// lifetimes.
fn bare(name: &str) -> String {
    let (item, bound) = match name.split_once(": ") {
        Some((item, bound)) => (item, Some(bound)),
        None => (name, None),
    };
    let mut short = String::new();
    let mut depth = 0;
    let mut before = ' ';
    for letter in item.chars() {
        match letter {
            '<' => {
                depth += 1;
                short.truncate(short.trim_end_matches(':').len());
            }
            '>' if before != '-' => depth -= 1,
            _ if depth == 0 && letter != ' ' => short.push(letter),
            _ => {}
        }
        before = letter;
    }
    let bound = bound.map(|bound| {
        let bound: String = bound.replace("'static ", "").split_whitespace().collect();
        format!(": {bound}")
    });
    short + &bound.unwrap_or_default()
}

/// What the other files name.
fn named() -> BTreeSet<String> {
    let files = [
        channels::NAMES,
        connections::NAMES,
        messages::NAMES,
        options::NAMES,
        protocol::NAMES,
        protocol::methods::NAMES,
        protocol::numbers::NAMES,
        types::NAMES,
        uri::NAMES,
    ];
    files.into_iter().flatten().copied().flatten().map(|name| bare(name)).collect()
}

#[test]
fn coverage_of_lapin() {
    let named = named();
    let lines = LISTING.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (wire, lines): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with("wire "));
    let items: Vec<_> = lines.iter().map(|line| bare(line.trim_start_matches("* "))).collect();
    let missing: Vec<_> =
        items.iter().zip(&lines).filter(|(item, _)| !named.contains(*item)).collect();

    let (all, here) = (items.len(), items.len() - missing.len());
    println!("lapin 4.12: {all} items, beside {} of the wire", wire.len());
    println!("here: {here}, which is {}.{} %", here * 100 / all, here * 1000 / all % 10);
    for (_, line) in &missing {
        println!("missing: {line}");
    }
    let unknown: Vec<_> = named.difference(&items.iter().cloned().collect()).cloned().collect();
    assert!(unknown.is_empty(), "the listing does not have {unknown:#?}");
    assert!(here * 100 >= PERCENT_MIN * all, "that is less than {PERCENT_MIN} %");
    let in_use: Vec<_> = missing.iter().filter(|(_, line)| line.starts_with('*')).collect();
    assert!(in_use.is_empty(), "programs use {in_use:#?}");
}

#[test]
fn names_are_compared_without_what_they_are_generic_in() {
    assert_eq!(bare("a::B::<C>::d"), "a::B::d");
    assert_eq!(bare("a::B<'static, C<D>>: E<&'static F,\n G = H>"), "a::B: E<&F,G=H>");
}
