//! Suricata's dataset, datarep and iprep files. Their content does not say what they hold, so each is a format that is named
//! (`--feed suricata-dataset-md5=PATH`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::feed::intake::{Intake, Meta};
use crate::feed::lines::{Line, Lines};
use crate::feed::{Broken, Format, recognise};
use crate::indicator::kind::{DOMAIN, FILE, IPV4};
use crate::indicator::{Draft, Kind, Match, Refusal, Where};

macro_rules! list {
    ($(#[$doc:meta])* $name:ident $text:literal $entry:expr) => {
        $(#[$doc])*
        pub(in crate::feed) const $name: Format =
            Format { name: $text, unit: "line", sniff: |_, _| false, read: |lines, intake| read(lines, intake, $entry) };
    };
}

list!(
    /// Texts in base64: names, URLs and mail addresses, told by their shape.
    STRING "suricata-dataset-string" string);
list!(
    /// MD5 of files.
    MD5 "suricata-dataset-md5" |cells, line, intake| digest(cells, 32, line, intake));
list!(
    /// SHA-256 of files.
    SHA256 "suricata-dataset-sha256" |cells, line, intake| digest(cells, 64, line, intake));
list!(
    /// IPv4 addresses.
    IPV4_LIST "suricata-dataset-ipv4" |cells, line, intake| address(cells, true, line, intake));
list!(
    /// Addresses.
    IP "suricata-dataset-ip" |cells, line, intake| address(cells, false, line, intake));
list!(
    /// Reputation: address or network, category, score.
    IPREP "suricata-iprep" reputation);

type Entry = fn(&str, u32, &mut Intake<'_>) -> Result<(), Refusal>;

fn read(lines: &mut Lines, intake: &mut Intake<'_>, entry: Entry) -> Result<(), Broken> {
    while let Some((number, line)) = lines.next()? {
        let Line::Text(line) = line else {
            intake.refuse(number, Refusal::TooLong);
            continue;
        };
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let text = std::str::from_utf8(line).map_err(|_| Refusal::Malformed);
        if let Err(reason) = text.and_then(|text| entry(text, number, intake)) {
            intake.refuse(number, reason);
        }
    }
    Ok(())
}

/// A value, and what a datarep file says of its reputation, which is no limit to what matches.
fn value(line: &str) -> Result<&str, Refusal> {
    match line.split_once(',') {
        Some((value, reputation)) => {
            reputation.trim().parse::<u16>().map(|_| value.trim()).map_err(|_| Refusal::BadField)
        }
        None => Ok(line),
    }
}

/// A leading dot is how Suricata's `dotprefix` has a name and what is below it.
fn string(line: &str, number: u32, intake: &mut Intake<'_>) -> Result<(), Refusal> {
    let text = STANDARD.decode(value(line)?).map_err(|_| Refusal::Malformed)?;
    let context = intake.context(&Meta::default())?;
    if let Some(name) = text.strip_prefix(b".") {
        intake.add(&Draft { matching: Some(Match::Subtree), ..Draft::new(&DOMAIN, name, context, number) });
        return Ok(());
    }
    let known = recognise(&text)?;
    if known.port.is_some() {
        return Err(Refusal::Unrecognised);
    }
    let matching = (known.kind == &DOMAIN).then_some(Match::Exact);
    intake.add(&Draft { matching, ..Draft::new(known.kind, known.value, context, number) });
    Ok(())
}

fn digest(line: &str, digits: usize, number: u32, intake: &mut Intake<'_>) -> Result<(), Refusal> {
    let value = value(line)?;
    if value.len() != digits {
        return Err(Refusal::BadFingerprint);
    }
    plain(&FILE, value, number, intake)
}

fn address(line: &str, only_v4: bool, number: u32, intake: &mut Intake<'_>) -> Result<(), Refusal> {
    let value = value(line)?;
    if only_v4 && value.contains(':') {
        return Err(Refusal::BadAddress);
    }
    plain(&IPV4, value, number, intake)
}

fn plain(kind: &'static Kind, value: &str, number: u32, intake: &mut Intake<'_>) -> Result<(), Refusal> {
    let context = intake.context(&Meta::default())?;
    intake.add(&Draft::new(kind, value.as_bytes(), context, number));
    Ok(())
}

/// `address[/bits],category,score`: a score of 0 says nothing.
fn reputation(line: &str, number: u32, intake: &mut Intake<'_>) -> Result<(), Refusal> {
    let mut cells = line.split(',').map(str::trim);
    let (Some(value), Some(category), Some(score), None) = (cells.next(), cells.next(), cells.next(), cells.next())
    else {
        return Err(Refusal::Malformed);
    };
    let category: u8 = category.parse().ok().filter(|c| (1..=MAX_CATEGORY).contains(c)).ok_or(Refusal::BadField)?;
    let score: u32 = score.parse().ok().filter(|s| *s <= MAX_SCORE).ok_or(Refusal::BadField)?;
    if score == 0 {
        return Err(Refusal::Withdrawn);
    }
    let tag = format!("iprep-category-{category}");
    let about = [(Where("tags"), tag.as_str())];
    let meta = Meta { severity: Some((score * 100 / MAX_SCORE) as u8), about: &about, ..Meta::default() };
    let context = intake.context(&meta)?;
    intake.add(&Draft::new(&IPV4, value.as_bytes(), context, number));
    Ok(())
}

/// Suricata's highest category and score.
const MAX_CATEGORY: u8 = 60;
const MAX_SCORE: u32 = 127;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::tests::loaded_as;

    fn values(format: &str, text: &str) -> Vec<String> {
        let (set, report) = loaded_as(format, text.as_bytes());
        let mut all: Vec<String> =
            set.iter().map(|i| format!("{} {} {:?}", i.kind.name, (i.kind.display)(i.value), i.matching)).collect();
        all.extend(report.refusals.iter().map(|r| format!("{} {}", r.line, r.reason)));
        all
    }

    #[test]
    fn each_kind_of_list() {
        assert_eq!(
            values("suricata-dataset-string", "LmV2aWwuZXhhbXBsZQ==\n# c\nYmFkLmV4YW1wbGU=,3\n???\nYSBi\n"),
            [
                "domain-name evil.example Subtree",
                "domain-name bad.example Exact",
                "4 malformed line",
                "5 value of no recognisable kind"
            ]
        );
        let md5 = "900150983cd24fb0d6963f7d28e17f72";
        let refused = "2 not a fingerprint of this kind".to_owned();
        assert_eq!(
            values("suricata-dataset-md5", &format!("{md5}\n{md5}00\n")),
            [format!("file {md5} Exact"), refused]
        );
        assert_eq!(
            values("suricata-dataset-ipv4", "192.0.2.1\n2001:db8::1\n"),
            ["ipv4-addr 192.0.2.1 Exact", "2 not an address or network"]
        );
        assert_eq!(values("suricata-dataset-ip", "2001:db8::1\n"), ["ipv6-addr 2001:db8::1 Exact"]);
    }

    #[test]
    fn reputation_is_severity_and_a_tag() {
        let (set, report) =
            loaded_as("suricata-iprep", b"192.0.2.0/24,3,127\n192.0.2.1,3,0\n192.0.2.1,61,1\n192.0.2.1,1\n");
        let one = set.iter().next().expect("one");
        let (context, _) = set.sources(one.ix).next().expect("a source");
        assert_eq!(context.severity, Some(100));
        assert!(context.about.iter().eq([(Where("tags"), "iprep-category-3")]));
        let reasons: Vec<_> = report.refusals.iter().map(|r| r.reason).collect();
        assert_eq!(reasons, [Refusal::Withdrawn, Refusal::BadField, Refusal::Malformed]);
    }
}
