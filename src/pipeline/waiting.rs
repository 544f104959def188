//! [`Waiting`]: the hits of a flow whose indicator has a condition that may yet come true, and what is known of control-system
//! functions in the flow to judge it by. Only flows in which such an indicator was hit have one.

use std::sync::Arc;

use crate::alert::Alert;
use crate::flow::Direction;
use crate::indicator::{Condition, IndicatorIx, Where};
use crate::matcher::{How, MatchSet};

/// See the module.
#[derive(Default)]
pub(super) struct Waiting {
    hits: Vec<Hit>,
    /// Functions seen, and which way.
    functions: Vec<(Direction, Box<[u8]>)>,
}

/// A hit that waits.
pub(super) struct Hit {
    pub(super) indicator: IndicatorIx,
    /// What leads to the same indicator in another set.
    pub(super) likeness: u64,
    pub(super) how: How,
    /// Where the value was seen.
    pub(super) at: Where,
    /// The frame that showed it.
    pub(super) frame_number: u64,
    /// What the alert will say; none for the address of an end, which the flow itself remembers.
    pub(super) alert: Option<Box<Alert>>,
}

impl Waiting {
    #[inline]
    pub(super) fn has_hits(&self) -> bool {
        !self.hits.is_empty()
    }

    pub(super) fn contains(&self, indicator: IndicatorIx, at: Where) -> bool {
        self.hits.iter().any(|hit| hit.indicator == indicator && hit.at == at)
    }

    /// Has a hit wait; false if there are too many.
    pub(super) fn add(&mut self, hit: Hit) -> bool {
        let has_room = self.hits.len() < MAX_HITS;
        if has_room {
            self.hits.push(hit);
        }
        has_room
    }

    /// Remembers a function; false if there are too many.
    pub(super) fn note(&mut self, direction: Direction, function: &[u8]) -> bool {
        if self.functions.iter().any(|(way, known)| *way == direction && **known == *function) {
            return true;
        }
        let has_room = self.functions.len() < MAX_FUNCTIONS;
        if has_room {
            self.functions.push((direction, function.into()));
        }
        has_room
    }

    /// Has the hits speak of a set that took over; those whose indicators are not in it are of no interest any more.
    pub(super) fn renew(&mut self, set: &Arc<MatchSet>) {
        self.hits.retain_mut(|hit| {
            let Some(indicator) = set.conditional(hit.likeness) else { return false };
            hit.indicator = indicator;
            if let Some(alert) = &mut hit.alert {
                alert.renew(indicator, set);
            }
            true
        });
    }

    /// Takes out a hit whose condition holds in a flow of this protocol; to be asked until there is none.
    pub(super) fn take_due(&mut self, protocol: Option<&str>, set: &MatchSet) -> Option<Hit> {
        let functions = &self.functions;
        let was_seen = |function: &str, to_responder: Option<bool>| {
            functions.iter().any(|(way, known)| {
                **known == *function.as_bytes()
                    && to_responder.is_none_or(|wanted| wanted == (*way == Direction::ToResponder))
            })
        };
        let is_due = |when: &Condition| when.holds(protocol, was_seen);
        let due = self.hits.iter().position(|hit| set.indicator(hit.indicator).when.is_some_and(is_due))?;
        Some(self.hits.remove(due))
    }
}

/// Hits that wait in one flow: its two ends, and what a feed of common values with conditions may add. What is beyond is
/// counted.
const MAX_HITS: usize = 32;

/// Functions remembered of one flow: a device is asked for a dozen things, and each of its stations is one more. What is
/// beyond is counted.
const MAX_FUNCTIONS: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::kind::IPV4;
    use crate::indicator::{Context, Draft, IndicatorSet};

    fn hit(indicator: u32) -> Hit {
        let at = Where("source.ip");
        Hit { indicator: IndicatorIx(indicator), likeness: 0, how: How::Exact, at, frame_number: 1, alert: None }
    }

    #[test]
    fn a_hit_is_due_once_its_condition_holds() {
        let mut indicators = IndicatorSet::default();
        let context = indicators.context(Context::default());
        let tls = Condition { protocol: Some("tls"), ..Condition::default() };
        let write = Condition { function: Some("modbus:6".into()), to_responder: Some(true), ..Condition::default() };
        for (when, address) in [(&tls, b"192.0.2.1"), (&write, b"192.0.2.2")] {
            indicators
                .add(&Draft { when: Some(when), ..Draft::new(&IPV4, address, context, 1) }, false)
                .expect("loads");
        }
        let set = MatchSet::compile(indicators, IndicatorSet::default());
        let mut waiting = Waiting::default();
        assert!(waiting.add(hit(0)) && waiting.add(hit(1)));
        assert!(waiting.take_due(None, &set).is_none());
        assert!(waiting.note(Direction::ToOriginator, b"modbus:6"));
        assert!(waiting.take_due(Some("modbus"), &set).is_none(), "the other direction");
        assert!(waiting.note(Direction::ToResponder, b"modbus:6"));
        assert_eq!(waiting.take_due(Some("modbus"), &set).map(|hit| hit.indicator.0), Some(1));
        assert_eq!(waiting.take_due(Some("tls"), &set).map(|hit| hit.indicator.0), Some(0));
        assert!(!waiting.has_hits());
    }

    #[test]
    fn it_is_bounded() {
        let mut waiting = Waiting::default();
        assert!((0..MAX_HITS as u32).all(|n| waiting.add(hit(n))));
        assert!(!waiting.add(hit(99)));
        let name = |n: usize| format!("modbus:{n}").into_bytes();
        assert!((0..MAX_FUNCTIONS).all(|n| waiting.note(Direction::ToResponder, &name(n))));
        assert!(!waiting.note(Direction::ToResponder, &name(999)));
        assert!(waiting.note(Direction::ToResponder, &name(0)), "known already");
    }
}
