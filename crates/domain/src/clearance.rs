//! Licence clearance: whether a company that registers its workers may be given a licence.
//!
//! Under Government Regulation 86/2013 the state may refuse public services to employers that do not register their
//! workers. The grounds of refusal and their thresholds are dated rules: see [`ClearanceRule`].

mod certificate;

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use chrono::NaiveDate;

pub use self::certificate::CertificateNumber;
use super::language::Language;
use super::number;
pub use super::rule::ClearanceRule;
use super::rule::{Citation, Rulebook};
use super::timeline::Timeline;
pub use super::vocabulary::ClearanceGround;
use super::vocabulary::{EmployerKind, EnrollmentStatus, Segment};

/// The answer to the licensing desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum LicenceDecision {
    /// The licence may be given: workers are registered and none is in arrears.
    Clear,
    /// The licence may be given to a new company that has no workers yet.
    ClearNoWorkersYet,
    /// The company is unknown or has registered nobody.
    NotRegistered,
    /// Only part of the declared workers are registered.
    PartialWorkers,
    /// Contributions are overdue beyond the grace period, for current or former workers.
    Arrears,
}

impl LicenceDecision {
    /// Returns whether the licence may be given.
    pub const fn clears(self) -> bool {
        matches!(self, Self::Clear | Self::ClearNoWorkersYet)
    }

    /// Returns whether the answer may include the company's name and declared headcount. For a company that registered
    /// nobody it may not, so that its answer equals that of an unknown company.
    pub const fn discloses_company(self) -> bool {
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

/// The facts about a company on a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Company {
    /// Kind of employer.
    pub kind: EmployerKind,
    /// Declared headcount: the last one declared by that day, or else the first ever.
    pub declared: Option<i32>,
    /// Day of that declaration; `None` if unknown or never declared.
    pub declared_on: Option<NaiveDate>,
    /// Its registered workers.
    pub workers: Workers,
}

/// Counts of the workers of a company on a day, each worker once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workers {
    /// Workers with an open enrollment.
    pub registered: i64,
    /// Those of them whose contributions are paid within the grace period.
    pub active: i64,
    /// Those of them whose contributions are overdue beyond the grace period.
    pub in_arrears: i64,
    /// Latest paid day, over all of them.
    pub paid_through: Option<NaiveDate>,
    /// Workers who left in arrears. The end of an enrollment does not settle its arrears.
    pub left_in_arrears: i64,
    /// End of the latest ended enrollment, or `None` if no enrollment that lasted a day has ended.
    pub last_left_on: Option<NaiveDate>,
    /// Segments of those in arrears, including those who left.
    pub segments_in_arrears: BTreeSet<Segment>,
    /// Segments of registered workers who are neither active nor beyond the grace period.
    pub segments_in_grace: BTreeSet<Segment>,
}

