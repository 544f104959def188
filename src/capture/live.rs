//! Live capture: what it is asked for ([`LiveOptions`]), what it gives ([`Live`], one for each worker) and what was lost
//! ([`Losses`]).
//!
//! A live source never ends the run because an interface went away, and never hides a loss: what the kernel or the
//! interface dropped is in its losses, an interface that is down in its states. It looks at no clock: time is the packet's.

use std::io;
use std::time::Duration;

#[cfg(target_os = "linux")]
use super::afpacket;
use super::{Source, libpcap};

/// What to capture. The default has no interface; everything else is a safe start for a small box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOptions {
    /// Names of the interfaces. [`crate::packet::FrameMeta::file`] is a position in this list.
    pub interfaces: Vec<String>,
    /// A filter in libpcap's language; frames that it does not accept are never seen and not counted.
    pub filter: Option<String>,
    /// Bytes of a frame that are captured, at most; 1 to [`MAX_SNAP_BYTES`].
    pub snap_bytes: u32,
    /// Whether frames to others are captured, too: what a span port is for.
    pub is_promiscuous: bool,
    /// Workers that share the traffic, both directions of a flow at the same one; 1 to [`MAX_WORKERS`].
    pub workers: usize,
    /// By what they share it.
    pub spread: Spread,
    /// Memory of the ring between kernel and worker, for each worker and interface. All rings together are
    /// `workers * interfaces * ring_bytes`, locked in memory from the start.
    pub ring_bytes: usize,
    /// What reads from the interfaces.
    pub backend: Backend,
    /// Where the time of a frame comes from.
    pub timestamps: Timestamps,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            interfaces: Vec::new(),
            filter: None,
            snap_bytes: MAX_SNAP_BYTES,
            is_promiscuous: true,
            workers: 1,
            spread: Spread::Flows,
            ring_bytes: DEFAULT_RING_BYTES,
            backend: Backend::Auto,
            timestamps: Timestamps::Kernel,
        }
    }
}

/// What reads from the interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    /// The best that the system has.
    #[default]
    Auto,
    /// Rings that the Linux kernel shares with the worker; frames are not copied.
    AfPacket,
    /// libpcap, on every system that has it; each frame is copied once more.
    Pcap,
}

/// By what several workers share the traffic of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Spread {
    /// The kernel's symmetric hash of addresses and ports: the most even. For it the kernel puts IPv4 fragments together, and
    /// drops those that overlap; IPv6 fragments go by their addresses.
    #[default]
    Flows,
    /// The pair of addresses: fragments come as they are and are with their flow, and all tunnels between two hosts at one
    /// worker. What two hosts exchange is one worker's load; what is not IP is the first's.
    Hosts,
}

/// Where the time of a frame comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Timestamps {
    /// The kernel, when it takes the frame from the interface.
    #[default]
    Kernel,
    /// The interface, if it can; its clock is as right as whatever sets it (PTP).
    Hardware,
}

/// What was received and what was lost since the source was opened; all figures only grow.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Losses {
    /// Frames that the kernel put where the worker reads them.
    pub received: u64,
    /// Frames that the kernel dropped, because the worker was behind.
    pub kernel_dropped: u64,
    /// How often a ring was full and the kernel waited for the worker.
    pub ring_freezes: u64,
    /// Frames that the interfaces dropped before the kernel saw them. What an interface drops is nobody's share: the
    /// first worker's source says it, the others zero.
    pub interface_dropped: u64,
}

impl Losses {
    /// Adds another's figures.
    pub fn add(&mut self, more: Self) {
        self.received += more.received;
        self.kernel_dropped += more.kernel_dropped;
        self.ring_freezes += more.ring_freezes;
        self.interface_dropped += more.interface_dropped;
    }
}

/// How an interface is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceState {
    /// Its name.
    pub name: String,
    /// Whether frames can come: it is there, up, and has a link.
    pub is_up: bool,
    /// How often it was found down since the source was opened, so that a short break is not missed.
    pub downs: u64,
}

/// A source of frames from interfaces.
///
/// [`Source::poll`] waits [`MAX_WAIT_MS`] at most and then gives an empty batch; it is false only when nothing can come
/// any more. A batch holds frames of one interface; [`crate::packet::FrameMeta::number`] counts for each worker and interface.
pub trait Live: Source + Send {
    /// What was received and lost so far, on each interface in the order of [`LiveOptions::interfaces`]. Asks the kernel: once a second
    /// is often enough.
    fn losses_by_interface(&mut self) -> Vec<Losses>;

    /// The same, all together.
    fn losses(&mut self) -> Losses {
        let mut sum = Losses::default();
        self.losses_by_interface().into_iter().for_each(|losses| sum.add(losses));
        sum
    }

    /// How the interfaces are, in the order of [`LiveOptions::interfaces`], as of the last poll.
    fn state(&self) -> Vec<InterfaceState>;
}

