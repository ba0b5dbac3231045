//! `registry serve`: the API, the playground and health, until a signal.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use strum::VariantArray as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::audit::hexadecimal;
use super::token::{self, Wanted};
use super::{Installation, demo, examples};
use crate::actions::lapse::lapse;
use crate::actions::onboarding::retention::{Keeps, Tidied, tidy};
use crate::actions::onboarding::worker::{self, WorkerSettings};
use crate::actions::register_client::Scope;
use crate::clock::Clock;
use crate::config::{Config, Environment, HttpSettings, Listen, Trust, write_private};
use crate::demo::SOUTH_SUMATRA_GOVERNMENT;
use crate::http::auth::provider::Provider;
use crate::http::auth::{self, Authority};
use crate::http::playground::{self, DemoToken, MakeSettings};
use crate::http::{Front, open, server};
use crate::store::audit::seal;
use crate::store::{Database, StoreError, count, idempotency};
use domain::actor::Role;

/// How the API is served.
#[derive(Args, Debug)]
pub struct Serve {
    #[command(flatten)]
    listen: Listen,

    /// Fills an empty register with people who do not exist, and puts a token for each role into the playground.
    #[arg(long)]
    demo: bool,

    /// People of the demonstration.
    #[arg(long, default_value_t = 20_000, requires = "demo")]
    demo_participants: u64,

    /// Serves no playground; in production there is none anyway.
    #[arg(long, env = "REGISTRY_NO_PLAYGROUND")]
    no_playground: bool,

    /// Seconds between two seals of the audit trail: what is done to entries that are not sealed yet does not show.
    #[arg(long, env = "REGISTRY_AUDIT_SEAL_INTERVAL", default_value_t = 10)]
    audit_seal_interval: u64,

    /// Onboardings that this process works at at once. 0: others do it.
    #[arg(long, env = "REGISTRY_ONBOARDING_WORKERS", default_value_t = 1)]
    onboarding_workers: u16,

    /// Seconds after which another process goes on with an onboarding whose worker is silent.
    #[arg(long, env = "REGISTRY_ONBOARDING_LEASE", default_value_t = 8)]
    onboarding_lease: u64,

    /// Days for which the rows of an onboarding that has ended are kept as they were sent, and with them its report.
    #[arg(long, env = "REGISTRY_REPORT_DAYS", default_value_t = Keeps::default().report_days)]
    report_days: u16,

    /// Days for which an onboarding waits for its file, or for an approval; then it is cancelled.
    #[arg(long, env = "REGISTRY_WAITING_DAYS", default_value_t = Keeps::default().waiting_days)]
    waiting_days: u16,

    #[command(flatten)]
    http: HttpSettings,
}

/// How long the tokens of a demonstration hold.
const DEMO_TOKEN_HOURS: i64 = 24;

impl Serve {
    /// Serves until a signal to stop.
    pub async fn run(self, config: &Config, clock: Clock) -> anyhow::Result<()> {
        let production = config.environment == Environment::Production;
        if production && self.demo {
            bail!("--demo: a demonstration gives its tokens to everybody; REGISTRY_ENV=production does not");
        }
        let Trust { own, provider } = config.trust()?;
        if self.demo && !own {
            bail!(
                "--demo: its tokens are the installation's own, and REGISTRY_OWN_TOKENS says that they do not hold"
            );
        }
        if !(1..=3_600).contains(&self.audit_seal_interval) {
            bail!("REGISTRY_AUDIT_SEAL_INTERVAL must be between 1 and 3600 seconds");
        }
        if !(2..=300).contains(&self.onboarding_lease) {
            bail!("REGISTRY_ONBOARDING_LEASE must be between 2 and 300 seconds");
        }
        if self.onboarding_workers > 16 {
            bail!("REGISTRY_ONBOARDING_WORKERS must be between 0 and 16");
        }
        let keeps = self.keeps()?;
        let settings = self.http.settings(config.environment).await?;
        if self.demo && !self.listen.listen.ip().is_loopback() {
            bail!(
                "REGISTRY_LISTEN: a demonstration gives its tokens to everybody, so it listens on this machine only"
            );
        }
        let provider = match provider {
            Some(settings) => Some(Provider::open(settings).await?),
            None => None,
        };
        let authority = Authority::new(own, provider);
        // The port first: if it is taken, nothing else needs to be started for nothing.
        let listener = TcpListener::bind(self.listen.listen).await;
        let listener =
            listener.with_context(|| format!("REGISTRY_LISTEN: {} cannot be used", self.listen.listen))?;
        let installation = Installation::open(config).await?;
        let database = Arc::clone(&installation.database);
        if production && installation.cluster.is_none() && database.login_is_owner {
            bail!(
                "DATABASE_URL: in production the registry serves under a login that does not own its tables, so that \
                 row security holds whatever happens; `registry migrate` runs under the owner's. See \"In production\" \
                 in README.md"
            );
        }
        if self.demo {
            self.fill(&database).await?;
        }
        let clock = clock.behind(database.days_behind().await?);
        let chores =
            start_chores(&database, &authority, Duration::from_secs(self.audit_seal_interval), keeps, clock);
        let pace =
            WorkerSettings { lease: Duration::from_secs(self.onboarding_lease), ..WorkerSettings::default() };
        let workers: Vec<_> = (0..self.onboarding_workers)
            .map(|_| tokio::spawn(work_at_onboardings(Arc::clone(&database), clock, pace)))
            .collect();
        let front = Front {
            database: Arc::clone(&database),
            authority,
            clock,
            settings,
            playground: (!self.no_playground && !production).then(|| self.make_settings(&database, clock)),
        };
        let address = listener.local_addr()?;
        if self.demo {
            self.welcome(&database, clock, &config.data_dir, address).await?;
        }
        match self.no_playground || production {
            true => tracing::info!(%address, "serving: API at /graphql, schema at /schema.graphql"),
            false => {
                tracing::info!(%address, "serving: API at /graphql, playground at /, schema at /schema.graphql");
            }
        }
        let (stop, exchanged) = (stop_signal()?, AtomicBool::new(false));
        let stop = async {
            tokio::select! {
                () = stop => {}
                () = database.key_exchanged() => exchanged.store(true, Ordering::Relaxed),
            }
        };
        server::serve(listener, open(front), stop).await;
        // What a worker has not committed is done by the next one.
        chores.iter().chain(&workers).for_each(tokio::task::JoinHandle::abort);
        installation.close().await;
        if exchanged.into_inner() {
            bail!("the identity key was exchanged for another one: start again with it as REGISTRY_KEY_FILE");
        }
        tracing::info!("stopped");
        Ok(())
    }

