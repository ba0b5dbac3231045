//! Row security: the rows that PostgreSQL returns if a statement lacks the condition on the scope.

use std::collections::BTreeSet;

use domain::actor::{Actor, Role, Scope};
use domain::page::{Direction, Order, Page};
use participant_registry::graphql::node_id;
use participant_registry::store::audit::seal::{seal, verify};
use participant_registry::store::database::PoolSettings;
use participant_registry::store::keys::{KeyRing, Keys};
use participant_registry::store::open_error::OpenError;
use participant_registry::store::participant::ParticipantColumns;
use participant_registry::store::rotation::rotate;
use participant_registry::store::session::Session;
use participant_registry::store::{Database, enrollment, event, onboarding, participant};
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use crate::support::cluster::fresh_database;
use crate::support::{App, Person, json, row};

/// People of two employers, two associations, two provinces and two channels. Some belong to both.
struct Scene {
    app: App,
    scopes: Vec<(&'static str, Scope)>,
}

async fn scene() -> Scene {
    let app = App::new().await;
    let (one, two) = (app.channel("BR-ONE").await, app.channel("BR-TWO").await);
    let (mine, theirs) = (app.government("Punya Saya").await, app.government("Punya Orang").await);
    let (ours, others) = (app.association("Nelayan").await, app.association("Ojek").await);
    let jambi = |person: Person| person.with("provinceCode", json!("15"));
    let of_association = |person: Person, id: &str| person.with("associationId", json!(id));
    let both = Person::new(&one).at(&mine);
    app.enrolled(&both).await;
    app.enrolled(&both.at(&theirs).with("channelCode", json!(two))).await;
    let moonlighter = Person::new(&two).at(&theirs);
    app.enrolled(&moonlighter).await;
    let mut second = of_association(moonlighter, &ours).with("segment", json!("SELF_EMPLOYED"));
    second.0.as_object_mut().unwrap().remove("employerId");
    app.enrolled(&second).await;
    app.enrolled(&jambi(Person::new(&two).at(&theirs))).await;
    app.enrolled(&jambi(of_association(Person::new(&one), &others))).await;
    app.enrolled(&of_association(Person::new(&two), &ours)).await;
    for (employer, channel, n) in [(&mine, &one, 1), (&theirs, &two, 5)] {
        let input = json!({"employerId": employer, "channelCode": channel, "provinceCode": "16",
            "startsOn": "2014-11-01", "rows": [row(n), row(n + 1)]});
        let onboard =
            "mutation ($v: OnboardCivilServantsInput!) { onboardCivilServants(input: $v) { batch { id } } }";
        app.ask(onboard, json!({"v": input})).await;
    }
    let reference = app.database.reference();
    let province = |code: &str| vec![reference.province_by_code(code).unwrap().id];
    let channel = |code: &str| vec![reference.channel_by_code(code).unwrap().id];
    let employer = Some(node_id::employer_id(&mine).unwrap());
    let association = Some(node_id::association_id(&ours).unwrap());
    let scopes = vec![
        ("employer", Scope { employer, ..Scope::default() }),
        ("association", Scope { association, ..Scope::default() }),
        ("province", Scope { provinces: province("15"), ..Scope::default() }),
        ("channel", Scope { channels: channel("BR-ONE"), ..Scope::default() }),
        ("both", Scope { provinces: province("16"), channels: channel("BR-TWO"), ..Scope::default() }),
    ];
    Scene { app, scopes }
}

fn actor(role: Role, scope: Scope) -> Actor {
    Actor { role, scope, ..Actor::command_line() }
}

/// Returns the ids that the registry's statements find in each table.
async fn found(session: &Session, actor: &Actor, everybody: &[i64]) -> Vec<(&'static str, BTreeSet<i64>)> {
    let page = Page::parse(Some(100), None, None, None, Order::Id, Direction::Ascending).unwrap();
    let people = participant::list(session, actor, &Default::default(), &page, ParticipantColumns::all())
        .await
        .unwrap();
    let people = people.rows.into_iter().map(|row| row.id).collect();
    let by_ids = participant::by_ids(session, actor, everybody, ParticipantColumns::empty()).await.unwrap();
    let by_ids = by_ids.into_keys().collect();
    let enrollments =
        enrollment::list_of(session, actor, everybody, &Default::default(), &page).await.unwrap();
    let enrollments = enrollments.into_values().flat_map(|slice| slice.rows).map(|row| row.id).collect();
    let events = event::list_of(session, actor, everybody, Default::default(), &page).await.unwrap();
    let events = events.into_values().flat_map(|slice| slice.rows).map(|row| row.id).collect();
    let batches = onboarding::list(session, actor, &Default::default(), &page).await.unwrap();
    let batches: BTreeSet<i64> = batches.rows.into_iter().map(|row| row.id).collect();
    vec![
        ("people", people),
        ("people by id", by_ids),
        ("enrollments", enrollments),
        ("events", events),
        ("batches", batches),
    ]
}

#[tokio::test]
async fn sql_conditions_and_row_security_alone_return_the_same_rows() {
    let Scene { app, scopes } = scene().await;
    let everybody: Vec<i64> =
        sqlx::query_scalar("select id from participant order by id").fetch_all(&app.sql).await.unwrap();
    let administrator = actor(Role::Administrator, Scope::default());
    let whole = found(&app.database.reading(&administrator), &administrator, &everybody).await;
    assert!(whole.iter().all(|(_, rows)| rows.len() > 1), "{whole:?}");
    for (name, scope) in scopes {
        let scoped = actor(Role::Officer, scope);
        let first = found(&app.database.reading(&administrator), &scoped, &everybody).await;
        // Runs an administrator's statements in a scoped session.
        let second = found(&app.database.reading(&scoped), &administrator, &everybody).await;
        assert_eq!(first, second, "{name}");
        for ((what, rows), (_, all)) in second.iter().zip(&whole) {
            assert!(rows.len() < all.len(), "{name} sees all {what}");
        }
        assert!(!second[0].1.is_empty(), "{name} sees people");
    }
}

#[tokio::test]
async fn a_statement_without_conditions_finds_nobody_outside_the_scope() {
    let Scene { app, scopes } = scene().await;
    let count = async |session: &Session, table: &str| -> i64 {
        let sql = AssertSqlSafe(format!("select count(*) from {table}"));
        sqlx::query_scalar(sql).fetch_one(session).await.unwrap()
    };
    let employer = app.database.reading(&actor(Role::Partner, scopes[0].1.clone()));
    let counts = [
        ("participant", 3),
        ("enrollment", 3),
        ("participant_event", 3),
        ("onboarding_batch", 1),
        ("onboarding_row", 2),
    ];
    for (table, own) in counts {
        assert_eq!(count(&employer, table).await, own, "{table}");
        for role in [Role::Auditor, Role::LicensingDesk] {
            let nobody = app.database.reading(&actor(role, Scope::default()));
            assert_eq!(count(&nobody, table).await, 0, "{role} {table}");
        }
    }
}

#[tokio::test]
async fn a_statement_without_conditions_finds_no_event_of_another_employer() {
    let Scene { app, scopes } = scene().await;
    let change = "mutation ($id: ID!) { changeEmployer(input: {employerId: $id, effectiveOn: \"2014-10-02\",
        riskClass: 2}) { event { id } } }";
    let ids = "{ employers { nodes { id } } }";
    let employers = app.ask(ids, json!({})).await["employers"]["nodes"].take();
    let retract = "mutation ($id: ID!) { retractEvent(input: {eventId: $id, reason: \"A test\"}) { state } }";
    for employer in employers.as_array().unwrap() {
        let changed = app.ask(change, json!({"id": employer["id"]})).await;
        app.ask(retract, json!({"id": changed["changeEmployer"]["event"]["id"]})).await;
    }
    let count = async |session: &Session, table: &str| -> i64 {
        let sql = AssertSqlSafe(format!("select count(*) from {table}"));
        sqlx::query_scalar(sql).fetch_one(session).await.unwrap()
    };
    for table in ["employer_event", "employer_event_retraction"] {
        let visible = ["employer", "association", "province", "channel", "both"].map(|name| {
            let scope = scopes.iter().find(|(known, _)| *known == name).unwrap().1.clone();
            app.database.reading(&actor(Role::Partner, scope))
        });
        let mut counts = Vec::new();
        for session in &visible {
            counts.push(count(session, table).await);
        }
        assert_eq!(counts, [1, 0, 2, 2, 2], "{table}");
        for role in [Role::Auditor, Role::LicensingDesk] {
            let nobody = app.database.reading(&actor(role, Scope::default()));
            assert_eq!(count(&nobody, table).await, 0, "{role} {table}");
        }
    }
}

