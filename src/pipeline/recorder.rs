//! [`Recorder`]: notes what parsers show to the matcher, for one packet or one flow. Absent but when somebody asks how a packet was
//! read; then it costs one test an observable.

use crate::alert::printable;
use crate::flow::{FlowKey, Identity};
use crate::indicator::{IndicatorIx, Kind, MAX_NAME_TEXT_BYTES, Observable, Transport, Value, Where};
use crate::matcher::{Hit, How};
use crate::packet::FrameRef;
use std::net::IpAddr;

/// Observables noted of one packet: a mail with more is shown in part.
const MAX_NOTED: usize = 4096;

/// See the module.
#[derive(Default)]
pub(super) struct Recorder {
    /// Only this flow's; all if there is none.
    pub(super) only: Option<FlowKey>,
    pub(super) noted: Vec<Noted>,
    /// Beyond [`MAX_NOTED`].
    pub(super) left_out: u64,
}

/// One observable.
#[derive(Clone)]
pub struct Noted {
    /// Where it was seen.
    pub field: Where,
    /// What it is.
    pub kind: &'static Kind,
    /// The value, made printable.
    pub text: String,
    /// The frame that completed it.
    pub frame: FrameRef,
    /// Indicators that cover it, how, and whether the allow-list covers it too.
    pub hits: Vec<(IndicatorIx, How, bool)>,
    value: OwnedValue,
}

#[derive(Clone)]
enum OwnedValue {
    Addr(IpAddr),
    Endpoint(IpAddr, u16, Option<Transport>),
    Text(Vec<u8>),
}

impl Noted {
    /// The observable again.
    pub fn observable(&self) -> Observable<'_> {
        let value = match &self.value {
            OwnedValue::Addr(ip) => Value::Addr(*ip),
            OwnedValue::Endpoint(ip, port, transport) => Value::Endpoint(*ip, *port, *transport),
            OwnedValue::Text(text) => Value::Text(text),
        };
        Observable { kind: self.kind, value, at: self.field, with: &[] }
    }
}

impl Recorder {
    #[cold]
    pub(super) fn note(&mut self, identity: &Identity, observable: &Observable<'_>, frame: FrameRef, hits: &[Hit]) {
        if self.only.as_ref().is_some_and(|only| only != identity.key()) {
            return;
        }
        if self.noted.len() >= MAX_NOTED {
            self.left_out += 1;
            return;
        }
        let (text, value) = match observable.value {
            Value::Addr(ip) => (ip.to_canonical().to_string(), OwnedValue::Addr(ip)),
            Value::Endpoint(ip, port, transport) => {
                (ip.to_canonical().to_string(), OwnedValue::Endpoint(ip, port, transport))
            }
            Value::Text(text) => (printable(text), OwnedValue::Text(text.to_vec())),
            Value::Name(name) => {
                let mut buffer = [0; MAX_NAME_TEXT_BYTES];
                let text = name.text(&mut buffer);
                (printable(text), OwnedValue::Text(text.to_vec()))
            }
            // Pieces of files are scanned; what is found is noted.
            Value::Piece { .. } | Value::Elsewhere(_) => return,
        };
        let hits = hits.iter().map(|hit| (hit.indicator, hit.how, hit.suppressed)).collect();
        self.noted.push(Noted { field: observable.at, kind: observable.kind, text, frame, hits, value });
    }
}
