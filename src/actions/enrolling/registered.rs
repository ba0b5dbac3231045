//! Enrollments of registered people that requests ask for at about the same time. They share a transaction, each with its own
//! key, outcome and audit entry.
//!
//! The transaction writes the forms that are accepted. For a form that is refused it writes nothing.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{EnrollContext, EnrollOutcome, enroll_registered};
use crate::store::audit::{self, NewEntry};
use crate::store::group_commit::{Group, GroupCommit, choose_apart};
use crate::store::idempotency::{self, KeyOf};
use crate::store::keys::NumberKind;
use crate::store::reference::Reference;
use crate::store::{Database, StoreError};
use domain::actor::Actor;
use domain::enrollment::NewEnrollment;
use domain::problem::ProblemCode;

/// A form about somebody who is registered, with what its mutation writes beside the enrollment.
pub(in crate::actions) struct RegisteredForm {
    /// Who enrolls.
    pub actor: Actor,
    /// What the form was judged by.
    pub reference: Arc<Reference>,
    /// The form.
    pub new: NewEnrollment,
    /// The key, the digest of the input, and the outcome without its value, which are the ids.
    pub key: Option<(KeyOf, Vec<u8>, Value)>,
    /// The audit entry, without its person.
    pub entry: NewEntry,
}

/// What became of a form.
#[derive(Clone, Debug)]
pub(in crate::actions) struct JudgedForm {
    /// The outcome.
    pub outcome: EnrollOutcome,
    /// The people who were known, by internal id.
    pub known: Vec<i64>,
}

impl JudgedForm {
    fn is_written(&self) -> bool {
        matches!(self.outcome, EnrollOutcome::Enrolled { .. })
    }
}

/// The most forms of one transaction.
const MOST_TOGETHER: usize = 64;

/// Writes such forms, many at a time under load.
pub struct RegisteredFormQueue(GroupCommit<Forms>);

struct Forms(Arc<Database>);

impl fmt::Debug for RegisteredFormQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RegisteredFormQueue(..)")
    }
}

impl RegisteredFormQueue {
    /// Makes a queue that writes into a database, by the runtime of the caller.
    pub fn new(database: Arc<Database>) -> Self {
        Self(GroupCommit::new(Forms(database)))
    }

    /// Writes a form, unless it is refused. Returns `None` if it needs a transaction of its own: then nothing of it was written.
    pub(in crate::actions) async fn enroll(
        &self,
        form: RegisteredForm,
    ) -> Result<Option<JudgedForm>, StoreError> {
        self.0.write(form).await
    }
}

impl Group for Forms {
    type Item = RegisteredForm;
    type Outcome = Option<JudgedForm>;

    /// Forms with the same number or key do not share a transaction: the second one has to find the first one written.
    fn choose<'a>(waiting: impl Iterator<Item = &'a RegisteredForm>) -> Vec<bool> {
        #[derive(PartialEq, Eq, Hash)]
        enum Mark<'a> {
            Number(NumberKind, &'a str),
            Key(&'a KeyOf),
        }
        let waiting: Vec<&RegisteredForm> = waiting.collect();
        let is_alike = |form: &RegisteredForm| {
            waiting.first().is_some_and(|first| Arc::ptr_eq(&form.reference, &first.reference))
        };
        let alike = waiting.iter().copied().take_while(|form| is_alike(form));
        choose_apart(alike, MOST_TOGETHER, |form| {
            let of_civil_servant = form.new.civil_servant.as_ref().and_then(|c| c.service_number.as_ref());
            let service_number =
                of_civil_servant.map(|n| Mark::Number(NumberKind::ServiceNumber, n.as_str()));
            let kind = NumberKind::of_identity(&form.new.identity);
            let identity = Mark::Number(kind, form.new.identity.as_str());
            let key = form.key.as_ref().map(|(key, ..)| Mark::Key(key));
            [Some(identity), service_number, key].into_iter().flatten().collect()
        })
    }

    async fn write(&self, forms: Vec<RegisteredForm>) -> Vec<Result<Self::Outcome, StoreError>> {
        match self.0.writer.in_time(self.write_together(&forms)).await {
            Ok(written) => written.into_iter().map(Ok).collect(),
            Err(error @ (StoreError::Unavailable(_) | StoreError::Unwritten(_))) => {
                vec![Err(error); forms.len()]
            }
            // One of the forms, or another transaction, kept all of them from being written. Each request tries alone.
            Err(error) => {
                if matches!(error, StoreError::Fault(_) | StoreError::Constraint(_)) {
                    tracing::warn!(%error, forms = forms.len(), "forms could not be written together");
                }
                vec![Ok(None); forms.len()]
            }
        }
    }
}

