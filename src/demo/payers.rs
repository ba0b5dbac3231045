//! Employers, and associations of informal workers.

use chrono::{Days, NaiveDate};

use super::atlas::{self, AREAS};
use super::copy::{RECORDED_BY, Rows};
use super::days::{day, first_day, morning_of};
use super::names;
use super::random::Random;
use super::size::DemoSize;
use super::totals::Totals;
use crate::store::keys::{Keys, NumberKind};
use domain::employer::{EmployerKind, TaxNumber};
use domain::identity::RegionCodes;
use domain::participant::Sex;

/// Internal id of the provincial government of South Sumatra, in a synthetic register of any size. It has no people:
/// its 8,000 civil servants are in a roster file.
pub const SOUTH_SUMATRA_GOVERNMENT: i64 = 1;

const SOUTH_SUMATRA: i16 = 16;
/// Average number of people per employer.
const PEOPLE_PER_EMPLOYER: u64 = 80;

/// Trades of associations: the Indonesian words in the name, and the English value of the column `trade`.
const TRADES: &[(&str, &str)] = &[
    ("Nelayan", "fishing"),
    ("Pedagang Pasar", "market trade"),
    ("Ojek", "motorcycle taxi"),
    ("Pengemudi Becak", "pedicab driving"),
    ("Petani Karet", "rubber farming"),
    ("Pengrajin Songket", "weaving"),
    ("Pemulung", "waste picking"),
    ("Pedagang Keliling", "street vending"),
    ("Penjahit", "tailoring"),
    ("Buruh Gendong", "porterage"),
    ("Sopir Angkot", "minibus driving"),
];

/// An employer without its people.
#[derive(Debug)]
struct Employer {
    name: String,
    kind: EmployerKind,
    risk_class: u8,
    area: usize,
    registered_on: NaiveDate,
    /// Whether it has a business number (NIB), as one employer in ten does.
    has_business_number: bool,
}

/// Employers by internal id, from 1.
#[derive(Debug)]
pub(super) struct Employers {
    all: Vec<Employer>,
    /// Ids by area, as in the next two fields.
    governments: Vec<i64>,
    companies: Vec<Vec<i64>>,
    households: Vec<Vec<i64>>,
}

impl Employers {
    /// Makes the employers for a register of this size: first the government of each province, South Sumatra's before
    /// the others, then a company in each province, then the rest by population.
    pub(super) fn register(size: DemoSize, provinces: &[String]) -> Self {
        let count = (size.participants / PEOPLE_PER_EMPLOYER).clamp(200, 50_000);
        let count = usize::try_from(count).expect("at most 50,000");
        let mut random = Random::new(size.seed, 1);
        let mut employers = Self {
            all: Vec::with_capacity(count),
            governments: vec![0; AREAS.len()],
            companies: vec![Vec::new(); AREAS.len()],
            households: vec![Vec::new(); AREAS.len()],
        };
        let (south_sumatra, others): (Vec<_>, Vec<_>) =
            (0..AREAS.len()).partition(|&area| AREAS[area].id == SOUTH_SUMATRA);
        for area in south_sumatra.into_iter().chain(others) {
            employers.governments[area] = employers.add(Employer {
                name: format!("Pemerintah Provinsi {} (contoh)", provinces[area]),
                kind: EmployerKind::Government,
                // Government services are in the lowest class: PP 44/2015, annex I.
                risk_class: 1,
                area,
                registered_on: day((1996, 1, 2)),
                has_business_number: false,
            });
        }
        let areas = atlas::by_weight();
        let rest = count - employers.all.len();
        for at in 0..rest {
            // Employers register in the order of their ids, in the ten years before the first person.
            let registered_on = first_day() - Days::new(3_650 * (rest - at) as u64 / rest as u64);
            if at < AREAS.len() {
                employers.add_company(&mut random, at, registered_on);
                continue;
            }
            let area = *random.pick(&areas).expect("there are provinces");
            if random.percent(90) {
                employers.add_company(&mut random, area, registered_on);
            } else {
                employers.add_household(&mut random, area, registered_on);
            }
        }
        employers
    }

    /// Returns the number of employers.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns the government of an area. South Sumatra has none here, because its people are not enrolled yet.
    pub(super) fn government(&self, area: usize) -> Option<i64> {
        Some(self.governments[area]).filter(|&id| id != SOUTH_SUMATRA_GOVERNMENT)
    }

    /// Picks an employer of an area: mostly a company, seldom a household. A few companies get most of the people.
    pub(super) fn pick(&self, random: &mut Random, area: usize) -> i64 {
        let household = random.percent(3).then(|| random.pick(&self.households[area])).flatten();
        let employer = household.or_else(|| random.pick_skewed(&self.companies[area]));
        *employer.expect("every area has a company")
    }

