//! What a live run answers while it runs: metrics over HTTP, and a control socket.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use clap::Args;

use crate::alert::Notice;
use crate::cli::run::now;
use crate::config::Plan;
use crate::console::control::{ControlListener, ControlServer};
use crate::console::http::{MetricsListener, MetricsOptions, MetricsServer, TlsFiles};
use crate::console::process::Meter;
use crate::console::{Evidence, Indicators, Output, Sensor, SensorFacts, Snapshot};
use crate::feed::LoadReport;
use crate::metrics::Tally;
use crate::pipeline::EvidenceFigures;
use crate::pipeline::live::Control;
use crate::pipeline::reload::Request;
use crate::sink::OutputStatus;

/// A reload that takes longer goes on, and who asked for it is told so.
const RELOAD_TIME: Duration = Duration::from_secs(590);

/// How often it is looked whether a reload is over.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Who may ask, and where.
#[derive(Debug, Clone, Args)]
pub(super) struct ConsoleArgs {
    /// Serve metrics for Prometheus (/metrics) and health (/healthz) at this address; on this machine alone if none is given with it.
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = "127.0.0.1:9477")]
    metrics: Option<SocketAddr>,
    /// Certificate chain, in PEM, to serve metrics over HTTPS with.
    #[arg(long, value_name = "FILE", requires_all = ["metrics", "metrics_key"])]
    metrics_certificate: Option<PathBuf>,
    /// Its private key.
    #[arg(long, value_name = "FILE", requires = "metrics_certificate")]
    metrics_key: Option<PathBuf>,
    /// Answer `picket status`, `picket reload` and `picket stop` at this socket.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

/// What listens and does not answer yet: to be opened before privileges are given up.
pub(super) struct Listeners {
    metrics: Option<MetricsListener>,
    control: Option<ControlListener>,
    meter: Meter,
}

/// Answers until it is dropped.
pub(super) struct Serving {
    _metrics: Option<MetricsServer>,
    /// Last: that its socket is gone says that the run is over.
    _control: Option<ControlServer>,
}

/// The run, as it is asked.
pub(super) struct Running {
    control: Arc<Control>,
    meter: Mutex<Meter>,
    actions: Mutex<Tally<&'static str>>,
    is_last_refused: AtomicBool,
    outputs: Mutex<Vec<(OutputStatus, u64)>>,
    stale_after: Duration,
    report: Arc<Mutex<LoadReport>>,
    evidence: Arc<EvidenceFigures>,
    start: Instant,
}

impl ConsoleArgs {
    /// What a configuration says.
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            metrics: plan.metrics.is_enabled.then_some(plan.metrics.listen),
            metrics_certificate: plan.metrics.tls_certificate.clone(),
            metrics_key: plan.metrics.tls_key.clone(),
            socket: Some(plan.control.socket.clone()),
        }
    }
}

impl ConsoleArgs {
    /// The files that it reads, where it writes, and the port that it listens on.
    pub(super) fn needs(&self) -> (Vec<PathBuf>, Option<PathBuf>, Option<u16>) {
        let reads = [&self.metrics_certificate, &self.metrics_key].into_iter().flatten().cloned().collect();
        (reads, self.socket.clone(), self.metrics.map(|listen| listen.port()))
    }
}

impl Listeners {
    /// Opens what is asked for.
    ///
    /// # Errors
    /// An address or a path that cannot be had; a certificate that cannot be used.
    pub(super) fn open(args: &ConsoleArgs, withholds: bool, memory_limit_bytes: Option<u64>) -> anyhow::Result<Self> {
        let tls = args.metrics_certificate.clone().zip(args.metrics_key.clone());
        let tls = tls.map(|(certificate, key)| TlsFiles { certificate, key });
        let metrics = args.metrics.map(|listen| {
            let options = MetricsOptions { listen, tls, withholds };
            MetricsListener::open(&options).with_context(|| format!("cannot serve metrics at {listen}"))
        });
        let control = args.socket.as_ref().map(|path| {
            ControlListener::open(path).with_context(|| format!("cannot make the control socket {}", path.display()))
        });
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let meter = Meter::open(since.as_secs_f64(), memory_limit_bytes);
        Ok(Self { metrics: metrics.transpose()?, control: control.transpose()?, meter })
    }

