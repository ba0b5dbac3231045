//! What is known of each field of a schema before a query runs: its type, how long its list can be, what it costs.
//!
//! The catalogue is read from the schema's own text and from the [`Rules`] that the application declares beside its
//! types. It cannot be built as long as a list of objects has no bound, so that no query can multiply an answer by a list
//! that nobody thought of.

mod inputs;

use std::collections::{HashMap, HashSet};
use std::fmt;

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, OperationType, Type, TypeDefinition, TypeKind, TypeSystemDefinition,
};

pub(crate) use inputs::{Input, InputLocation, Inputs};

/// What an application declares about its fields, for the front to charge and queue them right.
///
/// Fields are named `Type.field`.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The maximum length of plain lists, by the type of their items; or by their field, which goes first.
    ///
    /// Connections need none: the arguments `first` and `last` bound them.
    pub lists: &'static [(&'static str, usize)],
    /// Points that a field costs beyond the objects of its answer.
    pub prices: &'static [(&'static str, usize)],
    /// Mutations that write many records at once and run in a class of their own.
    pub bulk: &'static [&'static str],
    /// Scalars of the application that do not override
    /// [`is_valid`](async_graphql::ScalarType::is_valid): the validator accepts every value, and resolvers judge it. So a
    /// known document with such variables needs no validator.
    pub open_scalars: &'static [&'static str],
}

impl Rules {
    /// No rules.
    pub const NONE: Self = Self { lists: &[], prices: &[], bulk: &[], open_scalars: &[] };
}

/// The sizes of the pages of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSizes {
    /// Without `first` and `last`.
    pub default: usize,
    /// The maximum.
    pub maximum: usize,
}

/// The index of a field in its catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldId(usize);

impl FieldId {
    /// Returns the position of the field in [`Catalogue::fields`].
    pub const fn index(self) -> usize {
        self.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TypeId(usize);

/// One field of the schema.
#[derive(Debug)]
pub struct Field {
    /// The type that has it.
    pub of: String,
    /// Its name.
    pub name: String,
    /// Whether it may be null: then an error of it leaves its object as it is.
    pub is_nullable: bool,
    pub(crate) gives: Option<TypeId>,
    pub(crate) length: Length,
    pub(crate) price: usize,
    pub(crate) is_bulk: bool,
    /// Its arguments, by name.
    arguments: Vec<(String, InputLocation)>,
}

impl Field {
    /// Returns an argument.
    pub(crate) fn argument(&self, name: &str) -> Option<&InputLocation> {
        self.arguments.iter().find(|(known, _)| known == name).map(|(_, location)| location)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.of, self.name)
    }
}

/// How many objects a field can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// As many as the page of a connection has, by its arguments.
    Page(PageSizes),
    /// This many at most: one, or the bound of a plain list.
    AtMost(usize),
}

/// The fields of a schema.
#[derive(Debug)]
pub struct Catalogue {
    fields: Vec<Field>,
    /// Type names to their index in `members`.
    types: HashMap<String, TypeId>,
    members: Vec<HashMap<String, FieldId>>,
    /// Names of the interfaces.
    interfaces: HashSet<String>,
    /// Names of the root types of queries, mutations and subscriptions.
    roots: [String; 3],
    inputs: Inputs,
}

/// A schema whose lists are not all bounded, or rules that do not fit it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct CatalogueError(pub Vec<String>);

impl Catalogue {
    /// Reads the fields of a schema from its text in the schema definition language.
    ///
    /// # Errors
    /// The text is no schema, a list of objects has no bound, or a rule names what the schema does not have.
    pub fn new(sdl: &str, pages: PageSizes, rules: &[Rules]) -> Result<Self, CatalogueError> {
        let schema = parse_schema(sdl).map_err(|error| CatalogueError(vec![error.to_string()]))?;
        let mut roots = ["Query", "Mutation", "Subscription"].map(str::to_owned);
        let (mut definitions, mut interfaces, mut inputs) = (Vec::new(), HashSet::new(), Inputs::default());
        for definition in schema.definitions {
            match definition {
                TypeSystemDefinition::Schema(schema) => {
                    let named = [schema.node.query, schema.node.mutation, schema.node.subscription];
                    for (root, name) in roots.iter_mut().zip(named) {
                        *root = name.map_or_else(String::new, |name| name.node.to_string());
                    }
                }
                TypeSystemDefinition::Type(definition) => {
                    inputs.add(&definition.node);
                    if matches!(definition.node.kind, TypeKind::Interface(_)) {
                        interfaces.insert(definition.node.name.node.to_string());
                    }
                    let fields = fields_of(&definition.node);
                    definitions.extend(fields.map(|fields| (definition.node.name.node.to_string(), fields)));
                }
                TypeSystemDefinition::Directive(_) => {}
            }
        }
        let open = rules.iter().flat_map(|rules| rules.open_scalars);
        let unknown: Vec<_> = open.filter(|name| !inputs.open(name)).collect();
        let types = definitions.iter().enumerate().map(|(index, (name, _))| (name.clone(), TypeId(index)));
        let types = types.collect();
        let mut catalogue =
            Self { fields: Vec::new(), types, members: Vec::new(), interfaces, roots, inputs };
        let problems = unknown.iter().map(|name| format!("{name} is declared as a scalar and is none"));
        let mut reading = Reading { pages, rules: Declared::of(rules), problems: problems.collect() };
        for (of, fields) in definitions {
            let mut members = HashMap::with_capacity(fields.len());
            for definition in fields {
                let field = reading.field(&catalogue.types, &of, &definition);
                members.insert(field.name.clone(), FieldId(catalogue.fields.len()));
                catalogue.fields.push(field);
            }
            catalogue.members.push(members);
        }
        reading.finish(&catalogue).map(|()| catalogue)
    }

