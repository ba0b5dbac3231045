//! Invented people to enroll, each made from a number. Their identity numbers are unique, and use districts that neither
//! the demonstration data nor the roster of South Sumatra uses.

use chrono::{Datelike, Days, NaiveDate};
use domain::onboarding::Row;
use participant_registry::demo::{GOVERNMENT_UNIT, SOUTH_SUMATRA_GOVERNMENT};
use participant_registry::graphql::node_id::NodeId;
use serde_json::{Value, json};

/// The numbers of birthdays and serial numbers have no common factor, so that the pair is unique for nearly ten million
/// people.
const BIRTHDAYS: u64 = 10_000;
const SERIALS: u64 = 997;
/// The id of the first company: the lower ids are governments of provinces.
pub const FIRST_COMPANY: i64 = 39;

const WOMEN: [&str; 8] = ["Siti", "Ani", "Dewi", "Rina", "Fitri", "Lina", "Maya", "Ratna"];
const MEN: [&str; 8] = ["Agus", "Budi", "Eko", "Heru", "Iwan", "Joko", "Rudi", "Yudi"];
const FAMILIES: [&str; 8] = ["Rahayu", "Saputra", "Wijaya", "Hidayat", "Lubis", "Siregar", "Utama", "Yusuf"];

/// The person made from a number.
struct Person {
    number: u64,
    born: NaiveDate,
    is_woman: bool,
}

impl Person {
    fn of(number: u64) -> Self {
        const FIRST: NaiveDate = NaiveDate::from_ymd_opt(1957, 1, 1).expect("a day of the calendar");
        Self { number, born: FIRST + Days::new(number % BIRTHDAYS), is_woman: number % 2 == 1 }
    }

    /// Birthday and serial number identify the person. The districts 41 to 59 keep it apart from registered people.
    fn national_id(&self) -> String {
        let (regency, district) = (1 + self.number % 13, 41 + self.number % 19);
        let day = self.born.day() + if self.is_woman { 40 } else { 0 };
        let (month, year) = (self.born.month(), self.born.year() % 100);
        format!("16{regency:02}{district:02}{day:02}{month:02}{year:02}{:04}", self.serial())
    }

    fn service_number(&self) -> String {
        let sex = if self.is_woman { 2 } else { 1 };
        format!("{}200603{sex}{:03}", self.born.format("%Y%m%d"), self.serial())
    }

    fn serial(&self) -> u64 {
        1 + self.number % SERIALS
    }

    fn full_name(&self) -> String {
        let given = if self.is_woman { WOMEN } else { MEN };
        let at = |names: [&'static str; 8], number: u64| names[(number % 8) as usize];
        format!(
            "{} {} {}",
            at(given, self.number / 2),
            at(FAMILIES, self.number / 16),
            at(FAMILIES, self.number / 128)
        )
    }
}

/// Returns the variables of an `enrollParticipant` at one of the companies up to `last_company`.
pub fn form(number: u64, last_company: i64) -> Value {
    let person = Person::of(number);
    let companies = (last_company - FIRST_COMPANY + 1).unsigned_abs();
    let employer = FIRST_COMPANY.saturating_add_unsigned(number.wrapping_mul(7_919) % companies);
    json!({"input": {
        "idempotencyKey": format!("speed-{number:020}"),
        "nationalId": person.national_id(),
        "fullName": person.full_name(),
        "birthDate": person.born.to_string(),
        "sex": if person.is_woman { "FEMALE" } else { "MALE" },
        "provinceCode": "16",
        "segment": "WAGE_EARNER",
        "programmes": ["WORK_ACCIDENT", "DEATH"],
        "channelCode": participant_registry::demo::BRANCH,
        "employerId": NodeId::Employer(employer).encode().to_string(),
        "monthlyWage": 2_000_000,
        "startsOn": "2014-11-01",
        "firstContributionPaid": true,
    }})
}

/// Returns the variables of an `onboardCivilServants` of the people with these numbers.
pub fn roster(numbers: std::ops::Range<u64>) -> Value {
    json!({"input": {
        "idempotencyKey": format!("speed-roster-{:020}", numbers.start),
        "employerId": NodeId::Employer(SOUTH_SUMATRA_GOVERNMENT).encode().to_string(),
        "channelCode": GOVERNMENT_UNIT,
        "provinceCode": "16",
        "startsOn": "2014-11-01",
        "firstContributionPaid": true,
        "rows": numbers.map(row).collect::<Vec<Row>>(),
    }})
}

/// Returns the variables of a `startOnboarding` that needs no approval.
pub fn start() -> Value {
    json!({"input": {
        "employerId": NodeId::Employer(SOUTH_SUMATRA_GOVERNMENT).encode().to_string(),
        "channelCode": GOVERNMENT_UNIT,
        "provinceCode": "16",
        "startsOn": "2014-11-01",
        "firstContributionPaid": true,
        "fileName": "roster.csv",
        "planOnly": false,
    }})
}

/// Returns a roster file of the people with these numbers, as a personnel office exports it.
pub fn file(numbers: std::ops::Range<u64>) -> String {
    let mut text =
        "NO;NIP;NIK;NAMA;TEMPAT LAHIR;TANGGAL LAHIR;JENIS KELAMIN;UNIT KERJA;GOLONGAN;GAJI POKOK;TMT;NO HP\n"
            .to_owned();
    for (no, number) in (1..).zip(numbers) {
        let row = row(number);
        let cells = [
            Some(format!("{no}")),
            Some(row.service_number),
            Some(row.national_id),
            Some(row.full_name),
            row.birth_place,
            Some(row.birth_date),
            Some(row.sex),
            row.work_unit,
            row.grade,
            row.monthly_wage,
            row.starts_on,
            row.phone,
        ];
        text.push_str(&cells.map(Option::unwrap_or_default).join(";"));
        text.push('\n');
    }
    text
}

/// What a row of a monthly list does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    Joins,
    Leaves,
    WageChanges,
    Unchanged,
}

/// Returns a monthly list of people of a company.
pub fn list(rows: impl Iterator<Item = (u64, Listed)>) -> String {
    let mut text = "NIK;NAMA;TANGGAL LAHIR;JENIS KELAMIN;UPAH;TGL_KEJADIAN;SEBAB_NA\n".to_owned();
    for (number, listed) in rows {
        let person = Person::of(number);
        let wage = if listed == Listed::WageChanges { 2_600_000 } else { 2_500_000 };
        let leaving = if listed == Listed::Leaves { "2014-09-20;A1" } else { ";" };
        let cells = [
            person.national_id(),
            person.full_name(),
            person.born.to_string(),
            if person.is_woman { "P" } else { "L" }.to_owned(),
            wage.to_string(),
            leaving.to_owned(),
        ];
        text.push_str(&cells.join(";"));
        text.push('\n');
    }
    text
}

fn row(number: u64) -> Row {
    let person = Person::of(number);
    Row {
        national_id: person.national_id(),
        service_number: person.service_number(),
        full_name: format!("{}, S.Pd.", person.full_name()),
        birth_place: Some("Palembang".to_owned()),
        birth_date: person.born.to_string(),
        sex: if person.is_woman { "P" } else { "L" }.to_owned(),
        work_unit: Some("Dinas Pendidikan".to_owned()),
        grade: Some("III/b".to_owned()),
        monthly_wage: Some((1_900_000 + number % 9 * 42_500).to_string()),
        starts_on: Some("2014-11-01".to_owned()),
        phone: Some(format!("0812{:08}", number % 100_000_000)),
        ..Row::default()
    }
}
