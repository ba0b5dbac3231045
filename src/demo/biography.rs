//! The enrollments of synthetic people: payer, wage, contributions, end and death.
//!
//! About a third of the enrollments are not paid, as in the real register. Every enrollment obeys the rules in force on
//! its first day: pensions, for example, do not exist yet.

use chrono::{Datelike, NaiveDate, NaiveDateTime};

use super::channels::Channels;
use super::days::{day, last_day};
use super::enrolled::Enrolled;
use super::payers::{Associations, Employers};
use super::random::Random;
use super::size::DemoSize;
use domain::channel::ChannelKind;
use domain::day::{age_on, end_of_month};
use domain::enrollment::{CivilServantCategory, EndReason, EnrollmentStatus, Segment};

/// An enrollment younger than this number of days is registered or active.
const FRESH_DAYS: i64 = 60;
/// An enrollment older than this number of days can be in arrears: three months without a contribution.
const ARREARS_DAYS: i64 = 150;
/// The last day up to which an enrollment in arrears can be paid. By the end of September 2014 it is more than three
/// months old.
const ARREARS_SINCE: (i32, u32, u32) = (2014, 5, 31);

const WORK_UNITS: &[&str] = &[
    "Sekretariat Daerah",
    "Dinas Pendidikan",
    "Dinas Kesehatan",
    "Dinas Perhubungan",
    "Dinas Pekerjaan Umum",
    "Dinas Sosial",
    "Satuan Polisi Pamong Praja",
    "Badan Kepegawaian Daerah",
];

/// The channels and payers that synthetic people are enrolled with.
#[derive(Debug)]
pub(super) struct Country {
    pub(super) seed: u64,
    pub(super) participants: u64,
    pub(super) channels: Channels,
    pub(super) employers: Employers,
    pub(super) associations: Associations,
}

impl Country {
    /// Makes the channels, employers and associations of a register. `provinces` has the names of provinces in the
    /// order of the atlas.
    pub(super) fn of(size: DemoSize, provinces: &[String]) -> Self {
        Self {
            seed: size.seed,
            participants: size.participants,
            channels: Channels::open(),
            employers: Employers::register(size, provinces),
            associations: Associations::register(),
        }
    }
}

/// Returns the enrollments of a person, and the day of death of the few who died. The person registers at the given
/// moment and was born on the given day.
pub(super) fn invent(
    country: &Country,
    area: usize,
    (registered_at, birth_date): (NaiveDateTime, NaiveDate),
    random: &mut Random,
) -> (Vec<Enrolled>, Option<NaiveDate>) {
    let segment = random.weighted(&[
        (Segment::WageEarner, 62),
        (Segment::SelfEmployed, 24),
        (Segment::Construction, 9),
        (Segment::MigrantWorker, 5),
    ]);
    let first = enroll(country, area, segment, registered_at, random);
    let mut enrollments = vec![first];
    if random.percent(8) {
        enroll_again(country, area, &mut enrollments, random);
    }
    for enrolled in &mut enrollments {
        retire(enrolled, birth_date);
    }
    let dies = random.below(1_000) < 8;
    let died_on = if dies { die(&mut enrollments, random) } else { None };
    (enrollments, died_on)
}

/// Adds a second enrollment, with another employer or as self-employed. If the first one has ended and both are of the
/// same segment, the person was transferred.
fn enroll_again(country: &Country, area: usize, enrollments: &mut Vec<Enrolled>, random: &mut Random) {
    let [first] = enrollments.as_mut_slice() else {
        return;
    };
    let free_from = first.ends_on.unwrap_or(first.recorded_at.date()).succ_opt();
    let Some(free_from) = free_from.filter(|day| *day <= last_day()) else {
        return;
    };
    let day = random.day_between(free_from, last_day());
    let recorded_at = day.and_time(first.recorded_at.time());
    let segment = match first.segment {
        Segment::WageEarner if random.percent(60) => Segment::WageEarner,
        Segment::SelfEmployed => Segment::WageEarner,
        _ => Segment::SelfEmployed,
    };
    let mut second = enroll(country, area, segment, recorded_at, random);
    second.starts_on = second.starts_on.max(free_from);
    if (second.segment, second.employer) == (first.segment, first.employer) {
        return;
    }
    let has_moved = first.ends_on.is_some() && first.segment == second.segment;
    if has_moved {
        first.end_reason = Some(EndReason::Transferred);
    }
    enrollments.push(second);
}

/// Turns a resignation at the age of 55 or later into a retirement: from that age old-age savings are paid out.
fn retire(enrolled: &mut Enrolled, birth_date: NaiveDate) {
    let is_old = enrolled.ends_on.is_some_and(|ends_on| age_on(birth_date, ends_on) >= 55);
    if is_old && enrolled.end_reason == Some(EndReason::Resigned) {
        enrolled.end_reason = Some(EndReason::Retired);
    }
}

/// Lets a person die on a random day, and ends the open enrollments. Returns the day, or `None` if the register has no
/// day left.
fn die(enrollments: &mut [Enrolled], random: &mut Random) -> Option<NaiveDate> {
    let last_seen = enrollments.iter().map(|enrolled| {
        let recorded_on = enrolled.recorded_at.date();
        enrolled.ends_on.map_or(recorded_on, |ends_on| ends_on.max(recorded_on))
    });
    let first_day = last_seen.max()?.succ_opt().filter(|day| *day <= last_day())?;
    let died_on = random.day_between(first_day, last_day());
    for enrolled in enrollments.iter_mut().filter(|enrolled| enrolled.ends_on.is_none()) {
        enrolled.end(died_on, EndReason::Deceased);
    }
    Some(died_on)
}

