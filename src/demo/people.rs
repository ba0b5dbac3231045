//! Synthetic people. Each is made from the seed and the person's number alone.
//!
//! This module makes the particulars; [`super::biography`] makes the enrollments.

use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime};

use super::atlas::{self, AREAS, Area};
use super::biography::{self, Country};
use super::copy::{RECORDED_BY, Rows};
use super::days::{first_day, last_day};
use super::enrolled::Enrolled;
use super::names;
use super::random::Random;
use super::totals::Totals;
use crate::store::enrollment::paid_literal;
use crate::store::keys::{Keys, NumberKind};
use domain::event::EventKind;
use domain::participant::{ParticipantStatus, PhoneNumber, Sex};
use domain::rule::Rulebook;
use domain::standing::best_status;

/// The first random stream for people. Lower streams are for channels and payers.
const FIRST_STREAM: u64 = 1_000;
/// The first district of an invented identity number, and the number of districts. No regency has so many districts, so
/// nobody has such a number. The roster of South Sumatra does not use them either.
const DISTRICTS: (u64, u64) = (60, 40);
const SERIALS: u64 = 9_999;

/// A person with their enrollments.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) id: i64,
    pub(super) registered_at: NaiveDateTime,
    pub(super) area: usize,
    pub(super) sex: Sex,
    pub(super) birth_date: NaiveDate,
    pub(super) national_id: String,
    pub(super) full_name: String,
    pub(super) phone: Option<String>,
    /// In the order in which they were recorded; never empty.
    pub(super) enrollments: Vec<Enrolled>,
    pub(super) died_on: Option<NaiveDate>,
}

/// An iterator that makes people in the order of their ids, which is also that of their registration.
pub(super) struct People<'a> {
    country: &'a Country,
    areas: Vec<usize>,
    next: u64,
}

impl<'a> People<'a> {
    pub(super) fn of(country: &'a Country) -> Self {
        Self { country, areas: atlas::by_weight(), next: 0 }
    }

    /// Skips this many people.
    #[cfg(test)]
    pub(super) fn starting_at(self, next: u64) -> Self {
        Self { next, ..self }
    }

    fn make(&self, at: u64) -> Person {
        let country = self.country;
        let mut random = Random::new(country.seed, FIRST_STREAM + at);
        let registered_at = registration(at, country.participants, &mut random);
        let area = self.draw_area(&mut random);
        let sex = random.weighted(&[(Sex::Male, 58), (Sex::Female, 42)]);
        let birth_date = self.birth_date(at, registered_at.date(), &mut random);
        // About one in eight has moved to another province and kept the number.
        let birthplace = if random.percent(12) { self.draw_area(&mut random) } else { area };
        let (enrollments, died_on) =
            biography::invent(country, area, (registered_at, birth_date), &mut random);
        Person {
            id: i64::try_from(at + 1).expect("a synthetic register is far smaller"),
            registered_at,
            area,
            sex,
            birth_date,
            national_id: national_id(at, &AREAS[birthplace], birth_date, sex, &mut random),
            full_name: names::person(&mut random, sex),
            // No known operator uses the prefix 0840.
            phone: random.percent(60).then(|| format!("0840{:08}", random.below(100_000_000))),
            enrollments,
            died_on,
        }
    }

    fn draw_area(&self, random: &mut Random) -> usize {
        *random.pick(&self.areas).expect("there are provinces")
    }

    /// Returns the birth date of a person who is 18 to 58 years old on the day of registration, and most likely around
    /// 38. At the end of the register such a person is at most 65 and can still enroll again.
    ///
    /// The date keeps identity numbers unique. People with the same district and serial belong to different laps
    /// through all districts and serials, and each lap has birth dates of its own.
    fn birth_date(&self, at: u64, on: NaiveDate, random: &mut Random) -> NaiveDate {
        let laps = i32::try_from(self.country.participants.div_ceil(DISTRICTS.1 * SERIALS).max(1));
        let lap = i32::try_from(at / (DISTRICTS.1 * SERIALS));
        let (laps, lap) = (laps.expect("few laps"), lap.expect("few laps"));
        let age = 18 * 366 + random.below(20 * 365) + random.below(20 * 365);
        let birth_date = on - Days::new(age.into());
        let days_too_late = (birth_date.num_days_from_ce() - lap).rem_euclid(laps);
        birth_date - Days::new(days_too_late.unsigned_abs().into())
    }
}

