//! SSH (RFC 4253) on any port: what each end says that it is, and HASSH, the fingerprint of what it offers.
//!
//! Seen: the identification line (`ssh.client.version`) and the software in it (`ssh.client.software`), as `user-agent`; the MD5
//! of the algorithm lists in the first key exchange message (`ssh.client.hassh`); and the same of the server. Then all is
//! encrypted and of no interest. The client is the end that opened the connection. SSH 1 has no such lists. Lines that a server
//! may send before its identification (RFC 4253 section 4.2), and a stream picked up behind it, are not recognised.

use md5::{Digest, Md5};

use super::ja3::hex;
use super::{Hint, Parser, Probe, Progress, Starts};
use crate::bytes::Reader;
use crate::flow::Direction;
use crate::indicator::{Field, Observable, Seen, Transport, Value, Where, kind};

/// State: for each direction, the identification line once it is seen, for the alerts of what follows.
#[derive(Default)]
pub struct Ssh {
    lines: [Option<Box<[u8]>>; 2],
}

impl Parser for Ssh {
    const NAME: &'static str = "ssh";
    const ENCRYPTS: bool = true;
    /// A key exchange message may be as long as a packet.
    const MAX_PENDING_BYTES: usize = LENGTH_BYTES + MAX_PACKET_BYTES;
    const STARTS: Starts = Starts::tcp(&[(b'S', b'S')]);

    #[inline(always)]
    fn probe(data: &[u8], hint: &Hint) -> Probe {
        match data {
            [] => Probe::Unsure,
            [b'S', ..] if hint.transport == Transport::Tcp => begins(data),
            _ => Probe::No,
        }
    }

    fn parse(&mut self, direction: Direction, data: &[u8], _: &Hint, seen: Seen<'_>) -> Progress {
        let Some(line) = self.lines.get_mut(direction.index()) else { return Progress::DoneDirection };
        let places = Places::of(direction);
        if let Some(line) = line {
            return offer(data, line, places, seen);
        }
        let Some(end) = memchr::memchr(b'\n', data) else {
            return match data.len() {
                0..MAX_LINE_BYTES => Progress::Consumed { bytes: 0, need: data.len() + 1 },
                _ => Progress::Stopped("SSH identification too long"),
            };
        };
        let text = data.get(..end.min(MAX_LINE_BYTES)).unwrap_or_default();
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let Some(software) = software(text) else { return Progress::Stopped("not an SSH identification") };
        let mut show =
            |value, at| seen(Observable { kind: &kind::USER_AGENT, value: Value::Text(value), at, with: &[] });
        show(text, places.version);
        show(software, places.software);
        // "1.99" offers both (RFC 4253 section 5.1).
        if text.starts_with(b"SSH-1.") && !text.starts_with(b"SSH-1.99-") {
            return Progress::DoneDirection;
        }
        *line = Some(text.into());
        let bytes = end + 1;
        match offer(data.get(bytes..).unwrap_or_default(), text, places, seen) {
            Progress::Consumed { need, .. } => Progress::Consumed { bytes, need },
            other => other,
        }
    }
}

fn begins(data: &[u8]) -> Probe {
    let length = data.len().min(PREFIX.len());
    match data.get(..length) == PREFIX.get(..length) {
        false => Probe::No,
        true if length < PREFIX.len() => Probe::Unsure,
        true => Probe::Yes,
    }
}

/// The software version of an identification line: `SSH-protoversion-softwareversion SP comments`.
fn software(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(PREFIX)?;
    let software = rest.get(memchr::memchr(b'-', rest)? + 1..)?;
    let end = memchr::memchr(b' ', software).unwrap_or(software.len());
    software.get(..end).filter(|software| !software.is_empty())
}

/// The first packet behind the identification: a key exchange message (RFC 4253 sections 6 and 7.1).
fn offer(data: &[u8], line: &[u8], places: Places, seen: Seen<'_>) -> Progress {
    let mut r = Reader::new(data);
    let Some(length) = r.u32().map(|length| length as usize) else {
        return Progress::Consumed { bytes: 0, need: LENGTH_BYTES };
    };
    if !(MIN_PACKET_BYTES..=MAX_PACKET_BYTES).contains(&length) {
        return Progress::Stopped("not an SSH packet");
    }
    let Some(packet) = r.take(length) else { return Progress::Consumed { bytes: 0, need: LENGTH_BYTES + length } };
    let [_padding, KEY_EXCHANGE, message @ ..] = packet else {
        return Progress::Stopped("SSH key exchange does not begin with its lists");
    };
    let Some(lists) = Lists::read(message) else { return Progress::Stopped("malformed SSH algorithm lists") };
    let fingerprint = hex(&lists.hassh(places.is_client));
    let with = [Field::text(places.version.0, line)];
    seen(Observable { kind: &kind::HASSH, value: Value::Text(&fingerprint), at: places.hassh, with: &with });
    Progress::DoneDirection
}

