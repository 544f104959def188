//! Syslog over UDP, TCP and TLS, and receivers that go away.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use picket::sink::destination::syslog::{Carrier, SyslogOptions};
use picket::sink::destination::{Destination, TlsOptions};
use picket::sink::{Output, OutputOptions};

use super::peers::{Pki, Server, numbers, options, put, record, until};

/// Messages of a stream, each with its length in front (RFC 6587).
fn messages(mut text: &str) -> Vec<String> {
    let mut found = Vec::new();
    while let Some((length, rest)) = text.split_once(' ') {
        let length: usize = length.parse().expect("a length");
        let Some(message) = rest.get(..length) else { break };
        found.push(message.to_owned());
        text = &rest[length..];
    }
    found
}

fn syslog_numbers(text: &str) -> Vec<usize> {
    let content = |message: &String| {
        let parts: Vec<&str> = message.splitn(8, ' ').collect();
        assert_eq!((parts[0], parts[2], parts[3], parts[5], parts[6]), ("<132>1", "sensor", "picket", "ecs", "-"));
        assert!(parts[1].ends_with(".000000Z") && parts[1].len() == 27, "{message}");
        numbers(parts[7])[0]
    };
    messages(text).iter().map(content).collect()
}

fn syslog(port: u16, carrier: Carrier, tls: TlsOptions) -> OutputOptions {
    let address = format!("localhost:{port}");
    let hostname = Some("sensor".to_owned());
    let receiver = SyslogOptions { address, carrier, hostname, tls, ..SyslogOptions::default() };
    OutputOptions { destination: Destination::Syslog(receiver), ..options("syslog") }
}

/// Reads until the other side or the test ends it.
fn read_all(stream: &mut impl Read, into: &Mutex<Vec<u8>>, is_ended: &AtomicBool) {
    let mut buffer = [0; 4096];
    while !is_ended.load(Ordering::Relaxed) {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => into.lock().expect("not poisoned").extend_from_slice(&buffer[..read]),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
    }
}

fn text_of(bytes: &Mutex<Vec<u8>>) -> String {
    String::from_utf8(bytes.lock().expect("not poisoned").clone()).expect("UTF-8")
}

fn syslog_survives(carrier: Carrier) {
    let folder = tempfile::tempdir().expect("folder");
    let pki = Pki::new();
    let authority = folder.path().join("ca.pem");
    fs::write(&authority, &pki.authority).expect("written");
    let config = Arc::new(pki.server);
    let start = |port: u16, into: &Arc<Mutex<Vec<u8>>>| {
        let (into, config) = (Arc::clone(into), Arc::clone(&config));
        Server::start(port, move |mut socket, ended| match carrier {
            Carrier::Tls => {
                let mut connection = rustls::ServerConnection::new(Arc::clone(&config)).expect("a connection");
                read_all(&mut rustls::Stream::new(&mut connection, &mut socket), &into, ended);
            }
            _ => read_all(&mut socket, &into, ended),
        })
    };
    let [first, second] = [(); 2].map(|()| Arc::new(Mutex::new(Vec::new())));
    let server = start(0, &first);
    let port = server.address.port();
    let tls = TlsOptions { authorities: Some(authority), ..TlsOptions::default() };
    let output = Output::open(syslog(port, carrier, tls)).expect("opens");
    put(&output, 0..50);
    until("all arrived", || syslog_numbers(&text_of(&first)).len() == 50);
    server.stop();
    put(&output, 50..60);
    until("the outage is known", || !output.status().is_up);
    let server = start(port, &second);
    put(&output, 60..70);
    let expected: BTreeSet<usize> = (50..70).collect();
    until("all arrived", || {
        syslog_numbers(&text_of(&second)).into_iter().collect::<BTreeSet<_>>().is_superset(&expected)
    });
    let status = output.stop();
    assert_eq!((status.delivered, status.dropped), (70, 0), "{status:?}");
    server.stop();
    assert_eq!(syslog_numbers(&text_of(&first)), (0..50).collect::<Vec<_>>());
    let mut again = syslog_numbers(&text_of(&second));
    again.retain(|number| *number >= 50);
    assert_eq!(again, (50..70).collect::<Vec<_>>(), "in order");
}

#[test]
fn syslog_over_tcp_survives_its_receiver() {
    syslog_survives(Carrier::Tcp);
}

#[test]
fn syslog_over_tls_survives_its_receiver() {
    syslog_survives(Carrier::Tls);
}

#[test]
fn syslog_over_udp_is_one_datagram_a_message() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    let port = socket.local_addr().expect("an address").port();
    let mut options = syslog(port, Carrier::Udp, TlsOptions::default());
    let Destination::Syslog(receiver) = &mut options.destination else { unreachable!() };
    receiver.address = format!("127.0.0.1:{port}");
    receiver.max_message_bytes = 1024;
    let output = Output::open(options).expect("opens");
    put(&output, 0..3);
    let mut long = record(3);
    long.bytes.resize(1024, b'x');
    output.put(long);
    for number in 0..3 {
        let mut buffer = [0; 2048];
        let length = socket.recv(&mut buffer).expect("a datagram");
        let framed = format!("{length} {}", std::str::from_utf8(&buffer[..length]).expect("UTF-8"));
        assert_eq!(syslog_numbers(&framed), [number]);
    }
    let status = output.stop();
    assert_eq!((status.delivered, status.dead_lettered), (3, 1));
    assert_eq!(status.last_error.as_deref(), Some("refused: too long for a message"));
}