    /// Returns the rows of `employer`. Half of the employers declare the number of their people. The others declare
    /// more, like companies that registered only some of their workers.
    pub(super) fn rows(&self, seed: u64, keys: &Keys, totals: &Totals) -> Rows {
        let mut random = Random::new(seed, 2);
        let mut rows = Rows::default();
        for (id, employer) in (1_i64..).zip(&self.all) {
            let (name, name_key) = names::organisation(&employer.name);
            let tax_number = tax_number(id);
            let enrolled = totals.people_of_employer(id);
            let declared =
                enrolled + if random.percent(50) { enrolled * i64::from(random.below(100)) / 100 } else { 0 };
            rows.row()
                .value(id)
                .value(morning_of(employer.registered_on))
                .text(&name)
                .text(&name_key)
                .value(employer.kind)
                .bytes(&keys.index(NumberKind::TaxNumber, tax_number.as_str()))
                .bytes(&keys.seal(NumberKind::TaxNumber, tax_number.as_str()))
                // No business number begins with 9999.
                .optional(employer.has_business_number.then(|| format!("9999{id:09}")))
                .value(employer.risk_class)
                .value(AREAS[employer.area].id)
                .optional((employer.kind != EmployerKind::Government).then_some(declared))
                .value(RECORDED_BY)
                .end();
        }
        rows
    }

    fn add_company(&mut self, random: &mut Random, area: usize, registered_on: NaiveDate) {
        let town = town(random, area);
        let name = names::company(random, town);
        let id = self.add(Employer {
            name,
            kind: EmployerKind::Company,
            risk_class: random.weighted(&[(1, 35), (2, 25), (3, 20), (4, 12), (5, 8)]),
            area,
            registered_on,
            has_business_number: random.percent(10),
        });
        self.companies[area].push(id);
    }

    fn add_household(&mut self, random: &mut Random, area: usize, registered_on: NaiveDate) {
        let owner = names::person(random, Sex::Male);
        let id = self.add(Employer {
            name: format!("Usaha {owner}, {} (contoh)", town(random, area)),
            kind: EmployerKind::Individual,
            risk_class: random.weighted(&[(1, 60), (2, 30), (3, 10)]),
            area,
            registered_on,
            has_business_number: random.percent(10),
        });
        self.households[area].push(id);
    }

    fn add(&mut self, employer: Employer) -> i64 {
        self.all.push(employer);
        i64::try_from(self.all.len()).expect("at most 50,000")
    }
}

fn town(random: &mut Random, area: usize) -> &'static str {
    let (_, town) = random.pick(AREAS[area].towns).expect("every area has a town");
    town
}

/// Returns the tax number of a company, the same in a synthetic register of any size. The company is the first employer
/// after the governments of the provinces.
pub fn company_tax_number() -> String {
    tax_number(COMPANY).as_str().to_owned()
}

/// The internal id of the first company, which follows the governments.
pub const COMPANY: i64 = AREAS.len() as i64 + 1;

/// Returns a tax number that nobody has: 99 is no type of taxpayer.
fn tax_number(employer: i64) -> TaxNumber {
    let codes = RegionCodes::default();
    (0..10)
        .find_map(|check| {
            TaxNumber::parse(&format!("99{employer:06}{check}999000"), &codes, "taxNumber").ok()
        })
        .expect("one of ten check digits is right")
        .0
}

/// An association of informal workers.
#[derive(Debug)]
struct Association {
    name: String,
    trade: &'static str,
    area: usize,
}

/// Associations by internal id, from 1: about two hundred, the same in a register of any size.
#[derive(Debug)]
pub(super) struct Associations {
    all: Vec<Association>,
    of_area: Vec<Vec<i64>>,
}

impl Associations {
    /// Makes the associations: at least two in every province, and more where more people live.
    pub(super) fn register() -> Self {
        let mut associations = Self { all: Vec::new(), of_area: vec![Vec::new(); AREAS.len()] };
        for (at, area) in AREAS.iter().enumerate() {
            // Trades and towns alternate, so that no pair repeats before all were used.
            let towns = area.towns.iter().cycle();
            let places = TRADES.iter().cycle().zip(towns);
            for ((title, trade), (_, town)) in places.take(2 + area.weight as usize / 18) {
                associations.all.push(Association {
                    name: format!("Paguyuban {title} {town} (contoh)"),
                    trade,
                    area: at,
                });
                let id = i64::try_from(associations.all.len()).expect("about two hundred");
                associations.of_area[at].push(id);
            }
        }
        associations
    }

    /// Returns the number of associations.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns an association of an area.
    pub(super) fn pick(&self, random: &mut Random, area: usize) -> i64 {
        *random.pick(&self.of_area[area]).expect("every area has an association")
    }

    /// Returns the rows of `association`.
    pub(super) fn rows(&self) -> Rows {
        let mut rows = Rows::default();
        for (id, association) in (1_i64..).zip(&self.all) {
            let (name, name_key) = names::organisation(&association.name);
            rows.row()
                .value(id)
                .value(morning_of(first_day()))
                .text(&name)
                .text(&name_key)
                .text(association.trade)
                .value(AREAS[association.area].id)
                .value(RECORDED_BY)
                .end();
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn tax_numbers_differ_and_have_the_right_check_digit() {
        let numbers: BTreeSet<String> = (1..=2_000).map(|id| tax_number(id).as_str().to_owned()).collect();
        assert_eq!(numbers.len(), 2_000);
        assert!(numbers.iter().all(|number| number.starts_with("099")));
    }

    #[test]
    fn every_province_has_associations_with_names_of_their_own() {
        let associations = Associations::register();
        assert!((180..260).contains(&associations.len()), "{}", associations.len());
        assert!(associations.of_area.iter().all(|ids| !ids.is_empty()));
        let names: BTreeSet<_> = associations.all.iter().map(|association| &association.name).collect();
        assert_eq!(names.len(), associations.len());
    }
}
