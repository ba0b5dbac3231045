//! Programs and databases of different versions.

use participant_registry::store::keys::{KeyRing, Keys};
use participant_registry::store::rotation::{RotationError, rotate};
use sqlx::ConnectOptions as _;

use crate::support::program::{Folder, doctor};
use crate::support::{App, Person, json};

#[tokio::test]
async fn a_server_of_the_last_version_serves_newer_tables_and_rotates_no_key_there() {
    let app = App::new().await;
    app.enrolled(&Person::new(&app.channel("BR-PLG").await)).await;
    let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
                 values (9999, 'of a newer version', true, '', 0)";
    sqlx::query(newer).execute(&mut app.owner_options().connect().await.unwrap()).await.unwrap();
    let restarted = app.second_process().await;
    assert_eq!(
        restarted.ask("{ participants { totalCount } }", json!({})).await["participants"]["totalCount"],
        1
    );
    let ring = KeyRing { newest: Keys::derive(&[9; 32]), previous: Some(Keys::derive(&[7; 32])) };
    let mut login = restarted.database.maintenance().await.unwrap();
    let refused = rotate(&mut login, &ring, |_| {}).await;
    assert!(matches!(refused, Err(RotationError::NewerTables)), "{refused:?}");
    let folder = Folder::new("doctor-newer");
    let key = folder.write("key", &"07".repeat(32));
    for (url, level) in [(app.database_url(), "warning"), (app.owner_url(), "error")] {
        let (_, lines) = doctor(&folder, &[("DATABASE_URL", &url), ("REGISTRY_KEY_FILE", &key)]);
        let tables = lines.iter().find(|line| line.1 == "tables").unwrap();
        assert!(tables.0 == level && tables.2.contains("newer version"), "{lines:?}");
    }
}
