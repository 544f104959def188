//! The bodies of the fuzz targets, on stable: seeded damage of the fixtures instead of a fuzzer's inputs.
//!
//! Seen to fail: with `+ 1` put into the length that `picket::capture` gives a frame, and into a parser's consumed bytes.

#[path = "../fuzz/src/feeds.rs"]
#[allow(unreachable_pub)]
mod feeds;
#[path = "../fuzz/src/frames.rs"]
#[allow(unreachable_pub)]
mod frames;
#[path = "../fuzz/src/markings.rs"]
#[allow(unreachable_pub)]
mod markings;
#[path = "../fuzz/src/parsers.rs"]
#[allow(unreachable_pub)]
mod parsers;

mod common;

use std::fs;

use common::{FEED, RULES, file, runs};
use picket::proto::ics::{bacnet, dnp3, enip, goose, iec104, modbus, opcua, profinet, s7comm};
use picket::proto::{
    dns, dtls, ftp, http, http2, imap, ldap, mysql, openflow, openvpn, pop3, postgresql, quic, smtp, ssh, tls,
};

/// Damaged copies of each frame and capture.
const ROUNDS: u64 = 200;

/// Every fixture's bytes.
fn fixtures() -> Vec<Vec<u8>> {
    runs().values().flatten().map(|f| fs::read(file(f)).expect("fixture")).collect()
}

/// Payload-like pieces of every pcap fixture: its frames.
fn pieces() -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for bytes in fixtures().iter().filter(|b| b.starts_with(&[0xD4, 0xC3, 0xB2, 0xA1])) {
        let mut rest = &bytes[24.min(bytes.len())..];
        while let Some((head, after)) = rest.split_at_checked(16) {
            let length = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
            let Some((frame, after)) = after.split_at_checked(length) else { break };
            out.push(frame.to_vec());
            rest = after;
        }
    }
    out
}

/// Calls `target` with each input as it is and with some bytes changed, always the same ones.
fn drive(inputs: &[Vec<u8>], target: impl Fn(&[u8])) {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    for input in inputs {
        target(input);
        for _ in 0..ROUNDS {
            let mut bytes = input.clone();
            for _ in 0..=next() % 4 {
                if bytes.is_empty() {
                    break;
                }
                let at = next() % bytes.len();
                match next() % 4 {
                    0 => bytes[at] = next() as u8,
                    1 => bytes[at] ^= 1 << (next() % 8),
                    2 => bytes.truncate(at),
                    _ => bytes.insert(at, next() as u8),
                }
            }
            target(&bytes);
        }
    }
}

#[test]
fn packet() {
    const ETHERNET: u8 = 1;
    for link in 0..22 {
        let step = if link == ETHERNET { 1 } else { 7 };
        let inputs: Vec<_> = pieces().into_iter().step_by(step).map(|f| [&[link][..], &f].concat()).collect();
        drive(&inputs, frames::packet);
    }
}

#[test]
fn defrag() {
    let in_pieces = |frame: Vec<u8>| -> Vec<u8> {
        let payload = frame.get(34..).unwrap_or_default();
        let count = payload.len().div_ceil(24);
        let one = |(at, piece): (usize, &[u8])| {
            let flags = if at + 1 < count { 0x20 } else { 0 };
            [&[at as u8 * 3, piece.len() as u8, 1, flags | 0x80][..], piece].concat()
        };
        payload.chunks(24).enumerate().flat_map(one).collect()
    };
    let inputs: Vec<Vec<u8>> = pieces().into_iter().filter(|f| f.len() < 400).step_by(3).map(in_pieces).collect();
    drive(&inputs, frames::defrag);
}

#[test]
fn captures() {
    let inputs: Vec<Vec<u8>> = fixtures().into_iter().filter(|b| b.len() < 2000).collect();
    drive(&inputs, |data| frames::capture(&[], data));
    for head in [frames::PCAP, frames::PCAPNG] {
        let inputs: Vec<Vec<u8>> =
            inputs.iter().filter(|b| b.len() > 28 && b.starts_with(&head[..4])).map(|b| b[24..].to_vec()).collect();
        assert!(!inputs.is_empty());
        drive(&inputs, |data| frames::capture(head, data));
    }
}

