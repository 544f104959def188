use proptest::prelude::*;

use super::*;

#[test]
fn nested_and_dotted_keys_are_the_same() {
    for line in [
        r#"{"threat":{"indicator":{"type":"url","url":{"full":"x"},"port":80}},"picket":{"severity":7}}"#,
        r#"{"threat.indicator.type":"url","threat.indicator":{"url.full":"x","port":"80"},"picket.severity":7}"#,
        r#"{"threat":{"indicator.type":["url"],"indicator":{"url":{"full":"x"}}},"threat.indicator.port":80,
            "picket":{"severity":7},"event":{"kind":["a",{"b":null}]},"threat.indicator.name":null}"#,
    ] {
        let mut document = Document::default();
        assert_eq!(document.read(line.as_bytes()), Ok(()), "{line}");
        assert_eq!(document.get(KIND), Some("url"));
        assert_eq!((document.get(URL_FULL), document.get(PORT)), (Some("x"), Some("80")));
        assert_eq!((document.get(SEVERITY), document.get(NAME)), (Some("7"), None));
    }
}

#[test]
fn a_condition_is_never_passed_over() {
    let mut document = Document::default();
    assert_eq!(document.read(br#"{"picket":{"when":{"port":502,"protocol":"modbus"}},"picket.whenever":1}"#), Ok(()));
    assert_eq!((document.get(WHEN_PORT), document.get(WHEN_PROTOCOL)), (Some("502"), Some("modbus")));
    for bad in [
        r#"{"picket":{"when":{"colour":"red"}}}"#,
        r#"{"picket.when.port":null}"#,
        r#"{"picket.when.port":""}"#,
        r#"{"picket.when":"modbus"}"#,
        r#"{"picket.when":null}"#,
        r#"{"picket.when.port.low":1}"#,
        r#"{"picket.when.port":{"low":1}}"#,
        r#"{"picket.when":{"port":{}}}"#,
        r#"{"picket.when":{"port":[]}}"#,
        r#"{"picket.when":{"colour":{}}}"#,
    ] {
        assert_eq!(document.read(bad.as_bytes()), Err(Refusal::BadCondition), "{bad}");
    }
}

#[test]
fn bytes_that_are_no_text_harm_what_is_read_alone() {
    let mut document = Document::default();
    assert_eq!(document.read(b"{\"event\":\"\xff\",\"threat.indicator.type\":\"url\"}"), Ok(()));
    assert_eq!(document.get(KIND), Some("url"));
    assert_eq!(document.read(b"{\"threat.indicator.type\":\"\xff\"}"), Err(Refusal::Malformed));
}

#[test]
fn contradictions_are_refused_and_nothing_stays_from_the_line_before() {
    let mut document = Document::default();
    assert_eq!(document.read(br#"{"threat.indicator.id":["a","b"],"threat.indicator.port":[1,1]}"#), Ok(()));
    assert_eq!(document.get(ID), Some("a"));
    assert_eq!(document.read(br#"{"threat.indicator.port":[1,2]}"#), Err(Refusal::BadField));
    assert_eq!(document.read(b"{}"), Ok(()));
    assert_eq!(document.get(ID), None);
    for limit in ["threat.indicator.port", "picket.transport"] {
        assert_eq!(document.read(format!(r#"{{"{limit}":{{}}}}"#).as_bytes()), Err(Refusal::BadField), "{limit}");
    }
    let deep = format!(r#"{{"threat.indicator.id":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    for bad in ["", "1", "[]", "\"x\"", "{", "{} {}", "{\"threat\":}", "\u{1}", &deep] {
        assert_eq!(document.read(bad.as_bytes()), Err(Refusal::Malformed), "{bad:.20}");
    }
    let unread = format!("{}1{}", r#"{"threat":"#.repeat(10_000), "}".repeat(10_000));
    assert_eq!(document.read(unread.as_bytes()), Ok(()), "what is not read costs no stack");
}

/// All that a document says, and what became of it.
fn all_of(document: &mut Document, line: &str) -> String {
    let outcome = document.read(line.as_bytes());
    if outcome.is_err() {
        return format!("{outcome:?}");
    }
    let fields: Vec<_> = (0..FIELDS.len()).map(|at| document.get(Field(at))).collect();
    format!("{fields:?} {:?}", document.about())
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(line in "[{}\\[\\]\":,a-z.0-9\\\\ ]{0,60}") {
        let _ = Document::default().read(line.as_bytes());
    }

    /// Lines of a few layouts, some damaged, say the same whether others came before them or not.
    #[test]
    fn a_line_says_what_it_says_alone(
        lines in prop::collection::vec((0usize..7, prop::collection::vec("[a-c]{0,9}|[0-9]{1,20}|-?[0-9.e]{1,4}|\\\\n|\"|\\\\|\u{e9}|\u{1}|null|true|\\[\\]", 8)), 1..40),
        damage in prop::option::of((any::<prop::sample::Index>(), any::<prop::sample::Index>(), "[\"{}\\[\\],: a1]")),
    ) {
        let layouts = [
            r#"{"threat":{"indicator":{"type":"0","name":"1","id":["2"],"port":3}},"tags":["4","5"]}"#,
            r#"{"threat.indicator":{"type":"0","id":["1","2"]},"x":{"y":["3",{"z":"4"}]},"picket":{"severity":5}}"#,
            r#" {"threat.indicator.type" : "0" ,"threat.indicator.port":[1, 2],"picket.when":{"port":3}}"#,
            r#"{"threat.indicator.port":1,"threat.indicator.port":2,"threat.indicator.id":"3","threat.indicator.id":"4"}"#,
            r#"{"a":[[["0"],[1]],{"b":2}],"threat":{"indicator":{"name":"3","type":4,"url":{"full":"5"}}}}"#,
            r#"{"picket":{"when":{"protocol":"0"},"acs":{"a":"1"},"pattern":{"nocase":true,"content":"2"}}}"#,
            r#"{"rule":{"name":["0",["1"]]},"threat.group.name":"2","threat":"3"}"#,
        ];
        let mut lines: Vec<String> = lines.into_iter().map(|(layout, values)| {
            let mut out = String::new();
            let mut before = ' ';
            for c in layouts[layout].chars() {
                match c.to_digit(10) {
                    Some(at) if !before.is_alphabetic() => out.push_str(&values[at as usize]),
                    _ => out.push(c),
                }
                before = c;
            }
            out
        }).collect();
        if let Some((line, at, with)) = damage {
            let line = line.get(&lines).clone();
            let at = at.index(line.chars().count());
            lines.push(line.chars().enumerate().map(|(n, c)| if n == at { with.clone() } else { c.to_string() }).collect());
            lines.push(line);
        }
        let mut document = Document::default();
        for line in &lines {
            prop_assert_eq!(all_of(&mut document, line), all_of(&mut Document::default(), line), "{}", line);
        }
    }
}
