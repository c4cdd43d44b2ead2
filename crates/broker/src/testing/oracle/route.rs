//! Where a message goes.

use super::exchange::Exchange;
use super::{Oracle, Outcome, Refused, refused};
use crate::protocol::types::{AMQPValue, FieldTable};
use crate::protocol::{BasicPublish, Binding, DestinationType};

impl Oracle {
    /// The names of the queues that take a message.
    pub(super) fn route(
        &self,
        exchange: &str,
        keys: &[String],
        headers: &FieldTable,
    ) -> Vec<String> {
        if exchange.is_empty() {
            return keys.to_vec();
        }
        let (mut seen, mut queues) = (Vec::new(), Vec::new());
        self.follow(exchange, keys, headers, &mut seen, &mut queues);
        queues
    }

    fn follow(
        &self,
        name: &str,
        keys: &[String],
        headers: &FieldTable,
        seen: &mut Vec<String>,
        queues: &mut Vec<String>,
    ) {
        let Some(exchange) = self.exchanges.iter().find(|exchange| exchange.name == name) else {
            return;
        };
        if seen.iter().any(|other| other == name) {
            return;
        }
        seen.push(name.to_owned());
        let bindings = self.bindings.iter().filter(|binding| &*binding.source == name);
        let matching: Vec<_> =
            bindings.filter(|binding| matches(exchange, binding, keys, headers)).collect();
        for binding in &matching {
            match binding.destination_type {
                DestinationType::Queue => queues.push(binding.destination.to_string()),
                DestinationType::Exchange => {
                    self.follow(&binding.destination, keys, headers, seen, queues);
                }
            }
        }
        if matching.is_empty()
            && let Some(alternate) = &exchange.alternate
        {
            self.follow(alternate, keys, headers, seen, queues);
        }
    }

    pub(super) fn check_exchange(&self, name: &str) -> Outcome {
        match self.exchanges.iter().find(|exchange| exchange.name == name) {
            _ if name.is_empty() => Ok(()),
            None => Err(super::exchange::no_exchange(name)),
            Some(exchange) if exchange.internal => {
                refused(403, format!("cannot publish to internal exchange '{name}' in vhost '/'"))
            }
            Some(_) => Ok(()),
        }
    }
}

fn matches(exchange: &Exchange, binding: &Binding, keys: &[String], headers: &FieldTable) -> bool {
    match exchange.kind.as_str() {
        "fanout" => true,
        "direct" => keys.iter().any(|key| **key == *binding.routing_key),
        "topic" => keys.iter().any(|key| matches_pattern(&binding.routing_key, key)),
        _ => matches_headers(&binding.arguments, headers),
    }
}

/// Whether a topic pattern matches a key, tried in every way (S154).
fn matches_pattern(pattern: &str, key: &str) -> bool {
    fn words(text: &str) -> Vec<&str> {
        if text.is_empty() { Vec::new() } else { text.split('.').collect() }
    }
    fn tried(pattern: &[&str], key: &[&str]) -> bool {
        match (pattern, key) {
            ([], []) => true,
            (["#", rest @ ..], _) => (0..=key.len()).any(|skipped| tried(rest, &key[skipped..])),
            (["*", pattern @ ..], [_, key @ ..]) => tried(pattern, key),
            ([word, pattern @ ..], [same, key @ ..]) => word == same && tried(pattern, key),
            _ => false,
        }
    }
    tried(&words(pattern), &words(key))
}

/// Whether a headers binding matches (S155).
fn matches_headers(arguments: &FieldTable, headers: &FieldTable) -> bool {
    let mut any = false;
    let mut with_x = false;
    if let Some(AMQPValue::LongString(how)) = arguments.inner().get("x-match") {
        any = how.to_string().starts_with("any");
        with_x = how.to_string().ends_with("with-x");
    }
    let mut found = Vec::new();
    for (name, wanted) in arguments.inner() {
        let name = name.as_str();
        if name == "x-match" || (name.starts_with("x-") && !with_x) {
            continue;
        }
        let there = headers.inner().get(name);
        found.push(there.is_some_and(|there| *wanted == AMQPValue::Void || wanted == there));
    }
    if any { found.contains(&true) } else { !found.contains(&false) }
}

/// The routing key, and those in the headers (S165).
pub(super) fn keys(publish: &BasicPublish) -> Result<Vec<String>, Refused> {
    let mut keys = vec![publish.routing_key.to_string()];
    let headers = publish.properties.headers().iter();
    for headers in headers {
        for name in ["CC", "BCC"] {
            match headers.inner().get(name) {
                Some(AMQPValue::FieldArray(values)) => {
                    for value in values.as_slice() {
                        if let AMQPValue::LongString(key) = value {
                            keys.push(key.to_string());
                        }
                    }
                }
                Some(AMQPValue::LongString(_)) => {
                    let why = format!("{{unacceptable_type_in_header,\"{name}\",longstr}}");
                    return refused(406, format!("invalid message: {why}"));
                }
                _ => {}
            }
        }
    }
    Ok(keys)
}
