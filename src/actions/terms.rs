//! Looks up the records that a request to enroll names by code or id: channel, province, employer, association. Each
//! must be within the actor's scope.

use std::sync::Arc;

use chrono::NaiveDate;

use super::keep;
use crate::store::employer::EmployerRow;
use crate::store::reference::Reference;
use crate::store::session::Session;
use crate::store::{StoreError, association, employer};
use domain::actor::Actor;
use domain::channel::Channel;
use domain::employer::{Classification, Dated};
use domain::enrollment::{CivilServantCategory, Lookup, Payer, Programme, Segment, Terms};
use domain::problem::{Problem, ProblemCode};
use domain::province::Province;

/// The codes and ids that a request names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named<'a> {
    pub province_code: &'a str,
    pub channel_code: &'a str,
    pub employer: Option<i64>,
    pub association: Option<i64>,
}

/// The records that they refer to.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub province: i16,
    pub channel: Arc<Channel>,
    pub employer: Option<Payer>,
    /// Risk class and size of the employer.
    pub classification: Option<Dated<Classification>>,
    pub association: Option<i64>,
}

/// The results of the look-ups of a request. A failed look-up hides no problem that can be found without it.
#[derive(Clone, Debug)]
pub(super) struct LookedUp {
    province: Lookup<i16>,
    channel: Lookup<Arc<Channel>>,
    employer: Lookup<Payer>,
    classification: Option<Dated<Classification>>,
    association: Lookup<i64>,
    /// The problems of records that do not exist or are outside the actor's scope.
    pub problems: Vec<Problem>,
}

/// The other terms of a request, besides the records that it names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub segment: Segment,
    pub programmes: &'a [Programme],
    pub starts_on: NaiveDate,
    pub first_contribution_paid: bool,
    pub civil_servants: Option<CivilServantCategory>,
}

impl LookedUp {
    /// Returns the employer, if it was found.
    pub(super) fn employer(&self) -> Option<Payer> {
        self.employer.found()
    }

    /// Returns the terms by which people are judged.
    pub(super) fn terms<'a>(&'a self, asked: Asked<'a>) -> Terms<'a> {
        let channel = match &self.channel {
            Lookup::Found(channel) => Lookup::Found(channel.as_ref()),
            Lookup::NotNamed => Lookup::NotNamed,
            Lookup::Failed => Lookup::Failed,
        };
        Terms {
            segment: asked.segment,
            programmes: asked.programmes,
            channel,
            employer: self.employer,
            classification: self.classification.as_ref(),
            association: self.association,
            province: self.province,
            starts_on: asked.starts_on,
            first_contribution_paid: asked.first_contribution_paid,
            civil_servants: asked.civil_servants,
        }
    }

    /// Returns the records, or the problems.
    pub(super) fn complete(self) -> Result<Found, Vec<Problem>> {
        match (self.province, self.channel) {
            (Lookup::Found(province), Lookup::Found(channel)) if self.problems.is_empty() => Ok(Found {
                province,
                channel,
                employer: self.employer.found(),
                classification: self.classification,
                association: self.association.found(),
            }),
            _ => Err(self.problems),
        }
    }
}

/// Looks up all records that a request names, in the registry's own `session`.
pub(super) async fn look_up(
    session: &Session,
    reference: &Reference,
    actor: &Actor,
    today: NaiveDate,
    named: Named<'_>,
) -> Result<LookedUp, StoreError> {
    let mut problems = Vec::new();
    let province = look(find_province(reference, actor, today, named.province_code), &mut problems);
    let channel = look(find_channel(reference, actor, named.channel_code), &mut problems);
    let mut classification = None;
    let employer = match (named.employer, actor.scope.employer) {
        (Some(id), _) => look(find_employer_row(session, actor, id).await?, &mut problems).map(|row| {
            classification = Some(row.classifications());
            payer(&row)
        }),
        (None, None) => Lookup::NotNamed,
        // A partner enrolls only its own people, so it must name its employer.
        (None, Some(own)) => {
            problems.push(out_of_scope("employerId", &employer_scope(session, own).await?));
            Lookup::NotNamed
        }
    };
    let association = match (named.association, actor.scope.association) {
        (Some(id), _) => look(find_association(session, actor, id).await?, &mut problems),
        (None, None) => Lookup::NotNamed,
        (None, Some(own)) => {
            problems.push(out_of_scope("associationId", &association_scope(session, own).await?));
            Lookup::NotNamed
        }
    };
    Ok(LookedUp { province, channel, employer, classification, association, problems })
}

fn look<T>(result: Result<T, Problem>, problems: &mut Vec<Problem>) -> Lookup<T> {
    keep(result, problems).map_or(Lookup::Failed, Lookup::Found)
}

/// Returns the province with a code, if it exists today and is within the actor's scope.
pub(super) fn find_province(
    reference: &Reference,
    actor: &Actor,
    today: NaiveDate,
    code: &str,
) -> Result<i16, Problem> {
    let exists_today = |&id: &i16| reference.province(id).is_some_and(|province| province.exists_on(today));
    let found = find_province_of_any_day(reference, actor, today, code)?;
    Some(found).filter(exists_today).ok_or_else(no_province)
}

