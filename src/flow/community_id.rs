//! Community ID v1 (<https://github.com/corelight/community-id-spec>): one name for a flow that every tool computes alike.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use std::net::IpAddr;

use crate::packet::protocol;

/// `1:` and the base64 of a SHA-1 over seed and tuple. For ICMP the ports are type and code; protocols without ports take
/// the addresses alone.
pub fn community_id(seed: u16, protocol_number: u8, source: (IpAddr, u16), destination: (IpAddr, u16)) -> String {
    format!("1:{}", STANDARD.encode(digest(seed, protocol_number, source, destination)))
}

fn digest(seed: u16, protocol_number: u8, source: (IpAddr, u16), destination: (IpAddr, u16)) -> [u8; 20] {
    let (ports, is_one_way) = match protocol_number {
        protocol::TCP | protocol::UDP | protocol::SCTP => (Some((source.1, destination.1)), false),
        protocol::ICMP | protocol::ICMPV6 => {
            let (kind, other, is_one_way) = icmp_ports(protocol_number, source.1 as u8, destination.1 as u8);
            (Some((kind, other)), is_one_way)
        }
        _ => (None, false),
    };
    let (source_port, destination_port) = ports.unwrap_or((0, 0));
    let mut ends = [(octets(source.0), source_port), (octets(destination.0), destination_port)];
    if !is_one_way && ends[1] < ends[0] {
        ends.swap(0, 1);
    }
    let mut hash = Sha1::new();
    hash.update(seed.to_be_bytes());
    hash.update(&ends[0].0);
    hash.update(&ends[1].0);
    hash.update([protocol_number, 0]);
    if ports.is_some() {
        hash.update(ends[0].1.to_be_bytes());
        hash.update(ends[1].1.to_be_bytes());
    }
    hash.finalize().into()
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(a) => a.octets().to_vec(),
        IpAddr::V6(a) => a.octets().to_vec(),
    }
}

/// What stands for an ICMP message's ports: its type and the type that answers it; or, for a type that nothing answers,
/// type and code, and true.
#[inline]
pub(super) fn icmp_ports(protocol_number: u8, kind: u8, code: u8) -> (u16, u16, bool) {
    const V4: [(u8, u8); 5] = [(8, 0), (9, 10), (13, 14), (15, 16), (17, 18)];
    const V6: [(u8, u8); 6] = [(128, 129), (130, 131), (133, 134), (135, 136), (139, 140), (144, 145)];
    let pairs: &[(u8, u8)] = if protocol_number == protocol::ICMP { &V4 } else { &V6 };
    let answer = pairs.iter().find_map(|&(a, b)| match kind {
        k if k == a => Some(b),
        k if k == b => Some(a),
        _ => None,
    });
    match answer {
        Some(answer) => (u16::from(kind), u16::from(answer), false),
        None => (u16::from(kind), u16::from(code), true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(seed: u16, protocol_number: u8, a: &str, ap: u16, b: &str, bp: u16) -> String {
        community_id(seed, protocol_number, (a.parse().expect("ip"), ap), (b.parse().expect("ip"), bp))
    }

    /// The specification's baseline vectors.
    #[test]
    fn baseline() {
        for (protocol_number, a, ap, b, bp, expected) in [
            (6, "128.232.110.120", 34855, "66.35.250.204", 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
            (17, "192.168.1.52", 54585, "8.8.8.8", 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
            (132, "192.168.170.8", 7, "192.168.170.56", 7, "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="),
            (1, "192.168.0.89", 8, "192.168.0.1", 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
            (1, "10.0.0.1", 11, "10.0.0.2", 0, "1:YHxtAirCG//0OzkcVAukqKQN9xM="),
            (1, "10.0.0.2", 11, "10.0.0.1", 0, "1:c5iqfdGYsNWhMJVcYXWPNWbpnKs="),
            (58, "fe80::200:86ff:fe05:80da", 133, "ff02::2", 0, "1:hO+sN4H+MG5MY/8hIrXPqc4ZQz0="),
            (46, "10.1.12.1", 0, "10.1.12.2", 0, "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw="),
            (6, "1.2.3.4", 1122, "5.6.7.8", 3344, "1:wCb3OG7yAFWelaUydu0D+125CLM="),
        ] {
            assert_eq!(id(0, protocol_number, a, ap, b, bp), expected);
        }
        assert_eq!(id(1, 6, "1.2.3.4", 1122, "5.6.7.8", 3344), "1:HhA1B+6CoLbiKPEs5nhNYN4XWfk=");
    }

    /// Every baseline record of the specification's project, where its files are at hand.
    #[test]
    fn shared_baselines() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/captures/expected");
        for (file, seed, is_hex) in
            [("baseline_deflt.json", 0, false), ("baseline_seed1.json", 1, false), ("baseline_nob64.json", 0, true)]
        {
            let Ok(text) = std::fs::read_to_string(format!("{folder}/{file}")) else {
                eprintln!("skipped: {file} is not here");
                continue;
            };
            let records: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
            assert_eq!(records.len(), 23);
            for record in records {
                let number = |name: &str| record[name].as_u64().unwrap_or(0) as u16;
                let end = |addr: &str, port: &str| {
                    (record[addr].as_str().expect("address").parse().expect("address"), number(port))
                };
                let (protocol_number, source, destination) =
                    (number("proto") as u8, end("saddr", "sport"), end("daddr", "dport"));
                let ours = if is_hex {
                    let hex: String =
                        digest(seed, protocol_number, source, destination).iter().map(|b| format!("{b:02x}")).collect();
                    format!("1:{hex}")
                } else {
                    community_id(seed, protocol_number, source, destination)
                };
                assert_eq!(record["communityid"], ours, "{record}");
            }
        }
    }

    #[test]
    fn a_reply_has_the_id_of_its_request() {
        assert_eq!(id(0, 6, "1.2.3.4", 1122, "5.6.7.8", 3344), id(0, 6, "5.6.7.8", 3344, "1.2.3.4", 1122));
        assert_eq!(id(0, 1, "192.168.0.89", 8, "192.168.0.1", 0), id(0, 1, "192.168.0.1", 0, "192.168.0.89", 0));
    }
}
