//! The check of a parsed query before the validator sees it: its size once the fragments are spread, without
//! spreading them. Each fragment is measured once and its measure added wherever it is used.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;

use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, FragmentDefinition, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, Value, Variables};
use strum::VariantArray as _;

use domain::onboarding::MAXIMUM_WORK_UNITS;
use domain::page::{DEFAULT_SIZE, MAXIMUM_SIZE};
use domain::problem::ProblemCode;

use super::{INTROSPECTION_DEPTH, INTROSPECTION_LISTS, INTROSPECTION_ROOTS, Limits, MAX_LEVELS, Refusal};

/// As many as there were ever at one time, with room for the next law.
const PROVINCES: usize = 40;

/// What a query, or a part of it, is once its fragments are spread. Sums saturate.
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
    /// Objects that the answer may have at most: page sizes of lists below each other multiplied.
    pub objects: usize,
    /// Answers that the registry keeps.
    kept: usize,
    /// Selection sets below each other, those of fragments included.
    levels: usize,
    /// Lists of the introspection schema below each other; means nothing outside of it.
    lists: usize,
    introspection: Introspection,
}

/// What is asked of `__schema` and `__type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Introspection {
    roots: usize,
    depth: usize,
    lists: usize,
}

impl Measure {
    /// What it costs its client, in points: one for the request, one for each object that the answer may have, one for
    /// each KiB of arguments, and for each use of `__schema` or `__type`, and each answer that is kept for ever, as much as
    /// half a thousand objects.
    pub fn cost(&self) -> u32 {
        let introspection = self.introspection.roots.saturating_mul(500);
        let kept = self.kept.saturating_mul(500);
        let arguments = self.argument_bytes / 1_024;
        let sum = self
            .objects
            .saturating_add(introspection)
            .saturating_add(kept)
            .saturating_add(arguments)
            .saturating_add(1);
        u32::try_from(sum).unwrap_or(u32::MAX)
    }

    /// Both, beside each other in one selection set.
    fn beside(self, other: Self) -> Self {
        Self {
            fields: self.fields.saturating_add(other.fields),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            depth: self.depth.max(other.depth),
            argument_bytes: self.argument_bytes.saturating_add(other.argument_bytes),
            objects: self.objects.saturating_add(other.objects),
            kept: self.kept.saturating_add(other.kept),
            levels: self.levels.max(other.levels),
            lists: self.lists.max(other.lists),
            introspection: Introspection {
                roots: self.introspection.roots.saturating_add(other.introspection.roots),
                depth: self.introspection.depth.max(other.introspection.depth),
                lists: self.introspection.lists.max(other.introspection.lists),
            },
        }
    }

    /// A selection set of which this is the inside.
    fn one_level_up(self) -> Self {
        Self { levels: self.levels + 1, ..self }
    }

    fn check(&self, limits: &Limits) -> Result<(), Refusal> {
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
        too_many(self.objects, "objects in its answer, page sizes multiplied", limits.max_objects)?;
        if self.aliases > limits.max_aliases {
            return Err(Refusal::TooManyAliases { limit: limits.max_aliases });
        }
        if self.directives > limits.max_directives {
            return Err(Refusal::TooManyDirectives { limit: limits.max_directives });
        }
        Ok(())
    }
}

/// Refuses a document whose operations, taken together, go beyond the limits, or whose fragments are missing,
/// unused or in a circle. All operations count, and no fragment may stand unused, because the validator works
/// through them all.
pub fn check_document(
    document: &ExecutableDocument,
    variables: &Variables,
    limits: &Limits,
) -> Result<Measure, Refusal> {
    let mut walk = Walk {
        fragments: &document.fragments,
        measured: HashMap::with_capacity(document.fragments.len()),
        weights: weights(document, variables),
        variables,
    };
    let mut total = Measure::default();
    for (_, operation) in document.operations.iter() {
        let operation = &operation.node;
        total = total.beside(walk.selection_set(&operation.selection_set.node, 0)?);
        total = total.beside(walk.directives(&operation.directives));
        for variable in &operation.variable_definitions {
            total = total.beside(walk.directives(&variable.node.directives));
        }
    }
    total.check(limits)?;
    match document.fragments.keys().find(|&name| !walk.measured.contains_key(name.as_str())) {
        Some(name) => Err(Refusal::UnusedFragment { name: name.to_string() }),
        None => Ok(total),
    }
}

