//! `picket feed fetch` over TLS, against a server in this process: whom it trusts, who it says that it is, and that it says
//! nothing to whom it does not trust.
//!
//! Seen to fail: with `disable_verification` set in `fetch::client`, and with the key and certificate not compared there (then the
//! binary panics in `ureq`).

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use common::{finish, picket, stderr, stdout};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new([]).expect("no names");
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Authority::self_signed(params, KeyPair::generate().expect("a key")).expect("signed")
}

/// A certificate of `authority` and its key.
struct Issued {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

fn issued(authority: &Authority, name: &str, change: impl Fn(&mut CertificateParams)) -> Issued {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    change(&mut params);
    Issued { certificate: params.signed_by(&key, authority).expect("signed"), key }
}

fn plain(_: &mut CertificateParams) {}

/// A TAXII server of one collection with one object.
struct Server {
    port: u16,
    /// The head of each request that arrived.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(of: &Issued, clients: Option<&Authority>, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_protocol_versions(versions).expect("known versions");
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.der().clone()).expect("a root");
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
            }
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(of.key.serialize_der()));
        let config = Arc::new(builder.with_single_cert(vec![of.certificate.der().clone()], key).expect("they match"));
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let port = listener.local_addr().expect("bound").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
                answer(StreamOwned::new(connection, stream), &log);
            }
        });
        Self { port, asked }
    }

    fn fetch(&self, host: &str, out: &str, more: &[&str]) -> (Option<i32>, String, String) {
        let url = format!("https://{host}:{}/taxii2/", self.port);
        let mut command = picket();
        command.args(["feed", "fetch", &url, "--collection", "c1", "--out", out, "--timeout", "20"]).args(more);
        command.env("PICKET_TAXII_TOKEN", "hunter2");
        let output = finish(&mut command);
        (output.status.code(), stdout(&output), stderr(&output))
    }
}

fn answer(mut stream: StreamOwned<ServerConnection, std::net::TcpStream>, log: &Mutex<Vec<String>>) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(stream.read(&mut byte), Ok(1)) {
            // So that the alert arrives before the connection is reset.
            let _ = stream.sock.shutdown(Shutdown::Write);
            let _ = std::io::copy(&mut stream.sock, &mut std::io::sink());
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("text");
    let body = match head.split(['?', ' ']).nth(1).unwrap_or_default() {
        "/taxii2/" => r#"{"title":"t","api_roots":["/api/"]}"#,
        "/api/collections/" => r#"{"collections":[{"id":"c1","title":"one","can_read":true,"can_write":false}]}"#,
        _ => {
            r#"{"objects":[{"type":"indicator","id":"indicator--00000000-0000-4000-8000-000000000001","pattern":"[domain-name:value = 'evil.example']","pattern_type":"stix"}]}"#
        }
    };
    log.lock().expect("not poisoned").push(head);
    let answer = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let _ = stream.write_all(answer.as_bytes());
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).expect("written");
        self.path(name).to_str().expect("plain path").to_owned()
    }

    fn folder(&self, name: &str) -> String {
        self.path(name).to_str().expect("plain path").to_owned()
    }
}

const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

