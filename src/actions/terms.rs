//! Looking up what the input of an enrollment names by code or id: channel, province, employer, association, each within the
//! actor's scope.

use std::sync::Arc;

use chrono::NaiveDate;

use super::keep;
use crate::store::reference::Reference;
use crate::store::session::Session;
use crate::store::{StoreError, association, employer};
use domain::actor::Actor;
use domain::channel::{Channel, ChannelKind};
use domain::employer::EmployerKind;
use domain::enrollment::Payer;
use domain::problem::{Problem, ProblemCode};

/// The codes and ids of an input.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named<'a> {
    pub province_code: &'a str,
    pub channel_code: &'a str,
    pub employer: Option<i64>,
    pub association: Option<i64>,
}

/// What the codes and ids were found to be.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub province: i16,
    pub channel: Arc<Channel>,
    pub employer: Option<Payer>,
    pub association: Option<i64>,
}

/// Looks up everything in the `session` of the registry. Returns all problems at once: what does not exist, and what is out of
/// the actor's scope.
///
/// A name with a problem gets a stand-in that breaks no rule. So the rest of the input can still be judged, and the caller
/// learns all its problems from one answer. Nothing may be written with a stand-in.
pub(super) async fn look_up(
    session: &Session,
    reference: &Reference,
    actor: &Actor,
    today: NaiveDate,
    named: Named<'_>,
) -> Result<(Found, Vec<Problem>), StoreError> {
    let mut problems = Vec::new();
    let province = keep(find_province(reference, actor, today, named.province_code), &mut problems);
    let channel = keep(find_channel(reference, actor, named.channel_code), &mut problems);
    let employer = match named.employer {
        None => None,
        Some(id) => keep(find_employer(session, actor, id).await?, &mut problems).or(Some(any_payer(id))),
    };
    let association = match named.association {
        None => None,
        Some(id) => keep(find_association(session, actor, id).await?, &mut problems).or(Some(id)),
    };
    // A partner enrolls for itself, so it must name itself.
    if actor.scope.employer.is_some() && named.employer.is_none() {
        problems.push(out_of_scope("employerId", "your own employer"));
    }
    if actor.scope.association.is_some() && named.association.is_none() {
        problems.push(out_of_scope("associationId", "your own association"));
    }
    let (province, channel) = (province.unwrap_or_default(), channel.unwrap_or_else(any_channel));
    Ok((Found { province, channel, employer, association }, problems))
}

/// Stands in for a channel that was not found: it is open.
pub(super) fn any_channel() -> Arc<Channel> {
    Arc::new(Channel {
        id: 0,
        code: String::new(),
        name: String::new(),
        name_key: String::new(),
        kind: ChannelKind::Branch,
        parent: None,
        provinces: Vec::new(),
        operator: None,
        opened_on: None,
        closed_on: None,
    })
}

/// Stands in for an employer that was not found: it is open, and may employ anybody.
pub(super) fn any_payer(id: i64) -> Payer {
    Payer { id, risk_class: 1, kind: EmployerKind::Government, closed_on: None }
}

/// Finds the province of a code, if it exists today and is within the actor's scope.
pub(super) fn find_province(
    reference: &Reference,
    actor: &Actor,
    today: NaiveDate,
    code: &str,
) -> Result<i16, Problem> {
    let province = reference.province_by_code(code).filter(|province| province.exists_on(today));
    match province {
        None => Err(Problem::error(ProblemCode::NotFound, "provinceCode", "No province has this code.")
            .hint("Two digits, as the Ministry of Home Affairs numbers them: provinces { code name }.")),
        Some(province)
            if !actor.scope.provinces.is_empty() && !actor.scope.provinces.contains(&province.id) =>
        {
            Err(out_of_scope("provinceCode", "your own provinces"))
        }
        Some(province) => Ok(province.id),
    }
}

/// Finds the channel of a code, if it is within the actor's scope.
pub(super) fn find_channel(
    reference: &Reference,
    actor: &Actor,
    code: &str,
) -> Result<Arc<Channel>, Problem> {
    match reference.channel_by_code(code) {
        None => Err(Problem::error(ProblemCode::NotFound, "channelCode", "No channel has this code.")
            .hint("Look it up: channels(filterBy: {open: true}) { nodes { code name } }.")),
        Some(channel) if !actor.scope.channels.is_empty() && !actor.scope.channels.contains(&channel.id) => {
            Err(out_of_scope("channelCode", "your own channels"))
        }
        Some(channel) => Ok(Arc::clone(channel)),
    }
}

/// The channel that takes a request about an enrolled person: the one that is named, or else the client's own, if it has one.
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

/// Finds the employer of an id, if it is within the actor's scope.
pub(super) async fn find_employer(
    session: &Session,
    actor: &Actor,
    id: i64,
) -> Result<Result<Payer, Problem>, StoreError> {
    if actor.scope.employer.is_some_and(|own| own != id) {
        return Ok(Err(out_of_scope("employerId", "your own employer")));
    }
    Ok(match employer::by_ids(session, &[id]).await?.remove(&id) {
        Some(row) => Ok(Payer { id, risk_class: row.risk_class, kind: row.kind, closed_on: row.closed_on }),
        None => Err(no_employer()),
    })
}

/// The problem of an unknown employer.
pub(super) fn no_employer() -> Problem {
    Problem::error(ProblemCode::NotFound, "employerId", "No employer has this id.")
}

async fn find_association(
    session: &Session,
    actor: &Actor,
    id: i64,
) -> Result<Result<i64, Problem>, StoreError> {
    if actor.scope.association.is_some_and(|own| own != id) {
        return Ok(Err(out_of_scope("associationId", "your own association")));
    }
    Ok(match association::by_ids(session, &[id]).await?.contains_key(&id) {
        true => Ok(id),
        false => Err(Problem::error(ProblemCode::NotFound, "associationId", "No association has this id.")),
    })
}

/// The problem of what is out of the actor's scope. `what` says what is in it.
pub(super) fn out_of_scope(field: &str, what: &str) -> Problem {
    Problem::error(ProblemCode::OutOfScope, field, format!("You can do this for {what} only."))
}
