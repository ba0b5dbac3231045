//! The audit trail: a request that reads or changes people writes its entry before the answer, or it gets no answer.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use domain::actor::Role;
use domain::audit::AuditOutcome;
use futures_util::future::try_join_all;
use participant_registry::graphql::node_id;
use participant_registry::store::audit::NewEntry;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::support::{App, Person, TokenScope, Value, json, row};

/// An entry: client, outcome, operation, people.
type Entry = (String, String, String, Vec<i64>);

impl App {
    /// Returns the entries since the last call, in order.
    pub async fn entries(&self, since: &mut i64) -> Vec<Entry> {
        let rows: Vec<(i64, String, String, String, Vec<i64>)> = sqlx::query_as(
            "select id, client, outcome::text, operation, subjects from audit_entry where id > $1 order by id",
        )
        .bind(*since)
        .fetch_all(&self.sql)
        .await
        .unwrap();
        *since = rows.last().map_or(*since, |row| row.0);
        rows.into_iter()
            .map(|(_, client, outcome, operation, people)| (client, outcome, operation, people))
            .collect()
    }

    pub async fn owner(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&self.sql).await.unwrap();
    }

    /// Waits for open transactions of other tests, which delay sealing, because PostgreSQL numbers the transactions of all
    /// databases together.
    pub async fn wait_until_all_can_be_sealed(&self) {
        let all = "select bool_and(transaction < pg_snapshot_xmin(pg_current_snapshot())) from audit_entry";
        while !sqlx::query_scalar::<_, bool>(all).fetch_one(&self.sql).await.unwrap() {}
    }
}

fn entry(outcome: &str, operation: &str, people: &[i64]) -> Vec<Entry> {
    vec![("ADMINISTRATOR".into(), outcome.into(), operation.into(), people.to_vec())]
}

/// Enrolls two people of one employer. Returns their ids and their database ids.
async fn two_people() -> (App, [String; 2], [i64; 2]) {
    let app = App::new().await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.government("Pemerintah").await);
    let ids = [
        app.enrolled(&Person::new(&channel).at(&employer)).await,
        app.enrolled(&Person::new(&channel).at(&employer)).await,
    ];
    let keys = ids.each_ref().map(|id| node_id::participant_id(id).unwrap());
    (app, ids, keys)
}

#[tokio::test]
async fn each_query_for_people_writes_one_entry_with_exactly_those_people() {
    let (app, ids, [a, b]) = two_people().await;
    let mut since = 0;
    app.entries(&mut since).await;
    let card = app.ask("query ($id: ID!) { participant(by: {id: $id}) { cardNumber enrollments { nodes { id } } events { nodes { id } } } }",
        json!({"id": ids[0]})).await;
    assert_eq!(app.entries(&mut since).await, entry("READ", "participant", &[a]));
    let person = &card["participant"];
    let enrollment = &person["enrollments"]["nodes"][0]["id"];
    let event = &person["events"]["nodes"][0]["id"];
    for (query, variables, operation, people) in [
        ("{ participants { nodes { fullName } } }", json!({}), "participants", &[a, b][..]),
        ("{ participants(first: 1) { nodes { fullName } } }", json!({}), "participants", &[a]),
        ("{ participants(first: 1) { pageInfo { endCursor } } }", json!({}), "participants", &[a]),
        ("{ x: participants(last: 1) { edges { node { id } } } }", json!({}), "participants", &[b]),
        (
            "query ($c: String!) { participant(by: {cardNumber: $c}) { id } }",
            json!({"c": person["cardNumber"]}),
            "participant",
            &[a],
        ),
        ("query ($id: ID!) { node(id: $id) { id } }", json!({"id": ids[1]}), "node", &[b]),
        ("query ($id: ID!) { node(id: $id) { id } }", json!({"id": enrollment}), "node", &[a]),
        ("query ($id: ID!) { node(id: $id) { id } }", json!({"id": event}), "node", &[a]),
        ("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", json!({"ids": ids}), "nodes", &[a, b]),
        ("{ employers { nodes { participants { nodes { id } } } } }", json!({}), "employers", &[a, b]),
        (
            "{ provinces { participants(first: 1) { nodes { id } } } viewer { name } }",
            json!({}),
            "provinces viewer",
            &[a],
        ),
        // GraphQL merges two selections of one field, so the entry has both.
        ("{ participants { totalCount } participants { nodes { id } } }", json!({}), "participants", &[a, b]),
    ] {
        app.ask(query, variables).await;
        assert_eq!(app.entries(&mut since).await, entry("READ", operation, people), "{query}");
    }
}

