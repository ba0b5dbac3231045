//! Facts of a newspaper article of 2 October 2014: the target of 2015, and the plan of South Sumatra. The article does
//! not name the twenty provinces that had signed, so the register has no other agreement.

use sqlx::PgConnection;

use crate::store::{StoreError, agreement, target};
use domain::actor::Actor;
use domain::agreement::{AgreementScope, AgreementStatus, Commitment, Terms};

const SOUTH_SUMATRA: i16 = 16;

/// Inserts the target and the agreement into an empty register.
pub(super) async fn insert(conn: &mut PgConnection) -> Result<(), StoreError> {
    let author = Actor { client: "demo".to_owned(), ..Actor::command_line() };
    target::insert(conn, &author, 2015, 20_000_000, None).await?;
    let number = "Sumatera Selatan 2014 (number not published)";
    if agreement::lock(conn, number).await?.is_none() {
        let id = agreement::insert(conn, number, SOUTH_SUMATRA).await?;
        agreement::insert_state(conn, &author, id, &plan()).await?;
    }
    Ok(())
}

fn plan() -> Terms {
    Terms {
        status: AgreementStatus::Planned,
        signed_on: None,
        valid_from: None,
        valid_until: None,
        scopes: vec![AgreementScope::CivilServants],
        commitments: vec![Commitment {
            scope: AgreementScope::CivilServants,
            headcount: 8_000,
            due_on: None,
        }],
        source: "ekbis.sindonews.com, 2014-10-02: \"Rencananya 8.000 pegawai negeri sipil (PNS)\"".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::days::last_day;
    use domain::agreement::{judge, parse_number};
    use domain::province::Province;

    #[test]
    fn the_plan_could_have_been_recorded_by_hand() {
        let province = Province {
            id: SOUTH_SUMATRA,
            code: SOUTH_SUMATRA.to_string(),
            iso_code: "ID-SS".to_owned(),
            valid_from: None,
            valid_until: None,
            predecessor: None,
            editions: Vec::new(),
        };
        assert_eq!(judge(plan(), Some(&province), last_day()), Ok(plan()));
        assert!(parse_number("Sumatera Selatan 2014 (number not published)").is_ok());
    }
}
