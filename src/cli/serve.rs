//! `registry serve`: the API, the pages, the playground and health checks, until a signal.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, bail};
use clap::Args;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

use super::background::{self, Background, Failures};
use super::certificate;
use super::installation::Installation;
use super::long_work::LongWork;
use super::{demonstration, examples};
use crate::actions::onboarding::retention::RetentionPeriods;
use crate::actions::onboarding::worker::WorkerSettings;
use crate::clock::Clock;
use crate::config::{
    Config, Days, HttpSettings, InstallationSettings, Listen, PagesSettings, Problems, Seconds, ServedPages,
    Trust,
};
use crate::http::auth::Authority;
use crate::http::auth::provider::Provider;
use crate::http::pages::{self, Pages};
use crate::http::playground::{self, MakeSettings};
use crate::http::settings::Settings;
use crate::http::{ServerParts, build, server};
use crate::store::Database;
use crate::store::examination::{Finding, Level};
use crate::telemetry::SpanSender;
use crate::telemetry::traces::Traces;

/// The arguments of `registry serve`.
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

    /// Turns off the playground. It is always off in production.
    #[arg(long, env = "REGISTRY_NO_PLAYGROUND")]
    no_playground: bool,

    /// Interval of the seals of the audit trail. Tampering with entries that are not sealed yet cannot be detected.
    #[arg(long, env = "REGISTRY_AUDIT_SEAL_INTERVAL", value_name = "DURATION", default_value_t = Seconds::of(10))]
    audit_seal_interval: Seconds,

    /// Onboardings that this process applies at the same time. 0: other processes do it.
    #[arg(long, env = "REGISTRY_ONBOARDING_WORKERS", default_value_t = 1)]
    onboarding_workers: u64,

    /// How long an onboarding worker may go without renewing its lease, before another process takes its work over.
    #[arg(long, env = "REGISTRY_ONBOARDING_LEASE", value_name = "DURATION", default_value_t = Seconds::of(8))]
    onboarding_lease: Seconds,

    /// How long the rows of an onboarding are kept after its end, and with them its report.
    #[arg(long, env = "REGISTRY_REPORT_DAYS", value_name = "DURATION", default_value_t = Days::of(RetentionPeriods::default().report_days.into()))]
    report_days: Days,

    /// How long an onboarding waits for its file or its approval, before it is cancelled.
    #[arg(long, env = "REGISTRY_WAITING_DAYS", value_name = "DURATION", default_value_t = Days::of(RetentionPeriods::default().waiting_days.into()))]
    waiting_days: Days,

    #[command(flatten)]
    pages: PagesSettings,

    #[command(flatten)]
    http: HttpSettings,
}

/// The settings of `serve` from flags and environment, but for those of the database and the keys.
pub(super) struct ServeSettings {
    pub(super) trust: Trust,
    background: Background,
    pages: ServedPages,
    pub(super) http: Settings,
}

/// What a login that owns the tables is told in production.
pub(super) const OWNER_SERVES: &str = "DATABASE_URL: in production the registry serves under a login that does not own its \
     tables, because row security does not bind their owner. Use the owner's login for `registry migrate` alone; see \
     docs/operating.md";

