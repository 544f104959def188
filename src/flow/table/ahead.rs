//! What of the flow table is asked for before it is looked at. Hints: nothing here changes what is found, or the table.

use super::{Candidate, FlowTable, Home};
use crate::flow::Keep;
use crate::prefetch;
use crate::time::Timestamp;

impl<S: Keep> FlowTable<S> {
    /// Asks for the first bucket of a home.
    #[inline]
    pub fn prefetch_bucket(&self, home: Home) {
        prefetch::lines_at(&self.buckets, home.bucket());
    }

    /// Asks for the record that the first bucket holds for a home. `None` if it holds none: the flow is probably new.
    #[inline(always)]
    pub fn prefetch_record(&self, home: Home, now: Timestamp) -> Option<Candidate> {
        let bucket = &self.buckets[home.bucket()];
        let Some(way) = bucket.find(home.mark()) else {
            self.prefetch_room(home, now);
            return None;
        };
        let record = bucket.records[way];
        prefetch::lines_at(&self.records, record as usize);
        Some(Candidate::new(record, way))
    }

    /// A flow that is not in its first bucket is in the other, if any is, or new. In a full table a new one takes over the record of the
    /// oldest flow here.
    #[inline(never)]
    fn prefetch_room(&self, home: Home, now: Timestamp) {
        let bucket = &self.buckets[home.bucket()];
        let is_full = self.is_full(self.region(home));
        if bucket.has_spilt() || is_full {
            prefetch::line(&self.buckets[self.second(home)]);
        }
        if is_full && let Some((_, way)) = bucket.oldest(now) {
            self.prefetch_leaving(bucket.records[way]);
        }
    }

    /// For a flow that is probably new, some time after [`FlowTable::prefetch_record`] asked for its second bucket: if it is to take the place
    /// of another, that may be the oldest there.
    #[inline]
    pub fn prefetch_victim(&self, home: Home, now: Timestamp) {
        if self.is_full(self.region(home))
            && let bucket = &self.buckets[self.second(home)]
            && let Some((_, way)) = bucket.oldest(now)
        {
            self.prefetch_leaving(bucket.records[way]);
        }
    }

    /// Asks for what is looked at of a flow that has to go. In a flood nearly all are blank.
    #[inline]
    fn prefetch_leaving(&self, record: u32) {
        let flow = &self.records[record as usize];
        if self.last_was_blank {
            prefetch::line(flow);
            prefetch::line(&flow.open);
        } else {
            prefetch::lines(flow);
        }
    }
}
