//! Documents that run with and without the validator.

use async_graphql::parser::parse_query;
use async_graphql::{
    Context, EmptyMutation, EmptySubscription, Enum, InputObject, Object, OneofObject, Schema, Value, value,
};

use super::*;
use crate::catalogue::{PageSizes, Rules};

#[derive(Clone, Copy, PartialEq, Eq, Enum)]
enum Kind {
    Good,
    Bad,
}

#[derive(InputObject)]
struct Filter {
    kind: Option<Vec<Kind>>,
    size: i32,
    #[graphql(default = 7)]
    depth: i32,
    inner: Option<Vec<Filter>>,
}

#[derive(OneofObject)]
enum Key {
    Id(async_graphql::ID),
    Number(String),
}

struct Query;

#[Object]
impl Query {
    /// Which of the two schemas ran it.
    async fn schema<'a>(&self, ctx: &Context<'a>) -> &'a str {
        ctx.data_unchecked::<&'static str>()
    }
    async fn text(&self, of: Option<String>) -> bool {
        of.is_some()
    }
    async fn id(&self, of: Option<async_graphql::ID>) -> bool {
        of.is_some()
    }
    async fn flag(&self, of: Option<bool>) -> bool {
        of.is_some()
    }
    async fn number(&self, of: Option<i32>) -> bool {
        of.is_some()
    }
    async fn kind(&self, of: Option<Kind>) -> bool {
        of.is_some()
    }
    async fn kinds(&self, of: Option<Vec<Kind>>) -> bool {
        of.is_some()
    }
    async fn filter(&self, of: Option<Filter>) -> i32 {
        let sizes = |filter: Filter| {
            filter.size + filter.depth + filter.inner.map_or(0, |inner| inner.iter().map(|f| f.size).sum())
        };
        of.map_or(0, sizes)
    }
    async fn key(&self, of: Option<Key>) -> bool {
        matches!(of, Some(Key::Id(_) | Key::Number(_)))
    }
    async fn day(&self, of: Option<chrono::NaiveDate>) -> bool {
        of.is_some()
    }
    async fn amount(&self, of: Option<Amount>) -> bool {
        of.is_some()
    }
}

/// An amount, whose values are judged where they are read.
struct Amount;

#[async_graphql::Scalar]
impl async_graphql::ScalarType for Amount {
    fn parse(_: Value) -> async_graphql::InputValueResult<Self> {
        Ok(Self)
    }
    fn to_value(&self) -> Value {
        Value::Null
    }
}

type Tested = Schema<Query, EmptyMutation, EmptySubscription>;

fn schemas() -> (OnceValidated<Tested>, Catalogue) {
    let builder = || Schema::build(Query, EmptyMutation, EmptySubscription);
    let strict = builder().data("strict").finish();
    let trusting = builder().data("trusting").extension(Trusting).finish();
    let rules = Rules { open_scalars: &["Amount"], ..Rules::NONE };
    let catalogue = Catalogue::new(&strict.sdl(), PageSizes { default: 20, maximum: 100 }, &[rules]).unwrap();
    (OnceValidated::new(strict, trusting), catalogue)
}

fn parsed(text: &str, variables: &Variables, catalogue: &Catalogue) -> ParsedDocument {
    ParsedDocument::new(parse_query(text).unwrap(), variables, catalogue, &Limits::default()).unwrap()
}

fn request(document: &ParsedDocument, variables: Variables, catalogue: &Catalogue) -> Request {
    let valid_variables = document.check_variables(None, &variables, catalogue).ok().flatten();
    let mut request = Request::new("").variables(variables);
    request.set_parsed_query(document.document().clone());
    match valid_variables {
        Some(valid_variables) => request.data(valid_variables),
        None => request,
    }
}

async fn ran(text: &str, variables: Value) -> Value {
    let ((schemas, catalogue), variables) = (schemas(), Variables::from_value(variables));
    let document = parsed(text, &variables, &catalogue);
    let response = schemas.execute(request(&document, variables, &catalogue), &document).await;
    match response.data {
        Value::Object(mut data) => data.swap_remove("schema").unwrap_or_default(),
        _ => value!({ "errors": response.errors.len() }),
    }
}

#[tokio::test]
async fn the_trusting_schema_validates_nothing() {
    let (schemas, _) = schemas();
    let text = "query($unused: Int) { schema }";
    assert_eq!(schemas.trusting.execute(text).await.data, value!({ "schema": "trusting" }));
    assert_eq!(schemas.strict.execute(text).await.errors.len(), 1);
}

#[tokio::test]
async fn a_valid_document_runs_without_the_validator_where_its_variables_fit() {
    let trusting = Value::from("trusting");
    assert_eq!(ran("{ schema }", value!({})).await, trusting);
    for (text, sent) in [
        ("query($v: Int) { schema number(of: $v) }", value!({ "v": 3 })),
        ("query($v: Int) { schema number(of: $v) }", value!({})),
        (
            "query A($v: String!) { ...F } fragment F on Query { schema key(of: {number: $v}) }",
            value!({ "v": "1" }),
        ),
        ("query($v: Boolean!) { schema flag(of: true) @include(if: $v) }", value!({ "v": false })),
    ] {
        assert_eq!(ran(text, sent).await, trusting, "{text}");
    }
    for (text, sent) in [
        ("query($v: NaiveDate) { schema day(of: $v) }", value!({ "v": "2014-10-01" })),
        ("query($v: Int) { schema number(of: $v) }", value!({ "v": -3 })),
        ("{ schema __type(name: \"Query\") { name } }", value!({})),
    ] {
        assert_eq!(ran(text, sent).await, Value::from("strict"), "{text}");
    }
    for (text, sent) in [
        ("{ schema nothing }", value!({})),
        ("{ schema kind(of: UGLY) }", value!({})),
        ("query($v: Int) { schema number(of: $v) }", value!({ "v": "3" })),
    ] {
        assert_eq!(ran(text, sent).await, value!({ "errors": 1 }), "{text}");
    }
}

