//! The list type.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::resolver_utils::resolve_list;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerResult, Value};

use crate::json;
use crate::plan::{Below, Plan, Row};
use crate::render;

/// A list of objects, which is rendered row after row. In the schema it is what a `Vec` is.
#[derive(Clone, Debug)]
pub struct Rows<T>(Vec<T>);

/// In the data of a request: resolve each field of each row by itself, as async-graphql does it. Requests for a schema with an
/// extension that looks at each field need it, and so do comparisons.
#[derive(Clone, Copy, Debug)]
pub struct OneByOne;

impl<T> Rows<T> {
    /// Returns the rows.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> From<Vec<T>> for Rows<T> {
    fn from(rows: Vec<T>) -> Self {
        Self(rows)
    }
}

impl<T> FromIterator<T> for Rows<T> {
    fn from_iter<I: IntoIterator<Item = T>>(rows: I) -> Self {
        Self(rows.into_iter().collect())
    }
}

#[async_graphql::async_trait::async_trait]
impl<T: Row> OutputType for Rows<T> {
    fn type_name() -> Cow<'static, str> {
        <Vec<T> as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        <Vec<T> as OutputType>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Vec<T> as OutputType>::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let is_rendered = ctx.data_opt::<OneByOne>().is_none();
        let Some(plan) = is_rendered.then(|| Plan::of::<T>(Below::new(ctx))).flatten() else {
            return resolve_list(ctx, field, &self.0, Some(self.0.len())).await;
        };
        let mut rows = Vec::new();
        match plan.waits() {
            true => rows = render::list_in_time(self.0.iter(), ctx, &plan).await?,
            false => render::list(self.0.iter(), ctx, &plan, &mut rows)?,
        }
        Ok(json::answer(ctx, rows))
    }
}
