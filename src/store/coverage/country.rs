//! The current counters of the whole country, in memory.
//!
//! The fold changes the base about once a second, and gives it another version. A process holds the base of one version with
//! its sums. A request reads what is not folded yet together with the version, in one small statement, so its figures are
//! exact at that moment. If the version is another one, the same statement returns the base. The fold announces new versions,
//! so that mostly the listener reads them and not a request.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use sqlx::FromRow;
use uuid::Uuid;

use super::{Cell, Figures, Part};
use crate::store::count::StatusCounts;
use crate::store::error::StoreError;
use crate::store::reference::Reference;
use crate::store::session::Session;
use domain::channel::ChannelKind;
use domain::standing::Standing;
use domain::vocabulary::WorkerGroup;

/// The base that this process holds.
#[derive(Debug, Default)]
pub struct Country {
    base: ArcSwapOption<Base>,
    /// Has a request used the base since it was read?
    is_used: AtomicBool,
}

/// The folded counters of one version.
#[derive(Debug)]
pub(super) struct Base {
    version: Uuid,
    cells: Vec<Cell>,
    sums: Mutex<HashMap<Vec<WorkerGroup>, Arc<Sums>>>,
}

/// People of some groups of workers, by province and kind of channel.
pub(super) type Sums = BTreeMap<(i16, ChannelKind), StatusCounts>;

impl Base {
    /// Returns the sums of some groups. They are computed once.
    pub(super) fn sums(&self, groups: &[WorkerGroup]) -> Arc<Sums> {
        let mut sums = self.sums.lock();
        if let Some(known) = sums.get(groups) {
            return Arc::clone(known);
        }
        let mut counted = Sums::new();
        for cell in &self.cells {
            if let Some(status) = cell.standing.among(groups) {
                counted.entry((cell.province, cell.kind)).or_default().add(status, cell.persons);
            }
        }
        let counted = Arc::new(counted);
        // Groups are a closed list, so the sets of them that clients ask for are few.
        sums.insert(groups.to_vec(), Arc::clone(&counted));
        counted
    }
}

#[derive(FromRow)]
struct Read {
    version: Uuid,
    is_known: bool,
    provinces: Vec<i16>,
    kinds: Vec<ChannelKind>,
    standings: Vec<i32>,
    persons: Vec<i64>,
    delta_provinces: Vec<i16>,
    delta_channels: Vec<i64>,
    delta_standings: Vec<i32>,
    delta_persons: Vec<i64>,
}

/// Counts that are not folded into the base: province, channel, standing, people.
type Deltas = Vec<(i16, i64, Standing, i64)>;

/// The base is read only if it is another one than the process holds, whose version is the first parameter.
const READ: &str = "
    select v.version, v.version is not distinct from $1 as is_known, b.*, d.*
    from figure_version v
    cross join lateral (
        select coalesce(array_agg(province_id), '{}') as provinces, coalesce(array_agg(channel_kind), '{}') as kinds,
               coalesce(array_agg(standing), '{}') as standings, coalesce(array_agg(persons), '{}') as persons
        from figure where v.version is distinct from $1) b
    cross join (
        select coalesce(array_agg(province_id), '{}') as delta_provinces, coalesce(array_agg(channel_id), '{}') as delta_channels,
               coalesce(array_agg(standing), '{}') as delta_standings,
               coalesce(array_agg(persons::bigint), '{}') as delta_persons
        from unfolded_delta where standing is not null) d";

impl Country {
    /// Returns the figures of a part of the country for a session that may read all of it. `None` if a channel is not in the
    /// reference data yet.
    pub(super) async fn figures(
        &self,
        session: &Session,
        reference: &Reference,
        part: &Part,
    ) -> Result<Option<Figures>, StoreError> {
        self.is_used.store(true, Ordering::Relaxed);
        let (base, deltas) = self.read(session).await?;
        let mut cells = Vec::with_capacity(deltas.len());
        for (province, channel, standing, persons) in deltas {
            let Some(channel) = reference.channel(channel) else { return Ok(None) };
            if part.has(province, channel.kind) {
                cells.push(Cell { province, kind: channel.kind, standing, persons });
            }
        }
        Ok(Some(Figures { base: Some((base, Arc::new(part.clone()))), cells: cells.into() }))
    }

    /// Reads the base if it has changed, unless nobody has asked for it.
    pub(in crate::store) async fn refresh(&self, session: &Session) -> Result<(), StoreError> {
        if self.is_used.swap(false, Ordering::Relaxed) {
            self.read(session).await?;
        }
        Ok(())
    }

    /// Returns the base, and what is not folded into it.
    async fn read(&self, session: &Session) -> Result<(Arc<Base>, Deltas), StoreError> {
        let held = self.base.load_full();
        let version = held.as_ref().map(|base| base.version);
        let read: Read = sqlx::query_as(READ).bind(version).fetch_one(session).await?;
        let deltas =
            rows(read.delta_provinces, read.delta_channels, read.delta_standings, read.delta_persons);
        let deltas = deltas.collect();
        let base = match held {
            Some(held) if read.is_known => held,
            _ => {
                let cells = rows(read.provinces, read.kinds, read.standings, read.persons);
                let cell = |(province, kind, standing, persons)| Cell { province, kind, standing, persons };
                let cells = cells.map(cell).collect();
                let base = Arc::new(Base { version: read.version, cells, sums: Mutex::default() });
                self.base.store(Some(Arc::clone(&base)));
                base
            }
        };
        Ok((base, deltas))
    }
}

/// Rows of four columns.
fn rows<T>(
    provinces: Vec<i16>,
    second: Vec<T>,
    standings: Vec<i32>,
    persons: Vec<i64>,
) -> impl Iterator<Item = (i16, T, Standing, i64)> {
    let rows = provinces.into_iter().zip(second).zip(standings).zip(persons);
    rows.map(|(((province, second), bits), persons)| (province, second, Standing::from_bits(bits), persons))
}
