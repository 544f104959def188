//! The system calls that the sensor makes. Everything else is refused: no programs, no tracing, no modules, no mounts, no other users,
//! no packet or raw sockets, no memory that can be written and run.
//!
//! The list is what `strace -f` showed of replay and live runs with every output, and what the standard library, libc's name
//! resolution and async runtimes call in other circumstances. `tests/privilege.rs` runs what the sensor does under a filter that kills.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use super::{PrivilegeError, Refusal};

/// Calls with any arguments.
const CALLS: &[c_long] = &[
    // Files and what can be waited for.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_close,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_openat,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlinkat,
    libc::SYS_mkdirat,
    libc::SYS_linkat,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_utimensat,
    libc::SYS_umask,
    libc::SYS_flock,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_fadvise64,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_splice,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_rm_watch,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
    libc::SYS_signalfd4,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    // Memory.
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_mlock,
    libc::SYS_munlock,
    libc::SYS_mincore,
    libc::SYS_brk,
    libc::SYS_membarrier,
    // Threads. `clone3` is on the list and answered `ENOSYS` by a filter of its own, so that libc asks for what can be judged.
    libc::SYS_clone3,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_set_tid_address,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_setaffinity,
    libc::SYS_getcpu,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_tgkill,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // Who and when.
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getgroups,
    libc::SYS_capget,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrusage,
    libc::SYS_times,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    // Sockets, but for making them.
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_shutdown,
];

/// Calls that newer machines have no longer.
#[cfg(target_arch = "x86_64")]
const OLDER_CALLS: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_unlink,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_link,
    libc::SYS_chmod,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_epoll_wait,
    libc::SYS_getrlimit,
    libc::SYS_time,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER_CALLS: &[c_long] = &[];

/// Requests to devices: questions about terminals and waiting bytes, modes of descriptors, figures and state of interfaces. No request
/// that puts bytes into a terminal or changes an interface.
const REQUESTS: &[u64] = &[
    0x5401, // TCGETS
    0x5413, // TIOCGWINSZ
    0x541b, // FIONREAD
    0x5421, // FIONBIO
    0x5450, // FIONCLEX
    0x5451, // FIOCLEX
    0x8912, // SIOCGIFCONF
    0x8913, // SIOCGIFFLAGS
    0x8910, // SIOCGIFNAME
    0x8921, // SIOCGIFMTU
    0x8927, // SIOCGIFHWADDR
    0x8933, // SIOCGIFINDEX
    0x8946, // SIOCETHTOOL
    0x8906, // SIOCGSTAMP
];

/// What a thread may ask or say of itself: its name, the name of its memory, whether it is dumpable (and that it is not), what it gave up.
const PRCTL: &[i32] = &[
    libc::PR_SET_NAME,
    libc::PR_GET_NAME,
    libc::PR_SET_VMA,
    libc::PR_GET_DUMPABLE,
    libc::PR_GET_NO_NEW_PRIVS,
    libc::PR_SET_NO_NEW_PRIVS,
    libc::PR_GET_SECCOMP,
    libc::PR_CAPBSET_READ,
];

/// Memory that can be written and run is `PROT_WRITE | PROT_EXEC`.
const WRITE_AND_RUN: u64 = (libc::PROT_WRITE | libc::PROT_EXEC) as u64;

/// `type` of `socket` has flags above this.
const SOCKET_TYPE: u64 = 0xf;

/// Numbers of all calls on the list, for whoever compares it with a trace.
pub fn allowed_calls() -> Vec<c_long> {
    let with_conditions =
        conditions().map_or_else(|_| Vec::new(), |all| all.into_iter().map(|(call, _)| call).collect());
    CALLS.iter().chain(OLDER_CALLS).copied().chain(with_conditions).collect()
}

/// Sets the filter for all threads.
pub(super) fn filter(refusal: Refusal) -> Result<(), PrivilegeError> {
    let action = match refusal {
        Refusal::Fail => SeccompAction::Errno(libc::EPERM as u32),
        Refusal::Kill => SeccompAction::KillProcess,
        Refusal::Off => return Ok(()),
    };
    let failed = |error: seccompiler::Error| PrivilegeError::system("filter system calls", error);
    let broken = |error: seccompiler::BackendError| PrivilegeError::system("filter system calls", error);
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(broken)?;
    let unknown = SeccompAction::Errno(libc::ENOSYS as u32);
    let fallback = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let fallback = SeccompFilter::new(fallback, SeccompAction::Allow, unknown, arch).map_err(broken)?;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        CALLS.iter().chain(OLDER_CALLS).map(|call| (*call, Vec::new())).collect();
    rules.extend(conditions().map_err(broken)?);
    let allowed = SeccompFilter::new(rules, action, SeccompAction::Allow, arch).map_err(broken)?;
    for filter in [fallback, allowed] {
        let program = BpfProgram::try_from(filter).map_err(broken)?;
        seccompiler::apply_filter_all_threads(&program).map_err(failed)?;
    }
    Ok(())
}

type Rules = Vec<(c_long, Vec<SeccompRule>)>;

/// Calls that are made with some arguments only.
fn conditions() -> Result<Rules, seccompiler::BackendError> {
    let is = |argument, value: u64| SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value);
    let masked = |argument, mask, value| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask), value)
    };
    let rule = |conditions| SeccompRule::new(conditions);
    let not_both = || -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
        [0, libc::PROT_WRITE as u64, libc::PROT_EXEC as u64]
            .into_iter()
            .map(|protection| rule(vec![masked(2, WRITE_AND_RUN, protection)?]))
            .collect()
    };
    let mut sockets = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6, libc::AF_UNIX] {
        for sort in [libc::SOCK_STREAM, libc::SOCK_DGRAM] {
            sockets.push(rule(vec![is(0, family as u64)?, masked(1, SOCKET_TYPE, sort as u64)?])?);
        }
    }
    // libc asks which addresses there are before it sorts those of a name.
    sockets.push(rule(vec![is(0, libc::AF_NETLINK as u64)?, is(2, libc::NETLINK_ROUTE as u64)?])?);
    let requests = REQUESTS.iter().map(|request| rule(vec![is(1, *request)?])).collect::<Result<_, _>>()?;
    let mut own = PRCTL.iter().map(|option| rule(vec![is(0, *option as u64)?])).collect::<Result<Vec<_>, _>>()?;
    own.push(rule(vec![is(0, libc::PR_SET_DUMPABLE as u64)?, is(1, 0)?])?);
    let thread = libc::CLONE_THREAD as u64;
    Ok(vec![
        (libc::SYS_socket, sockets),
        (libc::SYS_socketpair, vec![rule(vec![is(0, libc::AF_UNIX as u64)?])?]),
        (libc::SYS_ioctl, requests),
        (libc::SYS_prctl, own),
        // Only of itself: another process of the same user is not to be starved.
        (libc::SYS_prlimit64, vec![rule(vec![is(0, 0)?])?]),
        // A thread that loads feeds steps back behind the others.
        (libc::SYS_setpriority, vec![rule(vec![is(0, libc::PRIO_PROCESS as u64)?, is(1, 0)?])?]),
        (libc::SYS_clone, vec![rule(vec![masked(0, thread, thread)?])?]),
        (libc::SYS_mmap, not_both()?),
        (libc::SYS_mprotect, not_both()?),
    ])
}
