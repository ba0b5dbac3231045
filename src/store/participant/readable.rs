//! What a client without the right to personal data reads of people.

use chrono::NaiveDate;
use sqlx::{FromRow, PgExecutor, QueryBuilder};

use super::push_scope;
use crate::store::bill::PayerId;
use crate::store::error::StoreError;
use crate::store::keys::{Keys, NumberKind};
use domain::actor::Actor;
use domain::participant::Sex;

/// A person, with the columns of which such a client reads a part.
#[derive(FromRow)]
pub struct ReadablePerson {
    /// Sex.
    pub sex: Sex,
    /// Date of birth. Its year is readable.
    pub birth_date: NaiveDate,
    /// Name, normalised.
    pub name_key: String,
    national_id: Option<Vec<u8>>,
    passport_number: Option<Vec<u8>>,
}

domain::redacted_debug!(ReadablePerson);

impl ReadablePerson {
    /// Returns the identity number and the passport number in force.
    ///
    /// # Errors
    /// [`StoreError::Fault`]: a number is sealed with another key.
    pub fn numbers(&self, keys: &Keys) -> Result<Vec<String>, StoreError> {
        let sealed = [
            (NumberKind::NationalId, self.national_id.as_deref()),
            (NumberKind::Passport, self.passport_number.as_deref()),
        ];
        let sealed = sealed.into_iter().filter_map(|(kind, number)| Some((kind, number?)));
        let open = |(kind, number)| keys.open(kind, number).map(|number| number.to_string());
        sealed.map(open).collect::<Result<_, _>>().map_err(|error| StoreError::Fault(error.to_string()))
    }
}

/// Where people are looked for.
#[derive(Clone, Copy, Debug)]
pub enum Among<'a> {
    /// The people of a payer, present and former.
    Payer(PayerId),
    /// The people whose names, normalised, are among these.
    Named(&'a [String]),
}

/// Returns the people of some sexes and birth years whom the actor may see.
///
/// They are compared with forms and shown to nobody, so they are not noted as shown.
pub async fn born_in(
    executor: impl PgExecutor<'_>,
    actor: &Actor,
    among: Among<'_>,
    born: &[(Sex, i32)],
) -> Result<Vec<ReadablePerson>, StoreError> {
    let (sexes, years): (Vec<&str>, Vec<i32>) =
        born.iter().map(|&(sex, year)| (<&str>::from(sex), year)).unzip();
    let mut sql = QueryBuilder::new(
        "select p.sex, p.birth_date, p.name_key, p.national_id, p.passport_number from participant p \
         where (p.sex, extract(year from p.birth_date)::integer) in (select u.sex::sex, u.year from unnest(",
    );
    sql.push_bind(sexes).push("::text[], ").push_bind(years).push("::integer[]) as u(sex, year))");
    match among {
        Among::Payer(payer) => {
            sql.push(" and exists (select from enrollment e where e.participant_id = p.id and ");
            sql.push(payer.column()).push(" = ").push_bind(payer.id).push(")")
        }
        Among::Named(names) => sql.push(" and p.name_key = any(").push_bind(names).push(")"),
    };
    push_scope(&mut sql, actor);
    Ok(sql.build_query_as().fetch_all(executor).await?)
}
