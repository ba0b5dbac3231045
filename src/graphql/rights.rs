//! The rights and costs of all fields: each noun declares those of its types, and here they become one table.
//!
//! A field without a right, a list without a bound and a rule that names nothing are errors when the table is built. The
//! check of a request looks at the fields that it selects, and at nothing in the database, so its answer never depends on
//! data.
//!
//! A mutation or subscription that a role may not run is refused as a whole ([`refuse`]). In everything else, a field that
//! the role may not read is withheld (`withholding.rs`).

use std::collections::HashMap;
use std::sync::LazyLock;

use async_graphql::parser::types::OperationType;
use async_graphql::{Error, Pos, ServerError};
use graphql_front::catalogue::{Catalogue, CatalogueError, Field, FieldId, PageSizes, Rules};
use strum::VariantArray as _;

use super::declarations::Declarations;
use super::error::FieldError;
use super::{
    agreement, association, audit, bill, channel, clearance, client, connection, contribution, coverage,
    employer, enrollment, event, export, node, onboarding, participant, payment, problem, province,
    retraction, scalar, sdl, target, viewer,
};
use domain::access::Right;
use domain::actor::{Actor, Role};
use domain::page::{DEFAULT_SIZE, MAXIMUM_SIZE};

const DECLARED: &[Declarations] = &[
    agreement::DECLARATIONS,
    association::DECLARATIONS,
    audit::DECLARATIONS,
    bill::DECLARATIONS,
    channel::DECLARATIONS,
    clearance::DECLARATIONS,
    client::DECLARATIONS,
    connection::DECLARATIONS,
    contribution::DECLARATIONS,
    coverage::DECLARATIONS,
    employer::DECLARATIONS,
    enrollment::DECLARATIONS,
    event::DECLARATIONS,
    export::DECLARATIONS,
    node::DECLARATIONS,
    onboarding::DECLARATIONS,
    participant::DECLARATIONS,
    payment::DECLARATIONS,
    problem::DECLARATIONS,
    province::DECLARATIONS,
    scalar::DECLARATIONS,
    retraction::DECLARATIONS,
    target::DECLARATIONS,
    viewer::DECLARATIONS,
];

/// The fields of the API, with their costs.
pub static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let rules: Vec<Rules> = DECLARED.iter().map(|noun| noun.rules).collect();
    let pages = PageSizes { default: DEFAULT_SIZE, maximum: MAXIMUM_SIZE };
    Catalogue::new(&sdl(), pages, &rules).expect("every list of the schema has a bound")
});

/// The right of each field, in the order of the catalogue.
static RIGHTS: LazyLock<Vec<Right>> = LazyLock::new(|| {
    let declared = DECLARED.iter().flat_map(|noun| noun.rights);
    rights_of(&CATALOGUE, declared).expect("every field of the schema has a right")
});

