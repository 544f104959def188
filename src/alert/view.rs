//! [`Audience::view`]: what the readers of one output are shown of an alert. Decided here, once: every format, the summary and every
//! count are written from the [`View`], which holds nothing that its readers may not see.
//!
//! Each source of an indicator is judged by itself. What some source releases is shown, with the sources that release it and no
//! other: never by a marking merged from several.

use std::path::Path;
use std::sync::Arc;

use super::customer::{self, CustomerRecord, HomeNetworks};
use super::exposure::Exposure;
use super::reference::ReferenceKey;
use super::{Alert, AlertFlow, Evidence, EvidenceFile, OwnedField, OwnedValue, Repeats};
use crate::indicator::{ContextRef, Indicator, IndicatorSet, Where};
use crate::marking::{Action, Clearance, Marking};
use crate::matcher::{How, MatchSet};
use crate::packet::FrameRef;

/// What an audience is cleared for, and what its customer records need.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Of everyone who reads: what is shown, all of them may see.
    pub clearances: Vec<Clearance>,
    /// The customer's networks.
    pub home: HomeNetworks,
    /// What makes references. Without one they are left out.
    pub key: Option<ReferenceKey>,
    /// How customer records are to be handled; a line that says it is sanitised if not given.
    pub handling: Option<Box<str>>,
}

/// The readers of one output.
pub struct Audience {
    policy: Option<Policy>,
    exposure: Option<Exposure>,
    withholds: bool,
}

/// What is shown of an alert.
pub enum View<'a> {
    /// The indicator and the traffic that it was seen in.
    Full(Full<'a>),
    /// The indicator; of the traffic only what a customer record has, because it shows a value of another indicator that is withheld.
    Partial(Release<'a>, CustomerRecord),
    /// The indicator is above the readers.
    Customer(CustomerRecord),
    /// The readers may not even be notified.
    Nothing,
}

/// An alert whose readers may see all of it but some sources.
pub struct Full<'a> {
    /// What the feeds say of the indicator.
    pub release: Release<'a>,
    // Private: it leads to every source.
    alert: &'a Alert,
}

/// An indicator with the sources that release it.
pub struct Release<'a> {
    /// The indicator.
    pub indicator: Indicator<'a>,
    /// How it covers what was seen.
    pub how: How,
    /// Who named it: one at least.
    pub sources: Vec<Source<'a>>,
}

/// A source that releases an indicator.
pub struct Source<'a> {
    context: ContextRef<'a>,
    line: u32,
    is_named: bool,
}

/// `event.severity` where the feed gives none: the middle.
const DEFAULT_SEVERITY: u8 = 50;

impl Audience {
    /// Readers who may see everything that was loaded.
    pub fn unrestricted() -> Self {
        Self { policy: None, exposure: None, withholds: false }
    }

    /// Readers of alerts out of `set`, under `policy`.
    pub fn new(policy: Policy, set: &MatchSet) -> Self {
        let indicators = set.indicators();
        let withholds = indicators.markings().any(|marking| !policy.may_see(marking));
        let exposure = if withholds {
            Exposure::new(indicators.withheld(|context| policy.may_see(context.marking)))
        } else {
            None
        };
        Self { policy: Some(policy), exposure, withholds }
    }

    /// Whether anything of the set is kept from them: then they read customer records too.
    pub fn withholds(&self) -> bool {
        self.withholds
    }

    /// What they may see of an alert.
    pub fn view<'a>(&mut self, alert: &'a Alert) -> View<'a> {
        let named = alert.set().indicators().sources(alert.indicator_ix());
        let Some(policy) = &self.policy else {
            let sources = named.map(|(context, line)| Source { context, line, is_named: true }).collect();
            return View::Full(Full { release: Release::of(alert, sources), alert });
        };
        let shown = named.filter(|(context, _)| policy.may_see(context.marking));
        let source = |(context, line): (ContextRef<'a>, u32)| {
            let is_named = policy.may_name_source(context.marking);
            Source { context, line, is_named }
        };
        let sources: Vec<Source<'a>> = shown.map(source).collect();
        let exposure = self.exposure.as_mut();
        if sources.is_empty() {
            let mut named = alert.set().indicators().sources(alert.indicator_ix());
            if !named.any(|(context, _)| policy.may_notify(context.marking)) {
                return View::Nothing;
            }
            return View::Customer(record(policy, exposure, alert));
        }
        let release = Release::of(alert, sources);
        if let Some(exposure) = exposure
            && exposes(exposure, alert)
        {
            return View::Partial(release, record(policy, Some(exposure), alert));
        }
        View::Full(Full { release, alert })
    }

    /// Whether they may see this indicator: some source of it is theirs to see.
    pub fn may_see(&self, set: &IndicatorSet, indicator: Indicator<'_>) -> bool {
        let shows =
            |(context, _): (ContextRef<'_>, u32)| self.policy.as_ref().is_none_or(|p| p.may_see(context.marking));
        set.sources(indicator.ix).any(shows)
    }
}

impl Policy {
    /// Whether every reader may see what is marked so.
    pub fn may_see(&self, marking: &Marking) -> bool {
        self.clearances.iter().all(|clearance| clearance.may_see(marking).allowed)
    }

    /// Whether every reader may be told whose it is.
    pub fn may_name_source(&self, marking: &Marking) -> bool {
        self.clearances.iter().all(|clearance| clearance.may_name_source(marking).allowed)
    }

    /// Whether every reader may be told that there was a hit.
    pub fn may_notify(&self, marking: &Marking) -> bool {
        self.clearances.iter().all(|clearance| clearance.may_notify(marking).allowed)
    }
}

