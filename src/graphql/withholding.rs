//! Withholding what a role may not read, while the rest of the request is answered.
//!
//! Such a field is null, with an error at its path that names the field and the right. Its resolver never runs. A field
//! that cannot be null makes the object that has it null, as any error does.
//!
//! It is an extension that looks at each field, which makes a field half as slow again. So a
//! [schema](super::schema_that_withholds) of its own has it, which runs only the requests that need it.

use std::mem;
use std::sync::Arc;

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextResolve, ResolveInfo,
};
use async_graphql::{
    PathSegment, QueryPathNode, QueryPathSegment, Response, ServerError, ServerResult, Value,
};
use async_trait::async_trait;
use parking_lot::Mutex;

use super::context::RequestContext;
use super::rights::{self, CATALOGUE};

/// Makes the extension of each request.
pub(super) struct Withholding;

impl ExtensionFactory for Withholding {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Withheld::default())
    }
}

/// The errors of the fields that a request asked for and did not get.
#[derive(Default)]
struct Withheld(Mutex<Vec<ServerError>>);

#[async_trait]
impl Extension for Withheld {
    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        let mut response = next.run(ctx, operation_name).await;
        response.errors.append(&mut mem::take(&mut *self.0.lock()));
        response
    }

    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> ServerResult<Option<Value>> {
        // The catalogue has all fields but those of introspection, which everybody may read.
        let Some(field) = CATALOGUE.find(info.parent_type, info.name) else {
            return next.run(ctx, info).await;
        };
        let role = ctx.data_unchecked::<RequestContext>().caller.actor.role;
        let Some(right) = rights::lacking(field, role) else {
            return next.run(ctx, info).await;
        };
        let at = info.field.alias.as_ref().map_or(info.field.name.pos, |alias| alias.pos);
        let error = rights::forbidden(role, right, Some(field)).into_server_error(at);
        let error = error.with_path(path_to(info.path_node));
        if !CATALOGUE.get(field).is_nullable {
            return Err(error);
        }
        self.0.lock().push(error);
        Ok(None)
    }
}

fn path_to(node: &QueryPathNode<'_>) -> Vec<PathSegment> {
    let mut path = node.parent.map(path_to).unwrap_or_default();
    path.push(match node.segment {
        QueryPathSegment::Index(index) => PathSegment::Index(index),
        QueryPathSegment::Name(name) => PathSegment::Field(name.to_owned()),
    });
    path
}
