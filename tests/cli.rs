//! The `picket` command from outside: exit codes, messages, outputs, signals. Nothing here knows the library.
//!
//! Exit codes: 0 done (with warnings, perhaps), 1 could not do it, 2 wrong usage.
//!
//! Seen to fail: all of it, against a binary that does nothing (an empty `main`).

mod common;

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::{FEED, at, documents, file, finish, finish_with, picket, stderr, stdout, text_at};

/// A capture with one alert.
const ONE: &str = "fixtures/pcaps/dns-query-a.pcap";

/// A capture of three flows that are all alerted.
const THREE: &str = "fixtures/pcaps/file-micro-little.pcap";

const TEXT: &str = "fixtures/pcaps/damage-not-a-capture.pcap";

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let output = finish(picket().args(args));
    (output.status.code(), stdout(&output), stderr(&output))
}

fn scratch(name: &str, content: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join(name);
    fs::write(&path, content).expect("written");
    let text = path.to_str().expect("plain path").to_string();
    (folder, text)
}

#[test]
fn help_and_version_exit_0() {
    let (code, out, _) = run(&["--help"]);
    assert_eq!(code, Some(0));
    for word in ["replay", "lookup", "feed"] {
        assert!(out.contains(word), "{word} is not in the help");
    }
    let (code, out, _) = run(&["--version"]);
    assert_eq!((code, out.trim()), (Some(0), concat!("picket ", env!("CARGO_PKG_VERSION"))));
    for args in [&["replay", "--help"][..], &["feed", "--help"], &["lookup", "--help"]] {
        assert_eq!(run(args).0, Some(0), "{args:?}");
    }
}

#[test]
fn wrong_usage_exits_2_and_says_how() {
    let wrong: &[&[&str]] = &[
        &[],
        &["nonsense"],
        &["replay"],
        &["replay", ONE],
        &["replay", "--feed", FEED],
        &["replay", "--feed", FEED, "--threads", "none", ONE],
        &["replay", "--feed", FEED, "--format", "xml", ONE],
        &["replay", "--feed", FEED, "--no-such-flag", ONE],
        &["lookup", "--feed", FEED],
        &["feed", "check"],
    ];
    for args in wrong {
        let (code, out, err) = run(args);
        assert_eq!(code, Some(2), "{args:?}: {err}");
        assert!(err.contains("--help") && out.is_empty(), "{args:?}: {err}");
    }
}

#[test]
fn a_missing_file_is_named_before_anything_is_read() {
    for args in [&["replay", "--feed", FEED, "no/such.pcap"][..], &["replay", "--feed", FEED, ONE, "no/such.pcap"]] {
        let (code, out, err) = run(args);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{args:?}: {err}");
        assert!(err.contains("no/such.pcap"), "{args:?}: {err}");
    }
    for args in [
        &["replay", "--feed", "no/such.jsonl", ONE][..],
        &["feed", "check", "no/such.jsonl"],
        &["feed", "stats", "no/such.jsonl"],
    ] {
        let (code, _, err) = run(args);
        assert_eq!(code, Some(1), "{args:?}: {err}");
        assert!(err.contains("no/such.jsonl"), "{args:?}: {err}");
    }
}

#[test]
fn a_file_that_is_no_capture_is_named_with_what_it_looks_like() {
    let (code, out, err) = run(&["replay", "--feed", FEED, TEXT]);
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains(TEXT) && err.contains("text"), "{err}");
    let (code, out, err) = run(&["replay", "--feed", FEED, TEXT, ONE]);
    assert_eq!((code, documents(&out).len()), (Some(0), 1), "{err}");
    assert!(err.contains(TEXT), "{err}");
}

#[test]
fn damage_is_reported_with_file_and_offset_and_exits_0() {
    let damaged = "fixtures/pcaps/damage-truncated-record.pcap";
    let (code, out, err) = run(&["replay", "--feed", FEED, damaged, "fixtures/pcaps/addr-udp.pcap"]);
    assert_eq!((code, documents(&out).len()), (Some(0), 3), "{err}");
    assert!(err.contains(damaged) && err.contains("208"), "{err}");
}