#[tokio::test]
async fn counts_and_missing_records_write_no_entry() {
    let (app, ..) = two_people().await;
    let mut since = 0;
    app.entries(&mut since).await;
    for query in [
        "{ participants { totalCount } }",
        "{ employers { nodes { name counts { total } participants { totalCount } } } }",
        "{ provinces { counts { active } } channels { nodes { counts { total } } } }",
        "{ onboardingBatches { nodes { counts { received } rows { totalCount } } } }",
        "{ participant(by: {nationalId: \"1671010208850001\"}) { id } }",
        "{ viewer { name } clients { nodes { name } } }",
    ] {
        app.ask(query, json!({})).await;
        assert_eq!(app.entries(&mut since).await, [], "{query}");
    }
}

#[tokio::test]
async fn a_mutation_writes_one_entry_and_its_payload_no_further_one() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let mut since = 0;
    let form = Person::new(&channel).with("idempotencyKey", json!("0123456789abcdef"));
    let id = node_id::participant_id(&app.enrolled(&form).await).unwrap();
    assert_eq!(app.entries(&mut since).await, entry("WRITTEN", "enrollParticipant", &[id]));
    // A replay shows the person and writes nothing.
    app.enrolled(&form).await;
    assert_eq!(app.entries(&mut since).await, entry("READ", "enrollParticipant", &[id]));
    // The refusal reveals that the person is registered.
    let again = form.clone().with("idempotencyKey", Value::Null);
    assert_eq!(app.enroll(&again).await["errors"][0]["code"], "ALREADY_ENROLLED");
    assert_eq!(app.entries(&mut since).await, entry("READ", "enrollParticipant", &[id]));
    // So does a refusal that depends on registered data.
    let other = again.with("fullName", json!("Agus Wijaya"));
    assert_eq!(app.enroll(&other).await["errors"][0]["code"], "IDENTITY_MISMATCH");
    assert_eq!(app.entries(&mut since).await, entry("READ", "enrollParticipant", &[id]));
}

#[tokio::test]
async fn a_batch_writes_one_entry_with_all_its_people() {
    let app = App::new().await;
    let (employer, channel) = (app.government("Pemerintah").await, app.channel("BR-PLG").await);
    let query = "mutation ($v: OnboardCivilServantsInput!) { onboardCivilServants(input: $v) { batch { id counts { enrolled }
        rows(first: 3) { nodes { participant { fullName } } } } errors { code } } }";
    let rows: Vec<Value> = (1..=200).map(row).collect();
    let input = json!({"employerId": employer, "channelCode": channel, "provinceCode": "16", "startsOn": "2014-11-01", "rows": rows});
    let (mut since, everybody) = (0, "select id from participant order by id");
    let data = app.ask(query, json!({"v": input})).await;
    let people: Vec<i64> = sqlx::query_scalar(everybody).fetch_all(&app.sql).await.unwrap();
    assert_eq!(people.len(), 200);
    assert_eq!(app.entries(&mut since).await, entry("WRITTEN", "onboardCivilServants", &people));
    let id = &data["onboardCivilServants"]["batch"]["id"];
    let rows = "query ($id: ID!) { node(id: $id) { ... on OnboardingBatch { rows(first: 2) { nodes { number } } } } }";
    app.ask(rows, json!({"id": id})).await;
    let first = "select participant_id from onboarding_row where number <= 2 order by participant_id";
    let first: Vec<i64> = sqlx::query_scalar(first).fetch_all(&app.sql).await.unwrap();
    assert_eq!(app.entries(&mut since).await, entry("READ", "node", &first));
    // One row is refused because of registered data, so nothing is written. But the answer reveals who is registered.
    let mut mixed = json!([row(1), row(300)]);
    mixed[0]["fullName"] = json!("Agus Wijaya");
    let input = json!({"employerId": employer, "channelCode": channel, "provinceCode": "16", "startsOn": "2014-11-01",
        "rows": mixed, "allOrNothing": true});
    app.ask(query, json!({"v": input})).await;
    assert_eq!(app.count("select count(*) from participant").await, 200);
    let known = "select participant_id from onboarding_row where number = 1";
    let known: Vec<i64> = sqlx::query_scalar(known).fetch_all(&app.sql).await.unwrap();
    assert_eq!(app.entries(&mut since).await, entry("READ", "onboardCivilServants", &known));
}