impl View<'_> {
    /// Alerts that it stands for besides itself.
    pub fn repeats(&self) -> u64 {
        match self {
            Self::Full(full) => full.repeats().map_or(0, |repeats| repeats.count),
            Self::Partial(_, record) | Self::Customer(record) => record.repeats.map_or(0, |repeats| repeats.count),
            Self::Nothing => 0,
        }
    }
}

/// Whether the traffic of an alert, as its full record would show it, holds a value that is withheld.
fn exposes(exposure: &mut Exposure, alert: &Alert) -> bool {
    let flow = &alert.flow;
    let shown = alert.with.iter().filter_map(|field| match &field.value {
        OwnedValue::Text(text) => Some(text.as_str()),
        OwnedValue::Number(_) => None,
    });
    flow.hardware().is_some_and(|ends| ends.iter().any(|end| exposure.text(end)))
        || exposure.addr(flow.originator.0)
        || exposure.addr(flow.responder.0)
        || exposure.text(&alert.atomic)
        || shown.into_iter().any(|text| exposure.text(text))
}

fn record(policy: &Policy, exposure: Option<&mut Exposure>, alert: &Alert) -> CustomerRecord {
    let (direction, host) = policy.home.judge(&alert.flow, alert.has_ports());
    let indicators = alert.set().indicators();
    let sources = indicators.sources(alert.indicator_ix());
    let marking = alert.handling();
    let may_act = policy.clearances.iter().all(|clearance| clearance.may_act(&marking, Action::Active).allowed);
    CustomerRecord {
        time: customer::time_of(alert),
        internal: host.filter(|host| exposure.is_none_or(|exposure| !exposure.addr(host.ip))),
        direction,
        severity: severity(sources.map(|(context, _)| context)),
        repeats: customer::repeats_of(alert),
        action: if may_act { customer::ACT } else { customer::WATCH },
        references: policy.key.as_ref().map(|key| key.of(alert)),
        handling: policy.handling.clone().unwrap_or_else(|| customer::HANDLING.into()),
    }
}

fn severity<'a>(contexts: impl Iterator<Item = ContextRef<'a>>) -> u8 {
    contexts.filter_map(|context| context.severity).max().unwrap_or(DEFAULT_SEVERITY)
}

impl<'a> Full<'a> {
    /// The frame that completed the match.
    pub fn frame(&self) -> FrameRef {
        self.alert.frame
    }

    /// The capture it is in.
    pub fn capture(&self) -> &'a Arc<Path> {
        &self.alert.capture
    }

    /// The conversation.
    pub fn flow(&self) -> &'a AlertFlow {
        &self.alert.flow
    }

    /// Where the value was seen.
    pub fn field(&self) -> Where {
        self.alert.field
    }

    /// The value as seen, made printable.
    pub fn atomic(&self) -> &'a str {
        &self.alert.atomic
    }

    /// What else was known of the message.
    pub fn with(&self) -> &'a [OwnedField] {
        &self.alert.with
    }

    /// How many others it stands for, if it does.
    pub fn repeats(&self) -> Option<&'a Repeats> {
        self.alert.repeats.as_deref()
    }

    /// The file that its packets are in.
    pub fn evidence(&self) -> Option<&'a EvidenceFile> {
        match self.alert.evidence.as_deref() {
            Some(Evidence::Filed(file)) => Some(file),
            _ => None,
        }
    }

    /// Whether the ends' numbers are ports.
    pub fn has_ports(&self) -> bool {
        self.alert.has_ports()
    }

    /// `network.community_id`, seed 0; `None` without addresses of IP.
    pub fn community_id(&self) -> Option<String> {
        self.alert.community_id()
    }

    /// [`Alert::event_id`].
    pub fn event_id(&self) -> String {
        self.alert.event_id()
    }
}

impl<'a> Release<'a> {
    fn of(alert: &'a Alert, sources: Vec<Source<'a>>) -> Self {
        Self { indicator: alert.indicator(), how: alert.how, sources }
    }

    /// 0 to 100: of the most severe source that releases it.
    pub fn severity(&self) -> u8 {
        severity(self.sources.iter().map(|source| source.context))
    }

    /// `feed:line` of every source that may be named.
    pub fn feeds(&self) -> Vec<String> {
        let named = self.sources.iter().filter(|source| source.is_named);
        named.map(|source| format!("{}:{}", source.context.feed, source.line)).collect()
    }
}

impl<'a> Source<'a> {
    /// How it is to be handled.
    pub fn marking(&self) -> &'a Marking {
        self.context.marking
    }

    /// `threat.indicator.confidence`.
    pub fn confidence(&self) -> Option<&'a str> {
        self.context.confidence
    }

    /// `threat.indicator.first_seen`.
    pub fn first_seen(&self) -> Option<&'a str> {
        self.context.first_seen
    }

    /// What the indicator is about: each path with a text.
    pub fn about(&self) -> impl Iterator<Item = (Where, &'a str)> + use<'a> {
        self.context.about.iter()
    }

    /// The feed file, if the source may be named.
    pub fn feed(&self) -> Option<&'a str> {
        self.is_named.then_some(self.context.feed)
    }

    /// `threat.indicator.provider`, if the source may be named.
    pub fn provider(&self) -> Option<&'a str> {
        self.context.provider.filter(|_| self.is_named)
    }

    /// `threat.indicator.reference`, which names the source.
    pub fn reference(&self) -> Option<&'a str> {
        self.context.reference.filter(|_| self.is_named)
    }

    /// `threat.indicator.description`, which may name the source.
    pub fn description(&self) -> Option<&'a str> {
        self.context.description.filter(|_| self.is_named)
    }
}
