//! Peers of the outputs' tests: servers on loopback that the test starts, stops and asks what came.
#![allow(dead_code, unreachable_pub)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use picket::sink::spool::{SpoolOptions, Sync};
use picket::sink::{Output, OutputOptions, Record, RetryOptions};
use picket::time::Timestamp;

/// Longer than anything here takes, on a loaded machine.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A record as the format ecs would make it, of this number.
pub fn record(number: usize) -> Record {
    let id = format!("{number:032x}");
    let bytes = format!("{{\"event\":{{\"id\":\"{id}\"}},\"number\":{number}}}").into_bytes();
    Record { id, time: Timestamp::from_parts(1_700_000_000 + number as u64, 5), severity: 50, bytes }
}

/// Options that do not wait for long.
pub fn options(name: &str) -> OutputOptions {
    let retry = RetryOptions { first: Duration::from_millis(20), most: Duration::from_millis(200) };
    OutputOptions { name: name.into(), retry, drain: Duration::from_secs(20), ..OutputOptions::default() }
}

/// A spool in a folder.
pub fn on_disk(folder: &Path) -> SpoolOptions {
    SpoolOptions { folder: Some(folder.join("spool")), sync: Sync::Never, ..SpoolOptions::default() }
}

pub fn put(output: &Output, numbers: std::ops::Range<usize>) {
    numbers.for_each(|number| output.put(record(number)));
}

/// Waits until it is so.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT, "never: {what}");
        thread::sleep(Duration::from_millis(3));
    }
}

/// The numbers of the records in a text of lines.
pub fn numbers(text: &str) -> Vec<usize> {
    let number = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        value["number"].as_u64().map(|number| number as usize)
    };
    text.lines().filter_map(number).collect()
}

/// What a server was sent.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub line: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// A server of connections, one after the other.
pub struct Server {
    pub address: SocketAddr,
    is_ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves connections at a port of the system's choice (0), or at one that another server had.
    pub fn start(port: u16, serve: impl FnMut(TcpStream, &AtomicBool) + Send + 'static) -> Self {
        let mut listener = None;
        until("the port is free", || {
            listener = TcpListener::bind(("127.0.0.1", port)).ok();
            listener.is_some()
        });
        let listener = listener.expect("bound");
        let address = listener.local_addr().expect("an address");
        listener.set_nonblocking(true).expect("set");
        let is_ended = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&is_ended);
        let mut serve = serve;
        let thread = thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((socket, _)) => {
                        socket.set_nonblocking(false).expect("set");
                        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("set");
                        serve(socket, &ended);
                    }
                    Err(_) => thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        Self { address, is_ended, thread: Some(thread) }
    }

    pub fn stop(mut self) -> u16 {
        self.end();
        self.address.port()
    }

    fn end(&mut self) {
        self.is_ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server's thread");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// An HTTP server whose answers the test gives, and its requests.
pub fn http(
    port: u16,
    requests: &Arc<Mutex<Vec<Request>>>,
    answer: impl Fn(&Request) -> (u16, String) + Send + 'static,
) -> Server {
    let requests = Arc::clone(requests);
    Server::start(port, move |mut socket, _| {
        let _ = socket.set_read_timeout(Some(Duration::from_secs(5)));
        let _ = serve_http(&mut socket, &requests, &answer);
    })
}

/// One request, one answer, and the connection ends.
pub fn serve_http(
    stream: &mut (impl Read + Write),
    requests: &Mutex<Vec<Request>>,
    answer: &impl Fn(&Request) -> (u16, String),
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = Request::default();
    reader.read_line(&mut request.line)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        request.headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = request.headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    request.body = String::from_utf8(body).expect("UTF-8");
    let (status, text) = answer(&request);
    requests.lock().expect("not poisoned").push(request);
    let stream = reader.into_inner();
    write!(stream, "HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len())?;
    stream.flush()
}

/// An authority, and a certificate of it for this machine: PEM of the first, and of the second with its key.
pub struct Pki {
    pub authority: String,
    pub server: rustls::ServerConfig,
}

impl Pki {
    pub fn new() -> Self {
        let authority_key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = params.self_signed(&authority_key).expect("a certificate");
        let issuer = rcgen::Issuer::new(params, authority_key);
        let key = rcgen::KeyPair::generate().expect("a key");
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let params = rcgen::CertificateParams::new(names).expect("parameters");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate");
        let private = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .expect("a configuration");
        Self { authority: authority.pem(), server }
    }
}
