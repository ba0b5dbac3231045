//! The size of a query, or of a part of it, once its fragments are spread.

use crate::guard::{
    INTROSPECTION_DEPTH, INTROSPECTION_LISTS, INTROSPECTION_ROOTS, Limits, MAX_LEVELS, Refusal,
};

/// The size of a query, or of a part of it, once its fragments are spread. Sums saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measure {
    /// Fields.
    pub fields: usize,
    /// Fields with an alias.
    pub aliases: usize,
    /// Directives, wherever they stand.
    pub directives: usize,
    /// Fields below each other, those below `__schema` and `__type` left out.
    pub depth: usize,
    /// Memory of the arguments in bytes, roughly.
    pub argument_bytes: usize,
    /// Variables in arguments.
    pub(super) variables: usize,
    /// Objects that the answer may have at most: lengths of lists below each other multiplied.
    pub objects: usize,
    /// Points of fields that have a price of their own.
    pub price: usize,
    /// Selection sets below each other, those of fragments included.
    pub(super) levels: usize,
    /// Lists of the introspection schema below each other; meaningless outside of it.
    pub(super) lists: usize,
    pub(super) introspection: Introspection,
}

/// The use of `__schema` and `__type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Introspection {
    pub(super) roots: usize,
    pub(super) depth: usize,
    pub(super) lists: usize,
}

/// Points for each use of `__schema` or `__type`, whose answers are large.
const INTROSPECTION_PRICE: usize = 500;

/// Bytes of arguments that cost a point.
pub(super) const BYTES_OF_A_POINT: usize = 1_024;

impl Measure {
    /// Returns the cost of the query in points: one for the request, one for each object that the answer may have, one
    /// for each KiB of arguments, the prices of its fields, and 500 for each use of `__schema` or `__type`.
    pub fn cost(&self) -> u32 {
        let parts = [
            1,
            self.objects,
            self.price,
            self.introspection.roots.saturating_mul(INTROSPECTION_PRICE),
            self.argument_bytes / BYTES_OF_A_POINT,
        ];
        u32::try_from(parts.into_iter().fold(0, usize::saturating_add)).unwrap_or(u32::MAX)
    }

    /// Returns whether it asks the schema about itself.
    pub(crate) const fn introspects(&self) -> bool {
        self.introspection.roots > 0
    }

    /// Returns the size of two parts of one selection set.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            fields: self.fields.saturating_add(other.fields),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            depth: self.depth.max(other.depth),
            argument_bytes: self.argument_bytes.saturating_add(other.argument_bytes),
            variables: self.variables.saturating_add(other.variables),
            objects: self.objects.saturating_add(other.objects),
            price: self.price.saturating_add(other.price),
            levels: self.levels.max(other.levels),
            lists: self.lists.max(other.lists),
            introspection: Introspection {
                roots: self.introspection.roots.saturating_add(other.introspection.roots),
                depth: self.introspection.depth.max(other.introspection.depth),
                lists: self.introspection.lists.max(other.introspection.lists),
            },
        }
    }

    /// Returns the size of a selection set with this inside.
    pub(super) fn one_level_up(self) -> Self {
        Self { levels: self.levels + 1, ..self }
    }

    /// Refuses what exceeds the limits.
    pub(super) fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        let too_deep = |is: usize, what, limit| {
            if is > limit { Err(Refusal::TooDeep { what, limit }) } else { Ok(()) }
        };
        let too_many = |is: usize, what, limit| {
            if is > limit { Err(Refusal::TooComplex { what, limit }) } else { Ok(()) }
        };
        if self.introspection.roots > 0 && !limits.introspection {
            return Err(Refusal::Introspection);
        }
        too_deep(self.depth, "fields", limits.max_depth)?;
        too_deep(self.levels, "selections and fragments", MAX_LEVELS)?;
        too_deep(self.introspection.depth, "introspection", INTROSPECTION_DEPTH)?;
        too_deep(self.introspection.lists, "lists of introspection", INTROSPECTION_LISTS)?;
        too_many(self.introspection.roots, "uses of `__schema` and `__type`", INTROSPECTION_ROOTS)?;
        too_many(self.fields, "fields", limits.max_fields)?;
        too_many(self.argument_bytes, "bytes of arguments", limits.max_argument_bytes)?;
        too_many(self.objects, "objects in its answer, lengths of lists multiplied", limits.max_objects)?;
        if self.aliases > limits.max_aliases {
            return Err(Refusal::TooManyAliases { limit: limits.max_aliases });
        }
        if self.directives > limits.max_directives {
            return Err(Refusal::TooManyDirectives { limit: limits.max_directives });
        }
        Ok(())
    }
}
