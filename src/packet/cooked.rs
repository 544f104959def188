//! Linux "cooked" captures (SLL, SLL2) and BSD loopback (NULL, LOOP).

use super::ethernet::ether_type;
use super::{Cursor, ErrorKind, Layer, Next, Step};

/// LINUX_SLL: 16 bytes, the protocol last (<https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html>).
pub(super) fn sll(cursor: &mut Cursor<'_>) -> Step {
    cursor.skip(Layer::Sll, 14)?;
    let number = cursor.reader.u16().ok_or((Layer::Sll, ErrorKind::Truncated))?;
    linux_protocol(number)
}

/// LINUX_SLL2: 20 bytes, the protocol first (<https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html>).
pub(super) fn sll2(cursor: &mut Cursor<'_>) -> Step {
    let number = cursor.reader.u16().ok_or((Layer::Sll2, ErrorKind::Truncated))?;
    cursor.skip(Layer::Sll2, 18)?;
    linux_protocol(number)
}

/// Linux numbers what has no ethertype: 4 is LLC.
fn linux_protocol(number: u16) -> Step {
    match number {
        4 => Ok(Next::Llc),
        number => ether_type(number),
    }
}

/// Four bytes of address family, in the byte order of the machine that captured (NULL) or of the network (LOOP); the
/// family is small, so the order shows.
pub(super) fn loopback(cursor: &mut Cursor<'_>) -> Step {
    let word = cursor.reader.u32().ok_or((Layer::Loopback, ErrorKind::Truncated))?;
    let family = if word > 0xffff { word.swap_bytes() } else { word };
    match family {
        2 => Ok(Next::Ipv4),
        // IPv6 has another number on Linux, NetBSD and OpenBSD, FreeBSD, Darwin.
        10 | 24 | 28 | 30 => Ok(Next::Ipv6),
        _ => Err((Layer::Loopback, ErrorKind::Family(family))),
    }
}
