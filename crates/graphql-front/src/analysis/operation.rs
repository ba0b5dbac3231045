//! The operation of a document that a request means.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use async_graphql::parser::types::{BaseType, Field, OperationDefinition, OperationType};
use async_graphql::{Name, Pos, Value, Variables};

use super::{Analysis, Definition};
use crate::admission::Class;
use crate::catalogue::{Catalogue, FieldId};
use crate::guard::Refusal;

/// The operation that will run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Query, mutation or subscription.
    pub kind: OperationType,
    /// How it is queued.
    pub class: Class,
    /// Is one root field resolved at a time? It has one, or they run one after the other.
    pub is_serial: bool,
    /// The names of its root fields in alphabetical order, each once, whatever their aliases are.
    pub root_fields: Vec<String>,
    /// Every field that it selects, those of fragments included, and where.
    pub fields: Vec<(FieldId, Pos)>,
}

/// An operation of a document, which a request may mean.
#[derive(Debug)]
pub(super) struct Candidate {
    name: Option<Name>,
    required: Vec<Required>,
    /// The defaults of its variables of type `Boolean`.
    conditions: Vec<(Name, Value)>,
    /// Or why it never runs.
    operation: Result<Arc<Operation>, Refusal>,
}

/// A variable that needs a value.
#[derive(Debug)]
struct Required {
    name: Name,
    kind: String,
    has_default: bool,
}

/// A definition with the fragments that it may spread.
pub(super) struct Spread<'b, 'a> {
    pub(super) definition: &'b Definition<'a>,
    pub(super) fragments: &'b HashMap<&'a str, Definition<'a>>,
}

impl Candidate {
    pub(super) fn new(
        name: Option<&Name>,
        operation: &OperationDefinition,
        spread: &Spread<'_, '_>,
        catalogue: &Catalogue,
    ) -> Self {
        let definitions = operation.variable_definitions.iter().map(|definition| &definition.node);
        let conditions = definitions.clone().filter_map(|definition| {
            let default = definition.default_value.as_ref()?;
            let is_condition = definition.var_type.node.base == BaseType::Named(Name::new("Boolean"));
            is_condition.then(|| (definition.name.node.clone(), default.node.clone()))
        });
        let required =
            definitions.clone().filter(|definition| !definition.var_type.node.nullable).map(|definition| {
                let default = definition.default_value.as_ref();
                Required {
                    name: definition.name.node.clone(),
                    kind: definition.var_type.node.to_string(),
                    has_default: default.is_some_and(|default| default.node != Value::Null),
                }
            });
        Self {
            name: name.cloned(),
            required: required.collect(),
            conditions: conditions.collect(),
            operation: spread.operation(operation.ty, catalogue),
        }
    }

    /// Refuses an operation with a required variable that has no value. async-graphql notices it only when a field reads
    /// the variable: it would refuse the second field of a mutation after the first has been written.
    fn require(&self, variables: &Variables) -> Result<(), Refusal> {
        let missing = self.required.iter().find(|required| match variables.get(&required.name) {
            Some(value) => *value == Value::Null,
            None => !required.has_default,
        });
        match missing {
            None => Ok(()),
            Some(Required { name, kind, .. }) => {
                Err(Refusal::MissingVariable { name: name.to_string(), kind: kind.clone() })
            }
        }
    }
}

impl Analysis {
    /// Chooses the operation that a request means, as `GetOperation` of the specification does.
    ///
    /// # Errors
    /// There is none of this name, or several and no name; a variable without a value; or a mutation with two root fields
    /// of one response name. The specification merges such fields; async-graphql runs each and merges the answers, so
    /// that one record would be written twice.
    pub fn operation(&self, name: Option<&str>, variables: &Variables) -> Result<Arc<Operation>, Refusal> {
        let candidate = self.choose(name)?;
        candidate.require(variables)?;
        candidate.operation.clone()
    }

    /// Gives variables of type `Boolean` without a value their defaults: async-graphql 8.0.0-rc.5 ignores the defaults of those in
    /// `@skip` and `@include`, so that a mutation that is skipped by default would be done.
    pub fn give_conditions(&self, name: Option<&str>, variables: &mut Variables) {
        let conditions = self.choose(name).map(|candidate| candidate.conditions.as_slice());
        for (name, default) in conditions.unwrap_or_default() {
            variables.entry(name.clone()).or_insert_with(|| default.clone());
        }
    }

    fn choose(&self, name: Option<&str>) -> Result<&Candidate, Refusal> {
        match (name, self.operations.as_slice()) {
            (None, [only]) => Ok(only),
            (None, _) => Err(Refusal::OperationNameRequired),
            (Some(name), operations) => operations
                .iter()
                .find(|candidate| candidate.name.as_ref().is_some_and(|known| known == name))
                .ok_or_else(|| Refusal::OperationNotFound { name: name.to_owned() }),
        }
    }
}

impl<'a> Spread<'_, 'a> {
    fn operation(&self, kind: OperationType, catalogue: &Catalogue) -> Result<Arc<Operation>, Refusal> {
        let roots = self.roots();
        if kind == OperationType::Mutation {
            refuse_repeated(&roots)?;
        }
        let is_bulk = roots.iter().filter_map(|(_, id)| *id).any(|id| catalogue.get(id).is_bulk);
        let names: BTreeSet<&str> = roots.iter().map(|(field, _)| field.name.node.as_str()).collect();
        Ok(Arc::new(Operation {
            kind,
            is_serial: kind == OperationType::Mutation || roots.len() == 1,
            class: match kind {
                OperationType::Mutation if is_bulk => Class::Bulk,
                OperationType::Mutation => Class::Write,
                OperationType::Query | OperationType::Subscription => Class::Read,
            },
            root_fields: names.into_iter().map(str::to_owned).collect(),
            fields: self.selected(),
        }))
    }

    /// Returns the root fields, those of a fragment as often as it is spread. The limit of fields bounds them.
    fn roots(&self) -> Vec<(&'a Field, Option<FieldId>)> {
        let mut roots = Vec::new();
        let mut open = vec![self.definition];
        while let Some(definition) = open.pop() {
            roots.extend(&definition.roots);
            open.extend(definition.root_spreads.iter().filter_map(|name| self.fragments.get(name)));
        }
        roots
    }

    /// Returns the fields of the definition and of every fragment that it leads to.
    fn selected(&self) -> Vec<(FieldId, Pos)> {
        let mut selected = self.definition.selected.clone();
        let mut seen = HashSet::new();
        let mut open = vec![self.definition];
        while let Some(definition) = open.pop() {
            for &name in &definition.spreads {
                if let Some(fragment) = self.fragments.get(name).filter(|_| seen.insert(name)) {
                    selected.extend(&fragment.selected);
                    open.push(fragment);
                }
            }
        }
        selected
    }
}

fn refuse_repeated(roots: &[(&Field, Option<FieldId>)]) -> Result<(), Refusal> {
    let mut names = HashSet::new();
    for (field, _) in roots {
        let name = &field.response_key().node;
        if !names.insert(name) && field.name.node != "__typename" {
            return Err(Refusal::RepeatedMutation { name: name.to_string() });
        }
    }
    Ok(())
}