#[tokio::test]
async fn a_pooled_connection_does_not_keep_the_previous_scope() {
    let Scene { app, scopes } = scene().await;
    let sessions: Vec<(Session, i64)> = {
        let mut sessions = Vec::new();
        for (_, scope) in scopes {
            let scoped = actor(Role::Officer, scope);
            let people =
                participant::count(&app.database.reading(&scoped), &scoped, &Default::default()).await;
            sessions.push((app.database.reading(&scoped), people.unwrap()));
        }
        sessions
    };
    // More concurrent requests than connections, in a varying order.
    let asked = (0..sessions.len() * 20).map(|n| {
        let (session, people) = sessions[n * 7 % sessions.len()].clone();
        async move {
            let seen: i64 =
                sqlx::query_scalar("select count(*) from participant").fetch_one(&session).await.unwrap();
            assert_eq!(seen, people);
        }
    });
    futures_util::future::join_all(asked).await;
}

#[tokio::test]
async fn roles_that_alternate_keep_a_connection_each() {
    let Scene { app, scopes } = scene().await;
    let process = async |session: &Session| -> i32 {
        sqlx::query_scalar("select pg_backend_pid()").fetch_one(session).await.unwrap()
    };
    let other = app.second_process().await;
    let sessions = [
        other.database.writer.clone(),
        other.database.reading(&actor(Role::Administrator, Scope::default())),
        other.database.reading(&actor(Role::Officer, scopes[0].1.clone())),
    ];
    // While the first ones are in use, each opens its own.
    let mut held = Vec::new();
    for session in &sessions {
        held.push(session.begin().await.unwrap());
    }
    for transaction in held {
        transaction.rollback().await.unwrap();
    }
    let mut processes = Vec::new();
    for session in &sessions {
        processes.push(process(session).await);
    }
    for _ in 0..5 {
        for (session, kept) in sessions.iter().zip(&processes) {
            assert_eq!(process(session).await, *kept);
        }
    }
    assert_eq!(processes.iter().collect::<BTreeSet<_>>().len(), 3);
}

