//! Kinds whose values are matched whole: user-agents and other software, user names (case-sensitive) and JA3, JA4, HASSH fingerprints.

use std::borrow::Cow;

use super::{Index, Kind};
use crate::indicator::{Match, Refusal};

/// HTTP user-agent, or what an SSH end says that it is; whole and case-sensitive.
pub static USER_AGENT: Kind = Kind {
    number: 4,
    name: "user-agent",
    aliases: &["Intel::SOFTWARE"],
    index: Index::Exact,
    default_match: Match::Exact,
    seen_at: &[
        "user_agent.original",
        "ssh.client.version",
        "ssh.client.software",
        "ssh.server.version",
        "ssh.server.software",
        "email.x_mailer",
    ],
    normalise: as_is,
    display,
};

/// Name of a user or account, whole and case-sensitive.
pub static USER_NAME: Kind = Kind {
    number: 17,
    name: "user-account",
    aliases: &["user-name", "Intel::USER_NAME"],
    seen_at: &["user.name"],
    ..USER_AGENT
};

/// JA3 client fingerprint: MD5 in hex.
pub static JA3: Kind = Kind {
    number: 5,
    name: "ja3",
    aliases: &["ja3-fingerprint-md5", "Intel::JA3"],
    seen_at: &["tls.client.ja3"],
    normalise: md5_hex,
    ..USER_AGENT
};

/// JA3S server fingerprint: MD5 in hex.
pub static JA3S: Kind = Kind {
    number: 11,
    name: "ja3s",
    aliases: &["ja3s-fingerprint-md5", "Intel::JA3S"],
    seen_at: &["tls.server.ja3s"],
    normalise: md5_hex,
    ..USER_AGENT
};

/// JA4 client fingerprint.
pub static JA4: Kind = Kind {
    number: 6,
    name: "ja4",
    aliases: &["ja4-fingerprint"],
    seen_at: &["tls.client.ja4"],
    normalise: ja4,
    ..USER_AGENT
};

/// SSH fingerprint of a client or server: MD5 in hex.
pub static HASSH: Kind = Kind {
    number: 10,
    name: "hassh",
    aliases: &["hassh-md5", "hasshserver-md5", "Intel::HASSH"],
    seen_at: &["ssh.client.hassh", "ssh.server.hassh"],
    normalise: md5_hex,
    ..USER_AGENT
};

fn as_is(value: &[u8], _: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    if value.is_empty() {
        return Err(Refusal::Empty);
    }
    out.extend(value);
    Ok(None)
}

fn md5_hex(value: &[u8], _: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    if value.len() != 32 || !value.iter().all(u8::is_ascii_hexdigit) {
        return Err(Refusal::BadFingerprint);
    }
    out.extend(value.iter().map(u8::to_ascii_lowercase));
    Ok(None)
}

/// `t13d1516h2_8daaf6152771_e5627efa2ab1`: transport, TLS version, SNI or not, two counts, ALPN's ends; then two
/// truncated SHA-256 in hex (FoxIO's JA4.md).
fn ja4(value: &[u8], _: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    let value = value.to_ascii_lowercase();
    let mut parts = value.split(|b| *b == b'_');
    let digest = |part: Option<&[u8]>| part.is_some_and(|p| p.len() == 12 && p.iter().all(u8::is_ascii_hexdigit));
    let shaped = parts.next().is_some_and(is_ja4_a) && digest(parts.next()) && digest(parts.next());
    if !shaped || parts.next().is_some() {
        return Err(Refusal::BadFingerprint);
    }
    out.extend(value);
    Ok(None)
}

fn is_ja4_a(part: &[u8]) -> bool {
    let &[transport, v1, v2, sni, c1, c2, e1, e2, a1, a2] = part else { return false };
    b"tqd".contains(&transport)
        && (v1.is_ascii_digit() || b"sd".contains(&v1))
        && v2.is_ascii_digit()
        && b"di".contains(&sni)
        && [c1, c2, e1, e2].iter().all(u8::is_ascii_digit)
        && [a1, a2].iter().all(u8::is_ascii_alphanumeric)
}

fn display(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(kind: &Kind, value: &str) -> Result<String, Refusal> {
        let mut out = Vec::new();
        assert_eq!((kind.normalise)(value.as_bytes(), Match::Exact, &mut out)?, None);
        Ok(display(&out).into_owned())
    }

    #[test]
    fn fingerprints_have_one_shape() {
        assert_eq!(form(&JA3, "ADA70206E40642A3E4461F35503241D5").as_deref(), Ok("ada70206e40642a3e4461f35503241d5"));
        assert_eq!(form(&JA3, "ada7"), Err(Refusal::BadFingerprint));
        for good in [
            "t13d1516h2_8daaf6152771_e5627efa2ab1",
            "q13i0310h3_55b375c5d22e_cd85d2d88918",
            "dd2i110700_000000000000_000000000000",
            "ts3d010000_0a0a0a0a0a0a_000000000000",
        ] {
            assert_eq!(form(&JA4, &good.to_uppercase()).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "t13d1516h2",
            "t13d1516h2_8daaf6152771",
            "x13d1516h2_8daaf6152771_e5627efa2ab1",
            "t13d1516h2_8daaf6152771_e5627efa2ab1_",
            "t13d15-6h2_8daaf6152771_e5627efa2ab1",
            "t13d1516h2_8daaf615277g_e5627efa2ab1",
        ] {
            assert_eq!(form(&JA4, bad), Err(Refusal::BadFingerprint), "{bad}");
        }
    }

    #[test]
    fn a_user_agent_stays_as_it_is() {
        assert_eq!(form(&USER_AGENT, " EvilBot/1.0 ").as_deref(), Ok(" EvilBot/1.0 "));
        assert_eq!(form(&USER_AGENT, ""), Err(Refusal::Empty));
    }
}
