//! Bytes as feeds.

use std::io::Write;
use std::path::PathBuf;

use picket::feed::{self, Options};
use picket::indicator::IndicatorSet;
use picket::time::Timestamp;

/// Makes a file one of the native format.
pub const NATIVE: &[u8] = b"{\"threat\":{\"indicator\":{\"type\":\"domain-name\",\"name\":\"evil.example\"}}}\n";

/// Makes a file a plain list.
pub const PLAIN: &[u8] = b"evil.example\n";

/// Makes a file a Zeek intel file.
pub const ZEEK: &[u8] = b"#fields\tindicator\tindicator_type\tmeta.source\n";

/// Makes a file one of Suricata rules.
pub const SURICATA: &[u8] = b"alert udp any any -> any any (content:\"abcd\"; sid:1;)\n";

/// Makes a file one of YARA rules.
pub const YARA: &[u8] = b"rule a { strings: $a = \"abcd\" condition: $a }\n";

/// Begins a bundle of STIX.
pub const STIX: &[u8] = b"{\"type\":\"bundle\",\"id\":\"bundle--00000000-0000-4000-8000-000000000001\",\"objects\":[\n";

/// Loads an indicator of STIX with `data` for its pattern.
pub fn stix_pattern(data: &[u8]) {
    let pattern: String = String::from_utf8_lossy(data).chars().flat_map(escaped).collect();
    let id = "indicator--00000000-0000-4000-8000-000000000001";
    let object = format!("{{\"type\":\"indicator\",\"id\":\"{id}\",\"pattern\":\"{pattern}\"}}]}}");
    load(STIX, object.as_bytes());
}

/// As a JSON text has it.
fn escaped(c: char) -> impl Iterator<Item = char> {
    let plain = !c.is_control() && c != '"' && c != '\\';
    let escape = if plain { String::new() } else { format!("\\u{:04x}", u32::from(c) & 0xffff) };
    plain.then_some(c).into_iter().chain(escape.chars().collect::<Vec<_>>())
}

/// Loads `head` and `data` as one feed; every kept indicator can be shown and has an id.
pub fn load(head: &[u8], data: &[u8]) {
    load_named("", head, data);
}

/// Loads `data` as a feed, and as an allow-list, of a format.
pub fn load_as(format: &str, data: &[u8]) {
    load_named(&format!("{format}="), &[], data);
}

fn load_named(prefix: &str, head: &[u8], data: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("scratch file");
    file.write_all(head).and_then(|()| file.write_all(data)).expect("written");
    let paths = [PathBuf::from(format!("{prefix}{}", file.path().display()))];
    for force in [false, true] {
        let mut set = IndicatorSet::default();
        let _ = feed::load(&paths, &Options { force, ..Options::default() }, &mut set).expect("it can be read");
        check(&set);
    }
    let mut set = IndicatorSet::default();
    let _ = feed::load_allow_lists(&paths, None, &mut set).expect("it can be read");
    check(&set);
}

/// Every indicator can be shown, has an id, and can be written or is counted.
fn check(set: &IndicatorSet) {
    for indicator in set.iter() {
        assert!(!indicator.id().is_empty());
        let _ = (indicator.kind.display)(indicator.value);
    }
    let sources: u64 = set.iter().map(|indicator| set.sources(indicator.ix).count() as u64).sum();
    for writer in feed::WRITERS {
        let written = (writer.write)(set, Timestamp::ZERO, &mut Vec::new()).expect("written to memory");
        let counted = written.written + written.left_out.values().sum::<u64>();
        // The others write an indicator, or the alternatives of one pattern, once.
        assert!(counted == sources || !matches!(writer.name, "misp" | "zeek"), "{}", writer.name);
    }
}
