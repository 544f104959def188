//! [`Gaps`]: when a loss of frames began and when it was over, from figures that only grow. It looks at no clock.

use std::time::Duration;

use crate::capture::live::Losses;
use crate::time::Timestamp;

/// See the module.
pub(super) struct Gaps {
    quiet: Duration,
    known: Losses,
    open: Option<Gap>,
}

/// A loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) began: Timestamp,
    pub(super) last: Timestamp,
    pub(super) lost: Losses,
}

/// What there is to say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    Began(Gap),
    Ended(Gap),
}

impl Gaps {
    /// A loss is over after `quiet` without another.
    pub(super) fn new(quiet: Duration) -> Self {
        Self { quiet, known: Losses::default(), open: None }
    }

    /// The figures as they are now. Returns what is new in them, and what there is to say.
    pub(super) fn note(&mut self, now: Timestamp, losses: Losses) -> (Losses, Option<Change>) {
        let new = since(losses, self.known);
        self.known = losses;
        if is_loss(new) {
            if let Some(gap) = &mut self.open {
                gap.last = now;
                gap.lost.add(new);
                return (new, None);
            }
            let gap = Gap { began: now, last: now, lost: new };
            self.open = Some(gap);
            return (new, Some(Change::Began(gap)));
        }
        let ended = self.open.take_if(|gap| now.since(gap.last) >= self.quiet);
        (new, ended.map(Change::Ended))
    }

    /// The end of the run: what is still open.
    pub(super) fn end(&mut self) -> Option<Change> {
        self.open.take().map(Change::Ended)
    }
}

/// Whether frames did not come.
pub(super) fn is_loss(losses: Losses) -> bool {
    losses.kernel_dropped + losses.ring_freezes + losses.interface_dropped > 0
}

fn since(now: Losses, before: Losses) -> Losses {
    Losses {
        received: now.received.saturating_sub(before.received),
        kernel_dropped: now.kernel_dropped.saturating_sub(before.kernel_dropped),
        ring_freezes: now.ring_freezes.saturating_sub(before.ring_freezes),
        interface_dropped: now.interface_dropped.saturating_sub(before.interface_dropped),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_begins_once_and_ends_after_a_quiet_time() {
        let mut gaps = Gaps::new(Duration::from_secs(5));
        let at = |secs| Timestamp::from_parts(secs, 0);
        let dropped = |received, kernel_dropped| Losses { received, kernel_dropped, ..Losses::default() };
        assert_eq!(gaps.note(at(1), dropped(10, 0)), (dropped(10, 0), None));
        let began = Gap { began: at(2), last: at(2), lost: dropped(10, 3) };
        assert_eq!(gaps.note(at(2), dropped(20, 3)), (dropped(10, 3), Some(Change::Began(began))));
        assert_eq!(gaps.note(at(3), dropped(20, 3)).1, None);
        assert_eq!(gaps.note(at(4), dropped(30, 5)).1, None, "it goes on");
        assert_eq!(gaps.note(at(8), dropped(40, 5)).1, None, "not quiet for long enough");
        let all = Gap { began: at(2), last: at(4), lost: dropped(20, 5) };
        assert_eq!(gaps.note(at(9), dropped(50, 5)).1, Some(Change::Ended(all)));
        assert_eq!(gaps.note(at(20), dropped(60, 5)).1, None);
        assert!(matches!(gaps.note(at(21), dropped(60, 6)).1, Some(Change::Began(_))));
        assert!(matches!(gaps.end(), Some(Change::Ended(_))) && gaps.end().is_none());
    }
}