impl Iterator for People<'_> {
    type Item = Person;

    fn next(&mut self) -> Option<Person> {
        let at = self.next;
        (at < self.country.participants).then(|| {
            self.next += 1;
            self.make(at)
        })
    }
}

/// Returns when a person was registered: on a working day, in the order of the people's numbers, with more people each
/// year.
fn registration(at: u64, of: u64, random: &mut Random) -> NaiveDateTime {
    const MORNING: NaiveTime = NaiveTime::from_hms_opt(8, 0, 0).expect("eight in the morning is a time");
    const SECONDS_OPEN: f64 = 8.0 * 3_600.0;
    let days = (last_day() - first_day()).num_days() + 1;
    let working_days = days / 7 * 5 + (days % 7).min(5);
    // Because of the square root, the same number of people takes less time each year. Each person has a slot of that
    // time and registers at a random moment in it. A square root has exactly the same bits on every machine.
    let within = (at as f64 + f64::from(random.below(1_000)) / 1_000.0) / of as f64;
    let open = within.sqrt() * working_days as f64;
    let (day, seconds) = (open.floor() as u64, (open.fract() * SECONDS_OPEN) as i64);
    let date = first_day() + Days::new(day / 5 * 7 + day % 5);
    date.and_time(MORNING) + chrono::TimeDelta::seconds(seconds)
}

fn national_id(at: u64, area: &Area, birth_date: NaiveDate, sex: Sex, random: &mut Random) -> String {
    // Neighbours in the register have distant districts and serials. The step is coprime to the number of places, so
    // each place is used once per lap.
    let place = at.wrapping_mul(7_919) % (DISTRICTS.1 * SERIALS);
    let (district, serial) = (DISTRICTS.0 + place / SERIALS, 1 + place % SERIALS);
    let (regencies, towns) = area.regencies;
    let drawn = random.below(regencies + towns);
    let regency = if drawn < regencies { 1 + drawn } else { 71 + drawn - regencies };
    let day = birth_date.day() + if sex == Sex::Female { 40 } else { 0 };
    let (month, year) = (birth_date.month(), birth_date.year() % 100);
    let province = area.id;
    format!("{province:02}{regency:02}{district:02}{day:02}{month:02}{year:02}{serial:04}")
}

/// Rows of some people, by table.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    /// How many people.
    pub(super) people: u64,
    pub(super) identifiers: Rows,
    pub(super) participants: Rows,
    pub(super) enrollments: Rows,
    pub(super) events: Rows,
}

impl Chunk {
    /// Adds a person to the rows and to the totals.
    pub(super) fn add(&mut self, person: &Person, keys: &Keys, rules: &Rulebook, totals: &mut Totals) {
        let province = AREAS[person.area].id;
        let first = person.enrollments.first().expect("a person has an enrollment");
        totals.add(&person.enrollments);
        self.people += 1;
        self.identifiers
            .row()
            .value(NumberKind::NationalId)
            .bytes(&keys.index(NumberKind::NationalId, &person.national_id))
            .value(person.id)
            .value(moment(person.registered_at))
            .end();
        self.add_participant(person, first.channel, keys);
        let first_enrollment = totals.enrollments + 1;
        for enrolled in &person.enrollments {
            totals.enrollments += 1;
            self.add_enrollment((person.id, totals.enrollments), enrolled, province, rules);
        }
        for event in events(person, first_enrollment) {
            totals.events += 1;
            self.events
                .row()
                .value(person.id)
                .value(totals.events)
                .optional(event.enrollment)
                .value(event.channel)
                .value(moment(event.recorded_at))
                .value(event.effective_on)
                .value(event.kind)
                .value(RECORDED_BY)
                .end();
        }
    }

