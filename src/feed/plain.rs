//! Plain lists: one value a line, its kind recognised. `#` begins a comment (after a blank too, so that a URL keeps its
//! fragment); quotes, blanks and defanged forms are undone. A comment `# picket: match=exact tlp=AMBER provider="A name"`
//! says what holds for the lines below it. A bare digest is a file's; `type=x509-certificate` says otherwise.

use super::declared::Declared;
use super::field;
use super::intake::Intake;
use super::lines::{Line, Lines};
use super::value::is_bare;
use super::{Broken, Format, recognise, refang};
use crate::indicator::{ContextIx, Draft, Index, Refusal};

/// See the module. Any text is a plain list when it is nothing else.
pub(super) const FORMAT: Format = Format { name: "plain", unit: "line", sniff: |_, _| true, read };

fn read(lines: &mut Lines, intake: &mut Intake<'_>) -> Result<(), Broken> {
    let mut declared = intake.declared();
    let mut context = declared.context(intake);
    while let Some((number, line)) = lines.next()? {
        let Line::Text(line) = line else {
            intake.refuse(number, Refusal::TooLong);
            continue;
        };
        let text = line.trim_ascii();
        match text.first() {
            None => {}
            Some(b'#') => {
                if let Some(options) = Declared::comment(text) {
                    declared = options.map_err(|what| Broken::Options { line: number, what })?;
                    context = declared.context(intake);
                }
            }
            Some(_) if is_bare(text) => entry(text, number, &declared, context, intake),
            Some(_) if declared.kind.is_some() => entry(bare(text), number, &declared, context, intake),
            Some(_) => entry(&refang(bare(text)), number, &declared, context, intake),
        }
    }
    Ok(())
}

fn entry(value: &[u8], line: u32, limits: &Declared, context: Result<ContextIx, Refusal>, intake: &mut Intake<'_>) {
    let context = match context {
        Ok(context) => context,
        Err(reason) => return intake.refuse(line, reason),
    };
    if let Some(kind) = limits.kind {
        return intake.add(&Draft { window: limits.window, ..Draft::new(kind, value, context, line) });
    }
    let known = match recognise(value) {
        Ok(known) => known,
        Err(reason) => return intake.refuse(line, if value.is_empty() { Refusal::Empty } else { reason }),
    };
    let is_addr = known.kind.index == Index::Prefix;
    intake.add(&Draft {
        matching: limits.matching.filter(|matching| field::can_match(known.kind, *matching)),
        port: known.port,
        transport: limits.transport.filter(|_| is_addr),
        window: limits.window,
        ..Draft::new(known.kind, known.value, context, line)
    });
}

