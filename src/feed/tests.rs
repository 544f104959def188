//! Loading files and directories, and the rule that no bytes make a reader panic.

use std::fs;
use std::io::{Read, Write};

use proptest::prelude::*;

use super::*;
use crate::indicator::{IndicatorIx, IndicatorSet, Refusal};

/// What a feed of this text loads.
pub(super) fn loaded(text: &[u8]) -> (IndicatorSet, FileReport) {
    reloaded(text, false)
}

/// What a file of this text loads whose format is named.
pub(super) fn loaded_as(format: &str, text: &[u8]) -> (IndicatorSet, FileReport) {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text).expect("writes");
    let mut set = IndicatorSet::default();
    let path = PathBuf::from(format!("{format}={}", file.path().display()));
    let mut report = load(&[path], &Options::default(), &mut set).expect("loads");
    (set, report.files.remove(0))
}

pub(super) fn reloaded(text: &[u8], force: bool) -> (IndicatorSet, FileReport) {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(text).expect("writes");
    let mut set = IndicatorSet::default();
    let mut report =
        load(&[file.path().to_owned()], &Options { force, ..Options::default() }, &mut set).expect("loads");
    assert_eq!(report.totals.loaded, set.len() as u64);
    (set, report.files.remove(0))
}

/// What a feed of this name and text loads.
pub(super) fn loaded_named(name: &str, text: &[u8]) -> (IndicatorSet, FileReport) {
    let dir = dir_of(&[(name, text)]);
    let mut set = IndicatorSet::default();
    let mut report = load(&[dir.path().join(name)], &Options::default(), &mut set).expect("loads");
    (set, report.files.remove(0))
}

/// What an allow-list of this name and text loads.
pub(super) fn allowed(name: &str, text: &[u8]) -> (IndicatorSet, FileReport) {
    let dir = dir_of(&[(name, text)]);
    let mut set = IndicatorSet::default();
    let mut report = load_allow_lists(&[dir.path().join(name)], None, &mut set).expect("loads");
    (set, report.files.remove(0))
}

fn dir_of(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("below")).expect("makes");
        fs::write(path, text).expect("writes");
    }
    dir
}

#[test]
fn a_format_can_be_named() {
    let dir = dir_of(&[("a", b"{\"threat.indicator.type\":\"ipv4-addr\",\"threat.indicator.name\":\"192.0.2.2\"}\n")]);
    let format = |path: std::path::PathBuf| {
        let report = load(&[path], &Options::default(), &mut IndicatorSet::default()).expect("loads");
        (report.files[0].format, *report.files[0].feed == dir.path().join("a").to_string_lossy())
    };
    let named = |name: &str| PathBuf::from(format!("{name}={}", dir.path().join("a").display()));
    assert_eq!(format(dir.path().join("a")), (Some("native"), true));
    assert_eq!(format(named("plain")), (Some("plain"), true));
    assert!(load(&[named("nonsense")], &Options::default(), &mut IndicatorSet::default()).is_err());
    assert!(formats().any(|name| name == "zeek"));
}

#[test]
fn a_directory_loads_every_feed_in_name_order() {
    let dir = dir_of(&[
        ("b.txt", b"192.0.2.1\n192.0.2.2\n"),
        ("a/z.intel", b"#fields\tindicator\tindicator_type\n192.0.2.1\tIntel::ADDR\n"),
        ("README", b"no feed"),
        ("notes.md", b"no feed"),
        ("LICENSE", b"no feed"),
        (".hidden/x", b"192.0.2.9"),
        ("c.jsonl", b"{\"threat.indicator.type\":\"ipv4-addr\",\"threat.indicator.name\":\"192.0.2.2\"}\n{"),
    ]);
    let mut set = IndicatorSet::default();
    let report = load(&[dir.path().to_owned()], &Options::default(), &mut set).expect("loads");
    let files: Vec<_> = report.files.iter().map(|f| (&*f.feed, f.format, f.loaded, f.merged)).collect();
    assert_eq!(
        files,
        [("a/z.intel", Some("zeek"), 1, 0), ("b.txt", Some("plain"), 1, 1), ("c.jsonl", Some("native"), 0, 1)]
    );
    let sources: Vec<_> = set.sources(IndicatorIx(0)).map(|(c, line)| (c.feed.to_string(), line)).collect();
    assert_eq!(sources, [("a/z.intel".to_string(), 2), ("b.txt".to_string(), 1)], "both sources are kept");
    let skipped: Vec<_> = report.skipped.iter().map(|s| s.reason).collect();
    assert_eq!(skipped, ["hidden", "licence", "documentation", "documentation"]);
    assert_eq!((report.totals.loaded, report.totals.merged, report.totals.refused), (2, 2, 1));
    assert!(!report.is_clean());
    assert_eq!(report.kinds, [KindCount { kind: "ipv4-addr", indicators: 2, inert: false }]);
    let json = serde_json::to_value(&report).expect("serialises");
    assert_eq!(json["files"][2]["refused"]["malformed"], 1);
    assert_eq!(json["files"][2]["refusals"][0]["line"], 2);
}

