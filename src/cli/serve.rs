//! `registry serve`: the API, the playground and health checks, until a signal.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, bail};
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::background::Background;
use super::installation::Installation;
use super::{demonstration, examples};
use crate::actions::onboarding::retention::Keeps;
use crate::actions::onboarding::worker::WorkerSettings;
use crate::clock::Clock;
use crate::config::{Config, Days, HttpSettings, InstallationSettings, Listen, Problems, Seconds, Trust};
use crate::http::auth::Authority;
use crate::http::auth::provider::Provider;
use crate::http::playground::{self, MakeSettings};
use crate::http::settings::Settings;
use crate::http::{Front, open, server};
use crate::store::Database;

/// How the API is served.
#[derive(Args, Debug)]
pub struct Serve {
    #[command(flatten)]
    listen: Listen,

    /// Fills an empty registry with invented people, and puts a token for each role into the playground.
    #[arg(long)]
    demo: bool,

    /// Number of invented people.
    #[arg(long, default_value_t = 20_000, requires = "demo")]
    demo_participants: u64,

    /// Serves no playground. In production there is none anyway.
    #[arg(long, env = "REGISTRY_NO_PLAYGROUND")]
    no_playground: bool,

    /// Interval of the seals of the audit trail. Tampering with entries that are not sealed yet cannot be detected.
    #[arg(long, env = "REGISTRY_AUDIT_SEAL_INTERVAL", value_name = "DURATION", default_value_t = Seconds::of(10))]
    audit_seal_interval: Seconds,

    /// Onboardings that this process applies at the same time. 0: other processes do it.
    #[arg(long, env = "REGISTRY_ONBOARDING_WORKERS", default_value_t = 1)]
    onboarding_workers: u64,

    /// How long a worker of onboardings may be silent, before another process takes its work over.
    #[arg(long, env = "REGISTRY_ONBOARDING_LEASE", value_name = "DURATION", default_value_t = Seconds::of(8))]
    onboarding_lease: Seconds,

    /// How long the rows of an onboarding are kept after its end, and with them its report.
    #[arg(long, env = "REGISTRY_REPORT_DAYS", value_name = "DURATION", default_value_t = Days::of(Keeps::default().report_days.into()))]
    report_days: Days,

    /// How long an onboarding waits for its file or its approval, before it is cancelled.
    #[arg(long, env = "REGISTRY_WAITING_DAYS", value_name = "DURATION", default_value_t = Days::of(Keeps::default().waiting_days.into()))]
    waiting_days: Days,

    #[command(flatten)]
    http: HttpSettings,
}

/// Everything that `serve` reads from flags and environment.
struct Checked {
    installation: InstallationSettings,
    trust: Trust,
    background: Background,
    http: Settings,
}

/// What a login that owns the tables is told in production.
pub(super) const OWNER_SERVES: &str = "DATABASE_URL: in production the registry serves under a login that does not own its \
     tables, because row security does not bind their owner. Use the owner's login for `registry migrate` alone; see \
     docs/operating.md";

impl Serve {
    /// Serves until a signal to stop.
    ///
    /// # Errors
    /// Settings are wrong, the port is taken, or the database cannot be used.
    pub async fn run(self, config: &Config, clock: Clock) -> anyhow::Result<()> {
        let Checked { installation, trust, background, http } = self.check(config).await?;
        let provider = match trust.provider {
            Some(settings) => Some(Provider::open(settings).await?),
            None => None,
        };
        let authority = Authority::new(trust.own, provider);
        // The port first, because this is quick to find out.
        let listener = TcpListener::bind(self.listen.listen).await;
        let listener =
            listener.with_context(|| format!("REGISTRY_LISTEN: {} cannot be used", self.listen.listen))?;
        let metrics = match self.listen.metrics_listen {
            Some(address) => {
                let listener = TcpListener::bind(address).await;
                Some(listener.with_context(|| format!("REGISTRY_METRICS_LISTEN: {address} cannot be used"))?)
            }
            None => None,
        };
        let installation = Installation::open_with(installation).await?;
        let database = Arc::clone(&installation.database);
        if config.is_production() && !installation.is_private && database.login_is_owner {
            bail!(OWNER_SERVES);
        }
        if self.demo {
            demonstration::prepare(&database, self.demo_participants).await?;
        }
        let clock = clock.behind(database.days_behind().await?);
        let mut tasks = background.start(&database, &authority, clock);
        let playground = !self.no_playground && !config.is_production();
        let front = Front {
            database: Arc::clone(&database),
            authority,
            clock,
            settings: Settings { metrics: metrics.is_some(), ..http },
            playground: playground.then(|| self.playground_settings(&database, clock)),
        };
        let address = listener.local_addr()?;
        if self.demo {
            demonstration::welcome(&database, clock, &config.data_dir, address).await?;
        }
        let page = if playground { ", playground at /" } else { "" };
        tracing::info!(%address, "serving: API at /graphql{page}, schema at /schema.graphql");
        let (stop, exchanged) = (stop_signal()?, AtomicBool::new(false));
        let stop = async {
            tokio::select! {
                () = stop => {}
                () = database.key_exchanged() => exchanged.store(true, Ordering::Relaxed),
            }
        };
        let mut open = open(front);
        if let (Some(listener), Some(sources)) = (metrics, open.metrics.take()) {
            let address = listener.local_addr()?;
            tracing::info!(%address, "serving: metrics at /metrics");
            tasks.push(tokio::spawn(sources.serve(listener)));
        }
        server::serve(listener, open, stop).await;
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
        installation.close().await;
        if exchanged.into_inner() {
            bail!("the identity key was exchanged for another one: start again with it as REGISTRY_KEY_FILE");
        }
        tracing::info!("stopped");
        Ok(())
    }

