//! [`NamedFiles`]: what a file is called that comes over a connection of its own. FTP says the name on one connection and sends the
//! content over another, which is a flow of another shard and perhaps another worker's. So a parser says where a file is to come
//! ([`Naming`]), and whoever has the alerts of all shards joins the two: a digest's alert gets `file.name`, `event.action` and
//! `picket.named_frame`, the frame of the command.
//!
//! In a replay the namings leave the workers as alerts do, by the same marks, and are put in order as they are: when an alert is due, so is
//! every naming before it, and the output is the same for any number of workers. Live it is done as things come, over all workers.
//!
//! Bounded: [`MAX_FILES`] names, each for [`MAX_AGE`]; those on their way by what a parser says at most of a segment, and by how long a
//! replay waits for holes. Not covered: a name that is only said after the content came.

use std::cmp::Ordering;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use super::order::{Place, Placed};
use crate::alert::{Alert, OwnedField, OwnedValue, printable};
use crate::flow::{Direction, Identity};
use crate::indicator::{Elsewhere, Where, kind};
use crate::packet::FrameRef;

/// Names that are kept; the oldest give way. Each is for a transfer that has just been asked for.
const MAX_FILES: usize = 4096;

/// A name that gives way after so long was that of a transfer that is over, or nearly.
const LIKELY_OVER: Duration = Duration::from_secs(60);

/// How long a transfer may take that is to be named: a port is used again some time.
const MAX_AGE: Duration = Duration::from_secs(3600);

/// What a parser said of a file that comes elsewhere.
#[derive(Clone)]
pub(super) struct Naming {
    frame: FrameRef,
    /// Where the connection goes: as the protocol says, and the end itself. A translator of addresses changes one of them.
    ways: [Way; 2],
    file: File,
}

/// A connection to come.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Way {
    /// The end that waits for it.
    host: (IpAddr, u16),
    peer: IpAddr,
    tunnel: u32,
    vlans: Vec<u16>,
}

#[derive(Clone)]
struct File {
    /// Empty if what comes has none.
    name: Box<str>,
    action: &'static str,
}

/// See the module.
#[derive(Default)]
pub(super) struct NamedFiles {
    /// In order, not taken in yet.
    due: VecDeque<Naming>,
    files: HashMap<Way, Known>,
    /// Oldest first; what was named anew since is in it twice.
    order: VecDeque<(u64, Way)>,
    count: u64,
    given_way: u64,
}

struct Known {
    file: File,
    frame: FrameRef,
    number: u64,
}

impl Naming {
    /// `facing`: which way the bytes go that say it.
    pub(super) fn new(identity: &Identity, facing: Direction, file: &Elsewhere<'_>, frame: FrameRef) -> Self {
        let (originator, responder) = (identity.originator().0, identity.responder().0);
        let (here, there) = match facing {
            Direction::ToResponder => (originator, responder),
            Direction::ToOriginator => (responder, originator),
        };
        let (host, peer) = if file.waits_here { (here, there) } else { (there, here) };
        let (tunnel, vlans) = (identity.tunnel(), identity.vlans().to_vec());
        let way = |host| Way { host: (host, file.port), peer, tunnel, vlans: vlans.clone() };
        let ways = [way(file.host.unwrap_or(host)), way(host)];
        Self { frame, ways, file: File { name: printable(file.name).into(), action: file.action } }
    }
}

impl Placed for Naming {
    fn place(&self) -> Place {
        (self.frame.file, self.frame.number)
    }

    /// What is equal in all of these came from one flow in one order.
    fn order(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place()).then_with(|| self.ways.cmp(&other.ways))
    }
}

impl NamedFiles {
    /// Takes namings in that are due, in order.
    pub(super) fn add(&mut self, due: impl IntoIterator<Item = Naming>) {
        self.due.extend(due);
    }

