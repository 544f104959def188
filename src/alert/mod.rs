//! [`Alert`]: one indicator seen in one field of one flow, owned, ready to be sent to another thread.
//!
//! It copies what was seen and refers to the set for what the feed says. `Debug` shows the indicator's id, never a value. No output
//! is written from it but from the [`View`] of it that an [`Audience`] may have.

mod customer;
mod escape;
mod evidence;
mod exposure;
mod flow_record;
mod notice;
mod reference;
mod suppress;
mod view;

pub use customer::{CustomerRecord, Heading, HomeNetworks, Host, NoNetwork, RecordRepeats, References};
pub use escape::printable;
pub use evidence::{Evidence, EvidenceFile, KeptPacket};
pub use flow_record::{Ending, FlowNotes, FlowRecord, Topic};
pub use notice::Notice;
pub use reference::{ReferenceKey, ShortKey};
pub use suppress::{Distinct, Held, Occurrence, Repeats, SuppressCounters, SuppressOptions, Suppressor};
pub use view::{Audience, Full, Policy, Release, Source, View};

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::flow::{Identity, community_id};
use crate::indicator::{Field, FieldValue, Indicator, IndicatorIx, MAX_NAME_TEXT_BYTES, Observable, Value, Where};
use crate::matcher::{How, MatchSet};
use crate::packet::{Address, Ends, FrameRef, protocol, written};

/// See the module.
#[derive(Clone)]
pub struct Alert {
    /// The frame that completed the match.
    pub frame: FrameRef,
    /// The capture it is in.
    pub capture: Arc<Path>,
    /// The conversation.
    pub flow: AlertFlow,
    /// Where the value was seen.
    pub field: Where,
    /// The value as seen, made printable.
    pub atomic: String,
    /// How the indicator covers it.
    pub how: How,
    /// What else was known of the message.
    pub with: Vec<OwnedField>,
    /// If it stands for others: how many, and when.
    pub repeats: Option<Box<Repeats>>,
    /// The packets around it, where they are kept.
    pub evidence: Option<Box<Evidence>>,
    indicator: IndicatorIx,
    set: Arc<MatchSet>,
}

/// What an alert says of its conversation.
#[derive(Clone)]
pub struct AlertFlow {
    /// Address and port of the end that opened it.
    pub originator: (IpAddr, u16),
    /// Address and port of the other end.
    pub responder: (IpAddr, u16),
    /// IP protocol number; 0 without IP.
    pub protocol_number: u8,
    /// What the ends are.
    pub ends: Ends,
    /// Tells the tunnels apart that it was in; 0 outside any.
    pub tunnel: u32,
    /// `network.protocol`, as far as it was recognised when the alert was raised.
    pub protocol: Option<&'static str>,
    /// The outermost VLAN ids.
    pub vlans: Vec<u16>,
}

/// A field of an alert: an Elastic Common Schema path and its value.
#[derive(Clone)]
pub struct OwnedField {
    /// The path.
    pub path: Where,
    /// The value.
    pub value: OwnedValue,
}

/// The value of an [`OwnedField`].
#[derive(Clone)]
pub enum OwnedValue {
    /// Text, made printable if it is from traffic.
    Text(String),
    /// A number.
    Number(u64),
}

impl Alert {
    /// Copies what an alert needs.
    pub fn new(
        flow: &Identity,
        frame: FrameRef,
        capture: &Arc<Path>,
        observable: &Observable<'_>,
        (indicator, how): (IndicatorIx, How),
        set: &Arc<MatchSet>,
    ) -> Self {
        let mut with = Vec::new();
        observable.each_field(&mut |field| with.push(OwnedField::from(field)));
        with.retain(|field| !field.is_empty());
        Self {
            frame,
            capture: Arc::clone(capture),
            flow: flow.into(),
            field: observable.at,
            atomic: match observable.value {
                Value::Addr(ip) | Value::Endpoint(ip, ..) => ip.to_canonical().to_string(),
                Value::Text(text) | Value::Piece { bytes: text, .. } => printable(text),
                Value::Name(name) => printable(name.text(&mut [0; MAX_NAME_TEXT_BYTES])),
                Value::Elsewhere(_) => String::new(),
            },
            how,
            with,
            repeats: None,
            evidence: None,
            indicator,
            set: Arc::clone(set),
        }
    }

