//! `picket feed check`, `diff`, `convert`, `export` and `fetch` from outside; exports are read by the tools that they are
//! for, and a collection is fetched from a real TAXII server, if they are installed. What is not is said.

mod common;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{finish, picket, root, stderr, stdout};
use serde_json::{Value, json};

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let output = finish(picket().args(args));
    (output.status.code(), stdout(&output), stderr(&output))
}

struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("folder"))
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("plain path").to_owned()
    }

    fn write(&self, name: &str, content: &str) -> String {
        fs::write(self.path(name), content).expect("written");
        self.path(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("read")
    }
}

const FEED: &str = "evil.example\n192.0.2.1\n198.51.100.77/24\n2001:db8::1\n2001:db8:0:1::/64\n192.0.2.9:443\n\
    [2001:db8::9]:53\nmalware.test/gate?x;y\nuser@evil.example\n_x._tcp.evil.example\n198.51.100.9\n198.51.0.0/16\n\
    # picket: match=exact\nonly.test\nevil.example\nwww.evil.example\n";

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn check_says_what_of_a_feed_does_not_help() {
    let scratch = Scratch::new();
    let feed = scratch.write(
        "list.txt",
        "google.com\nhttps://malware.test/secret-gate\n# picket: valid_until=2024-01-01T00:00:00Z provider=them\n\
         secret-old.test\nsecret-fine.test\nsecret-fine.test\n10.0.0.1\n",
    );
    let allow = scratch.write("allow.txt", "secret-fine.test\n");
    let args = ["feed", "check", &feed, "--allow", &allow, "--at", "2024-06-01T00:00:00Z"];
    let (code, out, err) = run(&args);
    assert_eq!(code, Some(0), "{err}");
    let report = json(&out);
    let findings = &report["files"][0]["findings"];
    for (code, category, count, line) in [
        ("popular_name", "broad", 1, 1),
        ("private_space", "broad", 1, 7),
        ("tls_url", "inert", 1, 2),
        ("expired", "expired", 3, 4),
        ("allow_listed", "contradictory", 1, 5),
        ("duplicate_within", "duplicate", 1, 6),
    ] {
        let found = &findings[code];
        assert_eq!((&found["category"], &found["count"]), (&json!(category), &json!(count)), "{code}");
        assert_eq!(found["entries"][0]["line"], line, "{code}");
        assert!(found["entries"][0]["id"].as_str().is_some_and(|id| id.contains("--")), "{code}");
    }
    assert_eq!(
        report["providers"][0],
        json!({"provider": "them", "entries": 3, "findings":
        {"inert": 0, "broad": 1, "duplicate": 0, "expired": 3, "not_yet_valid": 0, "contradictory": 1}})
    );
    let (_, table, _) = run(&[&args[..], &["--format", "table"]].concat());
    for said in [
        "1 broad, is or covers a popular name: line 1\n",
        "3 expired, expired: line 4, 5, 7\n",
        "them",
        "1 inert, 2 broad",
    ] {
        assert!(table.contains(said), "{said} is not in {table}");
    }
    assert!(!(out + &table).contains("secret-"), "no value is told");
    assert_eq!(run(&["feed", "check", &feed, "--strict"]).0, Some(0), "nothing was refused");
    assert_eq!(run(&["feed", "check", &feed, "--deny", "inert"]).0, Some(1));
    assert_eq!(run(&["feed", "check", &feed, "--deny", "not_yet_valid"]).0, Some(0));
    assert_eq!(run(&["feed", "check", &feed, "--deny", "ugly"]).0, Some(2));
}

