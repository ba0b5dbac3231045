//! What a balancer or supervisor asks: does the process live, and can it serve?

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::http::StatusCode;

use crate::store::Database;

/// Readiness of the process.
#[derive(Clone, Debug)]
pub struct Health {
    database: Arc<Database>,
    stopping: Arc<AtomicBool>,
}

impl Health {
    /// Of a process that serves from now on.
    pub fn new(database: Arc<Database>) -> Self {
        Self { database, stopping: Arc::default() }
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
    match sqlx::query("select 1").execute(&health.database.pool).await {
        Ok(_) => (StatusCode::OK, "ready\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database is away\n"),
    }
}
