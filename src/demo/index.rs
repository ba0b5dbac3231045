//! Drops indexes, foreign keys and forced row security before a load, and restores them after it.
//!
//! Inserting into a table with six indexes takes several times as long as building the indexes afterwards. They are
//! restored from their definitions in the catalogue, so a migration can add an index without a change here. All of this
//! happens in the transaction of the load, so nobody sees the tables without them.
//!
//! Those of a partition go and come with those of its table.
//!
//! PostgreSQL refuses `COPY … FROM` if row security applies to the current user. Forced row security applies to the owner too,
//! so it is lifted during the load.

use sqlx::{AssertSqlSafe, PgConnection};

/// The statements that restore indexes, keys and forced row security.
#[derive(Debug)]
#[must_use = "what was dropped must be restored"]
pub(super) struct Dropped(Vec<String>);

/// Drops the indexes, keys and forced row security of some tables, and the foreign keys that refer to them.
pub(super) async fn drop_all(conn: &mut PgConnection, tables: &[&str]) -> Result<Dropped, sqlx::Error> {
    // In the order in which they can be dropped: a foreign key before the key that it refers to.
    let statements: Vec<(String, String)> = sqlx::query_as(
        "select off, back from (
             select case contype when 'f' then 1 else 2 end as place, oid,
                    format('alter table %s drop constraint %I', conrelid::regclass, conname) as off,
                    format('alter table %s add constraint %I %s', conrelid::regclass, conname,
                           pg_get_constraintdef(oid)) as back
             from pg_constraint
             where (conrelid = any($1::regclass[]) and contype in ('f', 'p', 'u', 'x')
                or confrelid = any($1::regclass[])) and conparentid = 0
             union all
             select 2, indexrelid, format('drop index %s', indexrelid::regclass), pg_get_indexdef(indexrelid)
             from pg_index where indrelid = any($1::regclass[])
               and not exists (select from pg_constraint where conindid = indexrelid and contype in ('p', 'u', 'x'))
             union all
             select 0, oid, format('alter table %s no force row level security', oid::regclass),
                    format('alter table %s force row level security', oid::regclass)
             from pg_class where oid = any($1::regclass[]) and relforcerowsecurity
         ) s order by place, oid",
    )
    .bind(tables)
    .fetch_all(&mut *conn)
    .await?;
    let (off, back): (Vec<_>, Vec<_>) = statements.into_iter().unzip();
    for statement in off {
        run(conn, statement).await?;
    }
    Ok(Dropped(back))
}

impl Dropped {
    /// Restores everything.
    pub(super) async fn restore(self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        for statement in self.0.into_iter().rev() {
            run(conn, statement).await?;
        }
        Ok(())
    }
}

/// Runs a statement that the database itself has composed.
async fn run(conn: &mut PgConnection, statement: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(conn).await.map(|_| ())
}
