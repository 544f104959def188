use super::*;
use crate::indicator::kind::{DOMAIN, IPV4, JA3, URL, USER_AGENT};
use crate::indicator::{Condition, Context, Draft, IndicatorSet, Match, Transport, Window};
use serde_json::Value;

fn set() -> Arc<MatchSet> {
    let mut set = IndicatorSet::default();
    let feed = Context { feed: "a.txt".into(), provider: Some("unit\u{1b}[31m".into()), ..Context::default() };
    let c = set.context(feed);
    let other = set.context(Context { feed: "b.txt".into(), ..Context::default() });
    let window = Window { from: Timestamp::from_parts(100, 0), until: Timestamp::from_parts(200, 0) };
    for draft in [
        Draft::new(&IPV4, b"192.0.2.1", c, 1),
        Draft { port: Some(53), transport: Some(Transport::Udp), ..Draft::new(&IPV4, b"192.0.2.1", c, 2) },
        Draft::new(&DOMAIN, b"evil.example", c, 3),
        Draft::new(&DOMAIN, b"evil.example", other, 9),
        Draft { matching: Some(Match::Prefix), ..Draft::new(&URL, b"www.evil.example/a", c, 4) },
        Draft::new(&USER_AGENT, b"Bad/1.0", c, 5),
        Draft { window, ..Draft::new(&JA3, b"ada70206e40642a3e4461f35503241d5", c, 6) },
    ] {
        set.add(&draft, true).expect("loads");
    }
    let mut allow = IndicatorSet::default();
    let c = allow.context(Context::default());
    allow.add(&Draft::new(&DOMAIN, b"ok.evil.example", c, 1), true).expect("loads");
    Arc::new(MatchSet::compile(set, allow))
}

fn ask(value: &str, at_secs: u64) -> Vec<(String, String, bool)> {
    let mut out = Vec::new();
    let at = Timestamp::from_parts(at_secs, 0);
    let any = look_up(&set(), &[value.to_string()], at, Form::JsonLines, &mut out).expect("writes");
    let document: Value = serde_json::from_slice(&out).expect("one document");
    let matches = document["matches"].as_array().expect("matches");
    assert_eq!(any, !matches.is_empty());
    let text = |m: &Value, field: &str| m[field].as_str().expect("text").to_string();
    matches.iter().map(|m| (text(m, "as"), text(m, "how"), m["suppressed"] == true)).collect()
}

fn hit(kind: &str, how: &str) -> (String, String, bool) {
    (kind.to_string(), how.to_string(), false)
}

#[test]
fn an_address_with_and_without_port() {
    assert_eq!(ask("192.0.2.1", 0), [hit("ipv4-addr", "exact")]);
    assert_eq!(
        ask("192.0.2.1:53", 0),
        [hit("ipv4-addr with port", "exact"), hit("ipv4-addr with port", "address and port, port 53, only udp")]
    );
    assert_eq!(ask("192.0.2[.]1:53/tcp", 0), [hit("ipv4-addr with port", "exact")]);
    assert_eq!(ask("::ffff:192.0.2.1", 0), [hit("ipv4-addr", "exact")]);
}

#[test]
fn a_name_below_another_says_which_part_of_what_was_typed() {
    assert_eq!(ask("A.B.Evil.Example.", 0), [hit("domain-name", "below Evil.Example")]);
    assert_eq!(ask("evil[.]example", 0), [hit("domain-name", "exact")]);
    assert!(ask("x.ok.evil.example", 0)[0].2, "suppressed by the allow-list");
}

#[test]
fn a_url_is_looked_up_as_itself_and_its_host_as_a_name() {
    assert_eq!(
        ask("hxxp://www.evil.example/a/b", 0),
        [hit("url", "below the URL's path"), hit("domain-name (host of the URL)", "below evil.example")]
    );
    assert_eq!(ask("http://user@192.0.2.1:8080/", 0), [hit("ipv4-addr (host of the URL)", "exact")]);
    assert_eq!(ask("http://[::ffff:192.0.2.1]/", 0), [hit("ipv4-addr (host of the URL)", "exact")]);
}

