//! Landlock: which files and TCP ports can be reached. By path, so that what is not named is out of reach whoever owns it.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use serde::Serialize;

use super::{Options, PrivilegeError};

/// What is asked for: files (with truncation and device calls), TCP ports, signals to others. What a kernel does not know of it is left out.
pub const ACCESS_ABI: ABI = ABI::V6;

/// What of the system any program reads: names of hosts and services, time zones, certificates, libraries that resolve names, and the
/// figures of the processors, interfaces and this process.
pub(super) const SYSTEM: &[&str] = &[
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/passwd",
    "/etc/localtime",
    "/etc/ld.so.cache",
    "/etc/ssl",
    "/etc/ca-certificates",
    "/etc/pki",
    "/run/systemd/resolve",
    "/usr/share/ca-certificates",
    "/usr/share/zoneinfo",
    "/usr/lib",
    "/usr/lib64",
    "/lib",
    "/lib64",
    "/proc/self",
    "/proc/stat",
    "/proc/meminfo",
    "/proc/sys/kernel",
    "/proc/sys/net",
    "/sys/class/net",
    "/sys/devices",
    "/sys/fs/cgroup",
];

/// Written to by anything.
const DEVICES: &[&str] = &["/dev/null"];

/// Name servers answer over TCP what is too long for a datagram.
const DNS_PORT: u16 = 53;

/// What Landlock keeps out of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Landlock {
    /// Everything that was asked for.
    Enforced,
    /// What this kernel knows of it.
    Partly,
    /// The kernel has it not, or not switched on.
    Unavailable,
    /// The configuration switches it off.
    Off,
}

/// Puts everything out of reach of this thread, and those that it starts, but what `options` names.
pub(super) fn restrict(options: &Options) -> Result<Landlock, PrivilegeError> {
    let status = rules(options).and_then(RulesetCreated::restrict_self);
    let status = status.map_err(|error| PrivilegeError::system("restrict files with Landlock", error))?;
    Ok(match (status.ruleset, status.landlock) {
        (_, LandlockStatus::NotEnabled | LandlockStatus::NotImplemented) => Landlock::Unavailable,
        (RulesetStatus::FullyEnforced, _) => Landlock::Enforced,
        (RulesetStatus::PartiallyEnforced, _) => Landlock::Partly,
        (RulesetStatus::NotEnforced, _) => Landlock::Unavailable,
    })
}

fn rules(options: &Options) -> Result<RulesetCreated, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = read
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::MakeSock
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir;
    let mut handled = Ruleset::default().handle_access(AccessFs::from_all(ACCESS_ABI))?.scope(Scope::Signal)?;
    handled = match &options.connects {
        Some(_) => handled.handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?,
        None => handled.handle_access(AccessNet::BindTcp)?,
    };
    let mut rules = handled.create()?;
    rules = beneath(rules, SYSTEM.iter().map(Path::new), read)?;
    rules = beneath(rules, options.reads.iter().flat_map(|path| readable(path)), read)?;
    rules = beneath(rules, options.writes.iter(), write)?;
    rules = beneath(rules, DEVICES.iter().map(Path::new), AccessFs::ReadFile | AccessFs::WriteFile)?;
    for port in options.binds.iter().copied() {
        rules = rules.add_rule(NetPort::new(port, AccessNet::BindTcp))?;
    }
    for port in options.connects.iter().flatten().copied().chain([DNS_PORT]) {
        if options.connects.is_some() {
            rules = rules.add_rule(NetPort::new(port, AccessNet::ConnectTcp))?;
        }
    }
    Ok(rules)
}

/// Rules for those of the paths that are there; of a file only what a file can have.
fn beneath<P: AsRef<Path>>(
    mut rules: RulesetCreated,
    paths: impl Iterator<Item = P>,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    for path in paths {
        let Ok(place) = PathFd::new(&path) else { continue };
        let access = if path.as_ref().is_dir() { access } else { access & AccessFs::from_file(ACCESS_ABI) };
        rules = rules.add_rule(PathBeneath::new(place, access))?;
    }
    Ok(rules)
}

/// What is opened up so that `path` can be read, also when it is replaced by a new file: a directory itself, of a file its directory, and
/// the same where a link leads to.
pub(super) fn readable(path: &Path) -> Vec<PathBuf> {
    let directory = |path: &Path| match path.is_dir() {
        true => path.to_owned(),
        false => match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        },
    };
    let mut places = vec![directory(path)];
    if let Ok(target) = path.canonicalize() {
        places.push(directory(&target));
    }
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_file_its_directory_is_readable_and_where_a_link_leads_to() {
        let folder = tempfile::tempdir().expect("a directory");
        let root = folder.path().canonicalize().expect("is there");
        std::fs::create_dir_all(root.join("data/deep")).expect("made");
        std::fs::write(root.join("data/deep/feed.txt"), "x").expect("written");
        std::os::unix::fs::symlink(root.join("data/deep/feed.txt"), root.join("feed.txt")).expect("linked");
        assert_eq!(readable(&root.join("data")), [root.join("data")]);
        assert_eq!(readable(&root.join("data/deep/feed.txt")), [root.join("data/deep")]);
        assert_eq!(readable(&root.join("feed.txt")), [root.clone(), root.join("data/deep")]);
        assert_eq!(readable(&root.join("missing.txt")), [root]);
        assert_eq!(readable(Path::new("missing.txt")), [Path::new(".")]);
    }
}