#[test]
fn check_and_stats_tell_a_reader_only_what_is_released_to_it() {
    let scratch = Scratch::new();
    let line = |id: &str, name: &str, provider: &str, tlp: &str| {
        format!(
            "{{\"threat.indicator\":{{\"type\":\"domain-name\",\"id\":\"{id}\",\"name\":\"{name}\",\"provider\":\"{provider}\",\"marking.tlp\":\"{tlp}\"}}}}\n"
        )
    };
    let feed = scratch.write(
        "feed.jsonl",
        &[
            line("secret-id", "google.com", "secret-provider", "RED"),
            line("open-id", "www.google.com", "open-provider", "CLEAR"),
            line("both-id", "youtube.com", "secret-provider", "RED"),
            line("both-id", "youtube.com", "open-provider", "CLEAR"),
        ]
        .concat(),
    );
    let clearance =
        scratch.write("clearance.toml", "[sensor]\nfloor = \"TLP:CLEAR\"\n[sink.stdout]\ntlp = \"CLEAR\"\n");
    let open = run(&["feed", "check", &feed]).1;
    assert!(open.contains("secret-id") && open.contains("secret-provider"), "{open}");
    for form in ["json", "table"] {
        let args = [&feed, "--clearance", &clearance, "--format", form];
        let (code, out, err) = run(&[&["feed", "check"][..], &args].concat());
        assert_eq!(code, Some(0), "{err}");
        assert!(!out.contains("secret-") && out.contains("open-provider") && out.contains("withheld"), "{out}");
        let (code, stats, err) = run(&[&["feed", "stats"][..], &args].concat());
        assert_eq!(code, Some(0), "{err}");
        assert!(!stats.contains("secret-") && !stats.contains("RED") && stats.contains("open-provider"), "{stats}");
        if form == "json" {
            let found = &json(&out)["files"][0]["findings"]["popular_name"];
            assert_eq!(found["count"], 4, "counts are whole");
            let ids: Vec<_> = found["entries"].as_array().expect("a list").iter().map(|entry| &entry["id"]).collect();
            assert_eq!(ids, ["withheld", "open-id", "both-id", "both-id"]);
            assert_eq!(json(&stats)["indicators"], 2);
            assert_eq!(json(&stats)["kinds"][0]["indicators"], 2);
        }
    }
}

#[test]
fn convert_keeps_what_the_format_can_say() {
    let scratch = Scratch::new();
    let (native, plain) = (scratch.path("a.jsonl"), scratch.path("a.txt"));
    let (code, out, err) = run(&["feed", "convert", common::FEED, "--to", "native", "--out", &native]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!((&json(&out)["left_out"], &json(&out)["lost"]), (&json!({}), &json!({})));
    let (code, out, _) = run(&["feed", "diff", common::FEED, &native, "--exit-code"]);
    assert_eq!(code, Some(0), "nothing is lost: {out}");
    let (code, out, _) = run(&["feed", "convert", &native, "--to", "plain", "--out", &plain, "--format", "table"]);
    assert!(code == Some(0) && out.contains("left out") && out.contains("a byte signature"), "{out}");
    let (code, out, _) = run(&["feed", "diff", &native, &plain, "--exit-code"]);
    let report = json(&out);
    assert_eq!((code, &report["added"]), (Some(1), &json!(0)), "what is written means the same");
    assert!(report["removed"].as_u64() > Some(0));
    assert_eq!(run(&["feed", "convert", &native, "--to", "punch-cards", "--out", &plain]).0, Some(2));
    let (code, _, err) = run(&["feed", "convert", &native, "--to", "native", "--out", "/no/such/folder/x"]);
    assert!(code == Some(1) && err.contains("/no/such/folder/x"), "{err}");
}

#[test]
fn diff_tells_ids_and_values_only_to_who_asks_and_is_cleared() {
    let scratch = Scratch::new();
    let old = scratch.write("old.txt", "# picket: provider=them\nsecret-a.test\nsecret-b.test\n");
    let new = scratch.write(
        "new.txt",
        "# picket: provider=them\nsecret-b.test\n# picket: provider=them tlp=RED\nsecret-c.test\n# picket: tlp=CLEAR\nsecret-d.test\n",
    );
    let (code, out, err) = run(&["feed", "diff", &old, &new]);
    assert_eq!(code, Some(0), "{err}");
    let report = json(&out);
    assert_eq!((&report["added"], &report["removed"], &report["changed"]), (&json!(2), &json!(1), &json!(0)));
    assert_eq!(report["by_provider"]["them"], json!({"added": 1, "removed": 1, "changed": 0}));
    assert_eq!(report["differences"][0]["line"], 4);
    assert!(!out.contains("secret-"), "{out}");
    let (_, out, _) = run(&["feed", "diff", &old, &new, "--values"]);
    assert_eq!(out.matches("secret-").count(), 3);
    let clearance =
        scratch.write("clearance.toml", "[sensor]\nfloor = \"TLP:CLEAR\"\n[sink.stdout]\ntlp = \"CLEAR\"\n");
    let (code, out, err) = run(&["feed", "diff", &old, &new, "--values", "--clearance", &clearance]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("secret-d.test") && !out.contains("secret-c.test"), "{out}");
    let (_, table, _) = run(&["feed", "diff", &old, &new, "--format", "table", "--limit", "1"]);
    assert!(table.contains("2 added, 1 removed, 0 changed") && table.contains("and 2 more"), "{table}");
}

/// A tool that an export is for.
fn tool(name: &str) -> Option<Command> {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&paths).collect();
    places.extend(["/usr/sbin".into(), "/sbin".into()]);
    let found = places.into_iter().map(|place| place.join(name)).find(|path| path.is_file());
    if found.is_none() {
        eprintln!("skipped: {name} is not installed");
    }
    found.map(Command::new)
}

