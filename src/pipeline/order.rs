//! [`Order`]: alerts of several workers in the order of their frames again.
//!
//! A worker that has finished a batch has no more alerts for frames up to its end, except for frames that wait behind a hole
//! in a stream; it says which is the first of those. What is before every worker's mark goes out, the rest is kept: as much
//! as holes are waited for.

use std::cmp::Ordering;

use crate::alert::Alert;

/// A place in the run: file and frame number.
pub(super) type Place = (u32, u64);

/// See the module.
pub(super) struct Order {
    /// For each worker, the first place that it may still raise alerts for.
    marks: Vec<Place>,
    /// Not sorted.
    kept: Vec<Alert>,
}

impl Order {
    pub(super) fn new(workers: usize) -> Self {
        Self { marks: vec![(0, 0); workers], kept: Vec::new() }
    }

    /// Takes what a worker raised, and its new mark; returns what can go out now, in order.
    pub(super) fn add(&mut self, worker: usize, alerts: Vec<Alert>, mark: Place) -> Vec<Alert> {
        if let Some(own) = self.marks.get_mut(worker) {
            *own = mark;
        }
        self.kept.extend(alerts);
        let Some(&least) = self.marks.iter().min() else { return Vec::new() };
        if self.kept.is_empty() {
            return Vec::new();
        }
        let (mut out, kept) = std::mem::take(&mut self.kept).into_iter().partition(|alert| place(alert) < least);
        self.kept = kept;
        sort(&mut out);
        out
    }

    /// Everything that is left, in order.
    pub(super) fn finish(mut self) -> Vec<Alert> {
        sort(&mut self.kept);
        self.kept
    }
}

fn place(alert: &Alert) -> Place {
    (alert.frame.file, alert.frame.number)
}

/// By file, frame, indicator id, field, flow (a frame with tunnels is of several); what is equal in all of these came from one
/// flow in one order.
fn sort(alerts: &mut [Alert]) {
    alerts.sort_by(|a, b| {
        place(a).cmp(&place(b)).then_with(|| by_indicator(a, b)).then_with(|| a.field.cmp(&b.field)).then_with(|| {
            let flow = |alert: &Alert| {
                let flow = &alert.flow;
                (flow.tunnel, flow.protocol_number, flow.originator, flow.responder)
            };
            flow(a).cmp(&flow(b))
        })
    });
}

fn by_indicator(a: &Alert, b: &Alert) -> Ordering {
    if a.indicator_ix() == b.indicator_ix() {
        return Ordering::Equal;
    }
    a.indicator().id().cmp(&b.indicator().id()).then_with(|| a.indicator_ix().cmp(&b.indicator_ix()))
}