#[test]
fn the_sample_feeds_load_whole() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("feeds");
    let mut set = IndicatorSet::default();
    let report = load(&[dir], &Options::default(), &mut set).expect("loads");
    assert!(report.is_clean() && report.totals.unreadable_markings == 0, "{report:?}");
    let formats: Vec<_> = report.files.iter().filter_map(|f| f.format).collect();
    assert_eq!(
        formats,
        [
            "adblock", "hosts", "maltrail", "misp", "native", "openioc", "plain", "suricata", "yara", "stix", "csv",
            "zeek"
        ],
        "told right, and stolen by no other format"
    );
    assert_eq!((report.kinds.len(), report.totals.merged), (crate::indicator::KINDS.len(), 1), "one of every kind");
}

/// Rules cut anywhere, with damage, or without an end, cost refusals and nothing else.
#[test]
fn damaged_rules_are_counted() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("feeds");
    for (format, name) in [("suricata", "sample.rules"), ("yara", "sample.yar")] {
        let text = fs::read(dir.join(name)).expect("a sample");
        let (whole, _) = loaded_as(format, &text);
        for cut in 0..200 {
            let (set, _) = loaded_as(format, &text[..text.len() * cut / 200]);
            assert!(set.len() < whole.len() || cut > 190, "{format} {cut}");
        }
        let mut odd = text.clone();
        odd.extend(
            b"\nalert \xff\xfe tcp any any -> any any (content:\"\xff\"; sid:1;)\nrule x { strings: $a = \"\xff\n",
        );
        let (set, report) = loaded_as(format, &odd);
        assert_eq!(set.len(), whole.len(), "{format}");
        assert!(report.refused_total() > 0, "{format}");
        for endless in ["(", "[", "{", "$a = { (", "alert tcp [", "/*", "rule a { strings: $a = { 41 ("] {
            loaded_as(format, endless.repeat(MAX_LINE_BYTES / endless.len() + 9).as_bytes());
        }
        let deep = format!(
            "alert tcp {}any{} any -> any any (content:\"abc\"; sid:1;)\nrule a {{ strings: $a = \"abc\" condition: {}$a{} }}",
            "[".repeat(9000),
            "]".repeat(9000),
            "(".repeat(9000),
            ")".repeat(9000)
        );
        assert!(loaded_as(format, deep.as_bytes()).0.is_empty(), "{format}");
    }
}

#[test]
fn a_file_given_by_name_is_read_whatever_its_name() {
    let dir = dir_of(&[("README", b"192.0.2.1\n")]);
    let path = dir.path().join("README");
    let mut set = IndicatorSet::default();
    let report = load(&[path.clone(), path], &Options::default(), &mut set).expect("loads");
    assert_eq!((report.totals.loaded, report.totals.merged), (1, 1));
    assert_eq!(set.sources(IndicatorIx(0)).count(), 1, "the same file twice is one source");
}

#[test]
fn a_missing_path_is_named() {
    let error =
        load(&["/no/such/feed".into()], &Options::default(), &mut IndicatorSet::default()).expect_err("missing");
    assert!(error.to_string().starts_with("cannot read feed /no/such/feed: "), "{error}");
}