/// The name lists that count; `[0]` for what the client sends, `[1]` for what the server does.
struct Lists<'a> {
    exchange: &'a [u8],
    ciphers: [&'a [u8]; 2],
    macs: [&'a [u8]; 2],
    compressions: [&'a [u8]; 2],
}

impl<'a> Lists<'a> {
    fn read(message: &'a [u8]) -> Option<Self> {
        let mut r = Reader::new(message);
        r.skip(COOKIE_BYTES)?;
        let mut list = || r.u32().and_then(|length| r.take(length as usize));
        let exchange = list()?;
        let _host_keys = list()?;
        let ciphers = [list()?, list()?];
        let macs = [list()?, list()?];
        let compressions = [list()?, list()?];
        Some(Self { exchange, ciphers, macs, compressions })
    }

    /// HASSH (Salesforce): the MD5 of `exchange;ciphers;macs;compressions` of one direction, as sent.
    fn hassh(&self, is_client: bool) -> [u8; 16] {
        let side = |[client, server]: [&'a [u8]; 2]| if is_client { client } else { server };
        let mut hasher = Md5::new();
        hasher.update(self.exchange);
        for list in [self.ciphers, self.macs, self.compressions] {
            hasher.update(b";");
            hasher.update(side(list));
        }
        hasher.finalize().into()
    }
}

/// Where an end's values are seen.
#[derive(Clone, Copy)]
struct Places {
    is_client: bool,
    version: Where,
    software: Where,
    hassh: Where,
}

impl Places {
    fn of(direction: Direction) -> Self {
        match direction {
            Direction::ToResponder => Self {
                is_client: true,
                version: Where("ssh.client.version"),
                software: Where("ssh.client.software"),
                hassh: Where("ssh.client.hassh"),
            },
            Direction::ToOriginator => Self {
                is_client: false,
                version: Where("ssh.server.version"),
                software: Where("ssh.server.software"),
                hassh: Where("ssh.server.hassh"),
            },
        }
    }
}

const PREFIX: &[u8] = b"SSH-";
/// RFC 4253 section 4.2: with CR and LF.
const MAX_LINE_BYTES: usize = 255;
const LENGTH_BYTES: usize = 4;
/// RFC 4253 section 6.1: what every implementation must take.
const MAX_PACKET_BYTES: usize = 35_000;
/// Padding length, message number, cookie, ten empty lists.
const MIN_PACKET_BYTES: usize = 2 + COOKIE_BYTES + 10 * LENGTH_BYTES;
const COOKIE_BYTES: usize = 16;
/// SSH_MSG_KEXINIT.
const KEY_EXCHANGE: u8 = 20;

#[cfg(test)]
mod tests {
    use super::super::testing::{Stream, same_in_any_segments, tcp, text_with_fields, udp};
    use super::*;

    /// Of HASSH's own description: a server's and a client's, with what they hash.
    const SERVER: (&str, [&str; 4]) = (
        "d43d91bc39d5aaed819ad9f6b57b7348",
        [
            "curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,\
             diffie-hellman-group-exchange-sha256,diffie-hellman-group14-sha1",
            "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com,aes256-gcm@openssh.com",
            "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,\
             hmac-sha1-etm@openssh.com,umac-64@openssh.com,umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1",
            "none,zlib@openssh.com",
        ],
    );
    const CLIENT: (&str, [&str; 4]) = (
        "a7a87fbe86774c2e40cc4a7ea2ab1b3c",
        [
            "diffie-hellman-group-exchange-sha256,diffie-hellman-group-exchange-sha1,diffie-hellman-group14-sha1,\
             diffie-hellman-group1-sha1",
            "aes128-ctr,aes192-ctr,aes256-ctr,aes256-cbc,rijndael-cbc@lysator.liu.se,aes192-cbc,aes128-cbc,blowfish-cbc,\
             arcfour128,arcfour,cast128-cbc,3des-cbc",
            "hmac-sha2-256,hmac-sha2-512,hmac-sha1,hmac-sha1-96,hmac-md5,hmac-md5-96,hmac-ripemd160,\
             hmac-ripemd160@openssh.com",
            "none",
        ],
    );

    /// A key exchange packet with `ours` in one direction and something else in the other.
    fn packet(ours: [&str; 4], is_client: bool) -> Vec<u8> {
        let [exchange, cipher, mac, compression] = ours;
        let mut lists = vec![exchange, "ssh-rsa"];
        for own in [cipher, mac, compression] {
            lists.extend(if is_client { [own, "other"] } else { ["other", own] });
        }
        lists.extend(["", ""]);
        let mut body = vec![4, KEY_EXCHANGE];
        body.extend([7; COOKIE_BYTES]);
        for list in lists {
            body.extend((list.len() as u32).to_be_bytes());
            body.extend(list.as_bytes());
        }
        body.extend([0; 9]);
        [&(body.len() as u32).to_be_bytes()[..], &body].concat()
    }

    #[test]
    fn published_fingerprints() {
        let client = [&b"SSH-2.0-libssh2_1.7.0\r\n"[..], &packet(CLIENT.1, true), b"encrypted from here"].concat();
        assert_eq!(
            same_in_any_segments::<Ssh>(Direction::ToResponder, tcp(40_000, 9999), &client),
            [
                "user-agent ssh.client.version SSH-2.0-libssh2_1.7.0",
                "user-agent ssh.client.software libssh2_1.7.0",
                &format!("hassh ssh.client.hassh {}", CLIENT.0),
            ]
        );
        let server = [&b"SSH-2.0-OpenSSH_7.2p2 Ubuntu-4ubuntu2.4\n"[..], &packet(SERVER.1, false)].concat();
        assert_eq!(
            same_in_any_segments::<Ssh>(Direction::ToOriginator, tcp(22, 40_000), &server),
            [
                "user-agent ssh.server.version SSH-2.0-OpenSSH_7.2p2 Ubuntu-4ubuntu2.4",
                "user-agent ssh.server.software OpenSSH_7.2p2",
                &format!("hassh ssh.server.hassh {}", SERVER.0),
            ]
        );
    }

    #[test]
    fn an_alert_of_a_fingerprint_says_the_software() {
        let mut ssh = Ssh::default();
        let mut seen = Vec::new();
        let data = [&b"SSH-1.99-x\r\n"[..], &packet(CLIENT.1, true)].concat();
        ssh.parse(Direction::ToResponder, &data, &tcp(1, 22), &mut |o| seen.push(text_with_fields(&o)));
        assert!(seen[2].ends_with(" ssh.client.version=SSH-1.99-x"), "{seen:?}");
    }

    #[test]
    fn what_is_not_ssh_is_said() {
        assert_eq!(Ssh::probe(b"SSH-2.0-x", &tcp(1, 2)), Probe::Yes);
        assert_eq!(Ssh::probe(b"SS", &tcp(1, 2)), Probe::Unsure);
        assert_eq!(Ssh::probe(b"SSL", &tcp(1, 2)), Probe::No);
        assert_eq!(Ssh::probe(b"SSH-2.0-x", &udp(1, 2)), Probe::No);
        let stopped = |data: &[u8]| {
            let stream = Stream::<Ssh>::of(Direction::ToResponder, tcp(1, 22), data, &[]);
            matches!(stream.ended, Some(Progress::Stopped(_)))
        };
        assert!(stopped(&[&b"SSH-2.0-"[..], &[b'a'; 400]].concat()), "endless line");
        assert!(stopped(b"SSH-2.0-\r\n"), "no software");
        assert!(stopped(b"SSH-2.0-x\r\nGET / HTTP/1.1\r\n\r\n"), "no packet");
        let mut other = packet(CLIENT.1, true);
        other[5] = 21;
        assert!(stopped(&[&b"SSH-2.0-x\r\n"[..], &other].concat()), "no key exchange");
        let mut long = packet(CLIENT.1, true);
        long[22] = 0xFF;
        assert!(stopped(&[&b"SSH-2.0-x\r\n"[..], &long].concat()), "a list past its packet");
        assert!(!stopped(b"SSH-1.5-1.2.27\n\x00\x00\x01"), "SSH 1 ends there");
    }
}
