use super::*;
use crate::indicator::{Draft, Match};
use crate::matcher::twin::{self, RAW_ADDR, raw};
use proptest::prelude::*;

#[derive(Debug)]
struct Entry {
    value: Vec<u8>,
    port: Option<u16>,
}

fn build(entries: &[Entry]) -> (IndicatorSet, Prefix) {
    let set =
        twin::set_of(entries.iter().map(|e| Draft { port: e.port, ..twin::draft(&RAW_ADDR, &e.value, Match::Exact) }));
    let prefix = Prefix::build(&set, Seeds::fixed(1));
    (set, prefix)
}

fn found(set: &IndicatorSet, prefix: &Prefix, ip: IpAddr, port: Option<u16>) -> Vec<(u32, Covered)> {
    let mut all = Vec::new();
    prefix.find(set, ip, port, |ix, how| all.push((ix.0, how)));
    assert!(all.is_empty() || prefix.maybe(&prefix.key(ip, port)), "a false no");
    all
}

#[test]
fn an_address_its_network_and_its_port_are_three_hits() {
    let (set, prefix) = build(&[
        Entry { value: raw("192.0.2.1", None), port: None },
        Entry { value: raw("192.0.2.0", Some(24)), port: None },
        Entry { value: raw("192.0.2.1", None), port: Some(443) },
        Entry { value: raw("192.0.0.0", Some(9)), port: Some(53) },
    ]);
    let ip = "192.0.2.1".parse().expect("address");
    assert_eq!(
        found(&set, &prefix, ip, Some(443)),
        [(1, Covered::Network(24)), (0, Covered::Address), (2, Covered::Port)]
    );
    assert_eq!(found(&set, &prefix, ip, None), [(1, Covered::Network(24)), (0, Covered::Address)]);
    assert_eq!(
        found(&set, &prefix, "::ffff:192.0.2.9".parse().expect("mapped"), Some(53)),
        [(3, Covered::Network(9)), (1, Covered::Network(24))]
    );
    assert_eq!(found(&set, &prefix, "198.51.100.1".parse().expect("address"), Some(53)), []);
}

#[test]
fn networks_of_every_length_pass_the_gate() {
    for bits in 0..=32 {
        let (set, prefix) = build(&[Entry { value: raw("128.0.0.0", Some(bits)), port: None }]);
        let last = IpAddr::V4((0x8000_0000 | 0xffff_ffff_u32.checked_shr(u32::from(bits).max(1)).unwrap_or(0)).into());
        assert_eq!(found(&set, &prefix, last, None).len(), 1, "/{bits}");
    }
    for bits in 0..=128 {
        let (set, prefix) = build(&[Entry { value: raw("8000::", Some(bits)), port: None }]);
        let last = IpAddr::V6((1 << 127 | u128::MAX.checked_shr(u32::from(bits).max(1)).unwrap_or(0)).into());
        assert_eq!(found(&set, &prefix, last, None).len(), 1, "/{bits}");
    }
}

fn small_addr() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (0u8..3, 0u8..4).prop_map(|(a, b)| vec![10, a, 0, b]),
        (0u8..3, 0u8..4).prop_map(|(a, b)| {
            let mut ip = vec![0x20, 0x01, 0x0d, a];
            ip.extend([0; 11]);
            ip.push(b);
            ip
        }),
    ]
}

fn entry() -> impl Strategy<Value = Entry> {
    (small_addr(), proptest::option::of(0u8..=128), proptest::option::of(1u16..4)).prop_map(
        |(mut value, bits, port)| {
            if let Some(bits) = bits {
                let bits = usize::from(bits) % (value.len() * 8 + 1);
                for at in bits..value.len() * 8 {
                    value[at / 8] &= !(0x80 >> (at % 8));
                }
                value.push(bits as u8);
            }
            Entry { value, port }
        },
    )
}

proptest! {
    #[test]
    fn finds_what_a_scan_finds(
        entries in proptest::collection::vec(entry(), 0..40),
        asked in proptest::collection::vec((small_addr(), proptest::option::of(1u16..5)), 1..40),
    ) {
        let (set, prefix) = build(&entries);
        for (octets, port) in asked {
            let ip = <[u8; 4]>::try_from(&octets[..]).map(IpAddr::from).unwrap_or_else(|_| {
                <[u8; 16]>::try_from(&octets[..]).expect("16 bytes").into()
            });
            let mut have: Vec<u32> = found(&set, &prefix, ip, port).iter().map(|hit| hit.0).collect();
            have.sort_unstable();
            prop_assert_eq!(have, twin::ends(&set, ip, port));
        }
    }
}
