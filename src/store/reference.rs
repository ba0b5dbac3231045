//! Reference data: an in-memory snapshot of provinces, channels, agreements, targets and rules.
//!
//! The data are small, rarely change, and are needed by almost every request. With the snapshot, no request queries the
//! database for them.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;

use super::agreement::{self, Agreements};
use super::clearance;
use super::error::StoreError;
use super::event::partition::DetachedEvents;
use super::money_rules;
use super::session::Session;
use super::target;
use domain::calendar::Calendar;
use domain::channel::{Channel, ChannelKind};
use domain::employer::EmployerSize;
use domain::enrollment::{CivilServantCategory, Programme, Segment};
use domain::identity::{RegionCodes, ServiceNumberRules};
use domain::province::{Province, ProvinceEdition};
use domain::rule::{
    AgeRule, Citation, CivilServantRule, CombinationRule, ContributionRule, EmployerRule, GraceRule, Period,
    ProgrammeRule, RoundingRule, Rulebook, SizeRule, WageFallRule, WageRule,
};
use domain::target::{ReportedFigure, Target};

/// A snapshot of the reference data.
#[derive(Debug, Default)]
pub struct Reference {
    provinces: Vec<Arc<Province>>,
    channels: HashMap<i64, Arc<Channel>>,
    channel_by_code: HashMap<String, i64>,
    children: HashMap<i64, Vec<i64>>,
    /// Agreements with provincial governments.
    pub agreements: Agreements,
    /// Targets of the agency.
    pub targets: Vec<Target>,
    /// Published figures, newest first.
    pub reported: Vec<ReportedFigure>,
    /// Current and past rules.
    pub rules: Rulebook,
    /// The events that the histories of people lack.
    pub detached_events: DetachedEvents,
    /// The calendar of this registry.
    pub calendar: Calendar,
}

impl Reference {
    /// Returns all provinces, current and past, by code.
    pub fn provinces(&self) -> &[Arc<Province>] {
        &self.provinces
    }

    /// Returns the province with an internal id.
    pub fn province(&self, id: i16) -> Option<&Arc<Province>> {
        self.provinces.binary_search_by_key(&id, |province| province.id).ok().map(|at| &self.provinces[at])
    }

    /// Returns the province with a code.
    pub fn province_by_code(&self, code: &str) -> Option<&Arc<Province>> {
        self.provinces.iter().find(|province| province.code == code)
    }

    /// Returns the provinces that were split off from one, by code.
    pub fn successors(&self, id: i16) -> impl Iterator<Item = &Arc<Province>> {
        self.provinces.iter().filter(move |province| province.predecessor == Some(id))
    }

    /// Returns all channels, in no order.
    pub fn channels(&self) -> impl Iterator<Item = &Arc<Channel>> {
        self.channels.values()
    }

    /// Returns the channel with an internal id.
    pub fn channel(&self, id: i64) -> Option<&Arc<Channel>> {
        self.channels.get(&id)
    }

    /// Returns the channel with a code.
    pub fn channel_by_code(&self, code: &str) -> Option<&Arc<Channel>> {
        self.channel_by_code.get(code).and_then(|id| self.channels.get(id))
    }

    /// Returns the channels directly below one.
    pub fn children(&self, id: i64) -> &[i64] {
        self.children.get(&id).map_or(&[], Vec::as_slice)
    }

    /// Returns a channel and all its descendants. There are no cycles: a parent exists before its children and never
    /// changes.
    pub fn with_descendants(&self, id: i64) -> Vec<i64> {
        let mut tree = vec![id];
        let mut next = 0;
        while let Some(&parent) = tree.get(next) {
            tree.extend(self.children(parent));
            next += 1;
        }
        tree
    }
}

