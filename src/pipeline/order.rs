//! [`Order`]: what several workers say in the order of the frames that it is about again.
//!
//! A worker that has finished a batch has no more alerts for frames up to its end, except for frames that wait behind a hole
//! in a stream or for evidence; it says which is the first of those. What is before every worker's mark goes out, the rest is kept: as
//! much as holes are waited for.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::alert::{Alert, AlertFlow, FlowRecord};

/// A place in the run: file and frame number.
pub(super) type Place = (u32, u64);

/// What has a place, and an order within it that does not depend on who says it.
pub(super) trait Placed: Sized {
    fn place(&self) -> Place;
    fn order(&self, other: &Self) -> Ordering;
}

/// See the module.
pub(super) struct Order<T> {
    /// For each worker, the first place that it may still say something of.
    marks: Vec<Place>,
    /// Not sorted within a place.
    kept: BTreeMap<Place, Vec<T>>,
}

impl<T: Placed> Order<T> {
    pub(super) fn new(workers: usize) -> Self {
        Self { marks: vec![(0, 0); workers], kept: BTreeMap::new() }
    }

    /// Takes what a worker says, and its new mark; returns what can go out now, in order.
    pub(super) fn add(&mut self, worker: usize, said: Vec<T>, mark: Place) -> Vec<T> {
        if let Some(own) = self.marks.get_mut(worker) {
            *own = mark;
        }
        for one in said {
            self.kept.entry(one.place()).or_default().push(one);
        }
        let Some(&least) = self.marks.iter().min() else { return Vec::new() };
        let later = self.kept.split_off(&least);
        in_order(std::mem::replace(&mut self.kept, later))
    }

    /// Everything that is left, in order.
    pub(super) fn finish(self) -> Vec<T> {
        in_order(self.kept)
    }
}

fn in_order<T: Placed>(kept: BTreeMap<Place, Vec<T>>) -> Vec<T> {
    let sorted = kept.into_values().flat_map(|mut of_place| {
        of_place.sort_by(T::order);
        of_place
    });
    sorted.collect()
}

/// By file, frame, indicator id, field, flow (a frame with tunnels is of several); what is equal in all of these came from one
/// flow in one order.
impl Placed for Alert {
    fn place(&self) -> Place {
        (self.frame.file, self.frame.number)
    }

    fn order(&self, other: &Self) -> Ordering {
        let flows = || flow(&self.flow).cmp(&flow(&other.flow));
        let fields = || self.field.cmp(&other.field);
        self.place().cmp(&other.place()).then_with(|| by_indicator(self, other)).then_with(fields).then_with(flows)
    }
}

/// By the frame that was looked at when it ended, then by its first one.
impl Placed for FlowRecord {
    fn place(&self) -> Place {
        self.ended_at
    }

    fn order(&self, other: &Self) -> Ordering {
        let first = |record: &Self| (record.first.file, record.first.number);
        let flows = || flow(&self.flow).cmp(&flow(&other.flow));
        self.place().cmp(&other.place()).then_with(|| first(self).cmp(&first(other))).then_with(flows)
    }
}

type FlowOrder<'f> = (u32, u8, (std::net::IpAddr, u16), (std::net::IpAddr, u16), &'f [u16]);

fn flow(flow: &AlertFlow) -> FlowOrder<'_> {
    (flow.tunnel, flow.protocol_number, flow.originator, flow.responder, &flow.vlans)
}

fn by_indicator(a: &Alert, b: &Alert) -> Ordering {
    if a.indicator_ix() == b.indicator_ix() {
        return Ordering::Equal;
    }
    a.indicator().id().cmp(&b.indicator().id()).then_with(|| a.indicator_ix().cmp(&b.indicator_ix()))
}
