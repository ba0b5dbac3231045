//! `openChannel`: opens a channel.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission, keep, terms};
use crate::store::channel::{self, NewChannel};
use crate::store::reference::Reference;
use crate::store::{Database, StoreError};
use domain::actor::{Actor, Right};
use domain::channel::{Channel, ChannelKind, judge_opening, judge_parent, judge_province, parse_code};
use domain::employer::OrganisationName;
use domain::problem::{Problem, ProblemCode, refuses};
use domain::text;

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// The agency's own code.
    pub code: String,
    /// Name.
    pub name: String,
    /// What kind of place it is.
    pub kind: ChannelKind,
    /// The parent channel.
    pub parent_code: Option<String>,
    /// The provinces that it serves.
    pub province_codes: Vec<String>,
    /// Who runs it, if not the agency.
    pub operator: Option<String>,
    /// First day; `None` for today.
    pub opened_on: Option<NaiveDate>,
}

/// The channel that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Its internal id.
    pub channel: i64,
}

/// Opens a channel.
pub async fn open_channel(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
) -> Result<Done<Opened>, ActionError> {
    let request = Request::new(database, actor, ("openChannel", Right::ManageChannels), submission, input)?;
    let new = match judge(&database.reference(), actor, today, input) {
        Ok(new) => new,
        Err(problems) => return request.refuse(problems).await,
    };
    let done = request.run(ChannelOpening { actor, new }).await?;
    // Other processes are notified. This one answers with it.
    if done.value.is_some() {
        database.refresh_reference().await.map_err(ActionError::Store)?;
    }
    Ok(done)
}

struct ChannelOpening<'a> {
    actor: &'a Actor,
    new: NewChannel,
}

impl Mutation for ChannelOpening<'_> {
    type Output = Opened;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Opened>, StoreError> {
        if let Some(parent) = self.new.parent_id
            && let Some(closed) = channel::closing_of(conn, parent).await?
        {
            let message = format!("The parent channel closes on {closed}.");
            return Ok(Done::refused(vec![
                Problem::error(ProblemCode::ChannelClosed, "parentCode", message)
                    .hint("Choose another parent."),
            ]));
        }
        Ok(match channel::insert(conn, self.actor, &self.new).await? {
            Some(channel) => Done::did(Opened { channel }, Vec::new()),
            None => Done::refused(vec![Problem::error(
                ProblemCode::Conflict,
                "code",
                "A channel has this code already.",
            )]),
        })
    }
}

fn judge(
    reference: &Reference,
    actor: &Actor,
    today: NaiveDate,
    input: &Input,
) -> Result<NewChannel, Vec<Problem>> {
    let mut problems = Vec::new();
    let code = keep(parse_code(&input.code, "code"), &mut problems);
    let name = keep(OrganisationName::parse(&input.name, "name"), &mut problems);
    let operator = keep(text::label(input.operator.as_deref(), 100, "operator"), &mut problems).flatten();
    let parent = match &input.parent_code {
        None => None,
        Some(code) => {
            let parent = reference.channel_by_code(code);
            if parent.is_none() {
                problems.push(Problem::error(
                    ProblemCode::NotFound,
                    "parentCode",
                    "No channel has this code.",
                ));
            }
            parent
        }
    };
    problems.extend(judge_parent(input.kind, parent.map(|parent| parent.kind)));
    let (opened_on, parent) = (input.opened_on.unwrap_or(today), parent.map(AsRef::as_ref));
    problems.extend(judge_opening(opened_on, input.kind, parent, &reference.rules, today));
    let provinces = judge_provinces((reference, actor, today), &input.province_codes, parent, &mut problems);
    match (code, name) {
        (Some(code), Some(name)) if !refuses(&problems) => Ok(NewChannel {
            code,
            name: name.as_str().to_owned(),
            name_key: name.key(),
            kind: input.kind,
            parent_id: parent.map(|parent| parent.id),
            provinces,
            operator,
            opened_on: Some(opened_on),
        }),
        _ => Err(problems),
    }
}

/// Finds the provinces that the channel serves, each once.
fn judge_provinces(
    (reference, actor, today): (&Reference, &Actor, NaiveDate),
    codes: &[String],
    parent: Option<&Channel>,
    problems: &mut Vec<Problem>,
) -> Vec<i16> {
    let mut provinces = Vec::new();
    for (index, code) in codes.iter().enumerate() {
        let found = terms::find_province(reference, actor, today, code);
        match found.and_then(|province| judge_province(province, parent).map_or(Ok(province), Err)) {
            Ok(province) => provinces.push(province),
            Err(problem) => {
                let path = vec!["provinceCodes".to_owned(), index.to_string()];
                problems.push(Problem { path, ..problem });
            }
        }
    }
    provinces.sort_unstable();
    provinces.dedup();
    if codes.is_empty() {
        problems.push(Problem::error(
            ProblemCode::Required,
            "provinceCodes",
            "A channel serves at least one province.",
        ));
    }
    provinces
}
