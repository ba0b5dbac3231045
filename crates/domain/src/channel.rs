//! Channels: where people come in.

use chrono::NaiveDate;

use super::day;
use super::problem::{Problem, ProblemCode};
use super::rule::Rulebook;
pub use super::vocabulary::ChannelKind;

/// A place where people come in, in a tree: regional office (Kanwil) above a branch, branch above an outlet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Internal id.
    pub id: i64,
    /// The agency's own code.
    pub code: String,
    /// For people.
    pub name: String,
    /// Lower case, without punctuation.
    pub name_key: String,
    /// What kind of place it is.
    pub kind: ChannelKind,
    /// The channel above it.
    pub parent: Option<i64>,
    /// The provinces that it serves; a regional office may serve several.
    pub provinces: Vec<i16>,
    /// The bank or body that runs it; `None`: the agency.
    pub operator: Option<String>,
    /// First day.
    pub opened_on: Option<NaiveDate>,
    /// First day on which nobody can be enrolled there.
    pub closed_on: Option<NaiveDate>,
}

impl Channel {
    /// Can people be enrolled there on that day?
    pub fn is_open_on(&self, day: NaiveDate) -> bool {
        self.opened_on.is_none_or(|opened| opened <= day) && self.closed_on.is_none_or(|closed| day < closed)
    }
}

/// A channel's code: 2 to 32 capital letters, digits, dots and hyphens, a letter or digit first.
///
/// # Errors
/// `INVALID_FORMAT`, saying what a code looks like.
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

/// What is wrong with the place of a channel in the tree: a regional office stands at the top, a branch below one,
/// everything else below a regional office or a branch, or by itself.
pub fn judge_parent(kind: ChannelKind, parent: Option<ChannelKind>) -> Option<Problem> {
    use ChannelKind::{Branch, RegionalOffice};
    let (fits, message) = match kind {
        RegionalOffice => (parent.is_none(), "A regional office has no channel above it."),
        Branch => (matches!(parent, None | Some(RegionalOffice)), "A branch stands below a regional office."),
        _ => (
            matches!(parent, None | Some(RegionalOffice | Branch)),
            "It stands below a branch or a regional office.",
        ),
    };
    (!fits).then(|| Problem::error(ProblemCode::Conflict, "parentCode", message))
}

/// The longest time ahead at which an opening is recorded, in years.
const LATEST_OPENING: u32 = 1;

/// What is wrong with the day on which a channel opens: one that nobody means, one before the channel above it opens, or
/// one at which there were no channels of its kind.
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
        let message = format!("The channel above it opens on {opened}, after that day.");
        let problem = Problem::error(ProblemCode::Conflict, "openedOn", message);
        problems.push(problem.hint("It opens on that day or later, or below another channel."));
    }
    let mut of_kind = rules.channel_kinds.iter().filter(|rule| rule.0 == kind).map(|rule| &rule.1).peekable();
    if let Some(&rule) = of_kind.peek()
        && !of_kind.any(|rule| rule.period.holds_on(on))
    {
        let message = format!("There are no channels of the kind {kind} on {on}.");
        let hint = format!("{}, in force from {}.", rule.title, rule.period.from);
        problems.push(Problem::error(ProblemCode::NotEligible, "kind", message).hint(hint));
    }
    problems
}

/// What is wrong with a province that a channel serves: the channel above it, which answers for it, serves it too.
pub fn judge_province(province: i16, parent: Option<&Channel>) -> Option<Problem> {
    parent.filter(|parent| !parent.provinces.contains(&province)).map(|_| {
        let message = "The channel above it does not serve this province.";
        let problem = Problem::error(ProblemCode::Conflict, "provinceCodes", message);
        problem.hint("Leave the province out, or open the channel below one that serves it.")
    })
}

/// What stands in the way of a closing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelLife {
    /// First day.
    pub opened_on: Option<NaiveDate>,
    /// First day on which nobody can be enrolled there.
    pub closed_on: Option<NaiveDate>,
    /// The day on which it last brought somebody in.
    pub last_enrollment_on: Option<NaiveDate>,
    /// The last of the days on which the channels directly below it close; `None`: one of them stays open.
    pub children_closed_on: Option<NaiveDate>,
    /// Channels directly below it.
    pub children: i64,
}

/// What is wrong with closing a channel on a day.
pub fn judge_closing(on: NaiveDate, life: &ChannelLife, today: NaiveDate) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut refuse = |field: &str, message: String, hint: &str| {
        problems.push(Problem::error(ProblemCode::Conflict, field, message).hint(hint));
    };
    if let Some(closed) = life.closed_on.filter(|closed| *closed <= today) {
        let hint = "What is closed stays closed: open another channel under a code of its own.";
        refuse("code", format!("This channel is closed since {closed}."), hint);
    }
    if let Some(opened) = life.opened_on.filter(|opened| on < *opened) {
        let hint = "The first day on which nobody can be enrolled there.";
        refuse("on", format!("This channel opened on {opened}, after that day."), hint);
    }
    if let Some(last) = life.last_enrollment_on.filter(|last| on <= *last) {
        let hint = format!("Close it on {} or later.", last.succ_opt().unwrap_or(last));
        refuse("on", format!("This channel brought somebody in on {last}."), &hint);
    }
    if life.children > 0 && life.children_closed_on.is_none_or(|closed| on < closed) {
        let hint = "Close the channels below it first: channels(filterBy: {parentCode: …, open: true}).";
        refuse("code", "Channels below this one are open on that day.".to_owned(), hint);
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::{Citation, Period};

    #[test]
    fn a_channel_closes_once_after_its_last_enrollment_and_after_those_below_it() {
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
    fn a_channel_opens_in_its_time_and_not_before_the_one_above_it() {
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
