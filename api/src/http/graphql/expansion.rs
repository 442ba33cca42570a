//! How large an operation is once its fragments are expanded, counted without expanding them.
//!
//! Twenty-six fragments, each spreading the next twice, are a kilobyte of text and 67 million fields. Each fragment is counted
//! once and its size reused, so the work is that of reading the text, whatever the size that comes out.

use std::collections::HashMap;

use apollo_compiler::ast::{Definition, Document, FragmentDefinition, Selection};

use super::limits::Limits;

/// The size of a selection after expansion. Sums saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) fields: u64,
    pub(super) aliases: u64,
    pub(super) directives: u64,
    /// Levels of fields.
    pub(super) depth: u64,
    /// Levels of selections, those of fragments included: what a recursive walk needs of its stack.
    pub(super) levels: u64,
}

impl Size {
    /// This size and another beside it.
    fn beside(self, other: Self) -> Self {
        Self {
            fields: self.fields.saturating_add(other.fields),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            depth: self.depth.max(other.depth),
            levels: self.levels.max(other.levels),
        }
    }

    /// What is over its limit, as a sentence.
    pub(super) fn over(self, limits: &Limits) -> Option<String> {
        let nesting_max = u64::try_from(limits.nesting_max).unwrap_or(u64::MAX);
        [
            (self.levels, nesting_max, "levels of selections"),
            (self.depth, limits.depth_max, "levels of fields"),
            (self.fields, limits.expanded_fields_max, "fields"),
            (self.aliases, limits.aliases_max, "aliases"),
            (self.directives, limits.directives_max, "directives"),
        ]
        .into_iter()
        .find(|(found, most, _)| found > most)
        .map(|(_, most, what)| {
            format!("the operation has more than {most} {what} once its fragments are expanded")
        })
    }
}

/// Counts a document's operations.
struct Counter<'a> {
    fragments: HashMap<&'a str, &'a FragmentDefinition>,
    /// `None` while a fragment is being counted: meeting it then means a cycle, which validation reports.
    counted: HashMap<&'a str, Option<Size>>,
    levels_max: u64,
    visited: usize,
}

/// The size of each operation of `document`, by name, and the number of selections that were looked at.
///
/// The walk stops descending past `levels_max` levels; what lies deeper is refused anyway.
pub(super) fn sizes(document: &Document, levels_max: usize) -> (Vec<(Option<String>, Size)>, usize) {
    let fragments = document.definitions.iter().filter_map(Definition::as_fragment_definition);
    let mut counter = Counter {
        fragments: fragments.map(|fragment| (fragment.name.as_str(), &**fragment)).collect(),
        counted: HashMap::new(),
        levels_max: u64::try_from(levels_max).unwrap_or(u64::MAX),
        visited: 0,
    };
    let mut sizes = Vec::new();
    for operation in document.definitions.iter().filter_map(Definition::as_operation_definition) {
        let mut size = counter.selections(&operation.selection_set, 1);
        size.directives = size.directives.saturating_add(count(operation.directives.0.len()));
        sizes.push((operation.name.as_ref().map(ToString::to_string), size));
    }
    (sizes, counter.visited)
}

impl<'a> Counter<'a> {
    fn selections(&mut self, selections: &'a [Selection], level: u64) -> Size {
        let mut sum = Size { levels: level, ..Size::default() };
        if level <= self.levels_max {
            for selection in selections {
                let size = self.selection(selection, level);
                sum = sum.beside(size);
            }
        }
        sum
    }

    fn selection(&mut self, selection: &'a Selection, level: u64) -> Size {
        self.visited += 1;
        match selection {
            Selection::Field(field) => {
                let mut size = Size { levels: level, ..Size::default() };
                if !field.selection_set.is_empty() {
                    size = self.selections(&field.selection_set, level + 1);
                }
                size.fields = size.fields.saturating_add(1);
                size.aliases = size.aliases.saturating_add(u64::from(field.alias.is_some()));
                size.directives = size.directives.saturating_add(count(field.directives.0.len()));
                size.depth += 1;
                size
            }
            Selection::InlineFragment(inline) => {
                let mut size = self.selections(&inline.selection_set, level + 1);
                size.directives = size.directives.saturating_add(count(inline.directives.0.len()));
                size
            }
            Selection::FragmentSpread(spread) => {
                let mut size = self.fragment(spread.fragment_name.as_str(), level);
                size.directives = size.directives.saturating_add(count(spread.directives.0.len()));
                // A fragment's own levels count from one; here they stand below this level.
                size.levels = size.levels.saturating_add(level);
                size
            }
        }
    }

