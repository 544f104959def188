//! Fields that several formats write alike, as text, read into the vocabulary's types.

use crate::indicator::{Index, Kind, Match, Refusal, Transport};
use crate::marking::{Classification, Marking, Pap, Tlp};
use crate::time::Timestamp;

/// `exact`, `subtree` or `prefix`.
pub(super) fn matching(text: &str) -> Result<Match, Refusal> {
    match text.to_ascii_lowercase().as_str() {
        "exact" => Ok(Match::Exact),
        "subtree" => Ok(Match::Subtree),
        "prefix" => Ok(Match::Prefix),
        _ => Err(Refusal::BadField),
    }
}

/// Whether a value of this kind can reach that far.
pub(super) fn can_match(kind: &Kind, matching: Match) -> bool {
    match matching {
        Match::Exact => true,
        Match::Subtree => kind.index == Index::Suffix,
        Match::Prefix => kind.index == Index::Path,
    }
}

/// `tcp` or `udp`; `any` is no limit.
pub(super) fn transport(text: &str) -> Result<Option<Transport>, Refusal> {
    match text.to_ascii_lowercase().as_str() {
        "tcp" => Ok(Some(Transport::Tcp)),
        "udp" => Ok(Some(Transport::Udp)),
        "any" => Ok(None),
        _ => Err(Refusal::BadField),
    }
}

/// A decimal number without a sign.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T, Refusal> {
    if text.starts_with('+') {
        return Err(Refusal::BadField);
    }
    text.parse().map_err(|_| Refusal::BadField)
}

/// 0 to 100.
pub(super) fn severity(text: &str) -> Result<u8, Refusal> {
    number(text).ok().filter(|s| *s <= 100).ok_or(Refusal::BadField)
}

/// The schema's words as they are; a number from 0 to 100 as the word that STIX 2.1 gives it (appendix A, "None / Low /
/// Med / High").
pub(super) fn confidence(text: &str) -> &str {
    match text.parse::<u8>() {
        Ok(0) => "None",
        Ok(1..=29) => "Low",
        Ok(30..=69) => "Medium",
        Ok(70..=100) => "High",
        _ => text,
    }
}

/// RFC 3339, clamped to what a packet's time can be.
pub(super) fn instant(text: &str) -> Result<Timestamp, Refusal> {
    let time: jiff::Timestamp = text.parse().map_err(|_| Refusal::BadField)?;
    let ns = time.as_nanosecond().max(0);
    Ok(u64::try_from(ns).map_or(Timestamp::MAX, Timestamp::from_ns))
}

/// A marking from its three texts, and how many could not be read; those count as the strictest.
pub(super) fn marking(
    tlp: Option<&str>,
    pap: Option<&str>,
    classification: Option<&str>,
) -> Result<(Marking, u32), Refusal> {
    let read_tlp = tlp.map(Tlp::parse);
    let read_pap = pap.map(Pap::parse);
    let classification = match classification.map(Classification::parse) {
        Some(Err(_)) => return Err(Refusal::ForeignMarking),
        Some(Ok(classification)) => Some(classification),
        None => None,
    };
    let unreadable = u32::from(read_tlp == Some(None))
        + u32::from(read_pap == Some(None))
        + u32::from(classification.as_ref().is_some_and(|c| !c.is_readable()));
    let marking = Marking {
        tlp: read_tlp.map(|read| read.unwrap_or(Tlp::Red)),
        pap: read_pap.map(|read| read.unwrap_or(Pap::Red)),
        classification,
        further: None,
    };
    Ok((marking, unreadable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_clamped_to_what_a_packet_can_have() {
        assert_eq!(instant("2024-01-01T00:00:00Z"), Ok(Timestamp::from_parts(1_704_067_200, 0)));
        assert_eq!(instant("2024-01-01T01:00:00.5+01:00"), Ok(Timestamp::from_parts(1_704_067_200, 500_000_000)));
        assert_eq!(instant("1066-10-14T09:00:00Z"), Ok(Timestamp::ZERO));
        assert_eq!(instant("9999-01-01T00:00:00Z"), Ok(Timestamp::MAX));
        for bad in ["", "yesterday", "2024-01-01", "2024-01-01T00:00:00", "1704067200"] {
            assert_eq!(instant(bad), Err(Refusal::BadField), "{bad}");
        }
    }

    #[test]
    fn an_unreadable_marking_is_the_strictest() {
        let (marking, unreadable) = marking(Some("orange"), Some("PAP:GREEN"), Some("X")).expect("not foreign");
        assert_eq!((marking.tlp, marking.pap, unreadable), (Some(Tlp::Red), Some(Pap::Green), 2));
        assert_eq!(super::marking(None, None, Some("//JOINT S")), Err(Refusal::ForeignMarking));
        assert_eq!(super::marking(None, None, None), Ok((Marking::default(), 0)));
    }

    #[test]
    fn words_and_numbers() {
        assert_eq!(severity("100"), Ok(100));
        for bad in ["101", "-1", "+1", "x", ""] {
            assert_eq!(severity(bad), Err(Refusal::BadField), "{bad}");
        }
        assert_eq!((confidence("85"), confidence("High"), confidence("0")), ("High", "High", "None"));
        assert_eq!(transport("TCP"), Ok(Some(Transport::Tcp)));
        assert_eq!((transport("any"), transport("sctp")), (Ok(None), Err(Refusal::BadField)));
        assert_eq!((matching("Subtree"), matching("regex")), (Ok(Match::Subtree), Err(Refusal::BadField)));
    }
}