    fn keeps(&self) -> anyhow::Result<Keeps> {
        if !(1..=3_650).contains(&self.report_days) {
            bail!("REGISTRY_REPORT_DAYS must be between 1 and 3650 days");
        }
        if !(1..=365).contains(&self.waiting_days) {
            bail!("REGISTRY_WAITING_DAYS must be between 1 and 365 days");
        }
        Ok(Keeps { report_days: self.report_days, waiting_days: self.waiting_days })
    }

    /// Fills an empty register, and refuses one that was filled by somebody else: the tokens of a demonstration are for
    /// everybody who opens its page.
    async fn fill(&self, database: &Arc<Database>) -> anyhow::Result<()> {
        let (filled, is_demo): (bool, bool) = sqlx::query_as(
            "select exists (select from employer) or exists (select from participant), is_demo from installation",
        )
        .fetch_one(&database.writer)
        .await?;
        if filled && !is_demo {
            bail!(
                "--demo: this register holds people whom the demonstration has not made up; serve it without --demo"
            );
        }
        if !filled {
            let summary = demo::load(database, self.demo_participants).await?;
            tracing::info!(participants = summary.participants, "loaded people who do not exist");
        }
        for (_, client) in demo_clients() {
            token::ensure(database, &client, true).await?;
        }
        Ok(())
    }

    /// What the playground starts with; tokens are signed anew at each visit.
    fn make_settings(&self, database: &Arc<Database>, clock: Clock) -> MakeSettings {
        let (database, demo) = (Arc::clone(database), self.demo);
        Arc::new(move || playground::Settings {
            demo,
            tokens: if demo { demo_tokens(&database, clock) } else { Vec::new() },
            tabs: examples::tabs(),
        })
    }

    /// Says what is there and what to try.
    async fn welcome(
        &self,
        database: &Arc<Database>,
        clock: Clock,
        data_dir: &Path,
        address: std::net::SocketAddr,
    ) -> anyhow::Result<()> {
        let request = write_request(data_dir).await?;
        let mut text = format!(
            "\n  Participant registry, with people who do not exist.\n\n  \
             playground   http://{address}/\n  API          http://{address}/graphql\n  \
             schema       http://{address}/schema.graphql\n\n  Tokens for {DEMO_TOKEN_HOURS} hours:\n"
        );
        for token in demo_tokens(database, clock) {
            text.push_str(&format!("    {:<15} {}\n", token.role, token.token));
        }
        text.push_str(&examples::things_to_try(address, &request));
        std::io::stderr().write_all(text.as_bytes())?;
        Ok(())
    }
}

/// The roster of South Sumatra as one request of the API, for whoever wants to send it.
async fn write_request(data_dir: &Path) -> anyhow::Result<PathBuf> {
    let path = data_dir.join("south-sumatra.json");
    let _ = std::fs::remove_file(&path);
    tokio::fs::create_dir_all(data_dir).await?;
    write_private(&path, &examples::south_sumatra_request()?)?;
    Ok(path)
}

