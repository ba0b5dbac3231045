//! The number of SQL statements of a query: one per table whatever the size of the page, and one for the audit trail if
//! the answer has people.

use crate::support::statements::sent;
use crate::support::{App, Person, Value, json};

/// Sixty people with four employers, two associations and two channels.
async fn populated() -> App {
    let app = App::new().await;
    let channels = [app.channel("BR-A").await, app.channel("BR-B").await];
    let mut employers = Vec::new();
    for name in ["Satu", "Dua", "Tiga", "Empat"] {
        employers.push(app.employer(name).await);
    }
    let associations = [app.association("Nelayan").await, app.association("Ojek").await];
    for n in 0..60 {
        let person = Person::new(&channels[n % 2]);
        let person = match n % 3 {
            0 => person.with("associationId", json!(associations[n % 2])),
            _ => person.at(&employers[n % 4]),
        };
        app.enrolled(&person).await;
    }
    app
}

async fn statements(app: &App, query: &str, variables: Value) -> (Value, Vec<String>) {
    let token = app.administrator().await;
    sent(app.ask_as(&token, query, variables)).await
}

/// Requests a small and a large page, and checks that both run this number of statements.
async fn costs(app: &App, query: &str, expected: usize) {
    for first in [5, 50] {
        let (_, statements) = statements(app, query, json!({"n": first})).await;
        assert_eq!(statements.len(), expected, "page of {first}: {statements:#?}");
    }
}

#[tokio::test]
async fn a_page_of_people_costs_one_statement_per_table() {
    let app = populated().await;
    costs(&app, "query ($n: Int) { participants(first: $n) { nodes { fullName } } }", 2).await;
    // Provinces and channels are in memory.
    costs(
        &app,
        "query ($n: Int) { participants(first: $n, filterBy: {provinceCode: \"16\"}) { nodes { fullName
        province { name } channel { name provinces { name } } employer { name province { name } } } } }",
        3,
    )
    .await;
    costs(&app, "query ($n: Int) { participants(first: $n) { edges { node { employer { name } association { name } } } } }", 4).await;
    costs(&app, "query ($n: Int) { participants(first: $n) { nodes { ...x } } } fragment x on Participant { employer { name } }", 3).await;
}

#[tokio::test]
async fn nested_pages_cost_one_statement_for_all_parents() {
    let app = populated().await;
    costs(&app, "query ($n: Int) { participants(first: $n) { nodes { enrollments(first: 3) { nodes { segment employer { name } } } } } }", 4).await;
    costs(&app, "query ($n: Int) { participants(first: $n) { nodes { events(first: 3) { nodes { kind enrollment { segment } } } } } }", 4).await;
    costs(&app, "query ($n: Int) { employers(first: $n) { nodes { name counts { total } participants(first: 10) { totalCount nodes { fullName channel { name } } } } } }", 4).await;
    costs(&app, "query ($n: Int) { employers(first: $n) { nodes { participants(first: 3) { nodes { employer { name } } } } } }", 4).await;
    costs(&app, "query ($n: Int) { employers(first: $n) { nodes { participants(first: 3, filterBy: {status: [REGISTERED]}) { totalCount } } } }", 3).await;
    costs(&app, "query ($n: Int) { provinces { employers(first: $n) { totalCount nodes { name } } associations(first: $n) { totalCount nodes { name } }
        channels(first: $n) { totalCount nodes { name counts { total } } } counts { active } participants(first: $n) { nodes { fullName } } } }", 8).await;
    costs(&app, "query ($n: Int) { channels(first: $n) { totalCount nodes { code parent { code } children { totalCount } counts { total } } } }", 1).await;
}

