//! Reasons of leaving, as payers write them: the agency's codes, or words.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::cell;
use crate::onboarding::Row;
use crate::problem::{Problem, ProblemCode, keep};
use crate::vocabulary::EndReason;

/// The agency's codes for the reasons of leaving (SEBAB_NA).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE")]
pub enum LeavingCode {
    /// Resigned.
    A1,
    /// Dismissed or laid off (PHK).
    A2,
    /// The fixed-term contract ended.
    A3,
    /// Reached the pension age.
    A4,
    /// Is totally and permanently disabled.
    A5,
    /// Died.
    A6,
    /// Moved to another unit of the same employer. Ends nothing.
    A7,
    /// Retired under the collective agreement of the company, perhaps below the pension age.
    A8,
    /// Leaves Indonesia for good.
    A9,
    /// An industrial dispute is in progress. Ends nothing.
    A10,
}

impl LeavingCode {
    /// Returns the reason with which the enrollment ends, or `None` if it goes on.
    pub const fn end_reason(self) -> Option<EndReason> {
        match self {
            Self::A1 => Some(EndReason::Resigned),
            Self::A2 => Some(EndReason::Dismissed),
            Self::A3 => Some(EndReason::ContractEnded),
            Self::A4 | Self::A8 => Some(EndReason::Retired),
            Self::A5 => Some(EndReason::Disabled),
            Self::A6 => Some(EndReason::Deceased),
            Self::A9 => Some(EndReason::MovedAbroad),
            Self::A7 | Self::A10 => None,
        }
    }

    /// Returns the meaning in English and in Indonesian.
    pub const fn meaning(self) -> (&'static str, &'static str) {
        match self {
            Self::A1 => ("resigned", "mengundurkan diri"),
            Self::A2 => ("dismissed", "pemutusan hubungan kerja (PHK)"),
            Self::A3 => ("contract ended", "kontrak berakhir"),
            Self::A4 => ("pension age", "usia pensiun"),
            Self::A5 => ("total permanent disability", "cacat total tetap"),
            Self::A6 => ("died", "meninggal dunia"),
            Self::A7 => ("moved to another unit", "pindah unit"),
            Self::A8 => ("retired under the collective agreement", "pensiun sesuai perjanjian kerja bersama"),
            Self::A9 => ("leaves Indonesia for good", "meninggalkan Indonesia selamanya"),
            Self::A10 => ("industrial dispute in progress", "sedang dalam perselisihan hubungan industrial"),
        }
    }

    /// Returns the words that mean the code: letters only, in lower case. They include the reasons of the API.
    fn words(self) -> impl Iterator<Item = &'static str> {
        let words = match self {
            Self::A1 => {
                "mengundurkandiri pengundurandiri undurdiri resign resigned berhentisendiri \
                 mengundurkandirisendiri"
            }
            Self::A2 => {
                "phk diphk pemutusanhubungankerja pemutusanhubungankerjaphk diberhentikan dismissed laidoff"
            }
            Self::A3 => {
                "kontrakberakhir kontrakhabis habiskontrak habismasakontrak akhirkontrak contractended \
                 contractend endofcontract"
            }
            Self::A4 => "usiapensiun pensiun mencapaiusiapensiun pensionage retired retirement",
            Self::A5 => "cacattotaltetap cacattetap totalpermanentdisability totaldisability disabled",
            Self::A6 => "meninggal meninggaldunia wafat died dead deceased death",
            Self::A7 => {
                "pindahunit pindahkeunitlain pindahunitlain mutasi mutasiunit mutasiunitkerja mutasikeunitlain \
                 movedtoanotherunit"
            }
            Self::A8 => {
                "pensiundini pensiunsesuaiperjanjiankerjabersama pensiunsesuaipkb pensiunpkb \
                 retiredunderthecollectiveagreement"
            }
            Self::A9 => {
                "meninggalkanindonesiaselamanya meninggalkanindonesia meninggalkanindonesiauntukselamanya \
                 leavesindonesiaforgood movedabroad"
            }
            Self::A10 => {
                "perselisihanhubunganindustrial sedangdalamperselisihanhubunganindustrial \
                 dalamperselisihanhubunganindustrial industrialdisputeinprogress industrialdispute"
            }
        };
        words.split_ascii_whitespace()
    }

    /// Reads a code (`A1`, `a 1`, `A1 - resigned`) or words. Returns `None` for a [blank](cell::is_blank) cell.
    ///
    /// # Errors
    /// `INVALID_FORMAT` for another text.
    pub fn parse(text: &str, field: &str) -> Result<Option<Self>, Problem> {
        if cell::is_blank(text) {
            return Ok(None);
        }
        let key: String = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        let rest = key.strip_prefix('a').unwrap_or_default();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let code = rest[..digits].parse::<u8>().ok().and_then(|number| format!("A{number}").parse().ok());
        let by_words = || Self::VARIANTS.iter().copied().find(|code| code.words().any(|words| words == key));
        code.or_else(by_words).map(Some).ok_or_else(|| {
            let codes: Vec<String> =
                Self::VARIANTS.iter().map(|code| format!("{code} {}", code.meaning().0)).collect();
            let message = "This is not a reason of leaving.";
            Problem::error(ProblemCode::InvalidFormat, field, message)
                .hint(format!("Write one of the codes: {}.", codes.join(", ")))
        })
    }
}