fn export(scratch: &Scratch, target: &str, more: &[&str]) -> Value {
    let feed = scratch.write("feed.txt", FEED);
    let out = scratch.path(target);
    let args = [&["feed", "export", &feed, "--to", target, "--out", &out], more].concat();
    let (code, out, err) = run(&args);
    assert_eq!(code, Some(0), "{target}: {err}");
    json(&out)
}

fn succeeds(command: &mut Command) -> String {
    let output = finish(command);
    let text = stdout(&output) + &stderr(&output);
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

#[test]
fn named_loads_the_zone() {
    let scratch = Scratch::new();
    export(&scratch, "rpz", &["--origin", "rpz.test", "--references", &scratch.path("references")]);
    let references = scratch.read("references");
    assert!(
        references.contains(r#""reference":"picket-0000001""#) && references.contains(r#""line":1"#),
        "{references}"
    );
    if let Some(mut check) = tool("named-checkzone") {
        let text = succeeds(check.args(["-D", "rpz.test", &scratch.path("rpz")]));
        for row in ["*.evil.example.rpz.test.", "only.test.rpz.test.", "16.0.0.51.198.rpz-ip.rpz.test.", "OK"] {
            assert!(text.contains(row), "{row} is not in {text}");
        }
        assert!(!text.contains("*.only.test"), "{text}");
    }
    export(&scratch, "rpz", &["--sinkhole", "Sink.example."]);
    assert!(scratch.read("rpz").contains("\nevil.example CNAME sink.example. ;"));
    if let Some(mut check) = tool("named-checkzone") {
        succeeds(check.args(["rpz.picket", &scratch.path("rpz")]));
    }
}

#[test]
fn unbound_takes_the_zones() {
    let scratch = Scratch::new();
    export(&scratch, "unbound", &[]);
    let Some(mut check) = tool("unbound-checkconf") else { return };
    let config = format!(
        "server:\n    directory: \"{0}\"\n    chroot: \"\"\n    username: \"\"\ninclude: \"{1}\"\n",
        scratch.0.path().display(),
        scratch.path("unbound")
    );
    succeeds(check.arg(scratch.write("unbound.conf", &config)));
}

#[test]
fn nft_takes_the_table() {
    let scratch = Scratch::new();
    export(&scratch, "nftables", &[]);
    let Some(nft) = tool("nft") else { return };
    // A network of our own: no rule reaches the machine's.
    let Some(mut unshare) = tool("unshare") else { return };
    let allowed = Command::new(unshare.get_program()).args(["-rn", "true"]).status().is_ok_and(|s| s.success());
    if !allowed {
        return eprintln!("skipped: no network namespace may be made here");
    }
    succeeds(unshare.args(["-rn"]).arg(nft.get_program()).args(["-c", "-f", &scratch.path("nftables")]));
    // Twice for real: the second time it replaces the table as a whole.
    let file = scratch.path("nftables");
    let script =
        format!("{0} -f {file} && {0} -f {file} && {0} list table inet picket", nft.get_program().to_string_lossy());
    let mut unshare = Command::new(unshare.get_program());
    let text = succeeds(unshare.args(["-rn", "sh", "-c", &script]));
    for element in ["198.51.0.0/16", "2001:db8:0:1::/64", "192.0.2.9 . tcp . 443"] {
        assert!(text.contains(element), "{element} is not in {text}");
    }
}

#[test]
fn postfix_finds_what_the_maps_say() {
    let scratch = Scratch::new();
    export(&scratch, "postfix", &[]);
    export(&scratch, "postfix-cidr", &[]);
    let Some(postmap) = tool("postmap") else { return };
    // Users that every Debian has, for where postfix is unpacked and not installed.
    scratch.write("main.cf", "compatibility_level = 3.6\nmail_owner = daemon\nsetgid_group = users\n");
    let postmap = |args: &[&str]| {
        let mut command = Command::new(postmap.get_program());
        finish(command.args(["-c", scratch.0.path().to_str().expect("plain path")]).args(args))
    };
    let hash = format!("hash:{}", scratch.path("postfix"));
    let made = postmap(&[&hash]);
    assert!(made.status.success() && stderr(&made).is_empty(), "{}", stderr(&made));
    let cidr = format!("cidr:{}", scratch.path("postfix-cidr"));
    for (map, key, listed) in [
        (&hash, "evil.example", true),
        (&hash, ".evil.example", true),
        (&hash, "user@evil.example", true),
        (&hash, "only.test", true),
        (&hash, ".only.test", false),
        (&cidr, "198.51.7.7", true),
        (&cidr, "2001:db8:0:1::7", true),
        (&cidr, "192.0.2.9", false),
    ] {
        let found = postmap(&["-q", key, map]);
        assert!(stderr(&found).is_empty(), "{}", stderr(&found));
        assert_eq!(stdout(&found).starts_with("REJECT picket-"), listed, "{key}: {}", stdout(&found));
    }
}

#[test]
fn an_export_is_gated_by_marking_and_clearance() {
    let scratch = Scratch::new();
    let feed = scratch.write(
        "feed.txt",
        "# picket: pap=AMBER tlp=GREEN\nsecret-a.test\n# picket: pap=GREEN tlp=GREEN\nsecret-b.test\n",
    );
    let zone = scratch.path("zone");
    let args = ["feed", "export", &feed, "--to", "rpz", "--out", &zone];
    let (code, out, err) = run(&args);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!((&json(&out)["written"], &json(&out)["left_out"]), (&json!(1), &json!({"beyond_pap": 1})));
    assert!(scratch.read("zone").contains("secret-b") && !scratch.read("zone").contains("secret-a"));
    let clearance = scratch.write(
        "clearance.toml",
        "[sensor]\nfloor = \"TLP:CLEAR\"\n[sink.rpz]\ntlp = \"GREEN\"\nact = \"active\"\n[sink.other]\n",
    );
    let cleared = |sink: &[&str]| run(&[&args[..], &["--clearance", &clearance], sink].concat());
    assert_eq!(cleared(&[]).0, Some(0));
    let (code, out, err) = cleared(&["--sink", "other"]);
    assert_eq!((code, &json(&out)["written"]), (Some(1), &json!(0)), "{err}");
    assert!(!scratch.read("zone").contains("secret-") && !err.contains("secret-"), "{err}");
    assert_eq!(run(&["feed", "export", &feed, "--to", "telex", "--out", &zone]).0, Some(2));
    assert_eq!(run(&["feed", "export", &feed, "--to", "rpz", "--out", &zone, "--sinkhole", "a b"]).0, Some(2));
}

/// A TAXII server that runs until it is dropped.
struct Medallion(Child, String);

impl Drop for Medallion {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `medallion` of the environment below `target/`, which is made if it can be.
fn medallion() -> Option<PathBuf> {
    let venv = root().join("target/taxii/venv");
    let program = venv.join("bin/medallion");
    if !program.is_file() {
        let python = tool("python3")?;
        let done = |command: &mut Command| {
            command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
        };
        let made = done(Command::new(python.get_program()).args(["-m", "venv"]).arg(&venv))
            && done(Command::new(venv.join("bin/pip")).args(["install", "-q", "--timeout", "20", "medallion==3.0.0"]));
        if !made || !program.is_file() {
            eprintln!("skipped: medallion (a TAXII server, PyPI) cannot be installed here");
            return None;
        }
    }
    Some(program)
}

fn indicator(number: u32, modified: &str) -> Value {
    let id = format!("indicator--00000000-0000-4000-8000-{number:012}");
    json!({"type": "indicator", "spec_version": "2.1", "id": id, "created": "2024-01-01T00:00:00.000Z", "modified": modified,
        "pattern_type": "stix", "pattern": format!("[ipv4-addr:value = '192.0.2.{number}']"), "valid_from": "2024-01-01T00:00:00Z"})
}

fn serve(scratch: &Scratch, program: &Path, objects: &[(Value, &str)]) -> Medallion {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
    let url = format!("http://127.0.0.1:{port}");
    let manifest: Vec<Value> = objects
        .iter()
        .map(|(object, added)| json!({"id": object["id"], "date_added": added, "version": object["modified"], "media_type": "application/stix+json;version=2.1"}))
        .collect();
    let kept: Vec<Value> = objects
        .iter()
        .map(|(object, added)| {
            let mut object = object.clone();
            object["_date_added"] = json!(added);
            object
        })
        .collect();
    let data = json!({
        "/discovery": {"title": "A server", "default": format!("{url}/api1/"), "api_roots": [format!("{url}/api1/")]},
        "api1": {
            "information": {"title": "A root", "versions": ["application/taxii+json;version=2.1"], "max_content_length": 9765625},
            "status": [],
            "collections": [{"id": "91a7b528-80eb-42ed-a74d-c6fbd5a26116", "title": "Indicators", "can_read": true, "can_write": false,
                "media_types": ["application/stix+json;version=2.1"], "objects": kept, "manifest": manifest}],
        },
    });
    let data = scratch.write("data.json", &data.to_string());
    let config = json!({"backend": {"module": "medallion.backends.memory_backend", "module_class": "MemoryBackend", "filename": data}, "users": {"picket": "pass:word"}, "taxii": {"max_page_size": 2}});
    let config = scratch.write("config.json", &config.to_string());
    let mut command = Command::new(program);
    let child =
        command.args(["--port", &port.to_string(), &config]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let server = Medallion(child.expect("starts"), format!("{url}/taxii2/"));
    for _ in 0..300 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return server;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("medallion does not answer");
}

#[test]
fn a_collection_is_fetched_from_a_real_server() {
    let Some(program) = medallion() else { return };
    let scratch = Scratch::new();
    let mut objects: Vec<(Value, &str)> =
        (1..=5).map(|number| (indicator(number, "2024-01-01T00:00:00.000Z"), "2024-01-01T00:00:00.000000Z")).collect();
    let out = scratch.path("out");
    let file = || scratch.read("out/91a7b528-80eb-42ed-a74d-c6fbd5a26116.stix.jsonl");
    let credentials = scratch.write("credentials", "Basic picket:pass:word\n");
    let fetch =
        |url: &str, more: &[&str]| run(&[&["feed", "fetch", url, "--credentials", &credentials], more].concat());
    let into = ["--collection", "Indicators", "--out", &out];
    {
        let server = serve(&scratch, &program, &objects);
        let (code, listed, err) = fetch(&server.1, &["--list"]);
        assert_eq!(code, Some(0), "{err}");
        assert_eq!(json(&listed)[0]["title"], "Indicators");
        let (code, told, err) = fetch(&server.1, &into);
        assert_eq!(code, Some(0), "{err}");
        let told = json(&told);
        assert_eq!(
            (&told["full"], &told["pages"], &told["new"], &told["kept"]),
            (&json!(true), &json!(3), &json!(5), &json!(5))
        );
        assert_eq!(file().lines().count(), 5);
        let (code, told, _) = fetch(&server.1, &into);
        assert_eq!((code, &json(&told)["full"], &json(&told)["new"]), (Some(0), &json!(false), &json!(0)));
        let wrong = scratch.write("wrong", "Basic picket:hunter2\n");
        let (code, _, err) = run(&["feed", "fetch", &server.1, "--credentials", &wrong, "--list"]);
        assert!(code == Some(1) && err.contains("401") && !err.contains("hunter2"), "{err}");
    }
    // The same port is not to be had again: where it was fetched from has changed, so everything is fetched anew.
    objects.truncate(2);
    objects.push((indicator(1, "2025-01-01T00:00:00.000Z"), "2025-01-01T00:00:00.000000Z"));
    let server = serve(&scratch, &program, &objects);
    let (code, told, err) = fetch(&server.1, &into);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(
        (&json(&told)["full"], file().lines().count()),
        (&json!(true), json(&told)["kept"].as_u64().unwrap_or(0) as usize)
    );
    assert!(!file().contains("192.0.2.5"), "what the server has no more is gone");
    assert!(file().contains("192.0.2.2"));
}

#[test]
fn fetch_is_told_where_it_may_not_go() {
    let (code, _, err) = run(&["feed", "fetch", "http://taxii.example/taxii2/", "--list"]);
    assert!(code == Some(1) && err.contains("must be https"), "{err}");
    assert_eq!(run(&["feed", "fetch", "https://taxii.example/taxii2/"]).0, Some(2), "neither a collection nor --list");
}
