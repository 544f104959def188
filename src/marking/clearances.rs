//! [`Clearances`]: a clearance file, `[sensor]` and one `[sink.NAME]` for each sink, in TOML.
//!
//! Fails closed: an unknown field or value is an error, what is left out is not had, and a sink without a section is the
//! public. `fixtures/clearance.toml` shows one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::{AcsAction, Action, Clearance, Level, Marking, Nations, Tlp};

/// What the sensor and each sink are cleared for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clearances {
    /// The machine that loads feeds and matches.
    pub sensor: Arc<Clearance>,
    sinks: BTreeMap<Box<str>, Clearance>,
    records: BTreeMap<Box<str>, RecordTerms>,
    /// Of every sink without a section.
    others: Clearance,
}

/// `[sink.NAME.record]`: what customer records and sightings of a sink are made with. Read, not judged: who uses it does.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordTerms {
    /// Whose records they are, for references; the sink's name if not said.
    pub customer: Option<Box<str>>,
    /// The customer's networks.
    pub home_networks: Option<Vec<String>>,
    /// File with the key of references, from the clearance file's directory.
    pub key_file: Option<PathBuf>,
    /// How records are to be handled.
    pub handling: Option<Box<str>>,
    /// The sector that sightings are reported under, of STIX's industry-sector-ov.
    pub sector: Option<Box<str>>,
}

/// Why a clearance file cannot be used: where, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClearanceError {
    /// It cannot be opened or read.
    #[error("cannot read the clearance file {file}: {why}")]
    Unreadable {
        /// The file.
        file: String,
        /// The system's words.
        why: String,
    },
    /// A line says what it must not.
    #[error("{file}:{line}: {why}")]
    Invalid {
        /// The file.
        file: String,
        /// 1-based.
        line: usize,
        /// What is wrong and what to write.
        why: String,
    },
}

impl Clearances {
    /// Without a file: sensor and sinks belong to whoever gives the feed ([`Clearance::owner`]).
    pub fn owner() -> Self {
        Self {
            sensor: Arc::new(Clearance::owner()),
            sinks: BTreeMap::new(),
            records: BTreeMap::new(),
            others: Clearance::owner(),
        }
    }

    /// Reads a file of up to 1 MiB.
    ///
    /// # Errors
    /// [`ClearanceError`].
    pub fn read(path: &Path) -> Result<Self, ClearanceError> {
        let file = path.display().to_string();
        let unreadable = |why: String| ClearanceError::Unreadable { file: file.clone(), why };
        let mut text = String::new();
        let opened = File::open(path).map_err(|error| unreadable(error.to_string()))?;
        opened.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(|error| unreadable(error.to_string()))?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(unreadable(format!("it has over {MAX_FILE_BYTES} bytes, so it is no clearance file")));
        }
        Self::parse(&text, &file)
    }

    /// Reads `text`; `file` is what errors call it.
    ///
    /// # Errors
    /// [`ClearanceError::Invalid`].
    pub fn parse(text: &str, file: &str) -> Result<Self, ClearanceError> {
        let invalid = |at: usize, why: String| {
            let line = text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count() + 1;
            ClearanceError::Invalid { file: file.to_string(), line, why }
        };
        let raw: RawFile = toml::from_str(text)
            .map_err(|error| invalid(error.span().map_or(0, |span| span.start), error.message().to_string()))?;
        let at = raw.sensor.span().start;
        let sensor = raw.sensor.into_inner();
        if sensor.record.is_some() {
            return Err(invalid(at, "[sensor]: customer records are a sink's: write [sink.NAME.record]".to_string()));
        }
        let sensor = sensor.check(None).map_err(|why| invalid(at, format!("[sensor]: {why}")))?;
        let (mut sinks, mut records) = (BTreeMap::new(), BTreeMap::new());
        for (name, section) in raw.sink {
            let at = section.span().start;
            let mut section = section.into_inner();
            if let Some(record) = section.record.take() {
                records.insert(name.as_str().into(), record);
            }
            let sink = section.check(Some(&sensor.floor));
            sinks.insert(name.as_str().into(), sink.map_err(|why| invalid(at, format!("[sink.{name}]: {why}")))?);
        }
        let others = Clearance { floor: sensor.floor.clone(), ..Clearance::default() };
        Ok(Self { sensor: Arc::new(sensor), sinks, records, others })
    }

    /// What the sink of this name is cleared for: its section, or what there is for sinks without one.
    pub fn of_sink(&self, name: &str) -> &Clearance {
        self.sinks.get(name).unwrap_or(&self.others)
    }

    /// What `[sink.NAME.record]` says for the customer records of this sink; nothing without one.
    pub fn record_of(&self, name: &str) -> RecordTerms {
        self.records.get(name).cloned().unwrap_or_default()
    }

    /// The sinks that have a section, by name.
    pub fn sinks(&self) -> impl Iterator<Item = (&str, &Clearance)> {
        self.sinks.iter().map(|(name, clearance)| (&**name, clearance))
    }
}

