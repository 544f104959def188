//! What `Debug` can print. A type that derives it and can hold a text, bytes or an address is named here with the reason why that is no
//! value of an indicator and nothing of traffic; every other one shows its name alone (`opaque_debug!`) or writes its own.

use std::fs;
use std::path::{Path, PathBuf};

/// Words of fields that can hold a value.
const HOLDERS: [&str; 15] = [
    "String",
    "str",
    "u8",
    "u8;",
    "u64;",
    "u128",
    "IpAddr",
    "Ipv4Addr",
    "Ipv6Addr",
    "Address",
    "Cow",
    "Path",
    "PathBuf",
    "Value",
    "OwnedValue",
];

/// `file: type`, and what it holds.
const ALLOWED: &[(&str, &str)] = &[
    ("alert/flow_record.rs: Topic", "words of its own"),
    ("alert/view.rs: Policy", "a handling line; key and networks write their own"),
    ("capture/files.rs: FileInfo", "paths of captures"),
    ("capture/list.rs: OpenError", "paths of captures"),
    ("capture/live.rs: ", "names of interfaces, a filter that the user gave, reasons"),
    ("capture/mod.rs: Trouble", "paths of captures and reasons"),
    ("capture/reading.rs: Problem", "reasons"),
    ("cli/clearance.rs: ReaderArgs", "a path and a sink's name"),
    ("cli/config/", "paths of the configuration"),
    ("cli/config.rs: CheckArgs", "paths"),
    ("cli/doctor/", "names of interfaces and features, paths, words of its own"),
    ("cli/doctor.rs: DoctorArgs", "names of interfaces, paths"),
    ("cli/feed.rs: Command", "paths and names of what the user gave"),
    ("cli/feed.rs: Feeds", "paths of feeds"),
    ("cli/feed/", "paths of feeds, a server's URL"),
    ("cli/marking.rs: Command", "a marking"),
    ("cli/sightings.rs: SightingsArgs", "paths"),
    ("cli/status.rs: Asking", "paths"),
    ("cli/watch/console.rs: ConsoleArgs", "paths"),
    ("cli/watch/settings.rs: Difference", "names of the configuration"),
    ("config/", "paths, hosts and names of the configuration; a secret is a path or the name of a variable"),
    ("console/control.rs: Answer", "numbers and names of a snapshot, words"),
    ("console/health.rs: Problem", "words, names of interfaces and outputs, numbers of feeds"),
    ("console/http.rs: TlsFiles", "paths"),
    ("feed/audit/mod.rs: ProviderReport", "a provider's name"),
    ("feed/csv/layout.rs: Role", "words of its own"),
    ("feed/finding.rs: Entry", "a line and an id"),
    ("feed/misp/manifest.rs: Check", "the digest of a feed's file"),
    ("feed/misp/types.rs: Plan", "words of its own"),
    ("feed/report.rs: Totals", "counts"),
    ("fetch/", "URLs of servers, paths"),
    ("feed/mod.rs: Broken", "what a line's options lack, never a value"),
    ("feed/mod.rs: FeedError", "paths of feeds"),
    ("feed/report.rs: FileReport", "paths of feeds, counts"),
    ("feed/report.rs: Skipped", "paths of feeds"),
    ("flow/mod.rs: Flow", "room between fields"),
    ("indicator/kind/mod.rs: Index", "words of its own"),
    ("matcher/prefix.rs: Covered", "words of its own"),
    ("pipeline/evidence.rs: EvidenceOptions", "a path and limits"),
    ("proto/http2/hpack.rs: Name", "words of its own"),
    ("sink/dead_letter.rs: DeadLetterOptions", "a path"),
    ("sink/destination/", "paths, hosts and names of the configuration; a secret is a path or the name of a variable"),
    ("sink/filter.rs: Filter", "names of providers and ids of the configuration"),
    ("sink/output.rs: OutputOptions", "what the configuration says of an output"),
    ("sink/output.rs: OutputStatus", "names of the configuration, counts and words"),
    ("sink/spool/mod.rs: SpoolOptions", "a path"),
    ("marking/", "markings and clearances"),
    ("pipeline/counters.rs: Uninspected", "reasons"),
    ("pipeline/live.rs: WatchOutcome", "ids of indicators, counts"),
    ("pipeline/live/control.rs: LiveStatus", "names of interfaces, counts"),
    ("pipeline/reload.rs: Failure", "paths of feeds, and why one cannot be read"),
    ("pipeline/reload.rs: FeedState", "paths of feeds, and why one cannot be read"),
    ("pipeline/summary.rs: Capture", "paths of captures"),
    ("pipeline/summary.rs: Problem", "paths of captures and reasons"),
    ("privilege/", "paths, names of users"),
    ("proto/protocols.rs: UnknownProtocol", "a name that the user gave"),
    ("proto/quic/keys.rs: Version", "constants of the standard"),
    ("proto/testing.rs: ", "for tests only"),
];

