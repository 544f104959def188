//! [`Ring`]: one interface for one worker: the socket, its ring, and what becomes of both when the interface changes.
//!
//! A packet socket follows its interface through down and up by itself. One whose interface is deleted is dead: alone
//! it is bound to the new interface of that name, but one of a fanout group can never be bound again. So each ring keeps some
//! unbound sockets from the start ([`SPARES`]), because after privileges are dropped no more can be made.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{io, thread};

use super::mapping::{Block, Mapping, RingBytes};
use super::program;
use super::socket::{BLOCK_TIMEOUT_MS, Device, Layout, Socket};
use super::walk::{Of, walk};
use crate::capture::live::{InterfaceState, LiveError, LiveOptions, Losses, Timestamps};
use crate::packet::{FrameMeta, LinkType};

/// The fanout group of an interface: of which interface number, and its id. Shared by the workers' rings.
pub(super) type Group = Arc<Mutex<Option<(i32, u16)>>>;

/// See the module.
pub(super) struct Ring {
    options: Arc<LiveOptions>,
    of: Of,
    /// None with one worker.
    group: Option<Group>,
    program: Vec<libc::sock_filter>,
    /// The socket that receives, or asks about the interface.
    socket: Socket,
    /// None until the first interface is there, and between two sockets.
    mapping: Option<Arc<Mapping>>,
    spares: Vec<Socket>,
    /// The interface that the socket is bound to.
    index: i32,
    /// Whether frames of this worker's share come, and no others.
    is_joined: bool,
    /// Whether the interface of this number cannot be captured from.
    is_refused: bool,
    is_up: bool,
    downs: u64,
    /// The next block to be filled.
    next: usize,
    /// The one before it, while it is walked.
    block: Option<Block>,
    /// Frames handed out.
    frames: u64,
    losses: Losses,
    /// See [`Walked::unwanted`](super::walk::Walked::unwanted): of all workers on this interface.
    unwanted: Arc<AtomicU64>,
}

impl Ring {
    /// Opens an interface, `file` by position, for one worker.
    ///
    /// # Errors
    /// See [`LiveError`].
    pub(super) fn open(
        options: &Arc<LiveOptions>,
        file: usize,
        group: Option<Group>,
        unwanted: Arc<AtomicU64>,
    ) -> Result<Self, LiveError> {
        let name = &options.interfaces[file];
        let failed = |what| move |source| failure(name, what, source);
        let socket = Socket::new().map_err(failed("cannot make a packet socket"))?;
        let spares = match &group {
            Some(_) => (0..spare_count(options)).map(|_| Socket::new()).collect::<io::Result<_>>(),
            None => Ok(Vec::new()),
        };
        let device = socket.device(name).map_err(failed("cannot be looked at"))?;
        let device = device.ok_or_else(|| LiveError::NoSuchInterface(name.clone()))?;
        let link = link_type(device.hardware).ok_or_else(|| LiveError::Unsupported {
            interface: name.clone(),
            what: format!("interfaces of type {} are captured from by libpcap only", device.hardware),
        })?;
        let program = program::filter(name, link, options)?;
        let of = Of {
            file: file as u32,
            link,
            snap_bytes: options.snap_bytes,
            is_loopback: device.hardware == libc::ARPHRD_LOOPBACK,
        };
        let mut ring = Self {
            options: Arc::clone(options),
            of,
            group,
            program,
            socket,
            mapping: None,
            spares: spares.map_err(failed("cannot make spare sockets"))?,
            index: device.index,
            is_joined: false,
            is_refused: false,
            is_up: false,
            downs: 0,
            next: 0,
            block: None,
            frames: 0,
            losses: Losses::default(),
            unwanted,
        };
        if options.timestamps == Timestamps::Hardware {
            ring.socket.stamp_in_hardware(name).map_err(failed("it cannot stamp frames in hardware"))?;
        }
        ring.receive(device).map_err(|(what, source)| failure(name, what, source))?;
        Ok(ring)
    }

    /// The socket, to be waited for.
    pub(super) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Adds what has come to the empty list; gives what it lies in. None if nothing has.
    pub(super) fn fill(&mut self, frames: &mut Vec<FrameMeta>) -> Option<RingBytes> {
        let mapping = self.mapping.as_ref()?;
        loop {
            let mut block = match self.block.take() {
                Some(block) => block,
                None => {
                    let block = mapping.take(self.next)?;
                    self.next = (self.next + 1) % mapping.blocks();
                    block
                }
            };
            let left = block.left;
            let walked = walk(block.rest(), left, self.of, &mut self.frames, frames);
            let bytes = block.hand_out(walked.bytes);
            block.left -= walked.frames;
            if walked.unwanted > 0 {
                self.unwanted.fetch_add(u64::from(walked.unwanted), Ordering::Relaxed);
            }
            if walked.is_broken {
                tracing::warn!("{}: a block of the ring contradicts itself; frames in it are lost", self.name());
                self.losses.kernel_dropped += u64::from(block.left);
                self.losses.received = self.losses.received.saturating_sub(u64::from(block.left));
                block.left = 0;
            }
            if block.left > 0 {
                self.block = Some(block);
            }
            if !frames.is_empty() {
                return Some(bytes);
            }
        }
    }