/// Refuses a mutation that has two fields of one response name. The specification merges such fields;
/// async-graphql runs each of them and merges the answers, so that one enrollment would be written twice.
///
/// Only for a document that [`check_document`] has let pass: it bounds what is walked here.
pub fn check_mutation(document: &ExecutableDocument, operation: &OperationDefinition) -> Result<(), Refusal> {
    let mut names = HashSet::new();
    let mut sets = vec![&operation.selection_set.node];
    while let Some(set) = sets.pop() {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let name = &field.node.response_key().node;
                    if !names.insert(name) && field.node.name.node != "__typename" {
                        return Err(Refusal::RepeatedMutation { name: name.to_string() });
                    }
                }
                Selection::InlineFragment(fragment) => sets.push(&fragment.node.selection_set.node),
                Selection::FragmentSpread(spread) => {
                    let fragment = document.fragments.get(&spread.node.fragment_name.node);
                    sets.extend(fragment.map(|fragment| &fragment.node.selection_set.node));
                }
            }
        }
    }
    Ok(())
}

/// Memory of the arguments of a field or directive. A macro, because the type of a value that may hold
/// variables has no name outside of async-graphql's crates.
macro_rules! argument_bytes {
    ($walk:expr, $arguments:expr) => {{
        let mut bytes = 0_usize;
        for (_, value) in $arguments {
            let Ok(literal) = value.node.clone().into_const_with(|name| {
                bytes = bytes.saturating_add($walk.weights.get(name.as_str()).copied().unwrap_or(0));
                Ok::<_, Infallible>(Value::Null)
            });
            bytes = bytes.saturating_add(weight(&literal));
        }
        bytes
    }};
}

struct Walk<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    /// `None` while a fragment is being measured: who meets it then is inside of it.
    measured: HashMap<&'a str, Option<Measure>>,
    weights: HashMap<&'a str, usize>,
    variables: &'a Variables,
}

impl<'a> Walk<'a> {
    /// Recursion ends at [`MAX_LEVELS`], through fragments too.
    fn selection_set(&mut self, set: &'a SelectionSet, level: usize) -> Result<Measure, Refusal> {
        if level > MAX_LEVELS {
            return Err(Refusal::TooDeep { what: "selections and fragments", limit: MAX_LEVELS });
        }
        let mut sum = Measure::default();
        for selection in &set.items {
            sum = sum.beside(match &selection.node {
                Selection::Field(field) if field.node.selection_set.node.items.is_empty() => {
                    self.field(&field.node, Measure::default())
                }
                Selection::Field(field) => {
                    let inside = self.selection_set(&field.node.selection_set.node, level + 1)?;
                    self.field(&field.node, inside.one_level_up())
                }
                Selection::InlineFragment(fragment) => {
                    let inside = self.selection_set(&fragment.node.selection_set.node, level + 1)?;
                    inside.one_level_up().beside(self.directives(&fragment.node.directives))
                }
                Selection::FragmentSpread(spread) => {
                    let inside = self.fragment(spread.node.fragment_name.node.as_str(), level + 1)?;
                    inside.one_level_up().beside(self.directives(&spread.node.directives))
                }
            });
        }
        Ok(sum)
    }

    fn fragment(&mut self, name: &'a str, level: usize) -> Result<Measure, Refusal> {
        match self.measured.get(name) {
            Some(Some(measure)) => return Ok(*measure),
            Some(None) => {
                return Err(Refusal::FragmentCycle { name: name.to_owned() });
            }
            None => {}
        }
        let fragment = match self.fragments.get(name) {
            Some(fragment) => &fragment.node,
            None => {
                return Err(Refusal::UnknownFragment { name: name.to_owned() });
            }
        };
        self.measured.insert(name, None);
        let inside = self.selection_set(&fragment.selection_set.node, level)?;
        let measure = inside.beside(self.directives(&fragment.directives));
        self.measured.insert(name, Some(measure));
        Ok(measure)
    }

