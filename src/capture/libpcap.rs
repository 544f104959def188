//! Live capture by libpcap: works on every system that has it, and copies each frame once more.
//!
//! The library gives VLAN tags back and counts what the kernel dropped. It must never be waited for inside the library,
//! which has no bound for that on Linux: every handle is non-blocking.

use std::sync::Arc;
use std::thread;

use ::pcap::{Active, Capture, Error, Linktype, Precision, TimestampType};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::interface::is_up;
use super::live::{InterfaceState, LOOK_POLLS, Live, LiveError, LiveOptions, Losses, MAX_WAIT_MS, NAP, Timestamps};
use super::pool::Pool;
use super::{BATCH_FRAMES, Batch, Data, Source};
use crate::packet::{FrameMeta, LinkType};
use crate::time::Timestamp;

/// Opens the interfaces for the one worker that libpcap can serve.
///
/// # Errors
/// See [`LiveError`].
pub(super) fn open(options: &LiveOptions) -> Result<Vec<Box<dyn Live>>, LiveError> {
    if options.workers > 1 {
        let interface = options.interfaces.join(", ");
        return Err(LiveError::Unsupported { interface, what: "libpcap serves one worker".into() });
    }
    let handles = options.interfaces.iter().map(|name| Handle::open(name, options)).collect::<Result<_, _>>()?;
    Ok(vec![Box::new(LibPcap { options: options.clone(), handles, next: 0, polls: 0, pool: Pool::default() })])
}

/// All interfaces, in turn.
struct LibPcap {
    options: LiveOptions,
    handles: Vec<Handle>,
    /// Whose turn it is.
    next: usize,
    polls: u32,
    pool: Pool,
}

/// One interface.
struct Handle {
    name: String,
    /// None while the interface is gone.
    capture: Option<Capture<Active>>,
    link: LinkType,
    /// Frames handed out.
    frames: u64,
    is_up: bool,
    downs: u64,
    /// What the handle said last; it counts in 32 bits and from its opening on.
    last: [u32; 3],
    losses: Losses,
}

impl Source for LibPcap {
    fn poll(&mut self, batch: &mut Batch) -> bool {
        batch.frames.clear();
        batch.data = Data::Empty;
        self.polls = self.polls.wrapping_add(1);
        if self.polls.is_multiple_of(LOOK_POLLS) {
            self.look();
        }
        if self.fill(batch) {
            return true;
        }
        let is_readable = self.wait();
        if !self.fill(batch) {
            self.look();
            if is_readable {
                thread::sleep(NAP);
            }
        }
        true
    }
}

impl LibPcap {
    /// A batch of the next interface that has something; each has its turn.
    fn fill(&mut self, batch: &mut Batch) -> bool {
        for _ in 0..self.handles.len() {
            let at = self.next;
            self.next = (at + 1) % self.handles.len();
            self.handles[at].read(at as u32, &self.options, &mut self.pool, batch);
            if !batch.frames.is_empty() {
                return true;
            }
        }
        false
    }

    /// Waits until something comes or happens. True if a handle says so.
    fn wait(&self) -> bool {
        let open = self.handles.iter().filter_map(|handle| handle.capture.as_ref());
        let mut handles: Vec<_> = open.map(|capture| PollFd::new(capture, PollFlags::IN)).collect();
        let most = Timespec { tv_sec: 0, tv_nsec: MAX_WAIT_MS as i64 * 1_000_000 };
        poll(&mut handles, Some(&most)).is_ok_and(|count| count > 0)
    }

    fn look(&mut self) {
        self.handles.iter_mut().for_each(|handle| handle.look(&self.options));
    }
}

impl Live for LibPcap {
    fn losses_by_interface(&mut self) -> Vec<Losses> {
        let losses = |handle: &mut Handle| {
            handle.count();
            handle.losses
        };
        self.handles.iter_mut().map(losses).collect()
    }

    fn state(&self) -> Vec<InterfaceState> {
        let state =
            |handle: &Handle| InterfaceState { name: handle.name.clone(), is_up: handle.is_up, downs: handle.downs };
        self.handles.iter().map(state).collect()
    }
}

impl Handle {
    fn open(name: &str, options: &LiveOptions) -> Result<Self, LiveError> {
        let (capture, link) = activate(name, options)?;
        Ok(Self {
            name: name.into(),
            capture: Some(capture),
            link,
            frames: 0,
            is_up: is_up(name).unwrap_or(true),
            downs: 0,
            last: [0; 3],
            losses: Losses::default(),
        })
    }

    /// Puts what is there into the empty batch.
    fn read(&mut self, file: u32, options: &LiveOptions, pool: &mut Pool, batch: &mut Batch) {
        let Some(capture) = &mut self.capture else { return };
        let mut buffer = None;
        let mut filled = 0;
        while batch.frames.len() < BATCH_FRAMES {
            let packet = match capture.next_packet() {
                Ok(packet) => packet,
                Err(Error::TimeoutExpired) => break,
                Err(error) => {
                    tracing::warn!("{}: capture stopped and will be tried again: {error}", self.name);
                    self.count();
                    self.capture = None;
                    self.set_up(false);
                    break;
                }
            };
            let bytes = Arc::make_mut(buffer.get_or_insert_with(|| pool.take()));
            let captured = packet.data.len().min(options.snap_bytes as usize);
            bytes[filled..][..captured].copy_from_slice(&packet.data[..captured]);
            self.frames += 1;
            // With nanosecond precision the library puts nanoseconds where microseconds would be.
            let (secs, ns) = (packet.header.ts.tv_sec, packet.header.ts.tv_usec);
            batch.frames.push(FrameMeta {
                offset: filled,
                time: Timestamp::from_parts(u64::try_from(secs).unwrap_or(0), u64::try_from(ns).unwrap_or(0)),
                number: self.frames,
                captured_bytes: captured as u32,
                wire_bytes: packet.header.len,
                file,
                link: self.link,
            });
            filled += captured;
            // What comes next is not known before it is there.
            if bytes.len() - filled < options.snap_bytes as usize {
                break;
            }
        }
        if let Some(buffer) = buffer {
            batch.data = Data::Buffer(Arc::clone(&buffer));
            pool.give(Data::Buffer(buffer));
        }
    }

