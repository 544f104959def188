//! What [`Eyes`] look at, of all that parsers can show: the kinds that the set has indicators of, and more where somebody notes what is
//! shown. What nobody looks at is neither made, if that costs something, nor looked up; nothing that an alert says depends on it.

use super::Eyes;
use crate::indicator::{Wants, kind};
use crate::matcher::MatchSet;
use crate::pipeline::live::Names;
use crate::pipeline::recorder::Recorder;

impl Eyes {
    /// Has shown what nobody looks for and what costs little, for [`Eyes::record`].
    pub(in crate::pipeline) fn show_more(&mut self) {
        let kinds = [&kind::JA3, &kind::JA4, &kind::URL, &kind::USER_AGENT, &kind::ICS_FUNCTION];
        kinds.into_iter().for_each(|kind| self.wants.add(kind, 0));
    }

    /// Notes every observable.
    pub(in crate::pipeline) fn record(&mut self, recorder: Recorder) {
        self.recorder = Some(Box::new(recorder));
        self.attend();
    }

    /// Keeps the last names.
    pub(in crate::pipeline) fn keep_names(&mut self, names: Names) {
        self.names = Some(Box::new(names));
        self.attend();
    }

    /// Works out who looks at what.
    pub(super) fn attend(&mut self) {
        self.looks = if self.recorder.is_some() { Wants::ALL } else { looked_at(&self.set) };
        if self.names.is_some() {
            self.looks.add(&kind::DOMAIN, 0);
        }
        let is_noted = self.recorder.is_some() || self.names.is_some() || self.shown.is_some();
        self.alone = !(is_noted || self.has_rules || self.has_function_conditions);
    }

    /// Whether addresses are looked at, of either family ([`looked_at`]).
    #[inline]
    pub(in crate::pipeline) fn looks_at_addresses(&self) -> bool {
        self.looks.kind(&kind::IPV4)
    }
}

/// What parsers are to show: kinds that there is an indicator of, or that a condition asks for.
pub(super) fn wanted_of(set: &MatchSet) -> Wants {
    let mut wants = set.wants();
    if set.indicators().has_function_conditions() {
        wants.add(&kind::ICS_FUNCTION, 0);
    }
    wants
}

/// Of what parsers show, the kinds that are looked at. An address of either family may be written as one of the other.
pub(super) fn looked_at(set: &MatchSet) -> Wants {
    let mut looks = wanted_of(set);
    if looks.kind(&kind::IPV4) || looks.kind(&kind::IPV6) {
        [&kind::IPV4, &kind::IPV6].into_iter().for_each(|kind| looks.add(kind, 0));
    }
    looks
}
