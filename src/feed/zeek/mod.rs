//! Zeek intelligence files: tab-separated, a `#fields` header, `-` for unset, `Intel::` types. As in Zeek, a DOMAIN is
//! that name alone and a URL that URL alone; values may hold `\x09` escapes. `meta.if_in` limits where a value counts;
//! `meta.do_notice` says what Zeek is to do with a hit, and changes nothing here.
//!
//! Source: Zeek's intelligence framework (`base/frameworks/intel`).

mod write;

pub(super) use write::write;

use std::borrow::Cow;

use super::field;
use super::intake::{Intake, Meta};
use super::lines::{Line, Lines};
use super::{Broken, Format};
use crate::indicator::kind::{
    CERTIFICATE, DOMAIN, EMAIL_ADDR, FILE, FILE_NAME, HASSH, IPV4, IPV6, JA3, JA3S, URL, USER_AGENT, USER_NAME,
};
use crate::indicator::{Condition, Draft, Kind, Match, Named, Refusal};

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
    let [value, kind, source, desc, url, whitelist, remove, place] = cells;
    if [whitelist, remove].contains(&Some(b"T")) {
        return Err(Refusal::Withdrawn);
    }
    let value = unescaped(value.ok_or(Refusal::Empty)?);
    let kind = kind_of(kind.ok_or(Refusal::Malformed)?)?;
    if *kind == CERTIFICATE && value.len() != SHA1_DIGITS {
        return Err(Refusal::BadFingerprint);
    }
    let when = place.map_or(Ok(None), |place| condition(kind, place))?;
    let texts = [source, desc, url].map(|cell| cell.map(unescaped));
    let texts = [&texts[0], &texts[1], &texts[2]].map(|cell| cell.as_deref().map(String::from_utf8_lossy));
    let [provider, description, reference] = [&texts[0], &texts[1], &texts[2]].map(Option::as_deref);
    let context = intake.context(&Meta { provider, description, reference, ..Meta::default() })?;
    let matching = field::can_match(kind, Match::Exact).then_some(Match::Exact);
    intake.add(&Draft { matching, when: when.as_ref(), ..Draft::new(kind, &value, context, number) });
    Ok(())
}

fn kind_of(cell: &[u8]) -> Result<&'static Kind, Refusal> {
    match cell {
        b"Intel::SUBNET" => Ok(&IPV4),
        b"Intel::PUBKEY_HASH" => Err(Refusal::Unsupported("Intel::PUBKEY_HASH")),
        _ => {
            let known = TYPES.iter().find(|(name, _)| name.as_bytes() == cell);
            known.map(|(_, kind)| *kind).ok_or(Refusal::UnknownKind)
        }
    }
}

