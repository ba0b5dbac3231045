//! Why the server closes a socket: the codes of the protocol, and those of WebSocket itself (RFC 6455).

use std::borrow::Cow;

use axum::extract::ws::{CloseFrame, Message};

use crate::answer::Refused;

/// The reason of a close frame has at most this many bytes.
const REASON_BYTES: usize = 123;

/// A reason to close a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Close {
    code: u16,
    reason: Cow<'static, str>,
}

impl Close {
    /// `connection_init` did not come in time.
    pub(super) const INIT_TIMEOUT: Self = Self::new(4408, "Connection initialisation timeout");
    /// `connection_init` came twice.
    pub(super) const INIT_TWICE: Self = Self::new(4429, "Too many initialisation requests");
    /// `subscribe` came before the server acknowledged the connection.
    pub(super) const NOT_ACKNOWLEDGED: Self = Self::new(4401, "Unauthorized: wait for connection_ack");
    /// The client lost its rights.
    pub(super) const RIGHTS_LOST: Self =
        Self::new(4403, "UNAUTHENTICATED: the token has ended, or the client was changed");
    /// The server stops.
    pub(super) const GOING_AWAY: Self = Self::new(1001, "The server stops; connect again");
    /// The client answers no pings.
    pub(super) const NO_PONG: Self = Self::new(1001, "No answer to pings");
    /// A message is longer than the limit.
    pub(super) const TOO_LONG: Self = Self::new(1009, "The message is too long; send large requests by POST");

    const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }

    /// A message of a type or a form that the protocol does not specify.
    pub(super) const fn bad(reason: &'static str) -> Self {
        Self::new(4400, reason)
    }

    /// An operation with this id is running.
    pub(super) fn duplicate(id: &str) -> Self {
        Self { code: 4409, reason: format!("Subscriber for {id} already exists").into() }
    }

    /// The connection was refused: 4403, or "try again later" where that may help.
    pub(super) fn refused(refused: &Refused) -> Self {
        let code = if refused.code().retryable { 1013 } else { 4403 };
        Self { code, reason: format!("{}: {}", refused.code().name, refused.message()).into() }
    }

    #[cfg(test)]
    pub(super) const fn code(&self) -> u16 {
        self.code
    }

    /// Returns the frame, its reason cut to the length that a frame can carry.
    pub(super) fn frame(self) -> Message {
        let end = self.reason.floor_char_boundary(REASON_BYTES);
        Message::Close(Some(CloseFrame { code: self.code, reason: self.reason[..end].into() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_fits_its_frame_and_is_cut_between_characters() {
        let Message::Close(Some(frame)) = Close::duplicate(&"é".repeat(100)).frame() else {
            panic!("no close")
        };
        assert_eq!(frame.code, 4409);
        assert!(
            frame.reason.len() <= REASON_BYTES && frame.reason.ends_with('é'),
            "{}",
            frame.reason.as_str()
        );
    }
}