    /// Has it speak of the same indicator in another set, for which it was kept.
    pub fn renew(&mut self, indicator: IndicatorIx, set: &Arc<MatchSet>) {
        self.indicator = indicator;
        self.set = Arc::clone(set);
    }

    /// Whether the ends' numbers are ports; for ICMP they are type and code.
    pub fn has_ports(&self) -> bool {
        matches!(self.flow.protocol_number, protocol::TCP | protocol::UDP | protocol::SCTP)
    }

    /// The indicator.
    pub fn indicator(&self) -> Indicator<'_> {
        self.set.indicator(self.indicator)
    }

    /// The set that it matched in: its feeds' contexts are there.
    pub fn set(&self) -> &MatchSet {
        &self.set
    }

    /// Position of the indicator in [`Alert::set`].
    pub fn indicator_ix(&self) -> IndicatorIx {
        self.indicator
    }

    /// `network.community_id`, seed 0; `None` without addresses of IP.
    pub fn community_id(&self) -> Option<String> {
        let flow = &self.flow;
        let has_ip = flow.ends != Ends::Hardware;
        has_ip.then(|| community_id(0, flow.protocol_number, flow.originator, flow.responder))
    }

    /// `event.id`: derived from the content, so that the same alert has the same id in every run.
    pub fn event_id(&self) -> String {
        let conversation = self.community_id().unwrap_or_else(|| self.flow.addresses().join(" "));
        let repeats = self.repeats.as_ref().map(|repeats| repeats.count.to_string());
        let mut hash = Sha256::new();
        let parts = [
            self.frame.time.as_ns().to_string().as_str(),
            &self.capture.to_string_lossy(),
            &self.frame.number.to_string(),
            &conversation,
            &self.indicator().id(),
            self.field.0,
        ]
        .map(|part| [part.as_bytes(), &[0]].concat());
        parts.iter().for_each(|part| hash.update(part));
        // A roll-up names the frame of the last that it stands for.
        repeats.iter().for_each(|count| hash.update(count.as_bytes()));
        let first = hash.finalize().iter().take(16).fold(0u128, |all, &byte| all << 8 | u128::from(byte));
        format!("{first:032x}")
    }
}

impl AlertFlow {
    /// The hardware addresses of both ends, the originator's first, where they have no others: `00-00-5E-00-53-23`.
    pub fn hardware(&self) -> Option<[String; 2]> {
        let written = |ip: IpAddr| Address::from(ip).as_hardware().map(written);
        if self.ends != Ends::Hardware {
            return None;
        }
        Some([written(self.originator.0)?, written(self.responder.0)?])
    }

    /// The ends' addresses as text, the originator's first.
    pub fn addresses(&self) -> [String; 2] {
        self.hardware().unwrap_or_else(|| [self.originator.0.to_string(), self.responder.0.to_string()])
    }
}

impl From<&Identity> for AlertFlow {
    fn from(flow: &Identity) -> Self {
        Self {
            originator: flow.originator(),
            responder: flow.responder(),
            protocol_number: flow.protocol(),
            ends: flow.ends(),
            tunnel: flow.tunnel(),
            protocol: None,
            vlans: flow.vlans().to_vec(),
        }
    }
}

impl From<&Field<'_>> for OwnedField {
    fn from(field: &Field<'_>) -> Self {
        let value = match field.value {
            FieldValue::Text(text) => OwnedValue::Text(printable(text)),
            FieldValue::Word(word) => OwnedValue::Text(word.to_owned()),
            FieldValue::Number(number) => OwnedValue::Number(number),
            FieldValue::Made(make) => OwnedValue::Text(printable(&make())),
            // They are read one by one.
            FieldValue::Several(_) => OwnedValue::Text(String::new()),
        };
        Self { path: field.path, value }
    }
}

impl OwnedField {
    fn is_empty(&self) -> bool {
        matches!(&self.value, OwnedValue::Text(text) if text.is_empty())
    }
}

impl fmt::Debug for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alert")
            .field("frame", &self.frame)
            .field("indicator", &self.indicator().id())
            .field("field", &self.field)
            .finish_non_exhaustive()
    }
}
