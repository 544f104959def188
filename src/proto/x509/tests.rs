use proptest::prelude::*;

use super::super::testing::{Cert, der};
use super::*;

fn written(name: &Name<'_>) -> (String, bool) {
    let mut line = Line::new();
    let whole = name.write(&mut line).is_ok();
    (String::from_utf8_lossy(line.text()).into_owned(), whole)
}

fn subject(attributes: Vec<(&'static [u8], u8, Vec<u8>)>) -> (String, bool) {
    let encoded = Cert { subject: attributes, serial: vec![1], ..Cert::default() }.der();
    written(&Certificate::parse(&encoded).expect("a certificate").subject)
}

#[test]
fn the_parts_of_a_certificate() {
    let encoded = Cert::example().der();
    let certificate = Certificate::parse(&encoded).expect("a certificate");
    assert_eq!(certificate.serial, [0, 0x8a, 0x0b]);
    assert_eq!(written(&certificate.issuer), ("C=US, O=Acme\\, Inc.".into(), true));
    assert_eq!(written(&certificate.subject), ("CN=www.evil.example".into(), true));
    assert_eq!(certificate.subject.common_name(), Some(&b"www.evil.example"[..]));
    let alternatives: Vec<_> = certificate.alternatives().collect();
    let address = IpAddr::from([192, 0, 2, 7]);
    let expected = [Alternative::Dns(b"evil.example"), Alternative::Dns(b"*.evil.example"), Alternative::Ip(address)];
    assert_eq!(alternatives, expected);
}

#[test]
fn other_kinds_of_alternative_names_are_passed_over() {
    let names = vec![
        (1, b"a@evil.example".to_vec()),
        (7, vec![1, 2, 3]),
        (6, b"http://evil.example/".to_vec()),
        (7, vec![0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        (2, b"last.example".to_vec()),
    ];
    let encoded = Cert { names, ..Cert::example() }.der();
    let certificate = Certificate::parse(&encoded).expect("a certificate");
    let v6 = "2001:db8::1".parse().expect("an address");
    let expected = [Alternative::Ip(v6), Alternative::Dns(b"last.example")];
    assert_eq!(certificate.alternatives().collect::<Vec<_>>(), expected);
}

#[test]
fn strings_of_every_type_become_text() {
    let key: &[u8] = &[0x55, 4, 10];
    for (tag, value, expected) in [
        (0x0c, "Zo\u{eb} + S\u{f8}n".as_bytes().to_vec(), "O=Zo\u{eb} \\+ S\u{f8}n"),
        (0x14, b"Zo\xeb".to_vec(), "O=Zo\u{eb}"),
        (0x1e, vec![0, b'Z', 0, 0xeb], "O=Z\u{eb}"),
        (0x13, b"".to_vec(), "O="),
    ] {
        assert_eq!(subject(vec![(key, tag, value)]), (expected.into(), true));
    }
    // An integer is no text; what follows is still read.
    let odd = vec![(key, 2, vec![1]), (&[0x55_u8, 4, 3][..], 0x0c, b"a".to_vec())];
    assert_eq!(subject(odd), ("O=, CN=a".into(), false));
    assert_eq!(subject(vec![(&[0x2a, 3, 4], 0x0c, b"x".to_vec())]), ("1.2.3.4=x".into(), true));
    let (text, whole) = subject(vec![(key, 0x0c, vec![b'a'; 2_000])]);
    assert!(!whole && text.len() <= LINE_BYTES);
}

#[test]
fn what_is_no_certificate() {
    let good = Cert::example().der();
    for cut in 0..good.len() {
        assert!(Certificate::parse(&good[..cut]).is_none(), "{cut}");
    }
    assert!(Certificate::parse(&der(0x30, &[])).is_none());
    assert!(Certificate::parse(b"-----BEGIN CERTIFICATE-----").is_none());
}

proptest! {
    #[test]
    fn damage_never_panics(at in 0usize..300, with in any::<u8>()) {
        let mut encoded = Cert::example().der();
        if let Some(byte) = encoded.get_mut(at) {
            *byte ^= with;
        }
        if let Some(certificate) = Certificate::parse(&encoded) {
            let _ = (written(&certificate.subject), written(&certificate.issuer), certificate.alternatives().count());
        }
    }
}

/// The tags and lengths that are read without the library, which decides what they are.
#[test]
fn plain_values_are_what_the_library_says() {
    for tag in 0..=u8::MAX {
        for length in [
            &[0][..],
            &[3],
            &[0x7f],
            &[0x80],
            &[0x81, 3],
            &[0x81, 0x80],
            &[0x82, 0, 3],
            &[0x82, 1, 3],
            &[0x83, 0, 1, 3],
            &[0x83, 1, 1, 3],
            &[0x82, 1],
            &[],
        ] {
            for bytes in [0, 2, 3, 127, 128, 300, 70_000] {
                let data = [&[tag][..], length, &vec![7; bytes]].concat();
                let plain = plain_header(&data);
                assert!(plain.is_none() || plain == any_header(&data), "{tag:#x} {length:x?} {bytes}");
            }
        }
    }
}