#[tokio::test]
async fn readers_cannot_write_and_writers_cannot_rewrite_history() {
    let Scene { app, scopes } = scene().await;
    let denied = async |session: &Session, statement: &'static str| {
        let error = sqlx::query(statement).execute(session).await.expect_err(statement);
        let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
        assert_eq!(code.as_deref(), Some("42501"), "{statement}");
    };
    let readers = [actor(Role::Administrator, Scope::default()), actor(Role::Partner, scopes[0].1.clone())];
    for reader in readers.map(|reader| app.database.reading(&reader)) {
        denied(&reader, "update participant set full_name = 'x'").await;
        denied(&reader, "insert into identifier values ('NATIONAL_ID', 'x', 1)").await;
        denied(&reader, "delete from enrollment").await;
        denied(&reader, "select * from idempotency").await;
        denied(&reader, "select * from installation").await;
    }
    // Maintained counters have no scope, so scoped roles cannot read them at all.
    denied(&app.database.reading(&actor(Role::Partner, scopes[0].1.clone())), "select * from figure").await;
    let writer = &app.database.writer;
    denied(writer, "delete from participant").await;
    denied(writer, "delete from enrollment").await;
    denied(writer, "update participant_event set recorded_by = 'x'").await;
    denied(writer, "alter table participant disable row level security").await;
    denied(writer, "update rule_setting set value = value").await;
}