fn rights_of<'a>(
    catalogue: &Catalogue,
    declared: impl Iterator<Item = &'a (Right, &'static [&'static str])>,
) -> Result<Vec<Right>, CatalogueError> {
    let mut problems = Vec::new();
    let mut by_name = HashMap::new();
    for &(right, names) in declared {
        for &name in names {
            if by_name.insert(name, right).is_some() {
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
            Some(&right) => rights.push(right),
            None => problems.push(format!("{field} has no right")),
        }
    }
    if problems.is_empty() { Ok(rights) } else { Err(CatalogueError(problems)) }
}

/// The right that each role lacks to read each field, in the order of the catalogue.
static LACKING: LazyLock<Vec<HashMap<Role, Right>>> = LazyLock::new(|| {
    let lacking = |field: FieldId| {
        let roles = Role::VARIANTS.iter();
        roles.filter_map(|&role| Some((role, right_that_lacks(field, role)?))).collect()
    };
    CATALOGUE.ids().map(lacking).collect()
});

fn right_that_lacks(field: FieldId, role: Role) -> Option<Right> {
    let closed = |field: FieldId| Some(right_of(field)).filter(|right| !right.is_selectable_by(role));
    // A role that may read nothing of an object may not ask for it either.
    let mut below = CATALOGUE.fields_below(field).into_iter().map(closed);
    closed(field).or_else(|| below.next()?.filter(|_| below.all(|right| right.is_some())))
}

/// Returns the right that a field needs.
pub fn right_of(field: FieldId) -> Right {
    RIGHTS[field.index()]
}

/// Returns the right that a role lacks to read a field, or `None` if it may read it.
///
/// A field needs its own right, and one to read at least one field of the object that it gives.
pub fn lacking(field: FieldId, role: Role) -> Option<Right> {
    LACKING[field.index()].get(&role).copied()
}

/// Returns the root fields that an actor may use.
pub fn usable_by(actor: &Actor) -> impl Iterator<Item = &'static Field> {
    let is_root = |field: &Field| ["Query", "Mutation", "Subscription"].contains(&field.of.as_str());
    let usable = |field: &FieldId| lacking(*field, actor.role).is_none() && actor.can_use(right_of(*field));
    CATALOGUE.ids().filter(usable).map(|field| CATALOGUE.get(field)).filter(move |field| is_root(field))
}

/// Returns whether a role may not read one of these fields.
pub fn withholds(fields: &[(FieldId, Pos)], role: Role) -> bool {
    fields.iter().any(|&(field, _)| lacking(field, role).is_some())
}

/// Returns the error of the first field for which an operation may not run at all: the role may not run a mutation or a
/// subscription, or it may not read a result of a mutation that cannot be null.
pub fn refuse(kind: OperationType, fields: &[(FieldId, Pos)], role: Role) -> Option<ServerError> {
    fields.iter().find_map(|&(field, at)| {
        let right = lacking(field, role)?;
        let known = CATALOGUE.get(field);
        let is_root = ["Mutation", "Subscription"].contains(&known.of.as_str());
        let refuses = is_root || (kind == OperationType::Mutation && !known.is_nullable);
        let field = (known.of != "Mutation").then_some(field);
        refuses.then(|| forbidden(role, right, field).into_server_error(at))
    })
}

/// Returns the error of a field that a role may not read; `None`: of a mutation as a whole.
pub fn forbidden(role: Role, right: Right, field: Option<FieldId>) -> Error {
    let field = field.map(|field| CATALOGUE.get(field).to_string());
    FieldError::Forbidden { role, right, field }.into()
}

#[cfg(test)]
mod tests {
    use async_graphql::Variables;
    use async_graphql::parser::parse_query;
    use graphql_front::analysis::Analysis;
    use graphql_front::guard::Limits;

    use super::*;

    fn fields_of(text: &str, name: Option<&str>) -> (OperationType, Vec<(FieldId, Pos)>) {
        let (document, variables) = (parse_query(text).unwrap(), Variables::default());
        let analysis = Analysis::of(&document, &variables, &CATALOGUE, &Limits::default()).unwrap();
        let operation = analysis.operation(name, &variables).unwrap();
        (operation.kind, operation.fields.clone())
    }

    fn refused(text: &str, name: Option<&str>, role: Role) -> bool {
        let (kind, fields) = fields_of(text, name);
        refuse(kind, &fields, role).is_some()
    }

    fn withheld(text: &str, role: Role) -> Vec<String> {
        let fields = fields_of(text, None).1.into_iter().filter(|&(field, _)| lacking(field, role).is_some());
        let mut names: Vec<String> = fields.map(|(field, _)| CATALOGUE.get(field).to_string()).collect();
        names.sort_unstable();
        names
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
        let problems = |declared: crate::graphql::declarations::Rights| {
            rights_of(&catalogue, declared.iter()).unwrap_err().0
        };
        assert_eq!(
            problems(&[(Right::ReadPeople, &["Query.a", "T.c", "T.e"])]),
            ["T.e has a right and is not in the schema", "Query.b has no right", "T.d has no right"]
        );
        assert_eq!(
            problems(&[(Right::ReadPeople, &["Query", "T"]), (Right::ReadPayers, &["T"])]),
            ["Query is a root type, whose fields have rights of their own", "T has two rights"]
        );
    }