    fn field(&self, field: &Field, inside: Measure) -> Measure {
        let mut measure = inside.beside(self.directives(&field.directives));
        measure.fields = measure.fields.saturating_add(1);
        measure.aliases = measure.aliases.saturating_add(usize::from(field.alias.is_some()));
        measure.argument_bytes =
            measure.argument_bytes.saturating_add(argument_bytes!(self, &field.arguments));
        if !field.selection_set.node.items.is_empty() {
            measure.objects = measure.objects.saturating_add(1).saturating_mul(self.length(field));
        }
        match field.name.node.as_str() {
            "licenceClearance" => measure.kept = measure.kept.saturating_add(1),
            "__schema" | "__type" => {
                measure.introspection =
                    Introspection { roots: 1, depth: measure.depth + 1, lists: measure.lists };
                measure.depth = 1;
            }
            "types" | "fields" | "inputFields" | "interfaces" | "possibleTypes" => {
                measure.lists += 1;
                measure.depth += 1;
            }
            _ => measure.depth += 1,
        }
        measure
    }

    /// How many objects a field gives at most, of which its selection is asked: its page size where it is a list.
    fn length(&self, field: &Field) -> usize {
        const PAGES: &[&str] = &[
            "participants",
            "employers",
            "associations",
            "channels",
            "children",
            "clients",
            "enrollments",
            "events",
            "rows",
            "onboardingBatches",
        ];
        match field.name.node.as_str() {
            "provinces" => PROVINCES,
            "byWorkUnit" => MAXIMUM_WORK_UNITS,
            "byProblem" => ProblemCode::VARIANTS.len(),
            "nodes" if field.get_argument("ids").is_some() => MAXIMUM_SIZE,
            name if PAGES.contains(&name) => {
                let size = ["first", "last"].into_iter().find_map(|name| field.get_argument(name));
                size.map_or(DEFAULT_SIZE, |size| {
                    let Ok(size) = size.node.clone().into_const_with(|name| {
                        Ok::<_, Infallible>(self.variables.get(&name).cloned().unwrap_or(Value::Null))
                    });
                    match size {
                        Value::Number(size) => {
                            size.as_u64().map_or(MAXIMUM_SIZE, |n| n.clamp(1, 100) as usize)
                        }
                        // A default of the variable, or nothing: then the field's own.
                        _ => MAXIMUM_SIZE,
                    }
                })
            }
            _ => 1,
        }
    }

    fn directives(&self, directives: &[Positioned<Directive>]) -> Measure {
        let mut measure = Measure { directives: directives.len(), ..Measure::default() };
        for directive in directives {
            let bytes = argument_bytes!(self, &directive.node.arguments);
            measure.argument_bytes = measure.argument_bytes.saturating_add(bytes);
        }
        measure
    }
}

/// The memory of each variable: what was sent, or the default, whichever is larger.
fn weights<'a>(document: &'a ExecutableDocument, variables: &'a Variables) -> HashMap<&'a str, usize> {
    let mut weights: HashMap<_, _> =
        variables.iter().map(|(name, value)| (name.as_str(), weight(value))).collect();
    let definitions =
        document.operations.iter().flat_map(|(_, operation)| &operation.node.variable_definitions);
    for definition in definitions {
        if let Some(default) = &definition.node.default_value {
            let known = weights.entry(definition.node.name.node.as_str()).or_default();
            *known = (*known).max(weight(&default.node));
        }
    }
    weights
}