    /// Reads all settings, and reports everything that is wrong at once.
    async fn check(&self, config: &Config) -> Result<Checked, Problems> {
        let mut problems = Problems::default();
        let settings = self.settings(config, &mut problems).await;
        let installation = config.installation(&mut problems);
        let checked = settings.zip(installation).map(|((trust, background, http), installation)| Checked {
            installation,
            trust,
            background,
            http,
        });
        problems.finish(checked)
    }

    /// Returns the address to listen on.
    pub(super) const fn address(&self) -> SocketAddr {
        self.listen.listen
    }

    /// Reads all settings but those of the database and the keys.
    pub(super) async fn settings(
        &self,
        config: &Config,
        problems: &mut Problems,
    ) -> Option<(Trust, Background, Settings)> {
        if self.demo && config.is_production() {
            problems
                .add("--demo publishes tokens for everybody, and REGISTRY_ENV=production is for real people");
        }
        if self.demo && !self.listen.listen.ip().is_loopback() {
            problems.add(
                "REGISTRY_LISTEN: --demo publishes tokens for everybody, so it listens on this machine only",
            );
        }
        let trust = config.trust(problems);
        if self.demo && !config.is_production() && trust.as_ref().is_some_and(|trust| !trust.own) {
            problems
                .add("REGISTRY_OWN_TOKENS: --demo uses the installation's own tokens; do not turn them off");
        }
        let background = self.background(problems);
        let http = self.http.settings(config.environment, problems).await;
        trust.zip(http).map(|(trust, http)| (trust, background, http))
    }

    fn background(&self, problems: &mut Problems) -> Background {
        let seconds = |from, to| Seconds::of(from)..=Seconds::of(to);
        let mut days = |name, days, most| {
            let days = problems.within(name, days, Days::of(1)..=Days::of(most)).0.as_secs() / 86_400;
            u16::try_from(days).unwrap_or(u16::MAX)
        };
        let keeps = Keeps {
            report_days: days("REGISTRY_REPORT_DAYS", self.report_days, 3_650),
            waiting_days: days("REGISTRY_WAITING_DAYS", self.waiting_days, 365),
        };
        let lease = problems.within("REGISTRY_ONBOARDING_LEASE", self.onboarding_lease, seconds(2, 300)).0;
        Background {
            between_seals: problems
                .within("REGISTRY_AUDIT_SEAL_INTERVAL", self.audit_seal_interval, seconds(1, 3_600))
                .0,
            keeps,
            workers: problems.within("REGISTRY_ONBOARDING_WORKERS", self.onboarding_workers, 0..=16),
            worker: WorkerSettings { lease, ..WorkerSettings::default() },
        }
    }

    /// What the playground starts with. Tokens are signed anew at each visit.
    fn playground_settings(&self, database: &Arc<Database>, clock: Clock) -> MakeSettings {
        let (database, demo) = (Arc::clone(database), self.demo);
        Arc::new(move || playground::Settings {
            demo,
            tokens: if demo { demonstration::tokens(&database, clock) } else { Vec::new() },
            tabs: examples::tabs(),
        })
    }
}

fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: finishing the requests that are running");
    })
}
