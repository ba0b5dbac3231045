//! A body on its way to the disk: bounded, hashed, and without a name there, so that nothing is left of it whatever happens.

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

/// A client has to bring so many bytes before each deadline.
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
    let (mut hash, mut pace) = (Sha256::new(), Pace::new(settings, Instant::now()));
    loop {
        let next =
            timeout_at(pace.due(), chunks.try_next()).await.map_err(|_elapsed| Code::RequestTimeout)?;
        // A body that ends before its length is a broken connection here, and no file.
        let Some(chunk) = next.map_err(|_| Code::BadRequest)? else { break };
        pace.add(chunk.len() as u64, Instant::now());
        if pace.length > settings.limits.bytes {
            return Err(Code::BodyTooLarge);
        }
        hash.update(&chunk);
        file.write_all(&chunk).await.map_err(no_room)?;
    }
    file.flush().await.map_err(no_room)?;
    let mut file = file.into_std().await;
    file.rewind().map_err(no_room)?;
    Ok(Spooled { file, sha256: hash.finalize().to_vec() })
}

/// How fast a body has to come: 64 KiB before each deadline, and, on the average since it began, as much as the least rate:
/// who brings a little at a time would have its place for days.
struct Pace<'a> {
    settings: &'a Upload,
    began: Instant,
    length: u64,
    mark: u64,
    deadline: Instant,
}

impl<'a> Pace<'a> {
    fn new(settings: &'a Upload, now: Instant) -> Self {
        Self { settings, began: now, length: 0, mark: PROGRESS, deadline: now + settings.progress_deadline }
    }

    /// So many bytes more have come.
    fn add(&mut self, bytes: u64, now: Instant) {
        self.length += bytes;
        if self.length >= self.mark {
            self.mark = self.length + PROGRESS;
            self.deadline = now + self.settings.progress_deadline;
        }
    }

    /// Until when more has to come.
    fn due(&self) -> Instant {
        let Upload { progress_deadline, least_rate, .. } = self.settings;
        let earned = Duration::from_secs_f64(self.length as f64 / f64::from(least_rate.get()));
        self.deadline.min(self.began + *progress_deadline + earned)
    }
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

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    /// After how many seconds somebody is given up who brings so many bytes in each, and never ends.
    fn given_up(bytes: u64) -> Option<u64> {
        let rate = NonZeroU32::new(1_000).expect("it is more than none");
        let progress_deadline = Duration::from_secs(100);
        let settings = Upload { least_rate: rate, progress_deadline, ..Upload::default() };
        let began = Instant::now();
        let mut pace = Pace::new(&settings, began);
        (1..=86_400).find(|&second| {
            let now = began + Duration::from_secs(second);
            let is_late = pace.due() < now;
            pace.add(bytes, now);
            is_late
        })
    }

    #[test]
    fn who_brings_a_little_at_a_time_is_given_up_by_the_average() {
        // 64 KiB come in 94 of the 100 seconds that they may take; but t seconds are due for 100 + 0.7 t.
        assert!(given_up(700).is_some_and(|seconds| (330..340).contains(&seconds)));
        assert_eq!(given_up(10), Some(101), "by the first 64 KiB already");
    }

    #[test]
    fn who_keeps_the_average_may_take_as_long_as_the_file_is() {
        assert_eq!(given_up(1_000), None);
    }
}
