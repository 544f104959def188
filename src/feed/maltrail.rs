//! Maltrail trails: static files (a name, address, `address:port` or URL a line, `# Reference:` above what it is the source
//! of) and its compiled `trails.csv` (`trail,info,reference`). A file is named after what its trails lead to.
//!
//! As in Maltrail, a name covers what is below it. A path without a host, and a regular expression, are refused.

use csv_core::ReaderBuilder;

use super::declared::Declared;
use super::intake::{Intake, Meta};
use super::lines::{Line, Lines};
use super::{Broken, Format, field, recognise, refang};
use crate::indicator::kind::DOMAIN;
use crate::indicator::{Condition, Draft, Index, Match, Named, Refusal, Where};

/// See the module. Known by its own comments, or by the name `trails.csv`.
pub(super) const FORMAT: Format = Format { name: "maltrail", unit: "line", sniff, read };

fn sniff(head: &[u8], name: &str) -> bool {
    let mut comments =
        head.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).take_while(|l| l.is_empty() || l.starts_with(b"#"));
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    comments.any(|line| memchr::memmem::find(line, b"Maltrail developers").is_some() || reference(line).is_some())
        || file.starts_with("trails.csv")
}

fn read(lines: &mut Lines, intake: &mut Intake<'_>) -> Result<(), Broken> {
    let mut declared = intake.declared();
    // Each block has a context of its own; this counts what cannot be read.
    let _ = declared.context(intake);
    let name = Name::of(intake.feed());
    let mut block = Block::default();
    while let Some((number, line)) = lines.next()? {
        let Line::Text(line) = line else {
            intake.refuse(number, Refusal::TooLong);
            continue;
        };
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        if text.starts_with(b"#") {
            if let Some(options) = Declared::comment(text) {
                declared = options.map_err(|what| Broken::Options { line: number, what })?;
                let _ = declared.context(intake);
            } else if let Some(reference) = reference(text) {
                block.refer(reference);
            }
            continue;
        }
        block.is_open = false;
        let added = match name.is_compiled {
            true => compiled(text, number, &declared, intake),
            false => entry(without_comment(text), number, &name.meta(&block, &declared), &declared, intake),
        };
        if let Err(reason) = added {
            intake.refuse(number, reason);
        }
    }
    Ok(())
}

/// What the references of a block of lines say: the first of those that follow each other.
#[derive(Default)]
struct Block {
    reference: Option<String>,
    is_open: bool,
}

impl Block {
    fn refer(&mut self, reference: &[u8]) {
        if !self.is_open {
            self.reference = Some(String::from_utf8_lossy(reference).into_owned());
        }
        self.is_open = true;
    }
}

fn reference(line: &[u8]) -> Option<&[u8]> {
    let text = line.strip_prefix(b"#")?.trim_ascii_start();
    text.strip_prefix(b"Reference:").map(<[u8]>::trim_ascii).filter(|text| !text.is_empty())
}

/// What a file's name says: `malware/emotet.txt`, `malware/apt_example.txt`, `suspicious/ipinfo.txt`.
struct Name {
    what: Option<(Where, String)>,
    is_compiled: bool,
}

impl Name {
    fn of(feed: &str) -> Self {
        let mut parts = feed.rsplit(['/', '\\']);
        let file = parts.next().unwrap_or(feed);
        let stem = file.split('.').next().unwrap_or(file);
        let what = match (stem.strip_prefix("apt_"), parts.next()) {
            (Some(group), _) => (Where("threat.group.name"), group),
            (None, Some("suspicious" | "malicious")) => (Where("tags"), stem),
            (None, _) => (Where("threat.software.name"), stem),
        };
        let is_compiled = file.starts_with("trails.csv");
        Self { what: Some((what.0, what.1.to_owned())).filter(|_| !is_compiled && !stem.is_empty()), is_compiled }
    }

    fn meta(&self, block: &Block, declared: &Declared) -> Kept {
        Kept {
            about: self.what.clone(),
            reference: block.reference.clone(),
            description: None,
            has_declared_reference: declared.meta().reference.is_some(),
        }
    }
}

/// What is said of a trail.
struct Kept {
    about: Option<(Where, String)>,
    reference: Option<String>,
    description: Option<String>,
    has_declared_reference: bool,
}

/// A comment behind a trail.
fn without_comment(text: &[u8]) -> &[u8] {
    let at = memchr::memmem::find(text, b" #").or(memchr::memmem::find(text, b"\t#"));
    at.map_or(text, |at| &text[..at]).trim_ascii()
}

/// A row of `trails.csv`.
fn compiled(line: &[u8], number: u32, declared: &Declared, intake: &mut Intake<'_>) -> Result<(), Refusal> {
    let (mut output, mut ends) = ([0; MAX_ROW_BYTES], [0; 4]);
    if line.len() >= MAX_ROW_BYTES {
        return Err(Refusal::TooLong);
    }
    let mut reader = ReaderBuilder::new().build();
    let (_, _, written, ended) = reader.read_record(line, &mut output, &mut ends);
    let (_, _, _, more) = reader.read_record(
        b"",
        output.get_mut(written..).unwrap_or_default(),
        ends.get_mut(ended..).unwrap_or_default(),
    );
    let [first, second, third, _] = ends;
    if ended + more != 3 {
        return Err(Refusal::Malformed);
    }
    let cell = |from: usize, to: usize| output.get(from..to).unwrap_or_default();
    let text = |bytes: &[u8]| Some(String::from_utf8_lossy(bytes).into_owned()).filter(|text| !text.is_empty());
    if cell(0, first) == b"trail" {
        return Ok(());
    }
    let kept = Kept {
        about: None,
        reference: text(cell(second, third)),
        description: text(cell(first, second)),
        has_declared_reference: false,
    };
    entry(cell(0, first).trim_ascii(), number, &kept, declared, intake)
}

