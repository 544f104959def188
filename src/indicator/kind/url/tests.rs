use proptest::prelude::*;

use super::*;

fn form(url: &str) -> Result<String, Refusal> {
    let mut out = b"kept".to_vec();
    let danger = normalise(url.as_bytes(), Match::Exact, &mut out)?;
    assert_eq!((&out[..4], danger), (&b"kept"[..], None), "a normaliser only appends");
    Ok(String::from_utf8_lossy(&out[4..]).into_owned())
}

fn observed(url: &[u8]) -> Option<Vec<u8>> {
    let mut out = b"old".to_vec();
    normalise_observed(url, &mut out).then_some(out)
}

#[test]
fn one_form_for_every_way_to_write_a_url() {
    for url in [
        "http://evil.example/a/B?c=D",
        "HTTP://EVIL.example/a/B?c=D",
        "https://evil.example/a/B?c=D",
        "https://evil.example:443/a/B?c=D",
        "http://evil.example:80/a/B?c=D",
        "http://evil.example:/a/B?c=D",
        "http://evil.example:0080/a/B?c=D",
        "http://evil.example./a/B?c=D",
        "http://user:pa:ss@word@evil.example/a/B?c=D",
        "http://evil.example/a/B?c=D#fragment",
        "//evil.example/a/B?c=D",
        "evil.example/a/B?c=D",
        "  evil.example/a/B?c=D \r\n",
        "ftp://evil.example:21/a/B?c=D",
        "wss://evil.example:443/a/B?c=D",
        "gopher://evil.example/a/B?c=D",
    ] {
        assert_eq!(form(url).as_deref(), Ok("evil.example/a/B?c=D"), "{url}");
        assert_eq!(observed(url.as_bytes()).as_deref(), Some(&b"evil.example/a/B?c=D"[..]), "{url}");
    }
}

#[test]
fn each_part_has_its_rule() {
    for (url, expected) in [
        ("http://evil.example", "evil.example/"),
        ("evil.example", "evil.example/"),
        ("http://evil.example?q", "evil.example/?q"),
        ("http://evil.example#f", "evil.example/"),
        ("http://evil.example/#f", "evil.example/"),
        ("http://evil.example/a@b", "evil.example/a@b"),
        ("http://evil.example/%41%2f", "evil.example/%41%2f"),
        ("http://evil.example//a//", "evil.example//a//"),
        ("http://evil.example/a b", "evil.example/a b"),
        ("http://evil.example/\u{fc}", "evil.example/\u{fc}"),
        ("http://b\u{fc}cher.example/", "xn--bcher-kva.example/"),
        ("http://evil.example:8080/", "evil.example:8080/"),
        ("http://evil.example:443/", "evil.example:443/"),
        ("https://evil.example:80/", "evil.example/"),
        ("ftp://evil.example:2121/", "evil.example:2121/"),
        ("gopher://evil.example:70/", "evil.example:70/"),
        ("http://192.0.2.1:8080/x", "192.0.2.1:8080/x"),
        ("http://[2001:DB8:0:0::1]:8080/x", "[2001:db8::1]:8080/x"),
        ("http://[2001:db8::1]", "[2001:db8::1]/"),
        ("http://[::ffff:192.0.2.1]/x", "192.0.2.1/x"),
        ("http://[fe80::1%25eth0]/x", "[fe80::1]/x"),
        ("http://localhost:8888/v1", "localhost:8888/v1"),
        ("http://239.255.255.250:1900*", "239.255.255.250:1900/*"),
        ("http://evil.example/go?to=http://other.example:80/", "evil.example/go?to=http://other.example:80/"),
        ("evil.example:8080//x", "evil.example:8080//x"),
    ] {
        assert_eq!(form(url).as_deref(), Ok(expected), "{url}");
    }
}