#[test]
fn piped_output_is_json_lines_and_nothing_else() {
    let (code, out, err) = run(&["replay", "--feed", FEED, THREE]);
    assert_eq!(code, Some(0), "{err}");
    let alerts = documents(&out);
    assert_eq!(alerts.len(), 3);
    assert!(alerts.iter().all(|a| text_at(a, "event.kind") == "alert"));
}

/// What is alerted with and without verifying checksums: the ids.
#[test]
fn wrong_checksums_are_passed_over_when_asked_for() {
    let ids = |how: &str, capture: &str| -> Vec<String> {
        let capture = format!("fixtures/pcaps/{capture}.pcap");
        let (code, out, err) = run(&["replay", "--feed", FEED, "--checksums", how, &capture]);
        assert_eq!(code, Some(0), "{err}");
        assert_eq!(err.contains("bad_checksum"), how == "verify", "{err}");
        let id = |alert: &serde_json::Value| text_at(&alert["threat"]["enrichments"][0], "matched.id").to_owned();
        documents(&out).iter().map(id).collect()
    };
    for (capture, ignored, verified) in [
        ("tcp-bad-checksum", &["name"][..], &[][..]),
        ("tcp-checksum-decoy", &[], &["name"]),
        ("ip-checksum-decoy", &["bytes-udp"], &["name"]),
    ] {
        assert_eq!((ids("ignore", capture), ids("verify", capture)), (owned(ignored), owned(verified)), "{capture}");
    }
}

#[test]
fn only_protocols_that_are_asked_for_are_parsed() {
    let alerts = |names: &[&str]| {
        let captures = ["fixtures/pcaps/dns-query-a.pcap", "fixtures/pcaps/addr-udp.pcap"];
        let (code, out, err) = run(&[&["replay", "--feed", FEED], names, &captures[..]].concat());
        assert_eq!(code, Some(0), "{err}");
        let not_recognised = err.lines().find(|line| line.contains("protocol_not_recognised"));
        let field = |alert: &serde_json::Value| text_at(&alert["threat"]["enrichments"][0], "matched.field").to_owned();
        let fields: Vec<String> = documents(&out).iter().map(field).collect();
        (fields, not_recognised.map(str::to_owned))
    };
    let (all, unknown) = alerts(&[]);
    assert!(all.iter().any(|field| field == "dns.question.name"), "{all:?}");
    assert_eq!(alerts(&["--protocols", "http,dns"]), (all.clone(), unknown.clone()));
    let (left, more_unknown) = alerts(&["--protocols", "tls,http"]);
    assert_ne!(more_unknown, unknown, "what is left out is counted");
    let addresses: Vec<String> = all.into_iter().filter(|field| !field.starts_with("dns.")).collect();
    assert!(!addresses.is_empty());
    assert_eq!(left, addresses, "addresses are looked for in any case");
    let feed = tempfile::NamedTempFile::new().expect("scratch file");
    let entry = |protocol: &str| {
        format!(
            r#"{{"threat.indicator.type":"domain-name","threat.indicator.name":"{protocol}.example","picket.when.protocol":"{protocol}"}}"#
        )
    };
    std::fs::write(feed.path(), format!("{}\n{}\n", entry("dns"), entry("smtp"))).expect("written");
    let feed = feed.path().to_string_lossy();
    let (code, _, err) = run(&["replay", "--feed", &feed, "--protocols", "dns", THREE]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("1 indicators cannot match"), "{err}");
    let (_, _, err) = run(&["replay", "--feed", &feed, "--protocols", "dns,smtp", THREE]);
    assert!(!err.contains("cannot match"), "{err}");
    let (code, _, err) = run(&["replay", "--feed", FEED, "--protocols", "dns,gopher", THREE]);
    assert_eq!(code, Some(2));
    assert!(err.contains("gopher") && err.contains("postgresql"), "{err}");
}