/// `meta.if_in`: the place in traffic where the value must be seen.
fn condition(kind: &'static Kind, place: &[u8]) -> Result<Option<Condition>, Refusal> {
    let known = IF_IN.iter().find(|(name, _)| name.as_bytes() == place);
    let (_, field) = known.ok_or(Refusal::Unsupported("meta.if_in of a place that is not told apart"))?;
    Condition::read(kind, &Named { field: *field, ..Named::default() })
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
const COLUMNS: [&str; 8] = [
    "indicator",
    "indicator_type",
    "meta.source",
    "meta.desc",
    "meta.url",
    "meta.whitelist",
    "meta.remove",
    "meta.if_in",
];

/// Types by their kinds, networks apart. JA3, JA3S and HASSH are of packages.
const TYPES: &[(&str, &Kind)] = &[
    ("Intel::ADDR", &IPV4),
    ("Intel::ADDR", &IPV6),
    ("Intel::URL", &URL),
    ("Intel::SOFTWARE", &USER_AGENT),
    ("Intel::EMAIL", &EMAIL_ADDR),
    ("Intel::DOMAIN", &DOMAIN),
    ("Intel::USER_NAME", &USER_NAME),
    ("Intel::CERT_HASH", &CERTIFICATE),
    ("Intel::FILE_HASH", &FILE),
    ("Intel::FILE_NAME", &FILE_NAME),
    ("Intel::JA3", &JA3),
    ("Intel::JA3S", &JA3S),
    ("Intel::HASSH", &HASSH),
];

/// `Intel::Where` and the field that it is here; none where a kind is seen nowhere else.
const IF_IN: &[(&str, Option<&str>)] = &[
    ("Conn::IN_ORIG", Some("source.ip")),
    ("Conn::IN_RESP", Some("destination.ip")),
    ("DNS::IN_REQUEST", Some("dns.question.name")),
    ("DNS::IN_RESPONSE", Some("dns.resolved_ip")),
    ("HTTP::IN_HOST_HEADER", Some("url.domain")),
    ("HTTP::IN_REFERRER_HEADER", Some("http.request.referrer")),
    ("HTTP::IN_URL", Some("url.full")),
    ("HTTP::IN_USER_AGENT_HEADER", Some("user_agent.original")),
    ("SSL::IN_SERVER_NAME", Some("tls.client.server_name")),
    ("SMTP::IN_MAIL_FROM", Some("picket.smtp.mail_from")),
    ("SMTP::IN_RCPT_TO", Some("picket.smtp.rcpt_to")),
    ("SMTP::IN_FROM", Some("email.from.address")),
    ("SMTP::IN_TO", Some("email.to.address")),
    ("SMTP::IN_CC", Some("email.cc.address")),
    ("SMTP::IN_REPLY_TO", Some("email.reply_to.address")),
    ("Files::IN_HASH", None),
    ("Files::IN_NAME", None),
];

/// CERT_HASH is SHA-1.
const SHA1_DIGITS: usize = 40;

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
        assert_eq!((context.provider, line), (Some("a feed"), 3));
        assert_eq!(context.description, Some("what"));
        assert_eq!(context.reference, Some("https://r.example/1"));
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
                (2, Refusal::Unsupported("Intel::PUBKEY_HASH")),
                (3, Refusal::UnknownKind),
                (4, Refusal::Malformed),
                (5, Refusal::Empty),
                (6, Refusal::BadAddress),
                (8, Refusal::Withdrawn),
            ]
        );
    }

    #[test]
    fn a_place_is_a_condition() {
        let head = "#fields\tindicator\tindicator_type\tmeta.source\tmeta.if_in\n";
        let rows = "evil.example\tIntel::DOMAIN\ta\tDNS::IN_REQUEST\n192.0.2.1\tIntel::ADDR\ta\tConn::IN_RESP\n\
            x.exe\tIntel::FILE_NAME\ta\tFiles::IN_NAME\nevil.example\tIntel::DOMAIN\ta\tX509::IN_CERT\n\
            evil.example\tIntel::DOMAIN\ta\tConn::IN_ORIG\n";
        let (set, report) = loaded(format!("{head}{rows}").as_bytes());
        let fields: Vec<_> = set.iter().map(|one| one.when.and_then(|when| when.field)).collect();
        assert_eq!(fields, [Some("dns.question.name"), Some("destination.ip"), None]);
        let refused: Vec<_> = report.refusals.iter().map(|r| (r.line, r.reason)).collect();
        assert_eq!(
            refused,
            [(5, Refusal::Unsupported("meta.if_in of a place that is not told apart")), (6, Refusal::BadCondition)]
        );
    }

    #[test]
    fn what_is_written_reads_back_and_the_rest_is_counted() {
        let text = format!(
            "{HEAD}evil.example\tIntel::DOMAIN\ta feed\tx\\x09y\t-\t-\n192.0.2.0/24\tIntel::SUBNET\t-\t-\t-\t-\n\
             2001:db8::1\tIntel::ADDR\t-\t-\t-\t-\n\\x23bot\\x09 1\tIntel::SOFTWARE\tb\t-\thttps://r.example/\t-\n"
        );
        let (set, _) = loaded(text.as_bytes());
        let mut out = Vec::new();
        let written = super::write(&set, &mut out).expect("writes");
        assert_eq!((written.written, written.left_out.len(), written.lost.len()), (4, 0, 0));
        let (again, report) = loaded(&out);
        assert_eq!(report.refused_total(), 0);
        let all = |set: &crate::indicator::IndicatorSet| -> Vec<_> {
            let one = |i: crate::indicator::Indicator<'_>| {
                let (context, _) = set.sources(i.ix).next().expect("a source");
                let texts = [context.provider, context.description, context.reference];
                let texts = texts.map(|text| text.map(str::to_owned));
                (i.kind.name, i.value.to_vec(), i.matching, texts)
            };
            set.iter().map(one).collect()
        };
        assert_eq!(all(&set), all(&again));
        let (set, _) = loaded(
            b"evil.example\n192.0.2.1:80\nhttp://malware.test/x\n# picket: tlp=RED match=prefix type=ja4\nt13d1516h2_8daaf6152771_e5627efa2ab1\n\
              # picket: match=prefix tlp=RED\nmalware.test/gate/\n192.0.2.9\n",
        );
        let written = super::write(&set, &mut Vec::new()).expect("writes");
        let left_out: Vec<_> = written.left_out.into_iter().collect();
        assert_eq!(left_out, [("kind", 1), ("port or transport", 1), ("prefix of a URL", 1)]);
        let without: Vec<_> = written.lost.into_iter().collect();
        assert_eq!((written.written, without), (3, vec![("marking", 1), ("names below the name", 1)]));
    }
}