    /// Returns all fields; those of one type are next to each other.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Returns the indices of all fields, in the order of [`fields`](Self::fields).
    pub fn ids(&self) -> impl Iterator<Item = FieldId> {
        (0..self.fields.len()).map(FieldId)
    }

    /// Returns whether the schema has such a type or field, by `Type` or `Type.field`.
    pub fn has(&self, name: &str) -> bool {
        match name.split_once('.') {
            Some((of, field)) => self.type_named(of).is_some_and(|of| self.field(of, field).is_some()),
            None => self.types.contains_key(name),
        }
    }

    /// Finds a field by its type and its name.
    pub fn find(&self, of: &str, name: &str) -> Option<FieldId> {
        self.field(self.type_named(of)?, name)
    }

    /// Returns the fields of the type that a field gives, in the order of the schema: none if that is a scalar or an
    /// enumeration.
    pub fn fields_below(&self, field: FieldId) -> Vec<FieldId> {
        let members = self.get(field).gives.map(|of| &self.members[of.0]);
        let mut fields: Vec<FieldId> =
            members.into_iter().flat_map(|members| members.values().copied()).collect();
        fields.sort_unstable();
        fields
    }

    /// Returns the name of the root type of subscriptions.
    pub(crate) fn subscription_root(&self) -> &str {
        let [_, _, subscription] = &self.roots;
        subscription
    }

    pub(crate) fn root(&self, kind: OperationType) -> Option<TypeId> {
        let [query, mutation, subscription] = &self.roots;
        self.type_named(match kind {
            OperationType::Query => query,
            OperationType::Mutation => mutation,
            OperationType::Subscription => subscription,
        })
    }

    pub(crate) fn type_named(&self, name: &str) -> Option<TypeId> {
        self.types.get(name).copied()
    }

    pub(crate) fn field(&self, of: TypeId, name: &str) -> Option<FieldId> {
        self.members[of.0].get(name).copied()
    }

    /// Returns a field of this catalogue.
    pub fn get(&self, id: FieldId) -> &Field {
        &self.fields[id.0]
    }

    pub(crate) fn is_interface(&self, name: &str) -> bool {
        self.interfaces.contains(name)
    }

    pub(crate) const fn inputs(&self) -> &Inputs {
        &self.inputs
    }
}

fn fields_of(definition: &TypeDefinition) -> Option<Vec<FieldDefinition>> {
    let fields = match &definition.kind {
        TypeKind::Object(object) => &object.fields,
        TypeKind::Interface(interface) => &interface.fields,
        _ => return None,
    };
    Some(fields.iter().map(|field| field.node.clone()).collect())
}

/// The rules by what they name, and those that were not used yet.
struct Declared {
    lists: HashMap<&'static str, (usize, bool)>,
    prices: HashMap<&'static str, usize>,
    bulk: Vec<&'static str>,
}

impl Declared {
    fn of(rules: &[Rules]) -> Self {
        let lists = rules.iter().flat_map(|rules| rules.lists);
        Self {
            lists: lists.map(|&(name, bound)| (name, (bound, false))).collect(),
            prices: rules.iter().flat_map(|rules| rules.prices).copied().collect(),
            bulk: rules.iter().flat_map(|rules| rules.bulk).copied().collect(),
        }
    }
}

struct Reading {
    pages: PageSizes,
    rules: Declared,
    problems: Vec<String>,
}

