//! Seals reveal every change of the audit trail that bypasses the registry.

use domain::audit::{Hash, Tampering};
use domain::page::{Direction, Order, Page};
use participant_registry::graphql::node_id;
use participant_registry::store::Database;
use participant_registry::store::audit::chain::head;
use participant_registry::store::audit::seal::{Verified, seal, verify};
use participant_registry::store::audit::{self, EntryFilter};
use participant_registry::store::database::PoolSettings;
use participant_registry::store::keys::{KeyRing, Keys};
use participant_registry::store::rotation::rotate;

use crate::support::{App, Person, json};

/// Enrolls two people. Their three entries can be sealed, because no older transaction is open.
async fn app_with_entries() -> App {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    app.enrolled(&Person::new(&channel)).await;
    app.enrolled(&Person::new(&channel)).await;
    read(&app).await;
    app
}

async fn read(app: &App) {
    app.ask("{ participants { nodes { id } } }", json!({})).await;
}

/// Seals all open entries and returns the head.
async fn seal_all(app: &App) -> Hash {
    app.wait_until_all_can_be_sealed().await;
    seal(&app.database).await.unwrap();
    assert_eq!(verified(app, None).await.unwrap().unsealed, 0);
    head(&app.database.control).await.unwrap().expect("a seal").hash
}

async fn verified(app: &App, head: Option<&Hash>) -> Result<Verified, Tampering> {
    verify(&app.database, head).await.unwrap()
}

/// Takes the triggers away that keep the owner from changing the trail. Each partition has one.
const WITHOUT_TRIGGERS: &str = "do $$ declare name text; begin
    for name in select relname from pg_class where relkind in ('r', 'p') and relname ~ '^audit_(entry|seal|detachment)' loop
        execute format('alter table %I disable trigger user', name);
    end loop; end $$";

/// Changes the trail as the owner of the database, which the registry's login cannot, and verifies it.
async fn tampered(app: &App, change: &'static str) -> Tampering {
    app.owner(WITHOUT_TRIGGERS).await;
    app.owner(change).await;
    app.owner("alter table audit_entry enable trigger user; alter table audit_seal enable trigger user")
        .await;
    verified(app, None).await.expect_err(change)
}

#[tokio::test]
async fn a_seal_covers_a_bounded_number_of_people_and_at_least_one_entry() {
    let app = app_with_entries().await;
    // An export leaves entries with thousands of people.
    app.owner(
        "insert into audit_entry (at, client, role, outcome, operation, subjects, request_id)
         select clock_timestamp(), 'x', 'OFFICER', 'READ', 'export participants.csv',
                array(select generate_series(1, size)), gen_random_uuid()
         from (values (60000), (60000), (150000), (10)) sizes(size)",
    )
    .await;
    seal_all(&app).await;
    let whole = verified(&app, None).await.unwrap();
    // Two entries reach the bound; the third is longer than the bound, and alone reaches it.
    assert_eq!((whole.seals, whole.sealed), (3, 7));
}

#[tokio::test]
async fn an_untouched_trail_verifies() {
    let app = app_with_entries().await;
    let empty = verified(&app, None).await.unwrap();
    assert_eq!((empty.seals, empty.sealed, empty.unsealed), (0, 0, 3));
    let first = seal_all(&app).await;
    read(&app).await;
    let second = seal_all(&app).await;
    let whole = verified(&app, Some(&first)).await.unwrap();
    assert_eq!((whole.sealed, whole.unsealed, whole.head), (4, 0, second));
    // Without new entries there is nothing to seal.
    assert_eq!(seal(&app.database).await.unwrap(), None);
}

#[tokio::test]
async fn an_edited_entry_is_detected() {
    for change in [
        "update audit_entry set client = 'somebody else' where id = 2",
        "update audit_entry set subjects = '{77}' where id = 2",
        "update audit_entry set purpose = 'x' where id = 2",
        "update audit_entry set at = at - interval '1 microsecond' where id = 2",
    ] {
        let app = app_with_entries().await;
        seal_all(&app).await;
        assert_eq!(tampered(&app, change).await, Tampering::Edited(2));
    }
}

