//! The fields of an object, as its methods or members declare them.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::{
    Attribute, Data, DeriveInput, FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, Member, Pat, ReturnType, Type,
};

use crate::shape::Shape;

/// A field that can be rendered.
pub(crate) struct Field<'a> {
    /// Its name in the schema.
    pub(crate) name: String,
    pub(crate) source: Source<'a>,
    pub(crate) arguments: Vec<Argument<'a>>,
    pub(crate) shape: Shape<'a>,
}

/// An argument of a field, as a parameter of its method declares it.
pub(crate) struct Argument<'a> {
    /// Its name in the schema.
    pub(crate) name: String,
    pub(crate) ty: &'a Type,
}

/// Where its value comes from.
pub(crate) enum Source<'a> {
    /// A method. `#[Object]` gives it the parameter `ctx`, if it has none.
    Function(&'a Ident),
    /// An `async` method without an `await` in it, as interfaces demand them.
    Ready(&'a Ident),
    /// An `async` method.
    Async(&'a Ident),
    /// A member of a struct.
    Member(Member),
}

/// Returns the methods that can be rendered.
pub(crate) fn of_methods(block: &ItemImpl) -> Vec<Field<'_>> {
    let methods = block.items.iter().filter_map(|item| match item {
        ImplItem::Fn(method) => of_method(method),
        _ => None,
    });
    methods.collect()
}

fn of_method(method: &ImplItemFn) -> Option<Field<'_>> {
    let signature = &method.sig;
    let ReturnType::Type(_, ty) = &signature.output else { return None };
    let mut parameters = signature.inputs.iter();
    let has_self = matches!(parameters.next(), Some(FnArg::Receiver(_)));
    if !has_self || is_special(&method.attrs) {
        return None;
    }
    let arguments = parameters.filter(|parameter| !is_context(parameter)).map(Argument::of);
    let arguments = arguments.collect::<Option<_>>()?;
    let name = &signature.ident;
    let source = match signature.asyncness {
        None => Source::Function(name),
        Some(_) if waits(method.block.to_token_stream()) => Source::Async(name),
        Some(_) => Source::Ready(name),
    };
    Some(Field { name: camel_case(name), source, arguments, shape: Shape::of(ty)? })
}

impl<'a> Argument<'a> {
    /// Reads a parameter. `None`: it has an attribute that does more than to describe it.
    fn of(parameter: &'a FnArg) -> Option<Self> {
        let FnArg::Typed(parameter) = parameter else { return None };
        let Pat::Ident(pattern) = &*parameter.pat else { return None };
        let is_plain = parameter.attrs.iter().all(is_description);
        is_plain.then(|| Self { name: camel_case(&pattern.ident), ty: &parameter.ty })
    }
}

/// Returns the members of a struct that can be rendered.
pub(crate) fn of_struct(item: &DeriveInput) -> Vec<Field<'_>> {
    let Data::Struct(data) = &item.data else { return Vec::new() };
    let fields = data.fields.iter().filter_map(|field| {
        let name = field.ident.as_ref()?;
        let shape = Shape::of(&field.ty)?;
        let is_rendered = !is_special(&field.attrs) && !shape.can_fail();
        is_rendered.then(|| Field {
            name: camel_case(name),
            source: Source::Member(name.clone().into()),
            arguments: Vec::new(),
            shape,
        })
    });
    fields.collect()
}

/// Whether a parameter is the context.
fn is_context(parameter: &FnArg) -> bool {
    let FnArg::Typed(parameter) = parameter else { return false };
    let Type::Reference(reference) = &*parameter.ty else { return false };
    let Type::Path(path) = &*reference.elem else { return false };
    path.path.segments.last().is_some_and(|segment| segment.ident == "Context")
}

/// Whether it has an attribute for async-graphql, which may change anything.
fn is_special(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("graphql"))
}

/// Whether an attribute is `#[graphql(desc = "…")]` and nothing else.
fn is_description(attribute: &Attribute) -> bool {
    let only_describes = attribute.parse_nested_meta(|meta| {
        let described = meta.value()?.parse::<syn::Expr>();
        if meta.path.is_ident("desc") { described.map(drop) } else { Err(meta.error("it does more")) }
    });
    attribute.path().is_ident("graphql") && only_describes.is_ok()
}

fn waits(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "await",
        TokenTree::Group(group) => waits(group.stream()),
        // A macro may hide anything behind its `!`.
        TokenTree::Punct(punct) => punct.as_char() == '!',
        TokenTree::Literal(_) => false,
    })
}

/// Returns the name that async-graphql gives a field.
fn camel_case(name: &Ident) -> String {
    let name = name.to_string();
    let mut words = name.trim_start_matches("r#").split('_').filter(|word| !word.is_empty());
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let (first, rest) = word.split_at(1);
        camel.push_str(&first.to_ascii_uppercase());
        camel.push_str(rest);
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_in_the_schema() {
        let camel = |name: &str| camel_case(&syn::parse_str::<Ident>(name).unwrap());
        assert_eq!(camel("name"), "name");
        assert_eq!(camel("may_read_personal_data"), "mayReadPersonalData");
        assert_eq!(camel("r#type"), "type");
    }

    #[test]
    fn a_method_that_has_no_await_is_ready() {
        let block: ItemImpl = syn::parse_quote! {
            impl A {
                async fn id(&self) -> ID { ID(self.0.to_string()) }
                async fn b(&self, ctx: &Context<'_>) -> Option<Result<B, E>> { B::load(ctx, self.b?).await }
                async fn c(&self) -> C { load!(self) }
                fn d(&self, #[graphql(desc = "Number.")] first_few: i32) -> D { D(first_few) }
                fn d2(&self, #[graphql(desc = "Number.", default = 2)] first: i32) -> D { D(first) }
                fn e(&self, ctx: &async_graphql::Context<'_>) -> &[E] { &self.e }
                #[graphql(name = "g")]
                fn f(&self) -> F { F }
            }
        };
        let fields = of_methods(&block);
        let kinds = fields.iter().map(|field| {
            let kind = match field.source {
                Source::Function(_) => "function",
                Source::Ready(_) => "ready",
                Source::Async(_) => "async",
                Source::Member(_) => "member",
            };
            (field.name.as_str(), kind)
        });
        let expected =
            [("id", "ready"), ("b", "async"), ("c", "async"), ("d", "function"), ("e", "function")];
        assert_eq!(kinds.collect::<Vec<_>>(), expected);
        let arguments = fields.iter().flat_map(|field| &field.arguments).map(|argument| &*argument.name);
        assert_eq!(arguments.collect::<Vec<_>>(), ["firstFew"]);
    }
}
