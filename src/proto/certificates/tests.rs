use proptest::prelude::*;

use super::super::testing::{Cert, chain, text_of, text_with_fields};
use super::*;

fn shown(body: &[u8], role: Role, wants: Wants) -> (Vec<String>, Result<(), &'static str>) {
    let mut seen = Vec::new();
    let outcome = show(body, role, &wants, &mut |o| seen.push(text_of(&o)));
    (seen, outcome)
}

fn only(kind: &Kind, value: &[u8]) -> Wants {
    let mut wants = Wants::NONE;
    wants.add(kind, value);
    wants
}

#[test]
fn everything_of_a_certificate() {
    let der = Cert::example().der();
    let (sha1, sha256) = (format!("{:x}", Sha1::digest(&der)), format!("{:x}", Sha256::digest(&der)));
    let (seen, outcome) = shown(&chain(&[der]), Role::Server, Wants::ALL);
    assert_eq!(outcome, Ok(()));
    let expected = [
        format!("x509-certificate tls.server.hash.sha1 {sha1}"),
        format!("x509-certificate tls.server.hash.sha256 {sha256}"),
        "x509-subject tls.server.subject cn=www.evil.example".into(),
        "x509-issuer tls.server.issuer c=us, o=acme\\, inc.".into(),
        "x509-serial tls.server.x509.serial_number 8a0b".into(),
        "domain-name tls.server.x509.alternative_names evil.example".into(),
        "domain-name tls.server.x509.alternative_names *.evil.example".into(),
        "ipv4-addr tls.server.x509.alternative_names 192.0.2.7".into(),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn what_nobody_looks_for_is_not_made() {
    let body = chain(&[Cert::example().der()]);
    let kinds = |wants| {
        let (seen, _) = shown(&body, Role::Client, wants);
        seen.iter().map(|s| s.split(' ').nth(1).expect("a path").to_owned()).collect::<Vec<_>>()
    };
    let names = "tls.client.x509.alternative_names";
    assert_eq!(kinds(only(&DOMAIN, b"a.example")), ["tls.client.x509.serial_number", names, names, names]);
    assert_eq!(kinds(only(&CERTIFICATE, &[b'a'; 64]))[0], "tls.client.hash.sha256");
    assert_eq!(kinds(only(&CERTIFICATE, &[b'a'; 40]))[0], "tls.client.hash.sha1");
    assert_eq!(kinds(only(&ISSUER, b"cn=a"))[0], "tls.client.issuer");
}

#[test]
fn each_comes_with_what_is_known() {
    let mut all = Vec::new();
    let body = chain(&[Cert::example().der()]);
    let _ = show(&body, Role::Server, &only(&DOMAIN, b"x"), &mut |o| all.push(text_with_fields(&o)));
    let with = " tls.server.subject=CN=www.evil.example tls.server.issuer=C=US, O=Acme\\, Inc. tls.server.x509.serial_number=8a0b";
    assert_eq!(all.len(), 4);
    assert!(all.iter().all(|one| one.ends_with(with)), "{all:?}");
}

#[test]
fn a_common_name_stands_in_for_missing_names() {
    let bare = Cert { names: vec![(7, vec![192, 0, 2, 9])], ..Cert::example() };
    let (seen, _) = shown(&chain(&[bare.der()]), Role::Server, only(&DOMAIN, b"x"));
    assert_eq!(seen[2], "domain-name tls.server.x509.subject.common_name www.evil.example");
    let company = Cert { subject: vec![(&[0x55, 4, 3], 0x0c, b"Evil Corp. CA".to_vec())], names: vec![], ..bare };
    let (seen, _) = shown(&chain(&[company.der()]), Role::Server, only(&DOMAIN, b"x"));
    assert_eq!(seen, ["x509-serial tls.server.x509.serial_number 8a0b"]);
}

#[test]
fn damage_is_said_and_the_rest_shown() {
    let good = Cert::example().der();
    let (seen, outcome) = shown(&chain(&[b"no certificate".to_vec(), good.clone()]), Role::Server, Wants::ALL);
    assert_eq!((seen.len(), outcome), (2 + 8, Err("malformed certificate")));
    let body = chain(&[good.clone(), good.clone()]);
    let (seen, outcome) = shown(&body[..body.len() - 1], Role::Server, Wants::ALL);
    assert_eq!((seen.len(), outcome), (8, Err("malformed Certificate message")));
    let (seen, outcome) =
        shown(&chain(&vec![good; MAX_CERTIFICATES + 1]), Role::Server, only(&CERTIFICATE, &[b'a'; 40]));
    assert_eq!(outcome, Err("too many certificates in a chain"));
    assert_eq!(seen.iter().filter(|s| s.starts_with("x509-certificate")).count(), MAX_CERTIFICATES);
    assert_eq!(shown(&chain(&[]), Role::Server, Wants::ALL), (vec![], Ok(())));
    let long = Cert { subject: vec![(&[0x55, 4, 10], 0x0c, vec![b'a'; 2_000])], ..Cert::example() };
    assert_eq!(
        shown(&chain(&[long.der()]), Role::Server, Wants::ALL).1,
        Err("a certificate's name too long or not text")
    );
    let serial = Cert { serial: vec![0xff; 33], ..Cert::example() };
    let (seen, _) = shown(&chain(&[serial.der()]), Role::Server, Wants::ALL);
    assert!(!seen.iter().any(|s| s.starts_with("x509-serial")));
}

proptest! {
    #[test]
    fn never_panics(body in prop::collection::vec(any::<u8>(), 0..120), at in 0usize..400, with in any::<u8>()) {
        let _ = shown(&body, Role::Server, Wants::ALL);
        let mut damaged = chain(&[Cert::example().der()]);
        if let Some(byte) = damaged.get_mut(at) {
            *byte ^= with;
        }
        let _ = shown(&damaged, Role::Server, Wants::ALL);
    }
}