#[tokio::test]
async fn deleted_inserted_and_moved_entries_are_detected() {
    let insert = "insert into audit_entry (id, transaction, client, role, outcome, operation, subjects, request_id)
        select 100, transaction, client, role, outcome, operation, subjects, request_id from audit_entry where id = 1";
    let swap = "update audit_entry a set client = b.client, outcome = b.outcome, operation = b.operation,
        subjects = b.subjects, request_id = b.request_id from audit_entry b where (a.id, b.id) in ((1, 2), (2, 1))";
    let swap_places = "update audit_entry a set transaction = b.transaction from audit_entry b
        where (a.id, b.id) in ((1, 2), (2, 1))";
    for (change, expected) in [
        ("delete from audit_entry where id = 2", Tampering::Deleted(2)),
        ("delete from audit_entry where id = 3", Tampering::Deleted(3)),
        ("truncate audit_entry", Tampering::Deleted(1)),
        (insert, Tampering::Inserted(100)),
        (swap, Tampering::Edited(1)),
        (swap_places, Tampering::Moved(1)),
    ] {
        let app = app_with_entries().await;
        seal_all(&app).await;
        assert_eq!(tampered(&app, change).await, expected, "{change}");
    }
}

#[tokio::test]
async fn changed_missing_and_foreign_seals_are_detected() {
    for (change, expected) in [
        (
            "update audit_seal set leaves = set_byte(leaves, 20, get_byte(leaves, 20) # 1) where number = 1",
            Tampering::SealChanged(1),
        ),
        ("update audit_seal set previous = hash where number = 2", Tampering::SealChanged(2)),
        (
            "update audit_seal set signature = set_byte(signature, 0, get_byte(signature, 0) # 1) where number = 2",
            Tampering::SealForged(2),
        ),
        ("update audit_seal set key_id = '\\x0000000000000000' where number = 1", Tampering::SealForged(1)),
        ("delete from audit_seal where number = 1", Tampering::SealMissing(1)),
    ] {
        let app = app_with_entries().await;
        seal_all(&app).await;
        read(&app).await;
        seal_all(&app).await;
        let found = tampered(&app, change).await;
        assert_eq!(found, expected, "{change}");
    }
}

#[tokio::test]
async fn a_seal_with_another_key_is_reported_as_forged() {
    let app = app_with_entries().await;
    seal_all(&app).await;
    // The owner of the database does not have the key, but can register another one and seal with it.
    app.owner("truncate installation").await;
    let options: sqlx::postgres::PgConnectOptions = app.database_url().parse().unwrap();
    let thief = Database::open(options, Keys::derive(&[9; 32]), PoolSettings::default()).await.unwrap();
    assert_eq!(verify(&thief, None).await.unwrap(), Err(Tampering::SealForged(1)));
    read(&app).await;
    app.wait_until_all_can_be_sealed().await;
    assert_eq!(seal(&thief).await.unwrap().expect("a seal").number, 2);
    assert_eq!(verified(&app, None).await, Err(Tampering::SealForged(2)));
}

#[tokio::test]
async fn a_replaced_key_verifies_only_the_seals_of_its_own_time() {
    let after = app_with_two_keys().await;
    let whole = verified(&after, None).await.unwrap();
    assert_eq!((whole.sealed, whole.unsealed), (4, 0));
    // An attacker who has the old key cannot use it, neither for its own time nor later.
    for (change, expected) in [
        ("update audit_key set last_seal = last_seal + 1", Tampering::SealForged(1)),
        ("delete from audit_key", Tampering::SealForged(1)),
    ] {
        let after = app_with_two_keys().await;
        after.owner("alter table audit_key disable trigger user").await;
        assert_eq!(tampered(&after, change).await, expected, "{change}");
    }
}

