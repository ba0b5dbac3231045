//! What a balancer or supervisor asks: does the process live, and can it serve?

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
    /// Of a process that serves from now on.
    pub fn new(database: Arc<Database>) -> Self {
        Self { database, stopping: Arc::default(), last: Arc::default() }
    }

    /// Does the database answer? Asked once a second at most: nobody needs a token for this question.
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

    /// Turns readiness off, before the doors close.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}

/// `/livez`: the process answers.
pub async fn live() -> &'static str {
    "live\n"
}

/// `/readyz`: the process can serve; 503 while its database is away or it is stopping.
pub async fn ready(State(health): State<Health>) -> (StatusCode, &'static str) {
    if health.stopping.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    if health.answers().await {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the database is away\n")
    }
}
