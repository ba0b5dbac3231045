//! Lists of GraphQL objects that are rendered row after row instead of resolved field by field.
//!
//! # What it is for
//!
//! async-graphql resolves each field of each row by itself: a boxed future, a copy of the context, a name and an entry of a
//! map. Most fields of a row are plain functions of it and need none of that. [`Rows`] reads the selection below a list once
//! for the whole list, calls these functions row after row, and writes JSON at once. A field that has to wait is
//! polled where it stands, and only if it is not ready do the others go on without it. What a field returns is rendered too:
//! the page that each row of a list has is compiled once for all of them. [`One`] does the same for an object outside of lists.
//!
//! Where the request says that its response will be written by [`to_vec`] ([`Written`]), the JSON goes into it as it is.
//! Everywhere else it is read into values, as GraphQL servers expect them.
//!
//! # What it never does
//!
//! It changes no answer. JSON, null propagation, errors, their paths and their order are those of async-graphql, which
//! `tests/alike.rs` compares on generated queries.
//!
//! # How to use it
//!
//! Put [`macro@row`] above `#[Object]`, or derive [`macro@Row`] beside `SimpleObject`, and return [`Rows`] where there was
//! a `Vec`, and [`One`] where there was an object alone:
//!
//! ```ignore
//! #[rows::row]
//! #[Object]
//! impl Town {
//!     fn name(&self) -> &str { &self.name }
//! }
//!
//! fn towns(&self) -> Rows<Town> { self.towns.clone().into() }
//! ```
//!
//! A new field of `Town` is declared like any other field of an object.

mod join;
mod json;
mod leaf;
mod list;
mod merge;
mod one;
mod plan;
mod render;

pub use json::{Written, append, null, to_vec};
pub use leaf::{EnumLeaf, Leaf, ObjectLeaf, OtherLeaf, ScalarLeaf, TextLeaf};
pub use list::{OneByOne, Rows};
pub use one::{One, Render};
pub use plan::{Below, Plan, Rendered, Row, Way};
pub use render::{argument, failed, nullable, ready, within};
pub use rows_macros::{Row, row};

#[doc(hidden)]
pub use async_graphql;
