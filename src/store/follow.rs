//! Hears what other processes change, and reads it again: reference data and clients.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgListener, PgNotification};

use super::Database;
use super::error::StoreError;

/// How long to wait for an announcement before asking whether the connection still answers.
const LISTENING_FOR: Duration = Duration::from_secs(1);

impl Database {
    /// Reads the reference data and the clients again whenever another process changed them, for as long as this runs.
    pub async fn follow_reference(self: Arc<Self>) {
        loop {
            if let Err(error) = self.follow_reference_once().await {
                tracing::debug!(%error, "not listening for changes of reference data; trying again");
            }
            tokio::time::sleep(LISTENING_FOR).await;
        }
    }

    /// Until the connection is lost: what is announced meanwhile nobody hears, so everything is read at the beginning.
    async fn follow_reference_once(&self) -> Result<(), StoreError> {
        let mut listener = self.listener().await?;
        listener.eager_reconnect(false);
        listener.listen("reference_changed").await?;
        self.refresh_reference().await?;
        self.clients.refresh(&self.control).await?;
        self.look_at_key().await?;
        loop {
            match tokio::time::timeout(LISTENING_FOR, listener.try_recv()).await {
                Ok(Ok(Some(changed))) => self.read_again(&changed).await?,
                Ok(Ok(None)) => return Err(StoreError::Unavailable("the listening connection broke".into())),
                Ok(Err(error)) => return Err(error.into()),
                Err(_elapsed) => self.listen_to_silence(&mut listener).await?,
            }
        }
    }

    /// Nothing was said, or the connection is silently gone. An answer on it comes behind all that was announced before.
    async fn listen_to_silence(&self, listener: &mut PgListener) -> Result<(), StoreError> {
        let asked = Instant::now();
        let answer = sqlx::query("select 1").execute(&mut *listener);
        let silent = |_elapsed| StoreError::Unavailable("the listening connection is silent".into());
        tokio::time::timeout(LISTENING_FOR, answer).await.map_err(silent)??;
        while let Some(changed) = listener.next_buffered() {
            self.read_again(&changed).await?;
        }
        self.clients.heard(asked);
        Ok(())
    }

    async fn read_again(&self, changed: &PgNotification) -> Result<(), StoreError> {
        match changed.payload() {
            "client" => self.clients.refresh(&self.control).await,
            "key" => self.look_at_key().await,
            _ => self.refresh_reference().await,
        }
    }
}