/// What `picket explain` must say of a frame, in this order.
#[test]
fn a_packet_is_explained() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "dns-query-a",
            "1",
            &[
                "Ethernet",
                "Ipv4",
                "Udp",
                "begun by this packet",
                "dns",
                "verdict: inspected",
                "source.ip",
                "no match",
                "dns.question.name = www.evil.example",
                "matches name",
                "alerts raised: 1",
            ],
        ),
        ("tcp-conversation", "3", &["Tcp", "to the responder", "looked up with its first packet", "nothing matched"]),
        ("tls-split-segments", "4", &["verdict: open", "once later packets completed it", "tls.client.server_name"]),
        ("dns-match-and-validity", "1", &["dns.question.name", "no match: "]),
        ("link-other-ethertypes", "1", &["stopped at byte", "flow: none", "verdict: unknown layer"]),
        ("tcp-out-of-window", "5", &["too far from its stream", "name-c2"]),
        ("damage-snap-length", "4", &["captured", "cut by the snap length"]),
        ("fragment-in-order", "1", &["stopped at byte", "verdict: open"]),
        ("fragment-in-order", "3", &["verdict: inspected", "dns.question.name"]),
        ("ics-goose", "2", &["Fieldbus", "00-00-5E-00-53-02", "goose", "goose:state-change", "matches ics-goose"]),
    ];
    for (capture, frame, expected) in cases {
        let path = format!("fixtures/pcaps/{capture}.pcap");
        let (code, out, err) = run(&["explain", "--format", "text", "--feed", FEED, "--frame", frame, &path]);
        assert_eq!(code, Some(0), "{capture}: {err}");
        let mut rest = out.as_str();
        for words in *expected {
            let at = rest.find(words).unwrap_or_else(|| panic!("{capture}: no {words:?} in\n{out}"));
            rest = &rest[at + words.len()..];
        }
    }
    let (code, _, err) = run(&["explain", "--frame", "999", ONE]);
    assert_eq!(code, Some(1));
    assert!(err.contains("no frame 999"), "{err}");
    let (code, out, _) = run(&["explain", "--frame", "1", "--format", "text", ONE]);
    assert!(code == Some(0) && out.contains("no indicator of kind domain-name is loaded"), "{out}");
}

/// Frames are named as alerts name them, over several captures; what comes before is read too.
#[test]
fn a_packet_of_several_captures_is_explained() {
    let folder = "fixtures/pcaps";
    let captures = ["rotated.1.pcap", "rotated.2.pcap"].map(|name| format!("{folder}/{name}"));
    let [a, b] = captures.each_ref().map(String::as_str);
    let (_, out, _) = run(&["replay", "--feed", FEED, a, b]);
    let alerts = documents(&out);
    assert!(!alerts.is_empty());
    for alert in &alerts {
        let (capture, frame) =
            (text_at(alert, "picket.capture"), at(alert, "picket.frame").expect("frame").to_string());
        let name = capture.rsplit('/').next().expect("name");
        let (code, out, err) = run(&["explain", "--feed", FEED, "--frame", &frame, "--in", name, a, b]);
        assert_eq!(code, Some(0), "{err}");
        let told = &documents(&out)[0];
        assert_eq!((text_at(told, "capture"), told["frame"].to_string()), (capture, frame));
        let id = text_at(&alert["threat"]["enrichments"][0], "matched.id");
        let seen = told["seen"].as_array().expect("list").iter().chain(told["seen_later"].as_array().expect("list"));
        let ids: Vec<_> =
            seen.flat_map(|seen| seen["matches"].as_array().expect("list")).map(|hit| &hit["id"]).collect();
        assert!(ids.iter().any(|seen| *seen == id), "{id} of {ids:?}");
        assert!(told["alerts"].as_u64() > Some(0), "{told}");
    }
    for (arguments, words) in [(vec![a, b], "--in"), (vec![a, "--in", "other.pcap"], "none of the captures")] {
        let (code, _, err) = run(&[vec!["explain", "--frame", "1"], arguments].concat());
        assert_eq!((code, err.contains(words)), (Some(1), true), "{err}");
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_string()).collect()
}

