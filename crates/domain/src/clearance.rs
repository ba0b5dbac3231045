//! May this company have its licence?
//!
//! Government Regulation 86/2013 lets the state refuse public services to an employer that does not register its
//! workers; the agency wants more, licences for participants alone; and a province found firms that register only half.
//! What exactly refuses a licence, and from which share on, are rules with dates: see [`ClearanceRule`].

mod certificate;

use std::collections::BTreeSet;

use chrono::NaiveDate;

pub use self::certificate::CertificateNumber;
use super::language::Language;
pub use super::rule::ClearanceRule;
use super::rule::{Citation, Rulebook};
use super::timeline::Timeline;
pub use super::vocabulary::ClearanceGround;
use super::vocabulary::{EmployerKind, EnrollmentStatus, Segment};

closed_list! {
    /// What is said to the desk.
    LicenceDecision {
        /// Nothing stands against the licence: workers are registered, and none of them is in arrears.
        Clear = "CLEAR",
        /// A new company, which has no workers yet.
        ClearNoWorkersYet = "CLEAR_NO_WORKERS_YET",
        /// The company is not known, or has registered nobody.
        NotRegistered = "NOT_REGISTERED",
        /// Only a part of its workers is registered.
        PartialWorkers = "PARTIAL_WORKERS",
        /// Contributions are due for longer than the grace allows, for workers or for some who have left.
        Arrears = "ARREARS",
    }
}

impl LicenceDecision {
    /// May the licence be given?
    pub const fn clears(self) -> bool {
        matches!(self, Self::Clear | Self::ClearNoWorkersYet)
    }

    /// May the answer tell the company's name and what it declares? An unknown company has neither, and one that
    /// registered nobody is answered alike.
    pub const fn tells_the_company(self) -> bool {
        !matches!(self, Self::NotRegistered)
    }
}

impl ClearanceGround {
    const fn decision(self) -> LicenceDecision {
        match self {
            Self::Cleared | Self::StateBody => LicenceDecision::Clear,
            Self::NoWorkersYet => LicenceDecision::ClearNoWorkersYet,
            Self::NotRegistered => LicenceDecision::NotRegistered,
            Self::PartialWorkers => LicenceDecision::PartialWorkers,
            Self::Arrears => LicenceDecision::Arrears,
        }
    }
}

/// A company as it stood on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Company {
    /// What kind of employer it is.
    pub kind: EmployerKind,
    /// Workers that it says it has, by what had been declared by that day, or first.
    pub declared: Option<i32>,
    /// As of which day it said so; `None`: it is not known, or never said so.
    pub declared_on: Option<NaiveDate>,
    /// Those whom it has registered.
    pub workers: Workers,
}

/// The workers of a company on a day, each counted once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workers {
    /// Enrolled.
    pub registered: i64,
    /// Of these, paid for within the grace.
    pub active: i64,
    /// Of these, not paid for, longer than the grace allows.
    pub in_arrears: i64,
    /// The last day that is paid for, for anybody of them.
    pub paid_through: Option<NaiveDate>,
    /// Who has left, and was in arrears on the last day. Ending an enrollment pays nothing.
    pub left_in_arrears: i64,
    /// The first day without the one who left last; `None`: nobody who held for a day ever left.
    pub last_left_on: Option<NaiveDate>,
    /// The segments of those in arrears, also of those who have left.
    pub segments_in_arrears: BTreeSet<Segment>,
    /// The segments of those who are registered and not active, within the grace.
    pub segments_in_grace: BTreeSet<Segment>,
}

