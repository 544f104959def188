//! [`Report`]: what a process may still do, read from the kernel and not from what was tried.

use std::fs;
use std::io;
use std::path::PathBuf;

use rustix::process::{DumpableBehavior, dumpable_behavior};
use serde::Serialize;

use super::{Landlock, Refusal};

/// Whose report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// This process's.
    Myself,
    /// Another's, by its number.
    Process(u32),
}

/// What a process may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Effective user.
    pub uid: u32,
    /// Effective group.
    pub gid: u32,
    /// Further groups.
    pub groups: Vec<u32>,
    /// Of the main thread.
    pub capabilities: Capabilities,
    /// Whether starting a program can never give more.
    pub no_new_privs: bool,
    /// Whether system calls are filtered.
    pub seccomp: SeccompMode,
    /// How often they are.
    pub seccomp_filters: u32,
    /// What Landlock keeps out of reach; `None` if it is not known, for the kernel does not tell of another process.
    pub landlock: Option<Landlock>,
    /// Whether memory may be dumped or read by others of the same user; `None` of another process.
    pub is_dumpable: Option<bool>,
    /// Threads.
    pub threads: usize,
    /// Of these, threads that have a capability or no filter.
    pub threads_with_capabilities: usize,
}

/// Sets of capabilities, a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Capabilities {
    /// What it can do now.
    pub effective: u64,
    /// What it can take.
    pub permitted: u64,
    /// What a program that it starts may take over.
    pub inheritable: u64,
    /// What a program that it starts has.
    pub ambient: u64,
    /// What any program that it starts could gain.
    pub bounding: u64,
}

impl Capabilities {
    /// Whether there is none that can be used or handed on. The bounding set alone gives nothing.
    pub fn are_gone(&self) -> bool {
        self.effective | self.permitted | self.inheritable | self.ambient == 0
    }
}

/// `Seccomp` of `/proc/PID/status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeccompMode {
    /// Every call is made.
    #[default]
    Off,
    /// read, write, exit.
    Strict,
    /// A filter decides.
    Filter,
}

impl Report {
    /// Reads it.
    ///
    /// # Errors
    /// There is no such process, or `/proc` is not there.
    pub fn of(who: Who) -> io::Result<Self> {
        let root = match who {
            Who::Myself => PathBuf::from("/proc/self"),
            Who::Process(number) => PathBuf::from(format!("/proc/{number}")),
        };
        let main = Status::parse(&fs::read_to_string(root.join("status"))?);
        let threads = threads_below(&root)?;
        // A thread that has ended since has nothing.
        let status = |thread: &PathBuf| fs::read_to_string(thread.join("status")).ok().map(|text| Status::parse(&text));
        let is_free = |status: &Status| !status.capabilities.are_gone() || status.seccomp != main.seccomp;
        let threads_with_capabilities = threads.iter().filter_map(status).filter(is_free).count();
        let is_dumpable = match who {
            Who::Myself => Some(dumpable_behavior()? != DumpableBehavior::NotDumpable),
            Who::Process(_) => None,
        };
        let Status { uid, gid, groups, capabilities, no_new_privs, seccomp, seccomp_filters } = main;
        let (landlock, threads) = (None, threads.len());
        Ok(Self {
            uid,
            gid,
            groups,
            capabilities,
            no_new_privs,
            seccomp,
            seccomp_filters,
            landlock,
            is_dumpable,
            threads,
            threads_with_capabilities,
        })
    }

    /// What is not as it could be, in words; nothing if all is.
    pub fn shortfalls(&self, refusal: Refusal) -> Vec<String> {
        let mut missing = Vec::new();
        let mut need = |holds: bool, why: &str| {
            if !holds {
                missing.push(why.to_owned());
            }
        };
        need(self.capabilities.are_gone(), "it has capabilities");
        need(self.threads_with_capabilities == 0, "threads have more than the first one");
        need(self.no_new_privs, "no_new_privs is not set");
        need(self.seccomp == SeccompMode::Filter || refusal == Refusal::Off, "system calls are not filtered");
        need(self.is_dumpable != Some(true), "its memory can be dumped");
        match self.landlock {
            Some(Landlock::Unavailable) => need(false, "this kernel has no Landlock"),
            Some(Landlock::Partly) => need(false, "this kernel knows only a part of Landlock"),
            _ => {}
        }
        missing
    }

