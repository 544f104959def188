//! Control-system protocols: which functions are asked for and answered, and by or of which stations. One file a protocol.
//!
//! Probes run for the first segments of every flow that is nobody else's, so each looks at its first bytes in place
//! (`inline(always)`) and calls on for more only if they fit. Framing is short, so what is called then checks all of it that
//! is there: lengths against one another, constants, checksums.
//!
//! What a parser shows, it shows once for each direction of a flow ([`Shown`]): a controller is asked the same thing a
//! thousand times a second. With each go the number, the name and what the function does (`ics.operation`: `read`, `write`,
//! `control` or `other`), so that an alert says whether something was changed.
//!
//! PROFINET DCP and GOOSE lie straight in Ethernet frames: their flows have hardware addresses for ends (`packet::fieldbus`).
//! Serial variants of these protocols over TCP are not recognised.

pub mod bacnet;
pub mod dnp3;
pub mod enip;
pub mod goose;
pub mod iec104;
pub mod modbus;
pub mod opcua;
pub mod profinet;
pub mod s7comm;

use crate::flow::Direction;
use crate::indicator::ics::{CIP, CODES, Family, Operation, Text};
use crate::indicator::{Field, Observable, Seen, Transport, Value, kind};

use super::{Hint, Progress};

/// What a flow has shown already: kept out of its record, because few flows are of these protocols.
#[derive(Default)]
struct Shown(Option<Box<[Direct; 2]>>);

/// One direction.
#[derive(Default)]
struct Direct {
    /// A bit for each code of each family that one flow may carry.
    codes: [[u64; WORDS]; FAMILIES_A_FLOW],
    /// Operations, in the order of [`Family::any`], by family.
    operations: [[bool; 3]; FAMILIES_A_FLOW],
    /// The last stations.
    stations: [Option<u32>; STATIONS],
    next: usize,
}

/// EtherNet/IP has its own functions and carries those of CIP.
const FAMILIES_A_FLOW: usize = 2;

const WORDS: usize = CODES as usize / 64;

/// Stations remembered of a direction. With more, one may be shown again, which costs a look-up and changes nothing.
const STATIONS: usize = 8;

/// A message of one of these protocols, as far as it is to be shown.
struct Message<'a> {
    family: &'static Family,
    code: u16,
    station: Option<u32>,
    /// What else is known of it.
    with: &'a [Field<'a>],
}

impl Shown {
    /// Shows what is new in a message, if anybody looks for it.
    fn show(&mut self, direction: Direction, hint: &Hint, message: &Message<'_>, seen: Seen<'_>) {
        if !hint.wants.kind(&kind::ICS_FUNCTION) {
            return;
        }
        let Message { family, code, station, .. } = *message;
        let [there, back] = &mut **self.0.get_or_insert_default();
        let direct = if direction == Direction::ToResponder { there } else { back };
        let place = usize::from(std::ptr::eq(family, &CIP));
        let new_code = direct.is_new_code(place, code);
        let new_station = station.filter(|station| direct.is_new_station(*station));
        if !new_code && new_station.is_none() {
            return;
        }
        let function = family.function(code);
        let operation = function.map_or(Operation::Other, |function| function.operation);
        let number = Text::code(family, code);
        let name = function.map_or(number.as_bytes(), |function| function.text.as_bytes());
        let fields = Fields::of(message, operation, name);
        let mut show = |at, value| {
            seen(Observable { kind: &kind::ICS_FUNCTION, value: Value::Text(value), at, with: fields.list() })
        };
        if new_code {
            show(family.function_at, name);
            if let Some(any) = family.any(operation).filter(|_| direct.is_new_operation(place, operation)) {
                show(family.operation_at, any.as_bytes());
            }
        }
        if let Some(station) = new_station {
            show(family.station_at, Text::station(family, station).as_bytes());
        }
    }
}

impl Direct {
    fn is_new_code(&mut self, place: usize, code: u16) -> bool {
        let bit = 1 << (code % 64);
        let Some(word) = self.codes.get_mut(place).and_then(|codes| codes.get_mut(usize::from(code / 64))) else {
            return false;
        };
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    fn is_new_operation(&mut self, place: usize, operation: Operation) -> bool {
        let at = match operation {
            Operation::Read => 0,
            Operation::Write => 1,
            Operation::Control => 2,
            Operation::Other => return false,
        };
        let shown = self.operations.get_mut(place).and_then(|operations| operations.get_mut(at));
        shown.is_some_and(|shown| !std::mem::replace(shown, true))
    }

    fn is_new_station(&mut self, station: u32) -> bool {
        if self.stations.contains(&Some(station)) {
            return false;
        }
        if let Some(place) = self.stations.get_mut(self.next) {
            *place = Some(station);
        }
        self.next = (self.next + 1) % STATIONS;
        true
    }
}

/// The fields of an alert.
struct Fields<'a> {
    all: [Field<'a>; MAX_FIELDS],
    len: usize,
}

impl<'a> Fields<'a> {
    fn of(message: &Message<'a>, operation: Operation, name: &'a [u8]) -> Self {
        let family = message.family;
        let first = Field::word("ics.operation", operation.word());
        let mut fields = Self { all: [first; MAX_FIELDS], len: 1 };
        fields.push(Field::text(family.function_at.0, name));
        fields.push(Field::number(family.code_field, u64::from(family.number(message.code))));
        if let Some(station) = message.station {
            fields.push(Field::number(family.station_at.0, u64::from(station)));
        }
        message.with.iter().for_each(|field| fields.push(*field));
        fields
    }

    /// Fields beyond the last place are left out; no parser has so many.
    fn push(&mut self, field: Field<'a>) {
        if let Some(place) = self.all.get_mut(self.len) {
            *place = field;
            self.len += 1;
        }
    }

    fn list(&self) -> &[Field<'a>] {
        self.all.get(..self.len).unwrap_or_default()
    }
}

const MAX_FIELDS: usize = 8;

/// What lies at the start of some bytes.
enum Framed {
    /// A message of so many bytes, which was looked at as far as it is of interest; it may be longer than what is there.
    Whole(usize),
    /// The same, but it makes no sense.
    Damaged(usize, &'static str),
    /// Part of a message; so many bytes are needed to look at it.
    Short(usize),
    /// No message of this protocol.
    Broken(&'static str),
}

/// Has `message` look at one message after the other.
fn messages(data: &[u8], hint: &Hint, mut message: impl FnMut(&[u8]) -> Framed) -> Progress {
    let (mut at, mut damage) = (0, None);
    let progress = |bytes, need, damage: Option<&'static str>| match damage {
        None => Progress::Consumed { bytes, need },
        Some(reason) => Progress::Damaged { bytes, need, reason },
    };
    loop {
        let rest = data.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return progress(at, 0, damage);
        }
        let bytes = match message(rest) {
            Framed::Whole(bytes) => bytes,
            Framed::Damaged(bytes, reason) => {
                damage = Some(reason);
                bytes
            }
            Framed::Short(_) if hint.transport == Transport::Udp => return progress(data.len(), 0, Some(CUT_SHORT)),
            Framed::Broken(reason) if hint.transport == Transport::Udp => return progress(data.len(), 0, Some(reason)),
            Framed::Short(need) => return progress(at, need, damage),
            Framed::Broken(reason) => return Progress::Stopped(reason),
        };
        if bytes > rest.len() && damage.is_none() {
            return Progress::Skip((at + bytes) as u64);
        }
        // A damaged message is short enough to be whole.
        at = (at + bytes.max(1)).min(data.len());
    }
}

const CUT_SHORT: &str = "control-system message cut short";
