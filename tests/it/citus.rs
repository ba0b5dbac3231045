//! What only a Citus cluster shows. With `CITUS_TEST_URL` the other tests run on the cluster too: CONTRIBUTING.md has the
//! command, because no CI machine has a cluster.

use std::process::Command;

use domain::actor::Role;
use participant_registry::store::audit::seal::{seal, verify};
use participant_registry::store::distribution::DISTRIBUTED;
use participant_registry::store::migration::{LockWait, apply_migrations};
use participant_registry::store::partition::add_events;
use sqlx::ConnectOptions as _;

use crate::distribution::Scene;
use crate::support::citus::ON_ONE_SERVER;
use crate::support::statements::sent;
use crate::support::{App, Person, TokenScope, json, row};

#[test]
fn tests_that_do_not_apply_on_a_cluster_exist() {
    let list = Command::new(std::env::current_exe().unwrap()).args(["--list", "--format", "terse"]).output();
    let tests = String::from_utf8(list.unwrap().stdout).unwrap();
    for (beginning, reason) in ON_ONE_SERVER {
        assert!(tests.lines().any(|test| test.starts_with(beginning)), "{beginning}: {reason}");
    }
}

#[tokio::test]
#[ignore = "needs a Citus cluster: CITUS_TEST_URL, see CONTRIBUTING.md"]
async fn the_tables_of_people_are_distributed_as_declared() {
    let app = App::new().await;
    let layout = "select c.relname::text, a.attname::text from pg_dist_partition d
                  join pg_class c on c.oid = d.logicalrelid
                  join pg_attribute a on a.attrelid = c.oid
                       and a.attname = column_to_column_name(d.logicalrelid, d.partkey)
                  where d.partmethod = 'h' and not c.relispartition order by 1";
    let layout: Vec<(String, String)> = sqlx::query_as(layout).fetch_all(&app.sql).await.unwrap();
    let mut declared = DISTRIBUTED.map(|(table, column)| (table.to_owned(), column.to_owned()));
    declared.sort();
    assert_eq!(layout, declared);
    // Another migration finds everything in place.
    let options = app.owner_options();
    apply_migrations(&mut options.connect().await.unwrap(), &options, LockWait::default()).await.unwrap();
}

#[tokio::test]
#[ignore = "needs a Citus cluster: CITUS_TEST_URL, see CONTRIBUTING.md"]
async fn a_mutation_enrolls_8000_people_on_the_workers() {
    let Scene { app, .. } = Scene::new(App::new().await).await;
    a_lookup_by_number_finds_its_person_within_the_scope(&app).await;
    a_nested_query_takes_as_many_statements_as_on_one_node(&app).await;
    a_mutation_enrolls_8000(&app).await;
    app.fold().await;
    let recounted = app.recount().await;
    assert_eq!((recounted.people, recounted.different), (8_004, 0));
    seal(&app.database).await.unwrap().expect("entries to seal");
    assert!(verify(&app.database, None).await.unwrap().is_ok());
    a_partition_of_events_is_detached_and_attached_again(&app).await;
}

async fn a_lookup_by_number_finds_its_person_within_the_scope(app: &App) {
    let person = Person::new("BR-TWO").with("provinceCode", json!("16"));
    let id = app.enrolled(&person).await;
    let query = "query ($number: String!) { participant(by: {nationalId: $number}) { id } }";
    let number = json!({"number": person.0["nationalId"]});
    let officer = |code: &str| {
        app.token(Role::Officer, TokenScope { provinces: vec![code.to_owned()], ..TokenScope::default() })
    };
    let (inside, outside) = (officer("16").await, officer("15").await);
    assert_eq!(app.ask_as(&inside, query, number.clone()).await["participant"]["id"], json!(id));
    assert_eq!(app.ask_as(&outside, query, number).await["participant"], json!(null));
}

async fn a_nested_query_takes_as_many_statements_as_on_one_node(app: &App) {
    let query = "{ participants(first: 3) { nodes { enrollments(first: 2) { nodes { status } } } } }";
    let (_, statements) = sent(app.ask(query, json!({}))).await;
    // People, enrollments and the audit entry.
    assert_eq!(statements.len(), 3, "{statements:?}");
}

async fn a_mutation_enrolls_8000(app: &App) {
    let government = app.government("Pemda Besar").await;
    let rows: Vec<_> = (0..8_000).map(row).collect();
    let input = json!({"employerId": government, "channelCode": "BR-ONE", "provinceCode": "16",
        "startsOn": "2014-11-01", "rows": rows});
    let onboard = "mutation ($v: OnboardCivilServantsInput!) { onboardCivilServants(input: $v) {
        batch { counts { enrolled } } errors { message } } }";
    let answer = app.ask(onboard, json!({"v": input})).await;
    assert_eq!(answer["onboardCivilServants"]["batch"]["counts"]["enrolled"], 8_000, "{answer}");
}

async fn a_partition_of_events_is_detached_and_attached_again(app: &App) {
    let local = "select count(*) from pg_inherits where inhparent = 'participant_event'::regclass
                 and not exists (select from pg_dist_partition d where d.logicalrelid = inhrelid)";
    let events = "select count(*) from participant_event";
    app.fill_partition().await;
    let before = app.count(events).await;
    let id = app.enrolled(&Person::new("BR-TWO")).await;
    // The role that writes makes the next one, on the workers too.
    assert_eq!(add_events(&app.database.control).await.unwrap(), 1);
    assert_eq!(app.count(local).await, 0);
    let whole = app.count(events).await;
    let detached = app.detach_events().await;
    assert_eq!((detached[0].events, app.count(events).await), (before, whole - before));
    let history =
        "query ($id: ID!) { participant(by: {id: $id}) { eventsDetachedUntil events { totalCount } } }";
    let history = app.ask(history, json!({"id": id})).await["participant"].take();
    assert_eq!(history, json!({"eventsDetachedUntil": null, "events": {"totalCount": whole - before}}));
    assert_eq!(app.recount().await.differences, []);
    app.attach_events("participant_event_0").await.unwrap();
    assert_eq!((app.count(events).await, app.count(local).await), (whole, 0));
    assert_eq!(app.recount().await.different, 0);
}
