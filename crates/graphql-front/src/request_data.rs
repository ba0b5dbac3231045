//! What travels with a request, by its type.

use std::any::TypeId;

use async_graphql::Data;

/// Returns the value of a type.
pub(crate) fn find<T: 'static>(data: &Data) -> Option<&T> {
    data.get(&TypeId::of::<T>()).and_then(|data| data.downcast_ref())
}
