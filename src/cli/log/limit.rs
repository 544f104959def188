//! [`Limit`]: how often one place in the code may speak.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Lines that one place may write in [`WINDOW`]: enough to say a fault of every feed, too few to fill a disk.
const BURST: u64 = 100;

/// Then it may speak again.
const WINDOW: Duration = Duration::from_secs(60);

/// The target of what is said here; it is not limited: it speaks once a window for each place.
const TARGET: &str = "picket::log";

static SITES: LazyLock<Mutex<Sites>> = LazyLock::new(Mutex::default);

/// See the module. A layer whose only act is to forbid.
pub(super) struct Limit;

impl<S: Subscriber> Layer<S> for Limit {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        if event.metadata().target() == TARGET {
            return true;
        }
        let (may_speak, untold) = sites().ask(event.metadata(), Instant::now());
        untold.iter().for_each(Untold::tell);
        may_speak
    }
}

/// Tells of everything that was not written and is not told.
pub(super) fn settle() {
    let untold = sites().take_untold(|_| true);
    untold.iter().for_each(Untold::tell);
}

/// Lines not written since the start.
pub(super) fn suppressed() -> u64 {
    sites().suppressed
}

fn sites() -> std::sync::MutexGuard<'static, Sites> {
    SITES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The places that have spoken: as many as the code has.
#[derive(Default)]
struct Sites {
    by_site: HashMap<Identifier, Site>,
    /// When windows that have ended were looked for.
    looked: Option<Instant>,
    suppressed: u64,
}

struct Site {
    metadata: &'static Metadata<'static>,
    since: Instant,
    written: u64,
    untold: u64,
}

/// What a place would have said.
struct Untold {
    metadata: &'static Metadata<'static>,
    lines: u64,
}

impl Sites {
    /// Whether this place may speak now, and what is to be told of places whose window has ended.
    fn ask(&mut self, metadata: &'static Metadata<'static>, now: Instant) -> (bool, Vec<Untold>) {
        let untold = if self.looked.is_none_or(|looked| now.duration_since(looked) >= WINDOW) {
            self.looked = Some(now);
            self.take_untold(|site| now.duration_since(site.since) >= WINDOW)
        } else {
            Vec::new()
        };
        let new = || Site { metadata, since: now, written: 0, untold: 0 };
        let site = self.by_site.entry(metadata.callsite()).or_insert_with(new);
        if now.duration_since(site.since) >= WINDOW {
            (site.since, site.written) = (now, 0);
        }
        let may_speak = site.written < BURST;
        if may_speak {
            site.written += 1;
        } else {
            site.untold += 1;
            self.suppressed += 1;
        }
        (may_speak, untold)
    }

    fn take_untold(&mut self, of: impl Fn(&Site) -> bool) -> Vec<Untold> {
        let silenced = self.by_site.values_mut().filter(|site| site.untold > 0 && of(site));
        silenced.map(|site| Untold { metadata: site.metadata, lines: std::mem::take(&mut site.untold) }).collect()
    }
}

impl Untold {
    fn tell(&self) {
        let (file, line) = (self.metadata.file().unwrap_or("?"), self.metadata.line().unwrap_or(0));
        let lines = self.lines;
        // The level of an event is part of its place in the code.
        if *self.metadata.level() == Level::ERROR {
            tracing::error!(target: TARGET, lines, file, line, "lines like those before were not written");
        } else {
            tracing::warn!(target: TARGET, lines, file, line, "lines like those before were not written");
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing::Callsite;
    use tracing::field::FieldSet;
    use tracing::metadata::Kind;
    use tracing::subscriber::Interest;

    use super::*;

    struct Place(&'static Metadata<'static>);

    impl Callsite for Place {
        fn set_interest(&self, _: Interest) {}

        fn metadata(&self) -> &Metadata<'_> {
            self.0
        }
    }

    /// Places are told apart by where they lie, so they must not be without size.
    macro_rules! place {
        ($name:ident, $metadata:ident, $line:expr) => {
            static $name: Place = Place(&$metadata);
            static $metadata: Metadata<'static> = Metadata::new(
                "event",
                "picket",
                Level::WARN,
                Some("x.rs"),
                Some($line),
                None,
                FieldSet::new(&[], Identifier(&$name)),
                Kind::EVENT,
            );
        };
    }

    place!(ONE, ONE_METADATA, 1);
    place!(OTHER, OTHER_METADATA, 2);

    #[test]
    fn a_place_is_silenced_for_the_rest_of_its_window_and_then_says_how_often() {
        let mut sites = Sites::default();
        let start = Instant::now();
        let one = |sites: &mut Sites, at| sites.ask(&ONE_METADATA, at);
        let spoken = (0..BURST + 7).filter(|_| one(&mut sites, start).0).count();
        assert_eq!((spoken as u64, sites.suppressed), (BURST, 7));
        assert!(sites.ask(&OTHER_METADATA, start).0, "another place is not silenced with it");
        let (may_speak, untold) = one(&mut sites, start + WINDOW);
        assert!(may_speak && untold.len() == 1);
        assert_eq!((untold[0].lines, untold[0].metadata.line()), (7, Some(1)));
        assert!(sites.take_untold(|_| true).is_empty(), "it is told once");
    }

    #[test]
    fn a_place_that_went_quiet_is_told_of_by_another() {
        let mut sites = Sites::default();
        let start = Instant::now();
        for _ in 0..BURST + 1 {
            sites.ask(&ONE_METADATA, start);
        }
        let (_, untold) = sites.ask(&OTHER_METADATA, start + WINDOW);
        assert_eq!(untold.iter().map(|untold| untold.lines).collect::<Vec<_>>(), [1]);
    }
}
