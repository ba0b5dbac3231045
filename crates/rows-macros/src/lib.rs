//! The macros of the package `rows`, which says what they are for.

mod fields;
mod shape;
mod write;

use proc_macro::TokenStream;
use quote::quote;
use syn::{DeriveInput, ItemImpl, parse_macro_input};

/// Makes the fields of an object renderable. It stands above `#[Object]` and leaves the block as it is.
///
/// Rendered are methods, `async` or not. A method with an attribute of its own for async-graphql, or with an argument whose
/// attribute does more than to describe it, is resolved the ordinary way.
#[proc_macro_attribute]
pub fn row(_: TokenStream, item: TokenStream) -> TokenStream {
    let block = parse_macro_input!(item as ItemImpl);
    let fields = fields::of_methods(&block);
    let row = write::row(&block.self_ty, &block.generics, &fields);
    quote!(#block #row).into()
}

/// Makes the fields of a `SimpleObject` renderable.
///
/// A field with an attribute of its own for async-graphql is resolved the ordinary way.
#[proc_macro_derive(Row)]
pub fn derive_row(item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as DeriveInput);
    let fields = fields::of_struct(&item);
    let (name, (_, arguments, _)) = (&item.ident, item.generics.split_for_impl());
    write::row(&syn::parse_quote!(#name #arguments), &item.generics, &fields).into()
}