impl Workers {
    /// Adds so many people who have or had these enrollments at the company, which began by that day. Those that never
    /// held for a day are nothing.
    pub fn add(&mut self, held: &mut [(Segment, Timeline)], people: i64, day: NaiveDate, rules: &Rulebook) {
        let mut is_active = false;
        let (mut open, mut late, mut owed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for at in 0..held.len() {
            let (segment, timeline) = &mut held[at];
            let segment = *segment;
            match timeline.ends_on.filter(|&ends_on| ends_on <= day) {
                None => {
                    // Whether it has lapsed is judged by the day alone, not by whether somebody has looked since.
                    timeline.settle(day, segment, rules);
                    open.insert(segment);
                    is_active |= timeline.status_on(day, segment, rules) == Some(EnrollmentStatus::Active);
                    if timeline.is_in_arrears_on(day, segment, rules) {
                        late.insert(segment);
                    }
                    let paid = timeline.paid.through_as_of(day.max(timeline.starts_on));
                    self.paid_through = self.paid_through.max(paid);
                }
                Some(ends_on) if timeline.starts_on < ends_on => {
                    self.last_left_on = self.last_left_on.max(Some(ends_on));
                    if left_in_arrears(held, at, ends_on, rules) {
                        owed.insert(segment);
                    }
                }
                Some(_) => {}
            }
        }
        if !open.is_empty() {
            self.registered += people;
        }
        if is_active {
            self.active += people;
        } else if late.is_empty() {
            self.segments_in_grace.append(&mut open);
        } else {
            self.in_arrears += people;
            self.segments_in_arrears.append(&mut late);
        }
        if !owed.is_empty() {
            self.left_in_arrears += people;
            self.segments_in_arrears.append(&mut owed);
        }
    }
}

/// Was it in arrears on its last day, and the person active by no other enrollment there?
fn left_in_arrears(held: &[(Segment, Timeline)], at: usize, ends_on: NaiveDate, rules: &Rulebook) -> bool {
    let last = ends_on.pred_opt().unwrap_or(ends_on);
    let on_the_last_day = |(segment, timeline): &(Segment, Timeline)| {
        let mut timeline = timeline.clone();
        timeline.settle(last, *segment, rules);
        (*segment, timeline)
    };
    let (segment, timeline) = on_the_last_day(&held[at]);
    timeline.is_in_arrears_on(last, segment, rules)
        && !held.iter().map(on_the_last_day).any(|(segment, timeline)| {
            timeline.status_on(last, segment, rules) == Some(EnrollmentStatus::Active)
        })
}

/// What is answered, and by which rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The decision: that of the first ground.
    pub decision: LicenceDecision,
    /// The licence that was asked for, and the rule behind each ground.
    pub reasons: Vec<Citation>,
    /// Days for which the answer holds.
    pub valid_days: i64,
}

impl Rulebook {
    /// The licence of a code, as desks write it. `None`: none of this code on that day.
    pub fn licence(&self, code: &str, day: NaiveDate) -> Option<&Citation> {
        let code = code.trim().to_ascii_uppercase();
        self.licences.iter().find(|licence| licence.code == code && licence.period.holds_on(day))
    }

    /// May a company have a licence? `None` as the company: it is not known. `None` as the answer: no rule spoke of
    /// licences on that day.
    pub fn judge_licence(
        &self,
        company: Option<&Company>,
        licence: &Citation,
        day: NaiveDate,
    ) -> Option<Verdict> {
        let rule = |ground| self.clearance_rule(ground, day);
        let cleared = rule(ClearanceGround::Cleared)?;
        let grounds = self.grounds(company, day);
        let rules = grounds.iter().filter_map(|&ground| rule(ground));
        let valid_days = rules.clone().map(|rule| rule.valid_days).min();
        let graces = self.graces_behind(company, &grounds, day);
        let reasons = std::iter::once(licence).chain(rules.map(|rule| &rule.citation)).chain(graces);
        Some(Verdict {
            decision: grounds[0].decision(),
            reasons: reasons.cloned().collect(),
            valid_days: valid_days.unwrap_or(cleared.valid_days),
        })
    }

