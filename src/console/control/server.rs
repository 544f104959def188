//! The sensor's end.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::socket::Bound;
use super::{Answer, Request, Status};
use crate::console::{Sensor, problems};

/// So many requests at once: a reload takes seconds, and the status is wanted meanwhile.
const THREADS: usize = 3;

/// Bytes of a request.
const MAX_REQUEST_BYTES: usize = 4096;

/// For a request to arrive, and again for its answer to leave.
const TRANSFER_TIME: Duration = Duration::from_secs(5);

/// How soon it is noticed that the server is to end.
const WAKE_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Listens and does not answer yet: to be made before the process gives up the right to open files.
pub struct ControlListener {
    bound: Bound,
}

/// Answers until it is dropped; then the socket's file is removed.
pub struct ControlServer {
    is_ending: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl ControlListener {
    /// Makes the socket.
    ///
    /// # Errors
    /// What the system says; if a sensor runs there already, or if there is something else than a socket at `path`.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { bound: Bound::open(path)? })
    }

    /// Begins to answer.
    ///
    /// # Errors
    /// If there are no threads to be had.
    pub fn serve(self, sensor: Arc<dyn Sensor>) -> io::Result<ControlServer> {
        let bound = Arc::new(self.bound);
        let mut server = ControlServer { is_ending: Arc::default(), threads: Vec::with_capacity(THREADS) };
        for _ in 0..THREADS {
            let (bound, sensor, is_ending) = (Arc::clone(&bound), Arc::clone(&sensor), Arc::clone(&server.is_ending));
            let run = move || serve(&bound, &*sensor, &is_ending);
            server.threads.push(std::thread::Builder::new().name("control".to_owned()).spawn(run)?);
        }
        Ok(server)
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        self.is_ending.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn serve(bound: &Bound, sensor: &dyn Sensor, is_ending: &AtomicBool) {
    while !is_ending.load(Ordering::Relaxed) {
        let mut fds = [PollFd::new(&bound.listener, PollFlags::IN)];
        // Interrupted or timed out, it looks again; another thread may have been faster.
        if poll(&mut fds, Some(&WAKE_EVERY)).is_err() {
            continue;
        }
        match bound.listener.accept() {
            // A client that does not listen to its answer is its own affair.
            Ok((stream, _)) => drop(answer(&stream, sensor)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // For want of file descriptors, say: without a pause it would spin.
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn answer(stream: &UnixStream, sensor: &dyn Sensor) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    let line = match receive(stream) {
        Ok(line) => line,
        Err(error) => return send(stream, &Answer::Refused(format!("no request came: {error}"))),
    };
    if !may_ask(stream)? {
        return send(stream, &Answer::Refused("only root and the sensor's own user are answered".to_owned()));
    }
    let answer = match serde_json::from_slice::<Request>(&line) {
        Ok(Request::Status {}) => {
            let snapshot = sensor.snapshot();
            Answer::Status(Box::new(Status { problems: problems(&snapshot), snapshot }))
        }
        Ok(Request::Reload {}) => match sensor.reload() {
            Ok(words) => Answer::Done(words),
            Err(words) => Answer::Refused(words),
        },
        Ok(Request::Stop {}) => {
            sensor.stop();
            Answer::Done("stopping".to_owned())
        }
        Err(_) => Answer::Refused(r#"not understood: one line, {"do":"status"}, "reload" or "stop""#.to_owned()),
    };
    send(stream, &answer)
}

/// Whether it is root or the sensor's own user that asks: should the socket's mode have been widened.
#[cfg(target_os = "linux")]
fn may_ask(stream: &UnixStream) -> io::Result<bool> {
    let uid = rustix::net::sockopt::socket_peercred(stream)?.uid;
    Ok(uid.is_root() || uid == rustix::process::geteuid())
}

/// The socket's mode alone decides.
#[cfg(not(target_os = "linux"))]
fn may_ask(_: &UnixStream) -> io::Result<bool> {
    Ok(true)
}

/// One line, without its end.
fn receive(mut stream: &UnixStream) -> io::Result<Vec<u8>> {
    let deadline = Instant::now() + TRANSFER_TIME;
    let (mut line, mut piece) = (Vec::new(), [0; 512]);
    loop {
        stream.set_read_timeout(Some(left(deadline)?))?;
        let n = stream.read(&mut piece).map_err(timed_out)?;
        line.extend_from_slice(&piece[..n]);
        if let Some(end) = line.iter().position(|&byte| byte == b'\n') {
            line.truncate(end);
            return Ok(line);
        }
        if n == 0 {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "it ends before its line does"));
        }
        if line.len() > MAX_REQUEST_BYTES {
            return Err(io::Error::new(ErrorKind::InvalidData, "it is too long"));
        }
    }
}

fn send(mut stream: &UnixStream, answer: &Answer) -> io::Result<()> {
    let deadline = Instant::now() + TRANSFER_TIME;
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    let mut rest = &line[..];
    while !rest.is_empty() {
        stream.set_write_timeout(Some(left(deadline)?))?;
        let n = stream.write(rest).map_err(timed_out)?;
        rest = &rest[n..];
    }
    Ok(())
}

/// Time until `deadline`, never nothing.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// A socket's time-out is `WouldBlock` on Linux.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::WouldBlock { ErrorKind::TimedOut.into() } else { error }
}
