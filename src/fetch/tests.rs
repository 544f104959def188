//! Against a server of a few lines that says what it is told to.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use super::*;

struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

/// Answers each request by what `answer` makes of its head.
fn serve(answer: impl Fn(&str, usize) -> Vec<u8> + Send + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let url = format!("http://{}/taxii2/", listener.local_addr().expect("bound"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
            let count = {
                let mut log = log.lock().expect("not poisoned");
                log.push(head.clone());
                log.len()
            };
            let _ = reader.get_mut().write_all(&answer(&head, count));
        }
    });
    Server { url, asked }
}

fn respond(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

fn ok(body: &str) -> Vec<u8> {
    respond("200 OK", "Content-Type: application/taxii+json;version=2.1\r\n", body)
}

/// Discovery, root and one collection `c1`; its objects are the given pages.
fn taxii(pages: impl Fn(&str, usize) -> Vec<u8> + Send + 'static) -> Server {
    serve(move |head, count| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        match path.split('?').next().unwrap_or_default() {
            "/taxii2/" => ok(r#"{"title":"t","api_roots":["/api/"]}"#),
            "/api/collections/" => ok(
                r#"{"collections":[{"id":"c0","title":"closed","can_read":false},{"id":"c1","title":"one","alias":"uno","can_read":true,"can_write":false}]}"#,
            ),
            "/api/collections/c1/objects/" => pages(path, count),
            _ => respond("404 Not Found", "", ""),
        }
    })
}

fn object(id: u32, modified: &str) -> String {
    format!(r#"{{"type":"indicator","id":"indicator--{id}","modified":"{modified}"}}"#)
}

struct Run {
    waits: RefCell<Vec<Duration>>,
    dir: tempfile::TempDir,
}

impl Run {
    fn new() -> Self {
        Self { waits: RefCell::default(), dir: tempfile::tempdir().expect("a directory") }
    }

    fn fetch_at(&self, server: &Server, secs: u64, max_bytes: u64) -> Result<Fetched, FetchError> {
        let pause = |wait| self.waits.borrow_mut().push(wait);
        let options = Options {
            credentials: Credentials::Basic { user: "u".into(), password: "secret".into() },
            authorities: None,
            identity: None,
            page_objects: 2,
            max_bytes,
            resync_after: Duration::from_secs(1000),
            timeout: Duration::from_secs(5),
            now: Timestamp::from_parts(secs, 0),
            pause: &pause,
        };
        fetch(&server.url, "uno", self.dir.path(), &options)
    }

    fn fetch(&self, server: &Server) -> Result<Fetched, FetchError> {
        self.fetch_at(server, 1_700_000_000, 1 << 20)
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir.path().join("c1.stix.jsonl")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

#[test]
fn pages_follow_and_versions_are_kept_once() {
    let server = taxii(|path, _| match path {
        p if p.contains("next=n2") => respond(
            "200 OK",
            "X-TAXII-Date-Added-Last: 2024-01-02T00:00:00.000Z\r\n",
            &format!(r#"{{"more":true,"objects":[{},{},7]}}"#, object(2, "b"), object(1, "a")),
        ),
        // No token: what follows is asked for by time.
        p if p.contains("added_after=2024-01-02") => ok(&format!(r#"{{"objects":[{}]}}"#, object(1, "b"))),
        p if p.contains("added_after") => ok("{}"),
        _ => ok(&format!(r#"{{"more":true,"next":"n2","objects":[{}]}}"#, object(1, "a"))),
    });
    let run = Run::new();
    let fetched = run.fetch(&server).expect("fetches");
    assert_eq!((fetched.full, fetched.pages, fetched.objects, fetched.new), (true, 3, 5, 3));
    assert_eq!((fetched.malformed, fetched.kept), (1, 3));
    assert_eq!(run.lines().len(), 3);
    let asked = server.asked.lock().expect("not poisoned").concat();
    let lower = asked.to_ascii_lowercase();
    assert!(lower.contains("accept: application/taxii+json;version=2.1") && lower.contains("accept-encoding: gzip"));
    assert!(asked.contains("Basic dTpzZWNyZXQ=") && asked.contains("limit=2"), "{asked}");
}

#[test]
fn the_next_fetch_goes_on_and_a_resync_forgets() {
    let server = taxii(|path, _| {
        let (id, last) =
            if path.contains("added_after=2024") { (2, "2025-01-01T00:00:00Z") } else { (1, "2024-01-01T00:00:00Z") };
        respond(
            "200 OK",
            &format!("X-TAXII-Date-Added-Last: {last}\r\n"),
            &format!(r#"{{"objects":[{}]}}"#, object(id, "a")),
        )
    });
    let run = Run::new();
    assert!(run.fetch_at(&server, 1_700_000_000, 1 << 20).expect("fetches").full);
    let second = run.fetch_at(&server, 1_700_000_500, 1 << 20).expect("fetches");
    assert_eq!((second.full, second.new, second.kept), (false, 1, 2));
    assert_eq!(run.lines().len(), 2);
    let third = run.fetch_at(&server, 1_700_001_000, 1 << 20).expect("fetches");
    assert_eq!((third.full, third.kept), (true, 1), "what is deleted there is gone here");
    assert_eq!(run.lines().len(), 1);
}

#[test]
fn a_busy_server_is_waited_for() {
    let server = taxii(|_, count| match count {
        3 => respond("429 Too Many Requests", "Retry-After: 7\r\n", ""),
        4 => respond("503 Service Unavailable", "Retry-After: 86400\r\n", ""),
        5 => b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{\"objects\"".to_vec(),
        _ => ok("{}"),
    });
    let run = Run::new();
    assert_eq!(run.fetch(&server).expect("fetches in the end").pages, 1);
    let secs: Vec<_> = run.waits.borrow().iter().map(Duration::as_secs).collect();
    assert_eq!(secs, [7, 300, 4], "as asked, at most five minutes, then longer each time");
}

#[test]
fn what_does_not_get_better_is_an_error() {
    let run = Run::new();
    let busy = taxii(|_, _| respond("503 Service Unavailable", "", ""));
    let error = run.fetch(&busy).expect_err("busy").to_string();
    assert!(error.contains("after 5 tries: status 503"), "{error}");
    for (status, hint) in [
        ("401 Unauthorized", "credentials"),
        ("403 Forbidden", "may not read"),
        ("406 Not Acceptable", "TAXII 2.1"),
        ("302 Found", "elsewhere"),
        ("500 Oops", "says no"),
    ] {
        let server = taxii(move |_, _| respond(status, "Location: http://127.0.0.1:1/\r\n", ""));
        let error = run.fetch(&server).expect_err(status).to_string();
        assert!(error.contains(hint) && error.contains(&status[..3]), "{error}");
        assert!(!error.contains("secret") && !error.contains("dTpzZWNyZXQ="), "{error}");
    }
    assert!(run.lines().is_empty() && run.fetch(&busy).is_err());
    assert_eq!(fs::read_dir(run.dir.path()).expect("lists").count(), 0, "nothing is left behind");
}

#[test]
fn what_never_ends_is_an_error_and_the_file_stays() {
    let run = Run::new();
    let good = taxii(|_, _| ok(&format!(r#"{{"objects":[{}]}}"#, object(1, "a"))));
    run.fetch(&good).expect("fetches");
    let same = taxii(|_, _| ok(r#"{"more":true,"next":"x","objects":[]}"#));
    assert!(run.fetch(&same).expect_err("endless").to_string().contains("for ever"));
    let no_time = taxii(|_, _| ok(r#"{"more":true,"objects":[]}"#));
    assert!(run.fetch(&no_time).expect_err("endless").to_string().contains("after what"));
    let damaged = taxii(|_, _| ok(r#"{"objects":[{"pattern":"evil"#));
    let error = run.fetch(&damaged).expect_err("damaged").to_string();
    assert!(error.contains("line 1") && !error.contains("evil"), "{error}");
    let large =
        taxii(|_, count| ok(&format!(r#"{{"more":true,"next":"{count}","objects":[{}]}}"#, object(count as u32, "a"))));
    let error = run.fetch_at(&large, 1_700_000_000, 500).expect_err("too large").to_string();
    assert!(error.contains("over 500 bytes"), "{error}");
    assert_eq!(run.lines().len(), 1);
}

#[test]
fn a_page_too_large_is_an_error_packed_or_not() {
    let run = Run::new();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let zeros = vec![b' '; 1 << 20];
    (0..=client::MAX_PAGE_BYTES >> 20).for_each(|_| gz.write_all(&zeros).expect("packs"));
    let bomb = gz.finish().expect("packs");
    let server = taxii(move |_, _| {
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            bomb.len()
        )
        .into_bytes();
        answer.extend_from_slice(&bomb);
        answer
    });
    assert!(run.fetch(&server).expect_err("a bomb").to_string().contains("--page-objects"));
}

#[test]
fn credentials_go_to_the_named_host_only() {
    let run = Run::new();
    let server = serve(|_, _| ok(r#"{"api_roots":["http://127.0.0.1:1/api/"]}"#));
    assert!(run.fetch(&server).expect_err("another host").to_string().contains("another host"));
    for url in [
        "http://taxii.example/taxii2/",
        "ftp://x/",
        "https://u:p@taxii.example/",
        "/taxii2/",
        "http://127.0.0.1.evil.example/",
    ] {
        let server = Server { url: url.to_owned(), asked: Arc::default() };
        assert!(matches!(run.fetch(&server), Err(FetchError::Url(_))), "{url}");
    }
    assert_eq!(format!("{:?}", Credentials::Bearer("secret".into())), "Bearer(..)");
}

#[test]
fn a_collection_that_cannot_be_a_file_s_name_is_refused() {
    assert!(store::open(std::path::Path::new("/nonexistent"), "../etc").is_err());
}