impl Forms {
    async fn write_together(&self, forms: &[RegisteredForm]) -> Result<Vec<Option<JudgedForm>>, StoreError> {
        let begun = self.0.writer.begin_impatient().await;
        let mut transaction = begun.map_err(StoreError::before_commit)?;
        match self.write_within(&mut transaction, forms).await {
            Ok(judged) if judged.iter().flatten().any(JudgedForm::is_written) => {
                transaction.commit().await?;
                Ok(judged)
            }
            // The connection is lost, or it is not known whether it is.
            Err(error @ StoreError::Unavailable(_)) => Err(error.before_commit()),
            nothing_written => {
                transaction.abandon().await;
                nothing_written
            }
        }
    }

    async fn write_within(
        &self,
        conn: &mut PgConnection,
        forms: &[RegisteredForm],
    ) -> Result<Vec<Option<JudgedForm>>, StoreError> {
        let mut judged = vec![None; forms.len()];
        let Some(reference) = forms.first().map(|form| &form.reference) else { return Ok(judged) };
        let keys: Vec<(&KeyOf, &[u8])> =
            forms.iter().filter_map(RegisteredForm::key_and_fingerprint).collect();
        let free = idempotency::claim_free(conn, &keys).await?;
        let taken = keys.iter().zip(free).filter(|(_, is_free)| !is_free).map(|((key, _), _)| *key);
        let taken: HashSet<&KeyOf> = taken.collect();
        let is_begun =
            |form: &RegisteredForm| form.key_and_fingerprint().is_none_or(|(key, _)| !taken.contains(key));
        let begun: Vec<usize> = (0..forms.len()).filter(|&at| is_begun(&forms[at])).collect();
        let new: Vec<_> = begun.iter().map(|&at| (&forms[at].actor, &forms[at].new)).collect();
        let context = EnrollContext { keys: &self.0.keys, rules: &reference.rules, batch: None };
        let enrolled = enroll_registered(conn, &context, &new).await?;
        let outcomes: Vec<_> = begun.iter().map(|&at| &forms[at]).zip(&enrolled.outcomes).collect();
        record(conn, &outcomes).await?;
        for ((at, outcome), known) in begun.into_iter().zip(enrolled.outcomes).zip(enrolled.known) {
            // The forms of one person under two numbers are of different requests: the second one does not repeat the first.
            let is_repeated =
                matches!(&outcome, EnrollOutcome::Refused(p) if p.code == ProblemCode::DuplicateInRequest);
            judged[at] = (!is_repeated).then_some(JudgedForm { outcome, known });
        }
        Ok(judged)
    }
}

/// Writes the outcomes and audit entries of what was written, and releases the other keys.
async fn record(
    conn: &mut PgConnection,
    forms: &[(&RegisteredForm, &EnrollOutcome)],
) -> Result<(), StoreError> {
    let (mut outcomes, mut unused, mut entries) = (Vec::new(), Vec::new(), Vec::new());
    for (form, outcome) in forms {
        let EnrollOutcome::Enrolled { participant, enrollment } = **outcome else {
            unused.extend(form.key_and_fingerprint().map(|(key, _)| key));
            continue;
        };
        outcomes.extend(form.key.as_ref().map(|(key, _, outcome)| {
            let mut outcome = outcome.clone();
            outcome["value"] = json!({"participant": participant, "enrollment": enrollment});
            (key, outcome)
        }));
        entries.push(NewEntry { subjects: vec![participant], ..form.entry.clone() });
    }
    if entries.is_empty() {
        // Nothing is committed.
        return Ok(());
    }
    idempotency::record_many(conn, &outcomes).await?;
    idempotency::release(conn, &unused).await?;
    audit::insert_many(conn, &entries).await
}

impl RegisteredForm {
    /// The key and the digest of the input.
    fn key_and_fingerprint(&self) -> Option<(&KeyOf, &[u8])> {
        self.key.as_ref().map(|(key, fingerprint, _)| (key, fingerprint.as_slice()))
    }
}
