//! Types of fields, as far as their text tells.

use syn::{GenericArgument, PathArguments, PathSegment, Type};

/// What a field returns.
pub(crate) enum Shape<'a> {
    /// `T` or `&T`: an object, a scalar or an enum.
    Leaf(Leaf<'a>),
    /// `Option<…>`
    Nullable(Box<Shape<'a>>),
    /// `Result<…, E>`
    Fallible(Box<Shape<'a>>),
    /// `Vec<T>`, `Rows<T>`, `&[T]`
    List(Leaf<'a>),
}

/// The type of a value, without its reference.
pub(crate) struct Leaf<'a> {
    pub(crate) ty: &'a Type,
    pub(crate) is_reference: bool,
}

impl<'a> Shape<'a> {
    /// Reads a type. `None`: it is of a shape that is not rendered.
    pub(crate) fn of(ty: &'a Type) -> Option<Self> {
        let inner = |segment| Self::of(argument(segment)?).map(Box::new);
        match plain(ty) {
            Type::Reference(reference) => match plain(&reference.elem) {
                Type::Slice(slice) => Leaf::of(&slice.elem).map(Self::List),
                elem => Some(Self::Leaf(Leaf { ty: elem, is_reference: true })),
            },
            Type::Path(path) => {
                let segment = path.path.segments.last()?;
                match segment.ident.to_string().as_str() {
                    "Option" => inner(segment).map(Self::Nullable),
                    "Result" => inner(segment).map(Self::Fallible),
                    "Vec" | "Rows" => Leaf::of(argument(segment)?).map(Self::List),
                    _ => Some(Self::Leaf(Leaf { ty: plain(ty), is_reference: false })),
                }
            }
            _ => None,
        }
    }

    /// Returns the type within.
    pub(crate) fn leaf(&self) -> &Leaf<'a> {
        match self {
            Self::Leaf(leaf) | Self::List(leaf) => leaf,
            Self::Nullable(inner) | Self::Fallible(inner) => inner.leaf(),
        }
    }

    /// Whether a `Result` is part of it.
    pub(crate) fn can_fail(&self) -> bool {
        match self {
            Self::Leaf(_) | Self::List(_) => false,
            Self::Nullable(inner) => inner.can_fail(),
            Self::Fallible(_) => true,
        }
    }
}

impl<'a> Leaf<'a> {
    fn of(ty: &'a Type) -> Option<Self> {
        match Shape::of(ty)? {
            Shape::Leaf(leaf) => Some(leaf),
            _ => None,
        }
    }
}

/// Returns a type without the parentheses and groups around it, which come from `macro_rules`.
fn plain(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => plain(&group.elem),
        Type::Paren(paren) => plain(&paren.elem),
        ty => ty,
    }
}

/// Returns the first type argument.
fn argument(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}
