//! [`Reading`]: a rule's header and options with their meaning. What contents of which buffers come to is [`super::build`]'s.

use super::Around;
use super::beside::{Asked, Dataset, Sort};
use super::keywords;
use super::lex::{Text, plain, quoted};
use super::names::{CLASSES, end, modifier, protocol_of, severity, sticky};
use super::shown;
use crate::feed::pattern;
use crate::indicator::rule::{Content, Ends, Flags, Form, Place, Range, Side, Step, Thought};
use crate::indicator::{Digest, Refusal, Transport};

/// See the module.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) ends: Ends,
    /// TCP bytes are a stream to it, and not segments.
    pub(super) is_stream: bool,
    /// `network.protocol` that a flow must have.
    pub(super) protocol: Option<&'static str>,
    /// Another one that it stands for as well.
    pub(super) or_protocol: Option<&'static str>,
    pub(super) established: Option<bool>,
    pub(super) flags: Option<Flags>,
    pub(super) buffers: Vec<Draft>,
    pub(super) message: Option<String>,
    pub(super) severity: Option<u8>,
    pub(super) reference: Option<String>,
    pub(super) about: Vec<(&'static str, String)>,
    numbers: [Option<u32>; 3],
    priority: Option<u8>,
    class: Option<u8>,
    current: Option<usize>,
    /// In place of a buffer, an end's address.
    side: Option<Side>,
    thought: Vec<Thought>,
    /// The buffer and step of the last content: what modifiers change.
    last: Option<(usize, usize)>,
}

/// A buffer being read.
pub(super) struct Draft {
    pub(super) spot: Spot,
    pub(super) form: Form,
    pub(super) steps: Vec<Step>,
    pub(super) lengths: Vec<(u32, u32)>,
}

/// Where contents are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    Payload,
    FileData,
    At(Place),
}

impl Reading {
    /// # Errors
    /// What cannot be read, or what cannot be honoured, by name.
    pub(super) fn of(text: &Text<'_>, around: &mut Around) -> Result<Self, Refusal> {
        let mut reading = Self::default();
        reading.header(&text.header, &around.variables)?;
        text.options.iter().try_for_each(|(key, value)| reading.option(key, *value, around))?;
        reading.ends.thought = std::mem::take(&mut reading.thought).into();
        reading.severity = reading.priority.or(reading.class).map(severity);
        let own = [
            ("rule.name", reading.message.clone()),
            ("rule.id", reading.numbers[1].map(|sid| sid.to_string())),
            ("rule.version", reading.numbers[2].map(|revision| revision.to_string())),
        ];
        // At the front: of many names the first are kept.
        let own = own.into_iter().filter_map(|(path, text)| Some((path, text?)));
        reading.about = own.chain(std::mem::take(&mut reading.about)).collect();
        Ok(reading)
    }

    /// Whether an end was turned to and no list was asked of it.
    pub(super) fn has_end_without_list(&self) -> bool {
        self.side.is_some() && self.ends.thought.is_empty()
    }

    /// Generator, signature and revision.
    pub(super) fn id(&self) -> Option<String> {
        let [generator, signature, revision] = self.numbers;
        signature.map(|sid| format!("suricata:{}:{sid}:{}", generator.unwrap_or(1), revision.unwrap_or(0)))
    }

    fn header(&mut self, header: &[&str; 7], variables: &super::header::Variables) -> Result<(), Refusal> {
        let [action, protocol, source, source_port, direction, destination, destination_port] = header;
        match *action {
            "alert" => {}
            "drop" => return Err(Refusal::Unsupported("action drop")),
            "pass" => return Err(Refusal::Unsupported("action pass")),
            "reject" | "rejectsrc" | "rejectdst" | "rejectboth" => return Err(Refusal::Unsupported("action reject")),
            _ => return Err(Refusal::Malformed),
        }
        (self.ends.transport, self.ends.protocols, self.protocol) = protocol_of(protocol)?;
        self.or_protocol = (*protocol == "http").then_some("http2");
        self.is_stream = *protocol == "tcp-stream";
        self.ends.source = variables.networks(source)?;
        self.ends.source_port = variables.ports(source_port)?;
        self.ends.destination = variables.networks(destination)?;
        self.ends.destination_port = variables.ports(destination_port)?;
        self.ends.own = match (source.contains('$'), destination.contains('$')) {
            (true, false) => Some(Side::Source),
            (false, true) => Some(Side::Destination),
            _ => None,
        };
        self.ends.both_ways = match *direction {
            "->" => false,
            "<>" => true,
            "=>" => return Err(Refusal::Unsupported("a rule over both directions of a transaction")),
            _ => return Err(Refusal::Malformed),
        };
        Ok(())
    }

