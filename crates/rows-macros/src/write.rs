//! The implementation of `rows::Row`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Generics, Type};

use crate::fields::{Argument, Field, Source};
use crate::shape::{Leaf, Shape};

/// Writes the implementation for a type with these fields.
pub(crate) fn row(ty: &Type, generics: &Generics, fields: &[Field<'_>]) -> TokenStream {
    let (parameters, _, bounds) = generics.split_for_impl();
    let ways = fields.iter().enumerate().map(|(index, field)| way(index, field));
    let functions = fields.iter().enumerate().filter_map(|(index, field)| at_once(index, field));
    let futures = fields.iter().enumerate().map(|(index, field)| in_time(index, field));
    quote! {
        #[doc(hidden)]
        #[allow(clippy::all, unused_variables)]
        const _: () = {
            use ::rows::{EnumLeaf as _, ObjectLeaf as _, OtherLeaf as _, ScalarLeaf as _, TextLeaf as _};

            impl #parameters ::rows::Row for #ty #bounds {
                fn way<'plan>(name: &str, below: ::rows::Below<'plan>) -> ::rows::Way<'plan> {
                    match name {
                        #(#ways)*
                        _ => ::rows::Way::Ordinary,
                    }
                }

                fn at_once(
                    &self,
                    index: usize,
                    ctx: &::rows::async_graphql::Context<'_>,
                    below: &::rows::Plan<'_>,
                    json: &mut ::std::vec::Vec<u8>,
                ) -> ::rows::async_graphql::ServerResult<()> {
                    match index {
                        #(#functions)*
                        _ => ::std::unreachable!("no plan has this field here"),
                    }
                }

                fn in_time<'plan>(
                    &'plan self,
                    index: usize,
                    ctx: ::rows::async_graphql::Context<'plan>,
                    below: &'plan ::rows::Plan<'plan>,
                ) -> ::rows::Rendered<'plan> {
                    match index {
                        #(#futures)*
                        _ => ::std::unreachable!("no plan has this field here"),
                    }
                }
            }
        };
    }
}

fn way(index: usize, field: &Field<'_>) -> TokenStream {
    let (name, ty) = (&field.name, field.shape.leaf().ty);
    let way = match field.source {
        Source::Async(_) => quote!(of_async),
        _ => quote!(of_function),
    };
    quote! {
        #name => ::rows::Way::#way(#index, (&&&&::rows::Leaf::<#ty>::NEW).plan(below)),
    }
}

