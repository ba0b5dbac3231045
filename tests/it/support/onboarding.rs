//! Steps of an onboarding from a file.

use axum::body::Body;
use axum::http::{Request, header};
use participant_registry::actions::onboarding::worker::{WorkerSettings, work};
use participant_registry::http::settings::Settings;
use sha2::{Digest as _, Sha256};

use super::{App, Reply, Value, json};

/// The columns of [`line`].
pub const HEADER: &str = "NO;NIP;NIK;NAMA;TANGGAL LAHIR;JENIS KELAMIN;UNIT KERJA;GAJI POKOK";

const START: &str = "mutation ($input: StartOnboardingInput!) { startOnboarding(input: $input) {
    batch { id state uploadUrl } errors { code path message } } }";
const APPROVE: &str = "mutation ($input: ApproveOnboardingInput!) { approveOnboarding(input: $input) {
    batch { id state approvedBy } errors { code path } } }";
const CANCEL: &str = "mutation ($input: CancelOnboardingInput!) { cancelOnboarding(input: $input) {
    batch { state counts { received pending enrolled alreadyEnrolled rejected } cancelledBy cancelReason } errors { code path } } }";
const LOOK: &str = "query ($id: ID!) { onboardingBatch(id: $id) { state planDigest uploadUrl reportUrl submittedBy approvedBy
    monthlyContributions counts { received pending enrolled alreadyEnrolled rejected flagged }
    byProblem { code rows } byWorkUnit { workUnit counts { received pending enrolled } } problems { code path }
    rows(first: 3) { totalCount nodes { number line outcome } } } }";

/// A registry in which South Sumatra onboards civil servants.
pub struct Onboardings {
    pub app: App,
    pub employer: String,
    /// Token of the client that sends files.
    pub sender: String,
}

impl Onboardings {
    /// Creates an app with this chunk size. An administrator sends the files.
    pub async fn new(chunk_rows: usize) -> Self {
        let mut settings = Settings::default();
        settings.upload.chunk_rows = chunk_rows;
        let app = App::new().await.with_settings(settings);
        let employer = app.government("Pemerintah Provinsi Sumatera Selatan").await;
        app.channel("BR-PLG").await;
        let sender = app.administrator().await;
        Self { app, employer, sender }
    }

    /// Returns the default input of `startOnboarding`.
    pub fn input(&self) -> Value {
        json!({"employerId": self.employer, "channelCode": "BR-PLG", "provinceCode": "16", "startsOn": "2014-11-01",
               "fileName": "roster.csv"})
    }

    pub async fn start_with(&self, input: &Value) -> Value {
        self.app.ask_as(&self.sender, START, json!({"input": input})).await["startOnboarding"].take()
    }

    /// Starts a batch with these fields changed. Returns its id.
    pub async fn start(&self, changed: Value) -> String {
        let mut input = self.input();
        for (field, value) in changed.as_object().unwrap() {
            input[field] = value.clone();
        }
        let payload = self.start_with(&input).await;
        assert_eq!(payload["errors"], json!([]), "{payload}");
        payload["batch"]["id"].as_str().unwrap().to_owned()
    }

    /// Uploads a file with a token.
    pub async fn upload_as(&self, token: &str, batch: &str, file: impl Into<Body>) -> Reply {
        let request = Request::put(format!("/onboarding/{batch}/file"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(file.into());
        self.app.send(request.unwrap()).await
    }

    pub async fn upload(&self, batch: &str, file: impl Into<Body>) -> Reply {
        self.upload_as(&self.sender, batch, file).await
    }

    /// Starts a batch and uploads its file. Returns its id.
    pub async fn start_and_upload(&self, changed: Value, file: &str) -> String {
        let batch = self.start(changed).await;
        let reply = self.upload(&batch, file.to_owned()).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        batch
    }

    /// Runs the worker until no batch waits.
    pub async fn work(&self) {
        while self.work_once().await {}
    }

    /// Runs one time slice of a worker, as short as possible.
    pub async fn work_once(&self) -> bool {
        let pace = WorkerSettings { time_slice: std::time::Duration::ZERO, ..WorkerSettings::default() };
        work(&self.app.database, "2014-10-02".parse().unwrap(), pace, None).await.unwrap()
    }

    pub async fn fetch(&self, batch: &str) -> Value {
        self.fetch_as(&self.sender, batch).await
    }

    pub async fn fetch_as(&self, token: &str, batch: &str) -> Value {
        self.app.ask_as(token, LOOK, json!({"id": batch})).await["onboardingBatch"].take()
    }

    pub async fn approve(&self, token: &str, batch: &str, digest: &str) -> Value {
        let input = json!({"batchId": batch, "planDigest": digest});
        self.app.ask_as(token, APPROVE, json!({"input": input})).await["approveOnboarding"].take()
    }

    pub async fn cancel(&self, token: &str, batch: &str) -> Value {
        let input = json!({"batchId": batch, "reason": "Salah berkas"});
        self.app.ask_as(token, CANCEL, json!({"input": input})).await["cancelOnboarding"].take()
    }

    /// Downloads the report of a batch.
    pub async fn report(&self, token: &str, batch: &str, purpose: Option<&str>) -> Reply {
        let mut request = Request::get(format!("/onboarding/{batch}/report.csv"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        if let Some(purpose) = purpose {
            request = request.header("x-purpose", purpose);
        }
        self.app.send(request.body(Body::empty()).unwrap()).await
    }
}

/// Returns a valid line of a roster.
pub fn line(n: u32) -> String {
    let row = super::row(n);
    let cell = |field: &str| row[field].as_str().unwrap().to_owned();
    let (nip, nik, born) = (cell("serviceNumber"), cell("nationalId"), cell("birthDate"));
    format!("{n};{nip};{nik};Budi Santoso;{born};L;Dinas Kesehatan;4.250.000,00")
}

/// Returns a roster of these lines.
pub fn roster(lines: impl IntoIterator<Item = String>) -> String {
    std::iter::once(HEADER.to_owned()).chain(lines).collect::<Vec<_>>().join("\n")
}

/// Returns the SHA-256 digest in hexadecimal.
pub fn sha256(file: &str) -> String {
    hex::encode(Sha256::digest(file))
}

/// Returns the counts after checking their sum.
#[track_caller]
pub fn sums(counts: &Value) -> [i64; 5] {
    let [received, pending, enrolled, already, rejected] =
        ["received", "pending", "enrolled", "alreadyEnrolled", "rejected"]
            .map(|field| counts[field].as_i64().unwrap());
    assert_eq!(received, pending + enrolled + already + rejected, "{counts}");
    [received, pending, enrolled, already, rejected]
}
