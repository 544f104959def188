//! The dashboard and the rules in `scripts/deploy/` against what the exporter writes: every name in them is one of its metrics, and a real
//! Prometheus scrapes it, evaluates the rules and answers every query of the dashboard, if one is installed.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use picket::console::http::{MetricsListener, MetricsOptions, MetricsServer};
use picket::console::{
    Count, Feed, Indicators, Interface, Loss, NetworkCount, Output, Reason, Sensor, Shed, Snapshot, VerdictCount,
    Worker, exposition,
};
use serde_json::Value;

/// Metrics that Prometheus itself makes of a scrape.
const OF_PROMETHEUS: [&str; 1] = ["up"];

fn deploy(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/deploy").join(file)
}

fn read(file: &str) -> String {
    std::fs::read_to_string(deploy(file)).expect("readable")
}

/// Every query of the dashboard, with what Grafana puts in for its variables.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("grafana-dashboard.json")).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let filled =
        |query: &str| query.replace("$job", "picket").replace("$instance", ".*").replace("$__rate_interval", "1m");
    targets.map(|target| filled(target["expr"].as_str().expect("a query"))).collect()
}

/// Words of a text that may be names of metrics: those with our prefixes. Labels and functions have none.
fn names(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':')
        .filter(|word| word.starts_with("picket_") || word.starts_with("process_"))
        .collect()
}

#[test]
fn dashboard_and_rules_name_only_what_is_exported() {
    let exported: BTreeSet<&str> = exposition::metrics().map(|metric| metric.name).chain(OF_PROMETHEUS).collect();
    for file in ["grafana-dashboard.json", "prometheus-rules.yml", "prometheus-rules-test.yml"] {
        let text = read(file);
        let named = names(&text);
        assert!(named.len() > 5, "{file}: {named:?}");
        let unknown: Vec<&str> = named.difference(&exported).copied().collect();
        assert!(unknown.is_empty(), "{file} names what is not exported: {unknown:?}");
    }
    let rules = read("prometheus-rules.yml");
    for wanted in [
        "picket_capture_dropped_packets_total",
        "picket_visibility_gaps_open",
        "picket_feed_stale",
        "picket_alerts_dropped_total",
        "picket_output_up",
        "process_start_time_seconds",
    ] {
        assert!(names(&rules).contains(wanted), "no rule is about {wanted}");
    }
    let shown = queries().join("\n");
    assert!(names(&shown).len() > 30, "the dashboard shows {}", names(&shown).len());
}

#[test]
fn promtool_accepts_the_rules_and_their_tests() {
    for args in [["check", "rules", "prometheus-rules.yml"], ["test", "rules", "prometheus-rules-test.yml"]] {
        let mut command = Command::new("promtool");
        command.args(&args[..2]).arg(args[2]).current_dir(deploy(""));
        let Ok(output) = command.output() else {
            eprintln!("skipped: there is no promtool (Debian package prometheus)");
            return;
        };
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
}

/// A sensor in trouble.
struct Fake;

impl Sensor for Fake {
    fn snapshot(&self) -> Snapshot {
        let count = Count { packets: 10, bytes: 1000, flows: 1 };
        let verdicts = vec![VerdictCount { verdict: "inspected".into(), count }];
        Snapshot {
            visibility: verdicts.clone(),
            networks: vec![NetworkCount { vlans: vec![7], verdicts, ..NetworkCount::default() }],
            uninspected: vec![Reason {
                reason: "snap_length".into(),
                unit: "packets".into(),
                count: 3,
                may_fall: false,
            }],
            workers: vec![Worker { is_running: true, ..Worker::default() }],
            interfaces: vec![Interface { name: "eth1".into(), is_up: true, went_down: 0 }],
            losses: vec![Loss { worker: Some(0), received: 100, ..Loss::default() }],
            shed: vec![Shed { step: "patterns".into(), ..Shed::default() }],
            outputs: vec![Output { name: "siem".into(), kind: "nats".into(), ..Output::default() }],
            feeds: vec![Feed { name: "1".into(), is_stale: true, age_seconds: 1e6, ..Feed::default() }],
            indicators: Indicators { total: 5, by_kind: Vec::new() },
            ..Snapshot::default()
        }
    }

    fn reload(&self) -> Result<String, String> {
        Err("not here".to_owned())
    }

    fn stop(&self) {}
}

/// A Prometheus of its own folder and port, ended with the test.
struct Prometheus {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// `None` if there is none.
    fn start(target: SocketAddr) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [{:?}]\nscrape_configs:\n  - job_name: picket\n    \
             static_configs: [{{ targets: [\"{target}\"] }}]\n",
            deploy("prometheus-rules.yml")
        );
        let path = folder.path().join("prometheus.yml");
        std::fs::write(&path, config).expect("written");
        // Free now; taken by another before Prometheus has it, the test fails and says so.
        let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", path.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Some(Self { child: command.spawn().ok()?, address, _folder: folder })
    }

    fn get(&self, path: &str, query: &[(&str, &str)]) -> Option<Value> {
        let request = ureq::get(format!("http://{}/api/v1/{path}", self.address)).query_pairs(query.iter().copied());
        let text =
            request.config().http_status_as_error(false).build().call().ok()?.body_mut().read_to_string().ok()?;
        serde_json::from_str(&text).ok()
    }

    fn query(&self, query: &str) -> Option<Value> {
        self.get("query", &[("query", query)])
    }

    /// Waits until a query gives something.
    fn wait_for(&self, query: &str) -> Value {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(answer) = self.query(query)
                && answer["data"]["result"].as_array().is_some_and(|result| !result.is_empty())
            {
                return answer;
            }
            assert!(Instant::now() < end, "nothing came for {query}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn exporter() -> (SocketAddr, MetricsServer) {
    let options = MetricsOptions { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..MetricsOptions::default() };
    let listener = MetricsListener::open(&options).expect("listens");
    (listener.address(), listener.serve(Arc::new(Fake)).expect("serves"))
}

#[test]
fn a_prometheus_scrapes_judges_and_answers() {
    let (target, _server) = exporter();
    let Some(prometheus) = Prometheus::start(target) else {
        eprintln!("skipped: there is no prometheus (Debian package)");
        return;
    };
    let answer = prometheus.wait_for("picket_verdict_packets_total");
    assert_eq!(answer["data"]["result"][0]["metric"]["verdict"], "inspected");
    assert_eq!(answer["data"]["result"][0]["value"][1], "10");
    for query in queries() {
        let answer = prometheus.query(&query).expect("an answer");
        assert_eq!(answer["status"], "success", "{query}: {answer}");
    }
    // Nothing was measured twice: rates are not there yet, what is a state is.
    prometheus.wait_for(r#"ALERTS{alertname="PicketFeedStale", alertstate="pending"}"#);
    prometheus.wait_for(r#"ALERTS{alertname="PicketOutputDown"}"#);
    let rules = prometheus.get("rules", &[]).expect("rules");
    let groups = rules["data"]["groups"].as_array().expect("groups");
    let faults: Vec<&Value> = groups
        .iter()
        .filter_map(|group| group["rules"].as_array())
        .flatten()
        .filter(|rule| rule["health"] == "err")
        .collect();
    assert!(groups.len() > 3 && faults.is_empty(), "{faults:?}");
}