    /// The interface or its link went away, as the socket says.
    pub(super) fn went_down(&mut self) {
        self.socket.clear_error();
        self.set_up(false);
    }

    /// Looks how the interface is, and follows it where the kernel does not.
    pub(super) fn look(&mut self) {
        let device = self.socket.device(self.name()).ok().flatten();
        if let Some(device) = device {
            if device.index != self.index {
                self.follow(device);
            } else if device.is_up
                && !self.is_joined
                && !self.is_refused
                && let Err(error) = self.join(device)
            {
                tracing::warn!("{}: cannot share its traffic yet: {error}", self.name());
            }
        }
        self.set_up(self.is_joined && device.is_some_and(|device| device.is_up));
    }

    /// What was received and lost, but for what the interface dropped.
    pub(super) fn losses(&mut self) -> Losses {
        if let Ok(counted) = self.socket.counted() {
            self.losses.received += counted.received;
            self.losses.kernel_dropped += counted.dropped;
            self.losses.ring_freezes += counted.freezes;
        }
        self.losses
    }

    pub(super) fn state(&self) -> InterfaceState {
        InterfaceState { name: self.name().into(), is_up: self.is_up, downs: self.downs }
    }

    fn name(&self) -> &str {
        &self.options.interfaces[self.of.file as usize]
    }

    fn set_up(&mut self, is_up: bool) {
        self.downs += u64::from(self.is_up && !is_up);
        self.is_up = is_up;
    }

    /// There is another interface of this name now.
    fn follow(&mut self, device: Device) {
        self.set_up(false);
        // What came from the old one is handed out first; the last of it comes when its block is due.
        if !self.is_drained() {
            return;
        }
        thread::sleep(BLOCK_DUE);
        if !self.is_drained() {
            return;
        }
        // What the old socket counted is not lost with it.
        self.losses();
        (self.index, self.is_joined, self.is_refused) = (device.index, false, false);
        let outcome = if link_type(device.hardware) != Some(self.of.link) {
            Err(("it is of another type now; restart to capture from it", io::ErrorKind::Unsupported.into()))
        } else if self.group.is_none() {
            self.attach(device)
        } else {
            self.replace(device)
        };
        match outcome {
            Err((what, error)) => {
                self.is_refused = true;
                tracing::warn!("{}: {what}: {error}", self.name());
            }
            Ok(()) if self.options.timestamps == Timestamps::Hardware => {
                // Asking it to takes a privilege that may be gone.
                tracing::warn!(
                    "{}: it was made again, and frames have the kernel's time unless it stamps them",
                    self.name()
                );
            }
            Ok(()) => {}
        }
    }

    /// Whether nothing waits in the ring.
    fn is_drained(&self) -> bool {
        self.block.is_none() && self.mapping.as_ref().is_none_or(|mapping| !mapping.is_full(self.next))
    }

    /// Goes on with another socket: a spare one, for a sandbox may end the process for the attempt to make one.
    fn replace(&mut self, device: Device) -> Result<(), Failed> {
        let Some(spare) = self.spares.pop() else {
            return Err(("it was made again too often; restart to capture from it", io::ErrorKind::Other.into()));
        };
        // The old ring's memory goes first.
        (self.mapping, self.socket) = (None, spare);
        self.receive(device)
    }

    /// Sets up the socket from nothing.
    fn receive(&mut self, device: Device) -> Result<(), Failed> {
        let layout = layout(self.options.ring_bytes, self.options.snap_bytes as usize);
        self.socket.set_ring(layout).map_err(|error| ("cannot have a ring of this size", error))?;
        let mapping = Mapping::new(&self.socket, layout).map_err(|error| ("cannot map its ring", error))?;
        if self.options.timestamps == Timestamps::Hardware {
            self.socket.take_hardware_stamps().map_err(|error| ("cannot have times of its hardware", error))?;
        }
        if self.of.is_loopback && self.group.is_none() {
            // Where the kernel cannot, the walk leaves them out.
            let _ = self.socket.ignore_outgoing();
        }
        (self.mapping, self.next) = (Some(Arc::new(mapping)), 0);
        self.attach(device)
    }

