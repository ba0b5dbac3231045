//! Targets of the agency, and published numbers of others.

use chrono::{Datelike as _, NaiveDate};

use super::number::grouped;
use super::problem::{Problem, ProblemCode, refuses};
use super::province::Province;

/// A target: how many active participants the agency wants to have in a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Internal id.
    pub id: i64,
    /// Year.
    pub year: i16,
    /// Number of active participants.
    pub active: i32,
    /// Province; `None`: the whole country.
    pub province: Option<i16>,
}

/// A published number. It is shown next to the counters and never added to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedFigure {
    /// The counted or promised quantity.
    pub metric: String,
    /// Province; `None`: the whole country.
    pub province: Option<i16>,
    /// Value.
    pub value: i32,
    /// Day to which it refers.
    pub on: NaiveDate,
    /// Reference to the publication.
    pub source: String,
}

/// Returns the target that applies on a day to the country or a province: that of the year, or else the next one.
pub fn applying(targets: &[Target], province: Option<i16>, day: NaiveDate) -> Option<&Target> {
    let year = day.year();
    let to_come =
        targets.iter().filter(|target| target.province == province && i32::from(target.year) >= year);
    to_come.min_by_key(|target| target.year)
}

/// Upper limit of a target: more people than the country has.
const MAXIMUM: i32 = 300_000_000;

/// Checks a target and returns its year. `province` is the result of looking up the given code, if one was given.
///
/// # Errors
/// All problems of the target.
pub fn judge(year: i32, active: i32, province: Option<Option<&Province>>) -> Result<i16, Vec<Problem>> {
    let mut problems = Vec::new();
    let known = i16::try_from(year).ok().filter(|year| (2000..=2100).contains(year));
    if known.is_none() {
        problems.push(Problem::error(
            ProblemCode::OutOfRange,
            "year",
            "The year must be between 2000 and 2100.",
        ));
    }
    if !(1..=MAXIMUM).contains(&active) {
        let message = match active {
            ..1 => "A target must be at least 1 person.".to_owned(),
            _ => format!("A target can be at most {} people; the country has fewer.", grouped(MAXIMUM)),
        };
        problems.push(Problem::error(ProblemCode::OutOfRange, "active", message));
    }
    let days = known.map(|year| (year, NaiveDate::from_ymd_opt(year.into(), 12, 31)));
    match (province, days) {
        (Some(None), _) => problems.push(
            Problem::error(ProblemCode::NotFound, "provinceCode", "No province has this code.")
                .hint("Two digits, as the Ministry of Home Affairs numbers them: provinces { code name }."),
        ),
        (Some(Some(province)), Some((year, Some(last)))) if !province.exists_on(last) => problems.push(
            Problem::error(
                ProblemCode::Conflict,
                "provinceCode",
                format!("This province does not exist at the end of {year}."),
            )
            .hint("province(code: …) { predecessor { code } successors { code } } says which one does."),
        ),
        _ => {}
    }
    match known {
        Some(year) if !refuses(&problems) => Ok(year),
        _ => Err(problems),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_of_the_year_applies_or_else_the_next_one() {
        let target = |id, year, province| Target { id, year, active: 1, province };
        let all = [target(1, 2017, None), target(2, 2015, None), target(3, 2016, Some(16))];
        let found =
            |day: &str, province| applying(&all, province, day.parse().unwrap()).map(|target| target.id);
        assert_eq!(found("2014-10-02", None), Some(2));
        assert_eq!(found("2015-12-31", None), Some(2));
        assert_eq!(found("2016-01-01", None), Some(1));
        assert_eq!(found("2018-01-01", None), None);
        assert_eq!((found("2014-10-02", Some(16)), found("2014-10-02", Some(15))), (Some(3), None));
    }

    #[test]
    fn a_target_has_a_positive_number_and_a_year_of_its_province() {
        let paths = |year, active, province| -> Vec<String> {
            let problems = judge(year, active, province).err().unwrap_or_default();
            problems.into_iter().map(|problem| problem.path.join(".")).collect()
        };
        assert_eq!(judge(2015, 20_000_000, None), Ok(2015));
        assert_eq!(paths(1999, 0, Some(None)), ["year", "active", "provinceCode"]);
        assert_eq!(paths(70_000, MAXIMUM + 1, None), ["year", "active"]);
        let too_many = judge(2015, i32::MAX, None).unwrap_err();
        assert!(too_many[0].message.contains("at most 300,000,000 people"), "{}", too_many[0].message);
        let highland = Province {
            id: 95,
            code: "95".to_owned(),
            iso_code: "ID-PE".to_owned(),
            valid_from: "2022-11-11".parse().ok(),
            valid_until: None,
            predecessor: Some(91),
            editions: Vec::new(),
        };
        assert_eq!(paths(2021, 5, Some(Some(&highland))), ["provinceCode"]);
        assert_eq!(judge(2022, 5, Some(Some(&highland))), Ok(2022));
    }
}
