//! Channels: the offices, counters and desks through which people are enrolled.

use chrono::NaiveDate;

use super::day;
use super::problem::{Problem, ProblemCode};
use super::rule::Rulebook;
pub use super::vocabulary::ChannelKind;

/// A channel. Channels form a tree: regional office (Kanwil), branch, outlet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Internal id.
    pub id: i64,
    /// Unique code given by the agency.
    pub code: String,
    /// Name.
    pub name: String,
    /// Normalised name: lower case, without punctuation.
    pub name_key: String,
    /// Kind of channel.
    pub kind: ChannelKind,
    /// Parent channel, by internal id.
    pub parent: Option<i64>,
    /// Provinces that it serves. A regional office may serve several.
    pub provinces: Vec<i16>,
    /// Bank or body that operates it, or `None` for the agency.
    pub operator: Option<String>,
    /// First day.
    pub opened_on: Option<NaiveDate>,
    /// First day on which it is closed.
    pub closed_on: Option<NaiveDate>,
}

impl Channel {
    /// Returns whether people can be enrolled there on a day.
    pub fn is_open_on(&self, day: NaiveDate) -> bool {
        self.opened_on.is_none_or(|opened| opened <= day) && self.closed_on.is_none_or(|closed| day < closed)
    }
}

/// Reads a channel code: 2 to 32 capital letters, digits, dots and hyphens, starting with a letter or digit.
///
/// # Errors
/// `INVALID_FORMAT`.
pub fn parse_code(text: &str, field: &str) -> Result<String, Problem> {
    let code = text.trim();
    let well_formed = (2..=32).contains(&code.len())
        && code.starts_with(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit())
        && code.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-' || c == '.');
    if well_formed {
        Ok(code.to_owned())
    } else {
        Err(Problem::error(ProblemCode::InvalidFormat, field, "This is not a channel code.")
            .hint("Use 2 to 32 capital letters, digits, dots and hyphens: PLG-001."))
    }
}

/// Checks the parent of a channel: a regional office has none, a branch has a regional office or none, every other
/// kind has a regional office, a branch or none.
pub fn judge_parent(kind: ChannelKind, parent: Option<ChannelKind>) -> Option<Problem> {
    use ChannelKind::{Branch, RegionalOffice};
    let (fits, message) = match kind {
        RegionalOffice => (parent.is_none(), "A regional office cannot have a parent channel."),
        Branch => (
            matches!(parent, None | Some(RegionalOffice)),
            "The parent of a branch must be a regional office.",
        ),
        _ => (
            matches!(parent, None | Some(RegionalOffice | Branch)),
            "The parent must be a branch or a regional office.",
        ),
    };
    (!fits).then(|| Problem::error(ProblemCode::Conflict, "parentCode", message))
}

/// Maximum number of years that an opening may be recorded ahead.
const LATEST_OPENING: u32 = 1;

/// Checks the opening day of a channel: it must be plausible, not before the opening of the parent, and at a time
/// when channels of this kind existed.
pub fn judge_opening(
    on: NaiveDate,
    kind: ChannelKind,
    parent: Option<&Channel>,
    rules: &Rulebook,
    today: NaiveDate,
) -> Vec<Problem> {
    let bounds =
        day::too_early(on, "openedOn").or_else(|| day::too_late(on, "openedOn", LATEST_OPENING, today));
    let mut problems: Vec<Problem> = bounds.into_iter().collect();
    if let Some(opened) = parent.and_then(|parent| parent.opened_on).filter(|&opened| on < opened) {
        let message = format!("The parent channel opens on {opened}, after this day.");
        let problem = Problem::error(ProblemCode::Conflict, "openedOn", message);
        problems.push(problem.hint("Choose that day or a later one, or another parent channel."));
    }
    let mut of_kind = rules.channel_kinds.iter().filter(|rule| rule.0 == kind).map(|rule| &rule.1).peekable();
    if let Some(&rule) = of_kind.peek()
        && !of_kind.any(|rule| rule.period.holds_on(on))
    {
        let message = format!("Channels of the kind {kind} do not exist on {on}.");
        let hint = format!("{}, in force from {}.", rule.title, rule.period.from);
        problems.push(Problem::error(ProblemCode::NotEligible, "kind", message).hint(hint));
    }
    problems
}

/// Checks a province of a channel: the parent must serve it too.
pub fn judge_province(province: i16, parent: Option<&Channel>) -> Option<Problem> {
    parent.filter(|parent| !parent.provinces.contains(&province)).map(|_| {
        let message = "The parent channel does not serve this province.";
        let problem = Problem::error(ProblemCode::Conflict, "provinceCodes", message);
        problem.hint("Leave the province out, or choose a parent channel that serves it.")
    })
}

/// The facts that decide whether a channel may be closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelLife {
    /// First day.
    pub opened_on: Option<NaiveDate>,
    /// First day on which it is closed, if it is recorded.
    pub closed_on: Option<NaiveDate>,
    /// Day of the last enrollment there.
    pub last_enrollment_on: Option<NaiveDate>,
    /// Latest closing day of its direct children, or `None` if one of them has none.
    pub children_closed_on: Option<NaiveDate>,
    /// Number of direct children.
    pub children: i64,
}

