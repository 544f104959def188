//! `/metrics` and `/healthz` over HTTP, or HTTPS, to whoever may connect: on loopback unless the configuration says otherwise.
//!
//! One thread serves all, on a runtime of its own. It reads nothing of a request but its method and path. What a client can take is bounded: connections
//! at once, time for each, bytes of its head; one request a connection. Numbers are gathered at most a few times a second.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, oneshot};
use tokio_rustls::TlsAcceptor;

use super::exposition::{self, Exposition};
use super::{Problem, Sensor, Snapshot, problems, tls};
use crate::config;

/// Connections at once; further ones wait in the kernel's queue. One Prometheus has one.
const MAX_CONNECTIONS: usize = 16;

/// For a connection from its first byte to its last, a handshake among them.
const CONNECTION_TIME: Duration = Duration::from_secs(10);

/// For the head of the request.
const HEAD_TIME: Duration = Duration::from_secs(5);

/// Bytes of it; the least that hyper allows.
const MAX_HEAD_BYTES: usize = 8192;

/// Asked more often, the same numbers are given again.
const GATHER_EVERY: Duration = Duration::from_millis(250);

/// After accepting failed, for want of file descriptors say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How the numbers are served.
#[derive(Debug, Clone)]
pub struct MetricsOptions {
    /// Where to listen; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// Certificate chain and private key, in PEM, for HTTPS.
    pub tls: Option<TlsFiles>,
    /// Whether whoever reads metrics may not know which feeds there are and how many indicators of each kind.
    pub withholds: bool,
}

/// PEM files. They are read at the start only.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The certificate, then those that lead to its issuer.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Default for MetricsOptions {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 9477)), tls: None, withholds: false }
    }
}

impl MetricsOptions {
    /// As the configuration says; `None` if it wants no metrics.
    pub fn of_plan(plan: &config::Metrics, withholds: bool) -> Option<Self> {
        let tls = plan.tls_certificate.clone().zip(plan.tls_key.clone());
        let tls = tls.map(|(certificate, key)| TlsFiles { certificate, key });
        plan.is_enabled.then_some(Self { listen: plan.listen, tls, withholds })
    }
}

/// Listens and does not serve yet: to be made before the process gives up the right to open files and sockets.
pub struct MetricsListener {
    runtime: Runtime,
    listener: tokio::net::TcpListener,
    tls: Option<TlsAcceptor>,
    address: SocketAddr,
    withholds: bool,
}

/// Serves until it is dropped.
pub struct MetricsServer {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl MetricsListener {
    /// Takes the address.
    ///
    /// # Errors
    /// What the system says; a certificate or key that cannot be read.
    pub fn open(options: &MetricsOptions) -> io::Result<Self> {
        let tls = options.tls.as_ref().map(tls::acceptor).transpose()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let listener = TcpListener::bind(options.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = {
            let _in_runtime = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        if !address.ip().is_loopback() {
            tracing::warn!("metrics are served beyond this machine, without asking who reads them");
        }
        Ok(Self { runtime, listener, tls, address, withholds: options.withholds })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins to serve.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub fn serve(self, sensor: Arc<dyn Sensor>) -> io::Result<MetricsServer> {
        let (stop, stopped) = oneshot::channel();
        let pages = Arc::new(Pages::new(sensor, self.withholds));
        let Self { runtime, listener, tls, .. } = self;
        let thread = std::thread::Builder::new().name("metrics".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, tls, pages) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(MetricsServer { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, tls: Option<TlsAcceptor>, pages: Arc<Pages>) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (tls, pages) = (tls.clone(), Arc::clone(&pages));
                tokio::spawn(async move {
                    // What a client does wrong, or too slowly, is its own affair.
                    let _ = tokio::time::timeout(CONNECTION_TIME, connection(stream, tls, pages)).await;
                    drop(permit);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, pages: Arc<Pages>) {
    match tls {
        None => http(stream, pages).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                http(stream, pages).await;
            }
        }
    }
}

async fn http(stream: impl AsyncRead + AsyncWrite + Unpin, pages: Arc<Pages>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = pages.answer(request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(answer) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(MAX_HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let _ = served.await;
}

/// What there is to read.
struct Pages {
    sensor: Arc<dyn Sensor>,
    withholds: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    exposition: Exposition,
    gathered: Option<(Instant, Snapshot)>,
}

impl Pages {
    fn new(sensor: Arc<dyn Sensor>, withholds: bool) -> Self {
        Self { sensor, withholds, state: Mutex::default() }
    }

    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        let is_known = matches!(path, "/metrics" | "/healthz");
        if is_known && !matches!(*method, Method::GET | Method::HEAD) {
            let mut response = page(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET only\n".to_owned());
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match path {
            "/metrics" => {
                let snapshot = self.gather(&mut state);
                page(StatusCode::OK, exposition::CONTENT_TYPE, state.exposition.text(&snapshot))
            }
            "/healthz" => health(&problems(&self.gather(&mut state))),
            _ => page(StatusCode::NOT_FOUND, "text/plain", "there are /metrics and /healthz\n".to_owned()),
        }
    }

    fn gather(&self, state: &mut State) -> Snapshot {
        match &state.gathered {
            Some((at, snapshot)) if at.elapsed() < GATHER_EVERY => snapshot.clone(),
            _ => {
                let snapshot = self.sensor.snapshot();
                let snapshot = if self.withholds { snapshot.withheld() } else { snapshot };
                state.gathered = Some((Instant::now(), snapshot.clone()));
                snapshot
            }
        }
    }
}

/// 200 while the sensor sees and says something, 503 otherwise; the body says what is wrong.
fn health(problems: &[Problem]) -> Response<Full<Bytes>> {
    let is_down = problems.iter().any(|problem| problem.is_fatal);
    let word = match (is_down, problems.is_empty()) {
        (true, _) => "down",
        (false, true) => "ok",
        (false, false) => "degraded",
    };
    let body = serde_json::json!({ "status": word, "problems": problems });
    let status = if is_down { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    page(status, "application/json", format!("{body}\n"))
}

fn page(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
