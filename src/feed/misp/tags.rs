//! What tags and galaxies say: handling, confidence, whom or what an entry is about.
//!
//! Sources: misp-taxonomies `misp`, `estimative-language`, `admiralty-scale` (markings: [`marking::tag`]); misp-galaxy's cluster
//! names. A marking that cannot be read is the strictest, and counted.

use crate::indicator::Where;
use crate::marking::{self, Marking, Pap, Tlp};

/// What the tags of one event or attribute say together. Markings are combined as they come, so no number of tags hides one.
#[derive(Clone, Default)]
pub(in crate::feed) struct Tags {
    pub(in crate::feed) marking: Marking,
    /// Markings that could not be read.
    pub(in crate::feed) unreadable: u32,
    pub(in crate::feed) confidence: Option<&'static str>,
    /// At most [`MAX_ABOUT`].
    pub(in crate::feed) about: Vec<(Where, Box<str>)>,
}

crate::bytes::opaque_debug!(Tags, "Tags");

impl Tags {
    /// Reads one tag: `namespace:predicate="value"`, or any text.
    pub(in crate::feed) fn add(&mut self, tag: &str) {
        let tag = tag.trim();
        if let Some(marking) = marking::tag(tag) {
            let rest = tag.split_once(':').map_or("", |(_, rest)| rest).trim();
            // Of the two colours, a word that they do not have is the strictest, and does not show in the marking.
            let readable = match (marking.tlp, marking.pap) {
                (Some(_), _) => Tlp::parse(rest).is_some(),
                (_, Some(_)) => Pap::parse(rest).is_some(),
                _ => marking.undefined_refs().is_empty(),
            };
            return self.mark(&marking, readable);
        }
        match tag.strip_prefix("misp-galaxy:") {
            Some(rest) => self.galaxy(rest),
            None => self.other(tag),
        }
    }

    /// Whom a sharing level of MISP reaches, as the traffic light protocol says it: 0 the receiving organisation, 1 its
    /// community, 2 connected ones, 3 all, 4 a sharing group (whose members are not in the document), 5 as what it is in.
    pub(in crate::feed) fn distribution(&mut self, level: &str) {
        let tlp = match level {
            "3" | "5" => return,
            "1" | "2" => Some(Tlp::Green),
            "0" | "4" => Some(Tlp::AmberStrict),
            _ => None,
        };
        self.mark(&Marking { tlp: Some(tlp.unwrap_or(Tlp::Red)), ..Marking::default() }, tlp.is_some());
    }

    /// These and those of what it is in.
    pub(in crate::feed) fn within(mut self, outer: &Self) -> Self {
        self.marking = self.marking.combine(&outer.marking);
        self.unreadable += outer.unreadable;
        self.confidence = self.confidence.or(outer.confidence);
        for (path, text) in &outer.about {
            self.say(path.0, text);
        }
        self
    }

    fn mark(&mut self, marking: &Marking, readable: bool) {
        self.marking = self.marking.combine(marking);
        self.unreadable += u32::from(!readable);
    }

    /// `threat-actor="Name"`, `mitre-attack-pattern="Name - T1059"`.
    fn galaxy(&mut self, rest: &str) {
        let Some((galaxy, value)) = rest.split_once('=') else { return self.other(rest) };
        let value = value.trim().trim_matches('"');
        let (name, id) = match value.rsplit_once(" - ") {
            Some((name, id)) if is_attack_id(id) => (name, Some(id)),
            _ => (value, None),
        };
        let [name_path, id_path] = match galaxy.trim() {
            g if GROUPS.contains(&g) => ["threat.group.name", "threat.group.id"],
            g if SOFTWARE.contains(&g) => ["threat.software.name", "threat.software.id"],
            g if g.ends_with("attack-pattern") => match id {
                Some(id) if id.contains('.') => {
                    ["threat.technique.subtechnique.name", "threat.technique.subtechnique.id"]
                }
                _ => ["threat.technique.name", "threat.technique.id"],
            },
            _ => return self.other(&format!("misp-galaxy:{rest}")),
        };
        self.say(name_path, name);
        if let Some(id) = id {
            self.say(id_path, id);
        }
    }

    fn other(&mut self, tag: &str) {
        match CONFIDENCES.iter().find(|(known, _)| known.eq_ignore_ascii_case(tag)) {
            Some((_, word)) => self.confidence = Some(word),
            None => self.say("tags", tag),
        }
    }

    fn say(&mut self, path: &'static str, text: &str) {
        let entry = (Where(path), text);
        if self.about.len() < MAX_ABOUT
            && !text.is_empty()
            && !self.about.iter().any(|(path, text)| (*path, &**text) == entry)
        {
            self.about.push((entry.0, text.into()));
        }
    }
}

