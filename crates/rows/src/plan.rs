//! Plans: a selection as it is for one type of rows, its fragments spread. And the types that have plans.

use std::collections::HashSet;

use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::{ContainerType, Context, ContextBase, Positioned, QueryEnv, SchemaEnv, ServerResult};
use futures_util::future::BoxFuture;

/// The JSON of a field that is still to come.
pub type Rendered<'a> = BoxFuture<'a, ServerResult<Vec<u8>>>;

/// An object whose fields can be rendered. Implemented by [`macro@crate::row`] and [`macro@crate::Row`].
pub trait Row: ContainerType {
    /// Chooses how a field is rendered, with the selection below it.
    fn way<'a>(name: &str, below: Below<'a>) -> Way<'a>;

    /// Writes the JSON of a field that waits for nothing, by the index that [`Row::way`] gave it.
    ///
    /// # Errors
    /// The field failed and cannot be null. A part of it may have been written.
    fn at_once(
        &self,
        index: usize,
        ctx: &Context<'_>,
        below: &Plan<'_>,
        json: &mut Vec<u8>,
    ) -> ServerResult<()>;

    /// Renders a field that waits, or has something below it that does.
    fn in_time<'a>(&'a self, index: usize, ctx: Context<'a>, below: &'a Plan<'a>) -> Rendered<'a>;
}

impl<T: Row> Row for &T {
    fn way<'a>(name: &str, below: Below<'a>) -> Way<'a> {
        T::way(name, below)
    }

    fn at_once(
        &self,
        index: usize,
        ctx: &Context<'_>,
        below: &Plan<'_>,
        json: &mut Vec<u8>,
    ) -> ServerResult<()> {
        T::at_once(self, index, ctx, below, json)
    }

    fn in_time<'a>(&'a self, index: usize, ctx: Context<'a>, below: &'a Plan<'a>) -> Rendered<'a> {
        T::in_time(self, index, ctx, below)
    }
}

/// The fields that a query selects of a type, in the order of the query.
#[derive(Default)]
pub struct Plan<'a> {
    pub(crate) fields: Vec<Planned<'a>>,
    /// Whether two fields have the same name in the answer and must be merged.
    pub(crate) merges: bool,
    waits: bool,
}

pub(crate) struct Planned<'a> {
    pub(crate) field: &'a Positioned<Field>,
    pub(crate) way: Way<'a>,
    /// Whether a field with its name, which is a leaf too, stands before it. Then only its error counts.
    pub(crate) is_repeated: bool,
}

/// How a field is rendered.
pub enum Way<'a> {
    /// `__typename`.
    TypeName,
    /// By the function with this index, which waits for nothing.
    AtOnce(usize, Plan<'a>),
    /// By the function with this index, once it or what is below it has waited.
    InTime(usize, Plan<'a>),
    /// As async-graphql resolves it.
    Ordinary,
}

/// The selection below a field.
#[derive(Clone, Copy)]
pub struct Below<'a> {
    schema: &'a SchemaEnv,
    query: &'a QueryEnv,
    pub(crate) set: &'a SelectionSet,
}

impl<'a> Below<'a> {
    pub(crate) fn new(ctx: &ContextBase<'a, &'a Positioned<SelectionSet>>) -> Self {
        Self { schema: ctx.schema_env, query: ctx.query_env, set: &ctx.item.node }
    }
}

impl<'a> Way<'a> {
    /// The way of a function that waits for nothing. `below`: the plan of what it returns, or `None` if it has none.
    pub fn of_function(index: usize, below: Option<Plan<'a>>) -> Self {
        match below {
            Some(below) if below.waits => Self::InTime(index, below),
            Some(below) => Self::AtOnce(index, below),
            None => Self::Ordinary,
        }
    }

    /// The way of an `async` function.
    pub fn of_async(index: usize, below: Option<Plan<'a>>) -> Self {
        below.map_or(Self::Ordinary, |below| Self::InTime(index, below))
    }
}

impl<'a> Plan<'a> {
    /// Plans a selection of a type's fields. `None`: the selection names a fragment that does not exist, which
    /// async-graphql refuses.
    pub(crate) fn of<T: Row>(below: Below<'a>) -> Option<Self> {
        let mut plan = Self::default();
        plan.add::<T>(below)?;
        let mut seen = HashSet::with_capacity(plan.fields.len());
        for planned in &mut plan.fields {
            let field = &planned.field.node;
            if !seen.insert(&field.response_key().node) {
                let is_leaf = field.selection_set.node.items.is_empty();
                planned.is_repeated = is_leaf && matches!(planned.way, Way::TypeName | Way::AtOnce(..));
                plan.merges |= !planned.is_repeated;
            }
        }
        // Merging takes a way of its own, together with waiting.
        plan.waits |= plan.merges;
        Some(plan)
    }

    fn add<T: Row>(&mut self, below: Below<'a>) -> Option<()> {
        for selection in &below.set.items {
            let (condition, set) = match &selection.node {
                Selection::Field(field) => {
                    self.add_field::<T>(field, below);
                    continue;
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = &below.query.fragments.get(&spread.node.fragment_name.node)?.node;
                    (Some(&fragment.type_condition), &fragment.selection_set)
                }
                Selection::InlineFragment(fragment) => {
                    (fragment.node.type_condition.as_ref(), &fragment.node.selection_set)
                }
            };
            if condition.is_none_or(|condition| is_a::<T>(&condition.node.on.node, below.schema)) {
                self.add::<T>(Below { set: &set.node, ..below })?;
            }
        }
        Some(())
    }

    fn add_field<T: Row>(&mut self, field: &'a Positioned<Field>, below: Below<'a>) {
        let way = match field.node.name.node.as_str() {
            "__typename" => Way::TypeName,
            name => T::way(name, Below { set: &field.node.selection_set.node, ..below }),
        };
        self.waits |= matches!(way, Way::InTime(..) | Way::Ordinary);
        self.fields.push(Planned { field, way, is_repeated: false });
    }

    /// Whether a field of it, or below it, may wait.
    pub const fn waits(&self) -> bool {
        self.waits
    }
}

/// Whether a type is the one that a fragment is for, or implements it.
fn is_a<T: Row>(condition: &str, schema: &SchemaEnv) -> bool {
    let name = T::type_name();
    let interfaces = || schema.registry.implements.get(&*name);
    name == condition || interfaces().is_some_and(|interfaces| interfaces.contains(condition))
}
