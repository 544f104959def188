//! The obvious way to match: a scan over every indicator. What each structure is tested against.

use std::net::IpAddr;

use crate::indicator::kind::IPV4;
use crate::indicator::{Context, Draft, Index, Indicator, IndicatorSet, Kind, Match, Observable, Refusal, Value};
use crate::time::Timestamp;

/// Takes addresses and networks that are in normal form already.
pub(super) static RAW_ADDR: Kind = Kind { normalise: as_is, ..IPV4 };

fn as_is(value: &[u8], _: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    out.extend(value);
    Ok(None)
}

pub(super) fn draft<'a>(kind: &'static Kind, value: &'a [u8], matching: Match) -> Draft<'a> {
    Draft { matching: Some(matching), ..Draft::new(kind, value, crate::indicator::ContextIx(0), 1) }
}

/// Normal form of an address or, with bits, a network.
pub(super) fn raw(ip: &str, bits: Option<u8>) -> Vec<u8> {
    let mut value = match ip.parse().expect("an address") {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    value.extend(bits);
    value
}

/// Each draft gets an id of its own, so that equal values stay apart.
pub(super) fn set_of<'a>(drafts: impl Iterator<Item = Draft<'a>>) -> IndicatorSet {
    let mut set = IndicatorSet::default();
    let context = set.context(Context::default());
    for (number, draft) in drafts.enumerate() {
        let id = format!("id-{number}");
        match set.add(&Draft { context, id: Some(&id), ..draft }, true) {
            // A signature longer than its own depth: generated, and rightly refused.
            Ok(_) | Err(Refusal::BadPattern) => {}
            Err(refusal) => panic!("{refusal}"),
        }
    }
    set
}

pub(super) fn names(set: &IndicatorSet, name: &[u8]) -> Vec<u32> {
    let name = name.to_ascii_lowercase();
    pick(set, Index::Suffix, |i| {
        let below = name.strip_suffix(i.value).is_some_and(|left| left.ends_with(b"."));
        name == i.value || (below && i.matching != Match::Exact)
    })
}

pub(super) fn urls(set: &IndicatorSet, url: &[u8]) -> Vec<u32> {
    pick(set, Index::Path, |i| {
        let below = url.strip_prefix(i.value).is_some_and(|rest| {
            i.value.ends_with(b"/") || rest.starts_with(b"/") || rest.starts_with(b"?") || rest.starts_with(b"#")
        });
        url == i.value || (below && i.matching != Match::Exact)
    })
}

pub(super) fn texts(set: &IndicatorSet, kind: &'static Kind, value: &[u8]) -> Vec<u32> {
    pick(set, Index::Exact, |i| i.kind == kind && i.value == value)
}

pub(super) fn ends(set: &IndicatorSet, ip: IpAddr, port: Option<u16>) -> Vec<u32> {
    let octets = match ip.to_canonical() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let bit = |bytes: &[u8], at: usize| bytes[at / 8] >> (7 - at % 8) & 1;
    pick(set, Index::Prefix, |i| {
        let covers = match i.value.len() {
            4 | 16 => i.value == octets,
            length if length == octets.len() + 1 => {
                (0..usize::from(i.value[length - 1])).all(|at| bit(i.value, at) == bit(&octets, at))
            }
            _ => false,
        };
        covers && (i.port.is_none() || i.port == port)
    })
}

/// What [`super::Matcher::seen`] should report, sorted.
pub(super) fn seen(set: &IndicatorSet, observable: &Observable<'_>, at: Timestamp) -> Vec<u32> {
    let (mut all, transport) = match observable.value {
        Value::Addr(ip) => (ends(set, ip, None), None),
        Value::Endpoint(ip, port, transport) => (ends(set, ip, Some(port)), transport),
        Value::Text(text) => match observable.kind.index {
            Index::Suffix => (names(set, text.strip_suffix(b".").unwrap_or(text)), None),
            Index::Path => (urls(set, text), None),
            _ => (texts(set, observable.kind, text), None),
        },
        Value::Name(_) | Value::Piece { .. } | Value::Elsewhere(_) => (Vec::new(), None),
    };
    all.retain(|&ix| {
        let indicator = set.get(crate::indicator::IndicatorIx(ix));
        indicator.window.contains(at) && (indicator.transport.is_none() || indicator.transport == transport)
    });
    all
}

fn pick(set: &IndicatorSet, index: Index, covers: impl Fn(&Indicator<'_>) -> bool) -> Vec<u32> {
    set.iter().filter(|i| i.kind.index == index && covers(i)).map(|i| i.ix.0).collect()
}
