//! NATS JetStream, by the real `nats-server` (Debian's package): stopped and started, each message once.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_nats::jetstream;
use picket::sink::destination::Destination;
use picket::sink::destination::nats::{NatsOptions, StreamOptions};
use picket::sink::{Output, OutputOptions};

use super::peers::{numbers, on_disk, options, put, until};

struct Server(Child);

impl Server {
    fn start(port: u16, folder: &Path) -> Option<Self> {
        let mut command = Command::new("nats-server");
        command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"]).arg(folder);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let server = Self(child);
        until("nats-server listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the stream holds, in its order.
fn stored(port: u16) -> Vec<usize> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = async_nats::connect(format!("127.0.0.1:{port}")).await.expect("connects");
        let mut stream = jetstream::new(client).get_stream("alerts").await.expect("a stream");
        let last = stream.info().await.expect("said").state.last_sequence;
        let mut all = Vec::new();
        for sequence in 1..=last {
            let message = stream.get_raw_message(sequence).await.expect("a message");
            all.extend(numbers(std::str::from_utf8(&message.payload).expect("UTF-8")));
        }
        all
    })
}

#[test]
fn a_stream_gets_everything_once() {
    let folder = tempfile::tempdir().expect("folder");
    let free = TcpListener::bind("127.0.0.1:0").expect("bound");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let data = folder.path().join("data");
    let Some(server) = Server::start(port, &data) else {
        eprintln!("skipped: nats-server is not installed");
        return;
    };
    let stream = StreamOptions { name: "alerts".into(), duplicate_window: Duration::from_secs(600), max_bytes: 0 };
    let nats = NatsOptions {
        servers: vec![format!("nats://127.0.0.1:{port}")],
        stream: Some(stream),
        timeout: Duration::from_secs(2),
        ..NatsOptions::default()
    };
    let options =
        OutputOptions { destination: Destination::Nats(nats), spool: on_disk(folder.path()), ..options("nats") };
    let output = Output::open(options.clone()).expect("opens");
    put(&output, 0..300);
    until("all arrived", || output.status().delivered == 300);
    drop(server);
    put(&output, 300..500);
    until("the outage is known", || !output.status().is_up);
    let server = Server::start(port, &data).expect("starts");
    put(&output, 500..600);
    let status = output.stop();
    assert_eq!((status.delivered, status.dropped, status.queue_records), (600, 0, 0), "{status:?}");
    assert_eq!(stored(port), (0..600).collect::<Vec<_>>(), "each once, in order");
    // Sent once more they are known by their ids.
    let again = Output::open(options).expect("opens");
    put(&again, 0..600);
    assert_eq!(again.stop().delivered, 600);
    assert_eq!(stored(port).len(), 600);
    drop(server);
}
