use aes_gcm::aes::Aes128;
use aes_gcm::aes::cipher::{BlockEncrypt, KeyInit};
use aes_gcm::{AeadInPlace, Aes128Gcm, Nonce};
use proptest::prelude::*;

use super::super::testing::{Hello, text_of, udp};
use super::*;

use Direction::{ToOriginator, ToResponder};

const ID: &[u8] = &[0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];
const CLIENT_ID: &[u8] = b"client";
/// AEAD_AES_128_GCM's tag.
const TAG_BYTES: usize = 16;
const V1: u32 = 1;
const V2: u32 = 0x6b33_43cf;
const T050: u32 = 0x5430_3530;
const T051: u32 = 0x5430_3531;

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<u8> = hexadecimal.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn version(number: u32) -> Version {
    Version::of(number).expect("a version")
}

fn var(value: usize) -> Vec<u8> {
    (value as u32 | 0x8000_0000).to_be_bytes().to_vec()
}

/// An Initial packet as its sender makes it: `header` up to the packet number, of two bytes.
fn seal(keys: &Keys, header: &[u8], number: u32, frames: &[u8], number_bytes: usize) -> Vec<u8> {
    let mut out = header.to_vec();
    out[0] |= number_bytes as u8 - 1;
    out.extend(&number.to_be_bytes()[4 - number_bytes..]);
    let mut nonce = keys.iv;
    nonce.iter_mut().rev().zip(u64::from(number).to_le_bytes()).for_each(|(n, b)| *n ^= b);
    let mut sealed = frames.to_vec();
    let cipher = Aes128Gcm::new(&keys.key.into());
    let tag = cipher.encrypt_in_place_detached(Nonce::from_slice(&nonce), &out, &mut sealed).expect("sealed");
    out.extend(sealed);
    out.extend(tag);
    let sample: [u8; 16] = *out[header.len() + 4..].first_chunk().expect("a sample");
    let mut mask = sample.into();
    Aes128::new(&keys.header.into()).encrypt_block(&mut mask);
    out[0] ^= mask[0] & 15;
    (0..number_bytes).for_each(|i| out[header.len() + i] ^= mask[i + 1]);
    out
}

/// A client's Initial packet.
struct Initial<'a> {
    version: u32,
    /// Where it goes.
    to: &'a [u8],
    /// What the keys are made from.
    id: &'a [u8],
    number: u32,
    token: &'a [u8],
}

impl Default for Initial<'_> {
    fn default() -> Self {
        Self { version: V1, to: ID, id: ID, number: 0, token: b"" }
    }
}

impl Initial<'_> {
    fn seal(&self, frames: &[u8]) -> Vec<u8> {
        let mut header = long(if self.version == V2 { 1 } else { 0 }, self.version, self.to, CLIENT_ID);
        header.extend(var(self.token.len()));
        header.extend(self.token);
        header.extend(var(4 + frames.len() + TAG_BYTES));
        seal(&Keys::of_client(version(self.version), self.id).expect("keys"), &header, self.number, frames, 4)
    }
}

fn long(kind: u8, version: u32, to: &[u8], from: &[u8]) -> Vec<u8> {
    let mut out = vec![0xc0 | kind << 4];
    out.extend(version.to_be_bytes());
    for id in [to, from] {
        out.push(id.len() as u8);
        out.extend(id);
    }
    out
}

fn crypto(stream: &[u8], from: usize, to: usize) -> Vec<u8> {
    [&[CRYPTO][..], &var(from), &var(to - from), &stream[from..to]].concat()
}

fn hello() -> Vec<u8> {
    Hello::browser().message()
}

fn whole() -> Vec<u8> {
    let hello = hello();
    crypto(&hello, 0, hello.len())
}

const SHORT: &[u8] = &[0x41; 40];

/// What is seen, and the last thing said.
fn run(list: &[(Direction, Vec<u8>)]) -> (Vec<String>, Vec<Progress>) {
    let (mut parser, mut seen, mut said) = (Quic::default(), Vec::new(), Vec::new());
    for (direction, datagram) in list {
        let hint = udp(50_000, 443);
        said.push(parser.parse(*direction, datagram, &hint, &mut |o| seen.push(super::super::testing::text_of(&o))));
    }
    (seen, said)
}