#[test]
fn what_is_no_feed_is_said_and_the_others_load() {
    let mut cut = {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        gz.write_all("192.0.2.1\n".repeat(40_000).as_bytes()).expect("writes");
        gz.finish().expect("packs")
    };
    cut.truncate(200_000);
    let dir = dir_of(&[
        ("a.pcap", b"\xd4\xc3\xb2\xa1\x02\0\x04\0"),
        ("b.bin", b"abc\0def"),
        ("c.txt.gz", &cut),
        ("d.txt", b"192.0.2.3"),
        ("e.txt", b""),
        ("f.txt.zst", &zstd::encode_all(&b"192.0.2.4\n"[..], 1).expect("packs")),
    ]);
    let mut set = IndicatorSet::default();
    let report = load(&[dir.path().to_owned()], &Options::default(), &mut set).expect("loads");
    let errors: Vec<_> = report.files.iter().map(|f| f.error.as_deref().unwrap_or("")).collect();
    assert_eq!(errors[0], "this is a capture, not a feed");
    assert_eq!(errors[1], "not text: a zero byte at offset 3");
    assert!(errors[2].starts_with("the file cannot be read on: "), "{}", errors[2]);
    assert_eq!(errors[3..], ["", "", ""]);
    assert_eq!((set.len(), report.totals.broken_files), (3, 3), "what came before the break is kept");
}

#[test]
fn refusals_are_listed_up_to_a_cap_and_all_counted() {
    let (_, report) = loaded("no value\n".repeat(1000).as_bytes());
    assert_eq!(report.refused.get(&Refusal::Unrecognised), Some(&1000));
    assert_eq!(report.refusals.len(), report::MAX_REFUSALS_LISTED);
    let (_, report) = loaded(("no value\n".repeat(1000) + &"0.0.0.0/0\n".repeat(20)).as_bytes());
    let rare: Vec<_> = report.refusals.iter().filter(|one| one.reason == Refusal::WideNetwork).collect();
    assert_eq!((rare.len(), rare[0].line), (10, 1001), "a rare reason has its lines, too");
}

/// Every sample, by the format that reads it.
fn samples() -> Vec<(&'static Format, Vec<u8>)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("feeds");
    let found = files::find(&dir, &|_| false, &mut Vec::new()).expect("samples");
    let mut samples = Vec::new();
    for found in found {
        let text = fs::read(&found.path).expect("reads");
        let format = FORMATS.iter().find(|format| (format.sniff)(&text, &found.feed)).expect("a format");
        samples.push((format, text));
    }
    let list = br#"{"name":"a","type":"hostname","list":["a.example",".b.example","192.0.2.1"],"version":1}"#;
    samples.push((&misp::WARNING_LIST, list.to_vec()));
    samples
}

/// What an input loads in a format, and its report.
fn read_as(format: &'static Format, input: impl io::Read + 'static) -> (IndicatorSet, FileReport) {
    let mut set = IndicatorSet::default();
    let mut report = FileReport::new(&Found::new("x".into(), "x"));
    let options = Options::default();
    let mut lines = Lines::over(Box::new(input), 0).expect("opens");
    if lines.head().is_ok() {
        let newest = stix::Newest::default();
        let mut intake = Intake::new(&mut set, &options, &newest, &mut report).for_purpose(Purpose::Allow);
        let error = (format.read)(&mut lines, &mut intake).err();
        drop(intake);
        report.error = error.map(|error| error.to_string());
    }
    assert_eq!(set.len() as u64, report.loaded);
    (set, report)
}

#[test]
fn every_format_has_a_sample() {
    // A directory's feeds are told by their content, which these are not.
    let named = |name: &str| name.starts_with("suricata-");
    for format in FORMATS.iter().filter(|format| !named(format.name)) {
        assert!(samples().iter().any(|(known, _)| known.name == format.name), "{}", format.name);
    }
}

