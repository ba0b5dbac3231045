//! Workers of onboarding: leases, fencing, fairness, and kills.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::actor::Role;
use domain::onboarding::OnboardingState;
use participant_registry::actions::onboarding::worker::{WorkerSettings, work};
use participant_registry::graphql::node_id::{self, batch_id};
use participant_registry::store::StoreError;
use participant_registry::store::keys::{KeyRing, Keys, NumberKind};
use participant_registry::store::onboarding::lease;
use participant_registry::store::onboarding::staging::{self, Received};
use participant_registry::store::rotation::rotate;

use crate::support::app::codes;
use crate::support::onboarding::{Onboardings, line, roster, sums};
use crate::support::program::{Folder, Program};
use crate::support::{App, Person, TokenScope, json, row};

const LEASE: Duration = Duration::from_secs(60);

/// Expires the lease, as if its worker had been silent.
async fn expire_lease(onboardings: &Onboardings) {
    sqlx::query("update onboarding_batch set leased_until = now() - interval '1 second' where leased_until is not null")
        .execute(&onboardings.app.sql)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_worker_that_resumes_after_losing_its_lease_writes_nothing() {
    let onboardings = Onboardings::new(5).await;
    onboardings.start_and_upload(json!({"planOnly": false}), &roster((1..=12).map(line))).await;
    let database = &onboardings.app.database;
    let first = lease::take(&database.control, LEASE, None).await.unwrap().unwrap();
    assert_eq!(lease::take(&database.control, LEASE, None).await.unwrap(), None, "it has a lease");
    expire_lease(&onboardings).await;
    let second = lease::take(&database.control, LEASE, None).await.unwrap().unwrap();
    assert!(second.id == first.id && second.epoch > first.epoch);
    // The first worker resumes. Its fence is refused both before and after the second one has written.
    let holds = async |lease| {
        let mut transaction = database.bulk.begin().await.unwrap();
        let holds = lease::fence(&mut transaction, lease, 1).await.unwrap();
        transaction.rollback().await.unwrap();
        holds
    };
    assert!(!holds(first).await && holds(second).await);
    assert_eq!(lease::look(&database.control, first).await.unwrap().map(|held| held.next_row), None);
    lease::release(&database.control, first).await.unwrap();
    assert_eq!(
        lease::take(&database.control, LEASE, None).await.unwrap(),
        None,
        "nor does it release the lease of the second"
    );
    // Each checkpoint is taken once.
    sqlx::query("update onboarding_batch set next_row = 6").execute(&onboardings.app.sql).await.unwrap();
    assert!(!holds(second).await);
    sqlx::query("update onboarding_batch set next_row = 1").execute(&onboardings.app.sql).await.unwrap();
    lease::release(&database.control, second).await.unwrap();
    onboardings.work().await;
    assert_eq!(onboardings.app.count("select count(*) from participant").await, 12);
}

#[tokio::test]
async fn a_batch_that_a_defect_keeps_from_being_processed_ends_after_thirteen_tries() {
    let onboardings = Onboardings::new(5).await;
    let (database, sql) = (&onboardings.app.database, &onboardings.app.sql);
    let plan = json!({"planOnly": false});
    let broken = onboardings.start_and_upload(plan.clone(), &roster((1..=12).map(line))).await;
    onboardings.start_and_upload(plan, &roster((21..=23).map(line))).await;
    // As if it had been written by a program with a defect.
    let damage = async |first_row: i32| {
        let damage = "update onboarding_chunk set sealed = '\\x00' where first_row = $1
                      and batch_id = (select min(id) from onboarding_batch)";
        sqlx::query(damage).bind(first_row).execute(sql).await.unwrap();
    };
    let tries = async |from: i16, to: i16| {
        for fault in from..=to {
            let tried = work(database, "2014-10-02".parse().unwrap(), WorkerSettings::default(), None).await;
            assert!(matches!(tried, Err(StoreError::Fault(_))), "{tried:?}");
            let waits = "select extract(epoch from leased_until - served_at)::bigint from onboarding_batch order by id limit 1";
            let waits: Option<i64> = sqlx::query_scalar(waits).fetch_one(sql).await.unwrap();
            assert_eq!(waits, (fault < 13).then(|| 2_i64.pow(fault.unsigned_abs().into()).min(600)));
            if fault < 13 {
                // However long this test takes.
                let later = "update onboarding_batch set leased_until = now() + interval '1 hour' where leased_until is not null";
                sqlx::query(later).execute(sql).await.unwrap();
                assert!(!onboardings.work_once().await, "it waits, and the next one of its client behind it");
                expire_lease(&onboardings).await;
            }
        }
    };
    let faults = async || {
        onboardings.app.count("select faults::bigint from onboarding_batch order by id limit 1").await
    };
    damage(6).await;
    // The first chunk has none.
    tries(1, 3).await;
    assert_eq!((faults().await, onboardings.app.count("select count(*) from participant").await), (3, 5));
    tries(4, 13).await;
    let found = onboardings.fetch(&broken).await;
    assert_eq!(found["state"], "FAILED", "{found}");
    assert_eq!(codes(&found["problems"]), ["INTERNAL"]);
    onboardings.work().await;
    assert_eq!(onboardings.app.count("select count(*) from participant").await, 8);
}

#[tokio::test]
async fn failures_before_progress_do_not_count() {
    let onboardings = Onboardings::new(5).await;
    let (app, database) = (&onboardings.app, &onboardings.app.database);
    let batch = onboardings.start_and_upload(json!({"planOnly": false}), &roster((1..=12).map(line))).await;
    for _ in 0..2 {
        let taken = lease::take(&database.control, LEASE, None).await.unwrap().unwrap();
        lease::set_aside(&database.control, taken).await.unwrap();
        assert_eq!(
            lease::set_aside(&database.control, lease::Lease { epoch: 0, ..taken }).await.unwrap(),
            None
        );
        expire_lease(&onboardings).await;
    }
    assert_eq!(app.count("select faults::bigint from onboarding_batch").await, 2);
    assert!(onboardings.work_once().await);
    assert_eq!(app.count("select faults::bigint from onboarding_batch").await, 0);
    onboardings.work().await;
    assert_eq!(onboardings.fetch(&batch).await["state"], "COMPLETED");
}

/// Claims the number of a row in an open transaction, so that enrolling that row waits.
async fn block_row<'a>(onboardings: &'a Onboardings, n: u32) -> sqlx::Transaction<'a, sqlx::Postgres> {
    let number = row(n)["nationalId"].as_str().unwrap().to_owned();
    let index = onboardings.app.database.keys.index(NumberKind::NationalId, &number);
    let mut transaction = onboardings.app.sql.begin().await.unwrap();
    sqlx::query("insert into identifier (kind, value_index, participant_id) values ('NATIONAL_ID', $1, 77)")
        .bind(index)
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction
}

