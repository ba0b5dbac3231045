//! Names have one normal form, in whatever form they are typed, stored or searched.

use crate::support::{App, Person, Value, json};

const COMPOSED: &str = "Renélina Muñtari";
const DECOMPOSED: &str = "Rene\u{301}lina Mun\u{303}tari";

const SEARCH: &str =
    "query ($name: String!) { participants(filterBy: {name: $name}) { nodes { fullName } } }";

async fn found(app: &App, name: &str) -> Vec<Value> {
    let data = app.ask(SEARCH, json!({"name": name})).await;
    data["participants"]["nodes"].as_array().unwrap().iter().map(|node| node["fullName"].clone()).collect()
}

#[tokio::test]
async fn a_name_is_found_in_either_form() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    let typed = format!("\u{200e}{DECOMPOSED}\u{200b}");
    app.enrolled(&Person::new(&channel).with("fullName", json!(typed))).await;
    for search in [COMPOSED, DECOMPOSED, "renélina", "MUN\u{303}", "mu\u{ad}ñtari"] {
        assert_eq!(found(&app, search).await, [json!(COMPOSED)], "{search:?}");
    }
    // Accents are part of a name.
    assert_eq!(found(&app, "Renelina").await, Vec::<Value>::new());
}

#[tokio::test]
async fn names_stored_by_an_earlier_release_are_normalized() {
    let app = App::new().await;
    let channel = app.channel("BR-PLG").await;
    for name in ["Siti Rahayu", "Renelina Muntari"] {
        app.enrolled(&Person::new(&channel).with("fullName", json!(name))).await;
    }
    app.employer("PT Melati").await;
    app.association("Paguyuban Melati").await;
    // The rows of an earlier release: the name as typed, and its key without accents.
    for (table, column, name) in [
        ("participant", "full_name", "Drs. Rene\u{301}lina MUN\u{303}TARI, S.E."),
        ("employer", "name", "PT Mela\u{301}ti"),
        ("association", "name", "Paguyuban Mela\u{301}ti"),
    ] {
        let sql = format!(
            "update {table} set {column} = $1 where name_key in ('renelina muntari', 'pt melati', 'paguyuban melati')"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(name).execute(&app.sql).await.unwrap();
    }
    assert_eq!(found(&app, COMPOSED).await, Vec::<Value>::new());
    let migration = include_str!("../../migrations/0026_names_in_one_form.sql");
    for _ in 0..2 {
        let mut connection = app.sql.acquire().await.unwrap();
        sqlx::raw_sql(migration).execute(&mut *connection).await.unwrap();
    }
    for search in [COMPOSED, DECOMPOSED] {
        assert_eq!(found(&app, search).await, [json!("Drs. Renélina MUÑTARI, S.E.")], "{search:?}");
    }
    assert_eq!(found(&app, "Siti").await, [json!("Siti Rahayu")]);
    let payers = "{ employers(filterBy: {name: \"meláti\"}) { nodes { name } }
                    associations(filterBy: {name: \"mela\u{301}ti\"}) { nodes { name } } }";
    let data = app.ask(payers, json!({})).await;
    assert_eq!(data["employers"]["nodes"], json!([{"name": "PT Meláti"}]));
    assert_eq!(data["associations"]["nodes"], json!([{"name": "Paguyuban Meláti"}]));
}
