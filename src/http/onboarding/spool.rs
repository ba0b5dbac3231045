//! A body on its way to the disk: bounded, hashed, and without a name there, so that nothing is left of it whatever happens.

use std::fs::OpenOptions;
use std::io::Seek as _;
use std::path::Path;

use axum::extract::Request;
use axum::http::header;
use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::http::code::Code;
use crate::http::settings::Upload;

/// A client has to bring so much before each deadline.
const PROGRESS: u64 = 64 << 10;

/// A file that has arrived, to be read from its beginning.
pub(super) struct Spooled {
    pub(super) file: std::fs::File,
    pub(super) sha256: Vec<u8>,
}

/// Takes a body down.
pub(super) async fn spool(settings: &Upload, request: Request) -> Result<Spooled, Code> {
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > settings.limits.bytes) {
        return Err(Code::BodyTooLarge);
    }
    let mut file = tokio::fs::File::from_std(nameless(&settings.spool).map_err(no_room)?);
    let mut chunks = request.into_body().into_data_stream();
    let (mut hash, mut length, mut mark) = (Sha256::new(), 0_u64, PROGRESS);
    let mut deadline = Instant::now() + settings.progress_deadline;
    loop {
        let next = timeout_at(deadline, chunks.try_next()).await.map_err(|_elapsed| Code::RequestTimeout)?;
        // A body that ends before its length is a broken connection here, and no file.
        let Some(chunk) = next.map_err(|_| Code::BadRequest)? else { break };
        length += chunk.len() as u64;
        if length > settings.limits.bytes {
            return Err(Code::BodyTooLarge);
        }
        if length >= mark {
            mark = length + PROGRESS;
            deadline = Instant::now() + settings.progress_deadline;
        }
        hash.update(&chunk);
        file.write_all(&chunk).await.map_err(no_room)?;
    }
    file.flush().await.map_err(no_room)?;
    let mut file = file.into_std().await;
    file.rewind().map_err(no_room)?;
    Ok(Spooled { file, sha256: hash.finalize().to_vec() })
}

fn no_room(error: std::io::Error) -> Code {
    tracing::error!(kind = %error.kind(), "a file cannot be kept while it is received: see REGISTRY_SPOOL_DIR");
    Code::Unavailable
}

/// A new file that nobody else can open, and that is gone with its last user, be that by kill -9.
fn nameless(folder: &Path) -> std::io::Result<std::fs::File> {
    let path = folder.join(format!("registry-{}.upload", Uuid::now_v7()));
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}
