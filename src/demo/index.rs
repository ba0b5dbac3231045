//! Indexes, foreign keys and forced row security, taken off before a load and put back after it.
//!
//! A row that is written into a table with six indexes costs several times as much as one that is written without and
//! sorted into them with all the others. What is taken off is put back from its own definition in the catalogue, so
//! that a migration can add an index without this file; and in the transaction of the load, so that nobody ever sees
//! the tables without it.
//!
//! PostgreSQL refuses `COPY … FROM` for a table whose row security applies to the current user. It is forced on the owner
//! too, and so the owner loads the tables while it is not.

use sqlx::{AssertSqlSafe, PgConnection};

/// Statements that put indexes, keys and forced row security back.
#[derive(Debug)]
#[must_use = "what was taken off must be put back"]
pub(super) struct TakenOff(Vec<String>);

/// Takes everything off some tables, and the keys of other tables that refer to them.
pub(super) async fn take_off(conn: &mut PgConnection, tables: &[&str]) -> Result<TakenOff, sqlx::Error> {
    // In the order in which it must go: what refers to a key before the key.
    let statements: Vec<(String, String)> = sqlx::query_as(
        "select off, back from (
             select case contype when 'f' then 1 else 2 end as place, oid,
                    format('alter table %s drop constraint %I', conrelid::regclass, conname) as off,
                    format('alter table %s add constraint %I %s', conrelid::regclass, conname,
                           pg_get_constraintdef(oid)) as back
             from pg_constraint
             where conrelid = any($1::regclass[]) and contype in ('f', 'p', 'u', 'x')
                or confrelid = any($1::regclass[])
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
    Ok(TakenOff(back))
}

impl TakenOff {
    /// Puts everything back.
    pub(super) async fn put_back(self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        for statement in self.0.into_iter().rev() {
            run(conn, statement).await?;
        }
        Ok(())
    }
}

/// Runs a statement that the database itself has written.
async fn run(conn: &mut PgConnection, statement: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(conn).await.map(|_| ())
}
