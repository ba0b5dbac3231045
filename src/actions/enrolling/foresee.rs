//! Foreseeing the outcomes of enrollments for a plan. Nothing is claimed or written.

use std::collections::HashMap;

use sqlx::PgConnection;

use super::IDENTITY_KINDS;
use super::verdict::{EnrollContext, EnrollOutcome, compare, enroll_once};
use crate::store::keys::NumberKind;
use crate::store::{StoreError, identifier, participant};
use domain::actor::Actor;
use domain::enrollment::NewEnrollment;

/// The outcomes, and the people about whom they reveal something.
pub(in crate::actions) struct Foreseen {
    /// `None` if it would be written.
    pub outcomes: Vec<Option<EnrollOutcome>>,
    /// People who were known, by internal id.
    pub known: Vec<i64>,
    /// Positions of the enrollments whose identity number nobody has.
    pub unknown: Vec<usize>,
}

/// Returns the outcomes that enrollments by an actor would have now, in the same order.
pub(in crate::actions) async fn foresee(
    conn: &mut PgConnection,
    (actor, context): (&Actor, &EnrollContext<'_>),
    new: &[NewEnrollment],
) -> Result<Foreseen, StoreError> {
    let indexes: Vec<Vec<u8>> = new.iter().map(|new| context.keys.identity_index(&new.identity)).collect();
    let mut owners = HashMap::new();
    for kind in IDENTITY_KINDS {
        let of_kind = new.iter().zip(&indexes);
        let of_kind = of_kind.filter(|(new, _)| NumberKind::of_identity(&new.identity) == kind);
        let of_kind: Vec<Vec<u8>> = of_kind.map(|(_, index)| index.clone()).collect();
        owners.extend(identifier::owners(conn, kind, &of_kind).await?);
    }
    let mut known: Vec<i64> = owners.values().copied().collect();
    let people = participant::lock(conn, &known).await?;
    let service_numbers: Vec<Option<Vec<u8>>> = new.iter().map(|new| service_index(new, context)).collect();
    let asked: Vec<Vec<u8>> = service_numbers.iter().flatten().cloned().collect();
    let holders = identifier::owners(conn, NumberKind::ServiceNumber, &asked).await?;
    let mut outcomes = Vec::with_capacity(new.len());
    let owners: Vec<Option<i64>> = indexes.iter().map(|index| owners.get(index).copied()).collect();
    for ((new, &owner), service_number) in new.iter().zip(&owners).zip(service_numbers) {
        let decided =
            owner.and_then(|participant| compare((participant, new), &people, (actor, context.rules)));
        let holder = service_number.and_then(|number| holders.get(&number).copied());
        let foreign = holder.filter(|_| decided.is_none()).filter(|&holder| Some(holder) != owner);
        known.extend(foreign);
        let taken = foreign.map(|holder| EnrollOutcome::ServiceNumberTaken { holder });
        outcomes.push(decided.or(taken));
    }
    let unknown = (0..new.len()).filter(|&at| owners[at].is_none()).collect();
    let forms = owners.into_iter().zip(new).zip(&mut outcomes);
    enroll_once(forms.filter_map(|((owner, new), outcome)| Some((owner?, new, outcome))));
    Ok(Foreseen { outcomes, known, unknown })
}

fn service_index(new: &NewEnrollment, context: &EnrollContext<'_>) -> Option<Vec<u8>> {
    let number = new.civil_servant.as_ref()?.service_number.as_ref()?;
    Some(context.keys.index(NumberKind::ServiceNumber, number.as_str()))
}
