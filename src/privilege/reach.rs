//! [`Beyond`]: what a confined process would need and was not granted when it was confined: it can be had only by starting anew.
//!
//! Judged by paths, as `files` made its rules of them; that the system itself refuses what is granted shows when it is opened.

use std::fmt;
use std::path::{Path, PathBuf};

use super::Options;
use super::files::{self, SYSTEM};

/// What is out of reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beyond {
    /// A file or folder to read.
    Read(PathBuf),
    /// A folder to write in.
    Write(PathBuf),
    /// A TCP port to connect to.
    Connect(u16),
    /// Any TCP port: servers name others.
    ConnectAny,
}

impl Options {
    /// The first of what `needed` names that these did not grant.
    pub fn beyond(&self, needed: &Self) -> Option<Beyond> {
        if self.without_landlock {
            return None;
        }
        let written: Vec<PathBuf> = self.writes.iter().map(|path| real(path)).collect();
        let system = SYSTEM.iter().map(PathBuf::from);
        let read = self.reads.iter().flat_map(|path| files::readable(path)).chain(system).map(|path| real(&path));
        let read: Vec<PathBuf> = read.chain(written.iter().cloned()).collect();
        let is_below = |path: &Path, granted: &[PathBuf]| granted.iter().any(|folder| real(path).starts_with(folder));
        if let Some(path) = needed.writes.iter().find(|path| !is_below(path, &written)) {
            return Some(Beyond::Write(path.clone()));
        }
        if let Some(path) = needed.reads.iter().find(|path| !is_below(path, &read)) {
            return Some(Beyond::Read(path.clone()));
        }
        match (&self.connects, &needed.connects) {
            (None, _) => None,
            (Some(_), None) => Some(Beyond::ConnectAny),
            (Some(granted), Some(ports)) => {
                ports.iter().find(|port| !granted.contains(port)).map(|port| Beyond::Connect(*port))
            }
        }
    }
}

impl fmt::Display for Beyond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(path) => write!(f, "{} is not among the folders granted at the start", path.display()),
            Self::Write(path) => {
                write!(f, "{} is not among the folders granted for writing at the start", path.display())
            }
            Self::Connect(port) => write!(f, "TCP port {port} is not among those granted at the start"),
            Self::ConnectAny => f.write_str("its servers may name any TCP port, and not all were granted at the start"),
        }
    }
}

/// The path without links, as far as it is there.
fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for (above, known) in path.ancestors().enumerate() {
        if let Ok(known) = known.canonicalize() {
            let parts: Vec<_> = path.components().collect();
            let missing = parts[parts.len() - above..].iter();
            return known.join(missing.collect::<PathBuf>());
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_below_a_granted_folder_can_be_had() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        for name in ["log", "etc", "other"] {
            std::fs::create_dir(root.join(name)).expect("made");
        }
        std::fs::write(root.join("etc/picket.toml"), "x").expect("written");
        std::os::unix::fs::symlink(root.join("other"), root.join("log/link")).expect("linked");
        let granted = Options {
            reads: vec![root.join("etc/picket.toml")],
            writes: vec![root.join("log")],
            connects: Some(vec![514]),
            ..Options::default()
        };
        let needs = |reads: &[&str], writes: &[&str], connects| {
            let all = |paths: &[&str]| paths.iter().map(|path| root.join(path)).collect();
            granted.beyond(&Options { reads: all(reads), writes: all(writes), connects, ..Options::default() })
        };
        let none = || Some(Vec::new());
        assert_eq!(needs(&["etc/token", "log/x"], &["log", "log/new/deep"], Some(vec![514])), None);
        assert_eq!(needs(&[], &["logs"], none()), Some(Beyond::Write(root.join("logs"))));
        assert_eq!(needs(&[], &["log/../other"], none()), Some(Beyond::Write(root.join("log/../other"))));
        assert_eq!(needs(&[], &["log/link/x"], none()), Some(Beyond::Write(root.join("log/link/x"))));
        assert_eq!(needs(&["other/token"], &[], none()), Some(Beyond::Read(root.join("other/token"))));
        assert_eq!(needs(&[], &[], Some(vec![514, 443])), Some(Beyond::Connect(443)));
        assert_eq!(needs(&[], &[], None), Some(Beyond::ConnectAny));
        let open = Options { without_landlock: true, ..Options::default() };
        assert_eq!(open.beyond(&Options { connects: None, ..granted.clone() }), None);
    }
}