#[test]
fn a_server_of_an_authority_that_is_named_is_trusted() {
    let scratch = Scratch::new();
    let ours = authority("ours");
    let ca = scratch.write("ca.pem", &ours.pem());
    for (name, versions) in [("both", BOTH), ("old", &BOTH[1..]), ("new", &BOTH[..1])] {
        let server = Server::start(&issued(&ours, "localhost", plain), None, versions);
        let out = scratch.folder(name);
        let (code, said, err) = server.fetch("localhost", &out, &["--ca", &ca]);
        assert_eq!(code, Some(0), "{err}");
        assert!(said.contains(r#""new":1"#), "{said}");
        assert!(
            fs::read_to_string(scratch.path(name).join("c1.stix.jsonl")).expect("fetched").contains("evil.example")
        );
        let asked = server.asked.lock().expect("not poisoned");
        assert!(asked.len() == 3 && asked.iter().all(|head| head.contains("Bearer hunter2")), "{asked:?}");
    }
    let server = Server::start(&issued(&ours, "127.0.0.1", plain), None, BOTH);
    let (code, _, err) = server.fetch("127.0.0.1", &scratch.folder("ip"), &["--ca", &ca]);
    assert_eq!(code, Some(0), "{err}");
}

/// Each of these ends before a request, with it the credentials, is sent, and is not tried again.
#[test]
fn nothing_is_said_to_a_server_that_is_not_trusted() {
    let scratch = Scratch::new();
    let (ours, other) = (authority("ours"), authority("other"));
    let ca = scratch.write("ca.pem", &ours.pem());
    let of_client = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    };
    let old = |params: &mut CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    };
    let named = ["--ca", ca.as_str()];
    for (what, certificate, more, hint) in [
        ("another authority", issued(&other, "localhost", plain), &named[..], "--ca names who is trusted"),
        ("the system's authorities", issued(&ours, "localhost", plain), &[][..], ""),
        ("another host", issued(&ours, "taxii.example", plain), &named[..], "taxii.example"),
        ("expired", issued(&ours, "localhost", old), &named[..], ""),
        ("a client's certificate", issued(&ours, "localhost", of_client), &named[..], ""),
    ] {
        let server = Server::start(&certificate, None, BOTH);
        let (code, said, err) = server.fetch("localhost", &scratch.folder("out"), more);
        assert_eq!((code, said.as_str()), (Some(1), ""), "{what}: {err}");
        let is_told = err.contains("no trusted connection: invalid peer certificate") || err.contains("no bundle");
        assert!(is_told && err.contains(hint) && !err.contains("hunter2"), "{what}: {err}");
        assert!(server.asked.lock().expect("not poisoned").is_empty(), "{what}");
        assert!(!scratch.path("out").join("c1.stix.jsonl").exists(), "{what}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let plain_text = Server { port: listener.local_addr().expect("bound").port(), asked: Arc::default() };
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            let _ = stream.read(&mut [0; 4096]);
        }
    });
    let (code, _, err) = plain_text.fetch("localhost", &scratch.folder("out"), &named);
    assert!(code == Some(1) && err.contains("no trusted connection"), "no TLS: {err}");
}

#[test]
fn a_client_shows_its_certificate_to_who_asks() {
    let scratch = Scratch::new();
    let (ours, clients, other) = (authority("ours"), authority("clients"), authority("other"));
    let ca = scratch.write("ca.pem", &ours.pem());
    let (me, stranger) = (issued(&clients, "sensor-1", plain), issued(&other, "sensor-2", plain));
    let files = |name: &str, of: &Issued| {
        let chain = scratch.write(&format!("{name}.pem"), &of.certificate.pem());
        (chain, scratch.write(&format!("{name}.key"), &of.key.serialize_pem()))
    };
    let (my_chain, my_key) = files("me", &me);
    let (stranger_chain, stranger_key) = files("stranger", &stranger);
    let trust = ["--ca", ca.as_str()];
    for versions in [BOTH, &BOTH[1..]] {
        let server = Server::start(&issued(&ours, "localhost", plain), Some(&clients), versions);
        let fetch = |more: &[&str]| server.fetch("localhost", &scratch.folder("out"), &[&trust[..], more].concat());
        for more in [&[][..], &["--client-cert", &stranger_chain, "--client-key", &stranger_key]] {
            let (code, _, err) = fetch(more);
            assert!(code == Some(1) && err.contains("--client-cert") && !err.contains("hunter2"), "{more:?}: {err}");
        }
        assert!(server.asked.lock().expect("not poisoned").is_empty());
        let (code, said, err) = fetch(&["--client-cert", &my_chain, "--client-key", &my_key]);
        assert!(code == Some(0) && said.contains(r#""new":1"#), "{err}");
        fs::remove_dir_all(scratch.path("out")).expect("removed");
    }
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let scratch = Scratch::new();
    let ours = authority("ours");
    let (one, two) = (issued(&ours, "a", plain), issued(&ours, "b", plain));
    let ca = scratch.write("ca.pem", &ours.pem());
    let chain = scratch.write("one.pem", &one.certificate.pem());
    let wrong = scratch.write("two.key", &two.key.serialize_pem());
    let text = scratch.write("text", "no PEM");
    let server = Server::start(&issued(&ours, "localhost", plain), None, BOTH);
    for (more, file) in [
        (["--ca", &text, "--client-cert", &chain, "--client-key", &wrong], &text),
        (["--ca", &ca, "--client-cert", &text, "--client-key", &wrong], &text),
        (["--ca", &ca, "--client-cert", &chain, "--client-key", &text], &text),
        (["--ca", &ca, "--client-cert", &chain, "--client-key", &wrong], &wrong),
        (["--ca", "/no/such/file", "--client-cert", &chain, "--client-key", &wrong], &"/no/such/file".to_owned()),
    ] {
        let (code, _, err) = server.fetch("localhost", &scratch.folder("out"), &more);
        assert!(code == Some(1) && err.contains(&format!("cannot use {file}")), "{err}");
        assert!(!err.contains("PRIVATE KEY"), "{err}");
    }
    assert!(server.asked.lock().expect("not poisoned").is_empty());
}