#[tokio::test]
async fn nobody_but_the_owner_reads_a_partition_by_its_name() {
    let Scene { app, scopes } = scene().await;
    app.fill_partition().await;
    app.enrolled(&Person::new("BR-ONE")).await;
    app.detach_events().await;
    let mut sessions = vec![app.database.writer.clone()];
    let everybody = [Role::Administrator, Role::Auditor].map(|role| actor(role, Scope::default()));
    let scoped = scopes.into_iter().map(|(_, scope)| actor(Role::Officer, scope));
    sessions.extend(everybody.into_iter().chain(scoped).map(|actor| app.database.reading(&actor)));
    // The first one is detached, the second one has an event, the third one is empty.
    for partition in ["participant_event_0", "participant_event_1", "participant_event_2"] {
        let security = "select relrowsecurity from pg_class where oid = $1::regclass";
        assert!(sqlx::query_scalar::<_, bool>(security).bind(partition).fetch_one(&app.sql).await.unwrap());
        for session in &sessions {
            let read = AssertSqlSafe(format!("select count(*) from {partition}"));
            let error = sqlx::query(read).execute(session).await.expect_err(partition);
            let code = error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
            assert_eq!(code.as_deref(), Some("42501"), "{partition}");
        }
    }
    // Nor if somebody granted it by mistake.
    app.owner("grant select on participant_event_1 to registry_reader").await;
    let reader = app.database.reading(&actor(Role::Administrator, Scope::default()));
    let shown = async |table: &str| -> i64 {
        let sql = AssertSqlSafe(format!("select count(*) from {table}"));
        sqlx::query_scalar(sql).fetch_one(&reader).await.unwrap()
    };
    assert_eq!((shown("participant_event_1").await, shown("participant_event").await), (0, 1));
    let detached = "insert into event_detachment (first_id, before_id, partition, events, recorded_until)
                    values (1, 2, 'x', 1, now())";
    let error =
        sqlx::query(detached).execute(&app.database.writer).await.expect_err("only the owner detaches");
    assert!(error.to_string().contains("permission denied"), "{error}");
}

#[tokio::test]
async fn the_roles_own_nothing_and_every_table_with_people_has_row_security() {
    let app = App::new().await;
    let owned = "select count(*) from pg_class c join pg_roles r on r.oid = c.relowner
                 where r.rolname like 'registry%'";
    assert_eq!(app.count(owned).await, 0);
    // Every table with a reference to people has row security, or the reader roles may not read it. The exception is the
    // table of identifiers: it has only HMACs, and the people that they lead to are protected.
    let open: Vec<String> = sqlx::query_scalar(
        "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = 'public' and c.relkind in ('r', 'p', 'v', 'm') and c.relname <> 'identifier'
           and exists (select from pg_attribute a where a.attrelid = c.oid
                         and a.attname in ('participant_id', 'full_name', 'national_id', 'subjects', 'submitted_by'))
           and exists (select from pg_roles r where r.rolname like 'registry%' and r.rolname <> 'registry_writer'
                         and has_table_privilege(r.oid, c.oid, 'select'))
           and not (c.relrowsecurity and c.relforcerowsecurity)",
    )
    .fetch_all(&app.sql)
    .await
    .unwrap();
    assert_eq!(open, Vec::<String>::new());
}

#[tokio::test]
async fn a_login_that_owns_nothing_serves_and_one_without_the_roles_is_refused() {
    let fresh = fresh_database().await;
    let mut owner = fresh.owner.connect().await.unwrap();
    let login = format!("login_{}", fresh.name);
    let run = |sql: String| sqlx::raw_sql(AssertSqlSafe(sql));
    run(format!("create role {login} login noinherit")).execute(&mut owner).await.unwrap();
    let open = || {
        Database::open(
            fresh.options.clone().username(&login),
            Keys::derive(&[7; 32]),
            PoolSettings::default(),
        )
    };
    assert!(matches!(open().await, Err(OpenError::NotGranted { role: "registry_writer", .. })));
    let grant = format!(
        "grant registry_writer, registry_reader, registry_of_provinces, registry_of_channels, registry_of_employer,
               registry_of_association, registry_scoped to {login}"
    );
    run(grant).execute(&mut owner).await.unwrap();
    let database = open().await.expect("the login has the roles that it needs");
    assert!(!database.login_is_owner);
    let app = App::with_database(database, crate::support::app::TODAY, fresh);
    let person = Person::new(&app.channel("BR-PLG").await);
    app.enrolled(&person).await;
    assert_eq!(app.ask("{ participants { totalCount } }", json!({})).await["participants"]["totalCount"], 1);
    app.fold().await;
    app.database.close().await;
    run(format!("drop role {login}")).execute(&mut owner).await.unwrap();
}

