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
    if let Some(time) = utc(text.as_bytes()) {
        return Ok(time);
    }
    let time: jiff::Timestamp = text.parse().map_err(|_| Refusal::BadField)?;
    let ns = time.as_nanosecond().max(0);
    Ok(u64::try_from(ns).map_or(Timestamp::MAX, Timestamp::from_ns))
}

/// The form that nearly every feed writes, `2024-01-01T00:00:00Z` with or without a fraction; `None` for any other form or year, and
/// for what is no time.
fn utc(text: &[u8]) -> Option<Timestamp> {
    let (seconds, rest) = text.split_at_checked(19)?;
    let fraction = match rest {
        b"Z" => &[][..],
        [b'.', digits @ .., b'Z'] if (1..=9).contains(&digits.len()) => digits,
        _ => return None,
    };
    let number = |digits: &[u8]| {
        digits
            .iter()
            .try_fold(0_u64, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))
    };
    let is_laid_out =
        [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')].iter().all(|(at, byte)| seconds[*at] == *byte);
    let at = |start: usize, end: usize| number(&seconds[start..end]);
    let (year, month, day) = (at(0, 4)?, at(5, 7)?, at(8, 10)?);
    let (hour, minute, second) = (at(11, 13)?, at(14, 16)?, at(17, 19)?);
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let is_time = (1970..=2500).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !is_laid_out || !is_time {
        return None;
    }
    // Days since 1970 of a year that begins in March, so that its odd day is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
    let secs = days * 86_400 + hour * 3600 + minute * 60 + second;
    let nanos = number(fraction)? * 10_u64.pow(9 - fraction.len() as u32);
    Some(Timestamp::from_ns(secs * 1_000_000_000 + if fraction.is_empty() { 0 } else { nanos }))
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

    proptest::proptest! {
        /// The usual form is read as any other is.
        #[test]
        fn the_usual_form_is_no_other_time(
            secs in 0_i64..16_725_225_600, nanos in 0_u32..1_000_000_000, digits in 0_usize..=9,
            damage in proptest::option::of((0_usize..20, "[0-9TZ:.-]")),
        ) {
            let time = jiff::Timestamp::new(secs, 0).expect("in range");
            let fraction = format!("{nanos:09}");
            let dot = if digits > 0 { "." } else { "" };
            let mut text = format!("{}{dot}{}Z", &time.to_string()[..19], &fraction[..digits]);
            if let Some((at, with)) = damage {
                text.replace_range(at..=at, &with);
            }
            let wanted: Option<jiff::Timestamp> = text.parse().ok();
            if let Some(read) = utc(text.as_bytes()) {
                proptest::prop_assert_eq!(Some(i128::from(read.as_ns())), wanted.map(jiff::Timestamp::as_nanosecond), "{}", text);
            } else {
                let is_usual = wanted.is_some_and(|time| (0..16_725_225_600).contains(&time.as_second())) && text.len() == 20;
                proptest::prop_assert!(!is_usual || !text.ends_with('Z') || text.ends_with("60Z"), "{}", text);
            }
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