/// Checks the closing of a channel on a day.
pub fn judge_closing(on: NaiveDate, life: &ChannelLife, today: NaiveDate) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut refuse = |field: &str, message: String, hint: &str| {
        problems.push(Problem::error(ProblemCode::Conflict, field, message).hint(hint));
    };
    if let Some(closed) = life.closed_on.filter(|closed| *closed <= today) {
        let hint = "A closed channel cannot be opened again. Open another channel under a new code.";
        refuse("code", format!("This channel has been closed since {closed}."), hint);
    }
    if let Some(opened) = life.opened_on.filter(|opened| on < *opened) {
        let hint = "Give the first day on which the channel is closed.";
        refuse("on", format!("This channel opened on {opened}, after that day."), hint);
    }
    if let Some(last) = life.last_enrollment_on.filter(|last| on <= *last) {
        let hint = format!("Close it on {} or later.", last.succ_opt().unwrap_or(last));
        refuse("on", format!("The last enrollment at this channel was on {last}."), &hint);
    }
    if life.children > 0 && life.children_closed_on.is_none_or(|closed| on < closed) {
        let hint = "Close the child channels first: channels(filterBy: {parentCode: …, open: true}).";
        refuse("code", "Child channels are still open on that day.".to_owned(), hint);
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Citation, Period};

    #[test]
    fn a_channel_closes_once_after_its_last_enrollment_and_its_children() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let today = day("2014-10-02");
        let paths = |on: &str, life: ChannelLife| -> Vec<String> {
            judge_closing(day(on), &life, today).into_iter().map(|problem| problem.path.join(".")).collect()
        };
        let open = ChannelLife { opened_on: Some(day("2014-01-01")), ..ChannelLife::default() };
        assert!(paths("2014-01-01", open).is_empty());
        assert_eq!(paths("2013-12-31", open), ["on"]);
        assert!(paths("2015-01-01", ChannelLife { closed_on: Some(day("2014-10-03")), ..open }).is_empty());
        assert_eq!(paths("2015-01-01", ChannelLife { closed_on: Some(today), ..open }), ["code"]);
        let used = ChannelLife { last_enrollment_on: Some(day("2014-09-30")), ..open };
        assert_eq!((paths("2014-09-30", used), paths("2014-10-01", used)), (vec!["on".to_owned()], vec![]));
        let parent = ChannelLife { children: 2, ..open };
        assert_eq!(paths("2014-10-02", parent), ["code"]);
        let closing = ChannelLife { children_closed_on: Some(day("2014-12-01")), ..parent };
        assert_eq!(
            (paths("2014-11-30", closing), paths("2014-12-01", closing)),
            (vec!["code".to_owned()], vec![])
        );
    }

    #[test]
    fn a_channel_opens_when_its_kind_exists_and_after_its_parent() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let title = "PERISAI".to_owned();
        let period = Period { from: day("2016-10-01"), until: None };
        let agents = (ChannelKind::Agent, Citation { code: "CHANNEL-AGENT".to_owned(), title, period });
        let rules = Rulebook { channel_kinds: vec![agents], ..Rulebook::default() };
        let parent = Channel {
            id: 1,
            code: "BR-1".to_owned(),
            name: "Cabang".to_owned(),
            name_key: "cabang".to_owned(),
            kind: ChannelKind::Branch,
            parent: None,
            provinces: vec![16],
            operator: None,
            opened_on: Some(day("2010-01-01")),
            closed_on: None,
        };
        let paths = |on: &str, kind, parent, today: &str| -> Vec<String> {
            let problems = judge_opening(day(on), kind, parent, &rules, day(today));
            problems.into_iter().map(|problem| problem.path.join(".")).collect()
        };
        let kiosk = |on, parent| paths(on, ChannelKind::Kiosk, parent, "2014-10-02");
        for (on, expected) in [
            ("0001-01-01", vec!["openedOn".to_owned()]),
            ("1945-08-17", vec![]),
            ("2015-10-02", vec![]),
            ("2015-10-03", vec!["openedOn".to_owned()]),
            ("9999-12-31", vec!["openedOn".to_owned()]),
        ] {
            assert_eq!(kiosk(on, None), expected, "{on}");
        }
        assert_eq!(kiosk("2009-12-31", Some(&parent)), ["openedOn"]);
        assert!(kiosk("2010-01-01", Some(&parent)).is_empty());
        assert_eq!(paths("2014-10-02", ChannelKind::Agent, None, "2014-10-02"), ["kind"]);
        assert!(paths("2016-10-01", ChannelKind::Agent, None, "2016-10-01").is_empty());
        assert!(judge_province(16, Some(&parent)).is_none() && judge_province(15, None).is_none());
        assert!(judge_province(15, Some(&parent)).is_some());
    }

    #[test]
    fn the_tree_has_three_levels() {
        use ChannelKind::{BankOutlet, Branch, Kiosk, RegionalOffice};
        for (kind, parent, fits) in [
            (RegionalOffice, None, true),
            (RegionalOffice, Some(RegionalOffice), false),
            (Branch, Some(RegionalOffice), true),
            (Branch, Some(Branch), false),
            (BankOutlet, Some(Branch), true),
            (BankOutlet, Some(Kiosk), false),
            (Kiosk, None, true),
        ] {
            assert_eq!(judge_parent(kind, parent).is_none(), fits, "{kind} below {parent:?}");
        }
    }

    #[test]
    fn a_code_is_capitals_digits_dots_and_hyphens() {
        for good in ["PLG-001", "KW.02", "99"] {
            assert_eq!(parse_code(good, "code").as_deref(), Ok(good));
        }
        for bad in ["", "P", "plg-001", "-PLG", "PLG 001", "PLG\0", "ÄÖ"] {
            assert_eq!(
                parse_code(bad, "code").map_err(|p| p.code),
                Err(ProblemCode::InvalidFormat),
                "{bad:?}"
            );
        }
        assert!(parse_code(&"A".repeat(33), "code").is_err());
    }
}