    /// Has an alert say what its file is called. To be called in the alerts' order.
    pub(super) fn join(&mut self, alert: &mut Alert) {
        self.take_until(alert.place());
        if self.files.is_empty() || !Self::concerns(alert) {
            return;
        }
        let flow = &alert.flow;
        let way =
            |host, peer: (IpAddr, u16)| Way { host, peer: peer.0, tunnel: flow.tunnel, vlans: flow.vlans.clone() };
        let ways = [way(flow.responder, flow.originator), way(flow.originator, flow.responder)];
        let known = ways.iter().find_map(|way| self.files.get(way));
        let Some(Known { file, frame, .. }) = known.filter(|known| alert.frame.time.since(known.frame.time) <= MAX_AGE)
        else {
            return;
        };
        if file.name.is_empty() {
            return;
        }
        let text = |text: &str| OwnedValue::Text(text.to_owned());
        alert.with.extend([
            OwnedField { path: Where("file.name"), value: text(&file.name) },
            OwnedField { path: Where("event.action"), value: text(file.action) },
            OwnedField { path: Where("picket.named_frame"), value: OwnedValue::Number(frame.number) },
        ]);
    }

    /// Names that gave way to others soon after they were said.
    pub(super) fn given_way(&self) -> u64 {
        self.given_way
    }

    /// Whether an alert may be of a file that another connection names.
    pub(super) fn concerns(alert: &Alert) -> bool {
        alert.flow.protocol.is_none() && *alert.indicator().kind == kind::FILE
    }

    /// Takes in what is due: every alert before it has been joined.
    pub(super) fn take_all(&mut self) {
        self.take_until((u32::MAX, u64::MAX));
    }

    fn take_until(&mut self, place: Place) {
        while self.due.front().is_some_and(|naming| naming.place() <= place) {
            let Some(naming) = self.due.pop_front() else { return };
            let [said, own] = naming.ways;
            if own != said {
                self.keep(own, naming.file.clone(), naming.frame);
            }
            self.keep(said, naming.file, naming.frame);
        }
    }

    fn keep(&mut self, way: Way, file: File, frame: FrameRef) {
        self.count += 1;
        self.files.insert(way.clone(), Known { file, frame, number: self.count });
        self.order.push_back((self.count, way));
        if self.order.len() > MAX_FILES
            && let Some((number, way)) = self.order.pop_front()
            && let Entry::Occupied(oldest) = self.files.entry(way)
            && oldest.get().number == number
        {
            let oldest = oldest.remove();
            self.given_way += u64::from(frame.time.since(oldest.frame.time) < LIKELY_OVER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn way(port: u16) -> Way {
        let ip = |last| IpAddr::from([192, 0, 2, last]);
        Way { host: (ip(1), port), peer: ip(2), tunnel: 0, vlans: Vec::new() }
    }

    fn file(name: &str) -> File {
        File { name: name.into(), action: "RETR" }
    }

    #[test]
    fn names_are_bounded_and_the_last_one_said_counts() {
        let mut named = NamedFiles::default();
        let frame = FrameRef::default();
        named.keep(way(7), file("first"), frame);
        named.keep(way(7), file("second"), frame);
        for port in 0..(MAX_FILES as u16 - 1) {
            named.keep(way(1000 + port), file("x"), frame);
        }
        assert_eq!(named.files.get(&way(7)).map(|known| &*known.file.name), Some("second"), "said anew since");
        assert_eq!((named.files.len(), named.order.len()), (MAX_FILES, MAX_FILES));
        named.keep(way(8), file("x"), frame);
        assert!(!named.files.contains_key(&way(7)));
        assert_eq!(named.given_way(), 1, "what was said anew is not lost with what was said first");
        let later = FrameRef { time: Timestamp::from_ns(60_000_000_000), ..frame };
        named.keep(way(9), file("x"), later);
        assert_eq!(named.given_way(), 1);
        assert_eq!((named.files.len(), named.order.len()), (MAX_FILES, MAX_FILES));
    }

    #[test]
    fn what_is_due_is_taken_in_up_to_a_place() {
        let mut named = NamedFiles::default();
        let naming = |number| Naming {
            frame: FrameRef { number, ..FrameRef::default() },
            ways: [way(number as u16), way(number as u16)],
            file: file("x"),
        };
        named.add([naming(1), naming(2), naming(3)]);
        named.take_until((0, 2));
        assert_eq!((named.files.len(), named.due.len()), (2, 1), "both ways are one");
        named.take_all();
        assert_eq!((named.files.len(), named.due.len()), (3, 0));
    }
}