/// A client for each role, and what the playground calls it. Partners see the people of South Sumatra's government;
/// officers, those of the province.
fn demo_clients() -> Vec<(&'static str, Wanted)> {
    let of_role = |&role: &Role| {
        let (label, scope) = match role {
            Role::Partner => {
                let scope = Scope { employer: Some(SOUTH_SUMATRA_GOVERNMENT), ..Scope::default() };
                ("Partner: the government of South Sumatra", scope)
            }
            Role::Officer => {
                let scope = Scope { province_codes: vec!["16".to_owned()], ..Scope::default() };
                ("Officer: South Sumatra", scope)
            }
            Role::Administrator => ("Administrator: the whole country", Scope::default()),
            Role::Approver => ("Approver", Scope::default()),
            Role::LicensingDesk => ("Licensing desk", Scope::default()),
            Role::Analyst => ("Analyst: figures only", Scope::default()),
            Role::Auditor => ("Auditor", Scope::default()),
        };
        let name = format!("demo-{}", role.to_string().to_lowercase());
        let reads_personal_data = role == Role::Administrator;
        (label, Wanted { name, role, scope, reads_personal_data })
    };
    Role::VARIANTS.iter().map(of_role).collect()
}

/// A token for each of them.
fn demo_tokens(database: &Database, clock: Clock) -> Vec<DemoToken> {
    let now = clock.system_now();
    let until = now + chrono::Duration::hours(DEMO_TOKEN_HOURS);
    let sign = |(label, client): (&'static str, Wanted)| {
        let token = auth::issue(&database.keys, &client.name, (now, until)).ok()?;
        Some(DemoToken { role: client.role.to_string(), label: label.to_owned(), token })
    };
    demo_clients().into_iter().filter_map(sign).collect()
}

/// What goes on beside the requests.
fn start_chores(
    database: &Arc<Database>,
    authority: &Authority,
    between_seals: Duration,
    keeps: Keeps,
    clock: Clock,
) -> [tokio::task::JoinHandle<()>; 7] {
    [
        // A look costs nothing once the day is done.
        tokio::spawn(repeat(
            Duration::from_secs(60),
            Arc::clone(database),
            async move |database: &Database| let_lapse(database, clock).await,
        )),
        tokio::spawn(repeat(between_seals, Arc::clone(database), seal_audit_trail)),
        tokio::spawn(authority.clone().renew_keys()),
        tokio::spawn(Arc::clone(database).follow_reference()),
        tokio::spawn(repeat(Duration::from_secs(1), Arc::clone(database), async |database: &Database| {
            count::fold(&database.control).await.map(|_| ())
        })),
        tokio::spawn(repeat(
            Duration::from_secs(3_600),
            Arc::clone(database),
            async |database: &Database| idempotency::forget_old(&database.control).await.map(|_| ()),
        )),
        tokio::spawn(repeat(
            Duration::from_secs(3_600),
            Arc::clone(database),
            async move |database: &Database| tidy_onboardings(database, keeps).await,
        )),
    ]
}

/// How long a worker rests that has found nothing, or no database.
const REST: Duration = Duration::from_millis(500);

/// Plans and applies onboardings, whoever has received them.
async fn work_at_onboardings(database: Arc<Database>, clock: Clock, pace: WorkerSettings) {
    loop {
        match worker::work(&database, clock.today(), pace, None).await {
            Ok(true) => {}
            Ok(false) | Err(_) => tokio::time::sleep(REST).await,
        }
    }
}

async fn tidy_onboardings(database: &Database, keeps: Keeps) -> Result<(), StoreError> {
    let Tidied { ended, discarded } = tidy(database, keeps).await?;
    if ended + discarded > 0 {
        tracing::info!(ended, discarded, "ended onboardings that waited too long, and discarded old rows");
    }
    Ok(())
}

async fn let_lapse(database: &Database, clock: Clock) -> Result<(), StoreError> {
    if let Some(lapsed) = lapse(database, clock.today()).await? {
        tracing::info!(lapsed, "looked for enrollments whose grace is over");
    }
    Ok(())
}

/// The head goes to the log, which is kept elsewhere: so it shows when seals are cut off later.
async fn seal_audit_trail(database: &Database) -> Result<(), StoreError> {
    match seal::seal(database).await {
        Ok(Some(head)) => {
            tracing::info!(seal = head.number, head = hexadecimal(&head.hash), "sealed the audit trail");
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(error) => {
            tracing::warn!(%error, "the audit trail is not sealed; trying again");
            Err(error)
        }
    }
}

/// Does a chore again and again; one that fails is tried again in its turn.
async fn repeat(
    every: Duration,
    database: Arc<Database>,
    chore: impl AsyncFn(&Database) -> Result<(), StoreError>,
) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = chore(&database).await {
            tracing::debug!(%error, "a chore failed and will be tried again");
        }
    }
}

fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: finishing what is under way");
    })
}