/// Returns the end of the lease of the only batch.
async fn leased_until(conn: &mut sqlx::PgConnection) -> Option<chrono::DateTime<chrono::Utc>> {
    sqlx::query_scalar("select leased_until from onboarding_batch where state = 'APPLYING'")
        .fetch_optional(conn)
        .await
        .unwrap()
        .flatten()
}

#[tokio::test]
async fn a_chunk_that_outlasts_its_lease_stays_with_its_worker() {
    for all_or_nothing in [false, true] {
        let onboardings = Onboardings::new(5).await;
        let input = json!({"planOnly": false, "allOrNothing": all_or_nothing});
        let batch = onboardings.start_and_upload(input, &roster((1..=12).map(line))).await;
        let mut holding = block_row(&onboardings, 3).await;
        let (database, today) = (&onboardings.app.database, "2014-10-02".parse().unwrap());
        let pace = WorkerSettings { lease: Duration::from_secs(2), time_slice: Duration::from_secs(60) };
        let began = Instant::now();
        let watch = async {
            // The lease is renewed while the chunk waits for longer than one lease, and for less than its five seconds.
            let (mut last, mut renewals) = (None, 0);
            while renewals < 5 {
                assert!(began.elapsed() < Duration::from_secs(60), "renewed {renewals} times");
                let until = leased_until(&mut holding).await;
                renewals += usize::from(until > last);
                last = until.max(last);
                if last.is_some() {
                    assert_eq!(lease::take(&database.control, LEASE, None).await.unwrap(), None);
                }
                tokio::task::yield_now().await;
            }
            holding.rollback().await.unwrap();
        };
        // All-or-nothing batches are planned first.
        let working = async { while work(database, today, pace, None).await.unwrap() {} };
        tokio::join!(working, watch);
        let done = onboardings.fetch(&batch).await;
        assert_eq!((&done["state"], sums(&done["counts"])), (&json!("COMPLETED"), [12, 0, 12, 0, 0]));
    }
}

