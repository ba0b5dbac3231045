//! Failover by promotion: of several servers of DATABASE_URL, the registry writes at the one that is the primary.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use participant_registry::store::Database;
use participant_registry::store::database::PoolSettings;
use participant_registry::store::hosts::Hosts;
use participant_registry::store::keys::Keys;
use private_postgres::Cluster;

use crate::support::app::TODAY;
use crate::support::cluster::{LOGIN, OWNER, TestDatabase};
use crate::support::replicated::{Replicated, connect, execute};
use crate::support::{App, Person, json};

/// Only ends a failed test.
const LONGEST: Duration = Duration::from_secs(60);

const ENROLL: &str = "mutation ($v: EnrollParticipantInput!) { enrollParticipant(input: $v) {
    participant { id } errors { code } } }";

/// Opens the registry with both servers, the first of which is tried first.
async fn open(clusters: [&Cluster; 2]) -> App {
    let [first, second] = clusters.map(|cluster| cluster.options().username(LOGIN));
    let pools = PoolSettings { interactive: 4, ..PoolSettings::default() };
    let hosts = Hosts::new(first.clone(), vec![second]);
    let database = Database::open(hosts, Keys::derive(&[7; 32]), pools).await.expect("the database opens");
    let owner = clusters[0].options().username(OWNER);
    App::with_database(database, TODAY, TestDatabase { options: first, owner, name: String::new() })
}

/// Enrolls somebody, and retries with the same key as often as the answer says that it is worth it.
async fn enroll(app: &App, token: &str, channel: &str, key: &str) {
    let person = Person::new(channel).with("idempotencyKey", json!(key)).0;
    loop {
        let reply = app.post(token, ENROLL, json!({"v": person})).await;
        if reply.status == StatusCode::OK {
            assert_eq!(reply.body["data"]["enrollParticipant"]["errors"], json!([]));
            return;
        }
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{}", reply.body);
        assert_eq!(reply.body["errors"][0]["extensions"]["retryable"], true, "{}", reply.body);
    }
}

async fn enrolled(cluster: &Cluster) -> i64 {
    let count = sqlx::query_scalar("select count(*) from enrollment");
    count.fetch_one(&mut connect(cluster).await).await.unwrap()
}

/// Makes the standby a primary, which then takes writes.
async fn promote(cluster: &Cluster) {
    execute(&mut connect(cluster).await, "select pg_promote()").await;
}

#[tokio::test]
async fn writes_go_on_at_the_standby_that_became_the_primary() {
    let pair = Replicated::start().await;
    // What is acknowledged is at the standby, too.
    let mut superuser = connect(&pair.primary).await;
    execute(&mut superuser, "alter system set synchronous_standby_names = '*'").await;
    execute(&mut superuser, "select pg_reload_conf()").await;
    execute(&mut superuser, "alter database registry set synchronous_commit = remote_apply").await;
    drop(superuser);
    let app = open([&pair.primary, &pair.standby]).await;
    let (channel, token) = (app.channel("BR-PLG").await, app.administrator().await);
    for n in 0..3 {
        enroll(&app, &token, &channel, &format!("before-the-failover-{n}")).await;
    }
    assert_eq!(enrolled(&pair.standby).await, 3);
    pair.primary.stop().await;
    let mut superuser = connect(&pair.standby).await;
    execute(&mut superuser, "select pg_promote()").await;
    execute(&mut superuser, "alter database registry reset synchronous_commit").await;
    for n in 0..3 {
        enroll(&app, &token, &channel, &format!("after-the-failover-{n}")).await;
    }
    assert_eq!(enrolled(&pair.standby).await, 6);
}