    /// Begins to answer for a run.
    ///
    /// # Errors
    /// If there are no threads to be had.
    pub(super) fn serve(
        self,
        (control, evidence): (&Arc<Control>, &Arc<EvidenceFigures>),
        stale_after: Duration,
        report: Arc<Mutex<LoadReport>>,
    ) -> anyhow::Result<(Arc<Running>, Serving)> {
        let running = Arc::new(Running {
            control: Arc::clone(control),
            meter: Mutex::new(self.meter),
            actions: Mutex::default(),
            is_last_refused: AtomicBool::new(false),
            outputs: Mutex::default(),
            stale_after,
            report,
            evidence: Arc::clone(evidence),
            start: Instant::now(),
        });
        let sensor = || Arc::clone(&running) as Arc<dyn Sensor>;
        let metrics = self.metrics.map(|listener| listener.serve(sensor())).transpose()?;
        let control = self.control.map(|listener| listener.serve(sensor())).transpose()?;
        Ok((running, Serving { _metrics: metrics, _control: control }))
    }
}

impl Running {
    /// Is told how the outputs stand.
    pub(super) fn outputs(&self, statuses: Vec<(OutputStatus, u64)>) {
        *self.outputs.lock().unwrap_or_else(PoisonError::into_inner) = statuses;
    }

    /// Is told what goes by among the alerts.
    pub(super) fn notice(&self, notice: &Notice) {
        self.actions.lock().unwrap_or_else(PoisonError::into_inner).count(notice.action);
        match notice.action {
            "feed-refused" | "outputs-refused" => self.is_last_refused.store(true, Ordering::Relaxed),
            "feed-reloaded" => self.is_last_refused.store(false, Ordering::Relaxed),
            _ => {}
        }
    }
}

/// What beside feeds was taken.
fn also(told: &[String]) -> String {
    told.iter().map(|told| format!("; {told}")).collect()
}

impl Sensor for Running {
    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot {
            sensor: SensorFacts {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                uptime_seconds: self.start.elapsed().as_secs_f64(),
                is_stopping: self.control.is_stopped(),
            },
            process: self.meter.lock().unwrap_or_else(PoisonError::into_inner).read(),
            indicators: Indicators::from(&*self.report.lock().unwrap_or_else(PoisonError::into_inner)),
            ..Snapshot::default()
        };
        snapshot.reload.is_last_refused = self.is_last_refused.load(Ordering::Relaxed);
        let outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
        snapshot.outputs = outputs.iter().map(|(status, limit)| Output::new(status, *limit)).collect();
        drop(outputs);
        snapshot.evidence = Evidence::from(&self.evidence.counters());
        let actions = self.actions.lock().unwrap_or_else(PoisonError::into_inner).clone();
        snapshot.with_live(&self.control.snapshot(), now(), self.stale_after).with_notices(&actions)
    }

    fn reload(&self) -> Result<String, String> {
        let before = self.control.snapshot();
        if !self.control.reload(Request::Asked) {
            return Err("this run reads nothing again".to_owned());
        }
        let end = Instant::now() + RELOAD_TIME;
        while Instant::now() < end && !self.control.is_stopped() {
            let after = self.control.snapshot();
            if after.reloads_refused > before.reloads_refused {
                return Err(format!("what was in use stays: {}{}", after.kept.join("; "), also(&after.told)));
            }
            if after.reloads > before.reloads {
                let (indicators, seconds) = (after.indicators, after.reload_seconds);
                let words = format!(
                    "{indicators} indicators of {} feeds, in {seconds:.1} s{}",
                    after.feeds.len(),
                    also(&after.told)
                );
                return match after.kept.as_slice() {
                    [] => Ok(words),
                    kept => Err(format!("{}. Taken were the others: {words}", kept.join("; "))),
                };
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Err("it is not over yet; `picket status` will say what came of it".to_owned())
    }

    fn stop(&self) {
        self.control.stop();
    }
}
