use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls::pki_types::ServerName;

use super::*;
use crate::console::{Indicators, Interface, Worker};

#[derive(Default)]
struct Fake {
    asked: AtomicU64,
    is_down: bool,
}

impl Sensor for Fake {
    fn snapshot(&self) -> Snapshot {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let mut snapshot = Snapshot {
            workers: vec![Worker { is_running: true, ..Worker::default() }],
            interfaces: vec![Interface { name: "eth1".into(), is_up: !self.is_down, went_down: 0 }],
            indicators: Indicators { total: 1, ..Indicators::default() },
            ..Snapshot::default()
        };
        snapshot.traffic.packets = asked;
        snapshot
    }

    fn reload(&self) -> Result<String, String> {
        Err("not here".to_owned())
    }

    fn stop(&self) {}
}

fn serve(sensor: Fake, tls: Option<TlsFiles>) -> (SocketAddr, MetricsServer) {
    let options = MetricsOptions { listen: SocketAddr::from(([127, 0, 0, 1], 0)), tls, withholds: false };
    let listener = MetricsListener::open(&options).expect("listens");
    let address = listener.address();
    (address, listener.serve(Arc::new(sensor)).expect("serves"))
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

fn get(address: SocketAddr, path: &str) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
}

#[test]
fn metrics_and_health_are_served_and_nothing_else() {
    let (address, _server) = serve(Fake::default(), None);
    let metrics = get(address, "/metrics");
    assert!(
        metrics.starts_with("HTTP/1.1 200") && metrics.contains("content-type: text/plain; version=0.0.4"),
        "{metrics}"
    );
    assert!(metrics.contains("\npicket_packets_total 1\n"), "{metrics}");
    assert!(
        get(address, "/metrics?x=y").contains("\npicket_packets_total 1\n"),
        "asked at once again, the same numbers"
    );
    let health = get(address, "/healthz");
    assert!(health.starts_with("HTTP/1.1 200") && health.contains(r#""status":"ok""#), "{health}");
    assert!(get(address, "/").starts_with("HTTP/1.1 404"));
    assert!(ask(address, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").starts_with("HTTP/1.1 405"));
    assert!(ask(address, "\x16\x03\x01 what\r\n\r\n").starts_with("HTTP/1.1 400"));
}

#[test]
fn a_sensor_that_sees_nothing_is_not_healthy() {
    let (address, _server) = serve(Fake { is_down: true, ..Fake::default() }, None);
    let health = get(address, "/healthz");
    assert!(health.starts_with("HTTP/1.1 503") && health.contains("no-interface"), "{health}");
}

#[test]
fn a_head_too_long_is_refused_and_a_slow_one_is_cut() {
    let (address, _server) = serve(Fake::default(), None);
    let long = format!("GET /metrics HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(MAX_HEAD_BYTES));
    let mut stream = connect(address);
    // It may be cut off before it has sent all.
    let _ = stream.write_all(long.as_bytes());
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");

    let start = Instant::now();
    let mut slow: Vec<TcpStream> = (0..MAX_CONNECTIONS).map(|_| connect(address)).collect();
    for stream in &mut slow {
        stream.write_all(b"GET /me").expect("sent");
    }
    // All places are taken until these are cut.
    assert!(get(address, "/metrics").starts_with("HTTP/1.1 200"));
    let waited = start.elapsed();
    assert!(waited > HEAD_TIME / 2 && waited < CONNECTION_TIME * 2, "{waited:?}");
    for stream in &mut slow {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
    }
}

#[test]
fn it_is_served_over_tls_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let files = TlsFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    std::fs::write(&files.certificate, made.cert.pem()).expect("written");
    std::fs::write(&files.key, made.signing_key.serialize_pem()).expect("written");
    let (address, _server) = serve(Fake::default(), Some(files.clone()));

    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let client = rustls::ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut stream = rustls::StreamOwned::new(client, connect(address));
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
    let mut answer = Vec::new();
    // The end of the connection may come without close_notify.
    let _ = stream.read_to_end(&mut answer);
    assert!(String::from_utf8_lossy(&answer).contains("picket_packets_total 1"));

    let swapped = TlsFiles { certificate: files.key.clone(), key: files.certificate.clone() };
    let options = MetricsOptions { tls: Some(swapped), ..MetricsOptions::default() };
    let error = MetricsListener::open(&options).err().expect("refused").to_string();
    assert!(error.contains("no certificate"), "{error}");
}

#[test]
fn the_configuration_and_the_defaults_say_the_same() {
    let options = MetricsOptions::of_plan(&config::Metrics::default(), false).expect("on");
    assert_eq!(options.listen, MetricsOptions::default().listen);
    assert!(options.listen.ip().is_loopback() && options.tls.is_none());
    assert!(
        MetricsOptions::of_plan(&config::Metrics { is_enabled: false, ..config::Metrics::default() }, false).is_none()
    );
    let socket = config::Control::default().socket;
    assert_eq!(socket.to_str(), Some(crate::console::control::DEFAULT_SOCKET));
}

#[test]
fn it_ends_when_it_is_dropped() {
    let (address, server) = serve(Fake::default(), None);
    let _open = connect(address);
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}