fn client(list: &[Vec<u8>]) -> (Vec<String>, Vec<Progress>) {
    run(&list.iter().map(|datagram| (ToResponder, datagram.clone())).collect::<Vec<_>>())
}

fn expected() -> Vec<String> {
    let (seen, _) = client(&[Initial::default().seal(&whole())]);
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[0], "domain-name tls.client.server_name www.example.com");
    assert_eq!(seen[2], "ja4 tls.client.ja4 q13d1516h2_8daaf6152771_e5627efa2ab1");
    seen
}

/// RFC 9001 appendix A.1, RFC 9369 appendix A.1.
#[test]
fn keys_of_the_standards() {
    let v1 = Keys::of_client(version(V1), ID).expect("keys");
    assert_eq!(v1.key.to_vec(), bytes("1f369613dd76d5467730efcbe3b1a22d"));
    assert_eq!(v1.iv.to_vec(), bytes("fa044b2f42a3fd3b46fb255c"));
    assert_eq!(v1.header.to_vec(), bytes("9f50449e04a0e810283a1e9933adedd2"));
    let v1 = Keys::of_server(version(V1), ID).expect("keys");
    assert_eq!(v1.key.to_vec(), bytes("cf3a5331653c364c88f0f379b6067e37"));
    assert_eq!(v1.iv.to_vec(), bytes("0ac1493ca1905853b0bba03e"));
    assert_eq!(v1.header.to_vec(), bytes("c206b8d9b9f0f37644430b490eeaa314"));
    let v2 = Keys::of_client(version(V2), ID).expect("keys");
    assert_eq!(v2.key.to_vec(), bytes("8b1a0bc121284290a29e0971b5cd045d"));
    assert_eq!(v2.iv.to_vec(), bytes("91f73e2351d8fa91660e909f"));
    assert_eq!(v2.header.to_vec(), bytes("45b95e15235d6f45a6b19cbcb0294ba9"));
}

/// RFC 9001 appendix A.2: the plain packet seals to the packet there (its tag covers every byte), and opens again.
#[test]
fn the_client_packet_of_the_standard() {
    let mut frames = bytes(
        "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e868
         04fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578
         616d706c652e636f6dff01000100000a00080006001d00170018001000070005
         04616c706e000500050100000000003300260024001d00209370b2c9caa47fba
         baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b000302030400
         0d0010000e0403050306030203080408050806002d00020101001c0002400100
         3900320408ffffffffffffffff05048000ffff07048000ffff08011001048000
         75300901100f088394c8f03e51570806048000ffff",
    );
    frames.resize(1162, 0);
    let header = bytes("c000000001088394c8f03e5157080000449e");
    let keys = Keys::of_client(version(V1), ID).expect("keys");
    let packet = seal(&keys, &header, 2, &frames, 4);
    assert_eq!(packet.len(), 1200);
    assert_eq!(packet[..32].to_vec(), bytes("c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11"));
    assert_eq!(packet[1184..].to_vec(), bytes("e221af44860018ab0856972e194cd934"));
    let (seen, said) = client(&[packet]);
    assert_eq!(seen[0], "domain-name tls.client.server_name example.com");
    assert!(matches!(said[0], Progress::Consumed { .. }));
}

/// RFC 9001 appendix A.3, whose packet number is encoded in two bytes.
fn server_packet() -> Vec<u8> {
    bytes(
        "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a
         5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3
         dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84
         022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc4
         2158407dd074ee",
    )
}

#[test]
fn the_server_packet_of_the_standard() {
    let packet = server_packet();
    let Some((Packet::Long(long), 135)) = Packet::read(&packet) else { panic!("a long header") };
    let keys = Keys::of_server(version(V1), ID).expect("keys");
    let mut out = Vec::new();
    let (number, frames) = keys.open(&long, 0, &mut out).expect("opened");
    assert_eq!(number, 1);
    assert!(out[frames].starts_with(&bytes("02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf739")));
    assert!(Keys::of_client(version(V1), ID).expect("keys").open(&long, 0, &mut out).is_none());
}

