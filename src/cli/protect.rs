//! [`protect`]: what the process does about itself before it reads a feed. Its memory holds every indicator, so no core dump is written
//! and a panic says where it happened and nothing of what was at hand.

use std::io;
use std::panic::PanicHookInfo;

/// Disables core dumps, and replaces the report of a panic by its place.
///
/// A limit of 0 keeps dumps from files; the kernel ignores it where they go to a program (`core_pattern` with `|`), so the process is
/// made not dumpable too. Then nobody but root can attach a debugger or read its memory through `/proc`.
///
/// # Errors
/// What the system says if it refuses.
pub fn protect() -> io::Result<()> {
    std::panic::set_hook(Box::new(|info| {
        // Nobody is left to tell if standard error is gone.
        let _ = io::Write::write_all(&mut io::stderr(), report(info).as_bytes());
    }));
    disable_core_dumps()
}

#[cfg(unix)]
fn disable_core_dumps() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

#[cfg(not(unix))]
fn disable_core_dumps() -> io::Result<()> {
    Ok(())
}

/// Thread and place. Never the message: it may quote what was being read.
fn report(info: &PanicHookInfo<'_>) -> String {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("without a name");
    match info.location() {
        Some(at) => {
            format!("picket: defect: panic in thread {thread} at {}:{}:{}\n", at.file(), at.line(), at.column())
        }
        None => format!("picket: defect: panic in thread {thread}\n"),
    }
}
