//! A plain async-graphql server, as a base for comparison.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::{DataLoader, Loader};
use async_graphql::{
    ComplexObject, Context, EmptySubscription, InputObject, Object, Request, Result, Schema, SimpleObject,
};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use chrono::NaiveDate;
use sqlx::postgres::PgPoolOptions;
use sqlx::{FromRow, PgPool};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Clone, FromRow, SimpleObject)]
struct Province {
    id: i32,
    name: String,
}

#[derive(Clone, FromRow, SimpleObject)]
#[graphql(complex)]
struct Channel {
    id: i32,
    name: String,
    kind: String,
    #[graphql(skip)]
    province_id: i32,
}

#[derive(Clone, FromRow, SimpleObject)]
#[graphql(complex)]
struct Employer {
    id: i32,
    name: String,
    #[graphql(skip)]
    province_id: i32,
}

#[derive(Clone, FromRow, SimpleObject)]
#[graphql(complex)]
struct Participant {
    id: i64,
    nik: String,
    name: String,
    birth_date: NaiveDate,
    gender: String,
    segment: String,
    status: String,
    #[graphql(skip)]
    province_id: i32,
    #[graphql(skip)]
    channel_id: i32,
    #[graphql(skip)]
    employer_id: Option<i32>,
}

#[derive(FromRow, SimpleObject)]
struct Coverage {
    province_name: String,
    segment: String,
    active: i64,
}

#[derive(InputObject)]
struct Form {
    nik: String,
    name: String,
    birth_date: NaiveDate,
    gender: String,
    segment: String,
    province_id: i32,
    channel_id: i32,
    employer_id: Option<i32>,
}

/// The columns of a participant.
macro_rules! person {
    ($($before:literal, $after:literal)?) => {
        concat!(
            $($before,)? "id, nik, name, birth_date, gender, segment::text as segment, status::text as status, \
             province_id, channel_id, employer_id" $(, $after)?
        )
    };
}

#[derive(Clone)]
struct Database(PgPool);

type LoadResult<K, V> = std::result::Result<HashMap<K, V>, Arc<sqlx::Error>>;

/// Declares a key, and loads the rows of many keys with one statement.
macro_rules! by_id {
    ($key:ident => $row:ty, $sql:literal) => {
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        struct $key(i32);

        impl Loader<$key> for Database {
            type Value = $row;
            type Error = Arc<sqlx::Error>;

            async fn load(&self, keys: &[$key]) -> LoadResult<$key, $row> {
                let ids: Vec<i32> = keys.iter().map(|key| key.0).collect();
                let rows: Vec<$row> = sqlx::query_as($sql).bind(ids).fetch_all(&self.0).await?;
                Ok(rows.into_iter().map(|row| ($key(row.id), row)).collect())
            }
        }
    };
}

by_id!(ProvinceId => Province, "select id, name from provinces where id = any($1)");
by_id!(ChannelId => Channel, "select id, name, kind::text as kind, province_id from channels where id = any($1)");
by_id!(EmployerId => Employer, "select id, name, province_id from employers where id = any($1)");

/// The first people of an employer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct FirstOf(i32, i32);

impl Loader<FirstOf> for Database {
    type Value = Vec<Participant>;
    type Error = Arc<sqlx::Error>;

    async fn load(&self, keys: &[FirstOf]) -> LoadResult<FirstOf, Vec<Participant>> {
        let (ids, first): (Vec<i32>, i32) = (keys.iter().map(|key| key.0).collect(), keys[0].1);
        let sql = person!(
            "select x.* from unnest($1::int[]) k(id), lateral (select ",
            " from participants where employer_id = k.id order by id limit $2) x"
        );
        let rows: Vec<Participant> = sqlx::query_as(sql).bind(ids).bind(first).fetch_all(&self.0).await?;
        let mut people: HashMap<FirstOf, Vec<Participant>> = HashMap::new();
        for row in rows {
            people.entry(FirstOf(row.employer_id.unwrap_or_default(), first)).or_default().push(row);
        }
        Ok(people)
    }
}

/// The number of people of an employer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct CountOf(i32);

impl Loader<CountOf> for Database {
    type Value = i64;
    type Error = Arc<sqlx::Error>;

    async fn load(&self, keys: &[CountOf]) -> LoadResult<CountOf, i64> {
        let ids: Vec<i32> = keys.iter().map(|key| key.0).collect();
        let sql = "select employer_id, count(*) from participants where employer_id = any($1) group by 1";
        let rows: Vec<(i32, i64)> = sqlx::query_as(sql).bind(ids).fetch_all(&self.0).await?;
        Ok(rows.into_iter().map(|(id, people)| (CountOf(id), people)).collect())
    }
}

fn loader<'a>(ctx: &Context<'a>) -> &'a DataLoader<Database> {
    ctx.data_unchecked()
}

fn pool<'a>(ctx: &Context<'a>) -> &'a PgPool {
    ctx.data_unchecked()
}

#[ComplexObject]
impl Channel {
    async fn province(&self, ctx: &Context<'_>) -> Result<Option<Province>> {
        Ok(loader(ctx).load_one(ProvinceId(self.province_id)).await?)
    }
}

#[ComplexObject]
impl Employer {
    async fn province(&self, ctx: &Context<'_>) -> Result<Option<Province>> {
        Ok(loader(ctx).load_one(ProvinceId(self.province_id)).await?)
    }

