//! Leaves: what a field returns once `Option`, `Result` and lists are taken off.
//!
//! The macros see types as text, so they cannot know which are objects. They write `(&&&&Leaf::<T>::NEW).method(…)`, and the
//! compiler takes the trait with the most references that fits `T`: a row or a text, a scalar, an enum, or any other type.

use std::marker::PhantomData;

use async_graphql::{Context, EnumType, ID, OutputType, ScalarType, ServerResult};
use futures_util::FutureExt as _;
use futures_util::future::ready;

use crate::json;
use crate::plan::{Below, Plan, Rendered, Row};
use crate::render::{list, list_in_time, object, object_in_time};

/// Stands for a type.
pub struct Leaf<T: ?Sized>(PhantomData<fn(&T)>);

impl<T: ?Sized> Leaf<T> {
    /// The only value.
    pub const NEW: Self = Self(PhantomData);
}

/// Objects whose fields can be rendered.
pub trait ObjectLeaf<T> {
    /// Returns the plan of the selection below.
    fn plan<'a>(&self, below: Below<'a>) -> Option<Plan<'a>>;

    /// Writes a value with nothing below it that waits.
    fn at_once(&self, value: &T, ctx: &Context<'_>, below: &Plan<'_>, json: &mut Vec<u8>)
    -> ServerResult<()>;

    /// Writes a list of such values.
    fn list<'r>(
        &self,
        values: impl Iterator<Item = &'r T>,
        ctx: &Context<'_>,
        below: &Plan<'_>,
        json: &mut Vec<u8>,
    ) -> ServerResult<()>
    where
        T: 'r;

    /// Renders a value with something below it that waits.
    fn in_time<'a>(&self, value: &'a T, ctx: &'a Context<'a>, below: &'a Plan<'a>) -> Rendered<'a>;

    /// Renders a list of such values.
    fn list_in_time<'a>(
        &self,
        values: impl ExactSizeIterator<Item = &'a T> + Send + 'a,
        ctx: &'a Context<'a>,
        below: &'a Plan<'a>,
    ) -> Rendered<'a>
    where
        T: 'a;
}

impl<T: Row> ObjectLeaf<T> for &&&Leaf<T> {
    fn plan<'a>(&self, below: Below<'a>) -> Option<Plan<'a>> {
        Plan::of::<T>(below)
    }

    fn at_once(
        &self,
        value: &T,
        ctx: &Context<'_>,
        below: &Plan<'_>,
        json: &mut Vec<u8>,
    ) -> ServerResult<()> {
        object(value, &ctx.with_selection_set(&ctx.item.node.selection_set), below, json)
    }

    fn list<'r>(
        &self,
        values: impl Iterator<Item = &'r T>,
        ctx: &Context<'_>,
        below: &Plan<'_>,
        json: &mut Vec<u8>,
    ) -> ServerResult<()>
    where
        T: 'r,
    {
        list(values, &ctx.with_selection_set(&ctx.item.node.selection_set), below, json)
    }

    fn in_time<'a>(&self, value: &'a T, ctx: &'a Context<'a>, below: &'a Plan<'a>) -> Rendered<'a> {
        let ctx = ctx.with_selection_set(&ctx.item.node.selection_set);
        async move { object_in_time(value, &ctx, below).await }.boxed()
    }

    fn list_in_time<'a>(
        &self,
        values: impl ExactSizeIterator<Item = &'a T> + Send + 'a,
        ctx: &'a Context<'a>,
        below: &'a Plan<'a>,
    ) -> Rendered<'a>
    where
        T: 'a,
    {
        let ctx = ctx.with_selection_set(&ctx.item.node.selection_set);
        async move { list_in_time(values, &ctx, below).await }.boxed()
    }
}