fn entry(value: &[u8], number: u32, kept: &Kept, declared: &Declared, intake: &mut Intake<'_>) -> Result<(), Refusal> {
    if value.starts_with(b"/") {
        return Err(Refusal::Unsupported("Maltrail path without a host"));
    }
    // As Maltrail tells one, by what no name and hardly a URL has.
    if [&b".*"[..], b".+", b"]*", b"]+", b"\\"].iter().any(|mark| memchr::memmem::find(value, mark).is_some()) {
        return Err(Refusal::Unsupported("Maltrail regular expression"));
    }
    let value = refang(value);
    let said = declared.meta();
    let about: Vec<_> = kept.about.iter().map(|(path, name)| (*path, name.as_str())).collect();
    let context = intake.context(&Meta {
        reference: if kept.has_declared_reference {
            said.reference
        } else {
            kept.reference.as_deref().or(said.reference)
        },
        description: kept.description.as_deref().or(said.description),
        about: &about,
        ..said.clone()
    })?;
    let mut when = None;
    let (kind, plain, port) = match recognise(&value) {
        Ok(known) => (known.kind, known.value, known.port),
        // `name:port`: the name, in a flow that uses the port.
        Err(reason) => {
            let at = memchr::memrchr(b':', &value).ok_or(reason)?;
            let (name, port) = value.split_at(at);
            let port = std::str::from_utf8(port.get(1..).unwrap_or_default()).map_err(|_| reason)?;
            when = Condition::read(&DOMAIN, &Named { port: Some(port), ..Named::default() }).map_err(|_| reason)?;
            if recognise(name).map_err(|_| reason)?.kind != &DOMAIN {
                return Err(reason);
            }
            (&DOMAIN, name, None)
        }
    };
    let is_addr = kind.index == Index::Prefix;
    let matching = if *kind == DOMAIN { Match::Subtree } else { Match::Exact };
    intake.add(&Draft {
        matching: Some(declared.matching.filter(|m| field::can_match(kind, *m)).unwrap_or(matching)),
        port,
        transport: declared.transport.filter(|_| is_addr),
        when: when.as_ref(),
        window: declared.window,
        ..Draft::new(kind, plain, context, number)
    });
    Ok(())
}

/// Longest row of `trails.csv`.
const MAX_ROW_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::super::tests::{loaded, loaded_named};
    use super::*;
    use crate::indicator::kind::URL;

    const HEAD: &str = "# Copyright (c) 2014-2024 Maltrail developers (https://github.com/stamparm/maltrail/)\n";

    #[test]
    fn static_trails_have_references_by_block_and_the_file_s_name() {
        let text = format!(
            "{HEAD}\n# Reference: https://reports.example/1\n# Reference: https://reports.example/2\n\nevil.example\n\
             192.0.2.1\n192.0.2.2:8080 # why\n\n# Reference: https://reports.example/3\n\nmalware.test/gate.php\nc2.test:81\n"
        );
        let (set, report) = loaded_named("malware/examplebot.txt", text.as_bytes());
        assert_eq!((report.format, report.loaded), (Some("maltrail"), 5), "{:?}", report.refusals);
        let all: Vec<_> = set.iter().collect();
        assert_eq!((all[0].matching, all[2].port, all[3].kind), (Match::Subtree, Some(8080), &URL));
        assert_eq!(all[4].when.and_then(|when| when.port), Some(81));
        let context = |at: usize| set.sources(all[at].ix).next().expect("a source").0;
        assert_eq!(context(0).reference, Some("https://reports.example/1"));
        assert_eq!(context(3).reference, Some("https://reports.example/3"));
        assert_eq!(context(0).about.iter().next(), Some((Where("threat.software.name"), "examplebot")));
        let (set, _) = loaded_named("malware/apt_bear.txt", text.as_bytes());
        let about = set.iter().next().map(|one| set.sources(one.ix).next().expect("a source").0.about.iter().next());
        assert_eq!(about.flatten().map(|(path, _)| path.0), Some("threat.group.name"));
    }

    #[test]
    fn what_is_not_honoured_is_refused_by_name() {
        let text = format!(
            "{HEAD}/gate.php\n[a-z]+\\.evil\\.example\nevil.example:x\nevil example\n# picket: tlp=RED\na.example\n"
        );
        let (set, report) = loaded(text.as_bytes());
        let reasons: Vec<_> = report.refusals.iter().map(|r| (r.line, r.reason)).collect();
        assert_eq!(
            reasons,
            [
                (2, Refusal::Unsupported("Maltrail path without a host")),
                (3, Refusal::Unsupported("Maltrail regular expression")),
                (4, Refusal::Unrecognised),
                (5, Refusal::Unrecognised),
            ]
        );
        let one = set.iter().next().expect("one");
        assert_eq!(set.sources(one.ix).next().expect("a source").0.marking.to_string(), "TLP:RED");
    }

    #[test]
    fn compiled_trails_say_what_and_where_from() {
        let text = b"evil.example,examplebot (malware),https://reports.example/1\n\"192.0.2.1:80\",\"a, b\",(static)\nx.example,y\n";
        let (set, report) = loaded_named("trails.csv", text);
        assert_eq!((report.format, report.loaded, report.refused_total()), (Some("maltrail"), 2, 1));
        let all: Vec<_> = set.iter().collect();
        let (context, _) = set.sources(all[1].ix).next().expect("a source");
        assert_eq!((context.description, all[1].port), (Some("a, b"), Some(80)));
        assert!(context.about.is_empty());
    }
}
