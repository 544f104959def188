//! Programs in the kernel's classic filter language: which frames get into a ring, and which worker's ring it is.

use libc::sock_filter;

use crate::capture::libpcap;
use crate::capture::live::{LiveError, LiveOptions};
use crate::packet::LinkType;

/// Accepts no frame.
pub(super) const NOTHING: [sock_filter; 1] = [accept(0)];

/// The filter that was asked for, or one that lets all through; either cuts frames to the snap length.
///
/// # Errors
/// libpcap does not understand it.
pub(super) fn filter(name: &str, link: LinkType, options: &LiveOptions) -> Result<Vec<sock_filter>, LiveError> {
    let Some(filter) = &options.filter else { return Ok(vec![accept(options.snap_bytes)]) };
    let instructions = libpcap::compile(name, link, filter)?;
    Ok(instructions
        .into_iter()
        .map(|(code, jt, jf, k)| match (code, k) {
            (RETURN, 1..) => accept(options.snap_bytes),
            _ => sock_filter { code, jt, jf, k },
        })
        .collect())
}

/// A number that is the same for all that two hosts exchange, in IPv4 or IPv6, behind at most one VLAN tag that is still in
/// the frame (the kernel takes the first one off); 0 for everything else. The kernel takes it modulo the number of workers.
pub(super) fn by_hosts() -> Vec<sock_filter> {
    let (v4, v6) = (fold(&[12, 16]), fold(&[8, 12, 16, 20, 24, 28, 32, 36]));
    let mix = [op(MULTIPLY, 0, 0, 0x9e37_79b1), op(SHIFT_RIGHT, 0, 0, 16), op(RETURN_ACCUMULATOR, 0, 0, 0)];
    let (v4_count, v6_count) = (v4.len() as u8, v6.len() as u8);
    let mut out = vec![
        op(LOAD, 0, 0, OF_PACKET_PROTOCOL),
        op(SET_INDEX, 0, 0, 0),
        op(JUMP_EQUAL, 1, 0, libc::ETH_P_8021Q as u32),
        op(JUMP_EQUAL, 0, 2, libc::ETH_P_8021AD as u32),
        op(LOAD_HALF, 0, 0, NETWORK + 2),
        op(SET_INDEX, 0, 0, 4),
        op(STORE_INDEX, 0, 0, HEADER_AT),
        op(JUMP_EQUAL, 0, v4_count + 1, libc::ETH_P_IP as u32),
    ];
    out.extend(v4);
    out.push(op(JUMP, 0, 0, u32::from(v6_count) + 1));
    out.push(op(JUMP_EQUAL, 0, v6_count + mix.len() as u8, libc::ETH_P_IPV6 as u32));
    out.extend(v6);
    out.extend(mix);
    out.push(accept(0));
    out
}

/// All words at these places of the IP header, in one by exclusive or: so both directions give the same.
fn fold(places: &[u32]) -> Vec<sock_filter> {
    let mut out = vec![op(SET, 0, 0, 0), op(STORE, 0, 0, SUM)];
    for place in places {
        out.extend([
            op(LOAD_INDEX, 0, 0, HEADER_AT),
            op(LOAD_AT_INDEX, 0, 0, NETWORK + place),
            op(LOAD_INDEX, 0, 0, SUM),
            op(XOR_INDEX, 0, 0, 0),
            op(STORE, 0, 0, SUM),
        ]);
    }
    out
}

const fn op(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

const fn accept(bytes: u32) -> sock_filter {
    op(RETURN, 0, 0, bytes)
}

/// Cells of the program's memory.
const SUM: u32 = 0;
const HEADER_AT: u32 = 1;

/// Where a load means the packet's network header (`SKF_NET_OFF`), and what the kernel knows of it (`SKF_AD_OFF`).
const NETWORK: u32 = libc::SKF_NET_OFF as u32;
const OF_PACKET_PROTOCOL: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_PROTOCOL) as u32;

const SET: u16 = 0x00;
const SET_INDEX: u16 = 0x01;
const STORE: u16 = 0x02;
const STORE_INDEX: u16 = 0x03;
const JUMP: u16 = 0x05;
const RETURN: u16 = 0x06;
const JUMP_EQUAL: u16 = 0x15;
const RETURN_ACCUMULATOR: u16 = 0x16;
const LOAD: u16 = 0x20;
const MULTIPLY: u16 = 0x24;
const LOAD_HALF: u16 = 0x28;
const LOAD_AT_INDEX: u16 = 0x40;
const LOAD_INDEX: u16 = 0x61;
const SHIFT_RIGHT: u16 = 0x74;
const XOR_INDEX: u16 = 0xac;