impl Serve {
    /// Serves until a signal to stop arrives.
    ///
    /// # Errors
    /// Settings are wrong, the port is taken, or the database cannot be used.
    pub async fn run(
        self,
        config: &Config,
        clock: Clock,
        traces: Option<(Traces, SpanSender)>,
    ) -> anyhow::Result<()> {
        let (settings, installation) = self.check(config).await?;
        self.warn_of_certificate(clock);
        let (traces, spans) = traces.map(|(traces, sender)| (traces, sender.start())).unzip();
        let ServeSettings { trust, background, pages, mut http } = settings;
        let long_work = LongWork::start().context("no threads for long work")?;
        http.graphql.long_work = Some(long_work.handle().clone());
        let provider = match trust.provider {
            Some(settings) => Some(Provider::open(settings).await?),
            None => None,
        };
        let authority = Authority::new(trust.own, provider.clone());
        // The ports are bound before the database is opened, because a port that is in use shows at once.
        let (listener, metrics) = self.bind().await?;
        let installation = self.open(config, installation).await?;
        let database = Arc::clone(&installation.database);
        let clock = clock.behind(database.days_behind().await?);
        database.require_begun(clock.today()).await.context("run a time service on both machines")?;
        let playground = !self.no_playground && !config.is_production();
        let has_schema = http.graphql.limits.introspection;
        let pages = self.pages(&pages, (playground, http.public_figures), &database, clock);
        let parts = ServerParts {
            database: Arc::clone(&database),
            authority: authority.clone(),
            clock,
            settings: Settings { metrics: metrics.is_some(), traces, ..http },
            playground: playground.then(|| self.playground_settings(&database, clock)),
            pages: pages.map(|pages| match provider {
                Some(provider) => pages.with_token_endpoint(Arc::new(move || provider.token_endpoint())),
                None => pages,
            }),
        };
        self.announce(&parts, has_schema, (&config.data_dir, listener.local_addr()?)).await?;
        let (stop, rotated) = (stop_signal()?, AtomicBool::new(false));
        let stop = async {
            tokio::select! {
                () = stop => {}
                () = database.key_rotated() => rotated.store(true, Ordering::Relaxed),
            }
        };
        let mut built = build(parts);
        let recorded_in = built.metrics.as_ref().map(|sources| sources.metrics().clone());
        let failures = Failures::recorded_in(recorded_in);
        let mut tasks = background.start(&database, &authority, clock, long_work.handle(), &failures);
        if let (Some(listener), Some(sources)) = (metrics, built.metrics.take()) {
            let address = listener.local_addr()?;
            tracing::info!(%address, "serving: metrics at /metrics");
            tasks.push(tokio::spawn(sources.serve(listener)));
        }
        let shared_limits = Arc::clone(&built.shared_limits);
        let (renewed, of_limits) = (Arc::clone(&shared_limits), Arc::clone(&database));
        let renew = move || Arc::clone(&renewed).keep_renewing(Arc::clone(&of_limits));
        tasks.push(background::keep(&Handle::current(), "shared_limits", &failures, renew));
        server::serve(listener, built, stop).await;
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
        if let Some(spans) = spans {
            spans.finish().await;
        }
        if let Err(error) = shared_limits.leave(&database).await {
            tracing::debug!(%error, "the registration of this server expires by itself");
        }
        installation.close().await;
        if rotated.into_inner() {
            bail!(
                "the key of the identity numbers was rotated: start again with the new key as REGISTRY_KEY_FILE"
            );
        }
        tracing::info!("stopped");
        Ok(())
    }

    /// Warns of a certificate that clients refuse, or will soon.
    fn warn_of_certificate(&self, clock: Clock) {
        let found = self.certificate().and_then(|file| certificate::examine(file, clock.now()));
        if let Some(Finding { text, .. }) = found.filter(|found| found.level > Level::Ok) {
            tracing::warn!("{text}");
        }
    }

    /// Binds the port of the API, and the one of the metrics if there are any.
    async fn bind(&self) -> anyhow::Result<(TcpListener, Option<TcpListener>)> {
        let bind = async |setting: &str, address: SocketAddr| {
            let listener = TcpListener::bind(address).await;
            listener.with_context(|| format!("{setting}: {address} cannot be used"))
        };
        let api = bind("REGISTRY_LISTEN", self.listen.listen).await?;
        let metrics = match self.listen.metrics_listen {
            Some(address) => Some(bind("REGISTRY_METRICS_LISTEN", address).await?),
            None => None,
        };
        Ok((api, metrics))
    }

    /// Opens the database, and fills it for a demonstration.
    async fn open(&self, config: &Config, settings: InstallationSettings) -> anyhow::Result<Installation> {
        let installation = Installation::open_with(settings).await?;
        let database = &installation.database;
        if config.is_production() && !installation.is_private && database.login_is_owner {
            bail!(OWNER_SERVES);
        }
        if self.demo {
            demonstration::prepare(database, self.demo_participants).await?;
        } else if !config.is_production() && !installation.is_private {
            tracing::warn!("this is development mode; for data of real people set REGISTRY_ENV=production");
        }
        Ok(installation)
    }

    /// Says where the server is found.
    async fn announce(
        &self,
        parts: &ServerParts,
        has_schema: bool,
        (data_dir, address): (&Path, SocketAddr),
    ) -> anyhow::Result<()> {
        if self.demo {
            demonstration::welcome(&parts.database, parts.clock, data_dir, address).await?;
        }
        let page = if parts.playground.is_some() { ", playground at /" } else { "" };
        let coverage = if parts.pages.is_some() { ", pages at /coverage and /onboarding" } else { "" };
        let schema = if has_schema { ", schema at /schema.graphql" } else { "" };
        tracing::info!(%address, "serving: API at /graphql{page}{coverage}{schema}");
        Ok(())
    }

