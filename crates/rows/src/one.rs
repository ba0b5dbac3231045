//! Objects outside of lists.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerResult, Value};
use futures_util::FutureExt as _;

use crate::json;
use crate::list::OneByOne;
use crate::plan::{Below, Plan, Rendered, Row};
use crate::render::object_in_time;

/// An object that is rendered like the row of a list. In the schema it is what `T` is.
#[derive(Clone, Copy, Debug)]
pub struct One<T>(T);

impl<T> From<T> for One<T> {
    fn from(object: T) -> Self {
        Self(object)
    }
}

/// What [`One`] can hold: a row, or an interface of rows, which passes the call on to the row.
pub trait Render: OutputType {
    /// Renders the object. `None`: async-graphql must resolve it.
    fn render<'a>(&'a self, ctx: &'a ContextSelectionSet<'a>) -> Option<Rendered<'a>>;
}

impl<T: Row> Render for T {
    fn render<'a>(&'a self, ctx: &'a ContextSelectionSet<'a>) -> Option<Rendered<'a>> {
        let plan = Plan::of::<T>(Below::new(ctx))?;
        Some(async move { object_in_time(self, ctx, &plan).await }.boxed())
    }
}

#[async_graphql::async_trait::async_trait]
impl<T: Render> OutputType for One<T> {
    fn type_name() -> Cow<'static, str> {
        T::type_name()
    }

    fn qualified_type_name() -> String {
        T::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        T::create_type_info(registry)
    }

    async fn resolve(&self, ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let is_rendered = ctx.data_opt::<OneByOne>().is_none();
        match is_rendered.then(|| self.0.render(ctx)).flatten() {
            Some(object) => Ok(json::answer(ctx, object.await?)),
            None => self.0.resolve(ctx, field).await,
        }
    }
}