impl Workers {
    /// Adds `people` workers with these enrollments at the company, all of which began by that day. Enrollments that
    /// ended on their first day are ignored.
    pub fn add(&mut self, held: &mut [(Segment, Timeline)], people: i64, day: NaiveDate, rules: &Rulebook) {
        let mut is_active = false;
        let (mut open, mut late, mut owed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for at in 0..held.len() {
            let (segment, timeline) = &mut held[at];
            let segment = *segment;
            match timeline.ends_on.filter(|&ends_on| ends_on <= day) {
                None => {
                    // The day alone decides, not when the status was last updated.
                    timeline.update_lapse(day, segment, rules);
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

/// Returns whether an enrollment was in arrears on its last day while no other enrollment there was active.
fn left_in_arrears(held: &[(Segment, Timeline)], at: usize, ends_on: NaiveDate, rules: &Rulebook) -> bool {
    let last = ends_on.pred_opt().unwrap_or(ends_on);
    let on_the_last_day = |(segment, timeline): &(Segment, Timeline)| {
        let mut timeline = timeline.clone();
        timeline.update_lapse(last, *segment, rules);
        (*segment, timeline)
    };
    let (segment, timeline) = on_the_last_day(&held[at]);
    timeline.is_in_arrears_on(last, segment, rules)
        && !held.iter().map(on_the_last_day).any(|(segment, timeline)| {
            timeline.status_on(last, segment, rules) == Some(EnrollmentStatus::Active)
        })
}

/// A decision with its grounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The decision, which follows from the first ground.
    pub decision: LicenceDecision,
    /// The citation of the licence, then the rule behind each ground.
    pub reasons: Vec<Citation>,
    /// Validity of the answer, in days.
    pub valid_days: i64,
}

impl Rulebook {
    /// Returns the licence with this code, if clearance for it is possible on a day.
    pub fn licence(&self, code: &str, day: NaiveDate) -> Option<&Citation> {
        let code = code.trim().to_ascii_uppercase();
        self.licences.iter().find(|licence| licence.code == code && licence.period.holds_on(day))
    }

    /// Decides about a licence. Pass `None` for an unknown company. Returns `None` if no rule on licences was in
    /// force on that day.
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
        let graces = self.grace_citations(company, &grounds, day);
        let unpaid = self.unpaid_month_rule(day).filter(|_| grounds.contains(&ClearanceGround::Arrears));
        let unpaid = unpaid.map(|rule| &rule.citation);
        let reasons = std::iter::once(licence).chain(rules.map(|rule| &rule.citation)).chain(graces);
        let reasons = reasons.chain(unpaid);
        Some(Verdict {
            decision: grounds[0].decision(),
            reasons: reasons.cloned().collect(),
            valid_days: valid_days.unwrap_or(cleared.valid_days),
        })
    }

    /// Returns the grace rules that a decision rests on: for arrears those that are over, for a company that is cleared
    /// before its first payment those that are still running.
    fn grace_citations(
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

    /// Returns the grounds, the deciding one first. The list is never empty.
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
        // Workers who left in arrears count on both sides.
        let (late, all) =
            (workers.in_arrears + workers.left_in_arrears, workers.registered + workers.left_in_arrears);
        let is_late =
            rule(Arrears).is_some_and(|rule| late.saturating_mul(100) > all.saturating_mul(rule.percent));
        if workers.registered == 0 {
            let may_have_none = declared == 0 && rule(NoWorkersYet).is_some();
            // A company that had workers is not new. After the last one left, it must declare that it has none.
            let without_workers = match workers.last_left_on {
                None if may_have_none => NoWorkersYet,
                Some(left) if may_have_none && declared_on.is_some_and(|on| left <= on) => Cleared,
                _ => NotRegistered,
            };
            return match (is_late, without_workers) {
                (true, NotRegistered) => vec![Arrears, NotRegistered],
                (true, _) => vec![Arrears],
                (false, without_workers) => vec![without_workers],
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

/// Returns what the company can do next, as a text for people.
pub fn next_step(decision: LicenceDecision, company: Option<&Company>, language: Language) -> String {
    let workers = company.map(|company| company.workers.clone()).unwrap_or_default();
    let declared = company.and_then(|company| company.declared).unwrap_or_default();
    let count = |number: i64| number::in_language(number, language);
    let (registered, declared) = (count(workers.registered), count(declared.into()));
    let step = match (decision, language) {
        (LicenceDecision::Clear, language) => after_clearance(company, language),
        (LicenceDecision::ClearNoWorkersYet, Language::English) => {
            "The licence may be given. The company registers its workers, and declares how many it has, when it hires \
             the first one."
                .to_owned()
        }
        (LicenceDecision::ClearNoWorkersYet, Language::Indonesian) => {
            "Izin dapat diberikan. Perusahaan mendaftarkan pekerjanya dan melaporkan jumlahnya saat pekerja pertama \
             diterima."
                .to_owned()
        }
        (LicenceDecision::NotRegistered, Language::English) => {
            "Check the number. A company registers itself and its workers at a branch of the agency, or online. A company \
             without workers declares that there."
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
    };
    // A company that lacks workers and owes for others would be refused again once it has registered them.
    match how_to_pay(&workers, language) {
        pay if decision == LicenceDecision::PartialWorkers && !pay.is_empty() => format!("{step} {pay}"),
        _ => step,
    }
}

/// Describes what is still missing although the licence may be given.
fn after_clearance(company: Option<&Company>, language: Language) -> String {
    let is_private = company.is_some_and(|company| company.kind != EmployerKind::Government);
    let Workers { registered, active, .. } =
        company.map(|company| company.workers.clone()).unwrap_or_default();
    let has_not_declared = is_private && company.is_some_and(|company| company.declared.is_none());
    let (complete, given, unpaid, undeclared, no_workers) = match language {
        Language::English => (
            "Nothing is left to do: the licence may be given.",
            "The licence may be given.",
            "No contribution has been paid for any worker yet: the company pays before the grace period ends.",
            "The company has not declared how many workers it has: it declares that at a branch of the agency, or online.",
            "The company has declared that it has no workers any more: it registers its workers, and declares how many it has, \
             when it hires the next one.",
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
        (has_not_declared && registered > 0).then_some(undeclared),
        (is_private && registered == 0).then_some(no_workers),
    ];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    if parts.is_empty() { complete.to_owned() } else { format!("{given} {}", parts.join(" ")) }
}

/// Describes the workers for whom contributions are due: current ones, former ones, or both.
fn how_to_pay(workers: &Workers, language: Language) -> String {
    let count = |number: i64| number::in_language(number, language);
    let (registered, in_arrears) = (count(workers.registered), count(workers.in_arrears));
    let left_in_arrears = count(workers.left_in_arrears);
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
    let parts = [(workers.in_arrears > 0).then_some(here), (workers.left_in_arrears > 0).then_some(left)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
