//! The operation of a document that a request means.

use std::collections::{BTreeSet, HashSet};

use async_graphql::parser::types::{Field, OperationDefinition, OperationType};
use async_graphql::{Pos, Value, Variables};

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
    /// The names of its root fields in alphabetical order, each once, whatever their aliases are.
    pub root_fields: Vec<String>,
    /// Every field that it selects, those of fragments included, and where.
    pub fields: Vec<(FieldId, Pos)>,
}

impl Analysis<'_> {
    /// Chooses the operation that a request means, as `GetOperation` of the specification does.
    ///
    /// # Errors
    /// There is none of this name, or several and no name; a variable without a value; or a mutation with two root fields
    /// of one response name. The specification merges such fields; async-graphql runs each and merges the answers, so
    /// that one record would be written twice.
    pub fn operation(
        &self,
        name: Option<&str>,
        variables: &Variables,
        catalogue: &Catalogue,
    ) -> Result<Operation, Refusal> {
        let (operation, definition) = self.choose(name)?;
        require_variables(operation, variables)?;
        let roots = self.roots(definition);
        if operation.ty == OperationType::Mutation {
            refuse_repeated(&roots)?;
        }
        let is_bulk = roots.iter().filter_map(|(_, id)| *id).any(|id| catalogue.get(id).is_bulk);
        let names: BTreeSet<&str> = roots.iter().map(|(field, _)| field.name.node.as_str()).collect();
        Ok(Operation {
            kind: operation.ty,
            class: match operation.ty {
                OperationType::Mutation if is_bulk => Class::Bulk,
                OperationType::Mutation => Class::Write,
                OperationType::Query | OperationType::Subscription => Class::Read,
            },
            root_fields: names.into_iter().map(str::to_owned).collect(),
            fields: self.selected(definition),
        })
    }

    fn choose(&self, name: Option<&str>) -> Result<(&OperationDefinition, &Definition<'_>), Refusal> {
        let found = match (name, self.operations.as_slice()) {
            (None, [only]) => only,
            (None, _) => return Err(Refusal::OperationNameRequired),
            (Some(name), operations) => operations
                .iter()
                .find(|(known, _, _)| known.is_some_and(|known| known == name))
                .ok_or_else(|| Refusal::OperationNotFound { name: name.to_owned() })?,
        };
        Ok((found.1, &found.2))
    }

    /// Returns the root fields, those of a fragment as often as it is spread. The limit of fields bounds them.
    fn roots<'b>(&'b self, definition: &'b Definition<'b>) -> Vec<(&'b Field, Option<FieldId>)> {
        let mut roots = Vec::new();
        let mut open = vec![definition];
        while let Some(definition) = open.pop() {
            roots.extend(&definition.roots);
            open.extend(definition.root_spreads.iter().filter_map(|name| self.fragments.get(name)));
        }
        roots
    }

    /// Returns the fields of the definition and of every fragment that it leads to.
    fn selected(&self, definition: &Definition<'_>) -> Vec<(FieldId, Pos)> {
        let mut selected = definition.selected.clone();
        let mut seen = HashSet::new();
        let mut open = vec![definition];
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

/// Refuses an operation with a required variable that has no value. async-graphql notices it only when a field reads the
/// variable: it would refuse the second field of a mutation after the first has been written.
fn require_variables(operation: &OperationDefinition, variables: &Variables) -> Result<(), Refusal> {
    let missing =
        operation.variable_definitions.iter().map(|definition| &definition.node).find(|definition| {
            let default = definition.default_value.as_ref().map(|value| &value.node);
            let value = variables.get(&definition.name.node).or(default);
            !definition.var_type.node.nullable && matches!(value, None | Some(Value::Null))
        });
    match missing {
        None => Ok(()),
        Some(definition) => Err(Refusal::MissingVariable {
            name: definition.name.node.to_string(),
            kind: definition.var_type.node.to_string(),
        }),
    }
}