/// `G0007`, `S0154`, `T1059.001`.
fn is_attack_id(text: &str) -> bool {
    let digits = text.strip_prefix(['G', 'S', 'T']).unwrap_or_default();
    digits.len() >= 4 && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

const GROUPS: &[&str] = &[
    "threat-actor",
    "mitre-intrusion-set",
    "mitre-enterprise-attack-intrusion-set",
    "mitre-mobile-attack-intrusion-set",
    "mitre-ics-groups",
    "microsoft-activity-group",
    "360net-threat-actor",
];

const SOFTWARE: &[&str] = &[
    "tool",
    "malpedia",
    "mitre-malware",
    "mitre-tool",
    "mitre-enterprise-attack-malware",
    "mitre-enterprise-attack-tool",
    "mitre-mobile-attack-malware",
    "mitre-ics-software",
    "ransomware",
    "rat",
    "backdoor",
    "banker",
    "botnet",
    "stealer",
    "android",
    "exploit-kit",
    "cryptominers",
];

/// Tags that say a confidence, in the schema's words; the taxonomies' numbers of 0 to 100 as STIX 2.1 words them.
const CONFIDENCES: &[(&str, &str)] = &[
    ("misp:confidence-level=\"completely-confident\"", "High"),
    ("misp:confidence-level=\"usually-confident\"", "High"),
    ("misp:confidence-level=\"fairly-confident\"", "Medium"),
    ("misp:confidence-level=\"rarely-confident\"", "Low"),
    ("misp:confidence-level=\"unconfident\"", "None"),
    ("misp:confidence-level=\"confidence-cannot-be-evalued\"", "Not Specified"),
    ("estimative-language:confidence-in-analytic-judgment=\"high\"", "High"),
    ("estimative-language:confidence-in-analytic-judgment=\"moderate\"", "Medium"),
    ("estimative-language:confidence-in-analytic-judgment=\"low\"", "Low"),
    ("admiralty-scale:information-credibility=\"1\"", "High"),
    ("admiralty-scale:information-credibility=\"2\"", "High"),
    ("admiralty-scale:information-credibility=\"3\"", "Medium"),
    ("admiralty-scale:information-credibility=\"4\"", "Low"),
    ("admiralty-scale:information-credibility=\"5\"", "None"),
    ("admiralty-scale:information-credibility=\"6\"", "Not Specified"),
];

/// Most names and tags kept of an entry: as many as an intake keeps.
const MAX_ABOUT: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tags: &[&str]) -> Tags {
        let mut all = Tags::default();
        tags.iter().for_each(|tag| all.add(tag));
        all
    }

    #[test]
    fn markings_combine_and_fail_closed() {
        for (tags, shown, unreadable) in [
            (&["tlp:green", "tlp:amber+strict"][..], "TLP:AMBER+STRICT", 0),
            (&["tlp:white", "PAP:AMBER"], "TLP:CLEAR PAP:AMBER", 0),
            (&["tlp:unclear"], "TLP:RED", 1),
            (&["PAP:ORANGE"], "PAP:RED", 1),
            (&["dni-ism:classification:us=\"S\""], "SECRET//NOFORN", 0),
            (&["dni-ism:classification:us=\"U\"", "dni-ism:dissem=\"NF\""], "UNCLASSIFIED//NOFORN", 0),
            (&["osint:source-type=\"blog\""], "", 0),
        ] {
            let read = read(tags);
            assert_eq!((read.marking.to_string().as_str(), read.unreadable), (shown, unreadable), "{tags:?}");
        }
        for tag in ["acs-marking:classification=\"U\"", "dni-ism:mauve=\"x\"", "dni-ism:dissem"] {
            let read = read(&[tag]);
            assert_eq!((read.marking.undefined_refs().len(), read.unreadable), (1, 1), "{tag}");
        }
        let read = read(&["tlp:ex:chr", "tlp:amber"]);
        assert!(read.marking.hides_source() && read.unreadable == 0);
    }

    #[test]
    fn a_marking_behind_any_number_of_tags_counts() {
        let mut tags = Tags::default();
        (0..1000).for_each(|n| tags.add(&format!("tag-{n}")));
        tags.add("tlp:red");
        assert_eq!(tags.marking.to_string(), "TLP:RED");
        assert_eq!(tags.about.len(), MAX_ABOUT);
    }

    #[test]
    fn distribution_is_a_traffic_light() {
        for (level, shown) in [
            ("0", "TLP:AMBER+STRICT"),
            ("1", "TLP:GREEN"),
            ("3", ""),
            ("4", "TLP:AMBER+STRICT"),
            ("5", ""),
            ("9", "TLP:RED"),
        ] {
            let mut tags = Tags::default();
            tags.distribution(level);
            assert_eq!(tags.marking.to_string(), shown, "{level}");
        }
    }

    #[test]
    fn galaxies_name_what_it_is_about() {
        let read = read(&[
            "misp-galaxy:threat-actor=\"Example Bear\"",
            "misp-galaxy:mitre-malware=\"Examplebot - S9999\"",
            "misp-galaxy:mitre-attack-pattern=\"Web Protocols - T1071.001\"",
            "misp-galaxy:mitre-attack-pattern=\"Proxy - T1090\"",
            "misp-galaxy:sector=\"Energy\"",
            "misp:confidence-level=\"fairly-confident\"",
            "misp-galaxy:threat-actor=\"Example Bear\"",
        ]);
        let about: Vec<_> = read.about.iter().map(|(path, text)| (path.0, &**text)).collect();
        assert_eq!(
            about,
            [
                ("threat.group.name", "Example Bear"),
                ("threat.software.name", "Examplebot"),
                ("threat.software.id", "S9999"),
                ("threat.technique.subtechnique.name", "Web Protocols"),
                ("threat.technique.subtechnique.id", "T1071.001"),
                ("threat.technique.name", "Proxy"),
                ("threat.technique.id", "T1090"),
                ("tags", "misp-galaxy:sector=\"Energy\""),
            ]
        );
        assert_eq!(read.confidence, Some("Medium"));
    }
}
