//! GTP-U (3GPP TS 29.281): user data of mobile networks.
//!
//! Not read: GTP' and GTPv2 control, and data of type non-IP.

use super::super::{Layer, Next};
use super::udp::Found;
use super::{Scope, plausible};
use crate::bytes::Reader;

/// Extension headers of one packet, at most; networks send one or two.
const MAX_EXTENSIONS: usize = 8;

/// A user data message (255) whose length is right, then IP (or, in 5G, Ethernet; with PPP contexts, PPP).
pub(super) fn gtp_u(payload: &[u8], room: usize) -> Option<Found> {
    const VERSION_1_GTP: u8 = 0x30;
    const USER_DATA: u8 = 255;
    let mut reader = Reader::new(payload);
    let [flags, kind] = reader.array()?;
    let length = usize::from(reader.u16()?);
    let _teid = reader.u32()?;
    if flags & 0xf8 != VERSION_1_GTP || kind != USER_DATA || length + 8 > room {
        return None;
    }
    if flags & 0x07 != 0 {
        let [_, _, _, mut extension]: [u8; 4] = reader.array()?;
        for _ in 0..MAX_EXTENSIONS {
            if extension == 0 {
                break;
            }
            let words = usize::from(reader.u8()?);
            reader.skip((words * 4).checked_sub(2)?)?;
            extension = reader.u8()?;
        }
        if extension != 0 {
            return None;
        }
    }
    let (rest, room) = (reader.rest(), (length + 8).checked_sub(reader.position())?);
    let next = [Next::AnyIp, Next::Ethernet, Next::Ppp].into_iter().find(|&next| plausible::is(next, rest, room))?;
    Some(Found { layer: Layer::Gtp, header_bytes: reader.position(), next, scope: Scope::Ends })
}
