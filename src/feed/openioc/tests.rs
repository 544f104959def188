use super::super::tests::loaded;
use crate::indicator::kind::{DOMAIN, FILE, IPV4, URL};
use crate::indicator::{Refusal, Where};

fn item(search: &str, content: &str) -> String {
    format!(
        "<IndicatorItem id=\"i\" condition=\"is\"><Context document=\"x\" search=\"{search}\" type=\"mir\"/>\
         <Content type=\"string\">{content}</Content></IndicatorItem>"
    )
}

fn document(criteria: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<OpenIOC xmlns=\"http://openioc.org/schemas/OpenIOC_1.1\" id=\"o\">\
         <metadata><short_description>Short &amp; clear</short_description><authored_by>Us</authored_by>\
         <links><link rel=\"threatgroup\">Example Bear</link><link rel=\"report\">https://reports.example/1</link></links>\
         </metadata><criteria>{criteria}</criteria></OpenIOC>"
    )
}

#[test]
fn items_under_or_are_indicators_of_their_own() {
    let items = item("Network/DNS", "evil.example")
        + &item("PortItem/remoteIP", "192.0.2.1")
        + &item("FileItem/Md5sum", "d41d8cd98f00b204e9800998ecf8427e")
        + &item("UrlHistoryItem/URL", "http://malware.test/a?b=1&amp;c=&#50;");
    let one = format!("<Indicator operator=\"AND\">{}</Indicator>", item("Network/DNS", "c2.example"));
    let (set, report) = loaded(document(&format!("<Indicator operator=\"OR\">{items}{one}</Indicator>")).as_bytes());
    assert_eq!((report.format, report.unit, report.loaded), (Some("openioc"), "object", 5), "{report:?}");
    let all: Vec<_> = set.iter().collect();
    assert_eq!([all[0].kind, all[1].kind, all[2].kind, all[3].kind], [&DOMAIN, &IPV4, &FILE, &URL]);
    assert_eq!(all[3].value, b"malware.test/a?b=1&c=2");
    let (context, number) = set.sources(all[4].ix).next().expect("a source");
    assert_eq!((context.provider, number), (Some("Us"), 5));
    assert_eq!(context.description, Some("Short & clear"));
    assert_eq!(context.reference, Some("https://reports.example/1"));
    assert_eq!(context.about.iter().next(), Some((Where("threat.group.name"), "Example Bear")));
}

#[test]
fn and_is_honoured_only_where_it_is_one_indicator() {
    let group = |operator: &str, inner: &str| format!("<Indicator operator=\"{operator}\">{inner}</Indicator>");
    let both = item("PortItem/remotePort", "443") + &item("PortItem/remoteIP", "192.0.2.1");
    let (set, report) = loaded(document(&group("OR", &group("AND", &both))).as_bytes());
    assert_eq!(report.refusals, []);
    assert_eq!(set.iter().next().and_then(|one| one.port), Some(443));
    let names = item("Network/DNS", "evil.example") + &item("FileItem/FileName", "x.exe");
    for inner in [group("AND", &names), group("XOR", &names), group("AND", &(both + &item("Network/DNS", "a.example")))]
    {
        let (set, report) = loaded(document(&group("OR", &inner)).as_bytes());
        assert!(set.is_empty());
        assert!(report.refusals.iter().all(|r| r.reason == super::AND) && !report.refusals.is_empty());
    }
}

#[test]
fn what_is_not_honoured_is_refused_by_name() {
    let with = |from: &str, to: &str| {
        document(&format!(
            "<Indicator operator=\"OR\">{}</Indicator>",
            item("Network/DNS", "evil.example").replace(from, to)
        ))
    };
    for (text, reason) in [
        (with("\"is\"", "\"contains\""), Refusal::Unsupported("OpenIOC condition contains")),
        (with("\"is\"", "\"is\" negate=\"true\""), Refusal::Unsupported("OpenIOC negated item")),
        (with("\"is\"", "\"resembles\""), Refusal::BadField),
        (with("Network/DNS", "RegistryItem/Path"), Refusal::Unsupported("OpenIOC term RegistryItem")),
        (with("Network/DNS", "evil.example"), Refusal::Unsupported("OpenIOC term that is not known")),
        (with("Network/DNS", "FileItem/Sha1sum"), Refusal::BadFingerprint),
        (with("evil.example", ""), Refusal::Empty),
        (with("evil.example", "..."), Refusal::BadName),
    ] {
        let (set, report) = loaded(text.as_bytes());
        assert!(set.is_empty());
        assert_eq!(report.refusals.first().map(|r| (r.line, r.reason)), Some((1, reason)), "{text}");
    }
}

#[test]
fn definitions_and_entities_are_refused_and_depth_is_bounded() {
    let whole = document(&format!("<Indicator operator=\"OR\">{}</Indicator>", item("Network/DNS", "evil.example")));
    let bomb = whole.replace("<OpenIOC", "<!DOCTYPE OpenIOC [<!ENTITY a \"evil.example\">]><OpenIOC");
    let (set, report) = loaded(bomb.as_bytes());
    assert!(set.is_empty() && report.error.is_some_and(|e| e.ends_with("a document type definition")));
    let (set, report) = loaded(whole.replace("evil.example", "&a;").as_bytes());
    assert!(set.is_empty() && report.error.is_some_and(|e| e.ends_with("an entity of its own")));
    let deep = document(&("<Indicator operator=\"OR\">".repeat(10_000) + &item("Network/DNS", "evil.example")));
    let (set, report) = loaded(deep.as_bytes());
    assert!(set.is_empty() && report.error.is_some_and(|e| e.ends_with("nested too deep")));
}