#[test]
fn what_is_no_url_is_refused() {
    assert_eq!(form(""), Err(Refusal::Empty));
    assert_eq!(form(" "), Err(Refusal::Empty));
    for url in [
        "/path/only",
        "http://",
        "http:///x",
        "://evil.example/",
        "http://:80/",
        "http://evil.example:x/",
        "user@evil.example",
        "http://evil.example:65536/",
        "http://evil.example:99999999999999999999/",
        "http://[2001:db8::1/",
        "http://[]/",
        "http://[2001:db8::1]x/",
        "http://[evil.example]x",
        "http://a b.example/",
        "http://evil..example/",
        "#f",
        "?q",
        "http://evil.example/a\x01b",
        "http://evil.example:80:80/",
        "2001:db8::1",
    ] {
        assert_eq!(form(url), Err(Refusal::BadUrl), "{url}");
    }
    assert_eq!(observed(b"http://evil.example/a\x01b"), Some(b"evil.example/a\x01b".to_vec()), "a prefix covers it");
    assert_eq!(observed(b"/path/only"), None);
}

/// What the matcher's prefix rule says, word for word.
fn covers(prefix: &[u8], url: &[u8]) -> bool {
    prefix == url
        || (url.starts_with(prefix)
            && (prefix.ends_with(b"/") || matches!(url.get(prefix.len()), Some(b'/' | b'?' | b'#'))))
}

#[test]
fn boundaries_are_where_a_prefix_may_end() {
    let ends = |url: &str| prefix_boundaries(url.as_bytes()).map(|end| url[..end].to_string()).collect::<Vec<_>>();
    assert_eq!(ends("h/"), ["h/"]);
    assert_eq!(ends("h/a"), ["h/", "h/a"]);
    assert_eq!(
        ends("h:8/a/b.php?c=/d"),
        ["h:8/", "h:8/a", "h:8/a/", "h:8/a/b.php", "h:8/a/b.php?c=", "h:8/a/b.php?c=/", "h:8/a/b.php?c=/d"]
    );
    assert_eq!(ends("h//a"), ["h/", "h//", "h//a"]);
    assert_eq!(ends(""), [""]);
    let deep = format!("h{}x", "/a".repeat(1000));
    assert_eq!(ends(&deep).len(), MAX_PREFIX_BOUNDARIES + 1);
    assert_eq!(ends(&deep).last(), Some(&deep));
}

fn url() -> impl Strategy<Value = String> {
    let scheme = prop_oneof![Just(""), Just("//"), Just("http://"), Just("HTTPS://"), Just("ftp://"), Just("x+y://")];
    let user = prop_oneof![Just(""), Just("u@"), Just("u:p@")];
    let host = prop_oneof!["[a-zA-Z0-9.-]{1,20}", Just("[2001:DB8::A]".to_string()), Just("192.0.2.7".to_string())];
    let port = prop_oneof![Just(""), Just(":"), Just(":80"), Just(":443"), Just(":21"), Just(":8080"), Just(":x")];
    (scheme, user, host, port, "[/a-cA?#*@:%. ]{0,12}").prop_map(|(s, u, h, p, t)| [s, u, &h, p, &t].concat())
}

proptest! {
    #[test]
    fn normalising_twice_changes_nothing(url in url()) {
        if let Ok(once) = form(&url) {
            prop_assert_eq!(form(&once), Ok(once));
        }
    }

    #[test]
    fn observed_and_indicator_agree(url in url()) {
        prop_assert_eq!(form(&url).ok().map(String::into_bytes), observed(url.as_bytes()));
    }

    #[test]
    fn boundaries_agree_with_the_rule(path in "[a/?]{0,16}") {
        let url = format!("h:1/{path}");
        let ends: Vec<usize> = prefix_boundaries(url.as_bytes()).collect();
        let expected: Vec<usize> = (4..=url.len()).filter(|&end| covers(&url.as_bytes()[..end], url.as_bytes())).collect();
        prop_assert_eq!(ends, expected);
    }

    #[test]
    fn no_bytes_panic(value in proptest::collection::vec(any::<u8>(), 0..100)) {
        if let Some(form) = observed(&value) {
            prop_assert!(prefix_boundaries(&form).all(|end| end <= form.len()));
        }
    }
}
