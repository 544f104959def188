//! [`Gaps`]: when a loss of frames on an interface began and when it was over, from figures that only grow. It looks at no clock.

use std::time::Duration;

use crate::capture::live::Losses;
use crate::time::Timestamp;

/// See the module.
pub(super) struct Gaps {
    quiet: Duration,
    by_interface: Vec<Known>,
}

/// What is known of an interface.
#[derive(Clone, Default)]
struct Known {
    losses: Losses,
    open: Option<Gap>,
}

/// A loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) began: Timestamp,
    pub(super) last: Timestamp,
    pub(super) lost: Losses,
    /// By what it began.
    pub(super) first: Losses,
}

/// What there is to say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    Began(Gap),
    Ended(Gap),
}

impl Gaps {
    /// A loss is over after `quiet` without another on the same interface.
    pub(super) fn new(quiet: Duration) -> Self {
        Self { quiet, by_interface: Vec::new() }
    }

    /// The figures of each interface as they are now. Returns what is new in all of them, and what there is to say, each with the
    /// number of its interface.
    pub(super) fn note(&mut self, now: Timestamp, losses: &[Losses]) -> (Losses, Vec<(usize, Change)>) {
        self.by_interface.resize(losses.len().max(self.by_interface.len()), Known::default());
        let (mut all, mut said) = (Losses::default(), Vec::new());
        for (interface, (known, losses)) in self.by_interface.iter_mut().zip(losses).enumerate() {
            let (new, change) = known.note(now, *losses, self.quiet);
            all.add(new);
            said.extend(change.map(|change| (interface, change)));
        }
        (all, said)
    }

    /// The end of the run: what is still open.
    pub(super) fn end(&mut self) -> Vec<(usize, Change)> {
        let open = self.by_interface.iter_mut().enumerate();
        open.filter_map(|(interface, known)| Some((interface, Change::Ended(known.open.take()?)))).collect()
    }
}

impl Known {
    fn note(&mut self, now: Timestamp, losses: Losses, quiet: Duration) -> (Losses, Option<Change>) {
        let new = since(losses, self.losses);
        self.losses = losses;
        if is_loss(new) {
            if let Some(gap) = &mut self.open {
                gap.last = now;
                gap.lost.add(new);
                return (new, None);
            }
            let gap = Gap { began: now, last: now, lost: new, first: new };
            self.open = Some(gap);
            return (new, Some(Change::Began(gap)));
        }
        let ended = self.open.take_if(|gap| now.since(gap.last) >= quiet);
        (new, ended.map(Change::Ended))
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

    fn dropped(received: u64, kernel_dropped: u64) -> Losses {
        Losses { received, kernel_dropped, ..Losses::default() }
    }

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_parts(secs, 0)
    }

    #[test]
    fn a_gap_begins_once_and_ends_after_a_quiet_time() {
        let mut gaps = Gaps::new(Duration::from_secs(5));
        let mut note = |secs, losses| {
            let (new, mut said) = gaps.note(at(secs), &[losses]);
            (new, said.pop().map(|(_, change)| change))
        };
        assert_eq!(note(1, dropped(10, 0)), (dropped(10, 0), None));
        let began = Gap { began: at(2), last: at(2), lost: dropped(10, 3), first: dropped(10, 3) };
        assert_eq!(note(2, dropped(20, 3)), (dropped(10, 3), Some(Change::Began(began))));
        assert_eq!(note(3, dropped(20, 3)).1, None);
        assert_eq!(note(4, dropped(30, 5)).1, None, "it goes on");
        assert_eq!(note(8, dropped(40, 5)).1, None, "not quiet for long enough");
        let all = Gap { began: at(2), last: at(4), lost: dropped(20, 5), first: dropped(10, 3) };
        assert_eq!(note(9, dropped(50, 5)).1, Some(Change::Ended(all)));
        assert_eq!(note(20, dropped(60, 5)).1, None);
        assert!(matches!(note(21, dropped(60, 6)).1, Some(Change::Began(_))));
        assert!(matches!(gaps.end()[..], [(0, Change::Ended(_))]) && gaps.end().is_empty());
    }

    #[test]
    fn each_interface_has_gaps_of_its_own() {
        let mut gaps = Gaps::new(Duration::from_secs(5));
        let mut who = |secs, first, second| {
            let (new, said) = gaps.note(at(secs), &[dropped(0, first), dropped(0, second)]);
            let said = said.into_iter().map(|(interface, change)| (interface, matches!(change, Change::Began(_))));
            (new.kernel_dropped, said.collect::<Vec<_>>())
        };
        assert_eq!(who(1, 0, 2), (2, vec![(1, true)]));
        assert_eq!(who(4, 1, 3), (2, vec![(0, true)]), "the other one's still lasts");
        assert_eq!(who(9, 2, 3), (1, vec![(1, false)]));
        assert_eq!(gaps.end().iter().map(|(interface, _)| *interface).collect::<Vec<_>>(), [0]);
    }
}
