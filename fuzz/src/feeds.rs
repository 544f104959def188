//! Bytes as feeds.

use std::io::Write;

use picket::feed::{self, Options};
use picket::indicator::IndicatorSet;

/// Makes a file one of the native format.
pub const NATIVE: &[u8] = b"{\"threat\":{\"indicator\":{\"type\":\"domain-name\",\"name\":\"evil.example\"}}}\n";

/// Makes a file a plain list.
pub const PLAIN: &[u8] = b"evil.example\n";

/// Makes a file a Zeek intel file.
pub const ZEEK: &[u8] = b"#fields\tindicator\tindicator_type\tmeta.source\n";

/// Makes a file one of Suricata rules.
pub const SURICATA: &[u8] = b"alert udp any any -> any any (content:\"abcd\"; sid:1;)\n";

/// Makes a file one of YARA rules.
pub const YARA: &[u8] = b"rule a { strings: $a = \"abcd\" condition: $a }\n";

/// Loads `head` and `data` as one feed; every kept indicator can be shown and has an id.
pub fn load(head: &[u8], data: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("scratch file");
    file.write_all(head).and_then(|()| file.write_all(data)).expect("written");
    for force in [false, true] {
        let mut set = IndicatorSet::default();
        let _ = feed::load(&[file.path().to_path_buf()], &Options { force, ..Options::default() }, &mut set)
            .expect("it can be read");
        for indicator in set.iter() {
            assert!(!indicator.id().is_empty());
            let _ = (indicator.kind.display)(indicator.value);
        }
    }
}
