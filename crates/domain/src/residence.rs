//! The province in which a person lives, on each day, and the rules for a move.
//!
//! A move counts from its day on. A province that was wrong from the start is [corrected](crate::correction) instead.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::day;
use super::problem::{Problem, ProblemCode};
use super::province::Province;

/// The provinces of a person, by internal id, each with the day from which the person lives there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Residence {
    first: i16,
    moves: BTreeMap<NaiveDate, i16>,
}

impl From<i16> for Residence {
    /// Makes the residence of somebody who has never moved.
    fn from(province: i16) -> Self {
        Self { first: province, moves: BTreeMap::new() }
    }
}

impl Residence {
    /// Decodes a residence from its columns in the database: the province of today, and each former one with the day
    /// on which the person moved away from there.
    pub fn from_columns(province: i16, former: Option<&[i16]>, moved_on: Option<&[NaiveDate]>) -> Self {
        let (former, moved_on) = (former.unwrap_or_default(), moved_on.unwrap_or_default());
        let destinations = former.iter().skip(1).copied().chain([province]);
        let first = former.first().copied().unwrap_or(province);
        Self { first, moves: moved_on.iter().copied().zip(destinations).collect() }
    }

    /// Returns the former provinces and the days of the moves, as they are stored beside the province of today.
    pub fn columns(&self) -> (Vec<i16>, Vec<NaiveDate>) {
        let provinces = [self.first].into_iter().chain(self.moves.values().copied());
        (provinces.take(self.moves.len()).collect(), self.moves.keys().copied().collect())
    }

    /// Returns the province after the last move.
    pub fn current(&self) -> i16 {
        self.moves.values().next_back().copied().unwrap_or(self.first)
    }

    /// Returns the province on a day.
    pub fn on(&self, day: NaiveDate) -> i16 {
        self.moves.range(..=day).next_back().map_or(self.first, |(_, &province)| province)
    }

    /// Returns the days of the moves, in order.
    pub fn moved_on(&self) -> impl Iterator<Item = NaiveDate> + '_ {
        self.moves.keys().copied()
    }

    /// Records a move on a day; later moves stay. Returns the province on that day before the change.
    pub fn change(&mut self, day: NaiveDate, province: i16) -> i16 {
        let before = self.on(day);
        self.moves.insert(day, province);
        before
    }
}

/// Checks the day of a move, as far as it does not depend on the person.
pub fn judge_move_form(on: NaiveDate, province: Option<&Province>, today: NaiveDate) -> Vec<Problem> {
    let mut problems: Vec<Problem> = day::problem_of(on, "on", today).into_iter().collect();
    if let Some(province) = province.filter(|province| problems.is_empty() && !province.exists_on(on)) {
        let message = format!("The province {} does not exist on {on}.", province.code);
        let problem = Problem::error(ProblemCode::NotEligible, "provinceCode", message);
        problems.push(match (province.valid_from, province.valid_until) {
            (Some(from), _) if on < from => problem.hint(format!("It exists since {from}.")),
            (_, Some(until)) => problem.hint(format!("It existed until {until}.")),
            _ => problem,
        });
    }
    problems
}

/// Checks a move of a person who counts from a day on.
pub fn judge_move(
    residence: &Residence,
    (on, province): (NaiveDate, i16),
    (counts_from, deceased_on): (Option<NaiveDate>, Option<NaiveDate>),
) -> Option<Problem> {
    let refuse = |message: String| Problem::error(ProblemCode::OutOfRange, "on", message);
    if let Some(first) = counts_from.filter(|&first| on <= first) {
        let problem = refuse(format!("The person is registered since {first}. A move is on a later day."));
        return Some(problem.hint("If the province was wrong from the start, use correctParticipant."));
    }
    if let Some(died) = deceased_on.filter(|&died| died <= on) {
        return Some(refuse(format!("The person died on {died}.")));
    }
    (residence.on(on) == province).then(|| {
        let message = "The person lives in this province on this day already. Nothing was changed.";
        Problem::error(ProblemCode::Conflict, "provinceCode", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_person_lives_in_a_province_until_the_next_move() {
        let mut residence = Residence::from(16);
        assert_eq!((residence.current(), residence.columns()), (16, (vec![], vec![])));
        assert_eq!(residence.change(day("2014-10-01"), 31), 16);
        assert_eq!(residence.change(day("2014-08-01"), 15), 16, "recorded later, for an earlier day");
        let on = |text| residence.on(day(text));
        assert_eq!(
            [on("2014-07-31"), on("2014-08-01"), on("2014-09-30"), on("2014-10-01")],
            [16, 15, 15, 31]
        );
        assert_eq!(residence.current(), 31);
        let (former, moved_on) = residence.columns();
        assert_eq!(former, [16, 15]);
        assert_eq!(Residence::from_columns(31, Some(&former), Some(&moved_on)), residence);
        assert_eq!(Residence::from_columns(16, None, None), Residence::from(16));
        assert_eq!(residence.change(day("2014-10-01"), 32), 31, "the last word for one day counts");
        assert_eq!((residence.current(), residence.columns().0), (32, vec![16, 15]));
    }

    fn province(valid_from: Option<&str>, valid_until: Option<&str>) -> Province {
        Province {
            id: 65,
            code: "65".into(),
            iso_code: "ID-KU".into(),
            valid_from: valid_from.map(day),
            valid_until: valid_until.map(day),
            predecessor: None,
            editions: Vec::new(),
        }
    }

    #[test]
    fn a_move_goes_into_a_province_of_that_day_and_not_into_the_future() {
        let form = |on: &str, province: &Province| {
            let problems = judge_move_form(day(on), Some(province), day("2014-10-02"));
            problems.into_iter().map(|problem| (problem.code, problem.path.join("."))).collect::<Vec<_>>()
        };
        let at = |code, path: &str| vec![(code, path.to_owned())];
        let young = province(Some("2012-11-16"), None);
        assert_eq!(form("2012-11-15", &young), at(ProblemCode::NotEligible, "provinceCode"));
        assert_eq!(form("2012-11-16", &young), []);
        assert_eq!(form("2014-10-03", &young), at(ProblemCode::OutOfRange, "on"));
        let gone = province(None, Some("1999-10-19"));
        assert_eq!(form("1999-10-19", &gone), []);
        assert_eq!(form("1999-10-20", &gone), at(ProblemCode::NotEligible, "provinceCode"));
    }

    #[test]
    fn a_move_is_after_the_first_day_and_within_the_life_and_changes_something() {
        let judged = |on: &str, province, died: Option<&str>| {
            let person = (Some(day("2014-01-01")), died.map(day));
            let problem = judge_move(&Residence::from(16), (day(on), province), person);
            problem.map(|problem| (problem.code, problem.path.join(".")))
        };
        let at = |code, path: &str| Some((code, path.to_owned()));
        assert_eq!(judged("2014-01-01", 31, None), at(ProblemCode::OutOfRange, "on"));
        assert_eq!(judged("2014-01-02", 31, None), None);
        assert_eq!(judged("2014-01-02", 16, None), at(ProblemCode::Conflict, "provinceCode"));
        assert_eq!(judged("2014-05-01", 31, Some("2014-05-01")), at(ProblemCode::OutOfRange, "on"));
        assert_eq!(judged("2014-04-30", 31, Some("2014-05-01")), None);
    }
}