impl Reading {
    fn field(&mut self, types: &HashMap<String, TypeId>, of: &str, definition: &FieldDefinition) -> Field {
        let name = definition.name.node.to_string();
        let full = format!("{of}.{name}");
        let (item, is_list) = item(&definition.ty.node);
        let gives = types.get(item).copied();
        let has = |argument: &str| definition.arguments.iter().any(|known| known.node.name.node == argument);
        let length = if item.ends_with("Connection") && !is_list {
            if !has("first") || !has("last") {
                self.problems
                    .push(format!("{full} gives a connection and has no arguments `first` and `last`"));
            }
            Length::Page(self.pages)
        } else if !is_list || gives.is_none() || of.ends_with("Connection") {
            // Items without fields are part of their object; edges and nodes are counted with their connection.
            Length::AtMost(1)
        } else {
            self.bound(&full, item)
        };
        let price = self.rules.prices.get(full.as_str()).copied().unwrap_or(0);
        let is_bulk = self.rules.bulk.contains(&full.as_str());
        let is_nullable = definition.ty.node.nullable;
        let arguments = definition.arguments.iter().map(|argument| &argument.node);
        let arguments =
            arguments.map(|argument| (argument.name.node.to_string(), InputLocation::of(argument)));
        Field {
            of: of.to_owned(),
            name,
            is_nullable,
            gives,
            length,
            price,
            is_bulk,
            arguments: arguments.collect(),
        }
    }

    fn bound(&mut self, full: &str, item: &str) -> Length {
        for name in [full, item] {
            if let Some((bound, is_used)) = self.rules.lists.get_mut(name) {
                *is_used = true;
                return Length::AtMost(*bound);
            }
        }
        self.problems.push(format!("{full} is a list of {item} without a bound"));
        Length::AtMost(usize::MAX)
    }

    fn finish(mut self, catalogue: &Catalogue) -> Result<(), CatalogueError> {
        let named = self.rules.prices.keys().chain(&self.rules.bulk);
        let unknown = named.filter(|name| !name.contains('.') || !catalogue.has(name));
        self.problems.extend(unknown.map(|name| format!("{name} has a rule and is no field of the schema")));
        let unused = self.rules.lists.iter().filter(|(_, (_, is_used))| !is_used);
        self.problems.extend(unused.map(|(name, _)| format!("{name} has the bound of a list and is none")));
        self.problems.sort_unstable();
        if self.problems.is_empty() { Ok(()) } else { Err(CatalogueError(self.problems)) }
    }
}

/// Returns the type of a field, or of the items of its list.
fn item(kind: &Type) -> (&str, bool) {
    match &kind.base {
        BaseType::Named(name) => (name, false),
        BaseType::List(inner) => (item(inner).0, true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGES: PageSizes = PageSizes { default: 20, maximum: 100 };
    const SDL: &str = "
        type Query { towns: [Town!]! people(first: Int, last: Int): PersonConnection! }
        type Town { name: String! mayors: [Person!]! tags: [String!]! }
        type PersonConnection { nodes: [Person!]! edges: [PersonEdge!]! }
        type PersonEdge { node: Person! }
        type Person { name: String! }
        type Mutation { merge: Town! }";

    fn problems(sdl: &str, rules: Rules) -> Vec<String> {
        Catalogue::new(sdl, PAGES, &[rules]).err().map(|error| error.0).unwrap_or_default()
    }

    #[test]
    fn a_list_of_objects_without_a_bound_is_an_error() {
        let rules = Rules { lists: &[("Person", 3)], ..Rules::NONE };
        assert_eq!(problems(SDL, rules), ["Query.towns is a list of Town without a bound"]);
        assert_eq!(problems(SDL, Rules { lists: &[("Person", 3), ("Town", 5)], ..Rules::NONE }), [""; 0]);
    }

    #[test]
    fn the_bound_of_a_field_goes_before_that_of_its_items() {
        let rules = Rules { lists: &[("Town", 5), ("Person", 3), ("Query.towns", 7)], ..Rules::NONE };
        assert_eq!(problems(SDL, rules), ["Town has the bound of a list and is none"]);
    }

    #[test]
    fn rules_of_what_does_not_exist_are_errors() {
        let lists: &[_] = &[("Town", 5), ("Person", 3)];
        let prices: &[_] = &[("Query.gone", 1)];
        let bulk: &[_] = &["Mutation.merge", "Mutation"];
        let rules = Rules { lists, prices, bulk, open_scalars: &["Day", "Town"] };
        assert_eq!(
            problems(&format!("{SDL} scalar Day"), rules),
            [
                "Mutation has a rule and is no field of the schema",
                "Query.gone has a rule and is no field of the schema",
                "Town is declared as a scalar and is none"
            ]
        );
    }

    #[test]
    fn a_connection_without_page_arguments_is_an_error() {
        let sdl = "type Query { people: PersonConnection! } type PersonConnection { size: Int! }";
        assert_eq!(
            problems(sdl, Rules::NONE),
            ["Query.people gives a connection and has no arguments `first` and `last`"]
        );
    }

    #[test]
    fn a_text_that_is_no_schema_is_an_error() {
        assert_eq!(problems("type {", Rules::NONE).len(), 1);
    }
}
