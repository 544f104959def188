//! Making and removing the socket's file.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, fchmod};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 8;

/// Only its owner may connect.
const MODE: u32 = 0o600;

/// A listening socket whose file goes when it does.
pub(super) struct Bound {
    pub(super) listener: UnixListener,
    path: PathBuf,
    /// Device and inode, so that nothing else is ever removed.
    file: (u64, u64),
}

impl Bound {
    /// Binds `path`, in place of a stale socket if one is there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        make_room(path)?;
        let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
        // Linux gives the file the mode that the socket has when it is bound.
        fchmod(&socket, Mode::from_raw_mode(MODE))?;
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        let made = fs::symlink_metadata(path)?;
        let bound =
            Self { listener: UnixListener::from(socket), path: path.to_owned(), file: (made.dev(), made.ino()) };
        if made.mode() & 0o777 & !MODE != 0 {
            fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(MODE))?;
        }
        listen(&bound.listener, BACKLOG)?;
        bound.listener.set_nonblocking(true)?;
        Ok(bound)
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|now| (now.dev(), now.ino()) == self.file);
        if is_ours {
            // It may be in a folder that the process may no longer write to; the next start replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes what a sensor left that did not end in order; refuses anything else.
fn make_room(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() {
        let what = "there is something else at the control socket's path; it is left alone";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, what));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "a sensor runs already at this control socket")),
    }
}
