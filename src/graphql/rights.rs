//! The rights and costs of all fields: each noun declares those of its types, and here they become one table.
//!
//! A field without a right, a list without a bound and a rule that names nothing are errors when the table is built. The
//! check of a request looks at the fields that it selects, and at nothing in the database, so its answer never depends on
//! data. Resolvers and actions check again where they read or write people.

use std::collections::HashMap;
use std::sync::LazyLock;

use async_graphql::{Error, Pos, ServerError};
use graphql_front::catalogue::{Catalogue, CatalogueError, FieldId, PageSizes, Rules};

use super::error::FieldError;
use super::noun::Noun;
use super::{
    agreement, association, audit, channel, clearance, client, connection, contribution, coverage, employer,
    enrollment, event, export, node, onboarding, participant, problem, province, sdl, target, viewer,
};
use domain::access::Operation;
use domain::actor::Role;
use domain::page::{DEFAULT_SIZE, MAXIMUM_SIZE};

const NOUNS: &[Noun] = &[
    agreement::NOUN,
    association::NOUN,
    audit::NOUN,
    channel::NOUN,
    clearance::NOUN,
    client::NOUN,
    connection::NOUN,
    contribution::NOUN,
    coverage::NOUN,
    employer::NOUN,
    enrollment::NOUN,
    event::NOUN,
    export::NOUN,
    node::NOUN,
    onboarding::NOUN,
    participant::NOUN,
    problem::NOUN,
    province::NOUN,
    target::NOUN,
    viewer::NOUN,
];

/// The fields of the API, with their costs.
pub static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let rules: Vec<Rules> = NOUNS.iter().map(|noun| noun.rules).collect();
    let pages = PageSizes { default: DEFAULT_SIZE, maximum: MAXIMUM_SIZE };
    Catalogue::new(&sdl(), pages, &rules).expect("every list of the schema has a bound")
});

/// The right of each field, in the order of the catalogue.
static RIGHTS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let declared = NOUNS.iter().flat_map(|noun| noun.rights);
    rights_of(&CATALOGUE, declared).expect("every field of the schema has a right")
});

fn rights_of<'a>(
    catalogue: &Catalogue,
    declared: impl Iterator<Item = &'a (Operation, &'static [&'static str])>,
) -> Result<Vec<Operation>, CatalogueError> {
    let mut problems = Vec::new();
    let mut by_name = HashMap::new();
    for &(operation, names) in declared {
        for &name in names {
            if by_name.insert(name, operation).is_some() {
                problems.push(format!("{name} has two rights"));
            }
            if !catalogue.has(name) {
                problems.push(format!("{name} has a right and is not in the schema"));
            }
            if ["Query", "Mutation", "Subscription"].contains(&name) {
                problems.push(format!("{name} is a root type, whose fields have rights of their own"));
            }
        }
    }
    let mut rights = Vec::with_capacity(catalogue.fields().len());
    for field in catalogue.fields() {
        match by_name.get(field.to_string().as_str()).or_else(|| by_name.get(field.of.as_str())) {
            Some(&operation) => rights.push(operation),
            None => problems.push(format!("{field} has no right")),
        }
    }
    if problems.is_empty() { Ok(rights) } else { Err(CatalogueError(problems)) }
}

/// Returns the right that a field needs.
pub fn right_of(field: FieldId) -> Operation {
    RIGHTS[field.index()]
}

/// Returns the right that a field needs, by its name; `None` where the schema has no such field.
pub fn right_of_named(of: &str, field: &str) -> Option<Operation> {
    let mut fields = CATALOGUE.fields().iter();
    let index = fields.position(|known| known.of == of && known.name == field)?;
    Some(RIGHTS[index])
}

/// Refuses fields that a role may not select, at the position of the first one.
pub fn refuse(fields: &[(FieldId, Pos)], role: Role) -> Option<ServerError> {
    let mut refused = fields.iter().filter(|&&(field, _)| !right_of(field).is_selectable_by(role));
    let &(_, at) = refused.next()?;
    Some(Error::from(FieldError::Forbidden).into_server_error(at))
}

#[cfg(test)]
mod tests {
    use async_graphql::Variables;
    use async_graphql::parser::parse_query;
    use graphql_front::analysis::Analysis;
    use graphql_front::guard::Limits;

    use super::*;

    fn refused(text: &str, name: Option<&str>, role: Role) -> bool {
        let (document, variables) = (parse_query(text).unwrap(), Variables::default());
        let analysis = Analysis::of(&document, &variables, &CATALOGUE, &Limits::default()).unwrap();
        let operation = analysis.operation(name, &variables, &CATALOGUE).unwrap();
        refuse(&operation.fields, role).is_some()
    }

    #[test]
    fn every_field_has_one_right_and_every_rule_names_a_field() {
        assert_eq!(RIGHTS.len(), CATALOGUE.fields().len());
    }

    #[test]
    fn a_field_without_a_right_is_an_error() {
        let pages = PageSizes { default: 1, maximum: 1 };
        let catalogue =
            Catalogue::new("type Query { a: Int b: T } type T { c: Int d: Int }", pages, &[]).unwrap();
        let problems =
            |declared: crate::graphql::noun::Rights| rights_of(&catalogue, declared.iter()).unwrap_err().0;
        assert_eq!(
            problems(&[(Operation::ReadPeople, &["Query.a", "T.c", "T.e"])]),
            ["T.e has a right and is not in the schema", "Query.b has no right", "T.d has no right"]
        );
        assert_eq!(
            problems(&[(Operation::ReadPeople, &["Query", "T"]), (Operation::ReadPayers, &["T"])]),
            ["Query is a root type, whose fields have rights of their own", "T has two rights"]
        );
    }

    #[test]
    fn the_right_of_a_field_goes_before_that_of_its_type() {
        assert_eq!(right_of_named("Participant", "fullName"), Some(Operation::ReadPeople));
        assert_eq!(right_of_named("Participant", "birthDate"), Some(Operation::ReadPersonalData));
        assert_eq!(right_of_named("Mutation", "dropEverything"), None);
    }

    #[test]
    fn a_refused_field_is_found_wherever_it_stands() {
        for text in [
            "{ a: viewer { name } b: participants { totalCount } }",
            "{ ... { ... on Query { participants { totalCount } } } }",
            "{ ...a } fragment a on Query { ...b } fragment b on Query { node(id: 1) { ...c } }
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
    fn a_list_is_as_expensive_by_one_path_as_by_another() {
        let refused = |path: &str| {
            let people = "participants(first: 100) { nodes { fullName employer {
                participants(first: 100) { nodes { fullName } } } } }";
            let text = path.replace("PEOPLE", people);
            let (document, variables) = (parse_query(&text).unwrap(), Variables::default());
            let analysed = Analysis::of(&document, &variables, &CATALOGUE, &Limits::default());
            analysed.err().map(|refusal| refusal.code().as_str())
        };
        for path in ["{ provinces { PEOPLE } }", "{ coverage { byProvince { province { PEOPLE } } } }"] {
            assert_eq!(refused(path), Some("QUERY_TOO_COMPLEX"), "{path}");
        }
        assert_eq!(refused("{ province(code: \"31\") { PEOPLE } }"), None);
    }
}