/// Memory of a value in bytes, roughly. Recursion is bounded by what the guards of text and JSON allow.
fn weight(value: &Value) -> usize {
    let content = match value {
        Value::String(text) => text.len(),
        Value::List(items) => items.iter().map(weight).sum(),
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + weight(value)).sum(),
        _ => 0,
    };
    size_of::<Value>() + content
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;
    use async_graphql::value;

    fn measure_with(query: &str, variables: Value) -> Result<Measure, Refusal> {
        let document = parse_query(query).expect(query);
        check_document(&document, &Variables::from_value(variables), &Limits::default())
    }

    fn measure(query: &str) -> Result<Measure, Refusal> {
        measure_with(query, value!({}))
    }

    fn code(query: &str) -> Option<&'static str> {
        measure(query).err().map(|refusal| refusal.code().as_str())
    }

    /// `count` fragments, each spreading the next one twice.
    fn bomb(count: usize) -> String {
        let links: String =
            (1..count).map(|n| format!("fragment F{n} on Query {{...F{m} ...F{m}}}", m = n + 1)).collect();
        format!("{{...F1}} {links} fragment F{count} on Query {{a}}")
    }

    #[test]
    fn fragments_that_double_twenty_two_times_are_refused() {
        assert_eq!(code(&bomb(22)), Some("QUERY_TOO_COMPLEX"));
    }

    #[test]
    fn doubling_until_the_count_overflows_is_refused_and_does_not_panic() {
        let links: String = (1..30)
            .map(|n| format!("fragment F{n} on Q {{{}}}", format!("...F{} ", n + 1).repeat(20)))
            .collect();
        assert_eq!(code(&format!("{{...F1}} {links} fragment F30 on Q {{a}}")), Some("QUERY_TOO_COMPLEX"));
    }

    #[test]
    fn a_long_chain_of_fragments_is_refused() {
        assert_eq!(code(&bomb(250)), Some("QUERY_TOO_DEEP"));
    }

    #[test]
    fn fragments_in_a_circle_missing_or_unused_are_refused() {
        let refusal = |query| measure(query).unwrap_err();
        assert_eq!(refusal("{...F} fragment F on Q {a{...F}}"), Refusal::FragmentCycle { name: "F".into() });
        assert_eq!(
            refusal("{...F} fragment F on Q {...G} fragment G on Q {a ...F}"),
            Refusal::FragmentCycle { name: "F".into() }
        );
        assert_eq!(refusal("{...F}"), Refusal::UnknownFragment { name: "F".into() });
        assert_eq!(refusal("{a} fragment F on Q {...F}"), Refusal::UnusedFragment { name: "F".into() });
    }

    #[test]
    fn a_fragment_counts_as_often_as_it_is_used() {
        let measure = measure("{...F b{...F}} fragment F on Q @x {c d:e(f:1)@y(z:2){g ...@w{h}}}").unwrap();
        assert_eq!((measure.fields, measure.aliases, measure.directives, measure.depth), (9, 2, 6, 3));
    }

    #[test]
    fn all_operations_of_a_document_count_together() {
        let operation = |name: &str| format!("query {name} {{{}}} ", "a ".repeat(1_100));
        assert_eq!(code(&operation("A")), None);
        assert_eq!(code(&(operation("A") + &operation("B"))), Some("QUERY_TOO_COMPLEX"));
    }

    #[test]
    fn each_limit_is_inclusive_and_has_its_code() {
        let deep = |depth: usize| format!("{}a{}", "{a".repeat(depth - 1) + "{", "}".repeat(depth));
        let aliases = |count: usize| format!("{{{}}}", "b:a ".repeat(count));
        let directives = |count: usize| format!("{{{}}}", "a@b ".repeat(count));
        assert_eq!((code(&deep(15)), code(&deep(16))), (None, Some("QUERY_TOO_DEEP")));
        assert_eq!((code(&aliases(30)), code(&aliases(31))), (None, Some("QUERY_TOO_MANY_ALIASES")));
        assert_eq!((code(&directives(50)), code(&directives(51))), (None, Some("QUERY_TOO_MANY_DIRECTIVES")));
    }

    #[test]
    fn a_variable_weighs_as_often_as_it_is_used() {
        let text = "x".repeat(1_000_000);
        let query = |uses: usize| format!("query($v: String) {{a(b: [{}])}}", "$v ".repeat(uses));
        let refused = |uses| {
            measure_with(&query(uses), value!({ "v": text.as_str() }))
                .err()
                .map(|refusal| refusal.code().as_str())
        };
        assert_eq!((refused(60), refused(70)), (None, Some("QUERY_TOO_COMPLEX")));
    }

    #[test]
    fn the_default_of_a_variable_and_a_literal_in_a_fragment_weigh_too() {
        let text = "x".repeat(60_000);
        let by_default = format!("query($v: String = \"{text}\") {{a(b: [{}])}}", "$v ".repeat(1_500));
        let by_fragment = format!("{{{}}} fragment F on Q {{a(b: \"{text}\")}}", "...F ".repeat(1_500));
        assert_eq!(code(&by_default), Some("QUERY_TOO_COMPLEX"));
        assert_eq!(code(&by_fragment), Some("QUERY_TOO_COMPLEX"));
    }

    #[test]
    fn the_question_that_graphiql_asks_passes_even_where_queries_must_be_flat() {
        let document = parse_query(crate::http::guard::introspection::INTROSPECTION_QUERY).unwrap();
        let limits = Limits { max_depth: 5, ..Limits::default() };
        let measure = check_document(&document, &Variables::default(), &limits).unwrap();
        assert_eq!((measure.depth, measure.introspection.depth, measure.introspection.lists), (1, 15, 2));
    }

    #[test]
    fn the_cost_multiplies_pages_and_counts_data_that_is_sent() {
        let cost = |query: &str| measure(query).unwrap().cost();
        assert_eq!(cost("{a}"), 1);
        assert_eq!(cost("{viewer{name}}"), 2);
        assert_eq!(cost("{employers(first: 10){nodes{name}}}"), 1 + 10 * 2);
        assert_eq!(
            cost("{employers(first: 10){nodes{participants(first: 5){nodes{id}}}}}"),
            1 + 10 * (2 + 5 * 2)
        );
        assert_eq!(cost("{onboardingBatch{byWorkUnit{workUnit counts{received}}}}"), 1 + 500 * 2 + 1);
        let codes = ProblemCode::VARIANTS.len() as u32;
        assert_eq!(cost("{onboardingBatches(first: 3){nodes{byProblem{rows}}}}"), 1 + 3 * (codes + 2));
        assert_eq!(cost("{__schema{queryType{name}}}"), 1 + 500 + 2);
        let sent = value!({ "v": "x".repeat(10 * 1_024) });
        assert_eq!(measure_with("query($v: String) {a(b: $v)}", sent).unwrap().cost(), 1 + 10);
    }

    #[test]
    fn introspection_that_is_turned_off_hides_nowhere() {
        let limits = Limits { introspection: false, ..Limits::default() };
        let check =
            |query: &str| check_document(&parse_query(query).unwrap(), &Variables::default(), &limits);
        for query in [
            "{__schema{types{name}}}",
            "{a:__type(name:\"A\"){name}}",
            "{...F} fragment F on Query {...G} fragment G on Query {... @include(if: true) {__schema{types{name}}}}",
        ] {
            assert_eq!(check(query), Err(Refusal::Introspection), "{query}");
        }
        assert!(check("{__typename a{__typename}}").is_ok());
    }

    #[test]
    fn introspection_that_multiplies_the_schema_by_itself_is_refused() {
        assert_eq!(code("{__type(name:\"A\"){fields{type{fields{name}}}}}"), None);
        assert_eq!(code("{__schema{types{fields{type{fields{name}}}}}}"), Some("QUERY_TOO_DEEP"));
        assert_eq!(code(&format!("{{{}}}", "__schema{types{name}}".repeat(9))), Some("QUERY_TOO_COMPLEX"));
        // The same names in the data mean nothing.
        assert_eq!(code("{types{fields{types{fields{types{name}}}}}}"), None);
    }

    #[test]
    fn a_mutation_with_the_same_field_twice_is_refused_wherever_it_hides() {
        let check = |query: &str| {
            let document = parse_query(query).unwrap();
            let operation = document.operations.iter().next().unwrap().1;
            check_mutation(&document, &operation.node)
        };
        let repeated = Err(Refusal::RepeatedMutation { name: "enroll".into() });
        assert_eq!(check("mutation {enroll enroll}"), repeated);
        assert_eq!(check("mutation {enroll ...{...F}} fragment F on M {enroll}"), repeated);
        assert_eq!(check("mutation {enroll again: enroll __typename __typename}"), Ok(()));
    }
}