/// Why interfaces cannot be captured from.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// None was named.
    #[error("no interface was given: name one with -i")]
    NoInterface,
    /// One was named twice.
    #[error("interface {0} was given more than once")]
    Twice(String),
    /// There is none of this name.
    #[error("there is no interface {0}")]
    NoSuchInterface(String),
    /// A number is out of its range.
    #[error("{what} must be between {least} and {most}")]
    Range {
        /// Which.
        what: &'static str,
        /// The smallest that is allowed.
        least: usize,
        /// The largest.
        most: usize,
    },
    /// The process may not capture.
    #[error("no permission to capture from {0}: it needs CAP_NET_RAW (and CAP_NET_ADMIN for promiscuous mode)")]
    Permission(String),
    /// libpcap does not understand the filter.
    #[error("the filter cannot be used on {interface}: {reason}")]
    Filter {
        /// Where.
        interface: String,
        /// What libpcap says.
        reason: String,
    },
    /// What was asked for cannot be had here.
    #[error("{interface}: {what}")]
    Unsupported {
        /// Where.
        interface: String,
        /// What cannot be had.
        what: String,
    },
    /// A call to the system failed.
    #[error("{interface}: {what}: {source}")]
    System {
        /// Where.
        interface: String,
        /// What was tried.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

/// Opens the interfaces: one source for each worker. Everything that needs privileges is done here.
///
/// # Errors
/// See [`LiveError`].
pub fn open(options: &LiveOptions) -> Result<Vec<Box<dyn Live>>, LiveError> {
    check(options)?;
    match options.backend {
        Backend::Pcap => libpcap::open(options),
        #[cfg(target_os = "linux")]
        Backend::AfPacket => afpacket::open(options),
        #[cfg(target_os = "linux")]
        Backend::Auto => match afpacket::open(options) {
            // Interfaces of a seldom type, and `any`, which is none.
            Err(LiveError::Unsupported { .. } | LiveError::NoSuchInterface(_)) if options.workers == 1 => {
                libpcap::open(options)
            }
            outcome => outcome,
        },
        #[cfg(not(target_os = "linux"))]
        Backend::Auto => libpcap::open(options),
        #[cfg(not(target_os = "linux"))]
        Backend::AfPacket => {
            let interface = options.interfaces.join(", ");
            Err(LiveError::Unsupported { interface, what: "AF_PACKET is Linux alone".into() })
        }
    }
}

fn check(options: &LiveOptions) -> Result<(), LiveError> {
    let names = &options.interfaces;
    if names.is_empty() {
        return Err(LiveError::NoInterface);
    }
    if let Some((_, twice)) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        return Err(LiveError::Twice(twice.clone()));
    }
    for (what, value, least, most) in [
        ("the number of interfaces", names.len(), 1, MAX_INTERFACES),
        ("the snap length", options.snap_bytes as usize, 1, MAX_SNAP_BYTES as usize),
        ("the number of workers", options.workers, 1, MAX_WORKERS),
        ("the size of a ring", options.ring_bytes, MIN_RING_BYTES, MAX_RING_BYTES),
    ] {
        if !(least..=most).contains(&value) {
            return Err(LiveError::Range { what, least, most });
        }
    }
    Ok(())
}

/// What no capture tool exceeds, and more than any frame that the kernel puts together from segments.
pub const MAX_SNAP_BYTES: u32 = 262_144;

/// As many as a kernel's fanout group takes.
pub const MAX_WORKERS: usize = 256;

/// Interfaces at once.
pub const MAX_INTERFACES: usize = 64;

/// 64 MiB: half a second of 1 Gbit/s, while the worker is elsewhere.
pub const DEFAULT_RING_BYTES: usize = 64 << 20;

/// How long a poll waits, so that a worker can look after other things.
pub const MAX_WAIT_MS: u64 = 100;

/// Polls after which the interfaces are looked at, though there is always something to read.
pub(super) const LOOK_POLLS: u32 = 256;

/// How long to wait where the system says that there is something and there is nothing: short against how long a block
/// takes to be filled, long against a system call.
pub(super) const NAP: Duration = Duration::from_millis(1);

/// Four of the largest frames.
const MIN_RING_BYTES: usize = 1 << 20;

/// What the kernel and libpcap count in 32 bits.
const MAX_RING_BYTES: usize = 1 << 31;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_said_before_anything_is_opened() {
        let asked = |change: fn(&mut LiveOptions)| {
            let mut options = LiveOptions { interfaces: vec!["none0".into()], ..LiveOptions::default() };
            change(&mut options);
            check(&options).err().map(|error| error.to_string())
        };
        assert_eq!(asked(|_| {}), None);
        let said = |change, words: &str| assert!(asked(change).is_some_and(|text| text.contains(words)), "{words}");
        said(|options| options.interfaces.clear(), "no interface was given");
        said(|options| options.interfaces.push("none0".into()), "none0 was given more than once");
        said(|options| options.snap_bytes = 0, "snap length must be between 1 and 262144");
        said(|options| options.workers = 257, "workers must be between 1 and 256");
        said(|options| options.ring_bytes = 4096, "size of a ring");
        said(|options| options.interfaces.extend((0..64).map(|n| format!("n{n}"))), "number of interfaces");
    }
}
