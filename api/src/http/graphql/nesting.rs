//! How deep brackets nest in a text, found without recursion and without a parser.
//!
//! A parser that descends recursively uses its stack before any limit of the schema is looked at: 1,231 times `{a:` are enough to
//! end a process. So texts are measured first, in one pass over their bytes.

/// Whether `{`, `[` and `(` of a GraphQL document nest deeper than `levels_max`, strings and comments aside.
pub(super) fn document_exceeds(text: &str, levels_max: usize) -> bool {
    let bytes = text.as_bytes();
    let mut levels = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'#' => at = end_of_line(bytes, at),
            b'"' if bytes[at..].starts_with(br#"""""#) => at = end_of_block_string(bytes, at + 3),
            b'"' => at = end_of_string(bytes, at + 1),
            b'{' | b'[' | b'(' => {
                levels += 1;
                if levels > levels_max {
                    return true;
                }
            }
            b'}' | b']' | b')' => levels = levels.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    false
}

/// Whether `{` and `[` of a JSON text nest deeper than `levels_max`, strings aside.
pub(super) fn json_exceeds(bytes: &[u8], levels_max: usize) -> bool {
    let mut levels = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for &byte in bytes {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                levels += 1;
                if levels > levels_max {
                    return true;
                }
            }
            b'}' | b']' => levels = levels.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Where the line that `at` is in ends.
fn end_of_line(bytes: &[u8], at: usize) -> usize {
    bytes[at..]
        .iter()
        .position(|byte| matches!(byte, b'\n' | b'\r'))
        .map_or(bytes.len(), |length| at + length)
}

/// Where the string whose content begins at `at` ends: at its quote, or, being unterminated, at the end of its line.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'"' | b'\n' | b'\r' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Where the block string whose content begins at `at` ends: at the last byte of its three quotes.
fn end_of_block_string(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        if bytes[at..].starts_with(br#"\""""#) {
            at += 4;
        } else if bytes[at..].starts_with(br#"""""#) {
            return at + 2;
        } else {
            at += 1;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn document_levels(text: &str) -> usize {
        (0..100).find(|&levels| !document_exceeds(text, levels)).unwrap()
    }

    #[test]
    fn brackets_count_outside_strings_and_comments_only() {
        let cases = [
            ("{ a }", 1),
            ("{ a(b: [{ c: 1 }]) { d } }", 4),
            ("{ a # {{{{\n b }", 1),
            ("{ a # {{{{\r { b } }", 2),
            (r#"{ a(b: "{{[[ \" {{") }"#, 2),
            (r#"{ a(b: """ {{ " {{ \""" {{ """) { c } }"#, 2),
            (r#"{ a(b: "") { c { d } } }"#, 3),
            (r#"{ a(b: "\\") { c { d } } }"#, 3),
            ("{ a(b: \"unterminated\n { c } }", 3),
            ("}}}} { a }", 1),
            ("\"", 0),
            ("\"\\", 0),
            ("\"\"\"", 0),
        ];
        for (text, levels) in cases {
            assert_eq!(document_levels(text), levels, "{text}");
        }
    }

    #[test]
    fn json_strings_hide_brackets() {
        assert!(json_exceeds(br#"{"a":[[1]]}"#, 2));
        assert!(!json_exceeds(br#"{"a":[[1]]}"#, 3));
        assert!(!json_exceeds(br#"{"a":"[[[[\"[[[["}"#, 1));
        assert!(json_exceeds(br#"{"a":"\\","b":[1]}"#, 1));
    }

    proptest! {
        /// Any JSON text is at most as deep as this says: `serde_json` and this scan agree.
        #[test]
        fn json_levels_are_those_of_the_value(value in json()) {
            let text = serde_json::to_vec(&value).unwrap();
            let levels = levels(&value);
            prop_assert!(!json_exceeds(&text, levels));
            prop_assert!(levels == 0 || json_exceeds(&text, levels - 1));
        }

        #[test]
        fn no_text_panics(text in ".{0,200}", levels in 0_usize..4) {
            let _ = document_exceeds(&text, levels);
        }
    }

    fn levels(value: &serde_json::Value) -> usize {
        match value {
            serde_json::Value::Array(items) => 1 + items.iter().map(levels).max().unwrap_or(0),
            serde_json::Value::Object(entries) => 1 + entries.values().map(levels).max().unwrap_or(0),
            _ => 0,
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            any::<i32>().prop_map(serde_json::Value::from),
            r#"[\[\]{}"\\a]{0,8}"#.prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(6, 40, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::vec((r#"["\\\[{]{0,3}"#, inner), 0..4)
                    .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
            ]
        })
    }
}