#[test]
fn the_servers_hello() {
    let hello = hello();
    let header = [&long(0, V1, ID, b"")[..], &var(0), &var(4 + 1100 + TAG_BYTES)].concat();
    let mut frames = crypto(&hello, 0, hello.len());
    frames.resize(1100, 0);
    let first = seal(&Keys::of_client(version(V1), ID).expect("keys"), &header, 0, &frames, 4);
    let (seen, said) = run(&[(ToResponder, first.clone()), (ToOriginator, server_packet())]);
    assert_eq!(seen[..3], expected());
    assert_eq!(seen[3..], ["ja3s tls.server.ja3s eb1d94daa7e0344597e756a1fb6e7054"]);
    assert!(matches!(said[1], Progress::Consumed { .. }));
    // Nobody looks for it: not opened, so not found to be damaged either.
    let mut parser = Quic::default();
    let mut damaged = server_packet();
    damaged[100] ^= 1;
    for (hint, reads) in [(Hint { wants: Wants::default(), ..udp(1, 2) }, false), (udp(1, 2), true)] {
        parser.parse(ToResponder, &first, &hint, &mut |_| {});
        let before = parser.sides.as_ref().is_some_and(|sides| sides[1].answer.is_some());
        parser.parse(ToOriginator, &damaged, &hint, &mut |_| panic!("nothing is seen"));
        parser.parse(ToOriginator, &server_packet(), &hint, &mut |_| {});
        assert!(!before && parser.sides.as_ref().is_some_and(|sides| sides[1].answer.is_some() == reads));
    }
}

#[test]
fn every_version() {
    let expected = expected();
    let drafts = (22..=34).map(|draft| 0xff00_0000 | draft);
    for version in drafts.chain([V1, V2, 0xface_b001, 0xface_b002, 0xface_b00e, T050, T051]) {
        let mut frames = whole();
        if [T050, T051].contains(&version) {
            frames[0] = GOOGLE_CRYPTO;
        }
        let packet = Initial { version, ..Initial::default() }.seal(&frames);
        assert_eq!(Quic::probe(&packet, &udp(50_000, 8443)), Probe::Yes, "{version:x}");
        assert_eq!(client(&[packet]).0, expected, "{version:x}");
    }
}

/// RFC 9287: a peer that allows it may be sent packets without the fixed bit.
#[test]
fn state_is_accounted_for_and_given_up() {
    let mut parser = Quic::default();
    assert_eq!(parser.account(), Account::default());
    let hello = hello();
    let half = |number: u32, from: usize, to: usize| {
        Initial { version: V1, to: ID, id: ID, number, token: b"" }.seal(&crypto(&hello, from, to))
    };
    let (first, rest) = (half(0, 0, hello.len() / 2), half(1, hello.len() / 2, hello.len()));
    let offer = |parser: &mut Quic, packet: &[u8]| {
        let mut seen = Vec::new();
        parser.parse(ToResponder, packet, &udp(50_000, 443), &mut |o| seen.push(text_of(&o)));
        seen
    };
    assert!(offer(&mut parser, &first).is_empty());
    assert!(parser.account().memory_bytes > hello.len() / 2 && parser.unfinished().is_some());
    parser.shed();
    assert_eq!((parser.account(), parser.unfinished()), (Account::default(), None));
    // The rest alone tells nothing; both do again.
    assert!(offer(&mut parser, &rest).is_empty());
    assert_eq!(offer(&mut parser, &first), expected());
    parser.end_direction(ToResponder);
    assert!(parser.account().memory_bytes > 0);
    parser.end_direction(ToOriginator);
    assert_eq!(parser.account(), Account::default());
}