#[tokio::test]
async fn a_worker_without_its_lease_stops_and_releases_its_locks() {
    for all_or_nothing in [false, true] {
        let onboardings = Onboardings::new(5).await;
        let input = json!({"planOnly": false, "allOrNothing": all_or_nothing});
        let batch = onboardings.start_and_upload(input, &roster((1..=12).map(line))).await;
        let mut holding = block_row(&onboardings, 3).await;
        let (database, today) = (&onboardings.app.database, "2014-10-02".parse().unwrap());
        let pace = WorkerSettings { lease: Duration::from_millis(300), time_slice: Duration::from_secs(60) };
        let began = Instant::now();
        let takes = async {
            // Another worker takes the lease for good while the first one is working on a chunk.
            let mut taken = 0;
            while taken == 0 {
                assert!(began.elapsed() < Duration::from_secs(60), "no worker takes the lease");
                let sql =
                    "update onboarding_batch set epoch = epoch + 1, leased_until = now() + interval '1 hour'
                           where state = 'APPLYING' and leased_until is not null";
                taken = sqlx::query(sql).execute(&database.control).await.unwrap().rows_affected();
                tokio::task::yield_now().await;
            }
        };
        // The worker ends although the row lock is still held.
        let working = async { while work(database, today, pace, None).await.unwrap() {} };
        tokio::join!(working, takes);
        let waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
        while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut *holding).await.unwrap() > 0 {
            assert!(began.elapsed() < Duration::from_secs(60), "a session still waits for the number");
            tokio::task::yield_now().await;
        }
        holding.rollback().await.unwrap();
        assert_eq!(onboardings.app.count("select count(*) from participant").await, 0);
        expire_lease(&onboardings).await;
        onboardings.work().await;
        let done = onboardings.fetch(&batch).await;
        assert_eq!((&done["state"], sums(&done["counts"])), (&json!("COMPLETED"), [12, 0, 12, 0, 0]));
    }
}

#[tokio::test]
async fn two_servers_share_batches_but_never_a_row() {
    let onboardings = Onboardings::new(7).await;
    let other = onboardings.app.second_process().await;
    let mut batches =
        vec![onboardings.start_and_upload(json!({"planOnly": false}), &roster((1..=60).map(line))).await];
    let officer = Onboardings {
        sender: onboardings.app.officer(&["16"]).await,
        employer: onboardings.employer.clone(),
        app: onboardings.app,
    };
    // Another client sends some of the same people.
    batches.push(officer.start_and_upload(json!({"planOnly": false}), &roster((40..=100).map(line))).await);
    let onboardings = Onboardings { sender: officer.app.administrator().await, ..officer };
    let serve = async |app: &App| {
        let pace = WorkerSettings { time_slice: Duration::ZERO, ..WorkerSettings::default() };
        while work(&app.database, "2014-10-02".parse().unwrap(), pace, None).await.unwrap() {}
    };
    tokio::join!(serve(&onboardings.app), serve(&other));
    onboardings.work().await;
    let mut enrolled = 0;
    for batch in &batches {
        let found = onboardings.fetch(batch).await;
        assert_eq!(found["state"], "COMPLETED", "{found}");
        enrolled += sums(&found["counts"])[2];
    }
    assert_eq!((enrolled, onboardings.app.count("select count(*) from participant").await), (100, 100));
    assert_eq!(onboardings.app.count("select count(*) from onboarding_row").await, 121);
}

