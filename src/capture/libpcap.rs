//! Live capture by libpcap: works on every system that has it, and copies each frame once more.
//!
//! The library gives VLAN tags back and counts what the kernel dropped. It must never be waited for inside the library,
//! which has no bound for that on Linux: every handle is non-blocking.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ::pcap::{Active, Capture, Error, Linktype, Precision, TimestampType};

use super::live::{InterfaceState, Live, LiveError, LiveOptions, Losses, MAX_WAIT_MS, Timestamps};
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
    Ok(vec![Box::new(LibPcap { options: options.clone(), handles, next: 0, pool: Pool::default() })])
}

/// All interfaces, in turn.
struct LibPcap {
    options: LiveOptions,
    handles: Vec<Handle>,
    /// Whose turn it is.
    next: usize,
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
    downs: u64,
    /// Turns to wait until it is tried again.
    idle_turns: u32,
    /// What the handle said last; it counts in 32 bits and from its opening on.
    last: [u32; 3],
    losses: Losses,
}

impl Source for LibPcap {
    fn poll(&mut self, batch: &mut Batch) -> bool {
        batch.frames.clear();
        batch.data = Data::Empty;
        let mut waited_us = 0;
        loop {
            for _ in 0..self.handles.len() {
                let at = self.next;
                self.next = (at + 1) % self.handles.len();
                self.handles[at].read(at as u32, &self.options, &mut self.pool, batch);
                if !batch.frames.is_empty() {
                    return true;
                }
            }
            if waited_us >= MAX_WAIT_MS * 1000 {
                return true;
            }
            thread::sleep(Duration::from_micros(WAIT_US));
            waited_us += WAIT_US;
        }
    }
}

impl Live for LibPcap {
    fn losses(&mut self) -> Losses {
        self.handles.iter_mut().fold(Losses::default(), |mut sum, handle| {
            handle.count();
            sum.received += handle.losses.received;
            sum.kernel_dropped += handle.losses.kernel_dropped;
            sum.interface_dropped += handle.losses.interface_dropped;
            sum
        })
    }

    fn state(&self) -> Vec<InterfaceState> {
        let state = |handle: &Handle| InterfaceState {
            name: handle.name.clone(),
            is_up: handle.capture.is_some(),
            downs: handle.downs,
        };
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
            downs: 0,
            idle_turns: 0,
            last: [0; 3],
            losses: Losses::default(),
        })
    }

    /// Puts what is there into the empty batch.
    fn read(&mut self, file: u32, options: &LiveOptions, pool: &mut Pool, batch: &mut Batch) {
        if !self.is_open(options) {
            return;
        }
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
                    self.downs += 1;
                    self.idle_turns = RETRY_TURNS;
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

    /// Opens the handle again, if it was closed and it is time.
    fn is_open(&mut self, options: &LiveOptions) -> bool {
        if self.capture.is_none() {
            self.idle_turns = self.idle_turns.saturating_sub(1);
            if self.idle_turns == 0 {
                self.idle_turns = RETRY_TURNS;
                if let Ok((capture, link)) = activate(&self.name, options) {
                    (self.capture, self.link, self.last) = (Some(capture), link, [0; 3]);
                }
            }
        }
        self.capture.is_some()
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

/// Between two looks at handles that had nothing: short against [`BLOCK_TIMEOUT_MS`].
const WAIT_US: u64 = 2_000;

/// Looks at an interface that is gone before it is opened again: a second.
const RETRY_TURNS: u32 = 500;