#[tokio::test]
async fn a_former_primary_that_still_takes_writes_gets_none() {
    let pair = Replicated::start().await;
    let (former, successor) = (&pair.primary, &pair.standby);
    let app = open([former, successor]).await;
    let (channel, token) = (app.channel("BR-PLG").await, app.administrator().await);
    enroll(&app, &token, &channel, "before-the-split").await;
    pair.caught_up(&app).await;
    // A split: both servers take writes, and the registry has connections to the former primary.
    promote(successor).await;
    app.database.hosts().survey().await;
    for n in 0..5 {
        enroll(&app, &token, &channel, &format!("during-the-split-{n}")).await;
    }
    assert_eq!((enrolled(former).await, enrolled(successor).await), (1, 6));

    // A process that starts asks both, and takes the newer one, in whichever order they are named.
    for order in [[former, successor], [successor, former]] {
        let fresh = open(order).await;
        assert_eq!(fresh.database.hosts().current().get_socket(), successor.options().get_socket());
    }

    // The new primary is away: nothing is written rather than at the former one.
    let elsewhere = successor.options().database("postgres");
    let mut elsewhere = sqlx::ConnectOptions::connect(&elsewhere).await.unwrap();
    execute(&mut elsewhere, "alter database registry allow_connections false").await;
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'registry'";
    execute(&mut elsewhere, end).await;
    let person = Person::new(&channel).0;
    let reply = app.post(&token, ENROLL, json!({"v": person})).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{}", reply.body);
    assert_eq!(enrolled(former).await, 1);
    execute(&mut elsewhere, "alter database registry allow_connections true").await;
    enroll(&app, &token, &channel, "after-the-split-0").await;
    assert_eq!(enrolled(successor).await, 7);
}

#[tokio::test]
async fn a_commit_that_the_former_primary_acknowledges_late_is_not_acknowledged() {
    let pair = Replicated::start().await;
    let (former, successor) = (&pair.primary, &pair.standby);
    let mut at_former = connect(former).await;
    execute(&mut at_former, "alter database registry set synchronous_commit = on").await;
    let app = open([former, successor]).await;
    let (channel, token) = (app.channel("BR-PLG").await, app.administrator().await);
    enroll(&app, &token, &channel, "before-the-split").await;
    pair.caught_up(&app).await;
    // A split between the two: the standby gets nothing more, so a commit waits for it.
    execute(&mut connect(successor).await, "alter system set primary_conninfo = ''").await;
    execute(&mut connect(successor).await, "select pg_reload_conf()").await;
    let (is_split, began) = ("select not exists (select from pg_stat_replication)", Instant::now());
    while !sqlx::query_scalar::<_, bool>(is_split).fetch_one(&mut at_former).await.unwrap() {
        assert!(began.elapsed() < LONGEST, "the standby is not cut off");
        tokio::task::yield_now().await;
    }
    execute(&mut at_former, "alter system set synchronous_standby_names = '*'").await;
    execute(&mut at_former, "select pg_reload_conf()").await;
    // The server takes the setting a moment later: commits before it do not wait.
    let mut early = 0;
    let (key, reply) = loop {
        assert!(began.elapsed() < LONGEST, "no commit waits for the standby");
        let key = format!("during-the-split-{early}");
        let person = Person::new(&channel).with("idempotencyKey", json!(key)).0;
        let mut sent = Box::pin(app.post(&token, ENROLL, json!({"v": person})));
        let commit_waits = async {
            let waiting = "select exists (select from pg_stat_activity where wait_event = 'SyncRep')";
            while !sqlx::query_scalar::<_, bool>(waiting).fetch_one(&mut at_former).await.unwrap() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            reply = &mut sent => {
                assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
                early += 1;
                continue;
            }
            () = commit_waits => {}
        }
        let failover = async {
            promote(successor).await;
            app.database.hosts().survey().await;
            // Somebody lets the former primary go on without its standby.
            execute(&mut at_former, "alter system set synchronous_standby_names = ''").await;
            execute(&mut at_former, "select pg_reload_conf()").await;
        };
        let (reply, ()) = tokio::join!(sent, failover);
        break (key, reply);
    };
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{}", reply.body);
    assert_eq!(reply.body["errors"][0]["extensions"]["retryable"], true, "{}", reply.body);
    assert_eq!((enrolled(former).await, enrolled(successor).await), (early + 2, 1));
    enroll(&app, &token, &channel, &key).await;
    assert_eq!((enrolled(former).await, enrolled(successor).await), (early + 2, 2));
}
