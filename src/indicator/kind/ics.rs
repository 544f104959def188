//! `ics-function`: what a control-system protocol is asked to do, or a station of it: `modbus:write-single-register`,
//! `dnp3:any-control`, `modbus:unit-17` (see [`crate::indicator::ics`] for the notation).

use std::borrow::Cow;

use super::{Index, Kind};
use crate::indicator::{Match, Refusal, ics};

/// Function, sort of function, or station.
pub static ICS_FUNCTION: Kind = Kind {
    number: 9,
    name: "ics-function",
    aliases: &[],
    index: Index::Exact,
    default_match: Match::Exact,
    seen_at: &[
        "ics.modbus.function",
        "ics.modbus.operation",
        "ics.modbus.unit_id",
        "ics.dnp3.function",
        "ics.dnp3.operation",
        "ics.dnp3.station",
        "ics.s7comm.function",
        "ics.s7comm.operation",
        "ics.s7comm.slot",
        "ics.enip.function",
        "ics.enip.operation",
        "ics.cip.function",
        "ics.cip.operation",
        "ics.iec104.function",
        "ics.iec104.operation",
        "ics.iec104.common_address",
        "ics.bacnet.function",
        "ics.bacnet.operation",
        "ics.bacnet.device",
        "ics.opcua.function",
        "ics.opcua.operation",
        "ics.profinet.function",
        "ics.profinet.operation",
        "ics.profinet.device_id",
        "ics.goose.function",
        "ics.goose.operation",
        "ics.goose.app_id",
    ],
    normalise,
    display,
};

fn normalise(value: &[u8], _: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    if value.is_empty() {
        return Err(Refusal::Empty);
    }
    let text = std::str::from_utf8(value).map_err(|_| Refusal::BadFunction)?;
    out.extend(ics::normalise(text.trim())?.as_bytes());
    Ok(None)
}

fn display(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_listed() {
        for family in ics::FAMILIES {
            let stations = family.station.map(|_| family.station_at.0);
            for path in [family.function_at.0, family.operation_at.0].into_iter().chain(stations) {
                assert!(ICS_FUNCTION.seen_at.contains(&path), "{path}");
            }
        }
    }

    #[test]
    fn either_notation_is_one_value() {
        let form = |value: &[u8]| {
            let mut out = Vec::new();
            normalise(value, Match::Exact, &mut out).map(|_| String::from_utf8_lossy(&out).into_owned())
        };
        assert_eq!(form(b"modbus:6"), form(b" MODBUS:write_single_register "));
        assert_eq!(form(b""), Err(Refusal::Empty));
        assert_eq!(form(b"\xff:6"), Err(Refusal::BadFunction));
        assert_eq!(form(b"evil.example"), Err(Refusal::BadFunction));
    }
}