/// Returns the province with a code, if it is within the actor's scope. It may exist on other days than today.
pub(super) fn find_province_of_any_day(
    reference: &Reference,
    actor: &Actor,
    today: NaiveDate,
    code: &str,
) -> Result<i16, Problem> {
    let scope = &actor.scope.provinces;
    match reference.province_by_code(code) {
        None => Err(no_province()),
        Some(province) if !scope.is_empty() && !scope.contains(&province.id) => {
            Err(out_of_scope("provinceCode", &province_scope(reference, actor, today)))
        }
        Some(province) => Ok(province.id),
    }
}

fn no_province() -> Problem {
    Problem::error(ProblemCode::NotFound, "provinceCode", "No province has this code.")
        .hint("Two digits, as the Ministry of Home Affairs numbers them: provinces { code name }.")
}

/// Returns the channel with a code, if it is within the actor's scope.
pub(super) fn find_channel(
    reference: &Reference,
    actor: &Actor,
    code: &str,
) -> Result<Arc<Channel>, Problem> {
    let scope = &actor.scope.channels;
    match reference.channel_by_code(code) {
        None => Err(Problem::error(ProblemCode::NotFound, "channelCode", "No channel has this code.")
            .hint("Look it up: channels(filterBy: {open: true}) { nodes { code name } }.")),
        Some(channel) if !scope.is_empty() && !scope.contains(&channel.id) => {
            // The first channel is the client's own, and the others are its descendants.
            let own = scope.first().and_then(|&id| reference.channel(id));
            let scope =
                own.map_or_else(String::new, |own| format!("the channel {} and its children", own.code));
            Err(out_of_scope("channelCode", &scope))
        }
        Some(channel) => Ok(Arc::clone(channel)),
    }
}

/// Returns the channel of a request about an enrolled person: the one that is named, or the client's own, or `None`.
pub(super) fn service_channel(
    reference: &Reference,
    actor: &Actor,
    code: Option<&str>,
) -> Result<Option<i64>, Problem> {
    match code {
        Some(code) => find_channel(reference, actor, code).map(|channel| Some(channel.id)),
        None => Ok(actor.scope.channels.first().copied()),
    }
}

/// Returns the employer with an id, if it is within the actor's scope.
pub(super) async fn find_employer(
    session: &Session,
    actor: &Actor,
    id: i64,
) -> Result<Result<Payer, Problem>, StoreError> {
    Ok(find_employer_row(session, actor, id).await?.map(|row| payer(&row)))
}

fn payer(row: &EmployerRow) -> Payer {
    Payer { id: row.id, kind: row.kind, closed_on: row.closed_on }
}

async fn find_employer_row(
    session: &Session,
    actor: &Actor,
    id: i64,
) -> Result<Result<EmployerRow, Problem>, StoreError> {
    if let Some(own) = actor.scope.employer.filter(|&own| own != id) {
        return Ok(Err(out_of_scope("employerId", &employer_scope(session, own).await?)));
    }
    Ok(employer::by_ids(session, &[id]).await?.remove(&id).ok_or_else(no_employer))
}

/// Returns the problem of an id that no employer has.
pub(super) fn no_employer() -> Problem {
    Problem::error(ProblemCode::NotFound, "employerId", "No employer has this id.")
}

async fn find_association(
    session: &Session,
    actor: &Actor,
    id: i64,
) -> Result<Result<i64, Problem>, StoreError> {
    if let Some(own) = actor.scope.association.filter(|&own| own != id) {
        return Ok(Err(out_of_scope("associationId", &association_scope(session, own).await?)));
    }
    Ok(match association::by_ids(session, &[id]).await?.contains_key(&id) {
        true => Ok(id),
        false => Err(Problem::error(ProblemCode::NotFound, "associationId", "No association has this id.")),
    })
}

/// Returns the problem of a record outside the actor's scope. It describes the scope.
pub(super) fn out_of_scope(field: &str, scope: &str) -> Problem {
    let message = format!("This is outside the scope of your client: {scope}.");
    Problem::error(ProblemCode::OutOfScope, field, message).hint("Query viewer for the scope of your client.")
}

/// Describes the provinces of an actor's scope.
pub(super) fn province_scope(reference: &Reference, actor: &Actor, today: NaiveDate) -> String {
    let named = |province: &Arc<Province>| format!("{} {}", province.code, province.edition_on(today).name);
    let provinces = actor.scope.provinces.iter().filter_map(|&id| reference.province(id));
    let provinces: Vec<String> = provinces.map(named).collect();
    match provinces.as_slice() {
        [one] => format!("the province {one}"),
        several => format!("the provinces {}", several.join(", ")),
    }
}

/// Describes the employer of an actor's scope.
pub(super) async fn employer_scope(session: &Session, own: i64) -> Result<String, StoreError> {
    let row = employer::by_ids(session, &[own]).await?.remove(&own);
    Ok(row.map_or_else(|| "its own employer".to_owned(), |row| format!("the employer {}", row.name)))
}

async fn association_scope(session: &Session, own: i64) -> Result<String, StoreError> {
    let row = association::by_ids(session, &[own]).await?.remove(&own);
    Ok(row.map_or_else(|| "its own association".to_owned(), |row| format!("the association {}", row.name)))
}
