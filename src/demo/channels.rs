//! About a thousand channels, the same in a synthetic register of any size.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::atlas::{AREAS, Area, REGIONAL_OFFICES};
use super::copy::{RECORDED_BY, Rows};
use super::days::{day, morning_of};
use super::names;
use super::random::Random;
use domain::channel::{Channel, ChannelKind};

/// Code of the personnel agency of South Sumatra, which enrolls its civil servants.
pub const GOVERNMENT_UNIT: &str = "GU-SUMSEL";
/// Code of the branch in Palembang.
pub const BRANCH: &str = "BR-PLG";
/// Code of a bank outlet in Palembang that was closed on 2014-01-01, to show a refusal.
pub const CLOSED_OUTLET: &str = "BO-PLG-099";

/// Code of the town whose branch is the parent of the government unit.
const PALEMBANG: &str = "PLG";
/// The day on which kiosks and the application for telephones were launched.
const LAUNCH: (i32, u32, u32) = (2014, 8, 21);

/// All channels, with an index by area and kind.
#[derive(Debug, Default)]
pub(super) struct Channels {
    all: Vec<Channel>,
    of_area: BTreeMap<(usize, ChannelKind), Vec<usize>>,
}

impl Channels {
    /// Makes all channels.
    pub(super) fn open() -> Self {
        let mut channels = Self::default();
        for &(code, name, provinces) in REGIONAL_OFFICES {
            let office = channels.add(ChannelKind::RegionalOffice, code, &format!("Kantor Wilayah {name}"));
            office.provinces = provinces.to_vec();
        }
        for (code, name) in [("ON-WEB", "Portal Daring (contoh)"), ("ON-APP", "Aplikasi Seluler (contoh)")] {
            let online = channels.add(ChannelKind::Online, code, name);
            online.provinces = AREAS.iter().map(|area| area.id).collect();
            online.opened_on = Some(if code == "ON-APP" { day(LAUNCH) } else { day((2012, 1, 2)) });
        }
        for area in AREAS {
            channels.open_in(area);
        }
        channels.index_by_area();
        channels
    }

    /// Returns the number of channels.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns a channel of the given kind that serves an area and is open on a day. Returns a branch if the chosen
    /// channel is not open.
    pub(super) fn pick(&self, random: &mut Random, area: usize, kind: ChannelKind, on: NaiveDate) -> i64 {
        let mut pick = |kind| {
            let at = random.pick(self.of_area.get(&(area, kind))?)?;
            self.all.get(*at).filter(|channel| channel.is_open_on(on))
        };
        pick(kind)
            .or_else(|| pick(ChannelKind::Branch))
            .expect("every area has branches, and they opened before the first person was registered")
            .id
    }

    /// Returns the rows of `channel` and of `channel_province`.
    pub(super) fn rows(&self) -> (Rows, Rows) {
        let (mut channels, mut provinces) = (Rows::default(), Rows::default());
        for channel in &self.all {
            channels
                .row()
                .value(channel.id)
                .text(&channel.code)
                .text(&channel.name)
                .text(&channel.name_key)
                .value(channel.kind)
                .optional(channel.parent)
                .optional(channel.operator.as_deref())
                .optional(channel.opened_on)
                .optional(channel.closed_on)
                .optional(channel.opened_on.map(morning_of))
                .value(RECORDED_BY)
                .end();
            for province in &channel.provinces {
                provinces.row().value(channel.id).value(province).end();
            }
        }
        (channels, provinces)
    }

    /// Adds the branches of an area and the channels below them, in numbers that follow its population.
    fn open_in(&mut self, area: &Area) {
        let mut random = Random::new(0, area.id.unsigned_abs().into());
        let office =
            self.all.iter().find(|channel| channel.provinces.contains(&area.id)).map(|channel| channel.id);
        let mut towns = Vec::new();
        for &(code, name) in area.towns {
            let branch =
                self.add(ChannelKind::Branch, &format!("BR-{code}"), &format!("Kantor Cabang {name}"));
            branch.parent = office;
            branch.provinces = vec![area.id];
            branch.opened_on = Some(random.day_of_years(1996, 2006));
            towns.push(Town { code, name, branch: branch.id, province: area.id });
        }
        for (town, number) in spread(&towns, 2 + area.weight / 5) {
            let outlet = self.add_outlet(town, number);
            outlet.opened_on = Some(random.day_of_years(2009, 2013));
            outlet.closed_on =
                random.percent(3).then(|| random.day_between(day((2014, 1, 1)), day((2014, 9, 30))));
        }
        for (town, number) in spread(&towns, 1 + area.weight / 40) {
            let kiosk = self.add_in(town, ChannelKind::Kiosk, ("KS", "Kios Elektronik"), Some(number));
            kiosk.opened_on = Some(day(LAUNCH));
        }
        for (town, number) in spread(&towns, 2 + area.weight / 20) {
            let officer =
                self.add_in(town, ChannelKind::MobileOfficer, ("MO", "Petugas Keliling"), Some(number));
            officer.opened_on = Some(random.day_of_years(2009, 2013));
        }
        if let Some(town) = towns.first() {
            let desk = self.add_in(town, ChannelKind::AssociationDesk, ("AD", "Loket Paguyuban"), None);
            desk.opened_on = Some(random.day_of_years(2008, 2012));
            let desk = self.add_in(town, ChannelKind::LicensingDesk, ("LD", "Loket PTSP"), None);
            desk.operator = Some("PTSP (contoh)".to_owned());
            desk.opened_on = Some(random.day_of_years(2012, 2013));
        }
        for town in towns.iter().filter(|town| town.code == PALEMBANG) {
            let closed = self.add_outlet(town, 99);
            closed.opened_on = Some(day((2010, 1, 4)));
            closed.closed_on = Some(day((2014, 1, 1)));
            let unit = self.add(
                ChannelKind::GovernmentUnit,
                GOVERNMENT_UNIT,
                "Badan Kepegawaian Daerah Sumatera Selatan (contoh)",
            );
            unit.parent = Some(town.branch);
            unit.provinces = vec![area.id];
            unit.operator = Some("Pemerintah Provinsi Sumatera Selatan (contoh)".to_owned());
            unit.opened_on = Some(day((2014, 9, 1)));
        }
    }

