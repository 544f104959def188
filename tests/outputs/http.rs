//! Webhooks and clusters: outages, refusals of one record, authorities, and what a spool keeps meanwhile.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use picket::sink::destination::elasticsearch::ElasticsearchOptions;
use picket::sink::destination::webhook::{Authorization, WebhookOptions};
use picket::sink::destination::{Destination, Secret, TlsOptions};
use picket::sink::spool::SpoolOptions;
use picket::sink::{DeadLetterOptions, Output, OutputOptions};

use super::peers::{Pki, Request, Server, http, numbers, on_disk, options, put, serve_http, until};

fn bodies(requests: &Mutex<Vec<Request>>) -> String {
    requests.lock().expect("not poisoned").iter().map(|request| request.body.as_str()).collect()
}

fn webhook(port: u16, name: &str) -> OutputOptions {
    let hook = WebhookOptions { url: format!("http://127.0.0.1:{port}/in"), ..WebhookOptions::default() };
    OutputOptions { destination: Destination::Webhook(hook), ..options(name) }
}

/// Down when the records come, up, down, up: all of them arrive, in order, and those of the last batch perhaps twice.
#[test]
fn a_webhook_gets_everything_after_outages() {
    let folder = tempfile::tempdir().expect("folder");
    let token = folder.path().join("token");
    fs::write(&token, "hunter2\n").expect("written");
    let requests = Arc::new(Mutex::new(Vec::new()));
    let taken = |_: &Request| (204, String::new());
    let port = http(0, &requests, taken).stop();
    let mut options = OutputOptions { spool: on_disk(folder.path()), ..webhook(port, "hook") };
    let Destination::Webhook(hook) = &mut options.destination else { unreachable!() };
    hook.authorization = Authorization::Bearer(Secret::File(token));
    hook.batch_records = 10;
    let output = Output::open(options).expect("opens");
    put(&output, 0..25);
    until("the outage is known", || output.status().last_error.as_deref() == Some("connection refused"));
    assert!(!output.status().is_up && output.status().queue_records == 25);
    let server = http(port, &requests, taken);
    until("all arrived", || output.status().delivered == 25);
    server.stop();
    put(&output, 25..40);
    thread::sleep(Duration::from_millis(50));
    let busy = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&busy);
    let _server = http(port, &requests, move |_| match counted.fetch_add(1, Ordering::Relaxed) {
        0 => (503, "busy".into()),
        1 => (429, "busy".into()),
        _ => (200, "ok".into()),
    });
    let status = output.stop();
    assert_eq!((status.accepted, status.delivered, status.dropped, status.queue_records), (40, 40, 0, 0), "{status:?}");
    assert!(status.retried > 0 && status.is_up);
    let mut arrived = numbers(&bodies(&requests));
    // Answered with 503 and 429 they came before.
    arrived.dedup();
    let distinct: BTreeSet<usize> = arrived.iter().copied().collect();
    assert_eq!(distinct, (0..40).collect());
    let requests = requests.lock().expect("not poisoned");
    assert!(requests.iter().all(|one| one.headers["authorization"] == "Bearer hunter2"));
    assert!(requests.iter().all(|one| one.headers["content-type"] == "application/x-ndjson"));
    assert!(requests.iter().all(|one| one.headers["idempotency-key"].len() == 32));
}

/// What nobody delivered is there for the next process, and only that.
#[test]
fn a_spool_outlives_its_process() {
    let folder = tempfile::tempdir().expect("folder");
    let requests = Arc::new(Mutex::new(Vec::new()));
    let server = http(0, &requests, |_| (500, String::new()));
    let options = OutputOptions {
        spool: on_disk(folder.path()),
        drain: Duration::from_millis(100),
        ..webhook(server.address.port(), "hook")
    };
    let output = Output::open(options.clone()).expect("opens");
    put(&output, 0..500);
    assert_eq!(output.stop().queue_records, 500);
    drop(output);
    let port = server.stop();
    requests.lock().expect("not poisoned").clear();
    let _server = http(port, &requests, |_| (200, String::new()));
    let output = Output::open(options).expect("opens");
    until("all arrived", || output.status().delivered == 500);
    output.stop();
    assert_eq!(numbers(&bodies(&requests)), (0..500).collect::<Vec<_>>());
}

