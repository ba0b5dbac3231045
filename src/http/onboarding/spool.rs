//! Spools the body of an upload to disk: limited in size, hashed, and in a file without a name, so that nothing is left
//! behind even if the process is killed.

use std::fs::OpenOptions;
use std::io::Seek as _;
use std::path::Path;
use std::time::Duration;

use axum::extract::Request;
use axum::http::header;
use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::http::settings::Upload;
use graphql_front::code::Code;

/// Bytes that a client has to send before each deadline.
const PROGRESS: u64 = 64 << 10;

/// A file that has arrived, positioned at its beginning.
pub(super) struct SpooledFile {
    pub(super) file: std::fs::File,
    pub(super) sha256: Vec<u8>,
}

/// Writes a body to disk.
pub(super) async fn spool(settings: &Upload, request: Request) -> Result<SpooledFile, Code> {
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > settings.limits.bytes) {
        return Err(Code::BodyTooLarge);
    }
    let mut file = tokio::fs::File::from_std(unnamed_file(&settings.spool).map_err(disk_failed)?);
    let mut chunks = request.into_body().into_data_stream();
    let (mut hash, mut progress) = (Sha256::new(), Progress::new(settings, Instant::now()));
    loop {
        let next = timeout_at(progress.deadline(), chunks.try_next())
            .await
            .map_err(|_elapsed| Code::RequestTimeout)?;
        // A body that ends before its Content-Length is an error here, and not a short file.
        let Some(chunk) = next.map_err(|_| Code::BadRequest)? else { break };
        progress.add(chunk.len() as u64, Instant::now());
        if progress.length > settings.limits.bytes {
            return Err(Code::BodyTooLarge);
        }
        hash.update(&chunk);
        file.write_all(&chunk).await.map_err(disk_failed)?;
    }
    file.flush().await.map_err(disk_failed)?;
    let mut file = file.into_std().await;
    file.rewind().map_err(disk_failed)?;
    Ok(SpooledFile { file, sha256: hash.finalize().to_vec() })
}

/// How fast a body has to arrive: 64 KiB before each deadline, and at the minimum rate on average. Without the average, a
/// slow client could keep its slot for days.
struct Progress<'a> {
    settings: &'a Upload,
    began: Instant,
    length: u64,
    /// The length at which the next deadline begins.
    mark: u64,
    next_deadline: Instant,
}

impl<'a> Progress<'a> {
    fn new(settings: &'a Upload, now: Instant) -> Self {
        Self {
            settings,
            began: now,
            length: 0,
            mark: PROGRESS,
            next_deadline: now + settings.progress_deadline,
        }
    }

    /// Counts bytes that arrived.
    fn add(&mut self, bytes: u64, now: Instant) {
        self.length += bytes;
        if self.length >= self.mark {
            self.mark = self.length + PROGRESS;
            self.next_deadline = now + self.settings.progress_deadline;
        }
    }

    /// When more bytes have to arrive.
    fn deadline(&self) -> Instant {
        let Upload { progress_deadline, least_rate, .. } = self.settings;
        let earned = Duration::from_secs_f64(self.length as f64 / f64::from(least_rate.get()));
        self.next_deadline.min(self.began + *progress_deadline + earned)
    }
}

fn disk_failed(error: std::io::Error) -> Code {
    tracing::error!(kind = %error.kind(), "an upload cannot be written to disk: see REGISTRY_SPOOL_DIR");
    Code::Unavailable
}

/// Creates a file without a name. Other users cannot open it, and it disappears when it is closed.
pub(in crate::http) fn unnamed_file(folder: &Path) -> std::io::Result<std::fs::File> {
    let path = folder.join(format!("registry-{}.spool", Uuid::now_v7()));
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    /// Seconds after which a client that sends this many bytes a second, without end, times out.
    fn timeout_at_rate(bytes: u64) -> Option<u64> {
        let rate = NonZeroU32::new(1_000).expect("it is positive");
        let progress_deadline = Duration::from_secs(100);
        let settings = Upload { least_rate: rate, progress_deadline, ..Upload::default() };
        let began = Instant::now();
        let mut progress = Progress::new(&settings, began);
        (1..=86_400).find(|&second| {
            let now = began + Duration::from_secs(second);
            let is_late = progress.deadline() < now;
            progress.add(bytes, now);
            is_late
        })
    }

    #[test]
    fn a_slow_client_times_out_by_its_average_rate() {
        // 64 KiB arrive within 94 of the 100 seconds allowed, but after t seconds only 100 + 0.7 t are allowed.
        assert!(timeout_at_rate(700).is_some_and(|seconds| (330..340).contains(&seconds)));
        assert_eq!(timeout_at_rate(10), Some(101), "before the first 64 KiB have arrived");
    }

    #[test]
    fn a_client_at_the_minimum_rate_never_times_out() {
        assert_eq!(timeout_at_rate(1_000), None);
    }
}
