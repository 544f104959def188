//! Functions of control-system protocols: their names, numbers and what they do, shared by feeds (which write either) and
//! parsers (which see numbers).
//!
//! A value of the kind `ics-function` is `FAMILY:WHAT`, and `WHAT` is one of
//! - a function by its name (`modbus:write-single-register`), or by its number where it has no name (`modbus:100`);
//! - `any-read`, `any-write`, `any-control`: some function that does so;
//! - a station: `modbus:unit-17`, `dnp3:station-1024`, `iec104:address-47`, `s7comm:slot-0.2` (rack, slot), `bacnet:device-1234`,
//!   `profinet:device-0x002a010e` (vendor and device id), `goose:appid-0x0001`.
//!
//! Feeds may write a number for a name (`modbus:6`, `modbus:0x06`), any case, and `_` for `-`.
//!
//! Codes are below [`CODES`], so that a parser can keep what it has shown in a few words: where a protocol numbers several
//! sorts of functions apart, each sort has a page of 256.

mod table;

pub use table::{BACNET, CIP, DNP3, ENIP, GOOSE, IEC104, MODBUS, OPCUA, PROFINET, S7COMM};

use super::{Refusal, Where};

/// Every code is below.
pub const CODES: u16 = 1024;

/// What a function does to the process, or to the device that runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Changes nothing: reads, browses, subscribes.
    Read,
    /// Changes values, settings or files.
    Write,
    /// Operates an output, starts, stops, restarts or loads the device.
    Control,
    /// Keeps the conversation going.
    Other,
}

/// A function that has a name.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its number on its page.
    pub code: u16,
    /// `FAMILY:NAME`.
    pub text: &'static str,
    /// What it does.
    pub operation: Operation,
}

/// The functions of one protocol.
#[derive(Debug)]
pub struct Family {
    /// Before the colon.
    pub name: &'static str,
    /// By ascending code.
    pub functions: &'static [Function],
    /// Before a station's number, if the protocol has such.
    pub station: Option<&'static str>,
    /// The highest station.
    pub max_station: u32,
    /// The highest number that a feed may write for a function.
    pub max_code: u16,
    /// `any-read`, `any-write`, `any-control`.
    pub any: [&'static str; 3],
    /// Where functions are seen.
    pub function_at: Where,
    /// Where [`Self::any`] is seen.
    pub operation_at: Where,
    /// Where stations are seen.
    pub station_at: Where,
    /// The field with a function's number.
    pub code_field: &'static str,
}

/// Every family.
pub static FAMILIES: [&Family; 10] =
    [&MODBUS, &DNP3, &S7COMM, &ENIP, &CIP, &IEC104, &BACNET, &OPCUA, &PROFINET, &GOOSE];

impl Family {
    /// The function with this code, if it has a name.
    pub fn function(&self, code: u16) -> Option<&'static Function> {
        let at = self.functions.binary_search_by_key(&code, |function| function.code).ok()?;
        self.functions.get(at)
    }

    /// What the protocol itself calls a code: without its page.
    pub fn number(&self, code: u16) -> u16 {
        if self.max_code > PAGE { code } else { code & PAGE }
    }

    /// The value that says "some function that does this"; none for [`Operation::Other`].
    pub fn any(&self, operation: Operation) -> Option<&'static str> {
        let [read, write, control] = self.any;
        match operation {
            Operation::Read => Some(read),
            Operation::Write => Some(write),
            Operation::Control => Some(control),
            Operation::Other => None,
        }
    }

    /// The family of a value, and what follows the colon.
    pub fn of(value: &str) -> Option<(&'static Self, &str)> {
        let (name, what) = value.split_once(':')?;
        FAMILIES.iter().find(|family| family.name == name).map(|family| (*family, what))
    }

    /// Appends the normal form of `what`, which is in lower case.
    ///
    /// # Errors
    /// [`Refusal::BadFunction`] for what this protocol does not have.
    pub fn normalise(&self, what: &str, out: &mut String) -> Result<(), Refusal> {
        let text_of = |known: &&'static str| known.split_once(':').is_some_and(|(_, name)| name == what);
        let named = self.functions.iter().map(|function| function.text).chain(self.any).find(text_of);
        if let Some(text) = named {
            out.push_str(text);
            return Ok(());
        }
        if let Some(number) = self.station.and_then(|word| what.strip_prefix(word)).and_then(|w| w.strip_prefix('-')) {
            let station = self.station_number(number).ok_or(Refusal::BadFunction)?;
            out.push_str(Text::station(self, station).as_str());
            return Ok(());
        }
        let code = number(what).filter(|code| *code <= self.max_code).ok_or(Refusal::BadFunction)?;
        match self.function(code) {
            Some(function) => out.push_str(function.text),
            None => out.push_str(Text::code(self, code).as_str()),
        }
        Ok(())
    }

    fn station_number(&self, text: &str) -> Option<u32> {
        let number = if self.has_slots() {
            let (rack, slot) = text.split_once('.')?;
            let (rack, slot) = (number::<u32>(rack)?, number::<u32>(slot)?);
            (rack <= MAX_RACK && slot <= MAX_SLOT).then_some(rack << SLOT_BITS | slot)?
        } else {
            number(text)?
        };
        (number <= self.max_station).then_some(number)
    }

    /// Stations are a rack and a slot.
    fn has_slots(&self) -> bool {
        self.station == Some("slot")
    }
}

impl Operation {
    /// `ics.operation`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Control => "control",
            Self::Other => "other",
        }
    }
}

/// The normal form of a value, in either notation.
///
/// # Errors
/// [`Refusal::BadFunction`] for what is none.
pub fn normalise(value: &str) -> Result<String, Refusal> {
    let lower = value.to_ascii_lowercase().replace('_', "-");
    let (family, what) = Family::of(&lower).ok_or(Refusal::BadFunction)?;
    let mut out = String::new();
    family.normalise(what, &mut out)?;
    Ok(out)
}