    fn add_outlet(&mut self, town: &Town, number: usize) -> &mut Channel {
        let outlet = self.add(
            ChannelKind::BankOutlet,
            &format!("BO-{}-{number:03}", town.code),
            &format!("BRI (demo) {} {number:03}", town.name),
        );
        outlet.operator = Some("BRI (demo)".to_owned());
        town.take(outlet)
    }

    fn add_in(
        &mut self,
        town: &Town,
        kind: ChannelKind,
        (prefix, title): (&str, &str),
        number: Option<usize>,
    ) -> &mut Channel {
        let code = match number {
            Some(number) => format!("{prefix}-{}-{number:02}", town.code),
            None => format!("{prefix}-{}", town.code),
        };
        let name = match number {
            Some(number) => format!("{title} {} {number:02} (contoh)", town.name),
            None => format!("{title} {} (contoh)", town.name),
        };
        town.take(self.add(kind, &code, &name))
    }

    fn add(&mut self, kind: ChannelKind, code: &str, name: &str) -> &mut Channel {
        let (name, name_key) = names::organisation(name);
        let id = i64::try_from(self.all.len() + 1).expect("there are about a thousand");
        self.all.push(Channel {
            id,
            code: code.to_owned(),
            name,
            name_key,
            kind,
            parent: None,
            provinces: Vec::new(),
            operator: None,
            opened_on: Some(day((1995, 1, 2))),
            closed_on: None,
        });
        self.all.last_mut().expect("a channel was just added")
    }

    fn index_by_area(&mut self) {
        for (at, channel) in self.all.iter().enumerate() {
            for (area, _) in AREAS.iter().enumerate().filter(|(_, area)| channel.provinces.contains(&area.id))
            {
                self.of_area.entry((area, channel.kind)).or_default().push(at);
            }
        }
    }
}

/// A town with a branch.
struct Town {
    code: &'static str,
    name: &'static str,
    branch: i64,
    province: i16,
}

impl Town {
    /// Puts a channel below the town's branch.
    fn take<'a>(&self, channel: &'a mut Channel) -> &'a mut Channel {
        channel.parent = Some(self.branch);
        channel.provinces = vec![self.province];
        channel
    }
}

/// Distributes places over the towns in turn, numbered from 1 in each town.
fn spread(towns: &[Town], places: u32) -> impl Iterator<Item = (&Town, usize)> {
    let turns = (1..).flat_map(move |number| towns.iter().map(move |town| (town, number)));
    turns.take(places as usize)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::days::first_day;
    use strum::VariantArray as _;

    use super::*;
    use domain::channel::parse_code;

    #[test]
    fn there_are_about_a_thousand_channels_with_unique_codes() {
        let channels = Channels::open();
        assert!((950..1_200).contains(&channels.len()), "{}", channels.len());
        let codes: BTreeSet<_> = channels.all.iter().map(|channel| &channel.code).collect();
        assert_eq!(codes.len(), channels.len());
        assert!(codes.iter().all(|code| parse_code(code, "code").is_ok()));
        assert!(
            [GOVERNMENT_UNIT, BRANCH, CLOSED_OUTLET].iter().all(|code| codes.contains(&(*code).to_owned()))
        );
    }

    #[test]
    fn the_parent_of_a_channel_serves_its_provinces() {
        let channels = Channels::open();
        let parent = |channel: &Channel| {
            let id = channel.parent?;
            channels.all.iter().find(|parent| parent.id == id)
        };
        for channel in &channels.all {
            match parent(channel) {
                Some(parent) => {
                    assert!(parent.id < channel.id);
                    assert!(channel.provinces.iter().all(|province| parent.provinces.contains(province)));
                }
                None => assert!(matches!(channel.kind, ChannelKind::RegionalOffice | ChannelKind::Online)),
            }
        }
    }

    #[test]
    fn a_picked_channel_is_open_and_serves_the_area() {
        let channels = Channels::open();
        let mut random = Random::new(1, 1);
        for (area, on) in (0..AREAS.len()).zip(first_day().iter_days().step_by(60)) {
            for &kind in ChannelKind::VARIANTS {
                let id = channels.pick(&mut random, area, kind, on);
                let channel = channels.all.iter().find(|channel| channel.id == id).unwrap();
                assert!(channel.is_open_on(on) && channel.provinces.contains(&AREAS[area].id));
            }
        }
    }
}