    fn option(&mut self, key: &str, value: Option<&str>, around: &mut Around) -> Result<(), Refusal> {
        let key = key.to_ascii_lowercase();
        if let Some(side) = end(&key) {
            return bare(value, || {
                (self.side, self.current, self.last) = (Some(side), None, None);
                Ok(())
            });
        }
        if self.side.is_some() && OF_BUFFERS.contains(&key.as_str()) {
            return Err(Refusal::Unsupported("anything but dataset of ip.src and ip.dst"));
        }
        if let Some(spot) = sticky(&key) {
            return bare(value, || self.turn_to(spot));
        }
        if let Some(place) = modifier(&key) {
            return bare(value, || self.move_last(place));
        }
        let text = || value.ok_or(Refusal::Malformed);
        match key.as_str() {
            "msg" => self.message = Some(plain(quoted(text()?).ok_or(Refusal::Malformed)?)),
            "gid" => self.numbers[0] = Some(number(text()?)?),
            "sid" => self.numbers[1] = Some(number(text()?)?),
            "rev" => self.numbers[2] = Some(number(text()?)?),
            "priority" => self.priority = Some(number(text()?)?),
            "classtype" => self.class_type(text()?),
            "reference" => self.refer(text()?),
            "metadata" => self.metadata(text()?),
            "target" => {}
            "flow" => text()?.split(',').try_for_each(|word| self.flow(word.trim()))?,
            "content" => self.content(text()?)?,
            "isdataat" => self.is_data_at(text()?)?,
            "bsize" => {
                let lengths = lengths(text()?)?;
                self.buffer().lengths.push(lengths);
            }
            "dsize" => {
                let lengths = lengths(text()?)?;
                if self.ends.transport != Some(Transport::Udp) {
                    return Err(Refusal::Unsupported("option dsize over TCP"));
                }
                let payload = self.find_or_add(Spot::Payload);
                self.buffers[payload].lengths.push(lengths);
            }
            "nocase" => bare(value, || self.change(|content| content.nocase = true))?,
            // A hint: what is looked for first changes nothing of what is found.
            "fast_pattern" => self.change(|_| {})?,
            "startswith" => bare(value, || {
                self.place(|content| {
                    let depth = Some(content.bytes.len() as u32);
                    is_anywhere(content.range)?;
                    content.range = Range::Start { offset: 0, depth };
                    Ok(())
                })
            })?,
            "endswith" => bare(value, || self.change(|content| content.ends = true))?,
            "offset" | "depth" | "distance" | "within" => {
                let number = number_of(text()?)?;
                self.place(|content| ranged(&key, number, content))?;
            }
            "dotprefix" => bare(value, || self.transform(|form| form.dotprefix = true))?,
            "to_lowercase" => bare(value, || self.transform(|form| form.lowercase = true))?,
            "to_md5" => bare(value, || self.transform(|form| form.digest = Some(Digest::Md5)))?,
            "to_sha1" => bare(value, || self.transform(|form| form.digest = Some(Digest::Sha1)))?,
            "to_sha256" => bare(value, || self.transform(|form| form.digest = Some(Digest::Sha256)))?,
            "dataset" => self.dataset(around.beside.dataset(text()?)?)?,
            "datarep" => self.dataset(around.beside.reputed(text()?)?)?,
            "flags" | "tcp.flags" => self.flags = Some(shown::flags(text()?)?),
            "flowbits" | "xbits" | "hostbits" => shown::bits(text()?)?,
            "threshold" => shown::threshold(text()?)?,
            "iprep" => self.reputation(text()?, around)?,
            _ => return Err(keywords::refused(&key)),
        }
        Ok(())
    }