#[tokio::test]
async fn entries_that_share_a_statement_name_their_own_people() {
    let app = App::new().await;
    let lists = [&[4_i64, 5, 9][..], &[], &[1], &[i64::MAX], &[], &[4, 5], &[]];
    // On one thread all of them come before the first is written, so they share its statement.
    let record = |people: &[i64]| {
        app.database.journal.record(NewEntry {
            client: "X".into(),
            role: Role::Officer,
            outcome: AuditOutcome::Read,
            // Only such a read may name nobody.
            operation: "onboardingReport b rows=1".into(),
            purpose: None,
            subjects: people.to_vec(),
            request_id: Uuid::now_v7(),
        })
    };
    try_join_all(lists.map(record)).await.unwrap();
    assert_eq!(app.count("select count(distinct transaction::text) from audit_entry").await, 1);
    let written = app.entries(&mut 0).await;
    assert_eq!(written.iter().map(|(.., people)| people.as_slice()).collect::<Vec<_>>(), lists);
    let from_one = "select bool_and(array_lower(subjects, 1) = 1) from audit_entry where subjects <> '{}'";
    assert!(sqlx::query_scalar::<_, bool>(from_one).fetch_one(&app.sql).await.unwrap());
}

#[tokio::test]
async fn an_entry_names_the_client_the_purpose_and_the_request() {
    let (app, ..) = two_people().await;
    let token =
        app.token(Role::Officer, TokenScope { provinces: vec!["16".into()], ..TokenScope::default() }).await;
    let request = Request::post("/graphql")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header("x-purpose", "  claim 4711 ")
        .body(Body::from(r#"{"query":"{ participants { nodes { fullName } } }"}"#));
    let reply = app.send(request.unwrap()).await;
    let entry: (String, String, Option<String>, String) = sqlx::query_as(
        "select client, role::text, purpose, request_id::text from audit_entry order by id desc limit 1",
    )
    .fetch_one(&app.sql)
    .await
    .unwrap();
    let id = reply.headers["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(entry, ("OFFICER-16".into(), "OFFICER".into(), Some("claim 4711".into()), id));
    // The entry has the ids of people, but neither names nor identity numbers.
    let entries: String = sqlx::query_scalar("select string_agg(a::text, ' ') from audit_entry a")
        .fetch_one(&app.sql)
        .await
        .unwrap();
    assert!(!entries.contains("Siti") && !entries.contains("1671"), "{entries}");
}

#[tokio::test]
async fn a_request_fails_if_its_entry_cannot_be_written() {
    let (app, ids, _) = two_people().await;
    let token = app.administrator().await;
    let channel = app.channel("BR-TWO").await;
    app.owner("revoke insert on audit_entry from registry_writer").await;
    let (by_id, list) =
        ("query ($id: ID!) { node(id: $id) { id } }", "{ participants { nodes { fullName } } }");
    for (query, variables) in [(list, json!({})), (by_id, json!({"id": ids[0]}))] {
        let reply = app.post(&token, query, variables).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{}", reply.body);
        assert_eq!(reply.body["errors"][0]["extensions"]["code"], "UNAVAILABLE");
        assert_eq!(reply.body["data"], Value::Null);
        assert!(!reply.body.to_string().contains("Siti"), "{}", reply.body);
    }
    let before = app.count("select count(*) from participant").await;
    let form = "mutation ($v: EnrollParticipantInput!) { enrollParticipant(input: $v) { participant { fullName } } }";
    let reply = app.post(&token, form, json!({"v": Person::new(&channel).0})).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{}", reply.body);
    assert_eq!(app.count("select count(*) from participant").await, before);
    // Queries without people still work. Everything works again after the repair.
    app.ask("{ participants { totalCount } viewer { name } }", json!({})).await;
    app.owner("grant insert (client, role, outcome, operation, purpose, subjects, request_id) on audit_entry to registry_writer").await;
    app.ask(list, json!({})).await;
}

#[tokio::test]
async fn entries_and_seals_are_append_only() {
    let (app, ..) = two_people().await;
    let code =
        |error: sqlx::Error| error.as_database_error().and_then(|e| e.code().map(|code| code.into_owned()));
    for table in ["audit_entry", "audit_entry_0", "audit_seal"] {
        for change in [
            format!("update {table} set id = id"),
            format!("delete from {table}"),
            format!("truncate {table}"),
        ] {
            let change = change.replace("audit_seal set id = id", "audit_seal set number = number");
            let writer =
                sqlx::raw_sql(AssertSqlSafe(change.clone())).execute(&app.sql).await.expect_err("refused");
            assert_eq!(code(writer).as_deref(), Some("42501"), "{change} by the owner");
            let writer = sqlx::query(AssertSqlSafe(change.clone())).execute(&app.database.writer).await;
            assert_eq!(
                code(writer.expect_err("refused")).as_deref(),
                Some("42501"),
                "{change} by the writer"
            );
        }
    }
    // The writer cannot set the time, the order or the transaction of an entry either.
    for column in ["id", "at", "transaction"] {
        let insert = format!(
            "insert into audit_entry ({column}, client, role, outcome, operation, subjects, request_id)
             select {column}, client, role, outcome, operation, subjects, request_id from audit_entry limit 1"
        );
        let error = sqlx::query(AssertSqlSafe(insert)).execute(&app.database.writer).await.expect_err(column);
        assert_eq!(code(error).as_deref(), Some("42501"), "{column}");
    }
}

#[tokio::test]
async fn the_entry_of_a_client_that_disconnects_is_still_written() {
    let (app, _, [a, b]) = two_people().await;
    let mut since = 0;
    app.entries(&mut since).await;
    let token = app.administrator().await;
    // A lock delays the entry, and the answer waits for it.
    let mut lock = app.sql.begin().await.unwrap();
    sqlx::raw_sql("lock table audit_entry in exclusive mode").execute(&mut *lock).await.unwrap();
    let mut asked = Box::pin(app.post(&token, "{ participants { nodes { id } } }", json!({})));
    let waiting = "select count(*) from pg_locks where relation = 'audit_entry'::regclass and not granted";
    loop {
        tokio::select! {
            reply = &mut asked => panic!("an answer ahead of its entry: {}", reply.body),
            () = tokio::task::yield_now() => {}
        }
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut *lock).await.unwrap();
        if waiting > 0 {
            break;
        }
    }
    drop(asked);
    lock.rollback().await.unwrap();
    // The write does not end with the request: the next entry follows it.
    app.ask("{ participants(first: 1) { nodes { id } } }", json!({})).await;
    let entries = app.entries(&mut since).await;
    assert_eq!(
        entries,
        [entry("READ", "participants", &[a, b]), entry("READ", "participants", &[a])].concat()
    );
}

#[tokio::test]
async fn auditors_page_through_entries_without_seeing_personal_data() {
    let (app, ids, _) = two_people().await;
    let auditor = app.token(Role::Auditor, TokenScope::default()).await;
    app.ask(
        "{ participants { nodes { fullName } } employers { nodes { participants { nodes { id } } } } }",
        json!({}),
    )
    .await;
    app.ask("query ($id: ID!) { node(id: $id) { id } }", json!({"id": ids[0]})).await;
    let entries = "query ($n: Int, $after: String, $by: AuditFilter) { auditEntries(first: $n, after: $after, filterBy: $by) {
        totalCount pageInfo { endCursor hasNextPage } nodes { id at actor role operation purpose subjects outcome requestId } } }";
    let before = app.count("select count(*) from audit_entry").await;
    let page = app.ask_as(&auditor, entries, json!({"n": 1})).await["auditEntries"].take();
    assert_eq!((&page["totalCount"], &page["pageInfo"]["hasNextPage"]), (&json!(before), &json!(true)));
    let newest = &page["nodes"][0];
    assert_eq!(
        (&newest["operation"], &newest["subjects"], &newest["outcome"]),
        (&json!("node"), &json!(1), &json!("READ"))
    );
    assert_eq!(
        (&newest["actor"], &newest["role"], &newest["purpose"]),
        (&json!("ADMINISTRATOR"), &json!("ADMINISTRATOR"), &Value::Null)
    );
    let node = "query ($id: ID!) { node(id: $id) { ... on AuditEntry { id requestId } } }";
    let same = app.ask_as(&auditor, node, json!({"id": newest["id"]})).await;
    assert_eq!(same["node"]["requestId"], newest["requestId"]);
    let next = json!({"n": 1, "after": page["pageInfo"]["endCursor"]});
    let next = app.ask_as(&auditor, entries, next).await["auditEntries"]["nodes"][0].take();
    assert_eq!((&next["operation"], &next["subjects"]), (&json!("employers participants"), &json!(2)));
    for (filter, count) in [
        (json!({"participantId": ids[0]}), before - 1),
        (json!({"participantId": ids[0], "operation": "participants"}), 1),
        (json!({"operation": "enrollParticipant"}), 2),
        (json!({"operation": "enroll"}), 0),
        (json!({"actor": "ADMINISTRATOR"}), before),
        (json!({"actor": "AUDITOR"}), 0),
        (json!({"from": next["at"], "until": "9999-12-31T00:00:00Z"}), 2),
        (json!({"until": "2014-10-02T00:00:00Z"}), 0),
    ] {
        let found = app.ask_as(&auditor, entries, json!({"by": filter})).await;
        assert_eq!(found["auditEntries"]["totalCount"], count, "{filter}");
    }
    assert_eq!(app.refused(&auditor, entries, json!({"by": {"participantId": "x"}})).await, "BAD_ID");
    assert_eq!(
        app.refused(&auditor, entries, json!({"by": {"from": "+12014-10-02T00:00:00Z"}})).await,
        "BAD_FILTER"
    );
    assert_eq!(
        app.count("select count(*) from audit_entry").await,
        before,
        "reading the trail does not read people"
    );
    // No other role reads the trail through any path.
    for role in [Role::Officer, Role::Approver, Role::Analyst, Role::LicensingDesk] {
        let token = app.token(role, TokenScope::default()).await;
        assert_eq!(app.refused(&token, entries, json!({})).await, "FORBIDDEN", "{role}");
        assert_eq!(
            app.ask_as(&token, node, json!({"id": newest["id"]})).await["node"],
            json!(null),
            "{role}"
        );
    }
}

