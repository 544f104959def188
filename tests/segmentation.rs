//! How a stream is cut into segments changes no alert: every fixture that holds plain TCP (in order, nothing lost or sent twice)
//! is replayed as it is, in segments of one byte, with its segments in reverse order, and with each sent twice, and must give the
//! same alerts: indicator, field, value, conversation.
//!
//! Fixtures are found, not listed: a new protocol's are covered without a line here. Flows that are not plain stay as they are;
//! so do frames that are not Ethernet with IP right inside.
//!
//! Seen to fail: with a piece of each reversed run left out, with `MAX_PROBES` at 2, and the unit tests at the end.

mod common;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::net::IpAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{FEED, RULES, failures, file, runs};
use picket::capture::{Batch, Files, Source};
use picket::feed;
use picket::indicator::IndicatorSet;
use picket::matcher::MatchSet;
use picket::packet::{self, LinkType, protocol, tcp_flag};
use picket::pipeline::{Options, replay};

/// Fixtures that hold something to cut, at least: less means that this test sees nothing any more.
const LEAST_REWRITTEN: usize = 60;

/// Segments that a run of segments is cut into at most when it is reversed: more than may wait behind a hole are given up.
const MAX_REVERSED: usize = 200;

/// What depends on where segments start, because only there a stream picked up in its middle, or a protocol that follows an unknown
/// one, can be recognised; and a whole request of a framed protocol that is only seen to be none by what follows in its segment.
const BY_SEGMENT: [&str; 3] = ["ics-modbus-foreign", "smtp-mid-stream", "starttls-unknown"];

#[test]
fn however_it_is_cut_it_gives_the_same_alerts() {
    let set = compiled();
    let folder = tempfile::tempdir().expect("folder");
    let runs: Vec<_> = runs().into_iter().collect();
    let rewritten = std::sync::atomic::AtomicUsize::new(0);
    let failed = failures(&runs, |(name, files)| {
        let frames = read(files);
        let segments = plain_segments(&frames);
        if segments.iter().all(Option::is_none) || BY_SEGMENT.contains(&name.as_str()) {
            return Ok(());
        }
        rewritten.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let variant = |how: &str, frames: &[Frame]| {
            let path = folder.path().join(format!("{name}-{how}.pcap"));
            write(&path, frames);
            let alerts = alerts(&path, &set);
            fs::remove_file(path).expect("removed");
            alerts
        };
        let as_it_is = variant("as-it-is", &frames);
        let mut problems = Vec::new();
        for (how, frames) in [
            ("one byte a segment", one_byte_a_segment(&frames, &segments)),
            ("reversed", reversed(&frames, &segments)),
            ("twice", twice(&frames, &segments)),
        ] {
            let now = variant(how, &frames);
            problems.extend(as_it_is.difference(&now).map(|alert| format!("{name}, {how}: missing {alert:?}")));
            problems.extend(now.difference(&as_it_is).map(|alert| format!("{name}, {how}: too much {alert:?}")));
        }
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
    });
    assert!(failed.is_empty(), "{} fixtures of {} fail\n{}", failed.len(), runs.len(), failed.join("\n"));
    let rewritten = rewritten.into_inner();
    assert!(rewritten >= LEAST_REWRITTEN, "only {rewritten} fixtures hold plain TCP");
}

/// What of an alert must stay: indicator, field, value, conversation, who opened it.
type Found = (String, &'static str, String, Option<String>, (IpAddr, u16));

fn compiled() -> Arc<MatchSet> {
    let mut indicators = IndicatorSet::default();
    let feeds: Vec<PathBuf> = [FEED, RULES[0], RULES[1]].map(file).into();
    feed::load(&feeds, &feed::Options::default(), &mut indicators).expect("loads");
    Arc::new(MatchSet::compile(indicators, IndicatorSet::default()))
}

fn alerts(capture: &Path, set: &Arc<MatchSet>) -> BTreeSet<Found> {
    let options = Options { max_flows: 4096, ..Options::default() };
    let run = replay(Files::open(&[capture.to_path_buf()]).expect("opens"), Arc::clone(set), &options);
    let found = run.alerts.iter().map(|alert| {
        let id = alert.indicator().id().into_owned();
        (id, alert.field.0, alert.atomic.clone(), alert.community_id(), alert.flow.originator)
    });
    let found = found.collect();
    run.finish();
    found
}

/// A captured frame.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Frame {
    time_ns: u64,
    link: LinkType,
    wire_bytes: u32,
    bytes: Vec<u8>,
}

