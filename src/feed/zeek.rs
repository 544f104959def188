//! Zeek intelligence files: tab-separated, a `#fields` header, `-` for unset, `Intel::` types. As in Zeek, a DOMAIN is
//! that name alone and a URL that URL alone; values may hold `\x09` escapes.

use std::borrow::Cow;

use super::field;
use super::intake::{Intake, Meta};
use super::lines::{Line, Lines};
use super::{Broken, Format};
use crate::indicator::kind::{DOMAIN, URL};
use crate::indicator::{Draft, Kind, Match, Refusal};

/// See the module. Known by its `#fields` header among the comments at the start.
pub(super) const FORMAT: Format = Format { name: "zeek", unit: "line", sniff, read };

fn sniff(head: &[u8], _: &str) -> bool {
    head.split(|b| *b == b'\n')
        .take_while(|line| line.is_empty() || line.starts_with(b"#") || line.starts_with(b"\r"))
        .any(|line| Columns::of(line).is_some())
}

fn read(lines: &mut Lines, intake: &mut Intake<'_>) -> Result<(), Broken> {
    let mut columns = None;
    while let Some((number, line)) = lines.next()? {
        let Line::Text(line) = line else {
            intake.refuse(number, Refusal::TooLong);
            continue;
        };
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.starts_with(b"#") {
            columns = Columns::of(line).or(columns);
            continue;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let read = columns.as_ref().ok_or(Refusal::Malformed).and_then(|columns| entry(line, number, columns, intake));
        if let Err(reason) = read {
            intake.refuse(number, reason);
        }
    }
    Ok(())
}

fn entry(line: &[u8], number: u32, columns: &Columns, intake: &mut Intake<'_>) -> Result<(), Refusal> {
    let mut cells = [None; COLUMNS.len()];
    let mut count = 0;
    for (at, cell) in line.split(|b| *b == b'\t').enumerate() {
        count = at + 1;
        if let Some(Some(column)) = columns.0.get(at)
            && cell != b"-"
        {
            cells[*column] = Some(cell);
        }
    }
    // Fewer cells than the header has is a cut line; more is what Zeek refuses too.
    if count != columns.0.len() {
        return Err(Refusal::Malformed);
    }
    let [value, kind, source, desc, url, whitelist, remove] = cells;
    if [whitelist, remove].contains(&Some(b"T")) {
        return Err(Refusal::Withdrawn);
    }
    let value = unescaped(value.ok_or(Refusal::Empty)?);
    let kind = kind_of(kind.ok_or(Refusal::Malformed)?).ok_or(Refusal::UnknownKind)?;
    let texts = [source, desc, url].map(|cell| cell.map(|cell| String::from_utf8_lossy(cell)));
    let [provider, description, reference] = [&texts[0], &texts[1], &texts[2]].map(Option::as_deref);
    let context = intake.context(&Meta { provider, description, reference, ..Meta::default() })?;
    let matching = field::can_match(kind, Match::Exact).then_some(Match::Exact);
    intake.add(&Draft { matching, ..Draft::new(kind, &value, context, number) });
    Ok(())
}

fn kind_of(cell: &[u8]) -> Option<&'static Kind> {
    match std::str::from_utf8(cell).ok()? {
        "Intel::DOMAIN" => Some(&DOMAIN),
        "Intel::URL" => Some(&URL),
        name if name.starts_with("Intel::") => Kind::by_name(name),
        _ => None,
    }
}

/// `\xHH` as the byte it stands for.
fn unescaped(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memmem::find(value, b"\\x").is_none() {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&first, after)) = rest.split_first() {
        let digit = |at: usize| rest.get(at).and_then(|b| char::from(*b).to_digit(16));
        match (rest.starts_with(b"\\x"), digit(2), digit(3)) {
            (true, Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                rest = rest.get(4..).unwrap_or_default();
            }
            _ => {
                out.push(first);
                rest = after;
            }
        }
    }
    Cow::Owned(out)
}