#[test]
fn texts_match_whole_and_validity_is_judged() {
    assert_eq!(ask("Bad/1.0", 0), [hit("user-agent", "exact")]);
    assert_eq!(ask("bad/1.0", 0), []);
    assert_eq!(ask("ADA70206E40642A3E4461F35503241D5", 150), [hit("ja3", "exact")]);
    assert_eq!(ask("ada70206e40642a3e4461f35503241d5", 250), []);
}

#[test]
fn a_condition_is_said() {
    let mut indicators = IndicatorSet::default();
    let context = indicators.context(Context::default());
    let when = Condition { protocol: Some("modbus"), port: Some(502), ..Condition::default() };
    let draft = Draft { when: Some(&when), ..Draft::new(&IPV4, b"192.0.2.1", context, 1) };
    indicators.add(&draft, false).expect("loads");
    let set = Arc::new(MatchSet::compile(indicators, IndicatorSet::default()));
    let mut out = Vec::new();
    assert!(look_up(&set, &["192.0.2.1".to_owned()], Timestamp::ZERO, Form::JsonLines, &mut out).expect("writes"));
    let document: Value = serde_json::from_slice(&out).expect("one document");
    assert_eq!(document["matches"][0]["how"], "exact, when protocol is modbus, when port is 502");
}

#[test]
fn the_table_names_ids_sources_and_no_terminal_codes() {
    let mut out = Vec::new();
    let values = ["sub.evil.example".to_string(), "clean\u{7}.example".to_string()];
    look_up(&set(), &values, Timestamp::ZERO, Form::Table, &mut out).expect("writes");
    let text = String::from_utf8(out).expect("text");
    for part in ["domain-name--", "a.txt:3", "b.txt:9", "below evil.example", "always", ": no match"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
}

#[test]
fn rules_of_a_header_are_found_by_whom_they_are_about() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("x.rules");
    let rules = "alert ip [192.0.2.1,198.51.100.0/24] any -> $HOME_NET any (sid:1;)\n\
                 alert tls $HOME_NET any -> 192.0.2.1 443 (sid:2;)\nalert tcp any any -> any 99 (sid:3;)\n";
    std::fs::write(&path, rules).expect("writes");
    let mut indicators = IndicatorSet::default();
    crate::feed::load(&[path], &crate::feed::Options::default(), &mut indicators).expect("loads");
    let mut allow = IndicatorSet::default();
    let c = allow.context(Context::default());
    allow.add(&Draft::new(&IPV4, b"198.51.100.9", c, 1), true).expect("loads");
    let set = Arc::new(MatchSet::compile(indicators, allow));
    let ask = |value: &str| {
        let mut out = Vec::new();
        look_up(&set, &[value.to_string()], Timestamp::ZERO, Form::JsonLines, &mut out).expect("writes");
        let document: Value = serde_json::from_slice(&out).expect("one document");
        let matches = document["matches"].as_array().expect("matches").clone();
        matches.iter().map(|m| (m["id"].to_string(), m["how"].to_string(), m["suppressed"] == true)).collect::<Vec<_>>()
    };
    let found = |id: u32, how: &str, suppressed| (format!("\"suricata:1:{id}:0\""), format!("\"{how}\""), suppressed);
    let one = found(1, "whom a rule is about", false);
    let tls = found(2, "whom a rule is about, when protocol is tls", false);
    assert_eq!(ask("192.0.2.1"), [one.clone(), tls.clone()]);
    assert_eq!((ask("192.0.2.1:443"), ask("192.0.2.1:80")), (vec![one.clone(), tls], vec![one]));
    assert_eq!(ask("198.51.100.9"), [found(1, "whom a rule is about", true)]);
    assert!(ask("10.0.0.1").is_empty() && ask("192.0.2.99:99").is_empty());
}