/// Every frame of a run's files, in order.
fn read(files: &[String]) -> Vec<Frame> {
    let paths: Vec<PathBuf> = files.iter().map(|path| file(path)).collect();
    let mut files = Files::open(&paths).expect("opens");
    let (mut batch, mut frames) = (Batch::default(), Vec::new());
    while files.poll(&mut batch) {
        frames.extend(batch.frames.iter().map(|meta| Frame {
            time_ns: meta.time.as_ns(),
            link: meta.link,
            wire_bytes: meta.wire_bytes,
            bytes: batch.data[meta.offset..][..meta.captured_bytes as usize].to_vec(),
        }));
    }
    frames
}

/// A capture file of one link type, in nanoseconds.
fn write(path: &Path, frames: &[Frame]) {
    let mut out = Vec::new();
    let link = frames.first().map_or(LinkType::ETHERNET, |frame| frame.link);
    for word in [0xa1b2_3c4d, 0x0004_0002, 0, 0, 1 << 18, u32::from(link.0)] {
        out.extend(u32::to_le_bytes(word));
    }
    for frame in frames {
        let (s, ns) = (frame.time_ns / 1_000_000_000, frame.time_ns % 1_000_000_000);
        for word in [s as u32, ns as u32, frame.bytes.len() as u32, frame.wire_bytes] {
            out.extend(word.to_le_bytes());
        }
        out.extend_from_slice(&frame.bytes);
    }
    fs::write(path, out).expect("written");
}

/// One direction of a conversation: from, to, VLANs.
type Lane = ((IpAddr, u16), (IpAddr, u16), u32);

/// A TCP segment with data, and where it lies in its frame.
#[derive(Debug, Clone)]
struct Segment {
    lane: Lane,
    ip_at: usize,
    tcp_at: usize,
    payload: Range<usize>,
    sequence: u32,
    flags: u8,
    /// Whether the stream's place is known before it: a SYN or other data came.
    is_placed: bool,
    /// It and those with the same number were sent one after the other, with nothing said in between.
    run: usize,
}

/// For each frame, its segment, if it has data and its whole conversation is plain.
fn plain_segments(frames: &[Frame]) -> Vec<Option<Segment>> {
    let mut segments: Vec<Option<Segment>> = vec![None; frames.len()];
    if frames.iter().any(|frame| frame.link != LinkType::ETHERNET) {
        return segments;
    }
    let mut next: HashMap<Lane, u32> = HashMap::new();
    let mut run_of: HashMap<Lane, usize> = HashMap::new();
    let mut odd: BTreeSet<Lane> = BTreeSet::new();
    for (at, frame) in frames.iter().enumerate() {
        let packet = packet::decode(&frame.bytes, frame.link);
        if packet.protocol != protocol::TCP || packet.ip_version == 0 {
            continue;
        }
        let ends = [(packet.source.ip(), packet.source_port), (packet.destination.ip(), packet.destination_port)];
        let lane = (ends[0], ends[1], packet.vlan_key);
        let back = (ends[1], ends[0], packet.vlan_key);
        let Some((ip_at, tcp_at)) = headers(frame, &packet) else {
            odd.extend([lane, back]);
            continue;
        };
        let is_syn = packet.has(tcp_flag::SYN);
        let data_at = packet.sequence.wrapping_add(u32::from(is_syn));
        if is_syn {
            next.insert(lane, data_at);
        }
        if packet.tcp_flags & (tcp_flag::SYN | tcp_flag::FIN | tcp_flag::RST) != 0 || packet.payload_bytes > 0 {
            // The other direction's next bytes answer these.
            run_of.remove(&back);
        }
        if packet.payload_bytes == 0 {
            continue;
        }
        let is_placed = next.contains_key(&lane);
        let expected = *next.entry(lane).or_insert(data_at);
        if expected != data_at || packet.has(tcp_flag::URG) {
            odd.extend([lane, back]);
        }
        next.insert(lane, data_at.wrapping_add(packet.payload_bytes));
        if is_syn {
            continue;
        }
        let payload = packet.payload_at as usize..(packet.payload_at + packet.payload_bytes) as usize;
        let run = *run_of.entry(lane).or_insert(at);
        let (sequence, flags) = (packet.sequence, packet.tcp_flags);
        segments[at] = Some(Segment { lane, ip_at, tcp_at, payload, sequence, flags, is_placed, run });
    }
    for segment in &mut segments {
        if segment.as_ref().is_some_and(|segment| odd.contains(&segment.lane)) {
            *segment = None;
        }
    }
    segments
}