/// A record that the server refuses is put aside with the reason, and holds up no other.
#[test]
fn a_refused_record_is_put_aside_alone() {
    let folder = tempfile::tempdir().expect("folder");
    let requests = Arc::new(Mutex::new(Vec::new()));
    let arrived = Arc::new(Mutex::new(String::new()));
    let takes = Arc::clone(&arrived);
    let server = http(0, &requests, move |request| {
        if request.body.contains("\"number\":13}") {
            return (400, "a text of the server".into());
        }
        takes.lock().expect("not poisoned").push_str(&request.body);
        (200, String::new())
    });
    let path = folder.path().join("dead.jsonl");
    let dead_letter = Some(DeadLetterOptions { path: path.clone(), max_bytes: 1 << 20 });
    let output = Output::open(OutputOptions { dead_letter, ..webhook(server.address.port(), "hook") }).expect("opens");
    put(&output, 0..40);
    let status = output.stop();
    assert_eq!((status.delivered, status.dead_lettered, status.dead_letters_lost), (39, 1, 0));
    assert_eq!(status.last_error.as_deref(), Some("refused: status 400"));
    let text = fs::read_to_string(path).expect("dead letters");
    let letter: serde_json::Value = serde_json::from_str(&text).expect("one");
    assert_eq!(letter["event.original"].as_str().map(numbers), Some(vec![13]));
    let expected: Vec<usize> = (0..40).filter(|number| *number != 13).collect();
    assert_eq!(numbers(&arrived.lock().expect("not poisoned")), expected);
}

#[test]
fn a_webhook_is_believed_by_its_own_authority_only() {
    let folder = tempfile::tempdir().expect("folder");
    let pki = Pki::new();
    let authority = folder.path().join("ca.pem");
    fs::write(&authority, &pki.authority).expect("written");
    let requests = Arc::new(Mutex::new(Vec::new()));
    let (config, seen) = (Arc::new(pki.server), Arc::clone(&requests));
    let server = Server::start(0, move |mut socket, _| {
        let _ = socket.set_read_timeout(Some(Duration::from_secs(5)));
        let mut connection = rustls::ServerConnection::new(Arc::clone(&config)).expect("a connection");
        let mut stream = rustls::Stream::new(&mut connection, &mut socket);
        let _ = serve_http(&mut stream, &seen, &|_| (200, String::new()));
        connection.send_close_notify();
        let _ = connection.write_tls(&mut socket);
    });
    let options = |authorities: Option<&Path>| {
        let tls = TlsOptions { authorities: authorities.map(Path::to_owned), ..TlsOptions::default() };
        let url = format!("https://localhost:{}/", server.address.port());
        let hook = WebhookOptions { url, tls, ..WebhookOptions::default() };
        OutputOptions { destination: Destination::Webhook(hook), ..options("tls") }
    };
    let output = Output::open(options(Some(&authority))).expect("opens");
    put(&output, 0..3);
    assert_eq!(output.stop().delivered, 3);
    assert_eq!(numbers(&bodies(&requests)), [0, 1, 2]);
    let other = folder.path().join("other.pem");
    fs::write(&other, Pki::new().authority).expect("written");
    let stranger = Output::open(options(Some(&other))).expect("opens");
    put(&stranger, 0..1);
    until("it is refused", || stranger.status().last_error.is_some());
    assert_eq!(stranger.status().delivered, 0);
    fs::write(&other, "no certificate").expect("written");
    assert!(Output::open(options(Some(&other))).is_err());
}

