//! [`DeadLetters`]: a file of records that a destination refused for good, for a person to look at: one JSON object a line, with when and why. It
//! holds what the records hold, so only its owner reads it, and it is bounded: when it is full the older half goes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use serde_json::json;

use super::Record;
use super::destination::Trouble;

/// Where refused records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterOptions {
    /// The file; a second one beside it ends with `.1`.
    pub path: PathBuf,
    /// Most bytes of both together.
    pub max_bytes: u64,
}

/// See the module.
pub(super) struct DeadLetters {
    options: DeadLetterOptions,
    file: Option<File>,
}

impl DeadLetters {
    pub(super) fn new(options: DeadLetterOptions) -> Self {
        Self { options, file: None }
    }

    /// Keeps a refused record.
    pub(super) fn put(&mut self, record: &Record, trouble: Trouble) -> io::Result<()> {
        let text = String::from_utf8_lossy(&record.bytes);
        let said = json!({
            "@timestamp": record.time.to_string(),
            "event": { "id": record.id },
            "error": { "message": trouble.to_string() },
            "event.original": text,
        });
        let mut line = said.to_string();
        line.push('\n');
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.open()?,
        };
        let length = file.metadata()?.len();
        if length > 0 && length + line.len() as u64 > self.options.max_bytes / 2 {
            let mut older = self.options.path.clone().into_os_string();
            older.push(".1");
            fs::rename(&self.options.path, older)?;
            file = self.open()?;
        }
        let start = file.metadata()?.len();
        if let Err(error) = file.write_all(line.as_bytes()) {
            // A half line would make the next one unreadable.
            let _ = file.set_len(start);
            return Err(error);
        }
        self.file = Some(file);
        Ok(())
    }

    fn open(&self) -> io::Result<File> {
        OpenOptions::new().append(true).create(true).mode(0o600).open(&self.options.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn refused_records_are_kept_with_their_reason_and_bounded() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("dead.jsonl");
        let mut letters = DeadLetters::new(DeadLetterOptions { path: path.clone(), max_bytes: 4000 });
        for number in 0..50 {
            let bytes = format!("record {number}\n\"").into_bytes();
            let record = Record { id: number.to_string(), time: Timestamp::ZERO, severity: 1, bytes };
            letters.put(&record, Trouble::status(400)).expect("written");
        }
        let older = fs::read_to_string(folder.path().join("dead.jsonl.1")).expect("there");
        let text = older + &fs::read_to_string(&path).expect("there");
        assert!(text.len() <= 4000 && text.lines().count() > 10, "{text}");
        let last: serde_json::Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
        assert_eq!(
            (&last["event.original"], &last["error"]["message"]),
            (&json!("record 49\n\""), &json!("status 400"))
        );
    }
}
