//! The command line's end.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::{Answer, Request};

/// Bytes of an answer; the most VLANs and tunnels, all verdicts of each, take some 20 MB.
const MAX_ANSWER_BYTES: u64 = 64 << 20;

/// For a status.
const SHORT: Duration = Duration::from_secs(15);

/// For a reload: feeds of millions of entries are read meanwhile.
const LONG: Duration = Duration::from_secs(600);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nothing is at the path, or nobody listens there.
    #[error("no sensor runs at this control socket")]
    NoSensor,
    /// The socket's mode keeps this user out.
    #[error("this user may not open the control socket")]
    NotAllowed,
    /// It listens and did not answer in time.
    #[error("the sensor does not answer")]
    NoAnswer,
    /// What came is no answer.
    #[error("what answers at this socket is no sensor, or one of another version")]
    NotUnderstood,
    /// What the system says.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Asks the sensor at `path`.
///
/// # Errors
/// If there is none, or it does not answer. That it refuses is an answer.
pub fn ask(path: &Path, request: Request) -> Result<Answer, AskError> {
    let mut stream = UnixStream::connect(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => AskError::NoSensor,
        ErrorKind::PermissionDenied => AskError::NotAllowed,
        _ => AskError::Io(error),
    })?;
    stream.set_read_timeout(Some(if matches!(request, Request::Reload {}) { LONG } else { SHORT }))?;
    stream.set_write_timeout(Some(SHORT))?;
    let mut line = serde_json::to_vec(&request).map_err(io::Error::from)?;
    line.push(b'\n');
    // A server that does not like who asks answers before it has read anything.
    let _ = stream.write_all(&line);
    let mut answer = Vec::new();
    BufReader::new(stream.take(MAX_ANSWER_BYTES)).read_until(b'\n', &mut answer).map_err(|error| {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => AskError::NoAnswer,
            _ => AskError::Io(error),
        }
    })?;
    serde_json::from_slice(&answer)
        .map_err(|_| if answer.is_empty() { AskError::NoAnswer } else { AskError::NotUnderstood })
}
