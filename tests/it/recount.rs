//! A recount finds every stored value that disagrees with the people and enrollments that it derives from.

use participant_registry::actions::lapse::lapse;

use crate::support::{App, Person, json};

#[tokio::test]
async fn a_recount_compares_stored_values_with_the_rows_they_derive_from() {
    let app = App::on("2015-02-10T03:00:00Z").await;
    let (channel, employer) = (app.channel("BR-PLG").await, app.employer("PT Musi").await);
    let paid = Person::new(&channel).with("firstContributionPaid", json!(true));
    let lapses = Person::new(&channel).with("firstContributionPaid", json!(true));
    app.enrolled(&paid.clone().with("startsOn", json!("2015-01-15"))).await;
    app.enrolled(&paid.at(&employer).with("startsOn", json!("2014-12-15"))).await;
    app.enrolled(&lapses).await;
    app.enrolled(&Person::new(&channel)).await;
    let (_, left) = app.enrollment(&Person::new(&channel).at(&employer)).await;
    app.end(&left, "2015-01-20", "RESIGNED").await;
    assert_eq!(app.recount().await.differences, []);
    assert_eq!(lapse(&app.database, app.today).await.unwrap(), Some(0));
    for (broken, repaired, what) in [
        (
            "update enrollment set status = 'INACTIVE', lapses_on = null where starts_on = '2015-01-15'",
            "update enrollment set status = 'ACTIVE', lapses_on = '2015-05-01' where starts_on = '2015-01-15'",
            "enrollments with another status",
        ),
        (
            "update enrollment set status = 'ACTIVE', lapses_on = '2015-02-01' where status = 'INACTIVE'",
            "update enrollment set status = 'INACTIVE', lapses_on = null where starts_on = '2014-10-02' and paid is not null",
            "enrollments with another status",
        ),
        (
            "update enrollment set status = 'REGISTERED', lapses_on = null where starts_on = '2015-01-15'",
            "update enrollment set status = 'ACTIVE', lapses_on = '2015-05-01' where starts_on = '2015-01-15'",
            "enrollments with another status",
        ),
        (
            "update enrollment set lapses_on = '2015-06-01' where starts_on = '2015-01-15'",
            "update enrollment set lapses_on = '2015-05-01' where starts_on = '2015-01-15'",
            "enrollments with another day of lapsing",
        ),
        (
            "update enrollment set paid_through = '2015-02-28' where starts_on = '2015-01-15'",
            "update enrollment set paid_through = '2015-01-31' where starts_on = '2015-01-15'",
            "enrollments with another last day paid for",
        ),
        (
            "update participant set status = 'ACTIVE' where status = 'ENDED'",
            "update participant set status = 'ENDED'
             where id in (select participant_id from enrollment where status = 'ENDED')",
            "people with another status",
        ),
        (
            "update participant set employer_id = null where employer_id is not null",
            "update participant p set employer_id = e.employer_id
             from enrollment e where e.participant_id = p.id and e.starts_on = '2014-12-15'",
            "people with another employer or association",
        ),
    ] {
        sqlx::query(broken).execute(&app.sql).await.unwrap();
        let found = app.recount().await;
        let answer = found.differences.iter().find(|difference| difference.figure.contains(what));
        assert_eq!(
            answer.map(|answer| (answer.kept, answer.counted)),
            Some((1, 0)),
            "{broken}: {:?}",
            found.differences
        );
        sqlx::query(repaired).execute(&app.sql).await.unwrap();
        assert_eq!(app.recount().await.differences, [], "{repaired}");
    }
}