/// Reads all reference data.
pub async fn load(session: &Session) -> Result<Reference, StoreError> {
    let (provinces, channels, rules) =
        tokio::try_join!(load_provinces(session), load_channels(session), load_rules(session))?;
    let (calendar, agreements, targets, reported, detached_events) = tokio::try_join!(
        load_calendar(session),
        agreement::load(session, None),
        target::load(session),
        target::load_reported(session),
        DetachedEvents::read(session)
    )?;
    let mut children: HashMap<i64, Vec<i64>> = HashMap::new();
    for channel in &channels {
        if let Some(parent) = channel.parent {
            children.entry(parent).or_default().push(channel.id);
        }
    }
    Ok(Reference {
        provinces: provinces.into_iter().map(Arc::new).collect(),
        channel_by_code: channels.iter().map(|channel| (channel.code.clone(), channel.id)).collect(),
        channels: channels.into_iter().map(|channel| (channel.id, Arc::new(channel))).collect(),
        children,
        agreements: Agreements::new(agreements),
        targets,
        reported,
        rules,
        detached_events,
        calendar,
    })
}

async fn load_calendar(session: &Session) -> Result<Calendar, StoreError> {
    let sql = "select created_at, days_behind from installation";
    let (made_at, days_behind) = sqlx::query_as(sql).fetch_one(session).await?;
    Ok(Calendar { made_at, days_behind })
}

async fn load_provinces(session: &Session) -> Result<Vec<Province>, StoreError> {
    let rows = sqlx::query!(
        "select p.id, p.code, p.iso_code, p.valid_from, p.valid_until, p.predecessor_id,
                e.name, e.name_en, e.capital, e.valid_until as edition_until
         from province p join province_edition e on e.province_id = p.id
         order by p.id, e.valid_from"
    )
    .fetch_all(session)
    .await?;
    let mut provinces: Vec<Province> = Vec::new();
    for row in rows {
        let edition = ProvinceEdition {
            name: row.name,
            name_en: row.name_en,
            capital: row.capital,
            valid_until: row.edition_until,
        };
        match provinces.last_mut().filter(|province| province.id == row.id) {
            Some(province) => province.editions.push(edition),
            None => provinces.push(Province {
                id: row.id,
                code: row.code,
                iso_code: row.iso_code,
                valid_from: row.valid_from,
                valid_until: row.valid_until,
                predecessor: row.predecessor_id,
                editions: vec![edition],
            }),
        }
    }
    Ok(provinces)
}

async fn load_channels(session: &Session) -> Result<Vec<Channel>, StoreError> {
    let channels = sqlx::query_as!(
        Channel,
        r#"select c.id, c.code, c.name, c.name_key, c.kind as "kind: ChannelKind", c.parent_id as parent,
                  array(select p.province_id from channel_province p where p.channel_id = c.id order by 1)
                      as "provinces!",
                  c.operator, c.opened_on, c.closed_on
           from channel c"#
    )
    .fetch_all(session)
    .await?;
    Ok(channels)
}

async fn load_rules(session: &Session) -> Result<Rulebook, StoreError> {
    let regions = sqlx::query_scalar!("select code from national_id_region").fetch_all(session).await?;
    let settings: HashMap<String, String> = sqlx::query!("select name, value from rule_setting")
        .fetch_all(session)
        .await?
        .into_iter()
        .map(|row| (row.name, row.value))
        .collect();
    let setting = |name: &str| {
        settings.get(name).cloned().ok_or_else(|| StoreError::Fault(format!("rule_setting has no {name}")))
    };
    let number = |name: &str| {
        setting(name)?
            .parse::<u16>()
            .map_err(|_| StoreError::Fault(format!("rule_setting {name} is not a number")))
    };
    Ok(Rulebook {
        regions: RegionCodes::new(regions),
        service_number: ServiceNumberRules {
            minimum_age_at_appointment: number("service_number.minimum_age_at_appointment")?.into(),
            contract_markers: setting("service_number.contract_markers")?
                .split(',')
                .map(str::to_owned)
                .collect(),
        },
        minimum_shared_words: number("name_match.minimum_shared_words")?.into(),
        programmes: load_programme_rules(session).await?,
        civil_servants: load_civil_servant_rules(session).await?,
        ages: load_age_rules(session).await?,
        contributions: load_contribution_rules(session).await?,
        graces: load_grace_rules(session).await?,
        clearances: clearance::rules(session).await?,
        licences: clearance::licences(session).await?,
        combinations: load_combination_rules(session).await?,
        roundings: load_rounding_rules(session).await?,
        wages: load_wage_rules(session).await?,
        wage_falls: load_wage_fall_rules(session).await?,
        employers: load_employer_rules(session).await?,
        sizes: load_size_rules(session).await?,
        channel_kinds: load_channel_kind_rules(session).await?,
        money: money_rules::load(session).await?,
    })
}