    /// The graces that a decision rests on: those that are over for whom contributions are due, and, where nobody is
    /// active yet, those that let a company be cleared before anything was paid.
    fn graces_behind(
        &self,
        company: Option<&Company>,
        grounds: &[ClearanceGround],
        day: NaiveDate,
    ) -> Vec<&Citation> {
        let Some(Company { workers, .. }) = company else { return Vec::new() };
        let segments = match grounds[0] {
            ClearanceGround::Cleared if workers.active == 0 => Some(&workers.segments_in_grace),
            _ => grounds.contains(&ClearanceGround::Arrears).then_some(&workers.segments_in_arrears),
        };
        let grace = |&segment: &Segment| self.grace(segment, day).map(|grace| &grace.citation);
        segments.into_iter().flatten().filter_map(grace).collect()
    }

    /// At least one, the one that decides first.
    fn grounds(&self, company: Option<&Company>, day: NaiveDate) -> Vec<ClearanceGround> {
        use ClearanceGround::{Arrears, Cleared, NoWorkersYet, NotRegistered, PartialWorkers, StateBody};
        let rule = |ground| self.clearance_rule(ground, day);
        let Some(Company { kind, declared, declared_on, workers }) = company else {
            return vec![NotRegistered];
        };
        let declared = i64::from(declared.unwrap_or_default());
        if *kind == EmployerKind::Government && rule(StateBody).is_some() {
            return vec![StateBody];
        }
        // Who left in arrears is one of those whom the company has to answer for.
        let (late, all) =
            (workers.in_arrears + workers.left_in_arrears, workers.registered + workers.left_in_arrears);
        let is_late =
            rule(Arrears).is_some_and(|rule| late.saturating_mul(100) > all.saturating_mul(rule.percent));
        if workers.registered == 0 {
            let may_have_none = declared == 0 && rule(NoWorkersYet).is_some();
            // What has had workers is not new. That it has none any more, and not only none registered, is for it to
            // declare, after the last one left.
            let nobody = match workers.last_left_on {
                None if may_have_none => NoWorkersYet,
                Some(left) if may_have_none && declared_on.is_some_and(|on| left <= on) => Cleared,
                _ => NotRegistered,
            };
            return match (is_late, nobody) {
                (true, NotRegistered) => vec![Arrears, NotRegistered],
                (true, _) => vec![Arrears],
                (false, nobody) => vec![nobody],
            };
        }
        let is_partial = rule(PartialWorkers)
            .is_some_and(|rule| workers.registered.saturating_mul(100) < declared * rule.percent);
        let mut grounds: Vec<_> = [(is_partial, PartialWorkers), (is_late, Arrears)]
            .into_iter()
            .filter(|g| g.0)
            .map(|g| g.1)
            .collect();
        if grounds.is_empty() {
            grounds.push(Cleared);
        }
        grounds
    }

    fn clearance_rule(&self, ground: ClearanceGround, day: NaiveDate) -> Option<&ClearanceRule> {
        self.clearances.iter().find(|rule| rule.ground == ground && rule.citation.period.holds_on(day))
    }
}