    /// Binds the socket, its ring ready, to the interface.
    fn attach(&mut self, device: Device) -> Result<(), Failed> {
        self.index = device.index;
        // Nothing gets into the ring before all of this is done: no frame that the filter leaves out, none of another
        // worker's share.
        self.socket.set_filter(&program::NOTHING).map_err(|error| ("cannot set a filter", error))?;
        self.socket.bind(device.index).map_err(|error| ("cannot be bound to", error))?;
        if self.options.is_promiscuous {
            let failed = |error| ("cannot be made promiscuous", error);
            self.socket.set_promiscuous(device.index).map_err(failed)?;
        }
        match self.join(device) {
            // Older kernels let nobody join while the interface is down.
            Err(_) if !device.is_up => {}
            outcome => outcome.map_err(|error| ("cannot share its traffic between workers", error))?,
        }
        self.is_up = self.is_joined && device.is_up;
        self.socket.clear_error();
        Ok(())
    }

    /// Takes this worker's share, from now on.
    fn join(&mut self, device: Device) -> io::Result<()> {
        if let Some(group) = &self.group {
            let mut group = group.lock().unwrap_or_else(PoisonError::into_inner);
            let id = group.filter(|(index, _)| *index == device.index).map(|(_, id)| id);
            *group = Some((device.index, self.socket.join(id, self.options.spread, self.of.is_loopback)?));
        }
        self.socket.set_filter(&self.program)?;
        self.is_joined = true;
        Ok(())
    }
}

/// What was tried, and what the system says.
type Failed = (&'static str, io::Error);

fn failure(name: &str, what: &'static str, source: io::Error) -> LiveError {
    match source.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => LiveError::Permission(name.into()),
        Some(libc::ENODEV) => LiveError::NoSuchInterface(name.into()),
        _ => LiveError::System { interface: name.into(), what, source },
    }
}

/// Blocks of at most [`MAX_BLOCK_BYTES`], at least eight where that leaves room for the longest frame in each.
fn layout(ring_bytes: usize, snap_bytes: usize) -> Layout {
    let least = (snap_bytes + BLOCK_OVERHEAD_BYTES).next_power_of_two().max(MIN_BLOCK_BYTES);
    let eighth = (ring_bytes / 8 + 1).next_power_of_two() / 2;
    let block_bytes = eighth.clamp(least, MAX_BLOCK_BYTES.max(least));
    Layout { block_bytes, blocks: (ring_bytes / block_bytes).max(2) }
}

/// The block's header, and one frame's with its headroom.
const BLOCK_OVERHEAD_BYTES: usize = 512;

/// A multiple of every page size.
const MIN_BLOCK_BYTES: usize = 64 * 1024;

/// A ring's unit of waiting, and of what is lost to late holders.
const MAX_BLOCK_BYTES: usize = 1 << 20;

/// By when the kernel hands over a block that is not full, with time to spare.
const BLOCK_DUE: Duration = Duration::from_millis(BLOCK_TIMEOUT_MS as u64 * 2);

fn spare_count(options: &LiveOptions) -> usize {
    (MAX_SPARES / (options.workers * options.interfaces.len())).clamp(1, SPARES)
}

/// How often an interface may be deleted and made again, with several workers.
const SPARES: usize = 16;

/// Of all rings: a process may have 1,024 descriptors, and not for this.
const MAX_SPARES: usize = 256;

/// What frames of an interface start with, by its type; none where the kernel's frame is not what any link type is.
fn link_type(hardware: u16) -> Option<LinkType> {
    Some(match hardware {
        libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK => LinkType::ETHERNET,
        // Tunnels over a file, PPP (whose two bytes the kernel has taken off), IP in IP, mobile modems.
        libc::ARPHRD_NONE | libc::ARPHRD_PPP | libc::ARPHRD_TUNNEL | libc::ARPHRD_TUNNEL6 | libc::ARPHRD_SIT => {
            LinkType::RAW
        }
        ARPHRD_RAWIP => LinkType::RAW,
        libc::ARPHRD_CISCO => LinkType::C_HDLC,
        libc::ARPHRD_FRAD => LinkType::FRAME_RELAY,
        libc::ARPHRD_FDDI => LinkType::FDDI,
        libc::ARPHRD_IEEE80211 => LinkType::WIFI,
        libc::ARPHRD_IEEE80211_PRISM => LinkType::WIFI_PRISM,
        libc::ARPHRD_IEEE80211_RADIOTAP => LinkType::WIFI_RADIOTAP,
        _ => return None,
    })
}

const ARPHRD_RAWIP: u16 = 519;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_as_large_as_asked_and_each_block_holds_the_longest_frame() {
        for ring_bytes in [1 << 20, 3 << 20, 8 << 20, 64 << 20, 1 << 30] {
            for snap_bytes in [64, 1_514, 65_535, 262_144] {
                let layout = layout(ring_bytes, snap_bytes);
                assert!(layout.block_bytes.is_power_of_two() && layout.block_bytes >= snap_bytes + 512);
                assert!(layout.blocks >= 2 && layout.blocks * layout.block_bytes <= ring_bytes);
                assert!(layout.blocks * layout.block_bytes > ring_bytes / 2, "{ring_bytes} {snap_bytes}");
            }
        }
    }
}
