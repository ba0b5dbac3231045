//! The table of rights before anything runs: each field that a request selects, fragments included, is looked up in
//! [`domain::access`]. What the role has not, refuses the request as a whole, before the first statement.
//!
//! It reads the document alone, so that the answer never depends on what is in the database. Resolvers and actions ask
//! again where they read or write people.

use std::any::TypeId;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, DocumentOperations, ExecutableDocument, FieldDefinition, OperationDefinition, OperationType,
    Selection, SelectionSet, Type, TypeKind, TypeSystemDefinition,
};
use async_graphql::{Data, Executor, Name, Pos, Positioned, Request, Response, ServerError};
use futures_util::stream::{self, BoxStream, StreamExt as _};

use super::Bare;
use super::context::RequestContext;
use super::error::FieldError;
use domain::access::{Operation, operation_of};
use domain::actor::Role;

/// The API behind its table of rights.
#[derive(Clone)]
pub struct Registry(Bare);

impl Registry {
    pub(super) fn new(schema: Bare) -> Self {
        Self(schema)
    }

    fn admit(request: &mut Request) -> Result<(), ServerError> {
        let context = request.data.get(&TypeId::of::<RequestContext>());
        let context = context.and_then(|context| context.downcast_ref::<RequestContext>());
        let role = context.map(|context| context.caller.actor.role);
        let name = request.operation_name.clone();
        let document = request.parsed_query()?;
        match first_refused(document, name.as_deref(), role) {
            Some(at) => Err(async_graphql::Error::from(FieldError::Forbidden).into_server_error(at)),
            None => Ok(()),
        }
    }
}

#[async_trait::async_trait]
impl Executor for Registry {
    async fn execute(&self, mut request: Request) -> Response {
        match Self::admit(&mut request) {
            Ok(()) => self.0.execute(request).await,
            Err(error) => Response::from_errors(vec![error]),
        }
    }

    fn execute_stream(
        &self,
        mut request: Request,
        session: Option<Arc<Data>>,
    ) -> BoxStream<'static, Response> {
        match Self::admit(&mut request) {
            Ok(()) => Executor::execute_stream(&self.0, request, session),
            Err(error) => stream::once(async { Response::from_errors(vec![error]) }).boxed(),
        }
    }
}

/// A field: what it belongs to, and the type of what it gives.
struct Field {
    operation: Option<Operation>,
    gives: String,
}

/// The fields of each type with fields, by name.
static FIELDS: LazyLock<HashMap<String, HashMap<String, Field>>> = LazyLock::new(|| {
    let schema = parse_schema(super::sdl()).expect("the program's own schema can be read");
    let mut types = HashMap::new();
    for definition in schema.definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let name = definition.node.name.node.to_string();
        let fields = match definition.node.kind {
            TypeKind::Object(object) => object.fields,
            TypeKind::Interface(interface) => interface.fields,
            _ => continue,
        };
        let field = |field: Positioned<FieldDefinition>| {
            let FieldDefinition { name: field, ty, .. } = field.node;
            let operation = operation_of(&name, &field.node);
            (field.node.to_string(), Field { operation, gives: base(&ty.node).to_string() })
        };
        let fields = fields.into_iter().map(field).collect();
        types.insert(name, fields);
    }
    types
});

fn base(kind: &Type) -> &Name {
    match &kind.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => base(inner),
    }
}

/// Where the first field stands that a role may not select; nobody may select anything.
///
/// What the schema does not have is left to its validator.
fn first_refused(document: &ExecutableDocument, name: Option<&str>, role: Option<Role>) -> Option<Pos> {
    let operation = chosen(document, name)?;
    let root = match operation.ty {
        OperationType::Query => "Query",
        OperationType::Mutation => "Mutation",
        OperationType::Subscription => "Subscription",
    };
    let mut walk = Walk { role, refused: None, spread: Vec::new() };
    walk.set(&operation.selection_set.node, root);
    // Each fragment once, however often it is spread: what it may select does not depend on where it stands.
    let mut seen = HashSet::new();
    while let Some(name) = walk.spread.pop().filter(|_| walk.refused.is_none()) {
        if let Some(fragment) = document.fragments.get(name).filter(|_| seen.insert(name)) {
            walk.set(&fragment.node.selection_set.node, &fragment.node.type_condition.node.on.node);
        }
    }
    walk.refused
}

