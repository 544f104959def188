//! Sizes and durations as people write them: `"64 MiB"`, `"10s"`. A number without a unit is bytes; a duration always has one.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// Bytes: `"64 MiB"`, `"1 GB"`, `4096`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Bytes(pub u64);

/// A duration: `"500ms"`, `"10s"`, `"5m"`, `"24h"`, `"7d"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Period(pub Duration);

/// Units of sizes, the one that is written first of each size; the largest first.
const SIZES: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("KB", 1_000),
    ("B", 1),
];

/// Units of durations in milliseconds, the largest first.
const PERIODS: &[(&str, u64)] =
    &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("min", 60_000), ("s", 1_000), ("ms", 1)];

impl Bytes {
    /// So many mebibytes.
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    /// As a count in memory.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Period {
    /// So many seconds.
    pub const fn seconds(count: u64) -> Self {
        Self(Duration::from_secs(count))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whole binary units only, so that what is written is read back as the same.
        let whole =
            SIZES.iter().find(|(unit, size)| unit.contains('i') && self.0 >= *size && self.0.is_multiple_of(*size));
        match whole {
            Some((unit, size)) => write!(f, "{} {unit}", self.0 / size),
            None => write!(f, "{} B", self.0),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let whole = PERIODS.iter().find(|(_, size)| ms >= *size && ms.is_multiple_of(*size));
        match whole {
            Some((unit, size)) => write!(f, "{}{unit}", ms / size),
            None => write!(f, "{ms}ms"),
        }
    }
}

/// `NUMBER UNIT` by a table of units; the unit in any case but where two differ by it.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let number: u64 = text[..digits].replace('_', "").parse().ok()?;
    let unit = text[digits..].trim();
    let exact = units.iter().find(|(name, _)| *name == unit);
    let (_, size) = exact.or_else(|| units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)))?;
    number.checked_mul(*size)
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Bytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a size, for example \"64 MiB\" (B, kB, KiB, MB, MiB, GB, GiB, TB, TiB) or a number of bytes",
                )
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
                let size = scaled(text, SIZES).map(Bytes);
                size.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Bytes, E> {
                let size = u64::try_from(number).map(Bytes);
                size.map_err(|_| E::invalid_value(de::Unexpected::Signed(number), &self))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Bytes, E> {
                Ok(Bytes(number))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = Period;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration with its unit, for example \"10s\" (ms, s, m, h, d)")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Period, E> {
                let period = scaled(text, PERIODS).map(|ms| Period(Duration::from_millis(ms)));
                period.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_unit() {
        let of = |text: &str| scaled(text, SIZES);
        assert_eq!(of("64 MiB"), Some(64 << 20));
        assert_eq!(of("64mib"), Some(64 << 20));
        assert_eq!(of("1_000 kB"), Some(1_000_000));
        assert_eq!(of("2GB"), Some(2_000_000_000));
        for bad in ["", "MiB", "64", "64 MiBs", "-1 MiB", "1.5 GiB", "99999999999 TiB"] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for bytes in [1, 1023, 1024, 1 << 20, (1 << 20) + 1, 3 << 30, 1_000_000] {
            assert_eq!(scaled(&Bytes(bytes).to_string(), SIZES), Some(bytes));
        }
        for ms in [1, 999, 1000, 61_000, 3_600_000, 86_400_000, 90_000_000] {
            assert_eq!(scaled(&Period(Duration::from_millis(ms)).to_string(), PERIODS), Some(ms));
        }
    }
}
