//! The layout on a Citus cluster: which tables are distributed by which column, and the step that distributes them.
//!
//! A database with the extension `citus` is distributed when it is migrated; nothing else chooses it. Numbers are distributed
//! by their index, and everything of a person by the person, so that a statement about one person runs on one worker. All
//! other tables stay on the coordinator: no statement about a person joins them, because reference data are in memory.
//! `tests/it/distribution.rs` compares this declaration with the catalogue and with the statements.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// The distributed tables, in the order in which they are distributed, and the column that decides where a row is. Tables
/// that hold a person are colocated.
pub const DISTRIBUTED: [(&str, &str); 7] = [
    ("participant", "id"),
    ("enrollment", "participant_id"),
    ("participant_event", "participant_id"),
    ("former_number", "participant_id"),
    ("event_retraction", "participant_id"),
    ("retracted_enrollment", "participant_id"),
    ("identifier", "value_index"),
];

/// The table that all others but `identifier` are colocated with.
const PEOPLE: &str = "participant";

/// Row security of the distributed tables on a cluster.
const POLICIES: &str = include_str!("distribution/policies.sql");

/// The functions that differ on a cluster.
const FUNCTIONS: &str = include_str!("distribution/functions.sql");

/// Returns whether the people of this database are distributed.
pub(super) async fn is_distributed(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    Ok(has_extension(conn).await? && !undistributed(conn).await?.contains(&PEOPLE))
}

/// Distributes the tables that are not distributed yet, if the database has the extension. Returns whether it has.
///
/// It runs as the owner of the tables, after the migrations and in one transaction. The roles and the owner have to exist on
/// the workers, with the right to log in.
pub(super) async fn distribute(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    if !has_extension(conn).await? {
        return Ok(false);
    }
    let tables = undistributed(conn).await?;
    if tables.is_empty() {
        replace_functions(conn).await?;
        return Ok(true);
    }
    tracing::info!(?tables, "the database has the extension citus: distributing tables over its workers");
    let mut transaction = conn.begin().await?;
    narrow_policies(&mut transaction).await?;
    let references = references_of(&mut transaction, &tables).await?;
    run(&mut transaction, references.iter().map(Reference::removal)).await?;
    for &(table, column) in DISTRIBUTED.iter().filter(|(table, _)| tables.contains(table)) {
        // The owner copies the rows, which forced row security would not let COPY do.
        let is_forced = "select relforcerowsecurity from pg_class where oid = to_regclass($1)";
        let is_forced: bool = sqlx::query_scalar(is_forced).bind(table).fetch_one(&mut *transaction).await?;
        let force = |force| is_forced.then(|| format!("alter table {table} {force} row level security"));
        run(&mut transaction, force("no force")).await?;
        let together = if matches!(table, "identifier" | PEOPLE) { "none" } else { PEOPLE };
        sqlx::query("select create_distributed_table($1::regclass, $2, colocate_with => $3)")
            .bind(table)
            .bind(column)
            .bind(together)
            .execute(&mut *transaction)
            .await?;
        run(&mut transaction, force("force")).await?;
    }
    run(&mut transaction, references.iter().map(Reference::addition)).await?;
    transaction.commit().await?;
    // Citus creates no function in a transaction that has copied rows to several shards at once.
    replace_functions(conn).await?;
    // The rows of before are still on the disk of the coordinator.
    for table in tables {
        let discard = sqlx::query("select truncate_local_data_after_distributing_table($1::regclass)");
        discard.bind(table).execute(&mut *conn).await?;
    }
    tracing::info!("the tables are distributed");
    Ok(true)
}

/// Replaces the policies of the distributed tables by those that a worker can apply to one row.
pub async fn narrow_policies(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(POLICIES).execute(conn).await?;
    Ok(())
}

/// Replaces the functions that differ on a cluster, unless an earlier run has.
async fn replace_functions(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let is_replaced = "select prolang = (select oid from pg_language where lanname = 'plpgsql')
                       from pg_proc where oid = 'registry_lock_people(bigint[])'::regprocedure";
    let is_replaced: bool = sqlx::query_scalar(is_replaced).fetch_one(&mut *conn).await?;
    if !is_replaced {
        sqlx::raw_sql(FUNCTIONS).execute(conn).await?;
    }
    Ok(())
}

async fn has_extension(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let exists = "select exists (select from pg_extension where extname = 'citus')";
    sqlx::query_scalar(exists).fetch_one(conn).await
}

/// Returns the tables that are not distributed yet. The database has the extension.
async fn undistributed(conn: &mut PgConnection) -> Result<Vec<&'static str>, sqlx::Error> {
    let distributed =
        "select c.relname::text from pg_dist_partition d join pg_class c on c.oid = d.logicalrelid
                       where d.partmethod = 'h'";
    let distributed: Vec<String> = sqlx::query_scalar(distributed).fetch_all(conn).await?;
    let tables = DISTRIBUTED.iter().map(|&(table, _)| table);
    Ok(tables.filter(|table| !distributed.iter().any(|other| other == table)).collect())
}

/// A foreign key of a table that is to be distributed. It could not hold while one of its two tables is distributed and the
/// other one is not, so it is removed and added again.
#[derive(sqlx::FromRow)]
struct Reference {
    table: String,
    name: String,
    definition: String,
}

impl Reference {
    fn removal(&self) -> String {
        format!("alter table {} drop constraint {}", self.table, self.name)
    }

    fn addition(&self) -> String {
        format!("alter table {} add constraint {} {}", self.table, self.name, self.definition)
    }
}

async fn references_of(conn: &mut PgConnection, tables: &[&str]) -> Result<Vec<Reference>, sqlx::Error> {
    let references = "select conrelid::regclass::text as \"table\", quote_ident(conname) as name,
                             pg_get_constraintdef(oid) as definition
                      from pg_constraint
                      where contype = 'f' and conparentid = 0 and conrelid::regclass::text = any($1)
                      order by 1, 2";
    sqlx::query_as(references).bind(tables).fetch_all(conn).await
}

async fn run(
    conn: &mut PgConnection,
    statements: impl IntoIterator<Item = String>,
) -> Result<(), sqlx::Error> {
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *conn).await?;
    }
    Ok(())
}