#[tokio::test]
async fn one_batch_per_client_runs_and_the_longest_waiting_is_next() {
    let onboardings = Onboardings::new(5).await;
    let large = onboardings.start_and_upload(json!({"planOnly": false}), &roster((1..=40).map(line))).await;
    let second = onboardings.start_and_upload(json!({"planOnly": false}), &roster((41..=42).map(line))).await;
    let officer = Onboardings {
        sender: onboardings.app.officer(&["16"]).await,
        employer: onboardings.employer.clone(),
        app: onboardings.app,
    };
    let small = officer.start_and_upload(json!({"planOnly": false}), &roster((50..=51).map(line))).await;
    let onboardings = Onboardings { sender: officer.app.administrator().await, ..officer };
    let database = &onboardings.app.database;
    let taken = lease::take(&database.control, LEASE, None).await.unwrap().unwrap();
    let others = lease::take(&database.control, LEASE, None).await.unwrap().unwrap();
    assert_eq!(node_id::batch_id(&large).ok(), Some(taken.id));
    assert_eq!(node_id::batch_id(&small).ok(), Some(others.id), "not the second one of the same client");
    assert_eq!(lease::take(&database.control, LEASE, None).await.unwrap(), None);
    lease::release(&database.control, taken).await.unwrap();
    lease::release(&database.control, others).await.unwrap();

    // The other batches get their turns between those of the large one. Counts always sum and never go back.
    let (mut last, mut polls) = ([0; 5], 0);
    while onboardings.work_once().await {
        let found = onboardings.fetch(&large).await;
        let counts = sums(&found["counts"]);
        assert!(counts[2] >= last[2] && (polls == 0 || counts[1] <= last[1]), "{last:?} {counts:?}");
        (last, polls) = (counts, polls + 1);
        if counts[1] > 0 {
            assert_eq!(
                onboardings.fetch(&second).await["state"],
                "APPLYING",
                "after the first one of its client"
            );
        }
        if counts[1] > 0 && polls > 3 {
            assert_eq!(onboardings.fetch(&small).await["state"], "COMPLETED");
        }
    }
    assert_eq!(last[2], 40);
    assert_eq!(onboardings.fetch(&second).await["state"], "COMPLETED");
}

#[tokio::test]
async fn the_batch_of_a_client_without_the_right_to_enroll_stops() {
    let onboardings = Onboardings::new(5).await;
    let partner = onboardings.app.partner(&onboardings.employer).await;
    let onboardings = Onboardings { sender: partner, ..onboardings };
    let batch = onboardings.start_and_upload(json!({}), &roster((1..=3).map(line))).await;
    onboardings.work().await;
    let administrator = onboardings.app.administrator().await;
    let plan = onboardings.fetch_as(&administrator, &batch).await;
    let approver = onboardings.app.token(Role::Approver, TokenScope::default()).await;
    assert_eq!(
        onboardings.approve(&approver, &batch, plan["planDigest"].as_str().unwrap()).await["errors"],
        json!([])
    );
    sqlx::query("update client set disabled_at = now() where role = 'PARTNER'")
        .execute(&onboardings.app.sql)
        .await
        .unwrap();
    onboardings.app.database.clients.refresh(&onboardings.app.database.control).await.unwrap();
    onboardings.work().await;
    let failed = onboardings.fetch_as(&administrator, &batch).await;
    assert_eq!((&failed["state"], sums(&failed["counts"])), (&json!("FAILED"), [3, 3, 0, 0, 0]));
    assert_eq!(codes(&failed["problems"]), ["OUT_OF_SCOPE"]);
    assert_eq!(onboardings.app.count("select count(*) from participant").await, 0);
}

