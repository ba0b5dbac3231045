//! What a request or a WebSocket knows of its client, and for how long its streams may go on.
//!
//! A WebSocket sends in `connection_init` what a request sends in headers: `authorization` and `x-purpose`. It ends when its
//! token expires, and when its client is disabled or changed; so does a stream of events.

use std::sync::Arc;

use axum::http::{Extensions, HeaderMap};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use graphql_front::answer::Refused;
use graphql_front::code::Code;
use graphql_front::websocket::Authenticator;

use super::auth::{Authority, Refusal, extensions};
use super::purpose;
use crate::store::Database;

/// Authenticates the clients of WebSockets.
pub(super) struct SocketAuthenticator {
    authority: Authority,
    database: Arc<Database>,
}

impl SocketAuthenticator {
    /// Creates an authenticator that accepts the tokens that requests are accepted with.
    pub(super) fn new(authority: Authority, database: Arc<Database>) -> Self {
        Self { authority, database }
    }
}

impl Authenticator for SocketAuthenticator {
    fn headers(&self) -> &'static [&'static str] {
        &["authorization", purpose::NAME]
    }

    fn authenticate(&self, headers: HeaderMap) -> BoxFuture<'static, Result<Extensions, Refused>> {
        let (authority, database) = (self.authority.clone(), Arc::clone(&self.database));
        async move {
            let verified = authority.verify_headers(&database, &headers).await;
            let bearer = verified.map_err(|refusal| match refusal {
                Refusal::Undecided => {
                    Refused::new(Code::Unavailable, "Your identity cannot be verified right now. Try again.")
                }
                _ => Refused::new(
                    Code::Unauthenticated,
                    "Send a valid token: \"authorization\": \"Bearer …\".",
                ),
            })?;
            let mut extensions = extensions(bearer, &database);
            match purpose::stated(&headers) {
                Ok(Some(purpose)) => drop(extensions.insert(purpose)),
                Ok(None) => {}
                Err(purpose::NoPurpose(reason)) => return Err(Refused::new(Code::BadRequest, reason)),
            }
            Ok(extensions)
        }
        .boxed()
    }
}