#[tokio::test]
async fn a_list_that_is_selected_twice_is_read_once_and_says_whether_another_page_follows() {
    let app = populated().await;
    let twice = "query ($n: Int) { employers(first: $n) { nodes { ...List ...Pager } } }
        fragment List on Employer { participants(first: 3) { nodes { id } } }
        fragment Pager on Employer { participants(first: 3) { nodes { fullName } pageInfo { hasNextPage endCursor } } }";
    costs(&app, twice, 3).await;
    let once = "query ($n: Int) { employers(first: $n) { nodes { participants(first: 3) {
        nodes { id fullName } pageInfo { hasNextPage endCursor } } } } }";
    let (expected, _) = statements(&app, once, json!({"n": 4})).await;
    assert_eq!(statements(&app, twice, json!({"n": 4})).await.0, expected);
    assert_eq!(expected["employers"]["nodes"][0]["participants"]["pageInfo"]["hasNextPage"], json!(true));

    let aliased = "query ($further: Boolean!) { people: participants(first: 3) { nodes { id }
        info: pageInfo { ... on PageInfo @include(if: $further) { further: hasNextPage } endCursor } } }";
    let (data, _) = statements(&app, aliased, json!({"further": true})).await;
    assert_eq!(data["people"]["info"]["further"], json!(true));
    let (without, _) = statements(&app, aliased, json!({"further": false})).await;
    assert_eq!(without["people"]["nodes"], data["people"]["nodes"]);
}

#[tokio::test]
async fn one_employer_costs_as_many_statements_as_twenty() {
    let app = populated().await;
    let query = "query ($n: Int) { employers(first: $n) { nodes { counts { total } participants(first: 10) { nodes { fullName } } } } }";
    for first in [1, 4] {
        assert_eq!(statements(&app, query, json!({"n": first})).await.1.len(), 4);
    }
}

#[tokio::test]
async fn a_lookup_by_number_reads_the_person_and_the_quota_with_one_statement() {
    let app = populated().await;
    let (list, _) = statements(&app, "{ participants(first: 1) { nodes { cardNumber } } }", json!({})).await;
    let number = &list["participants"]["nodes"][0]["cardNumber"];
    let query = "query ($n: String!) { participant(by: {cardNumber: $n}) { fullName } }";
    let (data, sent) = statements(&app, query, json!({"n": number})).await;
    assert!(data["participant"]["fullName"].is_string(), "{data}");
    assert_eq!(sent.len(), 2, "the person; the audit entry: {sent:#?}");
}

#[tokio::test]
async fn a_total_is_counted_only_when_selected() {
    let app = populated().await;
    let query = "query ($t: Boolean!) { participants(first: 5, filterBy: {status: [REGISTERED]}) { nodes { id } totalCount @include(if: $t) } }";
    assert_eq!(statements(&app, query, json!({"t": false})).await.1.len(), 2);
    let (data, statements) = statements(&app, query, json!({"t": true})).await;
    assert_eq!((statements.len(), &data["participants"]["totalCount"]), (3, &json!(60)));
}

#[tokio::test]
async fn prefetched_and_loaded_relations_are_equal() {
    let app = populated().await;
    let fields =
        "id employer { name counts { total } } association { name } channel { code } province { code }";
    let (list, _) =
        statements(&app, &format!("{{ participants(first: 50) {{ nodes {{ {fields} }} }} }}"), json!({}))
            .await;
    let people = list["participants"]["nodes"].as_array().unwrap();
    let ids: Vec<&Value> = people.iter().map(|person| &person["id"]).collect();
    let query =
        format!("query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Participant {{ {fields} }} }} }}");
    let (nodes, statements) = statements(&app, &query, json!({"ids": ids})).await;
    assert_eq!(nodes["nodes"].as_array().unwrap(), people);
    // People, employers, associations, counts, the audit entry.
    assert_eq!(statements.len(), 5, "{statements:#?}");
}

#[tokio::test]
async fn somebody_new_is_enrolled_by_one_statement() {
    let app = App::new().await;
    let (employer, channel) = (app.employer("Satu").await, app.channel("BR-PLG").await);
    let query = "mutation ($v: EnrollParticipantInput!) { enrollParticipant(input: $v) { errors { code } } }";
    let enroll = async |person: &Person| {
        let (data, sent) = statements(&app, query, json!({"v": person.0})).await;
        (data["enrollParticipant"]["errors"].clone(), sent)
    };
    let person =
        Person::new(&channel).at(&employer).with("idempotencyKey", json!("one-person-one-statement"));
    let (errors, sent) = enroll(&person).await;
    assert_eq!((errors, sent.len()), (json!([]), 2), "the employer; the enrollment: {sent:#?}");
    assert_eq!(app.count("select count(*) from audit_entry where outcome = 'WRITTEN'").await, 1);
    // A retry is answered by its key, and another form with this key is refused.
    assert_eq!(enroll(&person).await.0, json!([]));
    let other = Person::new(&channel).with("idempotencyKey", json!("one-person-one-statement"));
    assert_eq!(enroll(&other).await.0[0]["code"], "IDEMPOTENCY_KEY_REUSED");
    for table in ["participant", "enrollment", "participant_event", "identifier", "idempotency"] {
        let rows = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
        let rows: i64 = sqlx::query_scalar(rows).fetch_one(&app.sql).await.unwrap();
        assert_eq!(rows, 1, "{table}");
    }
}

