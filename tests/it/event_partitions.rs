//! Partitions of the history of people: made ahead, detached as a whole, and attached again. What needs a detached event is
//! refused, and everything else is answered as before.

use std::time::Duration;

use chrono::{DateTime, Utc};
use participant_registry::store::event::partition::{AttachError, Detachment, attach, detach_older};
use participant_registry::store::partition::add_events;
use sqlx::AssertSqlSafe;

use crate::support::program::{Folder, doctor, registry};
use crate::support::statements::sent;
use crate::support::{App, Person, Value, json};

/// The first id of the second partition.
const BOUND: i64 = 1_000_000_000;

impl App {
    /// Fills the first partition: the events to come are in the second one.
    pub(crate) async fn fill_partition(&self) {
        self.owner("select setval('participant_event_id_seq', 999999999)").await;
    }

    /// Detaches the partitions that are full, and tells this process.
    pub(crate) async fn detach_events(&self) -> Vec<Detachment> {
        self.detach_events_before(self.tomorrow().await).await
    }

    /// Returns a day later than now, by the clock of the database.
    async fn tomorrow(&self) -> DateTime<Utc> {
        let tomorrow = "select clock_timestamp() + interval '1 day'";
        sqlx::query_scalar(tomorrow).fetch_one(&self.sql).await.unwrap()
    }

    async fn detach_events_before(&self, moment: DateTime<Utc>) -> Vec<Detachment> {
        let mut owner = self.sql.acquire().await.unwrap();
        let detached = detach_older(&mut owner, moment, Duration::ZERO).await.unwrap();
        self.database.refresh_reference().await.unwrap();
        detached
    }

    /// Attaches a partition, and tells this process.
    pub(crate) async fn attach_events(&self, table: &str) -> Result<Detachment, AttachError> {
        let attached = attach(&mut self.sql.acquire().await.unwrap(), table, Duration::ZERO).await;
        self.database.refresh_reference().await.unwrap();
        attached
    }
}

const HISTORY: &str = "query ($id: ID!) { participant(by: {id: $id}) { status eventsDetachedUntil
    enrollments { nodes { status paidThrough monthlyWage } }
    events(first: 100) { totalCount nodes { id kind effectiveOn } } } }";

async fn history(app: &App, person: &str) -> Value {
    app.ask(HISTORY, json!({"id": person})).await["participant"].take()
}

async fn done(app: &App, mutation: &str, input: Value) {
    let kind = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    let query = format!("mutation ($v: {kind}!) {{ {mutation}(input: $v) {{ errors {{ code message }} }} }}");
    let payload = app.ask(&query, json!({"v": input})).await[mutation].take();
    assert_eq!(payload["errors"], json!([]), "{mutation}");
}

/// Somebody with events in the first partition and one in the second, and somebody whose events are all in the second.
async fn old_and_new(app: &App) -> [(String, String); 2] {
    let (channel, employer) = (app.channel("BR-PLG").await, app.employer("PT Musi").await);
    let person = || {
        let person = Person::new(&channel).at(&employer).with("startsOn", json!("2014-05-01"));
        person.with("monthlyWage", json!(3_000_000)).with("firstContributionPaid", json!(true))
    };
    let wage = |enrollment: &str| json!({"enrollmentId": enrollment, "monthlyWage": 3_300_000, "effectiveOn": "2014-06-01", "reason": "Payroll"});
    let moves = |id: &str| json!({"participantId": id, "provinceCode": "31", "on": "2014-06-15"});
    let old = app.enrollment(&person()).await;
    done(app, "changeWage", wage(&old.1)).await;
    done(app, "moveParticipant", moves(&old.0)).await;
    app.fill_partition().await;
    let new = app.enrollment(&person()).await;
    done(app, "changeWage", wage(&new.1)).await;
    done(app, "moveParticipant", moves(&new.0)).await;
    done(app, "recordContributions", json!({"month": "2014-06-01", "enrollmentIds": [old.1, new.1]})).await;
    [old, new]
}