/// `text` without a trailing comment, quotes and blanks, those beyond ASCII included.
pub(super) fn bare(text: &[u8]) -> &[u8] {
    let mut text = text;
    if let Some(at) = memchr::memchr_iter(b'#', text).find(|at| at.checked_sub(1).is_some_and(|b| is_blank(text[b]))) {
        text = &text[..at];
    }
    loop {
        let inner = text.trim_ascii();
        let inner = match inner {
            [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] | [b'`', inner @ .., b'`'] => inner,
            _ => inner,
        };
        let inner = WIDE_BLANKS.iter().fold(inner, |inner, blank| {
            let inner = inner.strip_prefix(*blank).unwrap_or(inner);
            inner.strip_suffix(*blank).unwrap_or(inner)
        });
        if inner.len() == text.len() {
            return inner;
        }
        text = inner;
    }
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Blanks that web pages leave in copied values: no-break space, zero-width space, byte order mark.
const WIDE_BLANKS: [&[u8]; 3] = [b"\xc2\xa0", b"\xe2\x80\x8b", b"\xef\xbb\xbf"];

#[cfg(test)]
mod tests {
    use super::super::tests::{loaded, reloaded};
    use crate::indicator::{Match, Refusal};
    use crate::time::Timestamp;

    #[test]
    fn dirty_lines_are_cleaned() {
        let text = "\u{feff}# a list\r\n\r\n  evil.example  \r\n\"192.0.2.1\"\n'198.51.100.0/24' # a network\n\
                    hxxp://malware[.]test/gate\t# why\n\u{a0}203.0.113.9\u{200b}\n\"c2.example \" \n[2001:db8::1]:443\n";
        let (set, report) = loaded(text.as_bytes());
        assert_eq!(report.format, Some("plain"));
        assert_eq!((report.loaded, report.refused_total()), (7, 0), "{:?}", report.refusals);
        let kinds: Vec<_> = set.iter().map(|i| i.kind.name).collect();
        assert_eq!(kinds, ["domain-name", "ipv4-addr", "ipv4-addr", "url", "ipv4-addr", "domain-name", "ipv6-addr"]);
        let shown: Vec<_> = set.iter().map(|i| (i.kind.display)(i.value).into_owned()).collect();
        assert_eq!((&*shown[0], &*shown[2], &*shown[4]), ("evil.example", "198.51.100.0/24", "203.0.113.9"));
        assert_eq!(set.iter().last().and_then(|i| i.port), Some(443));
    }

    #[test]
    fn bad_lines_are_counted_and_the_rest_loads() {
        let (set, report) = loaded(
            b"evil.example\nevil.example,1\n0.0.0.0/0\n127.0.0.1\n\"\"\nx.example:80\n192.0.2.1\n1.2.3\n\xff \xfe\n",
        );
        assert_eq!(set.len(), 2);
        let refused: Vec<_> = report.refusals.iter().map(|r| (r.line, r.reason)).collect();
        assert_eq!(
            refused,
            [
                (2, Refusal::Unrecognised),
                (3, Refusal::WideNetwork),
                (4, Refusal::SpecialAddress),
                (5, Refusal::Empty),
                (6, Refusal::Unrecognised),
                (8, Refusal::BadAddress),
                (9, Refusal::Unrecognised),
            ]
        );
        let (set, report) = reloaded(b"0.0.0.0/0\n127.0.0.1\nnonsense nonsense\n", true);
        assert_eq!((set.len(), report.refused_total()), (2, 1));
    }

    #[test]
    fn options_hold_for_the_lines_below() {
        let text = "192.0.2.1\n# picket: match=exact tlp=AMBER provider=\"A name\" severity=70 transport=udp \
                    valid_until=2024-01-01T00:00:00Z\nevil.example\n192.0.2.2\n#picket: tlp=orange match=prefix\n\
                    evil.example\nmalware.test/gate/\n";
        let (set, report) = loaded(text.as_bytes());
        assert_eq!((report.loaded, report.unreadable_markings, report.error), (5, 1, None));
        let all: Vec<_> = set.iter().collect();
        assert_eq!((all[1].matching, all[3].matching, all[4].matching), (Match::Exact, Match::Subtree, Match::Prefix));
        assert_eq!(all[1].window.until, Timestamp::from_parts(1_704_067_200, 0));
        assert_eq!((all[0].transport, all[1].transport), (None, None));
        assert!(all[2].transport.is_some());
        let context = |at: usize| set.sources(all[at].ix).next().expect("a source").0;
        assert_eq!(context(0).marking.to_string(), "");
        assert_eq!((context(1).marking.to_string(), context(1).severity), ("TLP:AMBER".into(), Some(70)));
        assert_eq!(context(1).provider, Some("A name"));
        assert_eq!(context(3).marking.to_string(), "TLP:RED", "what cannot be read is the strictest");
    }

    #[test]
    fn digests_are_files_unless_said_otherwise() {
        let digest = "ab".repeat(20);
        let text =
            format!("{digest}\n# picket: type=x509-certificate tlp=GREEN\n{digest}\nAB:{}\nx\n", "cd:".repeat(19));
        let (set, report) = loaded(text.as_bytes());
        assert_eq!((report.loaded, report.refused_total()), (3, 1), "{:?}", report.refusals);
        assert_eq!(report.refusals[0].reason, Refusal::BadFingerprint);
        let kinds: Vec<_> = set.iter().map(|i| i.kind.name).collect();
        assert_eq!(kinds, ["file", "x509-certificate", "x509-certificate"]);
    }

    #[test]
    fn an_option_that_cannot_be_read_stops_the_file() {
        for options in
            ["type=url", "type=x", "match=exakt", "colour=red", "provider=\"x", "match", "classification=\"//JOINT S\""]
        {
            let (set, report) = loaded(format!("192.0.2.1\n# picket: {options}\nevil.example\n").as_bytes());
            assert_eq!(set.len(), 1, "{options}");
            assert!(report.error.as_deref().is_some_and(|e| e.starts_with("line 2: ")), "{:?}", report.error);
        }
    }
}