#[tokio::test]
async fn concurrent_forms_share_a_statement_and_each_has_its_own_outcome() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let known = Person::new(&channel);
    app.enrolled(&known).await;
    let token = app.administrator().await;
    let query = "mutation ($v: EnrollParticipantInput!) { enrollParticipant(input: $v) { errors { code } } }";
    // Every fourth form is of somebody who is enrolled, and two forms are of one person.
    let twin = Person::new(&channel);
    let forms: Vec<Person> = (0..32)
        .map(|n| match n {
            _ if n % 4 == 0 => known.clone(),
            5 | 6 => twin.clone(),
            _ => Person::new(&channel),
        })
        .map(|person| person.with("idempotencyKey", Value::Null))
        .collect();
    let keyed = forms.iter().enumerate().map(|(n, person)| {
        let person = person.clone().with("idempotencyKey", json!(format!("the-key-of-form-number-{n}")));
        app.ask_as(&token, query, json!({"v": person.0}))
    });
    let (answers, sent) = sent(futures_util::future::join_all(keyed)).await;
    let refused: Vec<usize> = (0..32)
        .filter(|&n| answers[n]["enrollParticipant"]["errors"][0]["code"] == "ALREADY_ENROLLED")
        .collect();
    let (of_known, others): (Vec<usize>, Vec<usize>) = refused.iter().partition(|&n| n % 4 == 0);
    assert_eq!(of_known, (0..32).step_by(4).collect::<Vec<_>>());
    assert!(others == [5] || others == [6], "{others:?}");
    let enrolled = 32 - refused.len() as i64;
    assert_eq!(
        app.count("select count(*) from idempotency where operation = 'enrollParticipant'").await,
        enrolled
    );
    for table in ["participant", "enrollment", "identifier"] {
        let rows = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
        let rows: i64 = sqlx::query_scalar(rows).fetch_one(&app.sql).await.unwrap();
        assert_eq!(rows, enrolled + 1, "{table}");
    }
    assert_eq!(app.count("select count(*) from audit_entry where outcome = 'WRITTEN'").await, enrolled + 1);
    let of_newcomers = sent.iter().filter(|statement| statement.starts_with("with form as")).count();
    assert!((1..32).contains(&of_newcomers), "{of_newcomers} statements for 32 forms");
    assert_eq!(app.differing_counters().await, 0);
}

#[tokio::test]
async fn enrolling_costs_the_same_statements_for_one_row_and_for_a_hundred() {
    let app = App::new().await;
    let (employer, channel) = (app.government("Pemerintah").await, app.channel("BR-PLG").await);
    let query = "mutation ($employer: ID!, $channel: String!, $rows: [CivilServantRow!]!) { onboardCivilServants(input: {
        employerId: $employer, channelCode: $channel, provinceCode: \"16\", startsOn: \"2014-11-01\", rows: $rows}) {
        batch { counts { enrolled } } errors { code } } }";
    let mut costs = Vec::new();
    for rows in [vec![1], (2..102).collect()] {
        let rows: Vec<Value> = rows.into_iter().map(crate::support::row).collect();
        let enrolled = rows.len();
        let (data, statements) =
            statements(&app, query, json!({"employer": employer, "channel": channel, "rows": rows})).await;
        assert_eq!(data["onboardCivilServants"]["batch"]["counts"]["enrolled"], enrolled);
        costs.push(statements.len());
    }
    assert_eq!(costs[0], costs[1]);
}