#[test]
fn without_the_fixed_bit() {
    let hello = hello();
    let mut header = [&long(0, V1, ID, CLIENT_ID)[..], &var(0), &var(4 + 900 + TAG_BYTES)].concat();
    header[0] &= 0xbf;
    let mut frames = crypto(&hello, 0, hello.len());
    frames.resize(900, 0);
    let packet = seal(&Keys::of_client(version(V1), ID).expect("keys"), &header, 0, &frames, 4);
    assert_eq!(Quic::probe(&packet, &udp(1, 2)), Probe::Yes);
    assert_eq!(Quic::probe(&packet[..200], &udp(1, 2)), Probe::No);
    assert_eq!(client(&[packet]).0, expected());
}

#[test]
fn a_hello_over_datagrams_in_disorder_and_repeated() {
    let hello = hello();
    let third = hello.len() / 3;
    let part = |number: u32, from, to| Initial { number, ..Initial::default() }.seal(&crypto(&hello, from, to));
    let list =
        [part(2, 2 * third, hello.len()), part(1, third, 2 * third), part(3, third, 2 * third), part(0, 0, third)];
    let (seen, said) = client(&list);
    assert_eq!(seen, expected());
    assert_eq!(said[2], Progress::Damaged { bytes: list[2].len(), need: 0, reason: INCOMPLETE });
    assert!(matches!(said[3], Progress::Consumed { .. }));
}

#[test]
fn a_hello_of_scrambled_frames_among_others() {
    let hello = hello();
    let mut frames = bytes("00 01 02 05 00 00 05 03 05 00 01 00 01 02 03 00 01");
    let mut cuts: Vec<usize> = (0..hello.len()).step_by(17).chain([hello.len()]).collect();
    cuts.dedup();
    let mut pieces: Vec<_> = cuts.windows(2).map(|w| crypto(&hello, w[0], w[1])).collect();
    pieces.rotate_left(7);
    pieces.reverse();
    frames.extend(pieces.concat());
    frames.extend([0; 50]);
    assert_eq!(client(&[Initial::default().seal(&frames)]).0, expected());
}

#[test]
fn a_post_quantum_hello() {
    let mut hello = Hello::browser();
    hello.extensions.insert(1, (0x33, vec![7; 1300]));
    let hello = hello.message();
    let first = Initial::default().seal(&crypto(&hello, 0, 1100));
    let second = Initial { number: 1, ..Initial::default() }.seal(&crypto(&hello, 1100, hello.len()));
    let (seen, _) = client(&[second, first]);
    assert_eq!(seen[0], "domain-name tls.client.server_name www.example.com");
}

#[test]
fn both_in_one_datagram_behind_0rtt() {
    let hello = hello();
    let mut zero_rtt = long(1, V1, ID, CLIENT_ID);
    zero_rtt.extend(var(30));
    zero_rtt.extend([9; 30]);
    let datagram = [
        Initial::default().seal(&crypto(&hello, 0, 100)),
        zero_rtt,
        Initial { number: 1, ..Initial::default() }.seal(&crypto(&hello, 100, hello.len())),
        vec![0; 20],
    ];
    let (seen, said) = client(&[datagram.concat()]);
    assert_eq!(seen, expected());
    assert!(matches!(said[0], Progress::Consumed { .. }));
}

/// After the server's first answer its id is used, and the keys stay; after a Retry they do not.
#[test]
fn new_ids() {
    let hello = hello();
    let first = Initial::default().seal(&crypto(&hello, 0, 100));
    let rest = crypto(&hello, 100, hello.len());
    let same_keys = Initial { to: b"server's", number: 1, ..Initial::default() }.seal(&rest);
    assert_eq!(client(&[first.clone(), same_keys]).0, expected());
    let mut retry = long(3, V1, CLIENT_ID, b"after retry");
    retry.extend([5; 40]);
    let again = Initial { to: b"after retry", id: b"after retry", number: 1, token: b"token", ..Initial::default() };
    let (seen, said) = run(&[(ToResponder, first), (ToOriginator, retry), (ToResponder, again.seal(&whole()))]);
    assert_eq!(seen, expected());
    assert!(said.iter().all(|said| matches!(said, Progress::Consumed { .. })));
}

