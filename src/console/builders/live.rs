//! What a live run says of itself ([`LiveStatus`]) as part of a [`Snapshot`].

use std::time::Duration;

use crate::capture::live::Losses;
use crate::console::snapshot::{Feed, Gaps, Indicators, Interface, Loss, Notices, Reload, Shed, Snapshot, Worker};
use crate::metrics::Tally;
use crate::pipeline::Counters;
use crate::pipeline::live::{LiveStatus, Shedding, WorkerStatus};
use crate::proto::Unread;
use crate::time::Timestamp;

impl Snapshot {
    /// Fills in what the run says. `now` is the machine's clock; a feed that was not changed for `stale_after` is stale, zero for never.
    #[must_use]
    pub fn with_live(self, status: &LiveStatus, now: Timestamp, stale_after: Duration) -> Self {
        let mut counters = Counters::default();
        status.workers.iter().for_each(|worker| counters.merge(&worker.counters));
        let mut snapshot = self.with_counters(&counters);
        snapshot.traffic.live_flows = status.workers.iter().map(|worker| worker.live_flows as u64).sum();
        snapshot.traffic.held_bytes = status.workers.iter().map(|worker| worker.held_bytes as u64).sum();
        snapshot.workers = status.workers.iter().enumerate().map(worker).collect();
        snapshot.interfaces = status.interfaces.iter().map(|name| interface(name, &status.workers)).collect();
        snapshot.losses = (0..).zip(&status.workers).flat_map(|worker| losses(worker, &status.interfaces)).collect();
        let of = |wanted| counters.unread.iter().find(|(why, _)| **why == wanted).map_or(0, |(_, count)| count);
        snapshot.shed = [(Shedding::Bulk, counters.shed_scan_bytes), (Shedding::Long, of(Unread::Shed))]
            .into_iter()
            .map(|(step, count)| shed(step, count, &status.workers))
            .collect();
        let alerts = &mut snapshot.alerts;
        (alerts.sent, alerts.dropped) = (status.alerts_sent, status.alerts_dropped);
        alerts.raised = status.alerts_sent + status.alerts_dropped;
        alerts.notices_dropped = status.notices_dropped;
        (alerts.waiting, alerts.capacity) = (status.queue.0 as u64, status.queue.1 as u64);
        snapshot.reload = Reload {
            accepted: status.reloads,
            refused: status.reloads_refused,
            last_seconds: (status.reloads + status.reloads_refused > 0).then_some(status.reload_seconds),
            last_accepted_age_seconds: Some(age(status.set_since, now).as_secs_f64()),
            is_last_refused: snapshot.reload.is_last_refused,
        };
        snapshot.feeds = (1..)
            .zip(&status.feeds)
            .map(|(number, feed): (u32, _)| {
                let age = age(feed.changed, now);
                Feed {
                    name: number.to_string(),
                    age_seconds: age.as_secs_f64(),
                    is_stale: !stale_after.is_zero() && age > stale_after,
                    is_broken: !feed.is_whole,
                    entries: feed.entries,
                }
            })
            .collect();
        snapshot.indicators = Indicators { total: status.indicators as u64, ..snapshot.indicators };
        snapshot
    }

    /// Fills in what notices tell: those of [`crate::alert::Notice::action`] that were seen go by, counted. Call it after
    /// [`Snapshot::with_live`].
    #[must_use]
    pub fn with_notices(mut self, actions: &Tally<&'static str>) -> Self {
        let all = actions.sorted();
        let count = |action: &'static str| all.get(&action).copied().unwrap_or(0);
        let began = count("visibility-gap-began");
        self.gaps = Gaps { began, open: began.saturating_sub(count("visibility-gap-ended")) };
        self.alerts.notices =
            all.iter().map(|(action, &count)| Notices { action: (**action).to_owned(), count }).collect();
        self
    }
}

fn worker((number, status): (usize, &WorkerStatus)) -> Worker {
    Worker {
        number: number as u32,
        is_running: status.is_running,
        packets: status.counters.frames,
        panics: status.restarts,
        frames_lost: status.frames_lost,
        behind_seconds: status.behind.as_secs_f64(),
    }
}

/// Each worker has its own handle on an interface; it is up if it is for all.
fn interface(name: &str, workers: &[WorkerStatus]) -> Interface {
    let states = || workers.iter().flat_map(|worker| &worker.interfaces).filter(|state| state.name == name);
    Interface {
        name: name.to_owned(),
        is_up: states().all(|state| state.is_up),
        went_down: states().map(|state| state.downs).max().unwrap_or(0),
    }
}

