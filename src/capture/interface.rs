//! [`Dropped`] and [`is_up`]: what Linux says of an interface in `/sys/class/net`.
//!
//! Where that cannot be read (another system, a sandbox without the path) nothing is known. Of the drops that is said once.

use std::path::PathBuf;

/// What an interface dropped since this was made.
pub(super) struct Dropped {
    folder: PathBuf,
    last: [Option<u64>; FIGURES.len()],
    sum: u64,
    /// The sum when it was asked for last.
    sum_before: u64,
    lost: u64,
}

impl Dropped {
    pub(super) fn new(interface: &str) -> Self {
        Self::below(PathBuf::from(format!("/sys/class/net/{interface}/statistics")), interface)
    }

    fn below(folder: PathBuf, interface: &str) -> Self {
        let mut dropped = Self { folder, last: [None; FIGURES.len()], sum: 0, sum_before: 0, lost: 0 };
        dropped.count();
        if dropped.last.iter().all(Option::is_none) {
            tracing::warn!("{interface}: what the interface drops is not known: its statistics cannot be read");
        }
        dropped
    }

    /// Frames dropped so far that nobody captured. Linux also counts as dropped what no protocol of its own wants of frames whose VLAN tag it
    /// took off, after capture had them: `captured` is how many may have been of those. They are counted before a worker sees them, so the
    /// figure is that of the time before.
    pub(super) fn lost(&mut self, captured: u64) -> u64 {
        let now = self.count();
        let due = std::mem::replace(&mut self.sum_before, now);
        self.lost = self.lost.max(due.saturating_sub(captured));
        self.lost
    }

    /// Frames dropped so far, whoever had them.
    fn count(&mut self) -> u64 {
        for (name, last) in FIGURES.iter().zip(&mut self.last) {
            let text = std::fs::read_to_string(self.folder.join(name));
            let Some(now) = text.ok().and_then(|text| text.trim().parse::<u64>().ok()) else { continue };
            if let Some(before) = *last {
                // A figure that fell is of an interface that was made again.
                self.sum += now.checked_sub(before).unwrap_or(now);
            }
            *last = Some(now);
        }
        self.sum
    }
}

/// Whether it is switched on and has a link, if that can be known.
pub(super) fn is_up(interface: &str) -> Option<bool> {
    let state = std::fs::read_to_string(format!("/sys/class/net/{interface}/operstate")).ok()?;
    // Loopback and tunnels know of no link.
    Some(matches!(state.trim(), "up" | "unknown"))
}

/// Dropped for want of room or memory in the kernel's driver, missed by the card for want of buffers, overrun in the card.
/// Some drivers count a frame in two of them: the sum is an upper bound.
const FIGURES: [&str; 3] = ["rx_dropped", "rx_missed_errors", "rx_fifo_errors"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_counts_and_an_interface_may_begin_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |figures: [u64; 3]| {
            for (name, figure) in FIGURES.iter().zip(figures) {
                std::fs::write(folder.path().join(name), format!("{figure}\n")).expect("written");
            }
        };
        write([100, 20, 3]);
        let mut dropped = Dropped::below(folder.path().into(), "made-up");
        assert_eq!(dropped.count(), 0);
        write([105, 20, 4]);
        assert_eq!(dropped.count(), 6);
        write([2, 0, 0]);
        assert_eq!(dropped.count(), 8);
        std::fs::remove_file(folder.path().join("rx_dropped")).expect("removed");
        assert_eq!(dropped.count(), 8);
        write([6, 0, 0]);
        assert_eq!((dropped.lost(3), dropped.lost(3)), (0, 9), "of twelve, three were captured");
        assert_eq!((dropped.lost(12), dropped.lost(12)), (9, 9), "what was said stays said");
    }
}