/// Declares the methods of leaves that have nothing below them, by the value of one.
macro_rules! leaf {
    ($(#[$doc:meta])* $name:ident: $bound:path, $leaf:ty, |$value:ident, $ctx:ident, $json:ident| $write:expr, $plan:expr) => {
        $(#[$doc])*
        pub trait $name<T> {
            /// Returns the plan of nothing; `None` if there is something below.
            fn plan<'a>(&self, below: Below<'a>) -> Option<Plan<'a>>;

            /// Writes a value.
            fn at_once(
                &self,
                value: &T,
                ctx: &Context<'_>,
                below: &Plan<'_>,
                json: &mut Vec<u8>,
            ) -> ServerResult<()>;

            /// Writes a list of values.
            fn list<'r>(
                &self,
                values: impl Iterator<Item = &'r T>,
                ctx: &Context<'_>,
                below: &Plan<'_>,
                json: &mut Vec<u8>,
            ) -> ServerResult<()>
            where
                T: 'r;

            /// Renders a value.
            fn in_time<'a>(
                &self,
                value: &'a T,
                ctx: &'a Context<'a>,
                below: &'a Plan<'a>,
            ) -> Rendered<'a>;

            /// Renders a list of values.
            fn list_in_time<'a>(
                &self,
                values: impl ExactSizeIterator<Item = &'a T> + Send + 'a,
                ctx: &'a Context<'a>,
                below: &'a Plan<'a>,
            ) -> Rendered<'a>
    where
        T: 'a;
        }

        impl<T: $bound> $name<T> for $leaf {
            fn plan<'a>(&self, below: Below<'a>) -> Option<Plan<'a>> {
                let is_planned: fn(Below<'_>) -> bool = $plan;
                is_planned(below).then(Plan::default)
            }

            fn at_once(
                &self,
                $value: &T,
                $ctx: &Context<'_>,
                _: &Plan<'_>,
                $json: &mut Vec<u8>,
            ) -> ServerResult<()> {
                $write
            }

            fn list<'r>(
                &self,
                values: impl Iterator<Item = &'r T>,
                ctx: &Context<'_>,
                below: &Plan<'_>,
                json: &mut Vec<u8>,
            ) -> ServerResult<()>
            where
                T: 'r,
            {
                json::array(json, values, |json, value| self.at_once(value, ctx, below, json))
            }

            fn in_time<'a>(
                &self,
                value: &'a T,
                ctx: &'a Context<'a>,
                below: &'a Plan<'a>,
            ) -> Rendered<'a> {
                rendered(|json| self.at_once(value, ctx, below, json))
            }

            fn list_in_time<'a>(
                &self,
                values: impl ExactSizeIterator<Item = &'a T> + Send + 'a,
                ctx: &'a Context<'a>,
                below: &'a Plan<'a>,
            ) -> Rendered<'a>
    where
        T: 'a,
    {
                rendered(|json| self.list(values, ctx, below, json))
            }
        }
    };
}

/// What was written at once.
fn rendered<'a>(write: impl FnOnce(&mut Vec<u8>) -> ServerResult<()>) -> Rendered<'a> {
    let mut json = Vec::new();
    ready(write(&mut json).map(|()| json)).boxed()
}

/// Scalars that are a text. Most of an answer is made of them.
pub trait Text {
    /// Returns the text.
    fn text(&self) -> &str;
}

impl Text for String {
    fn text(&self) -> &str {
        self
    }
}

impl Text for ID {
    fn text(&self) -> &str {
        self
    }
}

leaf! {
    /// Texts.
    TextLeaf: Text, &&&Leaf<T>, |value, _ctx, json| {
        json::text(json, value.text());
        Ok(())
    }, |_| true
}

leaf! {
    /// Scalars.
    ScalarLeaf: ScalarType, &&Leaf<T>, |value, _ctx, json| {
        json::value(json, &value.to_value());
        Ok(())
    }, |_| true
}

leaf! {
    /// Enums.
    EnumLeaf: EnumType, &Leaf<T>, |value, _ctx, json| {
        let item = T::items().iter().find(|item| item.value == *value);
        json::name(json, item.expect("every value has a name").name);
        Ok(())
    }, |_| true
}

leaf! {
    /// Other types. With fields selected below, they are resolved the ordinary way.
    OtherLeaf: OutputType, Leaf<T>, |value, ctx, json| {
        let set = ctx.with_selection_set(&ctx.item.node.selection_set);
        let resolved = value.resolve(&set, ctx.item).now_or_never().expect("a value without fields does not wait");
        json::value(json, &resolved?);
        Ok(())
    }, |below| below.set.items.is_empty()
}

/// Texts by reference: `str` has no size, so it has no trait.
impl Leaf<str> {
    /// Returns the plan of nothing.
    pub fn plan<'a>(&self, _: Below<'a>) -> Option<Plan<'a>> {
        Some(Plan::default())
    }

    /// Writes a text.
    ///
    /// # Errors
    /// None; it is a `Result` like those of other leaves.
    pub fn at_once(
        &self,
        value: &str,
        _: &Context<'_>,
        _: &Plan<'_>,
        json: &mut Vec<u8>,
    ) -> ServerResult<()> {
        json::text(json, value);
        Ok(())
    }

    /// Writes a list of texts.
    ///
    /// # Errors
    /// None; it is a `Result` like those of other leaves.
    pub fn list<'r>(
        &self,
        values: impl Iterator<Item = &'r str>,
        ctx: &Context<'_>,
        below: &Plan<'_>,
        json: &mut Vec<u8>,
    ) -> ServerResult<()> {
        json::array(json, values, |json, value| self.at_once(value, ctx, below, json))
    }

    /// Renders a text.
    pub fn in_time<'a>(&self, value: &'a str, ctx: &'a Context<'a>, below: &'a Plan<'a>) -> Rendered<'a> {
        rendered(|json| self.at_once(value, ctx, below, json))
    }

    /// Renders a list of texts.
    pub fn list_in_time<'a>(
        &self,
        values: impl Iterator<Item = &'a str>,
        ctx: &'a Context<'a>,
        below: &'a Plan<'a>,
    ) -> Rendered<'a> {
        rendered(|json| self.list(values, ctx, below, json))
    }
}