#[test]
fn formats_are_chosen_by_flag() {
    let (code, csv, err) = run(&["replay", "--feed", FEED, "--format", "csv", THREE]);
    assert_eq!((code, csv.lines().count()), (Some(0), 4), "{err}{csv}");
    let columns = |line: &str| line.matches(',').count();
    assert!(csv.lines().all(|l| columns(l) >= 3), "{csv}");
    let (code, table, err) = run(&["replay", "--feed", FEED, "--format", "table", THREE]);
    assert_eq!(code, Some(0), "{err}");
    assert!(table.matches("evil.example").count() >= 3 || table.matches("name").count() >= 3, "{table}");
    assert!(!table.contains('\u{1b}'), "no colours in a pipe");
    let (code, json, _) = run(&["replay", "--feed", FEED, "--format", "ecs", THREE]);
    assert_eq!((code, documents(&json).len()), (Some(0), 3));
}

#[test]
fn a_folder_is_replayed_in_name_order_and_all_thread_counts_agree() {
    let scratch = tempfile::tempdir().expect("folder");
    let replay = |threads: &str, sharing: &str| {
        let name = format!("{threads}-{sharing}");
        let (alerts, summary) = (scratch.path().join(&name), scratch.path().join(format!("{name}.json")));
        let mut command = picket();
        command
            .args(["replay", "--feed", FEED, "--threads", threads, "--sharing", sharing, "--alerts"])
            .arg(&alerts)
            .arg("--summary")
            .arg(&summary);
        let output = finish(command.arg("fixtures/pcaps"));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let summary = fs::read_to_string(summary).expect("summary");
        let mut summary: serde_json::Value = serde_json::from_str(&summary).expect("the summary is JSON");
        // What the run took.
        let fields = summary.as_object_mut().expect("an object");
        fields.retain(|name, _| name != "seconds" && name != "packets_per_second" && name != "feeds");
        (fs::read_to_string(alerts).expect("alerts"), summary)
    };
    let one = replay("1", "auto");
    let names: Vec<String> = documents(&one.0).iter().map(|a| text_at(a, "picket.capture").to_string()).collect();
    assert!(names.len() > 100 && names.is_sorted(), "{} alerts, in name order: {}", names.len(), names.is_sorted());
    for threads in ["2", "3", "4"] {
        for sharing in ["always", "never"] {
            let (alerts, summary) = replay(threads, sharing);
            assert!(alerts == one.0, "{threads} threads differ from one ({sharing})");
            assert_eq!(summary, one.1, "{threads} threads ({sharing})");
        }
    }
}

#[test]
fn alerts_are_sorted_by_file_frame_and_id() {
    let (_, out, _) =
        run(&["replay", "--feed", FEED, "fixtures/pcaps/http-pipelined.pcap", "fixtures/pcaps/addr-port.pcap", THREE]);
    let place = |alert: &serde_json::Value| {
        let name = text_at(alert, "picket.capture").to_string();
        let order = ["http-pipelined", "addr-port", "file-micro"].iter().position(|n| name.contains(n)).expect("known");
        let frame = common::at(alert, "picket.frame").and_then(serde_json::Value::as_u64).expect("frame");
        let id = text_at(&common::at(alert, "threat.enrichments").expect("there")[0], "matched.id").to_string();
        (order, frame, id)
    };
    let places: Vec<_> = documents(&out).iter().map(place).collect();
    assert!(places.len() >= 8 && places.is_sorted(), "{places:?}");
}

#[test]
fn a_dash_reads_standard_input_compressed_or_not() {
    let (_, expected, _) = run(&["replay", "--feed", FEED, THREE]);
    for name in [
        THREE,
        "fixtures/pcaps/packed-gz.pcap.gz",
        "fixtures/pcaps/packed-zst.pcap.zst",
        "fixtures/pcaps/file-nano-big.pcap",
    ] {
        let input = fs::read(file(name)).expect("fixture");
        let output = finish_with(picket().args(["replay", "--feed", FEED, "-"]), Some(input));
        let alerts = documents(&stdout(&output));
        assert_eq!((output.status.code(), alerts.len()), (Some(0), 3), "{name}: {}", stderr(&output));
        for (alert, other) in alerts.iter().zip(documents(&expected)) {
            assert_eq!(
                alert["threat"]["enrichments"][0]["matched"], other["threat"]["enrichments"][0]["matched"],
                "{name}"
            );
        }
    }
}

