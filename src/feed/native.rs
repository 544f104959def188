//! Picket's own format: JSON Lines, one Elastic Common Schema `threat.indicator` document a line, with what the schema
//! lacks under `picket.` (`feeds/README.md` lists every field). `type` and `name` suffice.

use serde_json::value::RawValue;

use super::document::{self as doc, Document, Scheme};
use super::intake::{Intake, Meta};
use super::lines::{Line, Lines};
use super::{Broken, Format, field, pattern, recognise};
use crate::indicator::kind::is_digest;
use crate::indicator::kind::{CERTIFICATE, EMAIL_ADDR, FILE, FILE_NAME, ISSUER, SERIAL, SUBJECT};
use crate::indicator::{Condition, Draft, Index, Kind, Named, Pattern, Refusal, Window};
use crate::marking::{Acs, Cui, Marking};
use crate::time::Timestamp;

/// See the module. Known by the first line that is neither empty nor a comment: it begins with `{`.
pub(super) const FORMAT: Format = Format { name: "native", unit: "line", sniff, read };

fn sniff(head: &[u8], _: &str) -> bool {
    head.split(|b| *b == b'\n')
        .map(<[u8]>::trim_ascii)
        .find(|line| !line.is_empty() && !line.starts_with(b"#"))
        .is_some_and(|line| line.starts_with(b"{"))
}

fn read(lines: &mut Lines, intake: &mut Intake<'_>) -> Result<(), Broken> {
    let mut document = Document::default();
    let mut marked = Marked::default();
    while let Some((number, line)) = lines.next()? {
        let Line::Text(line) = line else {
            intake.refuse(number, Refusal::TooLong);
            continue;
        };
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        if let Err(reason) = document.read(line).and_then(|()| entry(&document, number, &mut marked, intake)) {
            intake.refuse(number, reason);
        }
    }
    Ok(())
}

/// The last three texts that a marking was read from, and what they came to: neighbours mostly have the same.
#[derive(Default)]
struct Marked {
    texts: [Option<String>; 3],
    marking: Marking,
    unreadable: u32,
}

impl Marked {
    fn read(&mut self, texts: [Option<&str>; 3]) -> Result<(Marking, u32), Refusal> {
        if self.texts.iter().map(Option::as_deref).ne(texts) {
            let [tlp, pap, classification] = texts;
            (self.marking, self.unreadable) = field::marking(tlp, pap, classification)?;
            self.texts = texts.map(|text| text.map(str::to_owned));
        }
        Ok((self.marking.clone(), self.unreadable))
    }
}

