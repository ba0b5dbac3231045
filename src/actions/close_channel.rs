//! `closeChannel`: closes a channel on a day.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission};
use crate::store::{Database, StoreError, channel};
use domain::actor::{Actor, Right};
use domain::calendar::Calendar;
use domain::channel::judge_closing;
use domain::problem::{Problem, ProblemCode};

/// The input.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    /// The channel's code.
    pub code: String,
    /// The first day on which nobody can be enrolled there.
    pub on: NaiveDate,
}

/// The channel that was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Its internal id.
    pub channel: i64,
}

/// Closes a channel on a day. A future day can be changed; a channel that is closed stays closed.
pub async fn close_channel(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
) -> Result<Done<Closed>, ActionError> {
    let request = Request::new(database, actor, ("closeChannel", Right::ManageChannels), submission, input)?;
    let reference = database.reference();
    let Some(channel) = reference.channel_by_code(&input.code) else {
        let problem = Problem::error(ProblemCode::NotFound, "code", "No channel has this code.")
            .hint("Look it up: channels(filterBy: {open: true}) { nodes { code name } }.");
        return request.refuse(vec![problem]).await;
    };
    let work = ChannelClosing { channel: channel.id, on: input.on, calendar: reference.calendar, today };
    let done = request.run(work).await?;
    // Other processes are notified. This one must not enroll anybody there any more.
    if done.value.is_some() {
        database.refresh_reference().await.map_err(ActionError::Store)?;
    }
    Ok(done)
}

struct ChannelClosing {
    channel: i64,
    on: NaiveDate,
    calendar: Calendar,
    today: NaiveDate,
}

impl Mutation for ChannelClosing {
    type Output = Closed;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Closed>, StoreError> {
        let life = channel::lock(conn, self.channel, self.calendar).await?;
        match judge_closing(self.on, &life, self.today) {
            problems if problems.is_empty() => {
                channel::close(conn, self.channel, self.on).await?;
                Ok(Done::did(Closed { channel: self.channel }, Vec::new()))
            }
            problems => Ok(Done::refused(problems)),
        }
    }
}
