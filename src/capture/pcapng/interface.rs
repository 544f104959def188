//! Interfaces: link type, snap length, and how their packets' times are to be read.

use crate::packet::LinkType;
use crate::time::Timestamp;

use super::block::Order;

/// What an interface description block says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) link: LinkType,
    /// 0 is no limit.
    snap_bytes: u32,
    scale: Scale,
    offset_ns: i64,
}

impl Interface {
    /// From the block's body, which holds at least the fixed fields. Options after a malformed one are not read.
    pub(super) fn parse<const BIG: bool>(body: &[u8]) -> Self {
        let mut interface = Self { link: LinkType(0), snap_bytes: 0, scale: Scale::Multiply(1000), offset_ns: 0 };
        let Some((fields, mut options)) = body.split_first_chunk::<8>() else { return interface };
        interface.link = LinkType(Order::<BIG>::u16([fields[0], fields[1]]));
        interface.snap_bytes = Order::<BIG>::u32_at(fields, 4);
        while let Some((code, value, rest)) = option::<BIG>(options) {
            match (code, value) {
                (END_OF_OPTIONS, _) => break,
                (TIME_RESOLUTION, [resolution, ..]) => interface.scale = Scale::of(*resolution),
                (TIME_OFFSET, value) => {
                    if let Ok(seconds) = value.try_into() {
                        interface.offset_ns = Order::<BIG>::i64(seconds).saturating_mul(1_000_000_000);
                    }
                }
                _ => {}
            }
            options = rest;
        }
        interface
    }

    /// How much of a frame of this length was captured, as a simple packet block leaves it to be known.
    pub(super) fn cut(&self, wire: u32) -> u32 {
        if self.snap_bytes == 0 { wire } else { wire.min(self.snap_bytes) }
    }

    /// The time of a packet; saturates at both ends.
    #[inline(always)]
    pub(super) fn time(&self, ticks: u64) -> Timestamp {
        Timestamp::from_ns(self.scale.nanoseconds(ticks).saturating_add_signed(self.offset_ns))
    }
}

/// Code, value, and what follows.
fn option<const BIG: bool>(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::from(Order::<BIG>::u16([head[2], head[3]]));
    let value = rest.get(..length)?;
    Some((Order::<BIG>::u16([head[0], head[1]]), value, rest.get(length.next_multiple_of(4)..).unwrap_or(&[])))
}

/// How ticks become nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    /// A resolution of a nanosecond or coarser.
    Multiply(u64),
    /// A resolution finer than a nanosecond.
    Divide(u64),
    /// Ticks of 2 to the power of minus this.
    Binary(u8),
}

impl Scale {
    /// From `if_tsresol`: a negative power of 10, or of 2 where the highest bit is set.
    fn of(resolution: u8) -> Self {
        let power = resolution & 0x7f;
        if resolution & 0x80 != 0 {
            return Self::Binary(power);
        }
        match u32::from(power) {
            coarse @ 0..=9 => Self::Multiply(10u64.pow(9 - coarse)),
            // Past the largest power that fits every tick count is less than a nanosecond.
            fine => Self::Divide(10u64.checked_pow(fine - 9).unwrap_or(u64::MAX)),
        }
    }

    #[inline(always)]
    fn nanoseconds(self, ticks: u64) -> u64 {
        match self {
            Self::Multiply(by) => ticks.saturating_mul(by),
            Self::Divide(by) => ticks / by,
            Self::Binary(power) => {
                let ns = (u128::from(ticks) * 1_000_000_000) >> power;
                u64::try_from(ns).unwrap_or(u64::MAX)
            }
        }
    }
}

const END_OF_OPTIONS: u16 = 0;
const TIME_RESOLUTION: u16 = 9;
const TIME_OFFSET: u16 = 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resolution_is_read_and_none_overflows() {
        let ns = |resolution: u8, ticks: u64| Scale::of(resolution).nanoseconds(ticks);
        assert_eq!(ns(0, 5), 5_000_000_000);
        assert_eq!(ns(6, 5), 5_000);
        assert_eq!(ns(9, 5), 5);
        assert_eq!(ns(12, 5_999), 5);
        assert_eq!(ns(0x80, 5), 5_000_000_000);
        assert_eq!(ns(0x80 | 20, 3 << 19), 1_500_000_000);
        assert_eq!(ns(0x80 | 32, (7 << 32) + (1 << 31)), 7_500_000_000);
        for resolution in 0..=255 {
            ns(resolution, u64::MAX);
        }
        assert_eq!(ns(127, u64::MAX), 1, "as near to nothing as a division gets");
        assert_eq!(ns(0xff, u64::MAX), 0);
        assert_eq!(ns(0, u64::MAX), u64::MAX);
    }

    #[test]
    fn options_move_the_clock_and_a_malformed_one_ends_them() {
        let mut body = vec![1, 0, 0, 0, 0x40, 0, 0, 0];
        body.extend([2, 0, 3, 0, b'e', b't', b'h', 0]);
        body.extend([9, 0, 1, 0, 9, 0, 0, 0]);
        body.extend([14, 0, 8, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        body.extend([14, 0, 200, 0, 1]);
        let interface = Interface::parse::<false>(&body);
        assert_eq!((interface.link, interface.cut(100), interface.cut(9)), (LinkType::ETHERNET, 64, 9));
        assert_eq!(interface.time(1_000_000_007), Timestamp::from_ns(7));
        assert_eq!(interface.time(5), Timestamp::ZERO, "before the epoch");
        assert_eq!(Interface { snap_bytes: 0, ..interface }.cut(70_000), 70_000);
    }
}