#[tokio::test]
async fn a_plan_that_would_reveal_too_many_other_people_is_discarded() {
    let onboardings = Onboardings::new(4).await;
    for n in 1..=9 {
        let stranger = Person::new("BR-PLG")
            .with("nationalId", row(n)["nationalId"].clone())
            .with("birthDate", json!("1960-08-02"))
            .with("sex", json!("MALE"))
            .with("fullName", json!("Zainal Arifin"));
        onboardings.app.enrolled(&stranger).await;
    }
    onboardings.app.begin_within_an_hour().await;
    let partner = onboardings.app.partner(&onboardings.employer).await;
    let client: String = sqlx::query_scalar("select name from client where role = 'PARTNER'")
        .fetch_one(&onboardings.app.sql)
        .await
        .unwrap();
    sqlx::query("insert into lookup_miss values ($1, date_trunc('hour', now()), 95)")
        .bind(client)
        .execute(&onboardings.app.sql)
        .await
        .unwrap();
    let onboardings = Onboardings { sender: partner, ..onboardings };
    let batch = onboardings.start_and_upload(json!({}), &roster((1..=12).map(line))).await;
    onboardings.work().await;
    let failed = onboardings.fetch(&batch).await;
    assert_eq!((&failed["state"], sums(&failed["counts"])), (&json!("FAILED"), [12, 12, 0, 0, 0]));
    assert_eq!((&failed["rows"]["totalCount"], &failed["byProblem"]), (&json!(0), &json!([])));
    let report = onboardings.report(&onboardings.sender, &batch, None).await.body;
    assert!(!report.as_str().unwrap().contains("IDENTITY_MISMATCH"), "{report}");
}

#[tokio::test]
async fn pending_rows_continue_after_a_key_rotation() {
    let onboardings = Onboardings::new(5).await;
    let batch = onboardings.start_and_upload(json!({}), &roster((1..=8).map(line).chain([line(1)]))).await;
    onboardings.work().await;
    let plan = onboardings.fetch(&batch).await;
    let ring = || KeyRing { newest: Keys::derive(&[9; 32]), previous: Some(Keys::derive(&[7; 32])) };
    let mut connection = onboardings.app.database.maintenance().await.unwrap();
    rotate(&mut connection, &ring(), |_| {}).await.unwrap();
    let employer = onboardings.employer.clone();
    let app = onboardings.app.second_process_with_keys(ring()).await;
    let onboardings = Onboardings { sender: app.administrator().await, app, employer };
    let again = onboardings.fetch(&batch).await;
    assert_eq!(again["planDigest"], plan["planDigest"]);
    let approver = onboardings.app.token(Role::Approver, TokenScope::default()).await;
    assert_eq!(
        onboardings.approve(&approver, &batch, plan["planDigest"].as_str().unwrap()).await["errors"],
        json!([])
    );
    onboardings.work().await;
    assert_eq!(sums(&onboardings.fetch(&batch).await["counts"]), [9, 0, 8, 0, 1]);
    assert!(
        onboardings
            .report(&onboardings.sender, &batch, None)
            .await
            .body
            .as_str()
            .unwrap()
            .contains("DUPLICATE_IN_REQUEST")
    );
}

