//! Mutations that wait for a lock: few at a time wait for long, so that others find a connection, and their answer says that
//! it changed nothing.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::join_all;
use participant_registry::store::database::PoolSettings;

use crate::support::app::Reply;
use crate::support::{App, Person, json};

const CHANGE: &str =
    "mutation ($input: ChangeContactInput!) { changeContact(input: $input) { errors { code } } }";

const ENROLL: &str = "mutation ($input: EnrollParticipantInput!) { enrollParticipant(input: $input) {
    participant { id } errors { code } } }";

/// Five times as many mutations as their process has connections.
const WAITING: usize = 15;

/// Others, one after the other. If all connections waited for the lock, each of these would wait until one gives up.
const OTHERS: usize = 20;

async fn process_with_three_connections(app: &App) -> App {
    // If all of them waited for the lock, a second each, the last ones would wait longer than that for a connection.
    let acquire_timeout = Duration::from_secs(4);
    app.second_process_with_pools(PoolSettings { interactive: 3, acquire_timeout, ..PoolSettings::default() })
        .await
}

/// Runs mutations that wait beside others that do not. Returns the answers to the former, which must come last.
async fn those_that_outlast(
    waiting: impl Future<Output = Vec<Reply>>,
    others: impl Future<Output = ()>,
) -> Vec<Reply> {
    let mut waiting = pin!(waiting);
    tokio::select! {
        _ = &mut waiting => panic!("the others waited as long"),
        () = others => {}
    }
    waiting.await
}

/// Checks that these mutations gave up, and that their answers say so.
fn assert_given_up(replies: &[Reply]) {
    for reply in replies {
        let error = &reply.body["errors"][0];
        assert_eq!(error["extensions"]["code"], "UNAVAILABLE", "{}", reply.body);
        assert!(
            error["message"].as_str().unwrap().starts_with("This attempt changed nothing"),
            "{}",
            reply.body
        );
    }
}

#[tokio::test]
async fn changes_of_a_locked_person_keep_no_other_change_waiting() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let (locked, free) =
        (app.enrolled(&Person::new(&channel)).await, app.enrolled(&Person::new(&channel)).await);
    let token = app.administrator().await;
    let few = process_with_three_connections(&app).await;
    let change = |person: &str, n: usize| {
        let input = json!({"participantId": person, "phone": format!("0812000000{n:02}")});
        few.post(&token, CHANGE, json!({"input": input}))
    };
    let mut lock = app.sql.begin().await.unwrap();
    sqlx::raw_sql("select registry_lock_people(array(select min(id) from participant))")
        .execute(&mut *lock)
        .await
        .unwrap();
    let others = async {
        for n in 0..OTHERS {
            let reply = change(&free, n).await;
            assert_eq!(reply.body["data"]["changeContact"]["errors"], json!([]), "{}", reply.body);
        }
    };
    let waiting = join_all((0..WAITING).map(|n| change(&locked, n)));
    assert_given_up(&those_that_outlast(waiting, others).await);
    lock.rollback().await.unwrap();
    let reply = change(&locked, 0).await;
    assert_eq!(reply.body["data"]["changeContact"]["errors"], json!([]), "{}", reply.body);
    let changed = app.count("select count(*) from participant_event where kind = 'CONTACT_CHANGED'").await;
    assert_eq!(changed, OTHERS as i64 + 1);
}

#[tokio::test]
async fn forms_for_an_employer_that_is_being_closed_keep_no_other_form_waiting() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let closing = app.employer("Toko").await;
    let token = app.administrator().await;
    let few = process_with_three_connections(&app).await;
    let enroll = |form: &Person| few.post(&token, ENROLL, json!({"input": form.0}));
    let mut lock = app.sql.begin().await.unwrap();
    sqlx::raw_sql(
        "select pg_advisory_xact_lock(hashtext('participant_registry.employer'), hashint8((select max(id) from employer)))",
    )
    .execute(&mut *lock)
    .await
    .unwrap();
    let forms: Vec<Person> = (0..WAITING).map(|_| Person::new(&channel).at(&closing)).collect();
    let others = async {
        for _ in 0..OTHERS {
            let reply = enroll(&Person::new(&channel)).await;
            assert_eq!(reply.body["data"]["enrollParticipant"]["errors"], json!([]), "{}", reply.body);
        }
    };
    assert_given_up(&those_that_outlast(join_all(forms.iter().map(enroll)), others).await);
    lock.rollback().await.unwrap();
    assert_eq!(app.count("select count(*) from participant").await, OTHERS as i64);
    for reply in join_all(forms.iter().map(enroll)).await {
        assert_eq!(reply.body["data"]["enrollParticipant"]["errors"], json!([]), "{}", reply.body);
    }
    assert_eq!(app.differing_counters().await, 0);
}
