//! [`Meter`]: what the process takes. It opens what it reads once, so that it goes on reading after the process gave up the right to open files.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use rustix::fs::{Dir, Mode, OFlags};
use rustix::process::Resource;
use rustix::time::ClockId;

use super::snapshot::Process;

/// Digits of a few numbers.
const MAX_STATM_BYTES: u64 = 256;

/// See the module. Without `/proc` it reads what the system calls say.
pub struct Meter {
    statm: Option<File>,
    fds: Option<Dir>,
    start_time_seconds: f64,
    memory_limit_bytes: Option<u64>,
}

impl Meter {
    /// Opens it. `start_time_seconds` is Unix time; the limit is the configuration's.
    pub fn open(start_time_seconds: f64, memory_limit_bytes: Option<u64>) -> Self {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let fds = rustix::fs::open("/proc/self/fd", flags, Mode::empty()).ok().and_then(|fd| Dir::new(fd).ok());
        Self { statm: File::open("/proc/self/statm").ok(), fds, start_time_seconds, memory_limit_bytes }
    }

    /// Reads it.
    pub fn read(&mut self) -> Process {
        let cpu = rustix::time::clock_gettime(ClockId::ProcessCPUTime);
        Process {
            id: std::process::id(),
            resident_bytes: self.resident_bytes().unwrap_or(0),
            memory_limit_bytes: self.memory_limit_bytes,
            cpu_seconds: cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9,
            open_fds: self.open_fds(),
            max_fds: rustix::process::getrlimit(Resource::Nofile).current,
            start_time_seconds: self.start_time_seconds,
        }
    }

    fn resident_bytes(&mut self) -> io::Result<u64> {
        let Some(file) = &mut self.statm else { return Ok(0) };
        file.seek(SeekFrom::Start(0))?;
        let mut text = String::new();
        file.take(MAX_STATM_BYTES).read_to_string(&mut text)?;
        let pages: u64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
        Ok(pages * rustix::param::page_size() as u64)
    }

    fn open_fds(&mut self) -> Option<u64> {
        let folder = self.fds.as_mut()?;
        folder.rewind();
        let all = folder
            .filter(|entry| entry.as_ref().is_ok_and(|entry| !entry.file_name().to_bytes().starts_with(b".")))
            .count();
        (all > 0).then_some(all as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn it_reads_again_and_again() {
        let mut meter = Meter::open(1.0, Some(5));
        let before = meter.read();
        assert!(before.resident_bytes > 1 << 20 && before.max_fds.is_some_and(|max| max > 3));
        let files: Vec<File> = (0..30).map(|_| File::open("/dev/null").expect("opens")).collect();
        let after = meter.read();
        // Other tests open and close files meanwhile.
        assert!(after.open_fds > before.open_fds, "{:?} {:?}", before.open_fds, after.open_fds);
        assert!(after.cpu_seconds >= before.cpu_seconds && after.memory_limit_bytes == Some(5));
        drop(files);
    }
}