#[tokio::test]
async fn a_history_says_that_events_are_detached_and_is_whole_once_they_are_attached_again() {
    // After the days on which the database records, so that what it records is known.
    let app = App::on("2100-01-01T03:00:00Z").await;
    let [(old, _), (new, _)] = old_and_new(&app).await;
    let whole = [history(&app, &old).await, history(&app, &new).await];
    assert_eq!(whole[0]["events"]["totalCount"], whole[1]["events"]["totalCount"]);
    assert_eq!(app.detach_events_before(DateTime::UNIX_EPOCH).await, [], "all are younger");
    assert_eq!(whole, [history(&app, &old).await, history(&app, &new).await]);

    let detached = app.detach_events().await;
    let [Detachment { first_id: 0, before_id: BOUND, events, recorded_until, partition }] =
        detached.as_slice()
    else {
        panic!("{detached:?}")
    };
    assert_eq!(partition, "participant_event_0");
    assert_eq!(app.count("select count(*) from participant_event_0").await, *events);
    assert_eq!(app.count("select count(*) from participant_event where id < 1000000000").await, 0);
    assert_eq!(app.detach_events().await, [], "the second one is not full");

    // The state is that of before, and the history says what it lacks.
    let short = history(&app, &old).await;
    let until: DateTime<Utc> = short["eventsDetachedUntil"].as_str().unwrap().parse().unwrap();
    assert!((*recorded_until - until).abs() < chrono::TimeDelta::seconds(1));
    assert_eq!((&short["status"], &short["enrollments"]), (&whole[0]["status"], &whole[0]["enrollments"]));
    let events = &short["events"];
    assert_eq!((&events["totalCount"], &events["nodes"][0]["kind"]), (&json!(1), &json!("CONTRIBUTED")));
    assert_eq!(history(&app, &new).await, whole[1], "somebody who came later lacks nothing");

    // What was known follows from all events; what holds on a day does not.
    let known = "query ($id: ID!, $day: Date) { participant(by: {id: $id}, knownOn: $day) { status } }";
    let as_of = "query ($id: ID!) { participant(by: {id: $id}, asOf: \"2014-06-20\") { province { code } } }";
    let token = app.administrator().await;
    let known_on = |person: &str| json!({"id": person, "day": app.today.to_string()});
    let status = &whole[1]["status"];
    assert_eq!(app.refused(&token, known, known_on(&old)).await, "EVENTS_DETACHED");
    assert_eq!(app.ask(known, known_on(&new)).await["participant"]["status"], *status);
    for person in [&old, &new] {
        let data = app.ask(as_of, json!({"id": person})).await;
        assert_eq!(data["participant"]["province"]["code"], "31");
    }
    let node = "query ($id: ID!) { node(id: $id) { id } }";
    let event = |whole: &Value, n: usize| json!({"id": whole["events"]["nodes"][n]["id"]});
    assert_eq!(app.refused(&token, node, event(&whole[0], 1)).await, "EVENTS_DETACHED");
    assert_eq!(app.ask(node, event(&whole[0], 0)).await["node"]["id"], whole[0]["events"]["nodes"][0]["id"]);

    app.attach_events("participant_event_0").await.unwrap();
    assert_eq!(whole, [history(&app, &old).await, history(&app, &new).await]);
    assert_eq!(app.ask(known, known_on(&old)).await["participant"]["status"], *status);
    // It can be detached again.
    assert_eq!(app.detach_events().await.len(), 1);
    assert_eq!(app.count("select count(*) from event_detachment").await, 2);
}

#[tokio::test]
async fn a_recount_compares_what_is_not_detached_and_counts_the_rest() {
    let app = App::new().await;
    old_and_new(&app).await;
    app.fold().await;
    let whole = app.recount().await;
    assert_eq!((whole.differences, whole.detached.count()), (vec![], 0));
    let detached = app.detach_events().await;
    let rest = app.recount().await;
    assert_eq!((rest.differences, rest.detached.count()), (vec![], detached[0].events));
    let newest = "(select max(id) from participant)";
    for (broken, what) in [
        ("update enrollment set wages = '{3300001}' where participant_id = ", "enrollments with other wages"),
        ("update participant set moved_on = '{2014-06-16}' where id = ", "people with other moves"),
    ] {
        let mut owner = app.sql.begin().await.unwrap();
        sqlx::query(AssertSqlSafe(format!("{broken} {newest}"))).execute(&mut *owner).await.unwrap();
        owner.commit().await.unwrap();
        let found = app.recount().await.differences;
        assert!(found.iter().any(|difference| difference.figure.starts_with(what)), "{what}: {found:?}");
    }
}

#[tokio::test]
async fn only_the_partition_that_was_detached_is_attached() {
    let app = App::new().await;
    old_and_new(&app).await;
    let attached = async |table: &str| app.attach_events(table).await.map(|detachment| detachment.partition);
    assert!(matches!(attached("participant_event_0").await, Err(AttachError::NotDetached(_))));
    let count = app.detach_events().await[0].events;
    assert!(matches!(attached("participant_event_1").await, Err(AttachError::NotDetached(_))));
    app.owner("alter table participant_event_0 rename to elsewhere").await;
    assert!(matches!(attached("participant_event_0").await, Err(AttachError::Missing(_))));
    app.owner("alter table elsewhere rename to participant_event_0").await;
    app.owner("create table one_event as select * from participant_event_0 where kind = 'MOVED'").await;
    app.owner("delete from participant_event_0 where kind = 'MOVED'").await;
    let Err(AttachError::Differs { found, detached }) = attached("participant_event_0").await else {
        panic!("a table with fewer events was attached")
    };
    assert_eq!((found, detached), (count - 1, count));
    // Another event in its place has an id out of the range.
    app.owner(
        "insert into participant_event_0 (participant_id, id, effective_on, kind, recorded_by)
               select participant_id, 5000000000, effective_on, kind, recorded_by from one_event",
    )
    .await;
    assert!(matches!(attached("participant_event_0").await, Err(AttachError::Store(_))));
    app.owner("delete from participant_event_0 where id = 5000000000").await;
    app.owner("insert into participant_event_0 select * from one_event").await;
    // A dump of the plain owner cannot restore the foreign key, because row security binds its check.
    app.owner("alter table participant_event_0 drop constraint participant_event_participant_id_fkey").await;
    assert_eq!(attached("participant_event_0").await.unwrap(), "participant_event_0");
    let keys = "select count(*) from pg_constraint where conrelid = 'participant_event_0'::regclass
                and contype in ('p', 'f') and conparentid <> 0 and convalidated";
    assert_eq!(app.count(keys).await, 2);
    let check = "select count(*) from pg_constraint where conrelid = 'participant_event_0'::regclass and contype = 'c'";
    assert_eq!(app.count(check).await, 0);
}

