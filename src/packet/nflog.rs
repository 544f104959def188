//! Linux netfilter log (link type 239): family, version, group, then fields of which one is the packet
//! (<https://www.tcpdump.org/linktypes/LINKTYPE_NFLOG.html>).

use super::{Cursor, ErrorKind, Layer, Next, Step};

const TRUNCATED: (Layer, ErrorKind) = (Layer::Nflog, ErrorKind::Truncated);

/// Fields before the packet, at most; the kernel knows 24.
const MAX_FIELDS: usize = 64;

/// Steps to the packet. Lengths and types are in the byte order of the machine that captured; lengths are small, so it shows.
pub(super) fn nflog(cursor: &mut Cursor<'_>) -> Step {
    const PAYLOAD: u16 = 9;
    let [family, version, _, _]: [u8; 4] = cursor.reader.array().ok_or(TRUNCATED)?;
    if version != 0 {
        return Err((Layer::Nflog, ErrorKind::BadHeader));
    }
    for _ in 0..MAX_FIELDS {
        let [a, b, c, d]: [u8; 4] = cursor.reader.array().ok_or(TRUNCATED)?;
        let mut field = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
        if field.1 > 0xff {
            field = (field.0.swap_bytes(), field.1.swap_bytes());
        }
        let (length, kind) = field;
        let value_bytes = usize::from(length).checked_sub(4).ok_or((Layer::Nflog, ErrorKind::BadHeader))?;
        if kind == PAYLOAD {
            cursor.limit(value_bytes);
            return match family {
                2 => Ok(Next::Ipv4),
                10 => Ok(Next::Ipv6),
                // Bridges log what is behind the Ethernet header.
                _ => Ok(Next::AnyIp),
            };
        }
        cursor.skip(Layer::Nflog, value_bytes.next_multiple_of(4))?;
    }
    Err((Layer::Nflog, ErrorKind::TooDeep))
}
