//! Adblock lists of names: `||evil.example^` is a name and everything below it. Nothing else of the syntax says of traffic what
//! its author meant of a browser's requests, and is refused by name.
//!
//! An exception (`@@||name^`) takes back what other lines block. As a feed its line is refused; given as an allow-list, the file's
//! exceptions are what is allowed and its blocks are refused.
//!
//! Source: Adblock Plus "How to write filters"; AdGuard "DNS filtering rules syntax".

use super::declared::Declared;
use super::intake::Intake;
use super::lines::{Line, Lines};
use super::{Broken, Format, recognise};
use crate::indicator::kind::DOMAIN;
use crate::indicator::{ContextIx, Draft, Index, Match, Refusal};

/// See the module. Known by its header, or by a first line that begins as a rule for a name does.
pub(super) const FORMAT: Format = Format { name: "adblock", unit: "line", sniff, read };

fn sniff(head: &[u8], _: &str) -> bool {
    let mut lines = head.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let first = lines.clone().next().unwrap_or_default();
    let rule = lines.find(|line| !line.starts_with(b"!") && !line.starts_with(b"#"));
    let is_rule = rule.is_some_and(|line| line.starts_with(b"||") || line.starts_with(b"@@||"));
    is_rule || first.starts_with(b"[Adblock") || first.starts_with(b"[uBlock")
}

fn read(lines: &mut Lines, intake: &mut Intake<'_>) -> Result<(), Broken> {
    let mut declared = intake.declared();
    let mut context = declared.context(intake);
    while let Some((number, line)) = lines.next()? {
        let Line::Text(line) = line else {
            intake.refuse(number, Refusal::TooLong);
            continue;
        };
        let text = line.trim_ascii();
        let is_remark = text.starts_with(b"!") || text.starts_with(b"# ") || text == b"#";
        if text.is_empty() || (text.starts_with(b"[") && text.ends_with(b"]")) {
            continue;
        }
        if is_remark || Declared::comment(text).is_some() && text.starts_with(b"#") {
            if let Some(options) = Declared::comment(text) {
                declared = options.map_err(|what| Broken::Options { line: number, what })?;
                context = declared.context(intake);
            }
            continue;
        }
        if let Err(reason) = entry(text, number, &declared, context, intake) {
            intake.refuse(number, reason);
        }
    }
    Ok(())
}

fn entry(
    text: &[u8],
    number: u32,
    declared: &Declared,
    context: Result<ContextIx, Refusal>,
    intake: &mut Intake<'_>,
) -> Result<(), Refusal> {
    let (rule, is_exception) = text.strip_prefix(b"@@").map_or((text, false), |rule| (rule, true));
    if is_exception != intake.is_allow_list() {
        return Err(Refusal::Withdrawn);
    }
    let (host, rest) = host_of(rule)?;
    match rest {
        b"" => {}
        [b'$', options @ ..] => options.split(|b| *b == b',').try_for_each(option)?,
        b"|" => return Err(Refusal::Unsupported("Adblock anchor behind a name")),
        _ => return Err(Refusal::Unsupported("Adblock path rule")),
    }
    let known = recognise(host)?;
    let is_addr = known.kind.index == Index::Prefix;
    if !is_addr && *known.kind != DOMAIN {
        return Err(Refusal::Unrecognised);
    }
    let reach = declared.matching.filter(|matching| *matching == Match::Exact).unwrap_or(Match::Subtree);
    intake.add(&Draft {
        matching: Some(if is_addr { Match::Exact } else { reach }),
        port: known.port,
        window: declared.window,
        ..Draft::new(known.kind, known.value, context?, number)
    });
    Ok(())
}

/// The name of a rule for one, and what stands behind it.
fn host_of(rule: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let has = |word: &[u8]| memchr::memmem::find(rule, word).is_some();
    if has(b"##") || has(b"#@#") || has(b"#?#") || has(b"#$#") || has(b"#%#") {
        return Err(Refusal::Unsupported("Adblock cosmetic rule"));
    }
    let Some(body) = rule.strip_prefix(b"||") else {
        return Err(Refusal::Unsupported(match rule {
            [b'/', .., b'/'] => "Adblock regular expression",
            [b'|', ..] => "Adblock rule for an address as a whole",
            _ => "Adblock rule for part of an address",
        }));
    };
    let end = body.iter().position(|b| b"^/$|".contains(b)).unwrap_or(body.len());
    let (host, rest) = body.split_at(end);
    if memchr::memchr(b'*', host).is_some() {
        return Err(Refusal::Unsupported("Adblock wildcard"));
    }
    match rest {
        [b'^', rest @ ..] => Ok((host, rest)),
        [b'/', ..] => Err(Refusal::Unsupported("Adblock path rule")),
        _ => Err(Refusal::Unsupported("Adblock rule whose name has no end (^)")),
    }
}