#[tokio::test]
async fn what_was_announced_and_not_detached_is_detached_by_the_next_call() {
    let app = App::new().await;
    let [(old, _), _] = old_and_new(&app).await;
    // Somebody reads a history for longer than an order waits.
    let mut reader = app.database.control.begin().await.unwrap();
    sqlx::query("select count(*) from participant_event").execute(&mut *reader).await.unwrap();
    let tomorrow = app.tomorrow().await;
    let busy = detach_older(&mut app.sql.acquire().await.unwrap(), tomorrow, Duration::ZERO).await;
    assert!(busy.is_err(), "{busy:?}");
    app.database.refresh_reference().await.unwrap();
    let history = history(&app, &old).await;
    assert_ne!(history["eventsDetachedUntil"], Value::Null, "announced");
    assert_ne!(history["events"]["totalCount"], 1, "and still there");
    reader.rollback().await.unwrap();
    let folder = Folder::new("half-done");
    let key = folder.write("key", &"07".repeat(32));
    let url = app.database_url();
    let settings = [("DATABASE_URL", url.as_str()), ("REGISTRY_KEY_FILE", &key)];
    let announced = "the detachment of participant_event_0 was announced and not done";
    let (_, lines) = doctor(&folder, &settings);
    let line = lines.iter().find(|line| line.1 == "history").expect("a line about the history");
    assert!(line.0 == "warning" && line.2.starts_with(announced), "{line:?}");
    let recounted = String::from_utf8(registry(&folder, &["recount"], &settings).stdout).unwrap();
    assert!(recounted.contains(announced), "{recounted}");
    assert_eq!(app.detach_events().await.len(), 1);
    let (_, lines) = doctor(&folder, &settings);
    assert!(lines.iter().all(|line| line.1 != "history"), "{lines:?}");
    assert_eq!(app.count("select count(*) from event_detachment").await, 1);
}

#[tokio::test]
async fn a_history_costs_no_statement_more_when_events_are_detached() {
    let app = App::new().await;
    let [(old, enrollment), _] = old_and_new(&app).await;
    let (_, before) = sent(history(&app, &old)).await;
    app.detach_events().await;
    let (_, after) = sent(history(&app, &old)).await;
    assert_eq!(after.len(), before.len(), "{after:?}");
    done(&app, "recordContributions", json!({"month": "2014-07-01", "enrollmentIds": [enrollment]})).await;
    let events = history(&app, &old).await["events"]["nodes"].take();
    let is_it = |event: &Value| event["kind"] == "CONTRIBUTED" && event["effectiveOn"] == "2014-07-01";
    assert!(events.as_array().unwrap().iter().any(is_it), "{events}");
}

#[tokio::test]
async fn partitions_are_made_ahead_and_by_an_event_that_finds_none() {
    let app = App::new().await;
    let partitions = "select count(*) from pg_inherits where inhparent = 'participant_event'::regclass";
    assert_eq!(app.count(partitions).await, 3);
    assert_eq!(add_events(&app.database.control).await.unwrap(), 0);
    app.owner("select setval('participant_event_id_seq', 2999999999)").await;
    assert_eq!(add_events(&app.database.control).await.unwrap(), 2);
    // No server has made them: whoever comes first does.
    let channel = app.channel("BR-PLG").await;
    for last in ["8999999999", "18999999999"] {
        let sql = format!("select setval('participant_event_id_seq', {last})");
        sqlx::query(AssertSqlSafe(sql)).execute(&app.sql).await.unwrap();
        let people: Vec<Person> = (0..8).map(|_| Person::new(&channel)).collect();
        futures_util::future::join_all(people.iter().map(|person| app.enrolled(person))).await;
    }
    assert_eq!(app.count(partitions).await, 22);
    assert_eq!(app.count("select count(*) from participant_event where kind = 'ENROLLED'").await, 16);
    assert_eq!(app.differing_counters().await, 0);
}
