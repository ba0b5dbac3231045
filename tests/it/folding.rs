//! The fold of counter deltas into their base, and what readers find beside it.

use sqlx::AssertSqlSafe;

use crate::support::{App, Person, Value, json};

/// The deltas of these tests, again.
const REPEAT: &str = "insert into count_delta (province_id, channel_id, employer_id, association_id, status, persons, effective_on, standing)
    select province_id, channel_id, employer_id, association_id, status, persons, effective_on, standing from count_delta";

/// What readers of several counters are told: of the country twice, of a province, a channel and an employer.
async fn totals(app: &App) -> Vec<i64> {
    let query = "{ participants { totalCount } coverage { counts { total } } provinces { counts { total } }
        channels { nodes { counts { total } } } employers { nodes { counts { total } } } }";
    let data = app.ask(query, json!({})).await;
    let sum = |list: &Value| {
        let list = list.as_array().unwrap().iter();
        list.map(|one| one["counts"]["total"].as_i64().unwrap()).sum()
    };
    vec![
        data["participants"]["totalCount"].as_i64().unwrap(),
        data["coverage"]["counts"]["total"].as_i64().unwrap(),
        sum(&data["provinces"]),
        sum(&data["channels"]["nodes"]),
        sum(&data["employers"]["nodes"]),
    ]
}

/// Enrolls somebody at an employer.
async fn enrolled(app: &App) {
    let (channel, employer) = (app.channel("BR-PLG").await, app.employer("Pabrik").await);
    app.enrolled(&Person::new(&channel).at(&employer)).await;
}

#[tokio::test]
async fn what_is_under_way_during_a_fold_is_counted_once_it_is_committed() {
    let app = App::new().await;
    enrolled(&app).await;
    let mut slow = app.sql.begin().await.unwrap();
    sqlx::query(REPEAT).execute(&mut *slow).await.unwrap();
    app.fold().await;
    assert_eq!(totals(&app).await, [1; 5]);
    slow.commit().await.unwrap();
    assert_eq!(totals(&app).await, [2; 5], "the fold has marked it as folded");
    app.fold().await;
    assert_eq!(totals(&app).await, [2; 5]);
    assert_eq!(app.count("select count(*) from count_delta").await, 0);
}

#[tokio::test]
async fn the_mark_of_a_restored_dump_hides_nothing() {
    let app = App::new().await;
    let mark = "update figure_version set folded_below = '9000000000000000000'";
    sqlx::query(mark).execute(&app.sql).await.unwrap();
    enrolled(&app).await;
    assert_eq!(totals(&app).await, [1; 5]);
    app.fold().await;
    assert_eq!(totals(&app).await, [1; 5]);
    let is_kept = "select count(*) from figure_version where folded_below = '9000000000000000000'";
    assert_eq!(app.count(is_kept).await, 0);
}

/// A plan is made for any values and kept, so it must be right whether there are few deltas or many.
#[tokio::test]
async fn unfolded_deltas_are_found_by_the_index_however_few_they_are() {
    let app = App::new().await;
    for is_vacuumed in [false, true] {
        for role in ["registry_reader", "registry_of_provinces", "registry_of_channels", "registry_scoped"] {
            for condition in ["employer_id = any($1)", "channel_id = any($1) and standing is not null"] {
                let mut connection = app.sql.acquire().await.unwrap();
                let prepare = format!(
                    "set role {role}; set plan_cache_mode = force_generic_plan;
                     prepare deltas (bigint[]) as select sum(persons) from unfolded_delta where {condition}"
                );
                sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await.unwrap();
                let explain = sqlx::query_scalar("explain execute deltas ('{1}')").persistent(false);
                let plan: Vec<String> = explain.fetch_all(&mut *connection).await.unwrap();
                let plan = plan.join("\n");
                let is_searched = plan.contains("count_delta_by_transaction");
                assert!(is_searched, "{role}, {condition}, vacuumed {is_vacuumed}: {plan}");
                sqlx::raw_sql("reset plan_cache_mode; reset role; deallocate deltas")
                    .execute(&mut *connection)
                    .await
                    .unwrap();
            }
        }
        sqlx::query("vacuum count_delta").execute(&app.sql).await.unwrap();
    }
}