#[test]
fn another_version() {
    let mut negotiation = long(0, 0, CLIENT_ID, ID);
    negotiation.extend(0x1a2a_3a4a_u32.to_be_bytes());
    negotiation.extend(V2.to_be_bytes());
    assert_eq!(Quic::probe(&negotiation, &udp(443, 50_000)), Probe::Yes);
    let hello = hello();
    let first = Initial::default().seal(&crypto(&hello, 0, 100));
    let anew = Initial { version: V2, to: b"anew anew", id: b"anew anew", ..Initial::default() }.seal(&whole());
    assert_eq!(run(&[(ToResponder, first.clone()), (ToOriginator, negotiation), (ToResponder, anew)]).0, expected());
    // Compatible: the keys are the new version's, of the old id.
    let rest = crypto(&hello, 100, hello.len());
    let changed = Initial { version: V2, to: b"server's", number: 1, ..Initial::default() }.seal(&rest);
    assert_eq!(client(&[first, changed]).0, expected());
}

/// A second hello answers a HelloRetryRequest.
#[test]
fn a_second_hello() {
    let (first, stream) = (hello(), [hello(), hello()].concat());
    let again = Initial { number: 9, to: b"server's", ..Initial::default() };
    let list = [Initial::default().seal(&whole()), again.seal(&crypto(&stream, first.len(), stream.len()))];
    assert_eq!(client(&list).0, [expected(), expected()].concat());
}

#[test]
fn two_connections_that_interleave() {
    let hello = hello();
    let (a, b) = (b"first one", b"other one");
    let half = |id: &'static [u8], number, from, to| {
        Initial { to: id, id, number, ..Initial::default() }.seal(&crypto(&hello, from, to))
    };
    let list = [half(a, 0, 0, 90), half(b, 0, 0, 80), half(a, 1, 90, hello.len()), half(b, 1, 80, hello.len())];
    assert_eq!(client(&list).0, [expected(), expected()].concat());
}

#[test]
fn later_packets_end_it() {
    let first = Initial::default().seal(&whole());
    let mut handshake = long(2, V1, ID, CLIENT_ID);
    handshake.extend(var(30));
    handshake.extend([9; 30]);
    for later in [SHORT.to_vec(), handshake] {
        let list = [(ToResponder, first.clone()), (ToOriginator, later.clone()), (ToResponder, later)];
        assert_eq!(run(&list).1[1..], [Progress::DoneDirection; 2]);
    }
}

/// Junk before the rest of a hello hides nothing; what is whole of a hello whose rest never comes is shown.
#[test]
fn a_later_packet_before_the_rest() {
    let hello = hello();
    let half = Initial::default().seal(&crypto(&hello, 0, hello.len() - 5));
    let rest = Initial { number: 1, ..Initial::default() }.seal(&crypto(&hello, hello.len() - 5, hello.len()));
    let (seen, said) = client(&[half, SHORT.to_vec(), rest]);
    assert_eq!(said[1], Progress::Damaged { bytes: SHORT.len(), need: 0, reason: INCOMPLETE });
    assert_eq!(seen[0], expected()[0]);
    assert_eq!(seen[1..], expected());
}

#[test]
fn what_never_brings_a_hello_ends() {
    let (_, said) = client(&vec![SHORT.to_vec(); usize::from(MAX_FRUITLESS) + 1]);
    assert!(matches!(said[usize::from(MAX_FRUITLESS) - 1], Progress::Damaged { .. }));
    assert_eq!(said[usize::from(MAX_FRUITLESS)], Progress::DoneDirection);
    let mut foreign = Initial::default().seal(&whole());
    foreign[60] ^= 1;
    let (seen, said) = client(&vec![foreign; usize::from(MAX_FRUITLESS) + 1]);
    assert!(seen.is_empty() && matches!(said[0], Progress::Damaged { .. }));
    assert_eq!(said[usize::from(MAX_FRUITLESS)], Progress::DoneDirection);
}