    /// Looks how the interface is, and opens it again where the library has given it up.
    fn look(&mut self, options: &LiveOptions) {
        if self.capture.is_none()
            && let Ok((capture, link)) = activate(&self.name, options)
        {
            (self.capture, self.link, self.last) = (Some(capture), link, [0; 3]);
        }
        self.set_up(self.capture.is_some() && is_up(&self.name).unwrap_or(true));
    }

    fn set_up(&mut self, is_up: bool) {
        self.downs += u64::from(self.is_up && !is_up);
        self.is_up = is_up;
    }

    /// Adds up what the handle counted since it was asked last.
    fn count(&mut self) {
        let Some(Ok(stat)) = self.capture.as_mut().map(Capture::stats) else { return };
        let now = [stat.received, stat.dropped, stat.if_dropped];
        let grown: Vec<u64> = now.iter().zip(self.last).map(|(new, old)| u64::from(new.wrapping_sub(old))).collect();
        self.last = now;
        // Linux counts what it drops as received, too.
        self.losses.received += grown[0].saturating_sub(grown[1]);
        self.losses.kernel_dropped += grown[1];
        self.losses.interface_dropped += grown[2];
    }
}

/// Compiles a filter for frames of a link type: instructions of the kernel's classic filter language (code, jumps if true and
/// if false, operand).
///
/// # Errors
/// The filter is not understood.
#[cfg(target_os = "linux")]
pub(super) fn compile(interface: &str, link: LinkType, filter: &str) -> Result<Vec<(u16, u8, u8, u32)>, LiveError> {
    let refused = |error: Error| LiveError::Filter { interface: interface.into(), reason: error.to_string() };
    let program = match (link, probe(interface)) {
        (LinkType::ETHERNET, Some(handle)) => handle.compile(filter, true),
        (LinkType::RAW, _) => {
            Capture::dead(Linktype(i32::from(LinkType::RAW_12.0))).and_then(|h| h.compile(filter, true))
        }
        (link, _) => Capture::dead(Linktype(i32::from(link.0))).and_then(|handle| handle.compile(filter, true)),
    };
    // The crate shows instructions as text alone.
    let words = |error| LiveError::Filter { interface: interface.into(), reason: error };
    let read = |text: String| {
        let mut numbers = text.split(' ').map(|word| word.parse::<u32>().ok());
        let mut next = || numbers.next().flatten();
        let (code, jt, jf, k) = (next()?, next()?, next()?, next()?);
        Some((u16::try_from(code).ok()?, u8::try_from(jt).ok()?, u8::try_from(jf).ok()?, k))
    };
    let instructions = program.map_err(refused)?;
    let instructions = instructions.get_instructions().iter().map(|instruction| read(instruction.to_string()));
    instructions.collect::<Option<_>>().ok_or_else(|| words("libpcap's program cannot be read".into()))
}

/// A handle that knows that the kernel takes VLAN tags off, and where it keeps them; a dead one does not. Any Ethernet that is
/// up will do.
#[cfg(target_os = "linux")]
fn probe(interface: &str) -> Option<Capture<Active>> {
    let open = |name| Capture::from_device(name)?.promisc(false).snaplen(64).buffer_size(1 << 20).open();
    [interface, "lo"].into_iter().find_map(|name| open(name).ok().filter(|handle| handle.get_datalink().0 == 1))
}

fn activate(name: &str, options: &LiveOptions) -> Result<(Capture<Active>, LinkType), LiveError> {
    let mut inactive = Capture::from_device(name)
        .map_err(|error| refused(name, &error))?
        .promisc(options.is_promiscuous)
        .snaplen(options.snap_bytes as i32)
        .buffer_size(i32::try_from(options.ring_bytes).unwrap_or(i32::MAX))
        .timeout(BLOCK_TIMEOUT_MS)
        .precision(Precision::Nano);
    if options.timestamps == Timestamps::Hardware {
        inactive = inactive.tstamp_type(TimestampType::Adapter);
    }
    let mut capture = inactive.open().and_then(Capture::setnonblock).map_err(|error| refused(name, &error))?;
    if let Some(filter) = &options.filter {
        capture
            .filter(filter, true)
            .map_err(|error| LiveError::Filter { interface: name.into(), reason: error.to_string() })?;
    }
    let link = link_type(capture.get_datalink());
    Ok((capture, link))
}

/// What libpcap's refusal means. It has words only.
fn refused(name: &str, error: &Error) -> LiveError {
    let text = error.to_string();
    if text.contains("No such device") {
        LiveError::NoSuchInterface(name.into())
    } else if text.contains("permission") || text.contains("not permitted") {
        LiveError::Permission(name.into())
    } else {
        LiveError::Unsupported { interface: name.into(), what: text }
    }
}

/// A handle numbers link types as the system does, which differs from what files say for raw IP alone.
fn link_type(handle: Linktype) -> LinkType {
    match u16::try_from(handle.0).map(LinkType) {
        Ok(LinkType::RAW_12 | LinkType::RAW_14) => LinkType::RAW,
        Ok(link) => link,
        // No such number exists: nothing decodes it, and it is counted there.
        Err(_) => LinkType(u16::MAX),
    }
}

/// How long the kernel keeps frames that do not fill a block.
const BLOCK_TIMEOUT_MS: i32 = 10;
