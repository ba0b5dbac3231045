//! Rules are rows: editing one changes the registry without a release or a restart.

use std::sync::Arc;
use std::time::Duration;

use domain::enrollment::Segment;

use crate::support::app::codes;
use crate::support::{App, Person, json};

#[tokio::test]
async fn an_edited_rule_applies_to_every_process_at_once() {
    let app = App::new().await;
    let following = tokio::spawn(Arc::clone(&app.database).follow_reference());
    let paid_through = "2014-10-31".parse().unwrap();
    let months = || {
        let reference = app.database.reference();
        reference.rules.grace(Segment::SelfEmployed, paid_through).map(|rule| rule.months)
    };
    assert_eq!(months(), Some(3));
    for (statement, grace) in [
        ("update grace_rule set valid_until = '2014-10-30' where segment = 'SELF_EMPLOYED'", None),
        (
            "insert into grace_rule (code, segment, months, valid_from, title)
             values ('GRACE-BPU-2', 'SELF_EMPLOYED', 5, '2014-10-31', 'Agency, circular of October 2014') on conflict do nothing",
            Some(5),
        ),
    ] {
        // The timeout only ends a failed test. The test sends the notification again, because at first the process may
        // not listen yet.
        let heard = async {
            while months() != grace {
                sqlx::query(statement).execute(&app.sql).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), heard).await.expect("the process is notified of the rule");
    }
    following.abort();
}

#[tokio::test]
async fn a_new_regulation_applies_from_its_first_day_and_is_cited() {
    let app = App::new().await;
    let person = Person::new(&app.channel("BR-PLG").await)
        .with("programmes", json!(["WORK_ACCIDENT", "DEATH", "OLD_AGE"]));
    assert_eq!(codes(&app.enroll(&person).await["errors"]), [""; 0]);
    sqlx::query(
        "update programme_rule set valid_from = '2014-12-01', title = 'PP 99/2014' where code = 'JHT'",
    )
    .execute(&app.sql)
    .await
    .unwrap();
    app.database.refresh_reference().await.unwrap();
    let person = Person::new("BR-PLG").with("programmes", json!(["WORK_ACCIDENT", "DEATH", "OLD_AGE"]));
    let refused = app.enroll(&person).await;
    assert_eq!(codes(&refused["errors"]), ["PROGRAMME_NOT_IN_FORCE"]);
    assert_eq!(refused["errors"][0]["hint"], "It is in force from 2014-12-01: PP 99/2014.");
    assert_eq!(codes(&app.enroll(&person.with("startsOn", json!("2014-12-01"))).await["errors"]), [""; 0]);
}