/// Larger is no clearance file.
const MAX_FILE_BYTES: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    sensor: toml::Spanned<Raw>,
    #[serde(default)]
    sink: BTreeMap<String, toml::Spanned<Raw>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default, deserialize_with = "level")]
    level: Level,
    #[serde(default, deserialize_with = "nationalities")]
    nationalities: Vec<Box<str>>,
    #[serde(default, deserialize_with = "words")]
    organisations: Vec<Box<str>>,
    #[serde(default, deserialize_with = "words")]
    sectors: Vec<Box<str>>,
    #[serde(default, deserialize_with = "words")]
    entities: Vec<Box<str>>,
    #[serde(default, deserialize_with = "words")]
    shareabilities: Vec<Box<str>>,
    #[serde(default, deserialize_with = "words")]
    controls: Vec<Box<str>>,
    #[serde(default, deserialize_with = "words")]
    caveats: Vec<Box<str>>,
    #[serde(default, deserialize_with = "tlp")]
    tlp: Tlp,
    #[serde(default, deserialize_with = "words")]
    people: Vec<Box<str>>,
    #[serde(default, deserialize_with = "act")]
    act: Action,
    #[serde(default)]
    acs_actions: Vec<AcsAction>,
    #[serde(default, deserialize_with = "floor")]
    floor: Option<Marking>,
    #[serde(default)]
    consents: bool,
    #[serde(default)]
    record: Option<RecordTerms>,
}

impl Raw {
    fn check(self, floor: Option<&Marking>) -> Result<Clearance, &'static str> {
        if (self.tlp == Tlp::Red) == self.people.is_empty() {
            return Err(
                "tlp = \"RED\" is for named people: say who with people = [\"..\"], and leave people out otherwise",
            );
        }
        let floor = self.floor.or_else(|| floor.cloned()).ok_or(
            "say what unmarked entries count as, such as floor = \"TLP:CLEAR\" for public feeds or floor = \"TLP:AMBER PAP:RED\"",
        )?;
        Ok(Clearance {
            level: self.level,
            nationalities: sorted(self.nationalities),
            organisations: sorted(self.organisations.into_iter().chain(self.sectors.iter().cloned()).collect()),
            sectors: sorted(self.sectors),
            entities: sorted(self.entities),
            shareabilities: sorted(self.shareabilities),
            controls: sorted(self.controls.iter().map(|control| super::control(control)).collect()),
            caveats: sorted(self.caveats),
            tlp: self.tlp,
            people: sorted(self.people),
            act: self.act,
            acs_actions: self.acs_actions.into(),
            floor,
            consents: self.consents,
            is_owner: false,
        })
    }
}

fn sorted(mut list: Vec<Box<str>>) -> Box<[Box<str>]> {
    list.sort_unstable();
    list.dedup();
    list.into()
}

/// Reads a text with `read`; `want` says what can be written.
fn known<'de, D: serde::Deserializer<'de>, T>(
    value: D,
    read: impl FnOnce(&str) -> Option<T>,
    want: &'static str,
) -> Result<T, D::Error> {
    let text = String::deserialize(value)?;
    read(&text).ok_or_else(|| serde::de::Error::custom(format!("{text:?} is not known here: write {want}")))
}

fn level<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Level, D::Error> {
    known(value, Level::parse, "U, CUI, C, S or TS")
}

fn tlp<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Tlp, D::Error> {
    known(value, Tlp::parse, "CLEAR, GREEN, AMBER, AMBER+STRICT or RED")
}

fn act<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Action, D::Error> {
    let read = |text: &str| [Action::Log, Action::Passive, Action::Active].into_iter().find(|act| act.name() == text);
    known(value, read, "log, passive or active")
}

fn floor<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Marking>, D::Error> {
    let is_whole = |marking: &Marking| {
        marking.further.is_none() && marking.classification.as_ref().is_none_or(|read| read.is_readable())
    };
    let read = |text: &str| Marking::parse(text).ok().filter(is_whole).filter(|marking| !marking.is_unmarked());
    known(value, read, "a marking, such as TLP:AMBER PAP:RED U//FOUO").map(Some)
}

fn nationalities<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Vec<Box<str>>, D::Error> {
    let is_trigraph = |nation: &str| nation.len() == 3 && Nations::parse(nation).is_some();
    each(
        value,
        |text| Some(text.to_ascii_uppercase()).filter(|nation| is_trigraph(nation)),
        "trigraphs, such as USA or GBR",
    )
}

fn words<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Vec<Box<str>>, D::Error> {
    let is_word = |text: &str| !text.trim().is_empty() && text.trim() == text && !text.contains(char::is_control);
    each(value, |text| Some(text.to_string()).filter(|text| is_word(text)), "texts without blanks around them")
}

