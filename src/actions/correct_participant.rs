//! `correctParticipant`: corrects the particulars of a person. Former values stay in the history. A former identity number
//! stays claimed and still finds the person, because cards and lists with it are in use for years.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::changing::{self, Change};
use super::ending;
use super::quota::{MissCounter, Revealed};
use super::request::{Mutation, Request};
use super::{ActionError, Done, Submission, found, keep, terms};
use crate::store::audit::Trail;
use crate::store::event::NewCorrection;
use crate::store::keys::NumberKind;
use crate::store::participant::{CorrectedColumns, Person};
use crate::store::reference::Reference;
use crate::store::{Database, StoreError, event, identifier, participant};
use domain::actor::{Actor, Right};
use domain::correction::{self, Correction, Form, Particulars, Wanted};
use domain::enrollment::identity_mismatch;
use domain::identity::NationalId;
use domain::participant::Sex;
use domain::problem::{Problem, ProblemCode, refuses};

/// The input. A field that is `None` stays as it is.
#[derive(Clone, Serialize)]
pub struct Input {
    /// The person, by internal id.
    pub participant: i64,
    /// Name, as typed.
    pub full_name: Option<String>,
    /// Date of birth.
    pub birth_date: Option<NaiveDate>,
    /// Sex.
    pub sex: Option<Sex>,
    /// Province of residence.
    pub province_code: Option<String>,
    /// Identity number (NIK), as typed.
    pub national_id: Option<String>,
    /// The channel that takes the request.
    pub channel_code: Option<String>,
    /// The reason.
    pub reason: String,
}

domain::redacted_debug!(Input);

/// The person who was corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corrected {
    /// The person.
    pub participant: i64,
}

/// Corrects a person, recorded in `trail`.
pub async fn correct_participant(
    database: &Database,
    actor: &Actor,
    today: NaiveDate,
    submission: Submission<'_>,
    input: &Input,
    trail: &Trail,
) -> Result<Done<Corrected>, ActionError> {
    let request =
        Request::new(database, actor, ("correctParticipant", Right::ChangePeople), submission, input)?
            .recorded_in(trail);
    let reference = database.reference();
    let judged = judge(database, &reference, (actor, trail), today, input).await?;
    let (wanted, doubts, channel) = match judged {
        Ok(judged) => judged,
        Err(problems) => return request.refuse(problems).await,
    };
    let index = |number: &NationalId| database.keys.index(NumberKind::NationalId, number.as_str());
    let claim = wanted.national_id.as_ref().map(index);
    let misses = MissCounter::new(database, actor, 1).of_check(submission.is_without_effect());
    let tells_withheld = submission.tells_withheld(actor);
    let work = ParticipantCorrection {
        database,
        reference: &reference,
        actor,
        today,
        input,
        wanted,
        doubts,
        channel,
        claim,
        misses: &misses,
        tells_withheld,
    };
    let done = request.run(work).await?;
    misses.verdict()?;
    Ok(done)
}

type Judged = (Wanted, Vec<Problem>, Option<i64>);

/// Judges the input, and whether the actor sees the person. Returns all problems at once.
async fn judge(
    database: &Database,
    reference: &Reference,
    (actor, trail): (&Actor, &Trail),
    today: NaiveDate,
    input: &Input,
) -> Result<Result<Judged, Vec<Problem>>, StoreError> {
    let mut problems = Vec::new();
    let is_visible = participant::is_visible(&database.reading(actor), actor, input.participant).await?;
    if !is_visible {
        problems.push(found::no_participant());
    }
    let find = |code: &String| terms::find_province(reference, actor, today, code);
    let province = input.province_code.as_ref().map(|code| keep(find(code), &mut problems));
    let channel = terms::service_channel(reference, actor, input.channel_code.as_deref());
    let channel = keep(channel, &mut problems).flatten();
    let form = Form {
        full_name: input.full_name.clone(),
        birth_date: input.birth_date,
        sex: input.sex,
        // A province that was not found still counts as sent.
        province: province.map(|found| found.unwrap_or_default()),
        national_id: input.national_id.clone(),
        reason: input.reason.clone(),
    };
    let judged = match correction::read(form, &reference.rules, today) {
        Ok((wanted, doubts)) if problems.is_empty() => Ok((wanted, doubts, channel)),
        Ok((_, doubts)) => Err([problems, doubts].concat()),
        Err(more) => Err([problems, more].concat()),
    };
    if judged.is_err() {
        // The problems tell that the actor sees the person.
        trail.saw(is_visible.then_some(input.participant));
    }
    Ok(judged)
}

struct ParticipantCorrection<'a> {
    database: &'a Database,
    reference: &'a Reference,
    actor: &'a Actor,
    today: NaiveDate,
    input: &'a Input,
    wanted: Wanted,
    doubts: Vec<Problem>,
    channel: Option<i64>,
    /// The index of the new identity number.
    claim: Option<Vec<u8>>,
    misses: &'a MissCounter<'a>,
    /// May a problem tell that the identity number or the birth date is the present one?
    tells_withheld: bool,
}

