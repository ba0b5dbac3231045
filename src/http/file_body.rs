//! The bodies of files: in pieces, and no further once the rights of their client were taken away or changed.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use futures_util::stream::{self, Stream, StreamExt as _};
use graphql_front::request_id::RequestId;
use graphql_front::streams::Lease;
use parking_lot::Mutex;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;

/// Size of a piece of a file on the disk.
const PIECE: usize = 64 << 10;

/// Sends pieces of a file that is being made.
pub(super) type PieceSender = mpsc::Sender<io::Result<Bytes>>;

/// Who gets a file.
pub(super) struct FileRecipient {
    lease: Option<Lease>,
    request: RequestId,
}

impl FileRecipient {
    pub(super) const fn new(lease: Option<Lease>, request: RequestId) -> Self {
        Self { lease, request }
    }

    /// Returns the body of a file that is being made.
    pub(super) fn body_of_pieces(self, pieces: mpsc::Receiver<io::Result<Bytes>>) -> Body {
        self.body(stream::unfold(pieces, |mut pieces| async move { Some((pieces.recv().await?, pieces)) }))
    }

    /// Returns the body of a file on the disk, from where it stands.
    pub(super) fn body_of_file(self, file: File) -> Body {
        self.body(stream::try_unfold(tokio::fs::File::from_std(file), |mut file| async move {
            let mut piece = vec![0; PIECE];
            let read = file.read(&mut piece).await?;
            piece.truncate(read);
            Ok((read > 0).then(|| (Bytes::from(piece), file)))
        }))
    }

    /// Asks before each piece whether the client still has its rights. A token may expire meanwhile, because a file takes longer than
    /// some tokens last. A file that breaks off is no complete response.
    fn body(self, pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Body {
        Body::from_stream(pieces.map(move |piece| {
            if Lease::may_finish(self.lease.as_ref()) {
                return piece;
            }
            tracing::info!(request_id = %self.request, "a file breaks off: its client has lost its rights");
            Err(io::Error::other("the client has lost its rights"))
        }))
    }
}

/// What is written and not sent yet.
#[derive(Clone, Default)]
pub(super) struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    pub(super) fn take(&self) -> Bytes {
        std::mem::take(&mut *self.0.lock()).into()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