#[tokio::test]
async fn a_file_received_during_a_key_rotation_is_readable_or_refused() {
    let onboardings = Onboardings::new(5).await;
    let (first, second) = (onboardings.start(json!({})).await, onboardings.start(json!({})).await);
    let [first, second] = [first, second].map(|id| batch_id(&id).unwrap());
    let database = Arc::clone(&onboardings.app.database);
    let received = || Received {
        state: OnboardingState::Validating,
        rows: 2,
        digest: vec![1; 32],
        columns: None,
        separator: ';',
        warnings: Vec::new(),
        repeated: Some(database.keys.seal_rows(first, 0, b"[]")),
    };
    let begin = async |batch| {
        let mut transaction = database.bulk.begin().await.unwrap();
        let epoch = staging::begin(&mut transaction, batch).await.unwrap().unwrap();
        transaction.commit().await.unwrap();
        (batch, epoch)
    };
    let (first, second) = (begin(first).await, begin(second).await);
    // The rotation begins while the chunks are written, encrypted with the old key, but not committed.
    let mut transaction = database.bulk.begin().await.unwrap();
    assert!(staging::finish(&mut transaction, &database.keys, first, &received()).await.unwrap());
    let ring = || KeyRing { newest: Keys::derive(&[9; 32]), previous: Some(Keys::derive(&[7; 32])) };
    let mut connection = database.maintenance().await.unwrap();
    let rotation = tokio::spawn(async move { rotate(&mut connection, &ring(), |_| {}).await });
    let waits = "select count(*) from pg_locks where not granted and relation = 'onboarding_chunk'::regclass";
    while onboardings.app.count(waits).await == 0 {
        assert!(!rotation.is_finished(), "the rotation waits for uploads");
    }
    transaction.commit().await.unwrap();
    rotation.await.unwrap().unwrap();
    let sealed: Vec<u8> = sqlx::query_scalar("select repeated from onboarding_batch where id = $1")
        .bind(first.0)
        .fetch_one(&onboardings.app.sql)
        .await
        .unwrap();
    assert!(staging::open_repeats(&Keys::derive(&[9; 32]), first.0, &sealed).is_ok());

    // A process that encrypted before the rotation and writes after it is refused.
    let mut transaction = database.bulk.begin().await.unwrap();
    let late = staging::finish(&mut transaction, &database.keys, second, &received()).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
}

/// Returns the state of the only batch, and how many of its rows are enrolled.
async fn progress(onboardings: &Onboardings) -> (OnboardingState, i64) {
    let sql = "select state, enrolled::bigint from onboarding_batch";
    sqlx::query_as(sql).fetch_one(&onboardings.app.sql).await.unwrap()
}

#[tokio::test]
async fn repeated_kills_end_with_one_outcome_per_row() {
    let onboardings = Onboardings::new(25).await;
    let folder = Folder::new("killed");
    let (key, data) = (folder.write("key", &"07".repeat(32)), folder.0.join("data").display().to_string());
    let all = 1_000;
    let batch =
        onboardings.start_and_upload(json!({"planOnly": false}), &roster((1..=1_000).map(line))).await;
    let url = onboardings.app.database_url();
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("REGISTRY_KEY_FILE", key.as_str()),
        ("REGISTRY_DATA_DIR", data.as_str()),
        ("REGISTRY_LISTEN", "127.0.0.1:0"),
        ("REGISTRY_ONBOARDING_LEASE", "2"),
    ];
    let (mut kills, mut last) = (0, 0);
    let began = Instant::now();
    loop {
        let program = tokio::task::spawn_blocking({
            let settings = settings.map(|(name, value)| (name, value.to_owned()));
            move || Program::serve(&settings.each_ref().map(|(name, value)| (*name, value.as_str())))
        });
        let program = program.await.unwrap();
        // Each server makes progress, and most are killed in the middle of a chunk.
        let enrolled = loop {
            // Not through the API, where asking without a pause uses up the points of a client.
            let (state, enrolled) = progress(&onboardings).await;
            assert!(enrolled >= last, "progress went back: {enrolled}, {last}");
            if enrolled > last || state == OnboardingState::Completed {
                break enrolled;
            }
            assert!(began.elapsed() < Duration::from_secs(180), "it does not go on: {state:?}, {enrolled}");
            tokio::task::yield_now().await;
        };
        last = enrolled;
        program.kill();
        kills += 1;
        if enrolled == all || kills == 4 {
            break;
        }
    }
    // The next worker does the rest. The last statements of a killed server, such as a renewal, may still arrive.
    while progress(&onboardings).await.0 != OnboardingState::Completed {
        assert!(began.elapsed() < Duration::from_secs(180), "the rest is never done");
        expire_lease(&onboardings).await;
        onboardings.work().await;
    }
    let done = onboardings.fetch(&batch).await;
    assert_eq!((&done["state"], sums(&done["counts"])), (&json!("COMPLETED"), [all, 0, all, 0, 0]));
    let outcomes = "select count(*) from onboarding_row where outcome = 'ENROLLED'";
    for count in [outcomes, "select count(*) from participant", "select count(*) from enrollment"] {
        assert_eq!(onboardings.app.count(count).await, all, "{count}");
    }
}