fn entry(document: &Document, line: u32, marked: &mut Marked, intake: &mut Intake<'_>) -> Result<(), Refusal> {
    let get = |field| document.get(field);
    let mut kind = Kind::by_name(get(doc::KIND).ok_or(Refusal::Malformed)?).ok_or(Refusal::UnknownKind)?;
    let mut particular = None;
    let found = match kind {
        kind if *kind == CERTIFICATE => certificate(document)?,
        kind if *kind == FILE => file(document)?,
        kind if *kind == FILE_NAME => get(doc::FILE_NAME).map(|name| (&FILE_NAME, name)),
        _ => None,
    };
    if let Some((what, value)) = found {
        (kind, particular) = (what, Some(value));
    }
    let matching = get(doc::MATCH).map(field::matching).transpose()?;
    if matching.is_some_and(|matching| !field::can_match(kind, matching)) {
        return Err(Refusal::BadField);
    }
    let window = Window {
        from: get(doc::VALID_FROM).map_or(Ok(Timestamp::ZERO), field::instant)?,
        until: get(doc::VALID_UNTIL).map_or(Ok(Timestamp::MAX), field::instant)?,
    };
    let id = get(doc::ID);
    if window.from >= window.until || id.is_some_and(|id| id.len() > MAX_ID_BYTES) {
        return Err(Refusal::BadField);
    }
    let (mut marking, mut unreadable) = marked.read([get(doc::TLP), get(doc::PAP), get(doc::CLASSIFICATION)])?;
    if let Some(text) = get(doc::STATEMENT) {
        marking = marking.combine(&Marking::of_statement(text));
    }
    for (scheme, json) in document.markings() {
        for further in further(scheme, json) {
            unreadable += u32::from(!further.undefined_refs().is_empty());
            marking = marking.combine(&further);
        }
    }
    let about = document.about();
    let meta = Meta {
        provider: get(doc::PROVIDER),
        marking,
        confidence: get(doc::CONFIDENCE).map(field::confidence),
        severity: get(doc::SEVERITY).map(field::severity).transpose()?,
        reference: get(doc::REFERENCE),
        description: get(doc::DESCRIPTION),
        first_seen: get(doc::FIRST_SEEN),
        about: &about,
    };
    let transport = get(doc::TRANSPORT).or(get(doc::PATTERN_TRANSPORT)).map_or(Ok(None), field::transport)?;
    let port = get(doc::PORT).map(field::number).transpose()?;
    let when = condition(document, kind)?;
    let content;
    let mut draft = Draft {
        id,
        matching,
        transport,
        window,
        when: when.as_ref(),
        ..Draft::new(kind, b"", intake.context(&meta)?, line)
    };
    match kind.index {
        Index::Pattern => {
            content = pattern::decode(get(doc::CONTENT).ok_or(Refusal::BadPattern)?)?;
            draft.value = &content;
            draft.pattern = limits(document)?;
            let named = get(doc::DESTINATION_PORT).or(get(doc::PATTERN_PORT)).map(field::number).transpose()?;
            draft.port = named.or(port);
        }
        Index::Prefix => {
            (draft.value, draft.port) = endpoint(document, port)?;
        }
        // A transport is a limit that no name or URL can be held to; their port is said in the value or is a remark.
        _ if transport.is_some() => return Err(Refusal::BadField),
        index => {
            let particular = match index {
                Index::Suffix => get(doc::URL_DOMAIN),
                Index::Path => get(doc::URL_FULL),
                _ if kind == &EMAIL_ADDR => get(doc::EMAIL_ADDRESS),
                _ => particular,
            };
            draft.value = particular.or(get(doc::NAME)).ok_or(Refusal::Empty)?.as_bytes();
        }
    }
    (0..unreadable).for_each(|_| intake.unreadable_marking());
    intake.add(&draft);
    Ok(())
}

/// A marking that is an object, or several of them in a list; what cannot be read is undefined.
fn further(scheme: Scheme, json: &str) -> Vec<Marking> {
    let one = |json: &str| match scheme {
        Scheme::Acs => Acs::parse_json(json).map_or_else(|_| Marking::undefined("picket.acs"), Marking::of_acs),
        Scheme::Cui => Cui::parse_json(json).map_or_else(|_| Marking::undefined("picket.cui"), Marking::of_cui),
    };
    match serde_json::from_str::<Vec<&RawValue>>(json) {
        Ok(list) if !list.is_empty() => list.into_iter().map(|json| one(json.get())).collect(),
        // An empty list says nothing that could be held to.
        _ => vec![one(json)],
    }
}

/// `picket.when`.
fn condition(document: &Document, kind: &'static Kind) -> Result<Option<Condition>, Refusal> {
    let get = |field| document.get(field);
    let named = Named {
        protocol: get(doc::WHEN_PROTOCOL),
        port: get(doc::WHEN_PORT),
        direction: get(doc::WHEN_DIRECTION),
        field: get(doc::WHEN_FIELD),
        function: get(doc::WHEN_FUNCTION),
    };
    Condition::read(kind, &named)
}