    /// One line for the log.
    pub fn line(&self) -> String {
        let yes = |is: bool| if is { "yes" } else { "no" };
        let landlock = match self.landlock {
            None => "unknown",
            Some(Landlock::Enforced) => "enforced",
            Some(Landlock::Partly) => "partly enforced",
            Some(Landlock::Unavailable) => "unavailable",
            Some(Landlock::Off) => "off",
        };
        let seccomp = if self.seccomp == SeccompMode::Filter { "filtered" } else { "all" };
        let (uid, gid) = (self.uid, self.gid);
        let capabilities = if self.capabilities.are_gone() { "none" } else { "some" };
        format!(
            "uid {uid}, gid {gid}, capabilities {capabilities}, no_new_privs {}, system calls {seccomp}, Landlock {landlock}",
            yes(self.no_new_privs)
        )
    }
}

/// The directories of this process's threads.
pub(super) fn threads() -> io::Result<Vec<PathBuf>> {
    threads_below(&PathBuf::from("/proc/self"))
}

fn threads_below(root: &std::path::Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(root.join("task"))?.map(|entry| Ok(entry?.path())).collect()
}

/// What is of interest of a `status` file.
#[derive(Default)]
struct Status {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
    capabilities: Capabilities,
    no_new_privs: bool,
    seccomp: SeccompMode,
    seccomp_filters: u32,
}

impl Status {
    fn parse(text: &str) -> Self {
        let mut status = Self::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            let set = || u64::from_str_radix(value, 16).unwrap_or(u64::MAX);
            // Real, effective, saved, of the file system.
            let effective = || value.split_whitespace().nth(1).and_then(|id| id.parse().ok()).unwrap_or(0);
            match name {
                "Uid" => status.uid = effective(),
                "Gid" => status.gid = effective(),
                "Groups" => status.groups = value.split_whitespace().filter_map(|id| id.parse().ok()).collect(),
                "CapInh" => status.capabilities.inheritable = set(),
                "CapPrm" => status.capabilities.permitted = set(),
                "CapEff" => status.capabilities.effective = set(),
                "CapBnd" => status.capabilities.bounding = set(),
                "CapAmb" => status.capabilities.ambient = set(),
                "NoNewPrivs" => status.no_new_privs = value == "1",
                "Seccomp" => {
                    status.seccomp = match value {
                        "1" => SeccompMode::Strict,
                        "2" => SeccompMode::Filter,
                        _ => SeccompMode::Off,
                    }
                }
                "Seccomp_filters" => status.seccomp_filters = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_file_is_read() {
        let text = "Name:\tpicket\nUid:\t0\t998\t0\t0\nGid:\t0\t997\t0\t0\nGroups:\t997 4 \nCapInh:\t0000000000000000\n\
                    CapPrm:\t0000000000003000\nCapEff:\t0000000000001000\nCapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\n\
                    NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t3\n";
        let status = Status::parse(text);
        assert_eq!((status.uid, status.gid, &status.groups[..]), (998, 997, &[997, 4][..]));
        assert_eq!((status.capabilities.permitted, status.capabilities.effective), (0x3000, 0x1000));
        assert!(!status.capabilities.are_gone() && status.no_new_privs);
        assert_eq!((status.seccomp, status.seccomp_filters), (SeccompMode::Filter, 3));
        assert!(Capabilities { bounding: 1, ..Capabilities::default() }.are_gone());
    }

    #[test]
    fn what_is_missing_is_said() {
        let report = Report::of(Who::Myself).expect("reads");
        assert!(report.threads >= 2, "tests run in threads of their own");
        let missing = report.shortfalls(Refusal::Fail);
        assert!(missing.iter().any(|why| why == "system calls are not filtered"), "{missing:?}");
        assert!(!report.shortfalls(Refusal::Off).iter().any(|why| why == "system calls are not filtered"));
        assert_eq!(Report::of(Who::Process(std::process::id())).expect("reads").uid, report.uid);
    }
}