/// Payloads of the TCP and UDP frames, and the bytes that choose ports, transport and cuts before them.
fn payloads() -> Vec<Vec<u8>> {
    let offsets = [14 + 20 + 8, 14 + 20 + 20];
    let payload = |frame: &Vec<u8>| offsets.map(|at| frame.get(at..).map(<[u8]>::to_vec).filter(|p| p.len() > 4));
    let payloads: Vec<Vec<u8>> = pieces().iter().flat_map(payload).flatten().step_by(5).collect();
    (0..24_u8).step_by(5).flat_map(|ways| payloads.iter().map(move |p| [&[ways][..], p].concat())).collect()
}

#[test]
fn parsers() {
    let inputs = payloads();
    drive(&inputs, parsers::stream_and_datagrams::<dns::Dns>);
    drive(&inputs, parsers::stream_and_datagrams::<tls::Tls>);
    drive(&inputs, parsers::stream_and_datagrams::<dtls::Dtls>);
    drive(&inputs, parsers::stream_and_datagrams::<http::Http>);
    drive(&inputs, parsers::stream_and_datagrams::<ssh::Ssh>);
    drive(&inputs, parsers::stream_and_datagrams::<modbus::Modbus>);
    drive(&inputs, parsers::stream_and_datagrams::<dnp3::Dnp3>);
    drive(&inputs, parsers::stream_and_datagrams::<s7comm::S7comm>);
    drive(&inputs, parsers::stream_and_datagrams::<s7comm::S7commPlus>);
    drive(&inputs, parsers::stream_and_datagrams::<enip::Enip>);
    drive(&inputs, parsers::stream_and_datagrams::<iec104::Iec104>);
    drive(&inputs, parsers::stream_and_datagrams::<bacnet::Bacnet>);
    drive(&inputs, parsers::stream_and_datagrams::<opcua::OpcUa>);
    drive(&inputs, parsers::stream_and_datagrams::<http2::Http2>);
    drive(&inputs, parsers::stream_and_datagrams::<openflow::OpenFlow>);
    drive(&inputs, parsers::stream_and_datagrams::<openvpn::OpenVpn>);
    drive(&inputs, parsers::stream_and_datagrams::<quic::Quic>);
    drive(&inputs, |data| parsers::whole_datagram::<quic::Quic>(data.get(1..).unwrap_or_default()));
    drive(&inputs, parsers::stream_and_datagrams::<ldap::Ldap>);
    drive(&inputs, parsers::stream_and_datagrams::<mysql::Mysql>);
    drive(&inputs, parsers::stream_and_datagrams::<postgresql::Postgresql>);
    drive(&inputs, parsers::stream_and_datagrams::<smtp::Smtp>);
    drive(&inputs, parsers::stream_and_datagrams::<pop3::Pop3>);
    drive(&inputs, parsers::stream_and_datagrams::<imap::Imap>);
    drive(&inputs, parsers::stream_and_datagrams::<ftp::Ftp>);
}

#[test]
fn in_frames() {
    let of_type = |number: u16| -> Vec<Vec<u8>> {
        let payload = |frame: &Vec<u8>| {
            frame.get(12..14).filter(|kind| *kind == number.to_be_bytes()).map(|_| frame[14..].to_vec())
        };
        pieces().iter().filter_map(payload).collect()
    };
    let (dcp, messages) = (of_type(0x8892), of_type(0x88b8));
    assert!(dcp.len() > 3 && messages.len() > 3);
    drive(&dcp, parsers::in_frame::<profinet::ProfinetDcp>);
    drive(&messages, parsers::in_frame::<goose::Goose>);
}

#[test]
fn codings() {
    // Bodies in the fixtures begin after the empty line of a head.
    let body = |payload: &Vec<u8>| {
        let at = payload.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
        payload.get(at + 4..).filter(|body| body.len() > 20).map(<[u8]>::to_vec)
    };
    let bodies: Vec<Vec<u8>> = pieces().iter().filter_map(body).collect();
    assert!(bodies.len() > 10);
    let inputs: Vec<_> = (0..4_u8).flat_map(|n| bodies.iter().map(move |b| [&[n | n << 4][..], b].concat())).collect();
    drive(&inputs, parsers::coding);
}

