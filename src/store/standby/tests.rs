use super::*;
use crate::store::pool::{Access, Pool};

fn standbys(count: usize) -> Standbys {
    let standby = |n| {
        let options = PgConnectOptions::new_without_pgpass();
        let pool = Pool::new(Access::ReadOnly, options.into(), String::new(), 1, Duration::ZERO);
        let session = Session::of_registry(pool, Duration::ZERO, Arc::default());
        Standby::new(format!("standby-{n}"), session.clone(), session)
    };
    let all = (0..count).map(|n| Arc::new(standby(n))).collect();
    Standbys { all, max_lag: Duration::from_secs(10), ..Standbys::default() }
}

fn position(bytes: i64) -> Position {
    Position::of_bytes(bytes)
}

impl Standbys {
    /// Compares at a moment at which the servers have come this far.
    fn compare_with(&self, at: Instant, primary: i64, replayed: &[i64]) {
        let mut known = self.known.lock();
        known.note(at, position(primary), self.max_lag);
        for (standby, replayed) in self.all.iter().zip(replayed) {
            standby.note(position(*replayed), known.shown_at(position(*replayed)));
        }
    }

    fn chosen(&self, client: i64, asked: Option<i64>, now: Instant) -> Option<String> {
        self.find(client, asked.map(position), now).map(|standby| standby.name.clone())
    }
}

#[tokio::test]
async fn a_standby_serves_once_it_has_told_how_far_it_is_and_as_long_as_it_is_not_too_far_behind() {
    let (standbys, now) = (standbys(1), Instant::now());
    assert_eq!(standbys.chosen(1, None, now), None);
    standbys.compare_with(now, 100, &[100]);
    assert_eq!(standbys.chosen(1, None, now), Some("standby-0".into()));
    // The primary goes on, and the standby does not.
    for second in 1..=10 {
        standbys.compare_with(now + Duration::from_secs(second), 100 + second as i64, &[100]);
    }
    assert!(standbys.chosen(1, None, now + Duration::from_secs(10)).is_some());
    standbys.compare_with(now + Duration::from_secs(11), 111, &[100]);
    assert_eq!(standbys.chosen(1, None, now + Duration::from_secs(11)), None);
    standbys.compare_with(now + Duration::from_secs(12), 111, &[111]);
    assert!(standbys.chosen(1, None, now + Duration::from_secs(12)).is_some());
    // Nobody compares any more.
    assert_eq!(standbys.chosen(1, None, now + Duration::from_secs(23)), None);
}

#[tokio::test]
async fn a_client_that_wrote_reads_from_the_primary_until_a_standby_shows_it() {
    let (standbys, now) = (standbys(1), Instant::now());
    standbys.compare_with(now, 100, &[100]);
    standbys.wrote(1);
    let later = Instant::now();
    assert_eq!(standbys.chosen(1, None, later), None);
    assert!(standbys.chosen(2, None, later).is_some(), "another client has written nothing");
    // The position of the primary before the write says nothing about it.
    standbys.compare_with(now, 100, &[100]);
    assert_eq!(standbys.chosen(1, None, later), None);
    standbys.compare_with(later, 120, &[110]);
    assert_eq!(standbys.chosen(1, None, later), None);
    standbys.compare_with(later, 130, &[120]);
    assert!(standbys.chosen(1, None, later).is_some());
}

#[tokio::test]
async fn a_position_that_a_client_sends_counts_whichever_process_has_written() {
    let (standbys, now) = (standbys(2), Instant::now());
    standbys.compare_with(now, 90, &[90, 90]);
    standbys.compare_with(now, 100, &[90, 100]);
    assert_eq!(standbys.chosen(2, Some(80), now), Some("standby-0".into()));
    assert_eq!(standbys.chosen(2, Some(95), now), Some("standby-1".into()));
    assert_eq!(standbys.chosen(2, Some(101), now), None);
    // What it has seen at one standby it does not miss at another.
    assert_eq!(standbys.chosen(2, None, now), Some("standby-1".into()));
}

#[tokio::test]
async fn clients_are_spread_and_a_lost_standby_is_replaced() {
    let (standbys, now) = (standbys(2), Instant::now());
    standbys.compare_with(now, 100, &[100, 100]);
    assert_eq!(standbys.chosen(2, None, now), Some("standby-0".into()));
    assert_eq!(standbys.chosen(3, None, now), Some("standby-1".into()));
    standbys.all[1].suspect();
    standbys.all[1].is_lost().await;
    assert_eq!(standbys.chosen(3, None, now), Some("standby-0".into()));
    standbys.all[0].suspect();
    assert_eq!(standbys.chosen(3, None, now), None);
    standbys.compare_with(now, 100, &[100, 100]);
    assert_eq!(standbys.chosen(3, None, now), Some("standby-1".into()));
}
