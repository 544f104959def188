//! Options of a rule that are about single packets and about how its alerts are shown: TCP flags, bits for other rules, thresholds.

use crate::indicator::Refusal;
use crate::indicator::rule::Flags;
use crate::packet::tcp_flag;

/// `[!*+]FLAGS[,IGNORED]`, as far as packets that open or end a connection are asked for.
pub(super) fn flags(text: &str) -> Result<Flags, Refusal> {
    let (these, but) = text.split_once(',').map_or((text, None), |(these, but)| (these, Some(but)));
    let these = these.trim();
    let (form, letters) = match these.strip_prefix(['+', '*', '!']) {
        Some(rest) => (these.chars().next(), rest),
        // The sign may stand behind.
        None => match these.strip_suffix(['+', '*', '!']) {
            Some(rest) => (these.chars().last(), rest),
            None => (None, these),
        },
    };
    let these = bits_of(letters)?;
    let but = but.map_or(Ok(0), bits_of)?;
    let flags = match form {
        None => Flags::Exactly { these: these & !but, but },
        Some('+') => Flags::All(these & !but),
        Some('*') => Flags::Any(these & !but),
        _ => return Err(Refusal::Unsupported("negated flags")),
    };
    // Every other packet of a connection would have to be asked.
    if flags.turn() { Ok(flags) } else { Err(Refusal::Unsupported("flags without SYN, FIN or RST")) }
}

fn bits_of(letters: &str) -> Result<u8, Refusal> {
    let bit = |letter: char| {
        Ok(match letter.to_ascii_uppercase() {
            'F' => tcp_flag::FIN,
            'S' => tcp_flag::SYN,
            'R' => tcp_flag::RST,
            'P' => 0x08,
            'A' => tcp_flag::ACK,
            'U' => 0x20,
            'E' | '2' => 0x40,
            'C' | '1' => 0x80,
            '0' => 0,
            _ => return Err(Refusal::BadField),
        })
    };
    let letters = letters.trim();
    if letters.is_empty() {
        return Err(Refusal::BadField);
    }
    letters.chars().try_fold(0, |bits, letter| Ok(bits | bit(letter)?))
}

/// What a rule sets changes other rules, that ask for it: those are refused. What it asks for limits itself.
pub(super) fn bits(text: &str) -> Result<(), Refusal> {
    match text.split(',').next().unwrap_or_default().trim() {
        "set" | "unset" | "toggle" => Ok(()),
        "isset" | "isnotset" => {
            Err(Refusal::Unsupported("flowbits, xbits or hostbits that are asked for (isset, isnotset)"))
        }
        "noalert" => Err(Refusal::Unsupported("a rule that raises no alert (noalert)")),
        _ => Err(Refusal::BadField),
    }
}

/// How many alerts are shown is for outputs to say. A threshold that has to be reached first is a part of the rule.
pub(super) fn threshold(text: &str) -> Result<(), Refusal> {
    let mut is_limit = None;
    for word in text.split(',') {
        let (key, value) = word.trim().split_once(char::is_whitespace).ok_or(Refusal::BadField)?;
        let value = value.trim();
        match (key, value) {
            ("type", "limit") => is_limit = Some(true),
            ("type", "threshold" | "both" | "backoff") => is_limit = Some(false),
            ("track", "by_src" | "by_dst" | "by_rule" | "by_both" | "by_flow") => {}
            ("seconds" | "count" | "multiplier", number) => {
                number.parse::<u32>().map_err(|_| Refusal::BadField)?;
            }
            _ => return Err(Refusal::BadField),
        }
    }
    match is_limit {
        Some(true) => Ok(()),
        Some(false) => Err(Refusal::Unsupported("threshold of a type that counts first (other than limit)")),
        None => Err(Refusal::BadField),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_as_suricata_writes_them() {
        let (syn, ack) = (tcp_flag::SYN, tcp_flag::ACK);
        for (text, packet, holds) in [
            ("S", syn, true),
            ("S", syn | ack, false),
            ("S,12", syn | 0xc0, true),
            ("S,CE", syn | 0xc0, true),
            ("SA", syn | ack, true),
            ("+S", syn | ack, true),
            ("S+", syn | ack, true),
            ("*SF", tcp_flag::FIN | ack, true),
            ("*SF", ack, false),
            ("R", tcp_flag::RST, true),
        ] {
            assert_eq!(flags(text).expect(text).hold(packet), holds, "{text}");
        }
        let refused = |text: &str| flags(text).err();
        for text in ["A", "0", "*SA", "PA,12", "S,S"] {
            assert_eq!(refused(text), Some(Refusal::Unsupported("flags without SYN, FIN or RST")), "{text}");
        }
        assert_eq!(refused("!S"), Some(Refusal::Unsupported("negated flags")));
        assert!(["", "X", "S,", "S,x"].iter().all(|text| refused(text) == Some(Refusal::BadField)));
    }

    #[test]
    fn what_concerns_others_alone_is_honoured_and_what_counts_is_not() {
        assert_eq!((bits("set,ET.Evil"), bits("unset, a"), bits("toggle,a")), (Ok(()), Ok(()), Ok(())));
        assert!(["isset,a", "isnotset,a", "noalert", "fly,a", ""].iter().all(|text| bits(text).is_err()));
        assert_eq!(threshold("type limit, track by_src, seconds 3600, count 1"), Ok(()));
        let counts = Err(Refusal::Unsupported("threshold of a type that counts first (other than limit)"));
        assert_eq!(threshold("type threshold, track by_dst, seconds 60, count 5"), counts);
        assert_eq!(threshold("type both, track by_dst, count 5, seconds 60"), counts);
        for text in ["", "track by_src, count 1, seconds 1", "type limit, count x", "type limit, track by_moon"] {
            assert_eq!(threshold(text), Err(Refusal::BadField), "{text}");
        }
    }
}
