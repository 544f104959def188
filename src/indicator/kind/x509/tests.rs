use proptest::prelude::*;

use super::*;

fn form(kind: &Kind, value: &str) -> Result<String, Refusal> {
    let mut out = Vec::new();
    assert_eq!((kind.normalise)(value.as_bytes(), Match::Exact, &mut out)?, None);
    Ok((kind.display)(&out).into_owned())
}

#[test]
fn digests_however_they_are_written() {
    let plain = "0123456789abcdef0123456789abcdef01234567";
    let colons = "01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67";
    assert_eq!(form(&CERTIFICATE, plain).as_deref(), Ok(plain));
    assert_eq!(form(&CERTIFICATE, colons).as_deref(), Ok(plain));
    assert_eq!(form(&CERTIFICATE, &"AB".repeat(32)), Ok("ab".repeat(32)));
    for bad in ["", "0123", &"0".repeat(32), &"g".repeat(40)] {
        assert!(form(&CERTIFICATE, bad).is_err(), "{bad}");
    }
}

#[test]
fn serials_however_they_are_written() {
    for written in ["0A:1B", "a1b", "0x0A1B", "00 0a 1b"] {
        assert_eq!(form(&SERIAL, written).as_deref(), Ok("a1b"), "{written}");
    }
    assert_eq!(form(&SERIAL, "00").as_deref(), Ok("0"));
    for bad in ["", "::", "12g", &"1".repeat(65)] {
        assert!(form(&SERIAL, bad).is_err(), "{bad}");
    }
}

#[test]
fn a_name_reads_the_same_in_every_style() {
    let expected = "c=us, cn=www.evil.example, o=acme\\, inc., st=new york";
    for written in [
        "C=US, ST=New York, O=Acme\\, Inc., CN=www.evil.example",
        "CN=www.evil.example,O=Acme\\, Inc.,ST=New York,C=US",
        "C=US, ST=New York, O=Acme, Inc., CN=www.evil.example",
        "/C=US/ST=New  York/O=Acme, Inc./CN=www.EVIL.example",
        "C = US, S = New York, O = \"Acme, Inc.\", CN = www.evil.example",
        "2.5.4.6=us+2.5.4.10=Acme\\2c Inc.;CN=www.evil.example;ST=new york",
    ] {
        assert_eq!(form(&SUBJECT, written).as_deref(), Ok(expected), "{written}");
        assert_eq!(form(&ISSUER, written).as_deref(), Ok(expected), "{written}");
    }
    assert_ne!(form(&SUBJECT, "CN=a, CN=b"), form(&SUBJECT, "CN=a"));
    assert_eq!(form(&SUBJECT, "CN=*").as_deref(), Ok("cn=*"));
    for bad in ["", "  ", "evil.example", "=x", "/", "a b=c"] {
        assert!(form(&SUBJECT, bad).is_err(), "{bad}");
    }
}

proptest! {
    /// The normal form is its own normal form: what an alert shows can be put into a feed.
    #[test]
    fn the_normal_form_stays(text in "[A-Ca-c=,+/\\\\\" .é]{0,40}") {
        let mut once = Vec::new();
        if distinguished_name(text.as_bytes(), &mut once) {
            let mut twice = Vec::new();
            let again = distinguished_name(&once, &mut twice);
            // A value may itself read like attributes (`CN="a,b=c"`): then its escapes keep it one.
            prop_assert!(again);
            prop_assert_eq!(String::from_utf8_lossy(&once), String::from_utf8_lossy(&twice));
        }
    }

    #[test]
    fn order_does_not_matter(values in prop::collection::vec("[a-z ,+]{0,6}", 1..5)) {
        let written = |list: &[String]| list.iter().map(|v| format!("CN={}", v.replace(',', "\\,").replace('+', "\\+"))).collect::<Vec<_>>().join(", ");
        let mut reversed = values.clone();
        reversed.reverse();
        prop_assert_eq!(form(&SUBJECT, &written(&values)), form(&SUBJECT, &written(&reversed)));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        for kind in [&CERTIFICATE, &SUBJECT, &SERIAL] {
            let _ = (kind.normalise)(&bytes, Match::Exact, &mut Vec::new());
        }
    }
}