/// A worker's on each interface.
fn losses((number, status): (u32, &WorkerStatus), interfaces: &[String]) -> Vec<Loss> {
    let loss = |(name, losses): (&String, &Losses)| Loss {
        worker: Some(number),
        interface: Some(name.clone()),
        received: losses.received,
        kernel_dropped: losses.kernel_dropped,
        ring_freezes: losses.ring_freezes,
        interface_dropped: losses.interface_dropped,
    };
    interfaces.iter().zip(&status.losses_by_interface).map(loss).collect()
}

fn shed(step: Shedding, count: u64, workers: &[WorkerStatus]) -> Shed {
    let is_active = workers.iter().any(|worker| worker.shedding >= step);
    Shed { step: step.code().to_owned(), is_active, count }
}

/// Nothing if it is in the future.
fn age(then: Timestamp, now: Timestamp) -> Duration {
    if then < now { now.since(then) } else { Duration::ZERO }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::live::InterfaceState;
    use crate::pipeline::reload::FeedState;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_parts(seconds, 0)
    }

    fn worker(packets: u64, is_up: bool, shedding: Shedding) -> WorkerStatus {
        WorkerStatus {
            counters: Counters { frames: packets, ..Counters::default() },
            losses_by_interface: vec![Losses { received: packets, kernel_dropped: 1, ..Losses::default() }],
            interfaces: vec![InterfaceState { name: "eth1".into(), is_up, downs: 2 }],
            shedding,
            ..WorkerStatus::default()
        }
    }

    fn status() -> LiveStatus {
        LiveStatus {
            workers: vec![worker(10, true, Shedding::Nothing), worker(20, false, Shedding::Bulk)],
            interfaces: vec!["eth1".into()],
            losses: Losses::default(),
            alerts_sent: 5,
            alerts_dropped: 2,
            notices_dropped: 0,
            queue: (3, 100),
            generation: 1,
            set_since: at(900),
            indicators: 7,
            retired_sets: 0,
            feeds: vec![FeedState {
                path: "/secret/path".into(),
                label: "/secret/path".into(),
                entries: 7,
                is_whole: true,
                error: None,
                changed: at(100),
            }],
            reloads: 1,
            reloads_refused: 0,
            kept: Vec::new(),
            told: Vec::new(),
            reload_seconds: 0.5,
        }
    }

    #[test]
    fn workers_add_up_and_feeds_have_numbers() {
        let snapshot = Snapshot::default().with_live(&status(), at(1000), Duration::from_secs(500));
        assert_eq!((snapshot.traffic.packets, snapshot.alerts.raised, snapshot.alerts.capacity), (30, 7, 100));
        let losses = snapshot.losses.iter().map(|loss| (loss.interface.as_deref(), loss.received));
        assert_eq!(losses.collect::<Vec<_>>(), [(Some("eth1"), 10), (Some("eth1"), 20)]);
        assert_eq!((snapshot.interfaces[0].is_up, snapshot.interfaces[0].went_down), (false, 2));
        assert_eq!(snapshot.shed.iter().map(|shed| shed.is_active).collect::<Vec<_>>(), [true, false]);
        let feed = &snapshot.feeds[0];
        assert_eq!((feed.name.as_str(), feed.age_seconds, feed.is_stale), ("1", 900.0, true));
        assert_eq!(snapshot.reload.last_accepted_age_seconds, Some(100.0));
        assert!(!serde_json::to_string(&snapshot).expect("JSON").contains("secret"));
    }

    #[test]
    fn zero_is_never_stale_and_the_future_has_no_age() {
        let snapshot = Snapshot::default().with_live(&status(), at(50), Duration::ZERO);
        assert_eq!((snapshot.feeds[0].age_seconds, snapshot.feeds[0].is_stale), (0.0, false));
    }

    #[test]
    fn notices_tell_what_is_open() {
        let mut actions = Tally::default();
        actions.add("visibility-gap-began", 3);
        actions.add("visibility-gap-ended", 2);
        let snapshot = Snapshot::default().with_notices(&actions);
        assert_eq!(snapshot.gaps, Gaps { began: 3, open: 1 });
        assert_eq!(snapshot.alerts.notices.len(), 2);
    }
}