    fn find_or_add(&mut self, spot: Spot) -> usize {
        let known = self.buffers.iter().position(|b| b.spot == spot && b.form == Form::default());
        known.unwrap_or_else(|| {
            self.buffers.push(Draft { spot, form: Form::default(), steps: Vec::new(), lengths: Vec::new() });
            self.buffers.len() - 1
        })
    }

    fn turn_to(&mut self, spot: Spot) -> Result<(), Refusal> {
        // Each mention may be another question of the same message.
        if spot == Spot::At(Place::DnsQuery) && self.buffers.iter().any(|buffer| buffer.spot == spot) {
            return Err(Refusal::Unsupported("dns.query twice"));
        }
        (self.current, self.side) = (Some(self.find_or_add(spot)), None);
        Ok(())
    }

    /// Whether the buffer, or the end, at hand is on a list.
    fn dataset(&mut self, asked: Asked) -> Result<(), Refusal> {
        let Asked { negated, sort, of } = asked;
        let another = Refusal::Unsupported("a dataset of another type than what is looked up in it");
        let list = match (of, self.side) {
            (Dataset::Addresses(list), Some(of)) => {
                self.thought.push(Thought { of, list, number: (1, u8::MAX), negated });
                return Ok(());
            }
            (Dataset::Values(list), None) => list,
            _ => return Err(another),
        };
        let wanted = match sort {
            Sort::Md5 => Some(Digest::Md5),
            Sort::Sha256 => Some(Digest::Sha256),
            _ => None,
        };
        let at = self.current.ok_or(Refusal::Unsupported("dataset without a buffer"))?;
        if self.buffers[at].form.digest != wanted {
            return Err(another);
        }
        self.buffers[at].steps.push(Step::Listed { list, negated });
        Ok(())
    }

    /// `SIDE,CATEGORY,OPERATOR,SCORE`.
    fn reputation(&mut self, text: &str, around: &mut Around) -> Result<(), Refusal> {
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        let [side, category, operator, score] = words[..] else {
            return Err(Refusal::Unsupported("iprep without an operator and a score"));
        };
        let of = match side {
            "src" => Side::Source,
            "dst" => Side::Destination,
            "any" => Side::Either,
            "both" => Side::Both,
            _ => return Err(Refusal::BadField),
        };
        let score: u8 = number(score)?;
        // An address of which nothing is said has no score that could be below another.
        let number = match operator {
            "<" => (1, score.checked_sub(1).ok_or(Refusal::BadField)?),
            "<=" => (1, score),
            ">" => (score.checked_add(1).ok_or(Refusal::BadField)?, u8::MAX),
            ">=" => (score.max(1), u8::MAX),
            "=" => (score.max(1), score),
            _ => return Err(Refusal::Unsupported("an operator of iprep other than < <= = >= >")),
        };
        let list = around.beside.reputation(category)?;
        self.thought.push(Thought { of, list, number, negated: false });
        Ok(())
    }

    /// The buffer that contents are of here.
    fn buffer(&mut self) -> &mut Draft {
        let at = self.current.unwrap_or_else(|| self.find_or_add(Spot::Payload));
        &mut self.buffers[at]
    }

    /// A transform after a buffer and before its contents.
    fn transform(&mut self, set: impl FnOnce(&mut Form)) -> Result<(), Refusal> {
        let Some(at) = self.current else { return Err(Refusal::BadPattern) };
        let buffer = &mut self.buffers[at];
        // The order of the two does not matter: a dot has no case. A digest comes last.
        if buffer.form.digest.is_some() {
            return Err(Refusal::Unsupported("a transform of a digest"));
        }
        if !buffer.steps.is_empty() || !matches!(buffer.spot, Spot::At(_)) {
            return Err(Refusal::Unsupported("a transform behind contents, or of bytes that come piece by piece"));
        }
        set(&mut buffer.form);
        Ok(())
    }