#[test]
fn no_derived_debug_can_print_a_value() {
    let mut derived = 0;
    let mut bad = Vec::new();
    for file in sources(&root()) {
        let path = file.strip_prefix(root()).expect("below src").to_str().expect("plain path").to_owned();
        let text = without_tests(&fs::read_to_string(&file).expect("readable"));
        for (name, body) in types_with_debug(&text) {
            derived += 1;
            let words = body.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | ';')));
            if !words.into_iter().any(|word| HOLDERS.contains(&word)) {
                continue;
            }
            let full = format!("{path}: {name}");
            match ALLOWED
                .iter()
                .position(|(allowed, _)| full == *allowed || full.starts_with(allowed) && allowed.ends_with(['/', ' ']))
            {
                Some(_) => {}
                None => bad.push(full),
            }
        }
    }
    assert!(derived > 100, "only {derived} types with Debug were found");
    assert!(bad.is_empty(), "these derive Debug and can hold values (use opaque_debug!):\n{}", bad.join("\n"));
}

#[test]
fn the_search_finds_holders() {
    let text = "#[derive(Debug, Clone)]\n#[repr(C)]\npub struct A<'a> {\n    /// A String.\n    n: u32,\n    v: &'a [u8],\n}\n#[derive(Debug)]\nenum B { X(u8), Y { name: &'static str } }\n#[derive(Clone)]\nstruct C(String);\n#[derive(Debug)]\nstruct D;";
    let found: Vec<(String, bool)> =
        types_with_debug(text).into_iter().map(|(name, body)| (name, body.contains("[u8]"))).collect();
    assert_eq!(found, [("A".to_owned(), true), ("B".to_owned(), false), ("D".to_owned(), false)]);
    let bodies = types_with_debug(text);
    assert!(!bodies[0].1.contains("String") && !bodies[1].1.contains("str"), "{bodies:?}");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("src") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "tests") {
                files.extend(sources(&path));
            }
        } else if path.extension().is_some_and(|e| e == "rs")
            && path.file_stem().is_some_and(|s| s != "tests" && s != "twin")
        {
            files.push(path);
        }
    }
    files
}

/// Up to the unit tests, which end a file.
fn without_tests(text: &str) -> String {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text).to_owned()
}

/// Each type that derives `Debug`: its name and fields, without comments, static texts and single octets.
fn types_with_debug(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("#[derive(") {
        let Some((derives, rest)) = text[at..].split_once(")]") else { continue };
        if !derives.split(['(', ',']).any(|name| name.trim() == "Debug") {
            continue;
        }
        let Some(start) = ["struct ", "enum "].iter().filter_map(|word| Some(rest.find(word)? + word.len())).min()
        else {
            continue;
        };
        let item = &rest[start..];
        let name = item.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default().to_owned();
        let body =
            body(item).lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
        let body = body.replace("&'static str", "").replace("&'static [u8]", "");
        found.push((name, single_octets_removed(&body)));
    }
    found
}

/// `u8` by itself is a number: only `[u8]`, `Vec<u8>` and the like are bytes.
fn single_octets_removed(body: &str) -> String {
    let mut out = String::new();
    let mut rest = body;
    while let Some(at) = rest.find("u8") {
        let before = rest[..at].chars().next_back();
        out.push_str(&rest[..at]);
        out.push_str(if matches!(before, Some('[' | '<')) { "u8" } else { "" });
        rest = &rest[at + 2..];
    }
    out + rest
}

/// Between the braces or parentheses of an item; empty for a unit.
fn body(item: &str) -> &str {
    let Some(open) = item.find(['{', '(', ';']) else { return "" };
    let (opens, closes) = match item.as_bytes()[open] {
        b'{' => (b'{', b'}'),
        b'(' => (b'(', b')'),
        _ => return "",
    };
    let mut depth = 0;
    for (at, byte) in item.bytes().enumerate().skip(open) {
        if byte == opens {
            depth += 1;
        } else if byte == closes {
            depth -= 1;
            if depth == 0 {
                return &item[open..at];
            }
        }
    }
    ""
}