/// Makes a citation of the last four columns, which all rule tables share.
macro_rules! citation {
    ($row:ident) => {
        Citation {
            code: $row.code,
            title: $row.title,
            period: Period { from: $row.valid_from, until: $row.valid_until },
        }
    };
}

async fn load_programme_rules(session: &Session) -> Result<Vec<ProgrammeRule>, StoreError> {
    let rows = sqlx::query!(
        r#"select programme as "programme: Programme", segments as "segments: Vec<Segment>",
                  code, title, valid_from, valid_until
           from programme_rule order by code"#
    );
    let rows = rows.fetch_all(session).await?.into_iter();
    Ok(rows
        .map(|row| ProgrammeRule {
            programme: row.programme,
            segments: row.segments,
            citation: citation!(row),
        })
        .collect())
}

async fn load_civil_servant_rules(session: &Session) -> Result<Vec<CivilServantRule>, StoreError> {
    let rows = sqlx::query!(
        r#"select category as "category: CivilServantCategory", eligible, code, title, valid_from, valid_until
           from civil_servant_rule order by code"#
    );
    let rows = rows.fetch_all(session).await?.into_iter();
    Ok(rows
        .map(|row| CivilServantRule {
            category: row.category,
            eligible: row.eligible,
            citation: citation!(row),
        })
        .collect())
}

async fn load_age_rules(session: &Session) -> Result<Vec<AgeRule>, StoreError> {
    let rows = sqlx::query!(
        r#"select segment as "segment: Segment", minimum, maximum, code, title, valid_from, valid_until
           from age_rule order by code"#
    );
    let rows = rows.fetch_all(session).await?.into_iter();
    Ok(rows
        .map(|row| AgeRule {
            segment: row.segment,
            minimum: row.minimum.into(),
            maximum: row.maximum.map(Into::into),
            citation: citation!(row),
        })
        .collect())
}

async fn load_contribution_rules(session: &Session) -> Result<Vec<ContributionRule>, StoreError> {
    let rows = sqlx::query!(
        r#"select programme as "programme: Programme", segment as "segment: Segment", risk_class, employer_ppm,
                  worker_ppm, worker_flat, wage_ceiling, multiplier_ppm, is_once, code, title, valid_from,
                  valid_until
           from contribution_rule order by code"#
    );
    let rows = rows.fetch_all(session).await?.into_iter();
    Ok(rows
        .map(|row| ContributionRule {
            programme: row.programme,
            segment: row.segment,
            risk_class: row.risk_class,
            employer_ppm: row.employer_ppm.into(),
            worker_ppm: row.worker_ppm.into(),
            worker_flat: row.worker_flat,
            wage_ceiling: row.wage_ceiling,
            multiplier_ppm: row.multiplier_ppm.into(),
            is_once: row.is_once,
            citation: citation!(row),
        })
        .collect())
}

async fn load_grace_rules(session: &Session) -> Result<Vec<GraceRule>, StoreError> {
    let rows = sqlx::query!(
        r#"select segment as "segment: Segment", months, code, title, valid_from, valid_until
           from grace_rule order by code"#
    );
    let rows = rows.fetch_all(session).await?.into_iter();
    Ok(rows
        .map(|row| GraceRule {
            segment: row.segment,
            months: row.months.unsigned_abs().into(),
            citation: citation!(row),
        })
        .collect())
}

async fn load_combination_rules(session: &Session) -> Result<Vec<CombinationRule>, StoreError> {
    let rows = sqlx::query!(
        r#"select segment as "segment: Segment", required as "required: Vec<Programme>", code, title, valid_from,
                  valid_until
           from programme_combination_rule order by code"#
    );
    let rows = rows.fetch_all(session).await?.into_iter();
    Ok(rows
        .map(|row| CombinationRule { segment: row.segment, required: row.required, citation: citation!(row) })
        .collect())
}