/// What the company can do next, in words.
pub fn next_step(decision: LicenceDecision, company: Option<&Company>, language: Language) -> String {
    let workers = company.map(|company| company.workers.clone()).unwrap_or_default();
    let declared = company.and_then(|company| company.declared).unwrap_or_default();
    let registered = workers.registered;
    match (decision, language) {
        (LicenceDecision::Clear, language) => once_cleared(company, language),
        (LicenceDecision::ClearNoWorkersYet, Language::English) => {
            "The licence may be given. The company registers its workers, and declares how many it has, when it takes on \
             the first."
                .to_owned()
        }
        (LicenceDecision::ClearNoWorkersYet, Language::Indonesian) => {
            "Izin dapat diberikan. Perusahaan mendaftarkan pekerjanya dan melaporkan jumlahnya saat pekerja pertama \
             diterima."
                .to_owned()
        }
        (LicenceDecision::NotRegistered, Language::English) => {
            "The company registers itself and its workers at a branch of the agency, or online; if it has none, or none \
             any more, it declares that there. Was the number typed correctly?"
                .to_owned()
        }
        (LicenceDecision::NotRegistered, Language::Indonesian) => {
            "Perusahaan mendaftarkan diri dan pekerjanya di kantor cabang atau secara daring; jika tidak atau tidak lagi \
             mempunyai pekerja, perusahaan melaporkannya di sana. Apakah nomornya sudah benar?"
                .to_owned()
        }
        (LicenceDecision::PartialWorkers, Language::English) => format!(
            "The company registers the rest of its workers: {registered} of the {declared} that it declared are registered. \
             If it has fewer by now, it declares how many, at a branch of the agency or online."
        ),
        (LicenceDecision::PartialWorkers, Language::Indonesian) => format!(
            "Perusahaan mendaftarkan sisa pekerjanya: {registered} dari {declared} pekerja yang dilaporkan sudah terdaftar. \
             Jika jumlahnya kini lebih sedikit, perusahaan melaporkan jumlah itu di kantor cabang atau secara daring."
        ),
        (LicenceDecision::Arrears, language) => how_to_pay(&workers, language),
    }
}

/// The licence may be given; what is still missing is said all the same.
fn once_cleared(company: Option<&Company>, language: Language) -> String {
    let is_private = company.is_some_and(|company| company.kind != EmployerKind::Government);
    let Workers { registered, active, .. } =
        company.map(|company| company.workers.clone()).unwrap_or_default();
    let has_not_said = is_private && company.is_some_and(|company| company.declared.is_none());
    let (nothing, given, unpaid, unsaid, none) = match language {
        Language::English => (
            "Nothing: the licence may be given.",
            "The licence may be given.",
            "No contribution is paid for any of the workers yet: the company pays before their grace is over.",
            "The company has not declared how many workers it has: it does so at a branch of the agency, or online.",
            "The company has declared that it has no workers any more: it registers them, and declares how many it has, \
             when it takes on the next.",
        ),
        Language::Indonesian => (
            "Tidak ada: izin dapat diberikan.",
            "Izin dapat diberikan.",
            "Iuran belum dibayar untuk satu pekerja pun: perusahaan membayarnya sebelum masa tenggang berakhir.",
            "Perusahaan belum melaporkan jumlah pekerjanya: laporkan di kantor cabang atau secara daring.",
            "Perusahaan telah melaporkan bahwa tidak ada pekerja lagi: perusahaan mendaftarkan mereka dan melaporkan \
             jumlahnya saat pekerja berikutnya diterima.",
        ),
    };
    let parts = [
        (is_private && registered > 0 && active == 0).then_some(unpaid),
        (has_not_said && registered > 0).then_some(unsaid),
        (is_private && registered == 0).then_some(none),
    ];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    if parts.is_empty() { nothing.to_owned() } else { format!("{given} {}", parts.join(" ")) }
}

/// For whom contributions are due: those who are registered, those who have left, or both.
fn how_to_pay(workers: &Workers, language: Language) -> String {
    let Workers { registered, in_arrears, left_in_arrears, .. } = workers;
    let (here, left) = match language {
        Language::English => (
            format!(
                "The company pays the contributions that are due for {in_arrears} of its {registered} registered workers, \
                 or reports the day on which they left."
            ),
            format!(
                "The company pays the contributions that are due for {left_in_arrears} of its workers who have left, up to \
                 the month of their last day."
            ),
        ),
        Language::Indonesian => (
            format!(
                "Perusahaan melunasi iuran {in_arrears} dari {registered} pekerjanya yang terdaftar, atau melaporkan tanggal \
                 mereka keluar."
            ),
            format!(
                "Perusahaan melunasi iuran {left_in_arrears} pekerja yang sudah keluar, sampai bulan hari kerja terakhirnya."
            ),
        ),
    };
    let parts = [(*in_arrears > 0).then_some(here), (*left_in_arrears > 0).then_some(left)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
