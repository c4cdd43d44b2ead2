//! Showing the call that is made: the text comes from the code that runs.

/// Makes a call of the client and notes its text on the board. Each of `name`s is shown as its value.
///
/// `shown!(board, who, channel.basic_qos(prefetch, options).await, prefetch)` makes the call, and the
/// board shows `channel.basic_qos(1, options)`.
macro_rules! shown {
    ($board:expr, $who:expr, $call:expr $(, $name:ident)*) => {{
        $board.call($who, stringify!($call), || {
            vec![$((stringify!($name), format!("{:?}", $name))),*]
        });
        $call
    }};
}

pub(crate) use shown;

/// The text of a call as a reader wants it: on one line, names replaced by their values, without
/// what Rust adds to make it run.
pub(crate) fn readable(call: &str, values: &[(&str, String)]) -> String {
    let mut text = call.split_whitespace().collect::<Vec<_>>().join(" ");
    for (from, to) in [
        (" .", "."),
        ("( ", "("),
        (" )", ")"),
        (",)", ")"),
        (".into()", ""),
        (".await", ""),
        (",..", ", .."),
    ] {
        text = text.replace(from, to);
    }
    for (name, value) in values {
        text = replace_word(&text, name, value);
    }
    text
}

/// Replaces `word` where it is not part of a longer name.
fn replace_word(text: &str, word: &str, value: &str) -> String {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut result = String::new();
    let mut rest = text;
    while let Some(place) = rest.find(word) {
        let (before, from) = rest.split_at(place);
        let after = &from[word.len()..];
        let whole = !before.ends_with(is_name) && !after.starts_with(is_name);
        result.push_str(before);
        result.push_str(if whole { value } else { word });
        rest = after;
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn the_rest_of_a_struct_stays_apart() {
        let call = "call(Options { no_ack: automatic, ..Default::default() })";
        let shown = readable(call, &[("automatic", "true".to_owned())]);
        assert_eq!(shown, "call(Options { no_ack: true, ..Default::default() })");
    }

    #[test]
    fn a_call_is_shown_on_one_line_with_values() {
        let call = "channel\n    .basic_qos(prefetch, options_prefetch,)\n    .await";
        let shown = readable(call, &[("prefetch", "1".to_owned())]);
        assert_eq!(shown, "channel.basic_qos(1, options_prefetch)");
    }
}