fn each<'de, D: serde::Deserializer<'de>>(
    value: D,
    read: impl Fn(&str) -> Option<String>,
    want: &str,
) -> Result<Vec<Box<str>>, D::Error> {
    let list = Vec::<String>::deserialize(value)?;
    let read = |text: String| match read(&text) {
        Some(word) => Ok(word.into()),
        None => Err(serde::de::Error::custom(format!("{text:?} is not known here: write {want}"))),
    };
    list.into_iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
[sensor]
level = "SECRET"
nationalities = ["usa"]
organisations = ["USA.DOD.DC3"]
sectors = ["DIB"]
controls = ["SI", "oc"]
caveats = ["NTOC_DHS_ECYBER_SVC_SHARE.NSA.NSA"]
acs_actions = ["DSPLY", "NETDEF"]
floor = "TLP:AMBER PAP:RED"

[sink.soc]
level = "S"
tlp = "RED"
people = ["A. Analyst"]
act = "passive"

[sink.customer]
tlp = "TLP:AMBER"
floor = "TLP:GREEN"
consents = true

[sink.customer.record]
home_networks = ["10.0.0.0/8"]
key_file = "acme.key"
"#;

    #[test]
    fn a_file_is_read() {
        let all = Clearances::parse(FILE, "clearance.toml").expect("reads");
        assert_eq!((all.sensor.level, &*all.sensor.nationalities[0]), (Level::Secret, "USA"));
        assert_eq!(all.sensor.organisations.iter().map(|o| &**o).collect::<Vec<_>>(), ["DIB", "USA.DOD.DC3"]);
        assert_eq!(all.sensor.controls.iter().map(|c| &**c).collect::<Vec<_>>(), ["ORCON", "SI"]);
        assert_eq!(all.sensor.floor.to_string(), "TLP:AMBER PAP:RED");
        let (soc, customer) = (all.of_sink("soc"), all.of_sink("customer"));
        assert_eq!((soc.act, soc.tlp, soc.floor == all.sensor.floor), (Action::Passive, Tlp::Red, true));
        assert_eq!((customer.floor.to_string().as_str(), customer.consents, soc.consents), ("TLP:GREEN", true, false));
        assert_eq!(all.sinks().map(|(name, _)| name).collect::<Vec<_>>(), ["customer", "soc"]);
        let public = Clearance { floor: all.sensor.floor.clone(), ..Clearance::default() };
        assert_eq!(all.of_sink("else"), &public, "a sink without a section is the public");
        let record = all.record_of("customer");
        assert_eq!((record.key_file, record.customer), (Some("acme.key".into()), None));
        assert_eq!(
            (record.home_networks, all.record_of("soc")),
            (Some(vec!["10.0.0.0/8".to_string()]), RecordTerms::default())
        );
        assert!(Clearances::owner().of_sink("any").is_owner && !all.sensor.is_owner);
    }

    #[test]
    fn errors_say_file_line_and_what_to_write() {
        for (from, to, line, what) in [
            ("level = \"SECRET\"", "level = \"GEHEIM\"", 3, "U, CUI, C, S or TS"),
            ("level = \"SECRET\"", "colour = \"red\"", 3, "unknown field `colour`"),
            ("[\"usa\"]", "[\"FVEY\"]", 4, "trigraphs"),
            ("[\"usa\"]", "\"USA\"", 4, "sequence"),
            ("[\"DSPLY\",", "[\"DISPLAY\",", 9, "unknown variant `DISPLAY`"),
            ("floor = \"TLP:AMBER PAP:RED\"", "", 2, "floor ="),
            ("floor = \"TLP:AMBER PAP:RED\"", "floor = \"NONE AT ALL\"", 10, "a marking"),
            ("people = [\"A. Analyst\"]", "", 12, "named people"),
            ("act = \"passive\"", "act = \"strike\"", 16, "log, passive or active"),
            ("tlp = \"TLP:AMBER\"", "tlp = \"ORANGE\"", 19, "AMBER+STRICT"),
            ("[sensor]", "[sensors]", 2, "unknown field `sensors`"),
            ("[sink.customer.record]", "[sensor.record]", 2, "[sink.NAME.record]"),
            ("key_file", "key", 25, "unknown field `key`"),
            ("[sink.soc]", "[sink.soc", 12, "]"),
        ] {
            assert!(FILE.contains(from), "{from}");
            let error = Clearances::parse(&FILE.replace(from, to), "c.toml").expect_err(to).to_string();
            assert!(error.starts_with(&format!("c.toml:{line}: ")) && error.contains(what), "{to}: {error}");
        }
        assert!(Clearances::parse("", "c.toml").expect_err("no sensor").to_string().contains("sensor"));
        let missing = Clearances::read(Path::new("/no/such/clearance.toml")).expect_err("missing");
        assert!(missing.to_string().starts_with("cannot read the clearance file /no/such/clearance.toml: "));
    }
}
