//! Kinds of rosters: the columns that a roster needs follow from the segment and the category of its people.

use crate::enrollment::{Payer, Terms};
use crate::vocabulary::{CivilServantCategory, EmployerKind, Segment};

/// The kind of a roster: the segment of its people and, of the staff of a government, their category.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RosterKind {
    /// Segment.
    pub segment: Segment,
    /// Category of government staff; `None` for other people.
    pub category: Option<CivilServantCategory>,
}

impl RosterKind {
    /// A roster of civil servants.
    pub const CIVIL_SERVANTS: Self =
        Self { segment: Segment::WageEarner, category: Some(CivilServantCategory::Pns) };

    /// Returns the segment of a roster whose sender names none: members of an association are self-employed, other people
    /// earn a wage.
    pub fn default_segment(has_association: bool) -> Segment {
        if has_association { Segment::SelfEmployed } else { Segment::WageEarner }
    }

    /// Returns the category of a roster: the one that was named, or PNS for the wage earners of a government.
    pub fn category(
        named: Option<CivilServantCategory>,
        segment: Segment,
        employer: Option<&Payer>,
    ) -> Option<CivilServantCategory> {
        let is_government = employer.is_some_and(|employer| employer.kind == EmployerKind::Government);
        named.or((is_government && segment == Segment::WageEarner).then_some(CivilServantCategory::Pns))
    }

    /// Returns the kind that a template is for: civil servants, unless it is asked for by segment or category. `None` if a
    /// category is named in a segment that has none.
    pub fn of_template(segment: Option<Segment>, category: Option<CivilServantCategory>) -> Option<Self> {
        match (segment, category) {
            (None, None) => Some(Self::CIVIL_SERVANTS),
            (None | Some(Segment::WageEarner), category @ Some(_)) => {
                Some(Self { segment: Segment::WageEarner, category })
            }
            (Some(segment), None) => Some(Self { segment, category: None }),
            (Some(_), Some(_)) => None,
        }
    }

    /// Returns whether each row needs a service number (NIP).
    pub fn needs_service_number(self) -> bool {
        self.category.is_some_and(|category| category != CivilServantCategory::NonAsn)
    }

    /// Returns whether each row needs a wage. Rosters of government staff may come without one, as they always could.
    pub fn needs_wage(self) -> bool {
        self.segment == Segment::WageEarner && self.category.is_none()
    }

    /// Returns whether rows have the particulars of government staff: service number, work unit and grade.
    pub fn is_of_government(self) -> bool {
        self.category.is_some()
    }
}

impl Terms<'_> {
    /// Returns the kind of a roster of these people.
    pub fn roster_kind(&self) -> RosterKind {
        RosterKind { segment: self.segment, category: self.civil_servants }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CivilServantCategory::{Cpns, NonAsn, Pns, Pppk};

    fn employer(kind: EmployerKind) -> Payer {
        Payer { id: 1, kind, closed_on: None }
    }

    #[test]
    fn the_columns_follow_from_segment_and_category() {
        let kind = |segment, category| RosterKind { segment, category };
        for category in [Pns, Cpns, Pppk] {
            let servants = kind(Segment::WageEarner, Some(category));
            assert_eq!((servants.needs_service_number(), servants.needs_wage()), (true, false));
        }
        for (kind, needs_wage) in [
            (kind(Segment::WageEarner, Some(NonAsn)), false),
            (kind(Segment::WageEarner, None), true),
            (kind(Segment::SelfEmployed, None), false),
            (kind(Segment::Construction, None), false),
            (kind(Segment::MigrantWorker, None), false),
        ] {
            assert_eq!((kind.needs_service_number(), kind.needs_wage()), (false, needs_wage), "{kind:?}");
        }
    }

    #[test]
    fn a_template_is_for_civil_servants_unless_it_is_asked_for_by_segment_or_category() {
        let kind = |segment, category| Some(RosterKind { segment, category });
        assert_eq!(RosterKind::of_template(None, None), kind(Segment::WageEarner, Some(Pns)));
        assert_eq!(RosterKind::of_template(None, Some(NonAsn)), kind(Segment::WageEarner, Some(NonAsn)));
        let wage_earners = Some(Segment::WageEarner);
        assert_eq!(RosterKind::of_template(wage_earners, Some(Cpns)), kind(Segment::WageEarner, Some(Cpns)));
        assert_eq!(RosterKind::of_template(wage_earners, None), kind(Segment::WageEarner, None));
        assert_eq!(RosterKind::of_template(Some(Segment::SelfEmployed), Some(Pns)), None);
    }

    #[test]
    fn only_wage_earners_of_a_government_have_a_category_unless_it_is_named() {
        let (government, company) = (employer(EmployerKind::Government), employer(EmployerKind::Company));
        let category = |named, segment, employer| RosterKind::category(named, segment, employer);
        assert_eq!(category(None, Segment::WageEarner, Some(&government)), Some(Pns));
        assert_eq!(category(Some(NonAsn), Segment::WageEarner, Some(&government)), Some(NonAsn));
        assert_eq!(category(None, Segment::Construction, Some(&government)), None);
        assert_eq!(category(None, Segment::WageEarner, Some(&company)), None);
        assert_eq!(category(None, Segment::SelfEmployed, None), None);
        // Named where there is none: the terms refuse it.
        assert_eq!(category(Some(Pns), Segment::WageEarner, Some(&company)), Some(Pns));
    }
}
