//! What the process gives up once its sockets are open: user, capabilities, new privileges, system calls, files. Linux only.
//!
//! [`confine`] does all of it, in the order that works, and says what was achieved by reading it back ([`Report`]). Nothing here knows
//! the sensor's configuration: whoever calls it names the paths and ports.
//!
//! **Where to call it**: after everything that needs privileges (packet sockets, the control socket, a listener on a low port) and
//! *before the first thread is started*. Capabilities and Landlock are a thread's: threads inherit them, but those that are there
//! already keep what they have. [`confine`] refuses where there is a second thread, and [`Report::threads_with_capabilities`] says it
//! for a process that runs.
//!
//! What no longer works afterwards: making packet sockets (capture holds spare ones ready for interfaces that are removed and made
//! again); starting programs; reading files that the configuration did not name at the start.

mod files;
mod identity;
mod reach;
mod report;
mod seccomp;

use std::path::PathBuf;

pub use files::{ACCESS_ABI, Landlock};
pub use reach::Beyond;
pub use report::{Capabilities, Report, SeccompMode, Who};
pub use seccomp::allowed_calls;

/// What to give up. The default gives up everything but the user, and can reach no file of its own.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The user to become, if started as root.
    pub user: Option<String>,
    /// The group to become; the user's own if not said.
    pub group: Option<String>,
    /// What becomes of a system call that is not on the list.
    pub refusal: Refusal,
    /// Whether files of other users may still be read and written (`CAP_DAC_OVERRIDE`), where root alone can reach what is named here.
    pub keeps_file_access: bool,
    /// Whether Landlock is left out.
    pub without_landlock: bool,
    /// Whether it is an error if the kernel has not all of it.
    pub is_required: bool,
    /// Files and directories that are read, with what is below them. Of a file its directory can be read: files are replaced by new ones.
    pub reads: Vec<PathBuf>,
    /// Directories in which files are made, written, renamed and removed. They must be there.
    pub writes: Vec<PathBuf>,
    /// TCP ports that may be connected to, beside that of name servers; `None`: all.
    pub connects: Option<Vec<u16>>,
    /// TCP ports that may still be listened on.
    pub binds: Vec<u16>,
}

/// What becomes of a system call that the sensor never makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Refusal {
    /// It fails (`EPERM`).
    #[default]
    Fail,
    /// It ends the process (`SIGSYS`).
    Kill,
    /// It is made: no filter is set.
    Off,
}

/// Why privileges could not be given up. What was given up before stays so.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// Threads that were started before would keep what this one gives up.
    #[error("privileges are given up too late: {0} threads run already (a defect)")]
    Threads(usize),
    /// There is no such user or group.
    #[error("there is no {what} `{name}` on this machine: make it, or change {what} in [privileges]")]
    Unknown {
        /// `user` or `group`.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Only root can become someone else.
    #[error("only root can become {0}: start it as root or as that user")]
    NotRoot(String),
    /// The system refuses.
    #[error("cannot {what}: {why}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The system's words.
        why: String,
    },
    /// A directory that is to be written to cannot be made.
    #[error("cannot make the directory {}: {why}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// The system's words.
        why: std::io::Error,
    },
    /// The kernel has not all of it, and all was required.
    #[error("not everything could be given up, and [privileges] required says that it must: {0}")]
    Incomplete(String),
}

impl PrivilegeError {
    fn system(what: &'static str, why: impl ToString) -> Self {
        Self::System { what, why: why.to_string() }
    }
}

/// Makes the directories that will be written to and are missing, as those of the user who will write. To be called before [`confine`].
///
/// # Errors
/// [`PrivilegeError::Directory`], [`PrivilegeError::Unknown`].
pub fn make_directories(options: &Options) -> Result<(), PrivilegeError> {
    let (user, group) = (options.user.as_deref(), options.group.as_deref());
    options.writes.iter().try_for_each(|path| identity::make_directory(path, user, group))
}

/// Gives up everything that `options` names. See the module for where to call it.
///
/// # Errors
/// [`PrivilegeError`]. Who gets one must not go on.
pub fn confine(options: &Options) -> Result<Report, PrivilegeError> {
    let threads = report::threads().map_err(|error| PrivilegeError::system("count the threads", error))?.len();
    if threads != 1 {
        return Err(PrivilegeError::Threads(threads));
    }
    identity::empty_bounding_set()?;
    identity::become_user(options.user.as_deref(), options.group.as_deref())?;
    identity::drop_capabilities(options.keeps_file_access)?;
    let landlock = match options.without_landlock {
        true => Landlock::Off,
        false => files::restrict(options)?,
    };
    seccomp::filter(options.refusal)?;
    let mut report =
        Report::of(Who::Myself).map_err(|error| PrivilegeError::system("read what was given up", error))?;
    report.landlock = Some(landlock);
    match report.shortfalls(options.refusal) {
        missing if missing.is_empty() || !options.is_required => Ok(report),
        missing => Err(PrivilegeError::Incomplete(missing.join("; "))),
    }
}