    async fn participants(&self, ctx: &Context<'_>, first: i32) -> Result<Vec<Participant>> {
        Ok(loader(ctx).load_one(FirstOf(self.id, first)).await?.unwrap_or_default())
    }

    async fn participant_count(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(loader(ctx).load_one(CountOf(self.id)).await?.unwrap_or_default())
    }
}

#[ComplexObject]
impl Participant {
    async fn province(&self, ctx: &Context<'_>) -> Result<Option<Province>> {
        Ok(loader(ctx).load_one(ProvinceId(self.province_id)).await?)
    }

    async fn channel(&self, ctx: &Context<'_>) -> Result<Option<Channel>> {
        Ok(loader(ctx).load_one(ChannelId(self.channel_id)).await?)
    }

    async fn employer(&self, ctx: &Context<'_>) -> Result<Option<Employer>> {
        match self.employer_id {
            Some(id) => Ok(loader(ctx).load_one(EmployerId(id)).await?),
            None => Ok(None),
        }
    }
}

struct Query;

#[Object]
impl Query {
    async fn participant(&self, ctx: &Context<'_>, id: i64) -> Result<Option<Participant>> {
        let sql = person!("select ", " from participants where id = $1");
        Ok(sqlx::query_as(sql).bind(id).fetch_optional(pool(ctx)).await?)
    }

    async fn participant_by_nik(&self, ctx: &Context<'_>, nik: String) -> Result<Option<Participant>> {
        let sql = person!("select ", " from participants where nik = $1");
        Ok(sqlx::query_as(sql).bind(nik).fetch_optional(pool(ctx)).await?)
    }

    async fn participants(
        &self,
        ctx: &Context<'_>,
        province_id: i32,
        status: String,
        after_id: i64,
        first: i64,
    ) -> Result<Vec<Participant>> {
        let sql = person!(
            "select ",
            " from participants where province_id = $1 and status = $2::participant_status and id > $3 order by id limit $4"
        );
        let rows = sqlx::query_as(sql).bind(province_id).bind(status).bind(after_id).bind(first);
        Ok(rows.fetch_all(pool(ctx)).await?)
    }

    async fn employers(&self, ctx: &Context<'_>, after_id: i32, first: i64) -> Result<Vec<Employer>> {
        let sql = "select id, name, province_id from employers where id > $1 order by id limit $2";
        Ok(sqlx::query_as(sql).bind(after_id).bind(first).fetch_all(pool(ctx)).await?)
    }

    async fn coverage(&self, ctx: &Context<'_>) -> Result<Vec<Coverage>> {
        let sql = "select p.name as province_name, c.segment::text as segment, c.active
                   from (select province_id, segment, count(*) as active
                         from participants where status = 'ACTIVE' group by 1, 2) c
                   join provinces p on p.id = c.province_id";
        Ok(sqlx::query_as(sql).fetch_all(pool(ctx)).await?)
    }
}

struct Mutation;

#[Object]
impl Mutation {
    async fn enroll(&self, ctx: &Context<'_>, form: Form) -> Result<Participant> {
        let mut transaction = pool(ctx).begin().await?;
        let sql = person!(
            "insert into participants (nik, name, birth_date, gender, segment, status, province_id, channel_id, employer_id) \
             values ($1, $2, $3, $4, $5::segment, 'ACTIVE', $6, $7, $8) returning ",
            ""
        );
        let enrolled = sqlx::query_as::<_, Participant>(sql)
            .bind(form.nik)
            .bind(form.name)
            .bind(form.birth_date)
            .bind(form.gender)
            .bind(form.segment)
            .bind(form.province_id)
            .bind(form.channel_id)
            .bind(form.employer_id)
            .fetch_one(&mut *transaction)
            .await?;
        let history =
            "insert into enrollments (participant_id, event, segment, channel_id, employer_id, effective_on)
                       values ($1, 'ENROLL', $2::segment, $3, $4, current_date)";
        sqlx::query(history)
            .bind(enrolled.id)
            .bind(&enrolled.segment)
            .bind(enrolled.channel_id)
            .bind(enrolled.employer_id)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(enrolled)
    }
}

type Plain = Schema<Query, Mutation, EmptySubscription>;
type Answer = ([(header::HeaderName, &'static str); 1], Vec<u8>);

async fn answer(State((schema, database)): State<(Plain, Database)>, body: Bytes) -> Answer {
    let request: Request = serde_json::from_slice(&body).expect("the load sends JSON");
    // In a task of its own: a `begin` of sqlx that is dropped half-way would return to the pool with its transaction open.
    let request = request.data(DataLoader::new(database, tokio::spawn));
    let executed = tokio::spawn(async move { schema.execute(request).await });
    let response = executed.await.expect("resolvers do not panic");
    let body = serde_json::to_vec(&response).expect("a response is JSON");
    ([(header::CONTENT_TYPE, "application/json")], body)
}

#[tokio::main]
async fn main() {
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL");
    let port = std::env::var("PORT").expect("PORT").parse().expect("a port");
    let pool =
        PgPoolOptions::new().max_connections(20).connect(&url).await.expect("a connection to PostgreSQL");
    let schema = Schema::build(Query, Mutation, EmptySubscription).data(pool.clone()).finish();
    let app = Router::new().route("/graphql", post(answer)).with_state((schema, Database(pool)));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("a free port");
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    axum::serve(listener, app).await.expect("a server");
}
