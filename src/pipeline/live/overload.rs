//! [`Overload`]: what a worker leaves out when there is more than it can do, in an order that is written down here, and when it
//! stops leaving it out. It looks at no clock and sees no packet: signs go in at every tick, a step comes out.
//!
//! The order, each step with all before it:
//!
//! 1. [`Shedding::Bulk`]: byte signatures are not looked for in what comes late in a stream.
//! 2. [`Shedding::Long`]: streams that are long already are parsed no further, for good.
//!
//! Addresses, names at the beginning of a conversation, and everything else that is short is looked at whatever happens.

use std::time::Duration;

/// What is left out when there is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverloadOptions {
    /// Whether anything is ever left out. Otherwise the kernel drops what finds no room.
    pub sheds: bool,
    /// Step 1: bytes of a stream direction from here on are not scanned for byte signatures.
    pub bulk_bytes: u64,
    /// Step 2: a stream direction that is longer than this is not parsed any more.
    pub long_bytes: u64,
}

impl Default for OverloadOptions {
    fn default() -> Self {
        Self { sheds: true, bulk_bytes: 64 * 1024, long_bytes: 1024 * 1024 }
    }
}

/// What is left out at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Shedding {
    /// Nothing.
    #[default]
    Nothing,
    /// Byte signatures in bulk.
    Bulk,
    /// That, and parsing of long streams.
    Long,
}

/// What was seen since the last tick.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Signs {
    /// Frames that the kernel dropped, and rings that were full; asked for in one tick of ten.
    pub(super) dropped: u64,
    /// How far behind the packets were, at worst.
    pub(super) behind: Duration,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Overload {
    shedding: Shedding,
    /// Ticks in a row with pressure, and without any.
    pressed: u32,
    calm: u32,
}

impl Shedding {
    /// A stable word for reports.
    pub fn code(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Bulk => "byte_signatures_on_bulk",
            Self::Long => "parsing_of_long_streams",
        }
    }

    fn more(self) -> Self {
        if self == Self::Nothing { Self::Bulk } else { Self::Long }
    }

    fn less(self) -> Self {
        if self == Self::Long { Self::Bulk } else { Self::Nothing }
    }
}

impl Overload {
    /// What is left out at present.
    pub(super) fn shedding(&self) -> Shedding {
        self.shedding
    }

    /// Takes the signs of a tick ([`super::work::TICK`]); returns what is left out from now on if that is new.
    pub(super) fn tick(&mut self, signs: Signs) -> Option<Shedding> {
        self.pressed = if signs.behind >= FAR_BEHIND { self.pressed + 1 } else { 0 };
        self.calm = if signs.dropped == 0 && signs.behind < NEAR { self.calm + 1 } else { 0 };
        let next = if signs.dropped > 0 || self.pressed >= TICKS_TO_MORE {
            self.shedding.more()
        } else if self.calm >= TICKS_TO_LESS {
            self.shedding.less()
        } else {
            return None;
        };
        (self.pressed, self.calm) = (0, 0);
        (next != self.shedding).then(|| {
            self.shedding = next;
            next
        })
    }
}

/// A ring of 64 MiB holds half a second of 1 Gbit/s.
const FAR_BEHIND: Duration = Duration::from_millis(200);

/// Below this a worker keeps up: blocks of a ring are handed over after some milliseconds.
const NEAR: Duration = Duration::from_millis(100);

/// A pause of a moment is no pressure. A drop is.
const TICKS_TO_MORE: u32 = 3;

/// 5 s: what was left out comes back later than it went, so that a worker at its limit does not flutter.
const TICKS_TO_LESS: u32 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    const DROPS: Signs = Signs { dropped: 5, behind: Duration::ZERO };
    const LATE: Signs = Signs { dropped: 0, behind: Duration::from_millis(300) };
    const BETWEEN: Signs = Signs { dropped: 0, behind: Duration::from_millis(150) };
    const CALM: Signs = Signs { dropped: 0, behind: Duration::from_millis(5) };

    fn ticks(overload: &mut Overload, signs: Signs, count: u32) -> Vec<Shedding> {
        (0..count).filter_map(|_| overload.tick(signs)).collect()
    }

    #[test]
    fn it_sheds_in_order_and_only_under_lasting_pressure() {
        let mut overload = Overload::default();
        assert_eq!(ticks(&mut overload, LATE, TICKS_TO_MORE - 1), []);
        assert_eq!(ticks(&mut overload, CALM, 1), [], "a moment is none");
        assert_eq!(ticks(&mut overload, LATE, TICKS_TO_MORE), [Shedding::Bulk]);
        assert_eq!(ticks(&mut overload, DROPS, 1), [Shedding::Long]);
        assert_eq!(ticks(&mut overload, DROPS, 100), [], "there is no more");
        assert_eq!(overload.shedding(), Shedding::Long);
    }

    #[test]
    fn it_comes_back_step_by_step_once_it_has_been_calm() {
        let mut overload = Overload::default();
        ticks(&mut overload, DROPS, 2);
        assert_eq!(ticks(&mut overload, CALM, TICKS_TO_LESS - 1), []);
        assert_eq!(ticks(&mut overload, BETWEEN, 1), [], "counts anew");
        assert_eq!(ticks(&mut overload, CALM, TICKS_TO_LESS), [Shedding::Bulk]);
        assert_eq!(ticks(&mut overload, BETWEEN, 1000), [], "neither worse nor better");
        assert_eq!(ticks(&mut overload, CALM, 10 * TICKS_TO_LESS), [Shedding::Nothing]);
    }

    #[test]
    fn words_are_stable() {
        let words = [Shedding::Nothing, Shedding::Bulk, Shedding::Long].map(Shedding::code);
        assert_eq!(words, ["nothing", "byte_signatures_on_bulk", "parsing_of_long_streams"]);
    }
}