    fn add_participant(&mut self, person: &Person, channel: i64, keys: &Keys) {
        let name = names::full_name(&person.full_name);
        let enrollments = &person.enrollments;
        let newest_open = enrollments.iter().rev().find(|enrolled| enrolled.ends_on.is_none());
        let best = best_status(enrollments.iter().map(|e| e.status)).expect("a person has an enrollment");
        let status = if person.died_on.is_some() { ParticipantStatus::Deceased } else { best };
        let phone = person.phone.as_deref().and_then(|text| PhoneNumber::parse(text, "phone").ok());
        let row = self
            .participants
            .row()
            .value(person.id)
            .value(moment(person.registered_at))
            .value(channel)
            .optional(newest_open.and_then(|enrolled| enrolled.employer))
            .optional(newest_open.and_then(|enrolled| enrolled.association))
            .value(person.birth_date)
            .value(person.sex)
            .value(status)
            .value(AREAS[person.area].id)
            .text(name.as_str())
            .text(&name.key())
            .bytes(&keys.seal(NumberKind::NationalId, &person.national_id));
        let row = match phone {
            Some(phone) => row.bytes(&keys.seal(NumberKind::Phone, phone.as_str())),
            None => row.optional(None::<i64>),
        };
        row.optional(person.died_on).end();
    }

    fn add_enrollment(&mut self, of: (i64, i64), enrolled: &Enrolled, province: i16, rules: &Rulebook) {
        let (participant, id) = of;
        let timeline = enrolled.timeline();
        self.enrollments
            .row()
            .value(participant)
            .value(id)
            .optional(enrolled.employer)
            .optional(enrolled.association)
            .value(enrolled.channel)
            .optional(enrolled.monthly_wage)
            .value(enrolled.starts_on)
            .optional(enrolled.ends_on)
            .optional(enrolled.paid_through)
            .value(enrolled.segment)
            .value(enrolled.status)
            .optional(enrolled.end_reason)
            .optional(enrolled.civil_servant)
            .value(province)
            .value(enrolled.programmes)
            .value(moment(enrolled.recorded_at))
            .optional(enrolled.work_unit)
            .value(timeline.counts_from)
            .optional(paid_literal(&timeline.paid))
            .optional(timeline.lapses_on(enrolled.segment, rules))
            .end();
    }
}

struct Event {
    enrollment: Option<i64>,
    channel: i64,
    recorded_at: NaiveDateTime,
    effective_on: NaiveDate,
    kind: EventKind,
}

/// Returns the history of a person in the order in which it was recorded. Enrollments are numbered from
/// `first_enrollment`.
fn events(person: &Person, first_enrollment: i64) -> Vec<Event> {
    let evening_of = |day: NaiveDate| day.and_hms_opt(16, 30, 0).expect("half past four is a time");
    let mut events = Vec::with_capacity(3);
    for (id, enrolled) in (first_enrollment..).zip(&person.enrollments) {
        events.push(Event {
            enrollment: Some(id),
            channel: enrolled.channel,
            recorded_at: enrolled.recorded_at,
            effective_on: enrolled.starts_on,
            kind: EventKind::Enrolled,
        });
        if let Some(ends_on) = enrolled.ends_on {
            events.push(Event {
                enrollment: Some(id),
                channel: enrolled.channel,
                recorded_at: evening_of(ends_on),
                effective_on: ends_on,
                kind: EventKind::Ended,
            });
        }
    }
    if let (Some(died_on), Some(last)) = (person.died_on, person.enrollments.last()) {
        events.push(Event {
            enrollment: None,
            channel: last.channel,
            recorded_at: evening_of(died_on),
            effective_on: died_on,
            kind: EventKind::Died,
        });
    }
    events.sort_by_key(|event| event.recorded_at);
    events
}

/// Returns a moment in the agency's time zone, as PostgreSQL reads it.
fn moment(at: NaiveDateTime) -> impl std::fmt::Display {
    /// `2014-10-01 08:00:00+07`.
    struct Moment(NaiveDateTime);
    impl std::fmt::Display for Moment {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "{}+07", self.0)
        }
    }
    Moment(at)
}
