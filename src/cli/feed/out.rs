//! Files that a subcommand writes: whole or not at all, so that who reads them while they are replaced sees one or the other.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use comfy_table::Table;

use super::new_table;
use crate::feed::Written;

/// Writes a file beside `path` and moves it there once it is whole. `private`: readable by its owner alone, because what it
/// holds was asked for by one person.
pub(super) fn replace<T>(
    path: &Path,
    private: bool,
    write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> anyhow::Result<T> {
    let partial = partial_of(path);
    let result = create(&partial, private).and_then(|file| {
        let mut out = BufWriter::new(file);
        let result = write(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&partial, path)?;
        Ok(result)
    });
    if result.is_err() {
        // Nothing more can be done about it.
        let _ = fs::remove_file(&partial);
    }
    result.with_context(|| format!("cannot write {}", path.display()))
}

fn partial_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.partial", std::process::id()));
    path.with_file_name(name)
}

fn create(path: &Path, private: bool) -> io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(if private { 0o600 } else { 0o666 });
    }
    options.open(path)
}

/// What was written, left out and lost.
pub(super) fn table(written: &Written, out: &mut dyn Write) -> io::Result<()> {
    let mut table: Table = new_table(["entries", "", "why"]);
    table.add_row([written.written.to_string(), "written".into(), String::new()]);
    for (rows, what) in [(&written.left_out, "left out"), (&written.lost, "written without")] {
        for (why, count) in rows {
            table.add_row([count.to_string(), what.into(), (*why).to_owned()]);
        }
    }
    writeln!(out, "{table}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_or_stays() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("zone");
        fs::write(&path, "before").expect("writes");
        let failed = replace(&path, false, |out| {
            out.write_all(b"half")?;
            Err::<(), _>(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert!(failed.is_err_and(|error| error.to_string().contains("zone")));
        assert_eq!(fs::read(&path).expect("reads"), b"before");
        replace(&path, true, |out| out.write_all(b"after")).expect("writes");
        assert_eq!(fs::read(&path).expect("reads"), b"after");
        assert_eq!(fs::read_dir(dir.path()).expect("lists").count(), 1, "nothing is left beside it");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).expect("is there").permissions().mode() & 0o777, 0o600);
        }
    }
}