/// Where IP and TCP begin, if the frame is Ethernet with IP right inside and holds it whole.
fn headers(frame: &Frame, packet: &packet::Packet) -> Option<(usize, usize)> {
    let ip_at = 14 + 4 * usize::from(packet.vlan_count);
    let ip = frame.bytes.get(ip_at..)?;
    let word = |at: usize| Some(usize::from(u16::from_be_bytes([*ip.get(at)?, *ip.get(at + 1)?])));
    let (ip_bytes, tcp_at, source) = match (ip.first()? >> 4, packet.ip_version) {
        (4, 4) => (word(2)?, usize::from(ip[0] & 15) * 4, IpAddr::from(<[u8; 4]>::try_from(ip.get(12..16)?).ok()?)),
        (6, 6) if ip.get(6) == Some(&protocol::TCP) => {
            (40 + word(4)?, 40, IpAddr::from(<[u8; 16]>::try_from(ip.get(8..24)?).ok()?))
        }
        _ => return None,
    };
    let end = (packet.payload_at + packet.payload_bytes) as usize;
    let is_whole = packet.stopped.is_none() && !packet.is_fragment && packet.payload_missing_bytes == 0;
    (is_whole && source == packet.source.ip() && ip_at + ip_bytes == end).then_some((ip_at, ip_at + tcp_at))
}

/// The part of a segment's bytes from `from` to `to` as a segment of its own.
fn part(frame: &Frame, segment: &Segment, part: Range<usize>) -> Frame {
    let length = segment.payload.len();
    let mut bytes = frame.bytes[..segment.payload.start].to_vec();
    bytes.extend_from_slice(&frame.bytes[segment.payload.clone()][part.clone()]);
    let put = |bytes: &mut Vec<u8>, at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    let ip_bytes = bytes.len() - segment.ip_at;
    if bytes[segment.ip_at] >> 4 == 4 {
        put(&mut bytes, segment.ip_at + 2, &(ip_bytes as u16).to_be_bytes());
    } else {
        put(&mut bytes, segment.ip_at + 4, &(ip_bytes as u16 - 40).to_be_bytes());
    }
    put(&mut bytes, segment.tcp_at + 4, &segment.sequence.wrapping_add(part.start as u32).to_be_bytes());
    if part.end < length {
        bytes[segment.tcp_at + 13] = segment.flags & !(tcp_flag::FIN | tcp_flag::RST);
    }
    Frame { wire_bytes: bytes.len() as u32, bytes, ..frame.clone() }
}

fn one_byte_a_segment(frames: &[Frame], segments: &[Option<Segment>]) -> Vec<Frame> {
    let cut = |(frame, segment): (&Frame, &Option<Segment>)| match segment {
        None => vec![frame.clone()],
        Some(segment) => (0..segment.payload.len()).map(|at| part(frame, segment, at..at + 1)).collect(),
    };
    frames.iter().zip(segments).flat_map(cut).collect()
}