/// What a row says about leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// The person stays.
    No,
    /// The person leaves.
    Yes {
        /// The last day of work, which is the last day of cover.
        last_day: NaiveDate,
        /// The reason.
        code: LeavingCode,
        /// The reason of the end.
        reason: EndReason,
    },
}

impl Leaving {
    /// Reads the last day and the reason of a row. A reason that ends nothing is a warning.
    pub(super) fn read(row: &Row, problems: &mut Vec<Problem>) -> Self {
        let text = |cell: &Option<String>| cell.clone().filter(|text| !cell::is_blank(text));
        let (day, reason) = (text(&row.last_day), text(&row.leaving_reason));
        let last_day = day.as_deref().and_then(|day| keep(cell::parse_date(day, "lastDay"), problems));
        let code = reason
            .as_deref()
            .and_then(|reason| keep(LeavingCode::parse(reason, "leavingReason"), problems).flatten());
        match (code.map(|code| (code, code.end_reason())), last_day) {
            (Some((code, None)), _) => {
                problems.push(ends_nothing(code));
                Self::No
            }
            (Some((code, Some(reason))), Some(last_day)) => Self::Yes { last_day, code, reason },
            (Some(_), None) => {
                if day.is_none() {
                    let message = "The last day is needed with a reason of leaving.";
                    problems.push(Problem::error(ProblemCode::Required, "lastDay", message));
                }
                Self::No
            }
            (None, Some(_)) => {
                if reason.is_none() {
                    let message = "The reason of leaving is needed with a last day.";
                    let problem = Problem::error(ProblemCode::Required, "leavingReason", message);
                    problems.push(problem.hint("A1 to A10, or in words: A1 is resigned."));
                }
                Self::No
            }
            (None, None) => Self::No,
        }
    }
}

fn ends_nothing(code: LeavingCode) -> Problem {
    let message =
        format!("The reason {code} ({}) ends nothing. The person stays enrolled.", code.meaning().0);
    Problem::warning(ProblemCode::NotEligible, "leavingReason", message)
        .hint("If the person leaves, give the reason of the end.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_read_by_its_code_and_by_words_in_both_languages() {
        let read = |text: &str| LeavingCode::parse(text, "leavingReason").unwrap();
        for &code in LeavingCode::VARIANTS {
            let (english, indonesian) = code.meaning();
            let name = code.to_string();
            for text in [name.as_str(), &name.to_lowercase(), &format!("{name} - {indonesian}"), english] {
                assert_eq!(read(text), Some(code), "{text}");
            }
            assert_eq!(read(&indonesian.to_uppercase()), Some(code), "{indonesian}");
        }
        assert_eq!(
            (read("RESIGNED"), read("Contract_Ended")),
            (Some(LeavingCode::A1), Some(LeavingCode::A3))
        );
        assert_eq!((read(""), read(" - ")), (None, None));
        for text in ["A0", "A11", "A100", "B1", "x", "A"] {
            assert!(LeavingCode::parse(text, "leavingReason").is_err(), "{text}");
        }
    }

    #[test]
    fn no_word_means_two_codes() {
        for (at, code) in LeavingCode::VARIANTS.iter().enumerate() {
            for other in &LeavingCode::VARIANTS[at + 1..] {
                assert!(code.words().all(|word| other.words().all(|another| word != another)));
            }
        }
    }

    #[test]
    fn two_codes_end_nothing() {
        let nothing: Vec<LeavingCode> =
            LeavingCode::VARIANTS.iter().copied().filter(|code| code.end_reason().is_none()).collect();
        assert_eq!(nothing, [LeavingCode::A7, LeavingCode::A10]);
    }

    #[test]
    fn a_day_and_a_reason_belong_together() {
        let read = |last_day: &str, reason: &str| {
            let (last_day, leaving_reason) = (Some(last_day.to_owned()), Some(reason.to_owned()));
            let mut problems = Vec::new();
            let leaving = Leaving::read(&Row { last_day, leaving_reason, ..Row::default() }, &mut problems);
            let problems: Vec<_> =
                problems.into_iter().map(|p| (p.code, p.is_error(), p.path[0].clone())).collect();
            (leaving, problems)
        };
        let last_day = NaiveDate::from_ymd_opt(2014, 9, 20).unwrap();
        let yes = Leaving::Yes { last_day, code: LeavingCode::A1, reason: EndReason::Resigned };
        assert_eq!(read("20-09-2014", "A1"), (yes, vec![]));
        assert_eq!(read("-", ""), (Leaving::No, vec![]));
        let one = |code, is_error, path: &str| (Leaving::No, vec![(code, is_error, path.to_owned())]);
        assert_eq!(read("", "A1"), one(ProblemCode::Required, true, "lastDay"));
        assert_eq!(read("20-09-2014", ""), one(ProblemCode::Required, true, "leavingReason"));
        assert_eq!(read("soon", "A1"), one(ProblemCode::InvalidFormat, true, "lastDay"));
        assert_eq!(read("20-09-2014", "bored"), one(ProblemCode::InvalidFormat, true, "leavingReason"));
        assert_eq!(read("20-09-2014", "A7"), one(ProblemCode::NotEligible, false, "leavingReason"));
        assert_eq!(read("", "A10"), one(ProblemCode::NotEligible, false, "leavingReason"));
    }
}
