//! User, groups and capabilities.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::Path;

use nix::unistd::{Gid, Group, Uid, User, setgid, setgroups, setuid};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

use super::PrivilegeError;

/// User and group of these names; `None` if no user is named.
fn find(user: Option<&str>, group: Option<&str>) -> Result<Option<(Uid, Gid)>, PrivilegeError> {
    let Some(name) = user else { return Ok(None) };
    let unknown = |what, name: &str| PrivilegeError::Unknown { what, name: name.to_owned() };
    let user = User::from_name(name).map_err(|error| PrivilegeError::system("look up the user", error))?;
    let user = user.ok_or_else(|| unknown("user", name))?;
    let gid = match group {
        None => user.gid,
        Some(name) => {
            let group = Group::from_name(name).map_err(|error| PrivilegeError::system("look up the group", error))?;
            group.ok_or_else(|| unknown("group", name))?.gid
        }
    };
    Ok(Some((user.uid, gid)))
}

/// Becomes another user, in all threads, for good. Nothing if none is named, or if it is that user already.
pub(super) fn become_user(user: Option<&str>, group: Option<&str>) -> Result<(), PrivilegeError> {
    let Some((uid, gid)) = find(user, group)? else { return Ok(()) };
    if Uid::effective() == uid && Gid::effective() == gid {
        return Ok(());
    }
    if !Uid::effective().is_root() {
        return Err(PrivilegeError::NotRoot(user.unwrap_or_default().to_owned()));
    }
    setgroups(&[gid]).map_err(|error| PrivilegeError::system("leave the groups of root", error))?;
    setgid(gid).map_err(|error| PrivilegeError::system("change the group", error))?;
    setuid(uid).map_err(|error| PrivilegeError::system("change the user", error))?;
    // A change of user makes the process dumpable as the system has it.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| PrivilegeError::system("stay not dumpable", error))?;
    if !uid.is_root() && setuid(Uid::from_raw(0)).is_ok() {
        return Err(PrivilegeError::system("change the user", "root can be had back"));
    }
    Ok(())
}

/// Makes a directory, and those above it that are missing, for the user who will write to it.
pub(super) fn make_directory(path: &Path, user: Option<&str>, group: Option<&str>) -> Result<(), PrivilegeError> {
    let owner = find(user, group)?.filter(|_| Uid::effective().is_root());
    let missing: Vec<&Path> =
        path.ancestors().take_while(|part| !part.as_os_str().is_empty() && !part.exists()).collect();
    for part in missing.into_iter().rev() {
        let failed = |error| PrivilegeError::Directory { path: part.to_owned(), why: error };
        DirBuilder::new().mode(DIRECTORY_MODE).create(part).map_err(failed)?;
        if let Some((uid, gid)) = owner {
            chown(part, Some(uid.as_raw()), Some(gid.as_raw())).map_err(failed)?;
        }
    }
    Ok(())
}

/// Alerts and what waits for outputs are their user's alone.
const DIRECTORY_MODE: u32 = 0o700;

/// Nothing that is ever started from here can have a capability. It takes `CAP_SETPCAP`, which the unit of systemd does not give: there
/// the set stays as the unit says, and `no_new_privs` keeps anyone from gaining what is in it.
pub(super) fn empty_bounding_set() -> Result<(), PrivilegeError> {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        // The first number that the kernel does not know.
        let Ok(is_there) = capability_is_in_bounding_set(capability) else { break };
        match remove_capability_from_bounding_set(capability) {
            Err(rustix::io::Errno::PERM) => break,
            Err(error) if is_there => {
                return Err(PrivilegeError::system("empty the bounding set of capabilities", error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Empties what this thread and those that it starts may do: effective, permitted, inheritable, ambient; and keeps it so.
/// With `keeps_file_access` what is left, if it is had, is to reach files of other users.
pub(super) fn drop_capabilities(keeps_file_access: bool) -> Result<(), PrivilegeError> {
    let failed = |error| PrivilegeError::system("drop capabilities", error);
    clear_ambient_capability_set().map_err(failed)?;
    let empty = CapabilitySet::empty();
    let left = match keeps_file_access {
        true => capabilities(None).map_err(failed)?.permitted & CapabilitySet::DAC_OVERRIDE,
        false => empty,
    };
    set_capabilities(None, CapabilitySets { effective: left, permitted: left, inheritable: empty }).map_err(failed)?;
    set_no_new_privs(true).map_err(|error| PrivilegeError::system("set no_new_privs", error))
}