/// Which of [`COLUMNS`] each cell of a line is.
struct Columns(Vec<Option<usize>>);

impl Columns {
    /// From a `#fields` line that names the value and its type.
    fn of(line: &[u8]) -> Option<Self> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let names = line.strip_prefix(b"#fields\t")?.split(|b| *b == b'\t');
        let columns: Vec<_> = names.map(|name| COLUMNS.iter().position(|known| known.as_bytes() == name)).collect();
        (columns.contains(&Some(0)) && columns.contains(&Some(1))).then_some(Self(columns))
    }
}

/// The columns that are read.
const COLUMNS: [&str; 7] =
    ["indicator", "indicator_type", "meta.source", "meta.desc", "meta.url", "meta.whitelist", "meta.remove"];

#[cfg(test)]
mod tests {
    use super::super::tests::loaded;
    use crate::indicator::{IndicatorIx, Match, Refusal};

    const HEAD: &str = "#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\tmeta.url\tmeta.do_notice\n";

    #[test]
    fn zeek_s_own_semantics() {
        let text = format!(
            "#separator \\x09\n{HEAD}evil.example\tIntel::DOMAIN\ta feed\twhat\thttps://r.example/1\tT\r\n\
             192.0.2.1\tIntel::ADDR\t-\t-\t-\tF\n198.51.100.0/24\tIntel::SUBNET\ta feed\t-\t-\tF\n\
             malware.test/gate\tIntel::URL\ta feed\t-\t-\tF\nBot\\x09/1\tIntel::SOFTWARE\ta feed\t-\t-\tF\n\
             d41d8cd98f00b204e9800998ecf8427e\tIntel::FILE_HASH\ta feed\t-\t-\tF\n\
             User@evil.example\tIntel::EMAIL\ta feed\t-\t-\tF\n"
        );
        let (set, report) = loaded(text.as_bytes());
        assert_eq!((report.format, report.loaded), (Some("zeek"), 7), "{:?}", report.refusals);
        let all: Vec<_> = set.iter().collect();
        let kinds: Vec<_> = all.iter().map(|i| i.kind.name).collect();
        assert_eq!(kinds, ["domain-name", "ipv4-addr", "ipv4-addr", "url", "user-agent", "file", "email-addr"]);
        assert_eq!((all[0].matching, all[3].matching), (Match::Exact, Match::Exact));
        assert_eq!(all[4].value, b"Bot\t/1");
        let (context, line) = set.sources(IndicatorIx(0)).next().expect("a source");
        assert_eq!((context.provider.as_deref(), line), (Some("a feed"), 3));
        assert_eq!(context.description.as_deref(), Some("what"));
        assert_eq!(context.reference.as_deref(), Some("https://r.example/1"));
        assert_eq!(set.sources(IndicatorIx(1)).next().expect("a source").0.provider, None);
    }

    #[test]
    fn bad_lines_are_counted_and_the_rest_loads() {
        let text = format!(
            "{HEAD}0123\tIntel::PUBKEY_HASH\ta\t-\t-\t-\nevil.example\tDOMAIN\ta\t-\t-\t-\nevil.example\tIntel::DOMAIN\n\
             -\tIntel::ADDR\ta\t-\t-\t-\n\"192.0.2.1\"\tIntel::ADDR\ta\t-\t-\t-\n\
             #fields\tindicator\tindicator_type\tmeta.source\tmeta.whitelist\nok.example\tIntel::DOMAIN\ta\tT\n\
             192.0.2.1\tIntel::ADDR\ta\tF\n"
        );
        let (set, report) = loaded(text.as_bytes());
        assert_eq!(set.len(), 1);
        let refused: Vec<_> = report.refusals.iter().map(|r| (r.line, r.reason)).collect();
        assert_eq!(
            refused,
            [
                (2, Refusal::UnknownKind),
                (3, Refusal::UnknownKind),
                (4, Refusal::Malformed),
                (5, Refusal::Empty),
                (6, Refusal::BadAddress),
                (8, Refusal::Withdrawn),
            ]
        );
    }
}