/// A short text made of a family's name, a word and numbers, without the heap.
#[derive(Clone, Copy)]
pub struct Text {
    bytes: [u8; TEXT_BYTES],
    len: usize,
}

crate::bytes::opaque_debug!(Text, "Text");

impl Text {
    /// A function that has no name: `modbus:100`.
    pub fn code(family: &Family, code: u16) -> Self {
        let mut text = Self::empty();
        text.push(family.name.as_bytes());
        text.push(b":");
        text.decimal(u32::from(code));
        text
    }

    /// A station: `modbus:unit-17`.
    pub fn station(family: &Family, number: u32) -> Self {
        let mut text = Self::empty();
        text.push(family.name.as_bytes());
        text.push(b":");
        text.push(family.station.unwrap_or("station").as_bytes());
        text.push(b"-");
        if family.has_slots() {
            text.decimal(number >> SLOT_BITS);
            text.push(b".");
            text.decimal(number & MAX_SLOT);
        } else {
            text.decimal(number);
        }
        text
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    fn empty() -> Self {
        Self { bytes: [0; TEXT_BYTES], len: 0 }
    }

    /// What does not fit is left out; nothing made here is that long.
    fn push(&mut self, more: &[u8]) {
        for (free, byte) in self.bytes.iter_mut().skip(self.len).zip(more) {
            *free = *byte;
            self.len += 1;
        }
    }

    fn decimal(&mut self, number: u32) {
        let mut divisor = 1;
        while number / divisor > 9 {
            divisor *= 10;
        }
        while divisor > 0 {
            self.push(&[b'0' + (number / divisor % 10) as u8]);
            divisor /= 10;
        }
    }
}

/// Decimal, or hexadecimal after `0x`; no sign.
fn number<T: TryFrom<u32>>(text: &str) -> Option<T> {
    let (digits, radix) = text.strip_prefix("0x").map_or((text, 10), |hex| (hex, 16));
    if digits.starts_with('+') {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()?.try_into().ok()
}

/// Numbers on one page.
const PAGE: u16 = 255;

/// The longest family, word and two numbers.
const TEXT_BYTES: usize = 32;

/// A TSAP's low byte: rack in the high bits, slot in the low five.
const SLOT_BITS: u32 = 5;
const MAX_SLOT: u32 = 31;
const MAX_RACK: u32 = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_named_after_their_family_and_unambiguous() {
        for family in FAMILIES {
            assert!(family.functions.windows(2).all(|pair| pair[0].code < pair[1].code), "{}", family.name);
            for function in family.functions {
                assert!(function.code < CODES, "{}", function.text);
                let (of, what) = Family::of(function.text).expect("has a family");
                assert_eq!(of.name, family.name, "{}", function.text);
                assert_eq!(family.function(function.code), Some(function));
                assert!(what.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{what}");
                assert_eq!(normalise(function.text).as_deref(), Ok(function.text), "a name is its own normal form");
            }
            for (any, word) in family.any.iter().zip(["any-read", "any-write", "any-control"]) {
                assert_eq!(*any, format!("{}:{word}", family.name));
            }
            let at = format!("ics.{}.", family.name);
            for path in [family.function_at.0, family.operation_at.0, family.station_at.0, family.code_field] {
                assert!(path.starts_with(&at), "{path}");
            }
        }
    }

    #[test]
    fn names_and_numbers_are_the_same() {
        for (written, normal) in [
            ("modbus:6", "modbus:write-single-register"),
            ("modbus:0x06", "modbus:write-single-register"),
            ("Modbus:Write_Single_Register", "modbus:write-single-register"),
            ("modbus:100", "modbus:100"),
            ("modbus:any-write", "modbus:any-write"),
            ("modbus:unit-017", "modbus:unit-17"),
            ("dnp3:5", "dnp3:direct-operate"),
            ("dnp3:station-65519", "dnp3:station-65519"),
            ("iec104:C_SC_NA_1", "iec104:c-sc-na-1"),
            ("iec104:45", "iec104:c-sc-na-1"),
            ("s7comm:0x29", "s7comm:plc-stop"),
            ("s7comm:slot-0.2", "s7comm:slot-0.2"),
            ("bacnet:15", "bacnet:write-property"),
            ("bacnet:device-4194303", "bacnet:device-4194303"),
            ("opcua:673", "opcua:write"),
            ("cip:0x4d", "cip:write-tag"),
        ] {
            assert_eq!(normalise(written).as_deref(), Ok(normal), "{written}");
        }
        for bad in [
            "",
            "modbus",
            "modbus:",
            "modbus:write",
            "modbus:256",
            "modbus:-1",
            "modbus:+1",
            "modbus:0x",
            "modbus:unit-256",
            "modbus:station-1",
            "x:6",
            "enip:station-1",
            "s7comm:slot-2",
            "s7comm:slot-8.0",
            "s7comm:slot-0.32",
            "bacnet:device-4194304",
        ] {
            assert_eq!(normalise(bad), Err(Refusal::BadFunction), "{bad}");
        }
    }

    #[test]
    fn a_number_has_no_page() {
        assert_eq!((BACNET.number(0x108), OPCUA.number(673), CIP.number(0x154)), (8, 673, 0x54));
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 7, 10, 99, 100, 65_535, u32::MAX] {
            assert_eq!(Text::station(&DNP3, number).as_str(), format!("dnp3:station-{number}"));
        }
        assert_eq!(Text::station(&BACNET, u32::MAX).as_bytes().len(), "bacnet:device-4294967295".len());
    }
}