#[tokio::test]
async fn an_owner_without_superuser_migrates_serves_and_rotates_the_key() {
    let app = App::under_its_owner().await;
    assert!(app.database.login_is_owner);
    let is_plain =
        "select not (rolsuper or rolbypassrls) and rolinherit from pg_roles where rolname = current_user";
    let is_plain: bool = sqlx::query_scalar(is_plain).fetch_one(&app.sql).await.unwrap();
    assert!(is_plain, "the owner has no right that others lack");
    let person = Person::new(&app.channel("BR-PLG").await);
    let id = app.enrolled(&person).await;
    let named = app.ask("query ($id: ID!) { participant(by: {id: $id}) { id } }", json!({"id": id})).await;
    assert_eq!(named["participant"]["id"], json!(id));
    // Forced row security applies to the owner too. A policy shows the owner every row, because migrations change them.
    for table in ["participant", "enrollment", "participant_event"] {
        let change = AssertSqlSafe(format!("update {table} set id = id"));
        assert_eq!(sqlx::query(change).execute(&app.sql).await.unwrap().rows_affected(), 1, "{table}");
    }
    app.fold().await;
    let recounted = app.recount().await;
    assert_eq!((recounted.people, recounted.different), (1, 0));
    app.wait_until_all_can_be_sealed().await;
    seal(&app.database).await.unwrap().expect("a seal");
    assert!(verify(&app.database, None).await.unwrap().is_ok());
    let ring = KeyRing { newest: Keys::derive(&[9; 32]), previous: Some(Keys::derive(&[7; 32])) };
    let rotated = rotate(&mut app.database.maintenance().await.unwrap(), &ring, |_| {}).await.unwrap();
    assert_eq!(rotated.participants, 1);
}

#[tokio::test]
async fn an_owner_with_inherited_policies_is_refused_before_migrating() {
    let fresh = fresh_database().await;
    let mut owner = fresh.owner.connect().await.unwrap();
    let heir = format!("heir_{}", fresh.name);
    let run = |sql: String| sqlx::raw_sql(AssertSqlSafe(sql));
    run(format!(
        "create role {heir} login; grant registry_of_channels to {heir}; drop schema public cascade;
         create schema public; grant all on schema public to {heir} with grant option"
    ))
    .execute(&mut owner)
    .await
    .unwrap();
    let open =
        || Database::open(fresh.options.clone().username(&heir), Keys::derive(&[7; 32]), Default::default());
    // This login can neither create nor grant roles.
    assert!(matches!(open().await, Err(OpenError::Roles(_))));
    run(format!("grant registry_roles to {heir}")).execute(&mut owner).await.unwrap();
    assert!(matches!(open().await, Err(OpenError::Inherited("registry_of_channels"))));
    run(format!("revoke registry_of_channels from {heir}")).execute(&mut owner).await.unwrap();
    open().await.expect("it may migrate now").close().await;
    run(format!("drop schema public cascade; drop role {heir}")).execute(&mut owner).await.unwrap();
}

#[tokio::test]
async fn a_payer_learns_of_a_death_only_through_its_own_enrollment() {
    let app = App::on("2014-12-01T03:00:00Z").await;
    let channel = app.channel("BR-PLG").await;
    let (musi, ogan) = (app.employer("PT Musi").await, app.employer("PT Ogan").await);
    let who = Person::new(&channel);
    let (_, at_musi) = app.enrollment(&who.clone().at(&musi)).await;
    let (_, at_ogan) = app.enrollment(&who.at(&ogan)).await;
    app.end(&at_musi, "2014-11-10", "RESIGNED").await;
    app.end(&at_ogan, "2014-11-20", "DECEASED").await;
    for (employer, events) in [(&musi, 2), (&ogan, 2)] {
        let employer = node_id::employer_id(employer).ok();
        let actor = Actor { scope: Scope { employer, ..Scope::default() }, ..Actor::command_line() };
        let session = app.database.reading(&actor);
        let shown: i64 =
            sqlx::query_scalar("select count(*) from participant_event").fetch_one(&session).await.unwrap();
        assert_eq!(shown, events);
    }
}
