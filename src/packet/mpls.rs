//! MPLS label stacks (RFC 3032). What follows the bottom label is told by its first four bits (RFC 4928).

use super::{Cursor, ErrorKind, Layer, MAX_LAYERS, Next, Step};

pub(super) fn mpls(cursor: &mut Cursor<'_>) -> Step {
    for _ in 0..MAX_LAYERS {
        let entry = cursor.reader.u32().ok_or((Layer::Mpls, ErrorKind::Truncated))?;
        let is_bottom = entry & 0x100 != 0;
        if is_bottom {
            return match cursor.rest().first().map(|byte| byte >> 4) {
                Some(4) => Ok(Next::Ipv4),
                Some(6) => Ok(Next::Ipv6),
                // A pseudowire's control word (RFC 4385), as carries Ethernet (RFC 4448).
                Some(0) => {
                    cursor.skip(Layer::Mpls, 4)?;
                    Ok(Next::Ethernet)
                }
                Some(_) => Err((Layer::Mpls, ErrorKind::MplsPayload)),
                None => Err((Layer::Mpls, ErrorKind::Truncated)),
            };
        }
    }
    Err((Layer::Mpls, ErrorKind::TooDeep))
}
