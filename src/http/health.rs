//! Health checks for a load balancer or supervisor: whether the process lives, and whether it can serve.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::store::Database;

/// Readiness of the process.
#[derive(Clone, Debug)]
pub struct Health {
    database: Arc<Database>,
    stopping: Arc<AtomicBool>,
    last: Arc<Mutex<Option<(Instant, bool)>>>,
}

impl Health {
    /// The readiness of a process that serves from now on.
    pub fn new(database: Arc<Database>) -> Self {
        Self { database, stopping: Arc::default(), last: Arc::default() }
    }

    /// Whether the database answers. It is asked at most once a second, because the endpoint needs no token.
    async fn answers(&self) -> bool {
        let mut last = self.last.lock().await;
        match *last {
            Some((asked, answered)) if asked.elapsed() < Duration::from_secs(1) => answered,
            _ => {
                let answered = sqlx::query("select 1").execute(&self.database.control).await.is_ok();
                *last = Some((Instant::now(), answered));
                answered
            }
        }
    }

    /// Turns readiness off, before the server stops accepting connections.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Returns whether readiness was turned off.
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// `/livez`: the process answers.
pub async fn live() -> &'static str {
    "live\n"
}

/// `/readyz`: the process can serve. 503 while its database is unavailable or the process is stopping.
pub async fn ready(State(health): State<Health>) -> (StatusCode, &'static str) {
    if health.is_stopping() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    if health.answers().await {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the database is unavailable\n")
    }
}