#[tokio::test]
async fn batches_with_rows_cost_one_statement_per_table() {
    let app = App::new().await;
    let (employer, channel) = (app.government("Pemerintah").await, app.channel("BR-PLG").await);
    let query = "mutation ($employer: ID!, $channel: String!, $rows: [CivilServantRow!]!) { onboardCivilServants(input: {
        employerId: $employer, channelCode: $channel, provinceCode: \"16\", startsOn: \"2014-11-01\", rows: $rows}) {
        batch { id } } }";
    for n in 0..6 {
        let mut bad = crate::support::row(100 + n);
        bad["sex"] = json!("?");
        let rows = json!([crate::support::row(n), bad]);
        app.ask(query, json!({"employer": employer, "channel": channel, "rows": rows})).await;
    }
    // Batches, employers, rows, their people, row totals, work units, problems, the audit entry.
    costs(&app, "query ($n: Int) { onboardingBatches(first: $n) { nodes { employer { name } byWorkUnit { workUnit } byProblem { code rows }
        rows(first: 5) { totalCount nodes { number participant { fullName } problems { code } } } } } }", 8).await;
}

#[tokio::test]
async fn concurrent_requests_cost_the_same_statements_each() {
    let app = populated().await;
    let query = "query ($n: Int) { participants(first: $n) { nodes { employer { name } channel { name } } }
        employers(first: 4) { nodes { participants(first: 2) { nodes { association { name } } } } } }";
    let (_, alone) = statements(&app, query, json!({"n": 50})).await;
    let token = app.administrator().await;
    let asked = futures_util::future::join_all((0..32).map(|_| app.ask_as(&token, query, json!({"n": 50}))));
    let (_, together) = sent(asked).await;
    let split = |statements: Vec<String>| -> (Vec<String>, Vec<String>) {
        statements.into_iter().partition(|statement| statement.contains("insert into audit_entry"))
    };
    let ((one, alone), (entries, together)) = (split(alone), split(together));
    assert_eq!(together.len(), 32 * alone.len());
    // Concurrent requests share a commit of their audit entries.
    assert!(
        one.len() == 1 && (1..32).contains(&entries.len()),
        "{} statements for 32 entries",
        entries.len()
    );
    assert_eq!(
        app.count("select count(*) from audit_entry where operation = 'employers participants'").await,
        33
    );
}

#[tokio::test]
async fn concurrent_lookups_share_statements_and_each_gets_its_own_person() {
    let app = App::new().await;
    let channel = app.channel("BR-A").await;
    let employers = [app.employer("Satu").await, app.employer("Dua").await];
    for n in 0..20 {
        app.enrolled(&Person::new(&channel).at(&employers[n % 2])).await;
    }
    let listed = app.ask("{ participants(first: 20) { nodes { id cardNumber } } }", json!({})).await;
    let people = listed["participants"]["nodes"].as_array().unwrap();
    let clients = [app.administrator().await, app.partner(&employers[0]).await];
    let by_id = "query ($key: ID!) { node(id: $key) { id ... on Participant { cardNumber } } }";
    let by_card = "query ($key: String!) { node: participant(by: {cardNumber: $key}) { id cardNumber } }";
    let asked = clients.iter().flat_map(|token| {
        let (app, queries) = (&app, [(by_id, "id"), (by_card, "cardNumber")]);
        queries.into_iter().flat_map(move |(query, key)| {
            people.iter().map(move |person| app.ask_as(token, query, json!({"key": person[key]})))
        })
    });
    let (answers, statements) = sent(futures_util::future::join_all(asked)).await;
    for (n, answer) in answers.iter().enumerate() {
        let is_seen = n < 40 || n % 2 == 0;
        let expected = if is_seen { people[n % 20].clone() } else { Value::Null };
        assert_eq!(answer["node"], expected, "{n}");
    }
    let is_read =
        |statement: &&String| ["select p.id", "select q.misses"].iter().any(|of| statement.contains(of));
    let reads = statements.iter().filter(is_read).count();
    assert!((4..80).contains(&reads), "{reads} statements for 80 lookups");
    let shown = "select sum(cardinality(subjects))::bigint from audit_entry where operation in ('node', 'participant')";
    assert_eq!(app.count(shown).await, 60);
}