/// A cluster that has some records, is too busy for others at first, and refuses one.
#[test]
fn a_cluster_answers_for_each_record() {
    let folder = tempfile::tempdir().expect("folder");
    let requests = Arc::new(Mutex::new(Vec::new()));
    let index = Arc::new(Mutex::new(Vec::<String>::new()));
    let (stored, tries) = (Arc::clone(&index), AtomicUsize::new(0));
    let server = http(0, &requests, move |request| {
        let is_first = tries.fetch_add(1, Ordering::Relaxed) == 0;
        let mut stored = stored.lock().expect("not poisoned");
        let lines: Vec<&str> = request.body.lines().collect();
        let item = |pair: &[&str]| {
            let action: serde_json::Value = serde_json::from_str(pair[0]).expect("an action");
            let id = action["create"]["_id"].as_str().expect("an id").to_owned();
            let number = numbers(pair[1])[0];
            let status = match number {
                7 => 400,
                _ if stored.contains(&id) => 409,
                n if n % 3 == 0 && is_first => 429,
                n if n % 5 == 0 && is_first => 503,
                _ => {
                    stored.push(id);
                    201
                }
            };
            serde_json::json!({ "create": { "status": status } })
        };
        let items: Vec<_> = lines.chunks(2).map(item).collect();
        (200, serde_json::json!({ "items": items }).to_string())
    });
    let url = format!("http://{}/", server.address);
    let cluster = ElasticsearchOptions { url, index: "alerts".into(), ..ElasticsearchOptions::default() };
    let dead_letter = Some(DeadLetterOptions { path: folder.path().join("dead"), max_bytes: 1 << 20 });
    let destination = Destination::Elasticsearch(cluster);
    let options = OutputOptions { destination, dead_letter, ..options("cluster") };
    for run in 0..2 {
        let output = Output::open(options.clone()).expect("opens");
        put(&output, 0..30);
        let status = output.stop();
        assert_eq!((status.delivered, status.dead_lettered), (29, 1), "run {run}: {status:?}");
        assert_eq!(index.lock().expect("not poisoned").len(), 29, "nothing is there twice");
    }
    let requests = requests.lock().expect("not poisoned");
    assert!(requests[0].line.starts_with("POST /_bulk?filter_path=items.*.status "), "{}", requests[0].line);
    assert!(requests[0].body.starts_with("{\"create\":{\"_index\":\"alerts\",\"_id\":\"0000"), "{}", requests[0].body);
    assert_eq!(fs::read_to_string(folder.path().join("dead")).expect("there").lines().count(), 2);
}

/// A queue that is too small drops, counts, and says so in the stream.
#[test]
fn what_is_dropped_is_counted_and_said() {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let port = http(0, &requests, |_| (200, String::new())).stop();
    let spool = SpoolOptions { memory_bytes: 20_000, ..SpoolOptions::default() };
    let output = Output::open(OutputOptions { spool, ..webhook(port, "small") }).expect("opens");
    put(&output, 0..1000);
    until("it is told", || output.status().last_error.is_some());
    let _server = http(port, &requests, |_| (200, String::new()));
    let status = output.stop();
    assert!(status.dropped > 500, "{status:?}");
    let text = bodies(&requests);
    let arrived = numbers(&text);
    // Notices may have been dropped too, and are counted like alerts: what the last one says is in all.
    let notices: Vec<serde_json::Value> = text
        .lines()
        .filter(|line| line.contains("alerts-dropped"))
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(!notices.is_empty());
    let told = notices.iter().filter_map(|notice| notice["picket"]["dropped_total"].as_u64()).max().unwrap_or(0);
    assert!(
        told >= 1000 - arrived.len() as u64 && told <= status.dropped,
        "{told} told, {} arrived, {status:?}",
        arrived.len()
    );
    assert_eq!(notices[0]["picket"]["output"], "small");
    assert_eq!(status.delivered as usize, arrived.len() + notices.len());
}