#[test]
fn a_datagram_of_many_initial_packets() {
    let hello = hello();
    let parts =
        (0..8).map(|i| Initial { number: i as u32, ..Initial::default() }.seal(&crypto(&hello, 9 * i, 9 * i + 9)));
    let (_, said) = client(&[parts.collect::<Vec<_>>().concat()]);
    assert!(matches!(said[0], Progress::Damaged { reason: "QUIC datagram of too many Initial packets", .. }));
}

#[test]
fn a_servers_packets_are_not_a_clients() {
    let hello = hello();
    let first = Initial::default().seal(&crypto(&hello, 0, 100));
    let header = [&long(0, V1, CLIENT_ID, b"server's")[..], &var(0), &var(4 + 50 + TAG_BYTES)].concat();
    let answer = seal(&Keys::of_server(version(V1), ID).expect("keys"), &header, 0, &[PING; 50], 4);
    let (_, said) = run(&[(ToResponder, first.clone()), (ToOriginator, answer.clone())]);
    assert!(matches!(said[1], Progress::Consumed { .. }));
    // As a client's, it does not open.
    let (_, said) = run(&[(ToOriginator, answer), (ToResponder, first)]);
    assert!(matches!(said[0], Progress::Damaged { reason: UNOPENED, .. }));
}

#[test]
fn probe_is_strict() {
    let packet = Initial::default().seal(&whole());
    assert_eq!(Quic::probe(&packet, &udp(1, 2)), Probe::Yes);
    assert_eq!(Quic::probe(&packet, &super::super::testing::tcp(1, 2)), Probe::No);
    assert_eq!(Quic::probe(&packet[..6], &udp(1, 2)), Probe::No);
    assert_eq!(Quic::probe(SHORT, &udp(1, 2)), Probe::No);
    // DNS queries whose flags and first count look like versions 0 and 1.
    assert_eq!(
        Quic::probe(b"\xc0\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\0\0\x01\0\x01", &udp(1, 2)),
        Probe::No
    );
    assert_eq!(
        Quic::probe(b"\xc0\x00\x00\x00\x01\x21\x00\x00\x00\x00\x00\x00\x01a\0\0\x01\0\x01", &udp(1, 2)),
        Probe::No
    );
}

proptest! {
    #[test]
    fn cut_anywhere_in_any_order(mut cuts in prop::collection::vec(1usize..500, 0..9), turn in 0usize..9, reverse: bool) {
        let hello = hello();
        cuts.retain(|cut| *cut < hello.len());
        cuts.extend([0, hello.len()]);
        cuts.sort_unstable();
        cuts.dedup();
        let mut list: Vec<_> = cuts
            .windows(2)
            .zip(0..)
            .map(|(w, number)| Initial { number, ..Initial::default() }.seal(&crypto(&hello, w[0], w[1])))
            .collect();
        let turn = turn % list.len();
        list.rotate_left(turn);
        if reverse {
            list.reverse();
        }
        prop_assert_eq!(client(&list).0, expected());
    }

    #[test]
    fn hostile_frames(frames in prop::collection::vec(any::<u8>(), 4..200), again in prop::collection::vec(any::<u8>(), 4..90)) {
        client(&[Initial::default().seal(&frames), Initial { number: 1, ..Initial::default() }.seal(&again)]);
    }

    #[test]
    fn damage_never_panics(at in 0usize..700, with: u8, cut in 0usize..900) {
        let mut packet = Initial::default().seal(&whole());
        if let Some(byte) = packet.get_mut(at) {
            *byte ^= with;
        }
        packet.truncate(cut);
        let _ = Quic::probe(&packet, &udp(1, 2));
        client(&[packet]);
    }

    /// Against the definition: the number with these last bytes that is nearest to what is expected.
    #[test]
    fn packet_numbers(expected in 300u64..1 << 40, ahead in -100i64..100) {
        let number = expected.wrapping_add_signed(ahead);
        prop_assert_eq!(keys::whole_number(number & 0xff, 1, expected), number);
        prop_assert_eq!(keys::whole_number(number & 0xffff, 2, expected), number);
    }
}