    /// Reads all settings, and reports all problems at once.
    async fn check(&self, config: &Config) -> Result<(ServeSettings, InstallationSettings), Problems> {
        let mut problems = Problems::default();
        let settings = self.settings(config, &mut problems).await;
        let installation = config.installation(&mut problems);
        problems.finish(settings.zip(installation))
    }

    /// Returns the file with the server's own certificate.
    pub(super) fn certificate(&self) -> Option<&Path> {
        self.http.tls_cert.as_deref()
    }

    /// Returns the address to listen on.
    pub(super) const fn address(&self) -> SocketAddr {
        self.listen.listen
    }

    /// Reads all settings but those of the database and the keys.
    pub(super) async fn settings(&self, config: &Config, problems: &mut Problems) -> Option<ServeSettings> {
        if self.demo && config.is_production() {
            problems.add(
                "--demo gives tokens to everybody who opens its page; it does not run with \
                 REGISTRY_ENV=production",
            );
        }
        if self.demo && !self.listen.listen.ip().is_loopback() {
            problems.add(
                "REGISTRY_LISTEN: --demo gives tokens to everybody who opens its page; listen on a loopback address",
            );
        }
        let trust = config.trust(problems);
        if self.demo && !config.is_production() && trust.as_ref().is_some_and(|trust| !trust.own) {
            problems.add(
                "REGISTRY_OWN_TOKENS: --demo needs tokens signed with the installation's own key; do not turn \
                 them off",
            );
        }
        let pages = self.pages.served(trust.as_ref(), config.environment, problems);
        let background = self.background(problems);
        let http = self.http.settings(config.environment, problems).await;
        let (trust, http) = trust.zip(http)?;
        Some(ServeSettings { trust, background, pages, http })
    }

    fn background(&self, problems: &mut Problems) -> Background {
        let seconds = |from, to| Seconds::of(from)..=Seconds::of(to);
        let mut days = |name, days, most| {
            let days = problems.within(name, days, Days::of(1)..=Days::of(most)).0.as_secs() / 86_400;
            u16::try_from(days).unwrap_or(u16::MAX)
        };
        let retention = RetentionPeriods {
            report_days: days("REGISTRY_REPORT_DAYS", self.report_days, 3_650),
            waiting_days: days("REGISTRY_WAITING_DAYS", self.waiting_days, 365),
        };
        let lease = problems.within("REGISTRY_ONBOARDING_LEASE", self.onboarding_lease, seconds(2, 300)).0;
        Background {
            between_seals: problems
                .within("REGISTRY_AUDIT_SEAL_INTERVAL", self.audit_seal_interval, seconds(1, 3_600))
                .0,
            retention,
            workers: problems.within("REGISTRY_ONBOARDING_WORKERS", self.onboarding_workers, 0..=16),
            worker: WorkerSettings { lease, ..WorkerSettings::default() },
        }
    }

    /// Returns the web pages. They hand out the tokens of a demonstration only where the playground does too.
    fn pages(
        &self,
        served: &ServedPages,
        (playground, public_figures): (bool, bool),
        database: &Arc<Database>,
        clock: Clock,
    ) -> Option<Pages> {
        let provider = match served {
            ServedPages::None => return None,
            ServedPages::WithToken => None,
            ServedPages::WithProvider(sign_in) => Some(sign_in.clone()),
        };
        let (database, sign_in) = (Arc::clone(database), provider.clone());
        let has_tokens = self.demo && playground && provider.is_none();
        let settings = move || pages::Settings {
            tokens: if has_tokens { demonstration::tokens(&database, clock) } else { Vec::new() },
            provider: provider.clone(),
            playground,
            public_figures,
        };
        Some(Pages::new(sign_in.as_ref(), Arc::new(settings)))
    }

    /// Returns the settings of the playground. Each visit gets newly signed tokens.
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
    // Its terminal is gone. Under `nohup` the signal is ignored, and stays so.
    let mut hangup = if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) };
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = async { hangup.as_mut()?.recv().await }, if hangup.is_some() => {}
        }
        tracing::info!("stopping: finishing the requests that are running");
    })
}

/// Whether SIGHUP is ignored, as `nohup` sets it. Where the system does not tell, it is not.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask & 1 != 0
}
