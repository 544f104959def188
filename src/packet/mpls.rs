//! MPLS label stacks (RFC 3032). What follows the bottom label is told by its first four bits (RFC 4928), and by whether it looks
//! like Ethernet: a pseudowire may go without a control word, and then a hardware address comes first.

use super::tunnel::plausible;
use super::{Cursor, ErrorKind, Layer, MAX_LAYERS, Next, Step};

pub(super) fn mpls(cursor: &mut Cursor<'_>) -> Step {
    for _ in 0..MAX_LAYERS {
        let entry = cursor.reader.u32().ok_or((Layer::Mpls, ErrorKind::Truncated))?;
        let is_bottom = entry & 0x100 != 0;
        if is_bottom {
            return behind(cursor);
        }
    }
    Err((Layer::Mpls, ErrorKind::TooDeep))
}

/// What the bottom label is about.
fn behind(cursor: &mut Cursor<'_>) -> Step {
    let rest = cursor.rest();
    let room = rest.len() + cursor.missing_bytes as usize;
    let is_ethernet_behind = |skipped: usize| {
        rest.get(skipped..).is_some_and(|frame| plausible::ethernet(frame, room.saturating_sub(skipped)))
    };
    match rest.first().map(|byte| byte >> 4) {
        Some(4) if plausible::ipv4(rest, room) || !is_ethernet_behind(0) => Ok(Next::Ipv4),
        Some(6) if plausible::ipv6(rest, room) || !is_ethernet_behind(0) => Ok(Next::Ipv6),
        // A pseudowire's control word (RFC 4385), as carries Ethernet (RFC 4448).
        Some(0) if is_ethernet_behind(4) || !is_ethernet_behind(0) => {
            cursor.skip(Layer::Mpls, 4)?;
            Ok(Next::Ethernet)
        }
        Some(_) if is_ethernet_behind(0) => Ok(Next::Ethernet),
        Some(_) => Err((Layer::Mpls, ErrorKind::MplsPayload)),
        None => Err((Layer::Mpls, ErrorKind::Truncated)),
    }
}
