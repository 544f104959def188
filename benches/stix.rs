//! Loading 100,000 objects of STIX: indicators with markings, identities, malware and relationships. The count is asserted
//! before anything is timed.
//!
//! `cargo bench --bench stix`; `-- --test` runs it once.

use std::fmt::Write as _;
use std::io::Write as _;

use criterion::{Criterion, criterion_group, criterion_main};
use picket::feed::{self, Options};
use picket::indicator::IndicatorSet;

const OBJECTS: usize = 100_000;
const GREEN: &str = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb";

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = bundle
}
criterion_main!(benches);

fn bundle(c: &mut Criterion) {
    let mut file = tempfile::NamedTempFile::new().expect("scratch file");
    file.write_all(text().as_bytes()).expect("written");
    let load = || {
        let mut set = IndicatorSet::default();
        let report = feed::load(&[file.path().to_owned()], &Options::default(), &mut set).expect("reads");
        assert_eq!((report.totals.refused, report.files[0].format), (0, Some("stix")));
        set.len()
    };
    assert_eq!(load(), OBJECTS * 8 / 10);
    c.bench_function("stix/100k objects", |b| b.iter(load));
}

/// Eight indicators, a malware and a relationship to it, over and over.
fn text() -> String {
    let mut out =
        String::from("{\"type\":\"bundle\",\"id\":\"bundle--00000000-0000-4000-8000-000000000000\",\"objects\":[\n");
    for n in 0..OBJECTS {
        let head = |kind: &str| {
            format!(
                "{{\"type\":\"{kind}\",\"spec_version\":\"2.1\",\"id\":\"{kind}--00000000-0000-4000-8000-{n:012}\",\
                 \"created\":\"2024-01-01T00:00:00.000Z\",\"modified\":\"2024-01-01T00:00:00.000Z\""
            )
        };
        let pattern = match n % 10 {
            0..4 => format!("[domain-name:value = 'h{n}.example.org']"),
            4..6 => format!("[ipv4-addr:value = '198.{}.{}.{}']", n >> 16 & 255, n >> 8 & 255, n & 255),
            6 => format!("[url:value = 'http://h{n}.example.org/a/{n}']"),
            _ => format!("[file:hashes.'SHA-256' = '{n:064x}']"),
        };
        let object = match n % 10 {
            8 => format!("{},\"name\":\"rat {n}\",\"is_family\":true}}", head("malware")),
            9 => {
                let (source, target) = (n - 9, n - 1);
                format!(
                    "{},\"relationship_type\":\"indicates\",\"source_ref\":\"indicator--00000000-0000-4000-8000-{source:012}\",\
                     \"target_ref\":\"malware--00000000-0000-4000-8000-{target:012}\"}}",
                    head("relationship")
                )
            }
            _ => format!(
                "{},\"name\":\"indicator {n}\",\"description\":\"what is known of it\",\"indicator_types\":[\"malicious-activity\"],\
                 \"pattern\":\"{pattern}\",\"pattern_type\":\"stix\",\"valid_from\":\"2024-01-01T00:00:00Z\",\"confidence\":85,\
                 \"object_marking_refs\":[\"{GREEN}\"]}}",
                head("indicator")
            ),
        };
        let end = if n + 1 == OBJECTS { "\n]}\n" } else { ",\n" };
        write!(out, "{object}{end}").expect("memory");
    }
    out
}