fn chosen<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Option<&'a OperationDefinition> {
    match (&document.operations, name) {
        // A name that no operation has: nothing of the document will run.
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Single(operation), None) => Some(&operation.node),
        (DocumentOperations::Multiple(operations), Some(name)) => {
            operations.get(name).map(|found| &found.node)
        }
        (DocumentOperations::Multiple(operations), None) => {
            operations.values().next().map(|found| &found.node)
        }
    }
}

struct Walk<'a> {
    role: Option<Role>,
    refused: Option<Pos>,
    spread: Vec<&'a Name>,
}

impl<'a> Walk<'a> {
    /// Looks at a selection on a type. Its depth is the guard's to bound.
    fn set(&mut self, set: &'a SelectionSet, of: &str) {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let name = &field.node.name;
                    let Some(known) = FIELDS.get(of).and_then(|fields| fields.get(name.node.as_str())) else {
                        continue;
                    };
                    let may =
                        |role| known.operation.is_some_and(|operation| operation.is_selectable_by(role));
                    if !self.role.is_some_and(may) {
                        self.refused.get_or_insert(name.pos);
                        return;
                    }
                    self.set(&field.node.selection_set.node, &known.gives);
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let of = condition.map_or(of, |condition| &condition.node.on.node);
                    self.set(&fragment.node.selection_set.node, of);
                }
                Selection::FragmentSpread(spread) => self.spread.push(&spread.node.fragment_name.node),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;
    use domain::access::names;

    #[test]
    fn every_field_is_somebodys_and_every_name_in_the_table_exists() {
        let nobodys: Vec<String> = FIELDS
            .iter()
            .flat_map(|(of, fields)| fields.iter().map(move |(name, field)| (of, name, field)))
            .filter(|(_, _, field)| field.operation.is_none())
            .map(|(of, name, _)| format!("{of}.{name}"))
            .collect();
        assert!(nobodys.is_empty(), "in nobody's row of domain/access.rs: {nobodys:?}");
        let gone: Vec<&str> = names()
            .filter(|name| match name.split_once('.') {
                Some((of, field)) => !FIELDS.get(of).is_some_and(|fields| fields.contains_key(field)),
                None => !FIELDS.contains_key(*name),
            })
            .collect();
        assert!(gone.is_empty(), "in domain/access.rs and not in the schema: {gone:?}");
    }

    #[test]
    fn roots_are_decided_field_by_field() {
        let roots: Vec<&str> =
            names().filter(|name| ["Query", "Mutation", "Subscription"].contains(name)).collect();
        assert!(roots.is_empty(), "{roots:?}");
    }

    #[test]
    fn a_refused_field_is_found_wherever_it_stands() {
        let refused = |text: &str, name: Option<&str>, role| {
            first_refused(&parse_query(text).unwrap(), name, Some(role)).is_some()
        };
        for text in [
            "{ a: viewer { name } b: participants { totalCount } }",
            "{ ... { ... on Query { participants { totalCount } } } }",
            "{ ...a } fragment a on Query { ...b } fragment b on Query { node(id: 1) { ...c ...a } }
             fragment c on Participant { id }",
            "{ node(id: 1) { ... on Enrollment { id } } }",
            "{ province(code: 1) { participants { totalCount } } }",
            "mutation { registerClient(input: {}) { errors { code } } }",
            "query a { viewer { name } } query b { participants { totalCount } }",
        ] {
            let name = text.contains("query b").then_some("b");
            assert!(refused(text, name, Role::Analyst), "{text}");
        }
        let two = "query a { viewer { name } } query b { participants { totalCount } }";
        assert!(!refused(two, Some("a"), Role::Analyst));
        assert!(!refused(
            "{ __schema { types { name } } provinces { counts { total } } }",
            None,
            Role::Analyst
        ));
        assert!(
            !refused("{ participants { nodes { birthDate } } }", None, Role::Approver),
            "null, not refused"
        );
    }

    #[test]
    fn without_a_role_everything_is_refused() {
        let document = parse_query("{ viewer { name } }").unwrap();
        assert!(first_refused(&document, None, None).is_some());
    }
}