/// What a document says of a certificate: a digest, the stronger one if there are both; or else one of subject, issuer and
/// serial number. Several of these would have to hold together, which no kind can say: such an entry is refused, because
/// each alone would match more than its author meant.
fn certificate(document: &Document) -> Result<Option<(&'static Kind, &str)>, Refusal> {
    let get = |kind, field| document.get(field).map(|value| (kind, value));
    if let Some(digest) = get(&CERTIFICATE, doc::X509_SHA256).or(get(&CERTIFICATE, doc::X509_SHA1)) {
        return Ok(Some(digest));
    }
    let fields = [(&SUBJECT, doc::X509_SUBJECT), (&ISSUER, doc::X509_ISSUER), (&SERIAL, doc::X509_SERIAL)];
    let mut said = fields.into_iter().filter_map(|(kind, field)| get(kind, field));
    match (said.next(), said.next()) {
        (_, Some(_)) => Err(Refusal::BadField),
        (one, None) => Ok(one),
    }
}

/// What a document says of a file: its strongest digest, or else its name. A name beside a digest is a remark; one beside a digest
/// that no kind can hold is refused, because the name alone would match more than its author meant.
fn file(document: &Document) -> Result<Option<(&'static Kind, &str)>, Refusal> {
    let first = |fields: &[doc::Field]| fields.iter().find_map(|&field| document.get(field));
    if let Some(digest) = first(&[doc::FILE_SHA256, doc::FILE_SHA1, doc::FILE_MD5]) {
        return Ok(Some((&FILE, digest)));
    }
    let name = document.get(doc::FILE_NAME);
    let others = [doc::FILE_SHA512, doc::FILE_SHA384, doc::FILE_SSDEEP, doc::FILE_TLSH];
    if name.is_some() && first(&others).is_some() {
        return Err(Refusal::BadFingerprint);
    }
    // A digest may be in the entry's own name, and the file's name beside it.
    let is_digest = document.get(doc::NAME).is_some_and(|name| is_digest(name.as_bytes()));
    Ok(name.filter(|_| !is_digest).map(|name| (&FILE_NAME, name)))
}

/// The address and port of a document: `ip` and `port`, or both in `name`.
fn endpoint(document: &Document, port: Option<u16>) -> Result<(&[u8], Option<u16>), Refusal> {
    let text = document.get(doc::IP).or(document.get(doc::NAME)).ok_or(Refusal::Empty)?.as_bytes();
    match recognise(text) {
        Ok(known) if known.kind.index == Index::Prefix && known.port.is_some() => match port {
            Some(other) if Some(other) != known.port => Err(Refusal::BadField),
            _ => Ok((known.value, known.port)),
        },
        _ => Ok((text, port)),
    }
}

fn limits(document: &Document) -> Result<Pattern, Refusal> {
    let number = |field| document.get(field).map(field::number::<u32>).transpose();
    Ok(Pattern {
        nocase: document.get(doc::NOCASE).map_or(Ok(false), |text| text.parse().map_err(|_| Refusal::BadField))?,
        offset: number(doc::OFFSET)?,
        depth: number(doc::DEPTH)?,
        source_port: document.get(doc::SOURCE_PORT).map(field::number).transpose()?,
    })
}