    fn content(&mut self, text: &str) -> Result<(), Refusal> {
        let (text, negated) = text.strip_prefix('!').map_or((text, false), |rest| (rest.trim_start(), true));
        let bytes = pattern::decode(quoted(text).ok_or(Refusal::BadPattern)?)?;
        if bytes.is_empty() || bytes.len() > MAX_CONTENT_BYTES {
            return Err(Refusal::BadPattern);
        }
        let at = self.current.unwrap_or_else(|| self.find_or_add(Spot::Payload));
        if self.buffers[at].form.digest.is_some() {
            return Err(Refusal::Unsupported("a content of a digest"));
        }
        let content = Content {
            bytes: bytes.into(),
            mask: Box::default(),
            nocase: false,
            negated,
            ends: false,
            range: Range::ANYWHERE,
        };
        self.buffers[at].steps.push(Step::Find(content));
        self.last = Some((at, self.buffers[at].steps.len() - 1));
        Ok(())
    }

    fn is_data_at(&mut self, text: &str) -> Result<(), Refusal> {
        let (text, negated) = text.strip_prefix('!').map_or((text, false), |rest| (rest, true));
        let mut words = text.split(',').map(str::trim);
        let bytes = number_of(words.next().unwrap_or_default())?;
        let relative = match (words.next(), words.next()) {
            (None, _) => false,
            (Some("relative"), None) => true,
            _ => return Err(Refusal::Unsupported("option isdataat with rawbytes")),
        };
        let bytes = u32::try_from(bytes).map_err(|_| Refusal::BadField)?;
        self.buffer().steps.push(Step::DataAt { bytes, relative, negated });
        Ok(())
    }

    /// Changes where the last content may lie.
    fn place(&mut self, set: impl FnOnce(&mut Content) -> Result<(), Refusal>) -> Result<(), Refusal> {
        let (buffer, step) = self.last.ok_or(Refusal::BadPattern)?;
        match self.buffers.get_mut(buffer).and_then(|buffer| buffer.steps.get_mut(step)) {
            Some(Step::Find(content)) => set(content),
            _ => Err(Refusal::BadPattern),
        }
    }

    fn change(&mut self, set: impl FnOnce(&mut Content)) -> Result<(), Refusal> {
        self.place(|content| {
            set(content);
            Ok(())
        })
    }

    /// The old way to name a buffer: behind its content.
    fn move_last(&mut self, place: Place) -> Result<(), Refusal> {
        let (from, step) = self.last.ok_or(Refusal::BadPattern)?;
        if self.buffers[from].spot != Spot::Payload || step + 1 != self.buffers[from].steps.len() {
            return Err(Refusal::BadPattern);
        }
        let content = self.buffers[from].steps.remove(step);
        let to = self.find_or_add(Spot::At(place));
        self.buffers[to].steps.push(content);
        self.last = Some((to, self.buffers[to].steps.len() - 1));
        Ok(())
    }

    fn flow(&mut self, word: &str) -> Result<(), Refusal> {
        let way = match word {
            "to_server" | "from_client" => Some(true),
            "to_client" | "from_server" => Some(false),
            "established" | "not_established" => {
                let wanted = Some(word == "established");
                if self.established.is_some() && self.established != wanted {
                    return Err(Refusal::BadField);
                }
                self.established = wanted;
                return Ok(());
            }
            "stateless" => return Ok(()),
            "only_stream" => {
                self.is_stream = true;
                return Ok(());
            }
            "no_stream" => return Err(Refusal::Unsupported("flow:no_stream")),
            "no_frag" | "only_frag" => return Err(Refusal::Unsupported("flow:no_frag or only_frag")),
            _ => return Err(Refusal::BadField),
        };
        if self.ends.to_responder.is_some_and(|known| Some(known) != way) {
            return Err(Refusal::BadField);
        }
        self.ends.to_responder = way;
        Ok(())
    }

    fn class_type(&mut self, name: &str) {
        self.class = CLASSES.iter().find(|(known, _)| *known == name).map(|(_, priority)| *priority);
        self.about.push(("rule.category", name.to_owned()));
    }

    fn refer(&mut self, text: &str) {
        if let Some(("url", address)) = text.split_once(',').map(|(kind, rest)| (kind.trim(), rest.trim()))
            && self.reference.is_none()
        {
            let address = plain(address);
            self.reference = Some(if address.contains("://") { address } else { format!("http://{address}") });
        }
    }

