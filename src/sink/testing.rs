//! A scene for the tests of formats: one alert full of what formats must escape, and readers who may see more or less of it.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::{Format, Record};
use crate::alert::{Alert, Audience, HomeNetworks, Notice, OwnedField, OwnedValue, Policy, ReferenceKey, View};
use crate::flow::{Flow, FlowKey};
use crate::indicator::kind::{DOMAIN, IPV4};
use crate::indicator::{Context, Draft, Field, IndicatorSet, Observable, Value, Where};
use crate::marking::{Clearance, Marking, Tlp};
use crate::matcher::{MatchSet, Matcher};
use crate::packet::{Address, FrameRef, Packet, protocol};
use crate::time::Timestamp;

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// Sees everything.
    All,
    /// Sees the indicator, and not the address that it was seen at.
    Partial,
    /// Is told that there was a hit.
    Customer,
    /// The same, without a key for references.
    Keyless,
}

pub(super) struct Scene {
    set: Arc<MatchSet>,
    alert: Alert,
}

/// What feeds may say and no line may hold.
pub(super) const HOSTILE_ID: &str = "id|=\\\n\"hostile";
pub(super) const HOSTILE_PROVIDER: &str = "ho|st=ile\n\\\"Provider\r";

impl Scene {
    /// A name with hostile texts, marked amber, in a flow to an address that is marked red.
    pub(super) fn hostile() -> Self {
        let mut indicators = IndicatorSet::default();
        let marked = |tlp| Marking { tlp: Some(tlp), ..Marking::default() };
        let shown = indicators.context(Context {
            feed: "feeds/=host|ile\n.jsonl".into(),
            provider: Some(HOSTILE_PROVIDER.into()),
            confidence: Some("High".into()),
            severity: Some(90),
            description: Some("two\nlines, = and | and \u{1b}[2J".into()),
            reference: Some("https://hostile.example/?a=b|c".into()),
            first_seen: Some("2024-01-01T00:00:00Z".into()),
            about: [(Where("threat.group.name"), "gr=oup|".into())].into(),
            marking: marked(Tlp::Amber),
        });
        let hidden = indicators.context(Context { marking: marked(Tlp::Red), ..Context::default() });
        let name = Draft { id: Some(HOSTILE_ID), ..Draft::new(&DOMAIN, b"hostile.example", shown, 3) };
        indicators.add(&name, false).expect("loads");
        indicators.add(&Draft::new(&IPV4, b"203.0.113.66", hidden, 4), false).expect("loads");
        let set = Arc::new(MatchSet::compile(indicators, IndicatorSet::default()));
        let alert = alert(&set);
        Self { set, alert }
    }

    pub(super) fn record(&self, format: &Format, reader: Reader) -> Option<Record> {
        self.with_view(reader, |view| format.record(view))
    }

    pub(super) fn with_view<T>(&self, reader: Reader, then: impl FnOnce(&View<'_>) -> T) -> T {
        then(&self.audience(reader).view(&self.alert))
    }

    fn audience(&self, reader: Reader) -> Audience {
        let tlp = match reader {
            Reader::All => return Audience::unrestricted(),
            Reader::Partial => Tlp::Amber,
            Reader::Customer | Reader::Keyless => Tlp::Clear,
        };
        let clearances = vec![Clearance { tlp, ..Clearance::default() }];
        let key = ReferenceKey::new(b"0123456789abcdef0123456789abcdef", "customer").ok();
        let home = HomeNetworks::parse(&["192.0.2.0/24"]).expect("a network");
        let key = key.filter(|_| reader != Reader::Keyless);
        Audience::new(Policy { clearances, home, key, handling: None }, &self.set)
    }
}

fn alert(set: &Arc<MatchSet>) -> Alert {
    let packet = Packet {
        ip_version: 4,
        source: Address::v4([192, 0, 2, 10]),
        destination: Address::v4([203, 0, 113, 66]),
        source_port: 40_000,
        destination_port: 80,
        protocol: protocol::TCP,
        vlan_count: 1,
        vlans: [5, 0],
        ..Packet::default()
    };
    let (key, from) = FlowKey::of(&packet).expect("has addresses");
    let time = Timestamp::from_parts(1_700_000_000, 123_456_789);
    let flow = Flow::<()>::start(key, &packet, from, time);
    let observable =
        Observable { kind: &DOMAIN, value: Value::Text(b"www.hostile.example"), at: Where("url.domain"), with: &[] };
    let mut hits = Vec::new();
    Matcher::new(Arc::clone(set)).seen(&observable, time, &mut hits);
    let hit = hits.first().expect("a hit");
    let frame = FrameRef { file: 0, number: 7, time };
    let capture: Arc<Path> = Path::new("captures/ho|st=ile\n.pcap").into();
    let mut alert = Alert::new(&flow.identity, frame, &capture, &observable, (hit.indicator, hit.how), set);
    alert.flow.protocol = Some("http");
    alert.with.push(OwnedField::from(&Field::text("url.domain", b"www.hostile.example")));
    alert.with.push(OwnedField::from(&Field::text("user_agent.original", b"a|b=c\\d\r\n\x1b[2J\"'")));
    alert
}

/// That alerts were dropped.
pub(super) fn notice() -> Notice {
    Notice {
        time: Timestamp::from_parts(1_700_000_000, 5),
        action: "alerts-dropped",
        severity: 70,
        message: "7 alerts were dropped:\nthe queue | of \"x=y\" was full".to_owned(),
        fields: vec![(Where("picket.dropped"), OwnedValue::Number(7))],
    }
}

/// A writer that can be looked into.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("not poisoned").clone()).expect("UTF-8")
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