#[test]
fn marking() {
    let acs = r#"{"extension_type":"property-extension","identifier":"isa:guide.1","create_date_time":"2024-01-01T00:00:00Z","responsible_entity_custodian":"USA.NSA","policy_reference":"urn:isa:policy:acs:ns:v3.0?privdefault=deny&sharedefault=deny","access_privilege":[{"privilege_action":"NETDEF","privilege_scope":{"permitted_nationalities":["USA"]},"rule_effect":"permit"}],"control_set":{"classification":"S","sci_controls":["SI"],"permitted_nationalities":["USA","GBR"],"sensitivity":["NTOC_DHS_ECYBER_SVC_SHARE.NSA.NSA"]}}"#;
    let cui = r#"{"extension_type":"property-extension","control":"CUI","designator_ref":"identity--1","categories":["SP-CTI"],"disseminations":["NOFORN"]}"#;
    let definition = |name: &str, extension: &str| {
        format!(
            r#"{{"type":"marking-definition","id":"marking-definition--1","extensions":{{"extension-definition--{name}":{extension}}}}}"#
        )
    };
    let inputs = [
        "TLP:AMBER+STRICT TLP:EX:CHR PAP:RED SECRET//SI/TK//ORCON/REL TO USA, GBR UNDEFINED:\"x\" STATEMENT:\"a \\\"b\"".to_string(),
        "(TS//SI-G//OC/NF)".to_string(),
        "dni-ism:classification:us=\"S\"".to_string(),
        definition("3a65884d-005a-4290-8335-cb2d778a83ce", acs),
        definition("dff17fb3-edcb-4f99-ad1b-4b751c95738a", cui),
        acs.to_string(),
        cui.to_string(),
        fs::read_to_string(file("fixtures/clearance.toml")).expect("clearance"),
        markings::CLEARANCE.to_string(),
    ];
    drive(&inputs.map(String::into_bytes), markings::read);
}

#[test]
fn feeds() {
    let lines: Vec<Vec<u8>> =
        fs::read(file(FEED)).expect("feed").split_inclusive(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
    drive(&lines, |data| feeds::load(feeds::NATIVE, data));
    let values = [
        "203.0.113.0/24\n",
        "192.0.2.1:80 # c\n",
        "hxxp://a[.]evil[.]example/x?y#z\n",
        "2001:db8::/32\n",
        "xn--a.evil.example\n",
    ];
    let values: Vec<Vec<u8>> = values.iter().map(|v| v.repeat(3).into_bytes()).collect();
    drive(&values, |data| feeds::load(feeds::PLAIN, data));
    let rows =
        ["203.0.113.9\tIntel::ADDR\tus\n", "evil.example\tIntel::DOMAIN\t-\n", "evil.example/a\tIntel::URL\tus\n"];
    let rows: Vec<Vec<u8>> = rows.iter().map(|v| v.repeat(3).into_bytes()).collect();
    drive(&rows, |data| feeds::load(feeds::ZEEK, data));
    let objects: Vec<Vec<u8>> =
        fs::read(file("feeds/stix.json")).expect("feed").split_inclusive(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
    drive(&objects, |data| feeds::load(feeds::STIX, data));
    let patterns = [
        "[domain-name:value IN ('a.example', 'b.example') OR domain-name:value LIKE '%.a.example']",
        "([network-traffic:dst_ref.value = '192.0.2.1' AND network-traffic:dst_port = '80']) START t'2024-01-01T00:00:00Z' STOP t'2025-01-01T00:00:00Z'",
        "[artifact:payload_bin MATCHES '^evil\\\\x00' /* c */ AND NOT x:y[*].'z' = h'ff00']",
    ];
    let patterns: Vec<Vec<u8>> = patterns.iter().map(|pattern| pattern.as_bytes().to_vec()).collect();
    drive(&patterns, feeds::stix_pattern);
    let rules: Vec<Vec<u8>> = fs::read(file(RULES[0]))
        .expect("rules")
        .split_inclusive(|&byte| byte == b'\n')
        .chain([feeds::SURICATA])
        .map(<[u8]>::to_vec)
        .collect();
    drive(&rules, |data| feeds::load(feeds::SURICATA, data));
    drive(&[fs::read(file(RULES[1])).expect("rules")], |data| feeds::load(feeds::YARA, data));
}

#[test]
fn feed_documents() {
    let samples = [
        ("misp", "feeds/misp.json"),
        ("csv", "feeds/table.csv"),
        ("openioc", "feeds/openioc.ioc"),
        ("maltrail", "feeds/malware/examplebot.txt"),
        ("hosts", "feeds/hosts.txt"),
        ("adblock", "feeds/adblock.txt"),
    ];
    for (format, path) in samples {
        let sample = fs::read(file(path)).expect("sample");
        drive(&[sample], |data| feeds::load_as(format, data));
    }
    let list = br#"{"name":"a","type":"hostname","list":["a.example",".b.example","192.0.2.1"],"version":1}"#;
    drive(&[list.to_vec()], |data| feeds::load_as("misp-warninglist", data));
}