/// Writes how a field that waits for nothing is rendered.
fn at_once(index: usize, field: &Field<'_>) -> Option<TokenStream> {
    let (read, given) = arguments(field);
    let rendered = match &field.source {
        Source::Function(name) => {
            let rendered = render(&field.shape, Ownership::Owned, Speed::AtOnce);
            quote!({ let value = self.#name(ctx, #given); ::rows::within(ctx, #rendered) })
        }
        Source::Ready(name) => {
            let rendered = render(of_async(&field.shape), Ownership::Owned, Speed::AtOnce);
            quote! {
                match ::rows::ready(self.#name(ctx, #given)) {
                    ::std::result::Result::Ok(value) => #rendered,
                    ::std::result::Result::Err(error) => ::std::result::Result::Err(::rows::failed(ctx, error)),
                }
            }
        }
        Source::Member(name) => {
            let rendered = render(&field.shape, Ownership::Borrowed, Speed::AtOnce);
            quote!({ let value = &self.#name; ::rows::within(ctx, #rendered) })
        }
        Source::Async(_) => return None,
    };
    Some(quote!(#index => { #read #rendered }))
}

/// Writes how the arguments of a field are read, and how its method is given them.
fn arguments(field: &Field<'_>) -> (TokenStream, TokenStream) {
    // Their own names could hide a variable of the function.
    let given: Vec<_> = (0..field.arguments.len()).map(|at| format_ident!("argument_{at}")).collect();
    let read = field
        .arguments
        .iter()
        .zip(&given)
        .map(|(Argument { name, ty }, given)| quote!(let #given: #ty = ::rows::argument(ctx, #name)?;));
    (quote!(#(#read)*), quote!(#(#given),*))
}

/// Writes how a field is rendered that waits itself, or has something below it that does.
fn in_time(index: usize, field: &Field<'_>) -> TokenStream {
    let (read, given) = arguments(field);
    let rendered = match &field.source {
        Source::Function(name) => {
            let rendered = render(&field.shape, Ownership::Owned, Speed::InTime);
            quote!(let value = self.#name(ctx, #given); let rendered = ::rows::within(ctx, #rendered);)
        }
        Source::Member(name) => {
            let rendered = render(&field.shape, Ownership::Borrowed, Speed::InTime);
            quote!(let value = &self.#name; let rendered = ::rows::within(ctx, #rendered);)
        }
        // What is below an `async` field keeps its own path in its errors: so does async-graphql.
        Source::Ready(name) | Source::Async(name) => {
            let rendered = render(of_async(&field.shape), Ownership::Owned, Speed::InTime);
            quote! {
                let rendered = match self.#name(ctx, #given).await {
                    ::std::result::Result::Ok(value) => #rendered,
                    ::std::result::Result::Err(error) => ::std::result::Result::Err(::rows::failed(ctx, error)),
                };
            }
        }
    };
    quote! {
        #index => ::std::boxed::Box::pin(async move {
            let ctx = &ctx;
            let mut written = ::std::vec::Vec::new();
            let json = &mut written;
            #read
            #rendered
            rendered.map(|()| written)
        }),
    }
}

/// Returns the shape of what an `async` method gives when it succeeds: `#[Object]` makes each return a `Result`.
fn of_async<'b, 'a>(shape: &'b Shape<'a>) -> &'b Shape<'a> {
    match shape {
        Shape::Fallible(inner) => inner,
        shape => shape,
    }
}

/// Whether the variable `value` holds a value or a reference to it.
#[derive(Clone, Copy, PartialEq)]
enum Ownership {
    Owned,
    Borrowed,
}

#[derive(Clone, Copy, PartialEq)]
enum Speed {
    AtOnce,
    InTime,
}

/// Writes an expression that renders the variable `value`.
fn render(shape: &Shape<'_>, ownership: Ownership, speed: Speed) -> TokenStream {
    match shape {
        Shape::Leaf(leaf) => {
            let value = match (ownership, leaf.is_reference) {
                (Ownership::Owned, false) => quote!(&value),
                (Ownership::Owned, true) | (Ownership::Borrowed, false) => quote!(value),
                (Ownership::Borrowed, true) => quote!(*value),
            };
            call(leaf, (&quote!(at_once), &quote!(in_time)), &value, speed)
        }
        Shape::List(leaf) => {
            let values = match leaf.is_reference {
                false => quote!(value.iter()),
                true => quote!(value.iter().copied()),
            };
            call(leaf, (&quote!(list), &quote!(list_in_time)), &values, speed)
        }
        Shape::Nullable(inner) => {
            let rendered = render(inner, ownership, speed);
            quote! {
                match value {
                    ::std::option::Option::None => ::std::result::Result::Ok(::rows::null(json)),
                    ::std::option::Option::Some(value) => {
                        let begin = json.len();
                        let written = #rendered;
                        ::rows::nullable(ctx, (json, begin), written)
                    }
                }
            }
        }
        Shape::Fallible(inner) => {
            let rendered = render(inner, ownership, speed);
            quote! {
                match value {
                    ::std::result::Result::Ok(value) => #rendered,
                    ::std::result::Result::Err(error) => ::std::result::Result::Err(::rows::failed(ctx, error)),
                }
            }
        }
    }
}

fn call(
    leaf: &Leaf<'_>,
    (at_once, in_time): (&TokenStream, &TokenStream),
    value: &TokenStream,
    speed: Speed,
) -> TokenStream {
    let ty = leaf.ty;
    let now = quote!((&&&&::rows::Leaf::<#ty>::NEW).#at_once(#value, ctx, below, json));
    match speed {
        Speed::AtOnce => now,
        Speed::InTime => quote! {
            if below.waits() {
                let rendered = (&&&&::rows::Leaf::<#ty>::NEW).#in_time(#value, ctx, below).await;
                rendered.map(|more| ::rows::append(json, more))
            } else {
                #now
            }
        },
    }
}
