//! Partitions of the audit trail: made ahead, detached by order, and verified without them and with them.

use chrono::{DateTime, Utc};
use domain::audit::Tampering;
use participant_registry::store::audit::partition::{Detachment, detach_older};
use participant_registry::store::audit::seal::{Verified, seal, verify};
use participant_registry::store::keys::{KeyRing, Keys};
use participant_registry::store::partition::add_audit;
use participant_registry::store::rotation::rotate;

use crate::support::{App, Person, json};

/// The first id of the second partition.
const BOUND: i64 = 10_000_000;

async fn read(app: &App) {
    app.ask("{ participants { nodes { id } } }", json!({})).await;
}

/// Two entries in the first partition and one in the second, not sealed.
async fn app_with_entries() -> App {
    let app = App::under_its_owner().await;
    app.enrolled(&Person::new(&app.channel("BR-PLG").await)).await;
    read(&app).await;
    app.owner("select setval('audit_entry_id_seq', 9999999)").await;
    read(&app).await;
    assert_eq!(app.count("select count(*) from audit_entry_0").await, 2);
    assert_eq!(app.count("select max(id) from audit_entry_1").await, BOUND);
    app
}

async fn seal_all(app: &App) {
    app.wait_until_all_can_be_sealed().await;
    seal(&app.database).await.unwrap();
}

async fn verified(app: &App) -> Result<Verified, Tampering> {
    verify(&app.database, None).await.unwrap()
}

/// Detaches what is older than tomorrow.
async fn detach(app: &App) -> Vec<(String, Detachment)> {
    let tomorrow = "select clock_timestamp() + interval '1 day'";
    let tomorrow: DateTime<Utc> = sqlx::query_scalar(tomorrow).fetch_one(&app.sql).await.unwrap();
    detach_older_than(app, tomorrow).await
}

async fn detach_older_than(app: &App, moment: DateTime<Utc>) -> Vec<(String, Detachment)> {
    let mut owner = app.database.maintenance().await.unwrap();
    detach_older(&mut owner, &app.database.keys, moment).await.unwrap()
}

#[tokio::test]
async fn the_trail_is_verified_without_a_detached_partition_and_with_it_again() {
    let app = app_with_entries().await;
    // Entries that are not sealed, that are young, or in a partition that is not full stay.
    assert_eq!(detach(&app).await, []);
    seal_all(&app).await;
    assert_eq!(detach_older_than(&app, DateTime::UNIX_EPOCH).await, []);
    let whole = verified(&app).await.unwrap();
    assert_eq!((whole.sealed, whole.detached), (3, 0));

    let detached = detach(&app).await;
    let [(table, Detachment { first_id: 0, before_id: BOUND, entries: 2, .. })] = detached.as_slice() else {
        panic!("{detached:?}")
    };
    assert_eq!(table, "audit_entry_0");
    let rest = verified(&app).await.unwrap();
    assert_eq!((rest.sealed, rest.detached, rest.head), (1, 2, whole.head));
    // The trail goes on.
    read(&app).await;
    seal_all(&app).await;
    assert_eq!(verified(&app).await.unwrap().sealed, 2);

    let attach =
        "alter table audit_entry attach partition audit_entry_0 for values from (minvalue) to (10000000)";
    app.owner(attach).await;
    let again = verified(&app).await.unwrap();
    assert_eq!((again.sealed, again.detached), (4, 0));
    app.owner(
        "alter table audit_entry_0 disable trigger user; update audit_entry_0 set client = 'x' where id = 2",
    )
    .await;
    assert_eq!(verified(&app).await, Err(Tampering::Edited(2)));
}

#[tokio::test]
async fn a_partition_that_is_detached_without_the_key_is_a_deletion() {
    let app = app_with_entries().await;
    seal_all(&app).await;
    app.owner("alter table audit_entry detach partition audit_entry_0").await;
    assert_eq!(verified(&app).await, Err(Tampering::Deleted(1)));
    app.owner(
        "insert into audit_detachment (first_id, before_id, entries, detached_at, key_id, signature)
         select 0, 10000000, 2, now(), key_id, signature from audit_seal where number = 1",
    )
    .await;
    assert_eq!(verified(&app).await, Err(Tampering::Deleted(1)));
}

#[tokio::test]
async fn an_entry_that_is_deleted_from_another_partition_is_still_found() {
    let app = app_with_entries().await;
    seal_all(&app).await;
    assert_eq!(detach(&app).await.len(), 1);
    app.owner("alter table audit_entry disable trigger user; delete from audit_entry where id = 10000000")
        .await;
    assert_eq!(verified(&app).await, Err(Tampering::Deleted(BOUND)));
}

#[tokio::test]
async fn a_detachment_outlives_a_rotation_of_the_key() {
    let app = app_with_entries().await;
    seal_all(&app).await;
    assert_eq!(detach(&app).await.len(), 1);
    let ring = || KeyRing { newest: Keys::derive(&[9; 32]), previous: Some(Keys::derive(&[7; 32])) };
    rotate(&mut app.database.maintenance().await.unwrap(), &ring(), |_| {}).await.unwrap();
    let after = app.second_process_with_keys(ring()).await;
    assert_eq!(verified(&after).await.unwrap().detached, 2);
}

#[tokio::test]
async fn partitions_are_made_ahead_of_the_entries_and_the_writer_reaches_them_by_the_trail_alone() {
    let app = App::new().await;
    app.enrolled(&Person::new(&app.channel("BR-PLG").await)).await;
    assert_eq!(add_audit(&app.database.control).await.unwrap(), 0);
    app.owner("select setval('audit_entry_id_seq', 29999999)").await;
    assert_eq!(add_audit(&app.database.control).await.unwrap(), 2);
    assert_eq!(add_audit(&app.database.control).await.unwrap(), 0);
    read(&app).await;
    assert_eq!(
        app.count("select count(*) from audit_entry_3 where id = 30000000 or outcome = 'READ'").await,
        1
    );
    for denied in
        ["select count(*) from audit_entry_3", "delete from audit_entry_0", "update audit_entry_3 set id = 1"]
    {
        let error = sqlx::query(denied).execute(&app.database.writer).await.expect_err(denied);
        let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
        assert_eq!(code.as_deref(), Some("42501"), "{denied}");
    }
    // A partition keeps its entries from its owner too.
    let owner = sqlx::query("delete from audit_entry_3").execute(&app.sql).await.expect_err("refused");
    assert!(owner.to_string().contains("only be added to"), "{owner}");
}

#[tokio::test]
async fn an_entry_that_finds_no_partition_makes_it() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    app.enrolled(&Person::new(&channel)).await;
    let partitions = "select count(*) from pg_inherits where inhparent = 'audit_entry'::regclass";
    let before = app.count(partitions).await;
    // No server has made them: the first request that needs one does, a query as well as a mutation.
    app.owner("select setval('audit_entry_id_seq', 89999999)").await;
    read(&app).await;
    let between = app.count(partitions).await;
    app.owner("select setval('audit_entry_id_seq', 189999999)").await;
    app.enrolled(&Person::new(&channel)).await;
    assert!(before < between && between < app.count(partitions).await, "{before} {between}");
}