    fn fragment(&mut self, name: &'a str, level: u64) -> Size {
        if let Some(known) = self.counted.get(name) {
            return known.unwrap_or_default();
        }
        let Some(&definition) = self.fragments.get(name) else { return Size::default() };
        self.counted.insert(name, None);
        let mut size = self.fragment_body(definition, level);
        size.directives = size.directives.saturating_add(count(definition.directives.0.len()));
        self.counted.insert(name, Some(size));
        size
    }

    /// Counts from level one, so that the size holds wherever the fragment is spread. The chain of fragments that leads here is
    /// part of the stack, so it shortens what is left of it.
    fn fragment_body(&mut self, definition: &'a FragmentDefinition, level: u64) -> Size {
        let rest = self.levels_max;
        self.levels_max = rest.saturating_sub(level);
        let size = self.selections(&definition.selection_set, 1);
        self.levels_max = rest;
        size
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Document {
        Document::parse(text, "test").unwrap()
    }

    #[test]
    fn doubling_is_counted_in_the_time_of_reading() {
        let body = |at: usize| format!("fragment f{at} on A {{ ...f{} ...f{} }} ", at + 1, at + 1);
        let text = format!(
            "{{ ...f0 }} {} fragment f26 on A {{ a }}",
            (0..26).map(body).collect::<Vec<_>>().concat()
        );
        let (sizes, visited) = sizes(&parse(&text), 100);
        assert_eq!(sizes[0].1.fields, 1 << 26);
        assert_eq!(visited, 1 + 26 * 2 + 1, "each selection is looked at once");
    }

    #[test]
    fn sums_saturate() {
        let body =
            |at: usize| format!("fragment f{at} on A {{ {} }} ", format!("...f{} ", at + 1).repeat(100));
        let text = format!(
            "{{ ...f0 }} {} fragment f20 on A {{ a }}",
            (0..20).map(body).collect::<Vec<_>>().concat()
        );
        assert_eq!(sizes(&parse(&text), 100).0[0].1.fields, u64::MAX);
    }

    /// Expands fragments one by one, as nobody should.
    fn naive(document: &Document, selections: &[Selection], level: u64) -> Size {
        let mut sum = Size { levels: level, ..Size::default() };
        for selection in selections {
            let mut size = match selection {
                Selection::Field(field) if field.selection_set.is_empty() => {
                    Size { levels: level, ..Size::default() }
                }
                Selection::Field(field) => naive(document, &field.selection_set, level + 1),
                Selection::InlineFragment(inline) => naive(document, &inline.selection_set, level + 1),
                Selection::FragmentSpread(spread) => {
                    let fragments =
                        document.definitions.iter().filter_map(Definition::as_fragment_definition);
                    let fragment =
                        fragments.into_iter().find(|fragment| fragment.name == spread.fragment_name).unwrap();
                    naive(document, &fragment.selection_set, level + 1)
                }
            };
            if let Selection::Field(field) = selection {
                size.fields += 1;
                size.depth += 1;
                size.aliases += u64::from(field.alias.is_some());
                size.directives += count(field.directives.0.len());
            }
            sum = sum.beside(size);
        }
        sum
    }

    /// A selection of fields, inline fragments, and spreads of fragments after number `after`.
    fn selection(after: usize) -> impl Strategy<Value = String> {
        let spread = if after < 4 {
            (after + 1..5).prop_map(|at| format!("...f{at}")).boxed()
        } else {
            Just("c".to_owned()).boxed()
        };
        let leaf = prop_oneof![Just("a".to_owned()), Just("b: a @skip(if: true)".to_owned()), spread];
        leaf.prop_recursive(3, 12, 3, |inner| {
            let several = prop::collection::vec(inner, 1..4).prop_map(|items| items.join(" "));
            prop_oneof![
                several.clone().prop_map(|items| format!("a {{ {items} }}")),
                several.prop_map(|items| format!("... {{ {items} }}"))
            ]
        })
    }

    proptest! {
        #[test]
        fn the_size_is_that_of_the_expanded_document(
            operation in selection(0), f1 in selection(1), f2 in selection(2), f3 in selection(3), f4 in selection(4), max in 1_u64..12
        ) {
            let text = format!(
                "{{ {operation} }} fragment f1 on A {{ {f1} }} fragment f2 on A {{ {f2} }} \
                 fragment f3 on A {{ {f3} }} fragment f4 on A {{ {f4} }}"
            );
            let document = parse(&text);
            let operation = document.definitions.iter().find_map(Definition::as_operation_definition).unwrap();
            let expected = naive(&document, &operation.selection_set, 1);
            prop_assert_eq!(sizes(&document, 1000).0[0].1, expected);
            // A walk that stops at a level still knows whether that level is passed.
            let stopped = sizes(&document, usize::try_from(max).unwrap()).0[0].1;
            prop_assert_eq!(stopped.levels > max, expected.levels > max);
        }
    }
}