#[tokio::test]
async fn a_page_of_size_zero_reveals_nothing_and_writes_no_entry() {
    let app = App::new().await;
    app.enrolled(&Person::new(&app.channel("BR-PLG").await)).await;
    let before = app.count("select count(*) from audit_entry").await;
    let page =
        app.ask("{ participants(first: 0) { pageInfo { hasNextPage hasPreviousPage } } }", json!({})).await;
    let nothing = json!({"hasNextPage": false, "hasPreviousPage": false});
    assert_eq!(page["participants"]["pageInfo"], nothing);
    assert_eq!(app.count("select count(*) from audit_entry").await, before);
}

#[tokio::test]
async fn a_guessed_service_number_is_audited_with_its_owner() {
    let app = App::new().await;
    let (employer, channel) = (app.government("Pemerintah").await, app.channel("BR-PLG").await);
    let onboard = "mutation ($input: OnboardCivilServantsInput!) { onboardCivilServants(input: $input) {
        batch { id rows(first: 2) { nodes { problems { code path } } } } errors { code } } }";
    let input = |rows: Value, all: bool| {
        json!({"input": {"employerId": employer, "channelCode": channel, "provinceCode": "16",
                         "startsOn": "2014-11-01", "allOrNothing": all, "rows": rows}})
    };
    app.ask(onboard, input(json!([row(1)]), false)).await;
    let owner = app.count("select id from participant").await;
    let entries =
        "select count(*) from audit_entry where outcome = 'READ' and operation = 'onboardCivilServants'";
    let mut guess = row(2);
    guess["serviceNumber"] = row(1)["serviceNumber"].clone();
    guess["birthDate"] = row(1)["birthDate"].clone();
    guess["nationalId"] = json!("1671010208600777");
    let refused = app.ask(onboard, input(json!([guess]), true)).await["onboardCivilServants"].take();
    assert_eq!(refused["errors"][0]["code"], "IDENTITY_MISMATCH", "{refused}");
    assert_eq!(app.count(entries).await, 1);
    let named = "select count(*) from audit_entry where outcome = 'READ' and subjects @> array[1::bigint]";
    assert_eq!((owner, app.count(named).await), (1, 1));
}