/// Returns an app whose trail was sealed with two keys, one after the other.
async fn app_with_two_keys() -> App {
    let app = app_with_entries().await;
    seal_all(&app).await;
    let ring = || KeyRing { newest: Keys::derive(&[9; 32]), previous: Some(Keys::derive(&[7; 32])) };
    rotate(&mut app.database.maintenance().await.unwrap(), &ring(), |_| {}).await.unwrap();
    // A process with the old key can no longer seal.
    assert!(seal(&app.database).await.is_err());
    let after = app.second_process_with_keys(ring()).await;
    read(&after).await;
    seal_all(&after).await;
    after
}

#[tokio::test]
async fn removed_newest_seals_are_detected_with_a_stored_head() {
    let app = app_with_entries().await;
    let old = seal_all(&app).await;
    read(&app).await;
    let new = seal_all(&app).await;
    app.owner(WITHOUT_TRIGGERS).await;
    app.owner(
        "delete from audit_seal where hash = (select hash from audit_seal order by number desc limit 1)",
    )
    .await;
    app.owner("delete from audit_entry where id = 4; truncate audit_segment, audit_posting").await;
    assert!(verified(&app, None).await.is_ok(), "the rest verifies by itself");
    assert!(verified(&app, Some(&old)).await.is_ok());
    assert!(matches!(verified(&app, Some(&new)).await, Err(Tampering::Truncated(_))));
}

#[tokio::test]
async fn a_seal_waits_for_open_transactions_that_may_add_earlier_entries() {
    let app = app_with_entries().await;
    seal_all(&app).await;
    let insert = "insert into audit_entry (client, role, outcome, operation, subjects, request_id)
        values ('slow', 'OFFICER', 'READ', 'participants', '{1}', gen_random_uuid())";
    let mut slow = app.sql.begin().await.unwrap();
    sqlx::raw_sql(insert).execute(&mut *slow).await.unwrap();
    read(&app).await;
    // The new entry is committed, but an older transaction is still open.
    assert_eq!(seal(&app.database).await.unwrap(), None);
    assert_eq!(verified(&app, None).await.unwrap().unsealed, 1);
    slow.commit().await.unwrap();
    assert_eq!(verified(&app, None).await.unwrap().unsealed, 2);
    seal_all(&app).await;
    assert_eq!(verified(&app, None).await.unwrap().sealed, 5);
}

/// Returns the ids of the entries about the person who was enrolled first.
async fn about_the_first(app: &App) -> Vec<i64> {
    let id = app.count("select min(id) from participant").await;
    let filter = EntryFilter { subject: Some(id), ..EntryFilter::default() };
    let page = Page::parse(Some(100), None, None, None, Order::Id, Direction::Ascending).unwrap();
    let entries = audit::list(&app.database.control, &filter, &page).await.unwrap().rows;
    entries.iter().map(|row| row.id).collect()
}

#[tokio::test]
async fn entries_about_a_person_are_found_before_and_after_they_are_sealed() {
    let app = app_with_entries().await;
    assert_eq!(about_the_first(&app).await, [1, 3]);
    seal_all(&app).await;
    assert_eq!(about_the_first(&app).await, [1, 3]);
    // Some are sealed and some are not, and segments were merged.
    for entries in [4, 5, 6, 7] {
        read(&app).await;
        assert_eq!(about_the_first(&app).await.last(), Some(&entries));
        seal_all(&app).await;
    }
    assert_eq!(about_the_first(&app).await, [1, 3, 4, 5, 6, 7]);
    assert_eq!(app.count("select max(last_seal) from audit_segment").await, 5);
    assert!(app.count("select count(*) from audit_segment").await < 4);
    let segments = "select sum(last_seal - first_seal + 1)::bigint from audit_segment";
    assert_eq!(app.count(segments).await, 5);
}

#[tokio::test]
async fn a_changed_index_of_people_is_detected_and_can_be_built_again() {
    for change in [
        "delete from audit_posting",
        "update audit_posting set postings = set_byte(postings, 0, get_byte(postings, 0) + 1)",
        "update audit_posting set first_subject = first_subject + 1",
        "update audit_segment set first_seal = first_seal + 1",
        "update audit_segment set last_seal = last_seal + 1",
    ] {
        let app = app_with_entries().await;
        seal_all(&app).await;
        read(&app).await;
        seal_all(&app).await;
        app.owner(change).await;
        assert!(matches!(verified(&app, None).await, Err(Tampering::IndexChanged(_))), "{change}");
        app.owner("truncate audit_segment, audit_posting").await;
        seal(&app.database).await.unwrap();
        assert!(verified(&app, None).await.is_ok(), "{change}");
        assert_eq!(about_the_first(&app).await, [1, 3, 4]);
    }
}

