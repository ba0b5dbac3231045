//! Listens for changes that other processes announce, and reloads reference data, clients and figures.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgListener, PgNotification};

use super::Database;
use super::error::StoreError;

/// How often to test the connection.
const LISTENING_FOR: Duration = Duration::from_secs(1);

impl Database {
    /// Reloads reference data and clients whenever another process has changed them. Never returns.
    pub async fn follow_reference(self: Arc<Self>) {
        loop {
            if let Err(error) = self.follow_reference_once().await {
                tracing::debug!(%error, "not listening for changes of reference data; trying again");
            }
            tokio::time::sleep(LISTENING_FOR).await;
        }
    }

    /// Listens until the connection is lost. Reloads everything first, because announcements may have been missed.
    async fn follow_reference_once(&self) -> Result<(), StoreError> {
        let timeline = self.hosts().timeline();
        let mut listener = self.listener().await?;
        listener.eager_reconnect(false);
        listener.listen_all(["reference_changed", "figures_folded"]).await?;
        self.refresh_reference().await?;
        self.clients.refresh(&self.control).await?;
        self.check_key().await?;
        self.control.employers().clear();
        let mut tested = Instant::now();
        self.control.employers().heard(tested);
        loop {
            let due = (tested + LISTENING_FOR).saturating_duration_since(Instant::now());
            match tokio::time::timeout(due, listener.try_recv()).await {
                Ok(Ok(Some(changed))) => self.reload(&changed).await?,
                Ok(Ok(None)) => return Err(StoreError::Unavailable("the listening connection broke".into())),
                Ok(Err(error)) => return Err(error.into()),
                Err(_elapsed) if self.hosts().timeline() != timeline => {
                    // A former primary announces nothing of what is written at its successor.
                    return Err(StoreError::Unavailable("another server is the primary".into()));
                }
                Err(_elapsed) => {
                    self.test_connection(&mut listener).await?;
                    tested = Instant::now();
                }
            }
        }
    }

    /// Tests the connection. Its answer comes after all earlier announcements.
    async fn test_connection(&self, listener: &mut PgListener) -> Result<(), StoreError> {
        let asked = Instant::now();
        let answer = sqlx::query("select 1").execute(&mut *listener);
        let silent = |_elapsed| StoreError::Unavailable("the listening connection is silent".into());
        tokio::time::timeout(LISTENING_FOR, answer).await.map_err(silent)??;
        while let Some(changed) = listener.next_buffered() {
            self.reload(&changed).await?;
        }
        self.clients.heard(asked);
        self.control.employers().heard(asked);
        Ok(())
    }

    async fn reload(&self, changed: &PgNotification) -> Result<(), StoreError> {
        if changed.channel() == "figures_folded" {
            return self.country.refresh(&self.control).await;
        }
        match changed.payload() {
            "client" => self.clients.refresh(&self.control).await,
            "key" => self.check_key().await,
            "employer" => {
                self.control.employers().clear();
                Ok(())
            }
            _ => self.refresh_reference().await,
        }
    }
}