    #[test]
    fn the_right_of_a_field_goes_before_that_of_its_type() {
        let right = |of, name| CATALOGUE.find(of, name).map(right_of);
        assert_eq!(right("Participant", "fullName"), Some(Right::ReadPeople));
        assert_eq!(right("Participant", "birthDate"), Some(Right::ReadPersonalData));
        assert_eq!(right("Mutation", "dropEverything"), None);
    }

    #[test]
    fn a_field_that_gives_an_object_needs_a_right_to_read_something_of_it() {
        let lacks = |role, of, name| lacking(CATALOGUE.find(of, name).unwrap(), role);
        assert_eq!(lacks(Role::Auditor, "Viewer", "employer"), Some(Right::ReadPayers));
        assert_eq!(lacks(Role::Analyst, "Employer", "participants"), Some(Right::ReadPeople));
        assert_eq!(lacks(Role::Partner, "Employer", "participants"), None);
        assert_eq!(lacks(Role::Auditor, "Query", "node"), None);
    }

    #[test]
    fn mutations_and_subscriptions_that_a_role_may_not_run_are_refused() {
        for text in [
            "mutation { registerClient(input: {}) { errors { code } } }",
            "mutation { ...m } fragment m on Mutation { ... { setTarget(input: {}) { errors { code } } } }",
            "subscription { onboardingBatch(id: 1) { state } }",
            "query a { viewer { name } } mutation b { setTarget(input: {}) { errors { code } } }",
        ] {
            let name = text.contains("mutation b").then_some("b");
            assert!(refused(text, name, Role::Analyst), "{text}");
            assert!(!refused(text, name, Role::Administrator), "{text}");
        }
        let two = "query a { viewer { name } } mutation b { setTarget(input: {}) { errors { code } } }";
        assert!(!refused(two, Some("a"), Role::Analyst));
    }

    #[test]
    fn fields_of_queries_are_withheld_wherever_they_stand() {
        for (text, expected) in [
            (
                "{ viewer { name } participants { totalCount } }",
                vec!["ParticipantConnection.totalCount", "Query.participants"],
            ),
            (
                "{ ... { ... on Query { clients { totalCount } } } }",
                vec!["ClientConnection.totalCount", "Query.clients"],
            ),
            ("{ node(id: 1) { ...c } } fragment c on Enrollment { id }", vec!["Enrollment.id"]),
            (
                "{ provinces { counts { total } participants { pageInfo { hasNextPage } } } }",
                vec!["ParticipantConnection.pageInfo", "Province.participants"],
            ),
            ("{ __schema { types { name } } }", vec![]),
        ] {
            assert!(!refused(text, None, Role::Analyst), "{text}");
            assert_eq!(withheld(text, Role::Analyst), expected, "{text}");
        }
        let masked = "{ participants { nodes { birthDate } } }";
        assert_eq!(withheld(masked, Role::Approver), [""; 0], "it is null, without an error");
    }

    #[test]
    fn a_type_that_a_role_may_read_in_part_has_null_for_the_rest() {
        for &role in Role::VARIANTS {
            for id in CATALOGUE.ids() {
                let field = CATALOGUE.get(id);
                let is_root = field.of == "Mutation" || field.of == "Subscription";
                let of_type = CATALOGUE.ids().filter(|&other| CATALOGUE.get(other).of == field.of);
                let is_open = of_type.into_iter().any(|other| right_of(other).is_selectable_by(role));
                assert!(
                    is_root || !is_open || lacking(id, role).is_none() || field.is_nullable,
                    "{role} may not read {field}, which cannot be null"
                );
            }
        }
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