/// What does not change which names are meant is passed over; everything else narrows the rule to what a sensor cannot tell.
fn option(option: &[u8]) -> Result<(), Refusal> {
    let text = option.trim_ascii();
    let name = text.split(|b| *b == b'=').next().unwrap_or_default();
    let name = name.strip_prefix(b"~").unwrap_or(name).to_ascii_lowercase();
    if name == b"badfilter" {
        return Err(Refusal::Withdrawn);
    }
    if HONOURED.iter().any(|known| known.as_bytes() == text) {
        return Ok(());
    }
    let refused =
        REFUSED.iter().find(|reason| reason.strip_prefix("Adblock option ").is_some_and(|k| k.as_bytes() == name));
    Err(Refusal::Unsupported(refused.unwrap_or(&"Adblock option that is not known")))
}

/// They say how a rule wins over others, or that it is for every request.
const HONOURED: &[&str] = &["important", "all"];

const REFUSED: &[&str] = &[
    "Adblock option app",
    "Adblock option client",
    "Adblock option csp",
    "Adblock option ctag",
    "Adblock option denyallow",
    "Adblock option dnsrewrite",
    "Adblock option dnstype",
    "Adblock option doc",
    "Adblock option document",
    "Adblock option domain",
    "Adblock option elemhide",
    "Adblock option first-party",
    "Adblock option font",
    "Adblock option from",
    "Adblock option frame",
    "Adblock option genericblock",
    "Adblock option generichide",
    "Adblock option image",
    "Adblock option match-case",
    "Adblock option media",
    "Adblock option network",
    "Adblock option object",
    "Adblock option other",
    "Adblock option ping",
    "Adblock option popup",
    "Adblock option redirect",
    "Adblock option removeparam",
    "Adblock option script",
    "Adblock option stylesheet",
    "Adblock option subdocument",
    "Adblock option third-party",
    "Adblock option 3p",
    "Adblock option webrtc",
    "Adblock option websocket",
    "Adblock option xmlhttprequest",
];

#[cfg(test)]
mod tests {
    use super::super::tests::{allowed, loaded};
    use super::*;

    const LIST: &str = "[Adblock Plus 2.0]\n! Title: a list\n! picket: tlp=GREEN\n||evil.example^\n||malware.test^$important\n\
        ||192.0.2.1^\n@@||good.evil.example^\n||ads.example^$third-party\n||x.example/path^\n||wild*.example^\n||open.example\n\
        example.test##.ad\n/re[g]ex/\n|https://whole.example/|\npart.example\n||gone.example^$badfilter\n||n.example^$mine\n||a..b^\n";

    #[test]
    fn names_load_and_the_rest_is_refused_by_name() {
        let (set, report) = loaded(LIST.as_bytes());
        assert_eq!((report.format, report.loaded), (Some("adblock"), 3), "{:?}", report.refusals);
        let all: Vec<_> = set.iter().collect();
        assert_eq!((all[0].value, all[0].matching), (&b"evil.example"[..], Match::Subtree));
        assert_eq!(set.sources(all[0].ix).next().expect("a source").0.marking.to_string(), "TLP:GREEN");
        let reasons: Vec<_> = report.refusals.iter().map(|r| (r.line, r.reason)).collect();
        assert_eq!(
            reasons,
            [
                (7, Refusal::Withdrawn),
                (8, Refusal::Unsupported("Adblock option third-party")),
                (9, Refusal::Unsupported("Adblock path rule")),
                (10, Refusal::Unsupported("Adblock wildcard")),
                (11, Refusal::Unsupported("Adblock rule whose name has no end (^)")),
                (12, Refusal::Unsupported("Adblock cosmetic rule")),
                (13, Refusal::Unsupported("Adblock regular expression")),
                (14, Refusal::Unsupported("Adblock rule for an address as a whole")),
                (15, Refusal::Unsupported("Adblock rule for part of an address")),
                (16, Refusal::Withdrawn),
                (17, Refusal::Unsupported("Adblock option that is not known")),
                (18, Refusal::BadName),
            ]
        );
    }

    #[test]
    fn an_allow_list_takes_the_exceptions_alone() {
        let (set, report) = allowed("x", LIST.as_bytes());
        assert_eq!((set.len(), report.loaded), (1, 1));
        assert_eq!(set.iter().next().map(|one| one.value), Some(&b"good.evil.example"[..]));
    }
}
