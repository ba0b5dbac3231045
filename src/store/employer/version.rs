//! Versions of employers: what each is from which day on. They are read together with the row.

use chrono::NaiveDate;
use serde::Deserialize;
use sqlx::PgConnection;

use super::EmployerRow;
use crate::store::array::column;
use crate::store::enrollment::bytes_of_json;
use crate::store::error::StoreError;
use domain::employer::{
    Classification, Dated, EmployerHistory, EmployerSize, Facts, StoredNumber, organisation_key,
};

/// Selects the versions of the employer `e`, the oldest first; null if it never changed.
pub(super) const VERSIONS: &str = "(select jsonb_agg(to_jsonb(v) order by v.valid_from nulls first) from (
        select valid_from, name, tax_number_sealed, business_number, risk_class, size
        from employer_version where employer_id = e.id) v) as versions";

/// What an employer is from a day on.
#[derive(Clone, Debug, Deserialize)]
pub struct EmployerVersion {
    /// The day; `None`: before the first change.
    valid_from: Option<NaiveDate>,
    name: String,
    #[serde(deserialize_with = "bytes_of_json")]
    tax_number_sealed: Option<Vec<u8>>,
    business_number: Option<String>,
    risk_class: i16,
    size: Option<EmployerSize>,
}

impl EmployerVersion {
    fn classification(&self) -> Classification {
        Classification { risk_class: self.risk_class, size: self.size }
    }
}

impl EmployerRow {
    /// Returns the employer as it was, or will be, on a day. Of a row that was read in a list: as it is today.
    pub fn on(mut self, day: NaiveDate) -> Self {
        let is_in_force =
            |version: &&EmployerVersion| version.valid_from.is_none_or(|valid_from| valid_from <= day);
        let versions = self.versions.iter().flat_map(|versions| &versions.0);
        let Some(version) = versions.take_while(is_in_force).last().cloned() else { return self };
        self.name_key = organisation_key(&version.name);
        self.name = version.name;
        self.tax_number_sealed = version.tax_number_sealed;
        self.business_number = version.business_number;
        (self.risk_class, self.size) = (version.risk_class, version.size);
        self
    }

    /// Returns risk class and size on all days. Of a row that was read in a list: those of today.
    pub fn classifications(&self) -> Dated<Classification> {
        let today = Classification { risk_class: self.risk_class, size: self.size };
        let versions = self.versions.as_ref().map_or(&[][..], |versions| &versions.0);
        let first = versions.iter().find(|version| version.valid_from.is_none());
        let changes = versions.iter().filter_map(|v| Some((v.valid_from?, v.classification())));
        Dated::new(first.map_or(today, EmployerVersion::classification), changes)
    }
}

/// Writes what follows from the history of a locked employer: its versions, and its row as of today.
pub async fn write(
    conn: &mut PgConnection,
    employer: i64,
    history: &EmployerHistory,
    today: NaiveDate,
) -> Result<(), StoreError> {
    let mut versions: Vec<(Option<NaiveDate>, Facts)> =
        history.versions().into_iter().map(|(day, facts)| (Some(day), facts)).collect();
    if !versions.is_empty() {
        versions.insert(0, (None, history.first().clone()));
    }
    sqlx::query("delete from employer_version where employer_id = $1")
        .bind(employer)
        .execute(&mut *conn)
        .await?;
    let sql = "insert into employer_version (employer_id, valid_from, name, tax_number_index, tax_number_sealed,
                                             business_number, risk_class, size)
               select $1, u.* from unnest($2::date[], $3::text[], $4::bytea[], $5::bytea[], $6::text[], $7::smallint[],
                                          $8::employer_size[]) u";
    let number =
        |facts: &Facts| facts.tax_number.clone().map(|StoredNumber { index, sealed }| (index, sealed));
    let insert = sqlx::query(sql)
        .bind(employer)
        .bind(column(&versions, |(day, _)| *day))
        .bind(column(&versions, |(_, facts)| facts.name.clone()))
        .bind(column(&versions, |(_, facts)| number(facts).map(|number| number.0)))
        .bind(column(&versions, |(_, facts)| number(facts).map(|number| number.1)))
        .bind(column(&versions, |(_, facts)| facts.business_number.clone()))
        .bind(column(&versions, |(_, facts)| facts.classification.risk_class))
        .bind(column(&versions, |(_, facts)| facts.classification.size));
    insert.execute(&mut *conn).await?;
    let facts = history.on(today);
    let (index, sealed) = number(&facts).unzip();
    let sql = "update employer set name = $2, name_key = $3, tax_number_index = $4, tax_number_sealed = $5,
                      business_number = $6, risk_class = $7, size = $8, changes_on = $9
               where id = $1";
    let update = sqlx::query(sql)
        .bind(employer)
        .bind(&facts.name)
        .bind(organisation_key(&facts.name))
        .bind(index)
        .bind(sealed)
        .bind(&facts.business_number)
        .bind(facts.classification.risk_class)
        .bind(facts.classification.size)
        .bind(history.next_change(today));
    update.execute(conn).await?;
    Ok(())
}

/// Returns some of the employers with a recorded change that takes effect by a day and is not in their rows yet.
pub async fn to_change(
    conn: &mut PgConnection,
    today: NaiveDate,
    at_most: i64,
) -> Result<Vec<i64>, StoreError> {
    let sql = "select id from employer where changes_on <= $1 order by id limit $2";
    Ok(sqlx::query_scalar(sql).bind(today).bind(at_most).fetch_all(conn).await?)
}
