//! A socket of this machine: a stream of lines, or one datagram a record.

use std::io::Write;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use super::{Deliver, Fate, Trouble, all_delivered, as_lines};
use crate::sink::Record;

/// A socket of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixOptions {
    /// Where it is.
    pub path: PathBuf,
    /// Datagrams instead of a stream.
    pub is_datagram: bool,
    /// How long the other side may take.
    pub timeout: Duration,
}

impl Default for UnixOptions {
    fn default() -> Self {
        Self { path: PathBuf::new(), is_datagram: false, timeout: Duration::from_secs(10) }
    }
}

/// See the module.
pub(super) struct Unix {
    options: UnixOptions,
    open: Option<Open>,
}

enum Open {
    Stream(UnixStream),
    Datagram(UnixDatagram),
}

impl Unix {
    pub(super) fn new(options: &UnixOptions) -> Self {
        Self { options: options.clone(), open: None }
    }

    fn connect(&mut self) -> std::io::Result<&Open> {
        let open = if self.options.is_datagram {
            let socket = UnixDatagram::unbound()?;
            socket.connect(&self.options.path)?;
            socket.set_write_timeout(Some(self.options.timeout))?;
            Open::Datagram(socket)
        } else {
            let socket = UnixStream::connect(&self.options.path)?;
            socket.set_write_timeout(Some(self.options.timeout))?;
            Open::Stream(socket)
        };
        Ok(self.open.insert(open))
    }

    fn send(&mut self, records: &[&Record], fates: &mut Vec<Fate>) -> std::io::Result<()> {
        let open = match self.open {
            Some(ref open) => open,
            None => self.connect()?,
        };
        match open {
            Open::Stream(socket) => {
                let mut text = Vec::new();
                as_lines(records, &mut text);
                (&mut &*socket).write_all(&text)?;
                all_delivered(records, fates);
            }
            Open::Datagram(socket) => {
                for record in records {
                    match socket.send(&record.bytes) {
                        Ok(_) => fates.push(Fate::Delivered),
                        Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
                            fates.push(Fate::Refused(Trouble::word("too long for a datagram")));
                        }
                        Err(error) => {
                            let trouble = error.kind().into();
                            fates.resize(records.len(), Fate::Again(trouble));
                            self.open = None;
                            break;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

impl Deliver for Unix {
    fn deliver(&mut self, records: &[&Record], fates: &mut Vec<Fate>) -> Result<(), Trouble> {
        let sent = self.send(records, fates);
        if sent.is_err() {
            self.open = None;
        }
        Ok(sent?)
    }

    fn reopen(&mut self) {
        self.open = None;
    }
}