impl Mutation for ParticipantCorrection<'_> {
    type Output = Corrected;

    async fn run(&self, conn: &mut PgConnection) -> Result<Done<Corrected>, StoreError> {
        let id = self.input.participant;
        // Numbers first and then people, in the same order as an enrollment, so that there is no deadlock.
        let mut other = None;
        if let Some(index) = &self.claim {
            if self.misses.refuses_check().await? {
                return Ok(MissCounter::rolled_back());
            }
            let owner = identifier::claim_further_national_id(conn, &self.database.keys, index, id).await?;
            other = (owner != id).then_some((index, owner));
        }
        let before = ending::lock_one(conn, self.actor, id).await?;
        let (Some(before), Some(kept)) = (before, participant::corrected_columns(conn, id).await?) else {
            return Ok(self.refused(vec![found::no_participant()]));
        };
        let held = self.particulars(&before, &kept)?;
        let wanted = self.wanted.apply(&held);
        let changes = correction::changes(&held, &wanted, |id| self.province_code(id));
        let is_withheld = self.wanted.national_id.is_some() || self.wanted.birth_date.is_some();
        if changes.is_empty() && is_withheld && !self.tells_withheld {
            let checked = Done::did(Corrected { participant: id }, self.doubts.clone());
            return Ok(checked.concerning(vec![id]));
        }
        if changes.is_empty() {
            return Ok(self.refused(vec![correction::nothing_changes()]).concerning(vec![id]));
        }
        let mut judged = correction::judge(
            (&held, &wanted),
            &before.enrollments,
            before.deceased_on,
            &self.reference.rules,
            self.today,
        );
        // Whether the number agrees with birth date and sex depends on the present values. A call that is refused changes
        // nothing, so it tells no more than a check.
        let is_refused = refuses(&judged) || other.is_some();
        let tells_withheld = self.tells_withheld && (self.actor.reads_personal_data() || !is_refused);
        judged.retain(|problem| tells_withheld || !is_of_number(problem));
        let problems = [self.doubts.as_slice(), &judged].concat();
        if refuses(&problems) {
            return Ok(Done::refused(problems).concerning(vec![id]));
        }
        // Last: a correction that is refused anyway does not tell whose number it names.
        if let Some((index, owner)) = other {
            return self.of_another(conn, index, owner).await;
        }
        let correction = Correction { reason: Some(self.wanted.reason.clone()), changes };
        self.write(conn, (&held, &wanted), &kept, &correction).await?;
        let mut after = before.clone();
        if wanted.province != held.province {
            after.residence = wanted.province.into();
        }
        let change = Change { participant: id, before: Some(before), after };
        changing::write_consequences(conn, &self.reference.rules, &[change]).await?;
        Ok(Done::did(Corrected { participant: id }, problems).concerning(vec![id]))
    }
}

/// Whether a problem is about the birth date or the sex that an identity number tells.
const fn is_of_number(problem: &Problem) -> bool {
    matches!(problem.code, ProblemCode::NationalIdBirthMismatch | ProblemCode::NationalIdSexMismatch)
}

impl ParticipantCorrection<'_> {
    /// Refuses a number that belongs to another person. The refusal reveals that the number is registered, so it counts as a
    /// miss if the actor may not see that person.
    async fn of_another(
        &self,
        conn: &mut PgConnection,
        index: &[u8],
        owner: i64,
    ) -> Result<Done<Corrected>, StoreError> {
        let revealed = Revealed::that_it_is_known(index.to_vec());
        if self.misses.exceeds_quota(&mut *conn, &revealed).await? {
            return Ok(MissCounter::rolled_back().concerning(vec![owner]));
        }
        Ok(self
            .refused(vec![identity_mismatch("nationalId")])
            .concerning(vec![self.input.participant, owner]))
    }

    async fn write(
        &self,
        conn: &mut PgConnection,
        (held, wanted): (&Particulars, &Particulars),
        kept: &CorrectedColumns,
        correction: &Correction,
    ) -> Result<(), StoreError> {
        let id = self.input.participant;
        let corrected = NewCorrection {
            participant_id: id,
            channel_id: self.channel,
            effective_on: self.today,
            correction,
        };
        let event = event::insert_correction(conn, self.actor, corrected).await?;
        let keys = &self.database.keys;
        let number = wanted.national_id.as_ref().filter(|_| held.national_id != wanted.national_id);
        if let (Some(_), Some(former), Some(sealed)) = (number, &held.national_id, &kept.national_id) {
            let index = keys.index(NumberKind::NationalId, former.as_str());
            identifier::supersede_national_id(conn, &index).await?;
            event::insert_former_number(conn, id, event, sealed).await?;
        }
        let sealed = number.map(|number| keys.seal(NumberKind::NationalId, number.as_str()));
        participant::correct(conn, id, wanted, sealed.as_deref().or(kept.national_id.as_deref())).await
    }

    fn particulars(&self, person: &Person, kept: &CorrectedColumns) -> Result<Particulars, StoreError> {
        let known = person.known.as_ref();
        let known = known.ok_or_else(|| StoreError::Fault("a locked person has no particulars".into()))?;
        let open = |sealed| self.database.keys.open(NumberKind::NationalId, sealed);
        let number = kept.national_id.as_deref().map(open).transpose();
        let number = number.map_err(|error| StoreError::Fault(error.to_string()))?;
        let parse = |number: &str| NationalId::parse(number, &self.reference.rules.regions, "nationalId");
        let number = number.map(|number| parse(&number)).transpose();
        let number = number.map_err(|_| StoreError::Fault("a stored identity number is malformed".into()))?;
        Ok(Particulars {
            full_name: kept.full_name.clone(),
            name_key: known.name_key.clone(),
            birth_date: known.birth_date,
            sex: known.sex,
            province: person.residence.current(),
            national_id: number.map(|(number, _)| number),
        })
    }

    fn province_code(&self, id: i16) -> String {
        self.reference.province(id).map(|province| province.code.clone()).unwrap_or_default()
    }

    fn refused(&self, problems: Vec<Problem>) -> Done<Corrected> {
        Done::refused([problems.as_slice(), &self.doubts].concat())
    }
}
