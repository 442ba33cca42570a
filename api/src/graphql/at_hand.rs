//! Lists whose values are all at hand, answered in one go.
//!
//! The engine resolves every field of every object as a boxed future of its own. For a page of leads with their
//! deliveries and attempts that is more than a thousand futures around values that were loaded before the first of them
//! was made, and most of what the page costs. So such a list reads its selections once, into a [`Plan`], and writes its
//! rows as JSON, without the detour over a tree of values; the engine carries the text through as [`Value::Binary`], which the
//! edge writes as it is. Whatever a plan does not know – a field with arguments, a field that can fail, an object
//! asked for twice under one name – is left to the engine, the whole list of it; a test holds both ways to the same answers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::parser::types::{Field, FragmentDefinition, Selection, SelectionSet, TypeCondition};
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, Name, ObjectType, OutputType, Positioned, ServerResult, Value};

use super::written::Json;

type Write<T> = Box<dyn Fn(&T, &mut Json) -> Option<()> + Send>;

/// How a field's value is written.
pub(super) enum Getter<T> {
    /// From the row: it is always there.
    Leaf(fn(&T, &mut Json)),
    /// From what was loaded with it; none when it was not.
    Loaded(Write<T>),
}

impl<T> Getter<T> {
    /// From what was loaded with the row.
    pub(super) fn loaded(write: impl Fn(&T, &mut Json) -> Option<()> + Send + 'static) -> Self {
        Self::Loaded(Box::new(write))
    }
}

/// An object whose fields may be at hand.
pub(super) trait AtHand: ObjectType + Sized + 'static {
    /// How the field's value is written; none leaves the list to the engine.
    fn getter(field: &str, below: &Below<'_>) -> Option<Getter<Self>>;
}

/// The selections below a field.
pub(super) struct Below<'a> {
    set: &'a SelectionSet,
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
}

/// The selections of one type, ready to be written for any number of rows.
pub(super) struct Plan<T> {
    /// The name in the answer and how its value is written.
    fields: Vec<(Name, Getter<T>)>,
}

impl<T: AtHand> Plan<T> {
    /// Reads the selections; none when one of them is not at hand.
    pub(super) fn read(below: &Below<'_>) -> Option<Self> {
        let mut plan = Self { fields: Vec::new() };
        plan.add(below)?;
        Some(plan)
    }

    fn add(&mut self, below: &Below<'_>) -> Option<()> {
        for selection in &below.set.items {
            match &selection.node {
                Selection::Field(field) => self.add_field(&field.node, below)?,
                Selection::FragmentSpread(spread) => {
                    let fragment = &below.fragments.get(&spread.node.fragment_name.node)?.node;
                    let set = &fragment.selection_set.node;
                    self.add_fragment(Some(&fragment.type_condition), &Below { set, ..*below })?;
                }
                Selection::InlineFragment(fragment) => {
                    let set = &fragment.node.selection_set.node;
                    self.add_fragment(fragment.node.type_condition.as_ref(), &Below { set, ..*below })?;
                }
            }
        }
        Some(())
    }

    fn add_fragment(&mut self, on: Option<&Positioned<TypeCondition>>, below: &Below<'_>) -> Option<()> {
        let applies = on.is_none_or(|on| on.node.on.node.as_str() == T::type_name());
        if applies { self.add(below) } else { None }
    }

    fn add_field(&mut self, field: &Field, below: &Below<'_>) -> Option<()> {
        // `@skip` and `@include` are gone by now; any other directive is the engine's.
        if !field.directives.is_empty() {
            return None;
        }
        let key = &field.response_key().node;
        let set = &field.selection_set.node;
        if self.fields.iter().any(|(known, _)| known == key) {
            // The same leaf again says nothing new (GraphQL, 5.3.2); of objects, the selections would have to be merged.
            return set.items.is_empty().then_some(());
        }
        let getter = match field.name.node.as_str() {
            "__typename" => Getter::Leaf(|_, out| out.string(&T::type_name())),
            name => T::getter(name, &Below { set, ..*below })?,
        };
        self.fields.push((key.clone(), getter));
        Some(())
    }

    /// Writes the object of a row; none when something that it needs was not loaded.
    pub(super) fn object(&self, row: &T, out: &mut Json) -> Option<()> {
        out.open(b'{');
        for (name, getter) in &self.fields {
            out.name(name);
            match getter {
                Getter::Leaf(write) => write(row, out),
                Getter::Loaded(write) => write(row, out)?,
            }
        }
        out.close(b'}');
        Some(())
    }

    /// Writes the list of some rows' objects.
    pub(super) fn list<R: AsRef<T>>(&self, rows: &[R], out: &mut Json) -> Option<()> {
        out.open(b'[');
        for row in rows {
            out.item();
            self.object(row.as_ref(), out)?;
        }
        out.close(b']');
        Some(())
    }
}

/// What a plan has written, as the engine carries it; none when something was not loaded.
fn written(write: impl FnOnce(&mut Json) -> Option<()>) -> Option<Value> {
    let mut out = Json::default();
    write(&mut out)?;
    Some(out.into())
}

/// An object, answered in one go when its selections allow it.
pub(super) struct Node<T>(pub(super) Arc<T>);

impl<T: AtHand> OutputType for Node<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(
        &self,
        context: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        match plan::<T>(context).and_then(|plan| written(|out| plan.object(&self.0, out))) {
            Some(value) => Ok(value),
            None => self.0.resolve(context, field).await,
        }
    }
}

/// A list of objects, answered in one go when its selections allow it.
pub(super) struct Nodes<T>(pub(super) Vec<Arc<T>>);

impl<T: AtHand> OutputType for Nodes<T> {
    fn type_name() -> Cow<'static, str> {
        <Vec<Arc<T>> as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        <Vec<Arc<T>> as OutputType>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Vec<Arc<T>> as OutputType>::create_type_info(registry)
    }

    async fn resolve(
        &self,
        context: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        match plan::<T>(context).and_then(|plan| written(|out| plan.list(&self.0, out))) {
            Some(value) => Ok(value),
            None => self.0.resolve(context, field).await,
        }
    }
}

fn plan<T: AtHand>(context: &ContextSelectionSet<'_>) -> Option<Plan<T>> {
    Plan::read(&Below { set: &context.item.node, fragments: &context.query_env.fragments })
}