#[test]
fn what_is_cut_anywhere_loads_no_more_and_says_no_value() {
    for (format, text) in samples() {
        let whole = read_as(format, io::Cursor::new(text.clone())).0.len();
        for place in 0..200 {
            let end = text.len() * place / 200;
            let (set, report) = read_as(format, io::Cursor::new(text[..end].to_vec()));
            // A value at the cut may be a shorter one; no more than one.
            assert!(set.len() <= whole + 1, "{} cut at {end}", format.name);
            let said = format!("{report:?}");
            assert!(!said.contains("malware.test") && !said.contains("203.0.113"), "{said}");
        }
    }
}

#[test]
fn bytes_that_are_no_text_anywhere_are_no_panic() {
    for (format, text) in samples() {
        for place in 0..200 {
            let at = text.len() * place / 200;
            for bytes in [&b"\xff"[..], b"\xc3\x28", b"\"", b"\\", b"{", b"<", b"\n\n"] {
                let mut text = text.clone();
                text.splice(at..at, bytes.iter().copied());
                let _ = read_as(format, io::Cursor::new(text));
            }
        }
    }
}

#[test]
fn what_is_nested_deeply_anywhere_costs_a_refusal_and_no_stack() {
    for (format, text) in samples() {
        let whole = read_as(format, io::Cursor::new(text.clone())).0.len();
        for place in 0..20 {
            let at = text.len() * place / 20;
            for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("(", ")"), ("<a>", "</a>"), ("[{\"objects\":[", "]}]")]
            {
                let mut text = text.clone();
                let deep = open.repeat(20_000) + "1" + &close.repeat(20_000);
                text.splice(at..at, deep.bytes());
                let (set, report) = read_as(format, io::Cursor::new(text));
                assert!(set.len() <= whole + 1, "{} {open} at {at}", format.name);
                assert!(format!("{report:?}").len() < 1 << 20, "{}", format.name);
            }
        }
    }
}

/// A key that stands there twice is never read as something that neither of both said.
#[test]
fn a_key_that_is_there_twice_adds_nothing() {
    let json = ["native", "stix", "misp", "misp-warninglist"];
    for (format, text) in samples().into_iter().filter(|(format, _)| json.contains(&format.name)) {
        let whole = read_as(format, io::Cursor::new(text.clone())).0.len();
        let keys: Vec<usize> = memchr::memmem::find_iter(&text, b"\":").collect();
        assert!(keys.len() > 3, "{}", format.name);
        for end in keys.into_iter().take(400) {
            let start = text[..end].iter().rposition(|b| *b == b'"').expect("a quote");
            for value in ["null", "\"x\"", "[]", "{}", "1"] {
                let again = format!("\"{}\":{value},", String::from_utf8_lossy(&text[start + 1..end]));
                let mut twice = text.clone();
                twice.splice(start..start, again.bytes());
                let (set, _) = read_as(format, io::Cursor::new(twice));
                assert!(set.len() <= whole, "{} {again}", format.name);
            }
        }
    }
}

#[test]
fn a_line_without_end_is_read_in_bounded_memory() {
    for (format, text) in samples() {
        for filler in [b'x', b' ', b'[', b'"', b','] {
            let half = text.len() / 2;
            let head = io::Cursor::new(text[..half].to_vec());
            let long = io::repeat(filler).take(LONG_BYTES);
            let tail = io::Cursor::new(text[half..].to_vec());
            let (set, _) = read_as(format, head.chain(long).chain(tail));
            assert!(set.memory_bytes() < 1 << 20, "{}", format.name);
        }
    }
}

/// Far above every cap of a line or text, and below what a test may take; a gigabyte goes the same way.
const LONG_BYTES: u64 = 4 << 20;

