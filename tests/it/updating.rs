//! Programs and databases of different versions, and the roles of a database that an earlier version made.

use participant_registry::store::Database;
use participant_registry::store::keys::{KeyRing, Keys};
use participant_registry::store::migration::{LockWait, MIGRATIONS, apply_migrations};
use participant_registry::store::open_error::OpenError;
use participant_registry::store::rotation::{RotationError, rotate};
use private_postgres::Cluster;
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use crate::support::cluster::{OWNER, empty_database};
use crate::support::program::{Folder, doctor};
use crate::support::replicated::SETTINGS;
use crate::support::{App, Person, json};

/// The last migration of release 0.1.0.
const LAST_RELEASE: i64 = 25;

const ALL_ROLES: &str = "registry_writer, registry_reader, registry_of_provinces, registry_of_channels, \
     registry_of_employer, registry_of_association, registry_scoped";

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

#[tokio::test]
async fn an_update_makes_the_role_that_logins_get_and_doctor_names_an_owner_that_inherits() {
    let folder = Folder::new("roles-of-the-last-release");
    let cluster = Cluster::start(&folder.0.join("server"), SETTINGS).await.unwrap();
    let mut superuser = cluster.options().connect().await.unwrap();
    let run = |sql: String| sqlx::raw_sql(AssertSqlSafe(sql));
    // Up to PostgreSQL 15 the migration grants the roles to the owner, who must not inherit them.
    run(format!(
        "create role {OWNER} login createrole noinherit; alter database registry owner to {OWNER};
         grant all on schema public to {OWNER} with grant option"
    ))
    .execute(&mut superuser)
    .await
    .unwrap();
    let options = cluster.options().username(OWNER);
    let mut owner = options.connect().await.unwrap();
    MIGRATIONS.run_to(LAST_RELEASE, &mut owner).await.unwrap();

    apply_migrations(&mut owner, &options, LockWait::default()).await.unwrap();

    run("create role serving login noinherit; grant registry_roles to serving".to_owned())
        .execute(&mut owner)
        .await
        .unwrap();
    let serving = cluster.options().username("serving");
    Database::open(serving, Keys::derive(&[7; 32]), Default::default()).await.unwrap().close().await;
    run(format!("create role readers; grant registry_reader to readers; alter role {OWNER} inherit; grant readers to {OWNER}"))
        .execute(&mut superuser)
        .await
        .unwrap();
    let socket = options.get_socket().unwrap().display();
    let url = format!("postgres://serving@localhost:{}/registry?host={socket}", options.get_port());
    let key = folder.write("key", &"07".repeat(32));
    let (_, lines) = doctor(&folder, &[("DATABASE_URL", &url), ("REGISTRY_KEY_FILE", &key)]);
    let found = lines.iter().find(|line| line.1 == "owner").expect("a line about the owner");
    assert!(found.0 == "warning" && found.2.contains("inherits the role registry_"), "{found:?}");
    let refused = apply_migrations(&mut owner, &options, LockWait::default()).await;
    assert!(matches!(refused, Err(OpenError::Inherited(_))), "{refused:?}");
    cluster.stop().await;
}

#[tokio::test]
async fn an_owner_whom_an_administrator_gave_the_roles_is_updated_without_the_right_to_create_roles() {
    let database = empty_database().await;
    let mut owner = database.owner.connect().await.unwrap();
    let login = format!("owner_{}", database.name);
    let run = |sql: String| sqlx::raw_sql(AssertSqlSafe(sql));
    run(format!(
        "create role {login} login noinherit; grant {ALL_ROLES} to {login};
         grant all on schema public to {login} with grant option"
    ))
    .execute(&mut owner)
    .await
    .unwrap();
    let options = database.owner.clone().username(&login);
    let mut plain = options.connect().await.unwrap();
    MIGRATIONS.run_to(LAST_RELEASE, &mut plain).await.unwrap();
    apply_migrations(&mut plain, &options, LockWait::default()).await.unwrap();
    drop(plain);
    run(format!("drop schema public cascade; drop role {login}")).execute(&mut owner).await.unwrap();
}