/// Longest id kept; every alert repeats it.
const MAX_ID_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::super::tests::loaded;
    use super::*;
    use crate::indicator::kind::{BYTES, IPV4, IPV6, JA3, URL, USER_AGENT};
    use crate::indicator::{Match, Transport};

    fn reason(line: &str) -> Option<Refusal> {
        let (set, report) = loaded(line.as_bytes());
        assert_eq!(set.len() + report.refusals.len(), 1, "{line}");
        report.refusals.first().map(|r| r.reason)
    }

    #[test]
    fn a_file_is_its_strongest_digest_or_its_name() {
        let file = |fields: &str| format!(r#"{{"threat":{{"indicator":{{"type":"file",{fields}}}}}}}"#);
        let (md5, sha1, sha256) = ("a1".repeat(16), "b2".repeat(20), "C3".repeat(32));
        for (fields, kind, value) in [
            (format!(r#""file":{{"hash":{{"md5":"{md5}"}},"name":"x.exe"}}"#), &FILE, md5.clone()),
            (format!(r#""name":"a label","file.hash.sha1":"{sha1}","file.hash.md5":"{md5}""#), &FILE, sha1),
            (format!(r#""file":{{"hash":{{"sha256":"{sha256}","sha512":"0"}}}}"#), &FILE, sha256.to_lowercase()),
            (r#""name":"a label","file.name":"Evil.EXE""#.to_owned(), &FILE_NAME, "evil.exe".to_owned()),
            (format!(r#""name":"{md5}","file.name":"x.exe""#), &FILE, md5.clone()),
        ] {
            let (set, report) = loaded(file(&fields).as_bytes());
            assert!(report.refusals.is_empty(), "{fields}");
            let one = set.iter().next().expect("one");
            assert_eq!((one.kind.name, &*(one.kind.display)(one.value)), (kind.name, &*value), "{fields}");
        }
        for (fields, refusal) in [
            (r#""file":{"hash":{"sha512":"00"},"name":"x.exe"}"#, Refusal::BadFingerprint),
            (r#""name":"a label","file.hash.tlsh":"T1""#, Refusal::BadFingerprint),
            (r#""file.hash.md5":"a1""#, Refusal::BadFingerprint),
            (r#""file.name":"C:\\x\\evil.exe""#, Refusal::BadFileName),
            (r#""file.size":1"#, Refusal::Empty),
        ] {
            assert_eq!(reason(&file(fields)), Some(refusal), "{fields}");
        }
        let named = r#"{"threat.indicator.type":"file-name","threat.indicator.name":"a label","threat.indicator.file.name":"b"}"#;
        let (set, _) = loaded(named.as_bytes());
        assert_eq!(set.iter().next().map(|one| one.value.to_vec()), Some(b"b".to_vec()));
    }

    #[test]
    fn every_field_arrives() {
        let (set, report) = loaded(
            br#"{"threat":{"indicator":{"type":"ipv4-addr","ip":"192.0.2.77","port":4444,"name":"a name","id":["x-1"],
"#
            .iter()
            .filter(|b| **b != b'\n')
            .chain(
                br#""provider":"p","confidence":"High","first_seen":"2024-01-01T00:00:00Z","reference":"r",
"description":"d","marking":{"tlp":"RED"}}},"picket":{"transport":"tcp","pap":"AMBER","classification":"S//NF",
"valid_from":"2024-01-01T00:00:00Z","valid_until":"2025-01-01T00:00:00Z","severity":80}}"#
                    .iter()
                    .filter(|b| **b != b'\n'),
            )
            .copied()
            .collect::<Vec<u8>>()
            .as_slice(),
        );
        assert_eq!((report.format, report.loaded), (Some("native"), 1), "{:?}", report.refusals);
        let one = set.iter().next().expect("one");
        assert_eq!((one.kind, one.value, one.port), (&IPV4, &[192, 0, 2, 77][..], Some(4444)));
        assert_eq!((&*one.id(), one.transport), ("x-1", Some(Transport::Tcp)));
        assert_eq!((one.window.from.secs(), one.window.until.secs()), (1_704_067_200, 1_735_689_600));
        let (context, line) = set.sources(one.ix).next().expect("a source");
        assert_eq!((context.provider, line), (Some("p"), 1));
        assert_eq!(context.marking.to_string(), "TLP:RED PAP:AMBER SECRET//NOFORN");
        assert_eq!((context.confidence, context.severity), (Some("High"), Some(80)));
        assert_eq!((context.reference, context.description), (Some("r"), Some("d")));
        assert_eq!(context.first_seen, Some("2024-01-01T00:00:00Z"));
    }

    #[test]
    fn a_condition_arrives() {
        let (set, report) = loaded(
            br#"{"threat.indicator.type":"ipv4-addr","threat.indicator.name":"192.0.2.1","picket":{"when":{"protocol":"modbus","port":502,"direction":"to_responder","function":"write"}}}
{"threat.indicator.type":"ipv4-addr","threat.indicator.name":"192.0.2.1"}
"#,
        );
        assert_eq!(report.loaded, 2, "{:?}", report.refusals);
        let all: Vec<_> = set.iter().collect();
        let parts: Vec<_> =
            all[0].when.expect("a condition").parts().map(|(path, part)| format!("{path}={part}")).collect();
        assert_eq!(
            parts,
            [
                "picket.when.protocol=modbus",
                "picket.when.port=502",
                "picket.when.direction=to_responder",
                "picket.when.function=modbus:any-write"
            ]
        );
        assert!(all[1].when.is_none());
    }

    #[test]
    fn type_and_name_suffice() {
        let (set, report) = loaded(
            br#"{"threat.indicator.type":"ipv6-addr","threat.indicator.name":"2001:db8::/32"}
{"threat.indicator.type":"user-agent","threat.indicator.name":" EvilBot "}
{"threat.indicator.type":"ja3","threat.indicator.name":"ADA70206E40642A3E4461F35503241D5"}
{"threat.indicator.type":"url","threat.indicator.url.full":"http://malware.test/gate/","picket.match":"prefix"}
{"threat.indicator.type":"ipv4-addr","threat.indicator.name":"192.0.2.1:53"}
"#,
        );
        assert_eq!(report.loaded, 5, "{:?}", report.refusals);
        let all: Vec<_> = set.iter().collect();
        assert_eq!([all[0].kind, all[1].kind, all[2].kind, all[3].kind], [&IPV6, &USER_AGENT, &JA3, &URL]);
        assert_eq!(all[1].value, b" EvilBot ");
        assert_eq!(all[3].matching, Match::Prefix);
        assert_eq!((all[4].value, all[4].port), (&[192, 0, 2, 1][..], Some(53)));
    }

    #[test]
    fn what_a_certificate_is_named_by() {
        let sha1 = "A".repeat(40);
        let sha256 = "b".repeat(64);
        let documents = [
            (format!(r#""name":"{sha1}""#), &CERTIFICATE, "a".repeat(40)),
            (format!(r#""name":"any name","x509":{{"hash":{{"sha1":"{sha1}"}}}}"#), &CERTIFICATE, "a".repeat(40)),
            (
                format!(r#""x509":{{"hash":{{"sha1":"{sha1}","sha256":"{sha256}"}},"serial_number":"01"}}"#),
                &CERTIFICATE,
                sha256.clone(),
            ),
            (r#""x509":{"serial_number":"0A:0B"}"#.into(), &SERIAL, "a0b".into()),
            (r#""x509":{"subject":{"distinguished_name":"CN=A"}}"#.into(), &SUBJECT, "cn=a".into()),
            (r#""x509":{"issuer":{"distinguished_name":"CN=A"}}"#.into(), &ISSUER, "cn=a".into()),
        ];
        for (rest, kind, value) in documents {
            let line = format!(r#"{{"threat":{{"indicator":{{"type":"x509-certificate",{rest}}}}}}}"#);
            let (set, report) = loaded(line.as_bytes());
            assert_eq!(report.refusals.len(), 0, "{line}");
            let one = set.iter().next().expect("one");
            assert_eq!((one.kind, one.value), (kind, value.as_bytes()), "{line}");
        }
    }

    #[test]
    fn byte_signatures_have_limits() {
        let (set, report) = loaded(
            br#"{"threat.indicator.type":"network-traffic","picket":{"pattern":{"content":"a|0d 0a|b","nocase":true,"offset":0,"depth":64,"transport":"tcp","source_port":1,"destination_port":"80"}}}
{"threat.indicator.type":"network-traffic","threat.indicator.name":"t","picket":{"pattern":{"content":"|de ad be ef|","transport":"any","port":81}}}"#,
        );
        assert_eq!(report.loaded, 2, "{:?}", report.refusals);
        let all: Vec<_> = set.iter().collect();
        assert_eq!((all[0].kind, all[0].value, all[0].port), (&BYTES, &b"a\r\nb"[..], Some(80)));
        let limits = Pattern { nocase: true, offset: Some(0), depth: Some(64), source_port: Some(1) };
        assert_eq!((all[0].pattern, all[0].transport), (limits, Some(Transport::Tcp)));
        assert_eq!((all[1].pattern, all[1].transport, all[1].port), (Pattern::default(), None, Some(81)));
    }

    #[test]
    fn refusals_say_why() {
        for (rest, expected) in [
            (r#""type":"domain-name""#, Refusal::Empty),
            (r#""name":"evil.example""#, Refusal::Malformed),
            (r#""type":"no-such-type","name":"x""#, Refusal::UnknownKind),
            (r#""type":"x509-certificate","name":"x""#, Refusal::BadFingerprint),
            (
                r#""type":"x509-certificate","x509":{"serial_number":"01","issuer":{"distinguished_name":"CN=a"}}"#,
                Refusal::BadField,
            ),
            (r#""type":"ipv4-addr","name":"evil.example""#, Refusal::BadAddress),
            (r#""type":"ipv4-addr","ip":"192.0.2.1","port":65536"#, Refusal::BadField),
            (r#""type":"ipv4-addr","ip":"192.0.2.1:1","port":2"#, Refusal::BadField),
            (r#""type":"ipv4-addr","ip":"192.0.2.1","ip":"192.0.2.2""#, Refusal::BadField),
            (r#""type":"network-traffic","name":"lit-1""#, Refusal::BadPattern),
            (r#""type":"ipv4-addr","ip":"127.0.0.1""#, Refusal::SpecialAddress),
        ] {
            assert_eq!(reason(&format!("{{\"threat\":{{\"indicator\":{{{rest}}}}}}}")), Some(expected), "{rest}");
        }
        for (picket, expected) in [
            (r#""match":"prefix""#, Refusal::BadField),
            (r#""severity":101"#, Refusal::BadField),
            (r#""transport":"tcp""#, Refusal::BadField),
            (r#""valid_from":"x""#, Refusal::BadField),
            (r#""when":{"protocol":"gopher"}"#, Refusal::BadCondition),
            (r#""when":{"field":"source.ip"}"#, Refusal::BadCondition),
            (r#""when":{"unless":1}"#, Refusal::BadCondition),
            (r#""valid_from":"2025-01-01T00:00:00Z","valid_until":"2024-01-01T00:00:00Z""#, Refusal::BadField),
            (r#""classification":"//JOINT S//REL TO USA, GBR""#, Refusal::ForeignMarking),
        ] {
            let line = format!(
                "{{\"threat\":{{\"indicator\":{{\"type\":\"domain-name\",\"name\":\"evil.example\"}}}},\"picket\":{{{picket}}}}}"
            );
            assert_eq!(reason(&line), Some(expected), "{picket}");
        }
        for (pattern, expected) in [
            (r#""content":"abc""#, Refusal::ShortPattern),
            (r#""content":"""#, Refusal::BadPattern),
            (r#""content":"||""#, Refusal::Empty),
            (r#""content":"abcd","depth":3"#, Refusal::BadPattern),
            (r#""content":"abcd","nocase":"maybe""#, Refusal::BadField),
            (r#""content":"abcd","offset":-1"#, Refusal::BadField),
            (r#""content":"ab|c""#, Refusal::BadPattern),
        ] {
            let line = format!(
                "{{\"threat\":{{\"indicator\":{{\"type\":\"network-traffic\"}}}},\"picket\":{{\"pattern\":{{{pattern}}}}}}}"
            );
            assert_eq!(reason(&line), Some(expected), "{pattern}");
        }
        assert_eq!(reason("{"), Some(Refusal::Malformed));
    }

    #[test]
    fn markings_that_are_objects_are_read_whole() {
        let acs = r#"{"extension_type":"property-extension","identifier":"isa:guide.1","create_date_time":"2024-01-01T00:00:00Z",
            "responsible_entity_custodian":"USA.NSA","policy_reference":"urn:isa:policy:acs:ns:v3.0?privdefault=deny&sharedefault=deny",
            "control_set":{"classification":"S","sensitivity":["NTOC_DHS_ECYBER_SVC_SHARE.NSA.NSA"],"permitted_nationalities":["USA","GBR"]}}"#
            .replace('\n', "");
        let cui = r#"{"extension_type":"property-extension","control":"CUI","designator_ref":"identity--1","categories":["SP-CTI"]}"#;
        let entry = |picket: &str| {
            let line =
                format!(r#"{{"threat":{{"indicator":{{"type":"domain-name","name":"evil.example"}}}},{picket}}}"#);
            let (set, report) = loaded(line.as_bytes());
            let shown =
                set.iter().next().map(|one| set.sources(one.ix).next().expect("a source").0.marking.to_string());
            (shown.unwrap_or_default(), report.unreadable_markings, report.refused_total())
        };
        let read = |shown: &str| (shown.to_string(), 0, 0);
        assert_eq!(
            entry(&format!(r#""picket":{{"acs":{acs}}}"#)),
            read(r#"SECRET//REL TO USA, GBR ACS:"isa:guide.1""#)
        );
        assert_eq!(
            entry(&format!(r#""picket":{{"cui":{cui},"classification":"S//NF","statement":"keep"}}"#)),
            read(r#"SECRET//SP-CTI//NOFORN CUI:"identity--1" STATEMENT:"keep""#)
        );
        assert_eq!(entry(&format!(r#""picket.acs":{acs},"picket":{{"acs":{acs}}}"#)).2, 0, "said twice is said once");
        let two = format!(r#""picket":{{"acs":[{acs},{}]}}"#, acs.replace("guide.1", "guide.2"));
        assert_eq!(entry(&two), read(r#"SECRET//REL TO USA, GBR ACS:"isa:guide.1" ACS:"isa:guide.2""#));
        for bad in [
            r#""picket":{"acs":null}"#.to_string(),
            r#""picket":{"acs":"S"}"#.to_string(),
            r#""picket":{"acs":[]}"#.to_string(),
            format!(r#""picket":{{"acs":[[{acs}]]}}"#),
            format!(
                r#""picket":{{"acs":{}}}"#,
                acs.replace(r#""identifier":"#, r#""identifier":"again","identifier":"#)
            ),
        ] {
            assert_eq!(entry(&bad), (r#"UNDEFINED:"picket.acs""#.into(), 1, 0), "{bad}");
        }
        assert_eq!(entry(r#""picket.acs.identifier":"isa:guide.1""#).2, 1, "a part of one is refused");
        assert_eq!(entry(r#""picket":{"cui.control":"CUI"}"#).2, 1);
    }

    #[test]
    fn an_unreadable_marking_loads_as_the_strictest() {
        let (set, report) = loaded(
            br#"{"threat.indicator.type":"domain-name","threat.indicator.name":"evil.example","threat.indicator.marking.tlp":"MAUVE","picket.classification":"GEHEIM"}"#,
        );
        assert_eq!((report.loaded, report.unreadable_markings), (1, 2));
        let (context, _) = set.sources(crate::indicator::IndicatorIx(0)).next().expect("a source");
        assert!(context.marking.to_string().starts_with("TLP:RED TOP SECRET//NOT RELEASABLE"));
    }
}