/// Text that looks enough like each format to reach every branch.
fn nearly_a_feed() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "#fields\tindicator\tindicator_type\tmeta.source\n",
        "\t",
        "Intel::ADDR",
        "Intel::URL",
        "Intel::SOFTWARE",
        "\n",
        "\r\n",
        "{\"threat\":{\"indicator\":{",
        "\"type\":",
        "\"network-traffic\"",
        "\"ipv4-addr\"",
        "\"name\":",
        "\"id\":[",
        "}}}",
        "\"picket\":{\"pattern\":{\"content\":\"|0d",
        "\",",
        "192.0.2.1",
        "::ffff:1.2.3.4/97",
        "[::1]:80",
        "/24",
        "hxxp://",
        "[.]",
        "evil.example",
        "\\x",
        "# picket: match=exact tlp=\"",
        "\"",
        "#",
        " ",
        "\u{feff}",
        "\u{130}",
        "value,type,tags\n",
        ",domain,\"tlp:red\"\n",
        "{\"Event\":{\"Attribute\":[",
        "{\"type\":\"domain|ip\",\"to_ids\":true,\"value\":\"",
        "]}}",
        "<OpenIOC><Indicator operator=\"OR\">",
        "<IndicatorItem condition=\"is\"><Context search=\"Network/DNS\"/><Content>",
        "</Content></IndicatorItem>",
        "</Indicator>",
        "0.0.0.0 ",
        "||",
        "^$",
        "@@",
        "# Reference: ",
        "/x",
    ]);
    let piece = prop_oneof![
        8 => piece.prop_map(|p| p.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_load_or_are_refused_in_every_format(text in nearly_a_feed(), force in any::<bool>()) {
        for format in FORMATS {
            let mut set = IndicatorSet::default();
            let found = Found::new("x".into(), "x");
            let mut report = FileReport::new(&found);
            let mut lines = Lines::over(Box::new(io::Cursor::new(text.clone())), text.len() as u64).expect("opens");
            if let Ok(head) = lines.head() {
                let _ = (format.sniff)(head, "x");
                let options = Options { force, ..Options::default() };
                let newest = stix::Newest::default();
        let mut intake = Intake::new(&mut set, &options, &newest, &mut report);
                let _ = (format.read)(&mut lines, &mut intake);
                drop(intake);
                prop_assert_eq!(set.len() as u64, report.loaded);
                for indicator in set.iter() {
                    let _ = (indicator.kind.display)(indicator.value);
                }
            }
        }
    }
}

#[test]
fn of_a_kept_file_what_was_loaded_stays_and_the_others_are_read() {
    let folder = tempfile::tempdir().expect("folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write("a.txt", "one.invalid\nboth.invalid\n");
    write("b.txt", "both.invalid\n");
    let paths = [folder.path().to_owned()];
    let mut before = IndicatorSet::default();
    load(&paths, &Options::default(), &mut before).expect("loads");
    // It cannot even be opened now.
    std::fs::remove_file(folder.path().join("a.txt")).expect("removed");
    std::os::unix::fs::symlink("/nonexistent", folder.path().join("a.txt")).expect("linked");
    write("b.txt", "new.invalid\n");
    let failed = load(&paths, &Options::default(), &mut IndicatorSet::default()).expect_err("a link to nothing");
    let kept = Kept { set: &before, files: vec![(failed.path, "a.txt".into())] };
    let mut after = IndicatorSet::default();
    let report = load_keeping(&paths, &Options::default(), Some(&kept), &mut after).expect("loads");
    let counts: Vec<(&str, u64)> = report.files.iter().map(|file| (&*file.feed, file.loaded)).collect();
    assert_eq!(counts, [("a.txt", 2), ("b.txt", 1)]);
    let sources = |ix| after.sources(ix).map(|(context, _)| context.feed.to_string()).collect::<Vec<_>>();
    let named: Vec<(String, Vec<String>)> =
        after.iter().map(|i| ((i.kind.display)(i.value).into_owned(), sources(i.ix))).collect();
    let of = |value: &str, feed: &str| (value.to_owned(), vec![feed.to_owned()]);
    assert_eq!(named, [of("one.invalid", "a.txt"), of("both.invalid", "a.txt"), of("new.invalid", "b.txt")]);
    // The folder itself is gone.
    std::fs::remove_dir_all(folder.path()).expect("removed");
    let mut after = IndicatorSet::default();
    load_keeping(&paths, &Options::default(), Some(&kept), &mut after).expect("loads");
    assert_eq!(after.len(), 2);
}