fn enroll(
    country: &Country,
    area: usize,
    segment: Segment,
    recorded_at: NaiveDateTime,
    random: &mut Random,
) -> Enrolled {
    let today = recorded_at.date();
    let mut enrolled = Enrolled {
        recorded_at,
        segment,
        status: EnrollmentStatus::Registered,
        employer: None,
        association: None,
        channel: 0,
        civil_servant: None,
        work_unit: None,
        programmes: "{WORK_ACCIDENT,DEATH}",
        monthly_wage: None,
        starts_on: today,
        paid_through: None,
        ends_on: None,
        end_reason: None,
    };
    let kind = match segment {
        Segment::WageEarner => employ(country, area, &mut enrolled, random),
        Segment::SelfEmployed => employ_oneself(country, area, &mut enrolled, random),
        Segment::Construction => {
            enrolled.employer = Some(country.employers.pick(random, area));
            enrolled.monthly_wage = Some(wage(random, 1_500_000, 200));
            random.weighted(&[(ChannelKind::Branch, 85), (ChannelKind::LicensingDesk, 15)])
        }
        Segment::MigrantWorker => {
            if random.percent(20) {
                enrolled.programmes = "{WORK_ACCIDENT,DEATH,OLD_AGE}";
            }
            random.weighted(&[(ChannelKind::Branch, 80), (ChannelKind::Online, 20)])
        }
    };
    enrolled.channel = country.channels.pick(random, area, kind, today);
    derive_status(&mut enrolled, random);
    enrolled
}

/// Gives the enrollment a job: with a company or household, or with a provincial government for people who are not
/// civil servants. Returns the kind of channel.
fn employ(country: &Country, area: usize, enrolled: &mut Enrolled, random: &mut Random) -> ChannelKind {
    // Employers report a month's new people together, and late.
    enrolled.starts_on = enrolled.starts_on.with_day(1).unwrap_or(enrolled.starts_on);
    enrolled.monthly_wage = Some(wage(random, 1_400_000, 120));
    match country.employers.government(area).filter(|_| random.percent(4)) {
        Some(government) => {
            enrolled.employer = Some(government);
            enrolled.civil_servant = Some(CivilServantCategory::NonAsn);
            enrolled.work_unit = random.pick(WORK_UNITS).copied();
        }
        None => {
            enrolled.employer = Some(country.employers.pick(random, area));
            enrolled.programmes = "{WORK_ACCIDENT,DEATH,OLD_AGE}";
        }
    }
    random.weighted(&[
        (ChannelKind::Branch, 70),
        (ChannelKind::Online, 18),
        (ChannelKind::LicensingDesk, 7),
        (ChannelKind::RegionalOffice, 2),
        (ChannelKind::MobileOfficer, 3),
    ])
}

/// Makes the enrollment self-employed, with or without an association. Returns the kind of channel.
fn employ_oneself(
    country: &Country,
    area: usize,
    enrolled: &mut Enrolled,
    random: &mut Random,
) -> ChannelKind {
    enrolled.monthly_wage = Some(wage(random, 1_000_000, 100));
    if random.percent(35) {
        enrolled.programmes = "{WORK_ACCIDENT,DEATH,OLD_AGE}";
    }
    if random.percent(45) {
        enrolled.association = Some(country.associations.pick(random, area));
        return random.weighted(&[
            (ChannelKind::AssociationDesk, 40),
            (ChannelKind::BankOutlet, 35),
            (ChannelKind::MobileOfficer, 25),
        ]);
    }
    random.weighted(&[
        (ChannelKind::BankOutlet, 60),
        (ChannelKind::Kiosk, 15),
        (ChannelKind::MobileOfficer, 10),
        (ChannelKind::Branch, 10),
        (ChannelKind::Online, 5),
    ])
}

/// Decides the status at the end of September 2014.
fn derive_status(enrolled: &mut Enrolled, random: &mut Random) {
    use EnrollmentStatus::{Active, Ended, Inactive, Registered};
    let today = enrolled.recorded_at.date();
    let age = (last_day() - today).num_days();
    enrolled.status = random.weighted(match age {
        ..FRESH_DAYS => &[(Registered, 45), (Active, 55)],
        FRESH_DAYS..ARREARS_DAYS => &[(Registered, 6), (Active, 88), (Ended, 6)],
        _ => &[(Registered, 2), (Active, 66), (Inactive, 20), (Ended, 12)],
    });
    let september = day((2014, 9, 30));
    enrolled.paid_through = match enrolled.status {
        Registered => None,
        Active | Ended => Some(end_of_month(enrolled.starts_on.max(september))),
        Inactive => Some(end_of_month(random.day_between(enrolled.starts_on, day(ARREARS_SINCE)))),
    };
    if enrolled.status == Ended {
        let ends_on = random.day_between(today, september);
        let reason = match enrolled.segment {
            Segment::WageEarner => random.weighted(&[
                (EndReason::Resigned, 50),
                (EndReason::ContractEnded, 30),
                (EndReason::Dismissed, 12),
                (EndReason::EmployerClosed, 5),
                (EndReason::EnrolledInError, 2),
                (EndReason::Disabled, 1),
            ]),
            Segment::SelfEmployed => EndReason::Resigned,
            Segment::Construction => EndReason::ContractEnded,
            Segment::MigrantWorker => {
                random.weighted(&[(EndReason::ContractEnded, 80), (EndReason::MovedAbroad, 20)])
            }
        };
        enrolled.end(ends_on, reason);
    }
}

/// Returns a monthly wage in rupiah, in steps of 10,000. Most are near the minimum, a few are a multiple of it.
fn wage(random: &mut Random, minimum: i64, steps: u32) -> i64 {
    let spread = random.weighted(&[(1, 80), (4, 17), (20, 3)]);
    minimum + 10_000 * i64::from(random.below(steps * spread))
}