#[tokio::test]
async fn entries_of_an_earlier_version_are_indexed_and_its_index_is_dropped() {
    let app = app_with_entries().await;
    seal_all(&app).await;
    read(&app).await;
    seal_all(&app).await;
    // The state after the migration: nothing is indexed, and every entry is in the index of before.
    app.owner("truncate audit_segment, audit_posting").await;
    app.owner("create index audit_entry_by_subject on audit_entry using gin (subjects)").await;
    assert_eq!(about_the_first(&app).await, [1, 3, 4]);
    seal(&app.database).await.unwrap();
    let dropped = "select count(*) from pg_class where relname = 'audit_entry_by_subject'";
    assert_eq!(app.count(dropped).await, 0);
    assert_eq!(app.count("select max(last_seal) from audit_segment").await, 2);
    assert_eq!(about_the_first(&app).await, [1, 3, 4]);
}

#[tokio::test]
async fn two_processes_seal_each_entry_once() {
    let app = app_with_entries().await;
    let other = app.second_process().await;
    for _ in 0..10 {
        read(&app).await;
        let (one, two) = tokio::join!(seal(&app.database), seal(&other.database));
        one.unwrap();
        two.unwrap();
    }
    seal_all(&app).await;
    assert_eq!(verified(&app, None).await.unwrap().sealed, 13);
    // A process that finds another one sealing skips its turn.
    let mut busy = app.sql.begin().await.unwrap();
    sqlx::raw_sql("select pg_advisory_xact_lock(107156823700481)").execute(&mut *busy).await.unwrap();
    read(&app).await;
    assert_eq!(seal(&app.database).await.unwrap(), None);
    busy.rollback().await.unwrap();
}

#[tokio::test]
async fn entries_can_be_filtered_by_person_client_and_exact_time() {
    let app = app_with_entries().await;
    let id = app.ask("{ participants(first: 1) { nodes { id } } }", json!({})).await;
    let id = node_id::participant_id(id["participants"]["nodes"][0]["id"].as_str().unwrap()).unwrap();
    let times: Vec<chrono::DateTime<chrono::Utc>> =
        sqlx::query_scalar("select at from audit_entry order by id").fetch_all(&app.sql).await.unwrap();
    let session = &app.database.control;
    let page = Page::parse(Some(100), None, None, None, Order::Id, Direction::Ascending).unwrap();
    // The first entry wrote this person; the third and fourth read it.
    let who_saw = EntryFilter { subject: Some(id), ..EntryFilter::default() };
    let entries = audit::list(session, &who_saw, &page).await.unwrap().rows;
    assert_eq!(entries.iter().map(|row| row.id).collect::<Vec<_>>(), [1, 3, 4]);
    let then = EntryFilter { from: Some(times[2]), until: Some(times[3]), ..who_saw };
    let entries = audit::list(session, &then, &page).await.unwrap().rows;
    assert_eq!(entries.iter().map(|row| row.id).collect::<Vec<_>>(), [3]);
    let seen_by = EntryFilter { client: Some("ADMINISTRATOR".into()), ..EntryFilter::default() };
    let people = audit::seen_by(session, &seen_by, 0, 10).await.unwrap();
    let people: Vec<_> = people.iter().map(|row| (row.entries, row.first_at, row.last_at)).collect();
    assert_eq!(people, [(3, times[0], times[3]), (2, times[1], times[2])]);
    let nobody = EntryFilter { client: Some("OFFICER".into()), ..EntryFilter::default() };
    assert!(audit::seen_by(session, &nobody, 0, 10).await.unwrap().is_empty());
}