    fn metadata(&mut self, text: &str) {
        for item in text.split(',') {
            let (name, value) = item.trim().split_once(char::is_whitespace).unwrap_or((item.trim(), ""));
            let path = match name {
                "malware_family" => "threat.software.name",
                "mitre_technique_id" => "threat.technique.id",
                "mitre_technique_name" => "threat.technique.name",
                "mitre_tactic_id" => "threat.tactic.id",
                "mitre_tactic_name" => "threat.tactic.name",
                "tag" => "tags",
                _ => continue,
            };
            let value = value.trim();
            if !value.is_empty() && self.about.len() < MAX_ABOUT {
                self.about.push((path, value.to_owned()));
            }
        }
    }
}

/// An option that takes no value.
fn bare(value: Option<&str>, act: impl FnOnce() -> Result<(), Refusal>) -> Result<(), Refusal> {
    if value.is_some_and(|value| !value.is_empty()) {
        return Err(Refusal::Malformed);
    }
    act()
}

fn is_anywhere(range: Range) -> Result<(), Refusal> {
    if range == Range::ANYWHERE { Ok(()) } else { Err(Refusal::BadPattern) }
}

/// `offset`, `depth`, `distance` or `within` of a content.
fn ranged(key: &str, number: i64, content: &mut Content) -> Result<(), Refusal> {
    let bytes = content.bytes.len() as i64;
    let count = || u32::try_from(number).map_err(|_| Refusal::BadPattern);
    let room = || if number >= bytes { count() } else { Err(Refusal::BadPattern) };
    let shift = || i32::try_from(number).ok().filter(|n| n.unsigned_abs() <= MAX_SHIFT).ok_or(Refusal::BadPattern);
    content.range = match (key, content.range) {
        ("offset", Range::Start { offset: 0, depth }) => Range::Start { offset: count()?, depth },
        ("depth", Range::Start { offset, depth: None }) => Range::Start { offset, depth: Some(room()?) },
        ("distance", Range::ANYWHERE) => Range::After { distance: shift()?, within: None },
        ("distance", Range::After { distance: 0, within }) => Range::After { distance: shift()?, within },
        ("within", Range::ANYWHERE) => Range::After { distance: 0, within: Some(room()?) },
        ("within", Range::After { distance, within: None }) => Range::After { distance, within: Some(room()?) },
        _ => return Err(Refusal::BadPattern),
    };
    Ok(())
}

/// A number; a name would be a variable's.
fn number_of(text: &str) -> Result<i64, Refusal> {
    text.trim().parse().map_err(|_| match text.trim().starts_with(|c: char| c.is_ascii_alphabetic()) {
        true => Refusal::Unsupported("a variable of another option"),
        false => Refusal::BadField,
    })
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, Refusal> {
    text.trim().parse().map_err(|_| Refusal::BadField)
}

/// `N`, `<N`, `<=N`, `>N`, `>=N` or `N<>M` (both left out), as least and most.
fn lengths(text: &str) -> Result<(u32, u32), Refusal> {
    let text = text.trim();
    let (least, most) = if let Some((low, high)) = text.split_once("<>") {
        (number::<u32>(low)?.checked_add(1), number::<u32>(high)?.checked_sub(1))
    } else if let Some(most) = text.strip_prefix("<=") {
        (Some(0), Some(number(most)?))
    } else if let Some(least) = text.strip_prefix(">=") {
        (Some(number(least)?), Some(u32::MAX))
    } else if let Some(above) = text.strip_prefix('<') {
        (Some(0), number::<u32>(above)?.checked_sub(1))
    } else if let Some(below) = text.strip_prefix('>') {
        (number::<u32>(below)?.checked_add(1), Some(u32::MAX))
    } else {
        let exact = number(text)?;
        (Some(exact), Some(exact))
    };
    match (least, most) {
        (Some(least), Some(most)) if least <= most => Ok((least, most)),
        _ => Err(Refusal::BadField),
    }
}

/// Options that speak of the buffer at hand.
const OF_BUFFERS: [&str; 8] =
    ["content", "isdataat", "bsize", "dotprefix", "to_lowercase", "to_md5", "to_sha1", "to_sha256"];

/// Longest content, as Suricata's own.
const MAX_CONTENT_BYTES: usize = 255;
/// Farthest distance.
const MAX_SHIFT: u32 = 1 << 20;
/// Names kept of a rule.
const MAX_ABOUT: usize = 32;