#[tokio::test]
async fn a_known_document_with_a_wrong_variable_is_refused_as_an_unknown_one_is() {
    let (schemas, catalogue) = schemas();
    let text =
        "query($v: [Kind!], $n: Int!) { schema kinds(of: $v) filter(of: {size: 1, inner: {size: $n}}) }";
    let sent = [
        value!({ "v": ["GOOD"], "n": 1 }),
        value!({ "v": "GOOD", "n": 1 }),
        value!({ "v": ["UGLY"], "n": 1 }),
        value!({ "v": ["GOOD", null], "n": 1 }),
        value!({ "v": [], "n": "1" }),
    ];
    let known = parsed(text, &Variables::default(), &catalogue);
    for variables in sent.map(Variables::from_value) {
        let again = schemas.execute(request(&known, variables.clone(), &catalogue), &known).await;
        let fresh = parsed(text, &variables, &catalogue);
        let once = schemas.execute(request(&fresh, variables.clone(), &catalogue), &fresh).await;
        let anew = schemas.strict().execute(request(&fresh, variables, &catalogue)).await;
        assert_eq!(again.errors, anew.errors);
        assert_eq!(once.errors, anew.errors);
    }
}

/// The judge of variables is the validator's rule written again, so it is compared with the validator.
#[tokio::test]
async fn what_the_judge_accepts_the_validator_accepts() {
    let (schemas, catalogue) = schemas();
    let atoms = [
        value!(null),
        value!(0),
        value!(3),
        value!(-3),
        value!(1.5),
        value!(3_000_000_000_i64),
        value!(true),
        value!("GOOD"),
        value!("UGLY"),
        value!(""),
        value!({}),
        value!([]),
        value!({ "size": 1 }),
        value!({ "size": null }),
        value!({ "size": 1, "depth": null }),
        value!({ "size": 1, "kind": "BAD" }),
        value!({ "size": 1, "inner": [{ "size": 2 }, { "size": 3, "kind": ["GOOD"] }] }),
        value!({ "size": 1, "inner": { "size": 2 } }),
        value!({ "size": 1, "inner": [{}] }),
        value!({ "size": 1, "other": 2 }),
        value!({ "id": "a" }),
        value!({ "number": "1" }),
        value!({ "id": "a", "number": "1" }),
        value!({ "id": null }),
        value!({ "other": 1 }),
    ];
    let lists = atoms.iter().map(|atom| Value::List(vec![atom.clone()])).collect::<Vec<_>>();
    let mut accepted = 0;
    for (field, kind) in [
        ("text", "String"),
        ("id", "ID"),
        ("flag", "Boolean"),
        ("number", "Int"),
        ("kind", "Kind"),
        ("kinds", "[Kind!]"),
        ("filter", "Filter"),
        ("key", "Key"),
        ("day", "NaiveDate"),
        ("amount", "Amount"),
        ("amount", "Amount!"),
    ] {
        let text = format!("query($v: {kind}) {{ {field}(of: $v) }}");
        for sent in atoms.iter().chain(&lists) {
            let variables = Variables::from_value(value!({ "v": (sent.clone()) }));
            let document = parsed(&text, &variables, &catalogue);
            let judged = document.check_variables(None, &variables, &catalogue);
            let response = schemas.strict().execute(request(&document, variables, &catalogue)).await;
            match judged {
                Ok(Some(ValidVariables)) => {
                    accepted += 1;
                    assert_eq!(response.errors, [], "{kind} {sent}");
                }
                Ok(None) => {}
                // The validator does not see that a variable is null which must not be.
                Err(_) => assert!(*sent == Value::Null || !response.errors.is_empty(), "{kind} {sent}"),
            }
        }
    }
    assert_eq!(accepted, 127, "of what is right, little is left to the validator");
}

#[test]
fn a_document_with_data_in_it_is_not_kept() {
    let (_, catalogue) = schemas();
    let is_kept = |text: &str| parsed(text, &Variables::default(), &catalogue).may_be_kept();
    for text in [
        "{ schema }",
        "query($v: String) { text(of: $v) }",
        "{ filter(of: {size: 100, kind: [GOOD]}) text(of: \"16\") }",
    ] {
        assert!(is_kept(text), "{text}");
    }
    for text in [
        "{ text(of: \"3201010101010001\") }",
        "{ key(of: {number: \"Siti Rahayu binti Ahmad\"}) }",
        "{ number(of: 3201010) }",
        "query($v: String = \"3201010101010001\") { text(of: $v) }",
        "{ ...F } fragment F on Query { ... @include(if: \"3201010101010001\") { schema } }",
    ] {
        assert!(!is_kept(text), "{text}");
    }
}