fn twice(frames: &[Frame], segments: &[Option<Segment>]) -> Vec<Frame> {
    let repeat = |(frame, segment): (&Frame, &Option<Segment>)| vec![frame.clone(); 1 + usize::from(segment.is_some())];
    frames.iter().zip(segments).flat_map(repeat).collect()
}

/// Each run cut into some segments, which arrive, the last first, where its last segment did. One whose place nothing told before
/// stays: its first segment would set the place.
fn reversed(frames: &[Frame], segments: &[Option<Segment>]) -> Vec<Frame> {
    let of_run = |run: usize| {
        segments.iter().enumerate().filter_map(move |(at, s)| Some((at, s.as_ref().filter(|s| s.run == run)?)))
    };
    let mut out = Vec::new();
    for (at, (frame, segment)) in frames.iter().zip(segments).enumerate() {
        let Some(run) = segment.as_ref().map(|segment| segment.run) else {
            out.push(frame.clone());
            continue;
        };
        if of_run(run).next().is_some_and(|(_, first)| !first.is_placed) {
            out.push(frame.clone());
            continue;
        }
        if of_run(run).next_back().is_some_and(|(last, _)| last != at) {
            continue;
        }
        let total: usize = of_run(run).map(|(_, segment)| segment.payload.len()).sum();
        let step = total.div_ceil(MAX_REVERSED).max(4);
        let mut pieces = Vec::new();
        for (place, segment) in of_run(run) {
            let length = segment.payload.len();
            let cut = |from: usize| part(&frames[place], segment, from..(from + step).min(length));
            pieces.extend((0..length).step_by(step).map(cut));
        }
        out.extend(pieces.into_iter().rev().map(|piece| Frame { time_ns: frame.time_ns, ..piece }));
    }
    out
}

#[test]
fn the_variants_are_the_same_stream_cut_otherwise() {
    let frames = read(&["fixtures/pcaps/tcp-conversation.pcap".to_string()]);
    let segments = plain_segments(&frames);
    let bytes = |frames: &[Frame]| -> Vec<(u32, Vec<u8>)> {
        let pieces = frames.iter().map(|frame| {
            let packet = packet::decode(&frame.bytes, frame.link);
            (packet.sequence, packet.payload(&frame.bytes).to_vec())
        });
        pieces.filter(|(_, data)| !data.is_empty()).collect()
    };
    let original = bytes(&frames);
    let total: usize = original.iter().map(|(_, data)| data.len()).sum();
    let singles = bytes(&one_byte_a_segment(&frames, &segments));
    assert_eq!((singles.len(), singles.iter().all(|(_, data)| data.len() == 1)), (total, true));
    assert_eq!(singles[3], (original[0].0 + 3, vec![original[0].1[3]]));
    assert_eq!(bytes(&twice(&frames, &segments)).len(), 2 * original.len());
    let mut backward = bytes(&reversed(&frames, &segments));
    assert!(backward[0].0 > backward[1].0, "the last comes first");
    assert_ne!(backward[0].0, original[0].0);
    backward.sort();
    let first: Vec<u8> = backward.iter().filter(|(at, _)| *at < 5000).flat_map(|(_, data)| data.clone()).collect();
    assert_eq!(first, original[0].1, "and all of it");
}

#[test]
fn what_is_not_plain_stays_as_it_is() {
    for name in ["tcp-gap", "tcp-overlap-delivered", "tcp-out-of-order", "dns-query-a", "link-sll"] {
        let frames = read(&[format!("fixtures/pcaps/{name}.pcap")]);
        let segments = plain_segments(&frames);
        assert!(segments.iter().all(Option::is_none), "{name}");
        assert_eq!(one_byte_a_segment(&frames, &segments), frames);
    }
}
