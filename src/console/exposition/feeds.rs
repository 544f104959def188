//! What is matched against, and how fresh it is.

use super::{Metric, Samples, counter, gauge};
use crate::console::snapshot::{Feed, Snapshot};

pub(super) static METRICS: &[Metric] = &[
    counter(
        "picket_reloads_total",
        "Times that feeds and lists were read again, by whether the new ones were taken.",
        |s, out| {
            out.with(&[("result", "accepted")], s.reload.accepted);
            out.with(&[("result", "refused")], s.reload.refused);
        },
    ),
    gauge("picket_last_reload_seconds", "Time that the last one took.", |s, out| {
        if let Some(seconds) = s.reload.last_seconds {
            out.one(seconds);
        }
    }),
    gauge("picket_last_reload_refused", "Whether the last one was refused.", |s, out| {
        out.one(s.reload.is_last_refused);
    }),
    gauge("picket_last_accepted_reload_age_seconds", "Time since the set in use was taken.", |s, out| {
        if let Some(seconds) = s.reload.last_accepted_age_seconds {
            out.one(seconds);
        }
    }),
    gauge("picket_feed_age_seconds", "Time since a feed's data were last renewed.", |s, out| {
        by_feed(s, out, |feed| feed.age_seconds);
    }),
    gauge("picket_feed_stale", "Whether a feed is older than the configuration allows.", |s, out| {
        by_feed(s, out, |feed| f64::from(u8::from(feed.is_stale)));
    }),
    gauge("picket_feed_broken", "Whether a feed could not be read to its end.", |s, out| {
        by_feed(s, out, |feed| f64::from(u8::from(feed.is_broken)));
    }),
    gauge("picket_feed_entries", "Entries of a feed in use.", |s, out| by_feed(s, out, |feed| feed.entries as f64)),
    gauge("picket_indicators", "Indicators matched against.", |s, out| out.one(s.indicators.total)),
    gauge("picket_kind_indicators", "Indicators matched against, by kind.", |s, out| {
        s.indicators.by_kind.iter().for_each(|kind| out.with(&[("kind", &kind.kind)], kind.count));
    }),
];

/// A sample for each feed.
fn by_feed(snapshot: &Snapshot, out: &mut Samples<'_>, of: fn(&Feed) -> f64) {
    snapshot.feeds.iter().for_each(|feed| out.with(&[("feed", &feed.name)], of(feed)));
}