async fn load_rounding_rules(session: &Session) -> Result<Vec<RoundingRule>, StoreError> {
    let rows = sqlx::query!(
        "select unit, direction, code, title, valid_from, valid_until from rounding_rule order by code"
    );
    let rows = rows.fetch_all(session).await?.into_iter();
    rows.map(|row| {
        let direction = row.direction.parse();
        let direction = direction
            .map_err(|_| StoreError::Fault(format!("rounding_rule {} has no direction", row.code)))?;
        Ok(RoundingRule { unit: row.unit, direction, citation: citation!(row) })
    })
    .collect()
}

async fn load_wage_fall_rules(session: &Session) -> Result<Vec<WageFallRule>, StoreError> {
    let sql = "select percent, code, title, valid_from, valid_until from wage_fall_rule order by code";
    let rows: Vec<(i16, String, String, NaiveDate, Option<NaiveDate>)> =
        sqlx::query_as(sql).fetch_all(session).await?;
    let rule = |(percent, code, title, from, until): (i16, _, _, _, _)| WageFallRule {
        percent: percent.into(),
        citation: Citation { code, title, period: Period { from, until } },
    };
    Ok(rows.into_iter().map(rule).collect())
}

async fn load_wage_rules(session: &Session) -> Result<Vec<WageRule>, StoreError> {
    let sql = "select kind, code, title, valid_from, valid_until from wage_rule order by code";
    let rows: Vec<(String, String, String, NaiveDate, Option<NaiveDate>)> =
        sqlx::query_as(sql).fetch_all(session).await?;
    let rule = |(kind, code, title, from, until): (String, _, _, _, _)| {
        let kind = kind.parse();
        let kind = kind.map_err(|_| StoreError::Fault(format!("wage_rule {code} has an unknown kind")))?;
        Ok(WageRule { kind, citation: Citation { code, title, period: Period { from, until } } })
    };
    rows.into_iter().map(rule).collect()
}

async fn load_employer_rules(session: &Session) -> Result<Vec<EmployerRule>, StoreError> {
    let sql = "select kind, code, title, valid_from, valid_until from employer_rule order by code";
    let rows: Vec<(String, String, String, NaiveDate, Option<NaiveDate>)> =
        sqlx::query_as(sql).fetch_all(session).await?;
    let rule = |(kind, code, title, from, until): (String, _, _, _, _)| {
        let kind = kind.parse();
        let kind =
            kind.map_err(|_| StoreError::Fault(format!("employer_rule {code} has an unknown kind")))?;
        Ok(EmployerRule { kind, citation: Citation { code, title, period: Period { from, until } } })
    };
    rows.into_iter().map(rule).collect()
}

async fn load_size_rules(session: &Session) -> Result<Vec<SizeRule>, StoreError> {
    type Row = (EmployerSize, Segment, Vec<Programme>, String, String, NaiveDate, Option<NaiveDate>);
    let sql = "select size, segment, required, code, title, valid_from, valid_until
               from business_size_rule order by code";
    let rows: Vec<Row> = sqlx::query_as(sql).fetch_all(session).await?;
    let rule = |(size, segment, required, code, title, from, until): Row| SizeRule {
        size,
        segment,
        required,
        citation: Citation { code, title, period: Period { from, until } },
    };
    Ok(rows.into_iter().map(rule).collect())
}

async fn load_channel_kind_rules(session: &Session) -> Result<Vec<(ChannelKind, Citation)>, StoreError> {
    let rows: Vec<(ChannelKind, String, String, NaiveDate, Option<NaiveDate>)> = sqlx::query_as(
        "select kind, code, title, valid_from, valid_until from channel_kind_rule order by code",
    )
    .fetch_all(session)
    .await?;
    let rule =
        |(kind, code, title, from, until)| (kind, Citation { code, title, period: Period { from, until } });
    Ok(rows.into_iter().map(rule).collect())
}