#[test]
fn an_allow_list_suppresses() {
    let (_folder, allow) = scratch("allow.txt", "evil.example\n");
    assert_eq!(documents(&run(&["replay", "--feed", FEED, THREE]).1).len(), 3);
    let (code, out, err) = run(&["replay", "--feed", FEED, "--allow", &allow, THREE]);
    assert_eq!((code, out.as_str()), (Some(0), ""), "{err}");
}

#[test]
fn values_from_traffic_cannot_forge_a_line_or_reach_a_terminal() {
    for format in ["ecs", "eve", "cef", "ocsf", "csv", "table"] {
        let mut command = picket();
        let output = finish(command.args([
            "replay",
            "--feed",
            FEED,
            "--format",
            format,
            "fixtures/pcaps/http-hostile-values.pcap",
        ]));
        assert_eq!(output.status.code(), Some(0));
        assert!(
            output.stdout.iter().all(|&b| b == b'\n' || b >= 0x20 && b != 0x7F),
            "{format}: control bytes in the output"
        );
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(!text.chars().any(|c| ('\u{80}'..='\u{9f}').contains(&c)), "{format}: C1 controls in the output");
        assert!(!text.is_empty());
        if format == "ecs" {
            documents(&text);
        }
    }
}

#[test]
fn feed_check_names_lines_and_reasons_and_never_values() {
    let secret = "zz-secret-value";
    let lines = [
        format!(r#"{{"threat":{{"indicator":{{"type":"domain-name","name":"{secret}..example"}}}}}}"#),
        format!(r#"{{"threat":{{"indicator":{{"type":"no-such-kind","name":"{secret}"}}}}}}"#),
        format!("{{{secret}"),
        format!(r#"{{"threat":{{"indicator":{{"type":"ipv4-addr","name":"{secret}"}}}}}}"#),
        format!(r#"{{"threat":{{"indicator":{{"type":"ja3","name":"{secret}"}}}}}}"#),
        r#"{"threat":{"indicator":{"type":"ipv4-addr","name":"0.0.0.0/0"}}}"#.to_string(),
        r#"{"threat":{"indicator":{"type":"domain-name","name":"fine.evil.example"}}}"#.to_string(),
    ];
    let (_folder, feed) = scratch("bad.jsonl", &(lines.join("\n") + "\n"));
    for (flags, expected) in [(&[][..], 0), (&["--strict"][..], 1)] {
        let output = finish(picket().args(["feed", "check"]).args(flags).arg(&feed));
        let said = stdout(&output) + &stderr(&output);
        assert_eq!(output.status.code(), Some(expected), "{said}");
        assert!(!said.contains(secret) && !said.contains("fine.evil") && !said.contains("0.0.0.0/0"), "{said}");
        assert!(said.contains("bad.jsonl"), "{said}");
        for line in 1..=6 {
            assert!(said.contains(&line.to_string()), "line {line} is not named: {said}");
        }
    }
    let (code, out, err) = run(&["feed", "check", "--strict", FEED]);
    assert_eq!(code, Some(0), "the fixtures' feed loads whole: {out}{err}");
}

#[test]
fn feed_stats_counts_by_kind() {
    let (code, out, err) = run(&["feed", "stats", FEED]);
    assert_eq!(code, Some(0), "{err}");
    for kind in ["ipv4-addr", "ipv6-addr", "domain-name", "url", "user-agent", "ja3", "ja4", "network-traffic"] {
        assert!(out.contains(kind), "{kind} is not in {out}");
    }
}

#[test]
fn lookup_says_which_indicators_match() {
    let cases = [
        ("www.evil.example", "name"),
        ("203.0.113.66", "addr"),
        ("198.51.100.1", "net"),
        ("192.0.2.77:4444", "port"),
        ("2001:db8:bad::1", "net6"),
        ("hxxp://malware[.]test/payload/dropper.bin", "url"),
        ("http://malware.test/gate/x", "url-prefix"),
        ("daf3eb8ee3314bc958201bebb1efcdcf", "ja3"),
    ];
    for (value, id) in cases {
        let (code, out, err) = run(&["lookup", "--feed", FEED, value]);
        assert_eq!(code, Some(0), "{value}: {err}");
        let words: Vec<&str> = out.split(|c: char| !c.is_alphanumeric() && c != '-').collect();
        assert!(words.contains(&id), "{value}: no {id} in {out}");
    }
    let (_, out, _) = run(&["lookup", "--feed", FEED, "notevil.example"]);
    assert!(!out.split(|c: char| !c.is_alphanumeric() && c != '-').any(|word| word == "name"), "{out}");
}

#[test]
fn the_sample_feeds_find_something_of_every_kind_in_the_fixtures() {
    let (code, out, err) = run(&["replay", "--feed", "feeds", "--format", "ecs", "fixtures/pcaps"]);
    assert_eq!(code, Some(0), "{err}");
    for kind in ["ipv4-addr", "ipv6-addr", "domain-name", "url", "user-agent", "ja3", "ja4", "network-traffic"] {
        assert!(out.contains(&format!("\"{kind}\"")), "no alert by a {kind}");
    }
}

/// Time enough to notice a signal on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A capture as long as one likes: many copies of the frames of one.
fn endless() -> (Vec<u8>, Vec<u8>) {
    let bytes = fs::read(file(THREE)).expect("fixture");
    (bytes[..24].to_vec(), bytes[24..].repeat(200))
}

#[test]
fn an_interrupt_flushes_alerts_and_writes_the_summary() {
    let folder = tempfile::tempdir().expect("folder");
    let [alerts, summary]: [PathBuf; 2] = ["alerts.jsonl", "summary.json"].map(|name| folder.path().join(name));
    let mut command = picket();
    command.args(["replay", "--feed", FEED, "--alerts"]).arg(&alerts).arg("--summary").arg(&summary).arg("-");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("starts");
    let mut stdin = child.stdin.take().expect("piped");
    let (head, frames) = endless();
    let writer = thread::spawn(move || {
        // Goes on until the command closes its end, as a live pipe would.
        let mut sent = stdin.write_all(&head);
        while sent.is_ok() {
            sent = stdin.write_all(&frames);
            thread::sleep(Duration::from_millis(10));
        }
    });
    thread::sleep(Duration::from_secs(1));
    assert!(child.try_wait().expect("waits").is_none(), "it ends before its input does");
    let sent = Command::new("sh").arg("-c").arg(format!("kill -INT {}", child.id())).status();
    assert!(sent.is_ok_and(|s| s.success()));
    let start = Instant::now();
    let status = loop {
        match child.try_wait().expect("waits") {
            Some(status) => break status,
            None if start.elapsed() > PATIENCE => {
                child.kill().expect("ends");
                panic!("no end {PATIENCE:?} after the signal");
            }
            None => thread::sleep(Duration::from_millis(10)),
        }
    };
    writer.join().expect("writer");
    assert!(status.code().is_some(), "ended by the signal instead of on its own: {status}");
    let alerts = documents(&fs::read_to_string(alerts).expect("alerts"));
    assert!(alerts.len() >= 3, "{} alerts", alerts.len());
    let summary: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(summary).expect("summary")).expect("JSON");
    let mut numbers = std::collections::BTreeMap::new();
    common::numbers(&summary, "", &mut numbers);
    let frames = numbers.iter().find(|(path, _)| path.ends_with(".frames")).map(|(_, n)| *n);
    assert!(frames.is_some_and(|n| n >= 600), "{summary}");
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let mut child = picket()
        .args(["replay", "--feed", FEED, "--format", "ecs", "fixtures/pcaps"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut first = [0];
    let read = child.stdout.take().expect("piped").read(&mut first).expect("readable");
    assert_eq!((read, first), (1, *b"{"));
    let output = child.wait_with_output().expect("ends");
    assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
}
