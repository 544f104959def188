//! [`Beside`]: what lies beside a file of rules and is part of what they mean: datasets and reputation lists.
//!
//! A file is looked for in the folder of the rules and below it, never elsewhere. What cannot be read whole, or is more than is held,
//! refuses the rules that ask for it: a list without some of its entries would be another list.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::feed::lines::{Line, Lines};
use crate::indicator::Refusal;
use crate::indicator::lists::{Addresses, Values};
use crate::indicator::rule::mapped;

/// See the module.
#[derive(Default)]
pub(super) struct Beside {
    /// The folder of the rules; `None` for rules that another document carries.
    folder: Option<PathBuf>,
    /// Files that say which categories of reputation there are, and which address is in which.
    categories: Option<String>,
    reputations: Vec<String>,
    datasets: HashMap<(String, Sort, Option<Reputed>), Result<Dataset, Refusal>>,
    /// Which file and sort a name stands for.
    named: HashMap<String, (String, Sort)>,
    by_category: Option<Result<BTreeMap<u8, Arc<Addresses>>, Refusal>>,
}

/// `type` of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Sort {
    Text,
    Md5,
    Sha256,
    Ipv4,
    Ip,
}

/// What an entry's reputation must be: which operator, and the number.
type Reputed = (Compared, u16);

/// An operator of `datarep`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Compared {
    Above,
    Below,
    Equal,
}

/// A dataset's entries.
#[derive(Clone)]
pub(super) enum Dataset {
    Values(Arc<Values>),
    Addresses(Arc<Addresses>),
}

/// What a rule asks of a dataset.
pub(super) struct Asked {
    pub(super) negated: bool,
    pub(super) sort: Sort,
    pub(super) of: Dataset,
}

impl Beside {
    pub(super) fn of(folder: Option<PathBuf>) -> Self {
        Self { folder, ..Self::default() }
    }

    /// `# picket: NAME=FILE`, as Suricata's own configuration names it; false for another name.
    pub(super) fn set(&mut self, name: &str, value: &str) -> bool {
        match name {
            "reputation-categories-file" => self.categories = Some(value.to_owned()),
            "reputation-files" => {
                let list = value.trim_start_matches('[').trim_end_matches(']');
                self.reputations = list.split(',').map(|file| file.trim().to_owned()).collect();
            }
            _ => return false,
        }
        true
    }

    /// What `dataset` asks: `isset|isnotset, NAME[, type SORT, load FILE, ..]`.
    pub(super) fn dataset(&mut self, text: &str) -> Result<Asked, Refusal> {
        let mut words = text.split(',').map(str::trim);
        let negated = match words.next() {
            Some("isset") => false,
            Some("isnotset") => true,
            Some("set" | "unset") => {
                return Err(Refusal::Unsupported("dataset set or unset (it would change while it runs)"));
            }
            _ => return Err(Refusal::Malformed),
        };
        let name = words.next().filter(|name| !name.is_empty()).ok_or(Refusal::Malformed)?;
        let (sort, of) = self.named_dataset(name, words, None)?;
        Ok(Asked { negated, sort, of })
    }

    /// What `datarep` asks: `NAME, OPERATOR, VALUE[, type SORT, load FILE, ..]`. Entries of another reputation are as if they were not there.
    pub(super) fn reputed(&mut self, text: &str) -> Result<Asked, Refusal> {
        let mut words = text.split(',').map(str::trim);
        let name = words.next().filter(|name| !name.is_empty()).ok_or(Refusal::Malformed)?;
        let compared = match words.next() {
            Some(">") => Compared::Above,
            Some("<") => Compared::Below,
            Some("==") => Compared::Equal,
            _ => return Err(Refusal::Unsupported("an operator of datarep other than < == >")),
        };
        let number = words.next().and_then(|number| number.parse().ok()).ok_or(Refusal::BadField)?;
        let (sort, of) = self.named_dataset(name, words, Some((compared, number)))?;
        Ok(Asked { negated: false, sort, of })
    }

    /// The entries of a set, by its name and what else is said of it.
    fn named_dataset<'t>(
        &mut self,
        name: &str,
        words: impl Iterator<Item = &'t str>,
        reputed: Option<Reputed>,
    ) -> Result<(Sort, Dataset), Refusal> {
        let (mut sort, mut file) = (None, None);
        for word in words {
            let (key, value) = word.split_once(char::is_whitespace).unwrap_or((word, ""));
            match key {
                "type" => sort = Some(sort_of(value.trim())?),
                "load" => file = Some(value.trim().to_owned()),
                // How much room it is given there.
                "memcap" | "hashsize" => {}
                "state" | "save" => {
                    return Err(Refusal::Unsupported("dataset state or save (it would change while it runs)"));
                }
                _ => return Err(Refusal::Unsupported("an option of dataset")),
            }
        }
        let (file, sort) = match (file, sort) {
            (Some(file), Some(sort)) => {
                self.named.insert(name.to_owned(), (file.clone(), sort));
                (file, sort)
            }
            (None, said) => match self.named.get(name) {
                Some((file, sort)) if said.is_none_or(|said| said == *sort) => (file.clone(), *sort),
                _ => return Err(Refusal::Unsupported("dataset without a file beside the rules (load)")),
            },
            (Some(_), None) => return Err(Refusal::Malformed),
        };
        let key = (file, sort, reputed);
        if !self.datasets.contains_key(&key) {
            let read = self.lines_of(&key.0).and_then(|lines| entries(lines, sort, reputed));
            self.datasets.insert(key.clone(), read);
        }
        Ok((sort, self.datasets.get(&key).cloned().unwrap_or(Err(UNREADABLE))?))
    }

    /// Who is thought of in this category.
    pub(super) fn reputation(&mut self, category: &str) -> Result<Arc<Addresses>, Refusal> {
        let Some(categories) = self.categories.clone().filter(|_| !self.reputations.is_empty()) else {
            return Err(Refusal::Unsupported(
                "iprep without files (# picket: reputation-categories-file, reputation-files)",
            ));
        };
        let number = category_number(self.lines_of(&categories)?, category)?;
        if self.by_category.is_none() {
            let files = self.reputations.clone();
            let all: Result<Vec<Lines>, Refusal> = files.iter().map(|file| self.lines_of(file)).collect();
            self.by_category = Some(all.and_then(reputations));
        }
        match self.by_category.as_ref() {
            Some(Ok(all)) => Ok(all.get(&number).cloned().unwrap_or_default()),
            Some(Err(refusal)) => Err(*refusal),
            None => Err(UNREADABLE),
        }
    }

    fn lines_of(&self, file: &str) -> Result<Lines, Refusal> {
        let folder =
            self.folder.as_ref().ok_or(Refusal::Unsupported("a file beside rules that another document carries"))?;
        if !is_below(file) {
            return Err(Refusal::Unsupported("a file that does not lie beside the rules"));
        }
        let path = folder.join(file);
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => Lines::open(&path).map_err(|_| UNREADABLE),
            _ => Err(Refusal::Unsupported("a file beside the rules that is not there")),
        }
    }
}

/// The files that a text of rules names, as [`Beside`] reads them.
pub(super) fn named(mut lines: Lines) -> Vec<PathBuf> {
    let mut found = Vec::new();
    while let Ok(Some((_, line))) = lines.next() {
        let Line::Text(line) = line else { continue };
        let Ok(text) = std::str::from_utf8(line.trim_ascii()) else { continue };
        let mut add = |file: &str| found.extend(Some(file.trim()).filter(|file| is_below(file)).map(PathBuf::from));
        if let Some(option) = text.strip_prefix('#').map(str::trim_start).and_then(|text| text.strip_prefix("picket:"))
        {
            let mut beside = Beside::default();
            if option.split_once('=').is_some_and(|(name, value)| beside.set(name.trim(), value.trim())) {
                beside.categories.iter().chain(&beside.reputations).for_each(|file| add(file));
            }
        } else if !text.starts_with('#') && (text.contains("dataset") || text.contains("datarep")) {
            text.split([',', ';']).filter_map(|word| word.trim_start().strip_prefix("load ")).for_each(add);
        }
    }
    found
}

/// Whether a name is of a file in the same folder or below it.
fn is_below(file: &str) -> bool {
    let mut parts = Path::new(file).components();
    !file.is_empty() && parts.all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

fn sort_of(name: &str) -> Result<Sort, Refusal> {
    Ok(match name {
        "string" => Sort::Text,
        "md5" => Sort::Md5,
        "sha256" => Sort::Sha256,
        "ipv4" => Sort::Ipv4,
        "ip" => Sort::Ip,
        _ => return Err(Refusal::Unsupported("a dataset of another type than string, md5, sha256, ipv4 and ip")),
    })
}

/// Every line that is neither empty nor a comment.
fn each(mut lines: Lines, mut entry: impl FnMut(&str) -> Option<()>) -> Result<(), Refusal> {
    let mut count = 0;
    while let Some((_, line)) = lines.next().map_err(|_| UNREADABLE)? {
        let Line::Text(line) = line else { return Err(UNREADABLE) };
        let line = std::str::from_utf8(line.trim_ascii()).map_err(|_| UNREADABLE)?;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        count += 1;
        if count > MAX_ENTRIES {
            return Err(Refusal::Unsupported("a file beside the rules of more than 1,048,576 entries"));
        }
        entry(line).ok_or(UNREADABLE)?;
    }
    Ok(())
}

/// With `reputed`, each entry has a reputation behind a comma; one that is said twice must be said to be the same.
fn entries(lines: Lines, sort: Sort, reputed: Option<Reputed>) -> Result<Dataset, Refusal> {
    let mut said: HashMap<Vec<u8>, u16> = HashMap::new();
    let mut split = |line: &str| {
        let Some((compared, number)) = reputed else { return Some((line.to_owned(), true)) };
        let (value, reputation) = line.split_once(',')?;
        let (value, reputation) = (value.trim(), reputation.trim().parse().ok()?);
        let before = *said.entry(value.as_bytes().to_vec()).or_insert(reputation);
        let holds = match compared {
            Compared::Above => reputation > number,
            Compared::Below => reputation < number,
            Compared::Equal => reputation == number,
        };
        (before == reputation).then(|| (value.to_owned(), holds))
    };
    if matches!(sort, Sort::Ipv4 | Sort::Ip) {
        let mut all = Addresses::default();
        each(lines, |line| {
            let (line, holds) = split(line)?;
            let ip: IpAddr = line.parse().ok().filter(|ip: &IpAddr| sort == Sort::Ip || ip.is_ipv4())?;
            if holds {
                all.put((mapped(ip), 128), 1);
            }
            Some(())
        })?;
        return Ok(Dataset::Addresses(Arc::new(all)));
    }
    let mut all = Vec::new();
    each(lines, |line| {
        let (line, holds) = split(line)?;
        let value = match sort {
            Sort::Text => STANDARD.decode(line).ok()?,
            Sort::Md5 => hex(&line, 16)?,
            _ => hex(&line, 32)?,
        };
        all.extend(holds.then(|| Box::from(value)));
        Some(())
    })?;
    Ok(Dataset::Values(Arc::new(all.into_iter().collect())))
}

fn hex(text: &str, bytes: usize) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let whole: Option<Vec<u8>> =
        text.as_bytes().chunks(2).map(|two| Some((digit(two.first()?)? << 4 | digit(two.get(1)?)?) as u8)).collect();
    whole.filter(|whole| whole.len() == bytes)
}

/// `number,short name,description`.
fn category_number(lines: Lines, wanted: &str) -> Result<u8, Refusal> {
    let mut found = None;
    each(lines, |line| {
        let (number, rest) = line.split_once(',')?;
        let number: u8 = number.trim().parse().ok().filter(|number| (1..=MAX_CATEGORY).contains(number))?;
        let name = rest.split(',').next()?.trim();
        if name == wanted {
            found = Some(number);
        }
        Some(())
    })?;
    found.ok_or(Refusal::Unsupported("a category of iprep that its file does not name"))
}

/// `address[/bits],category,score`, of which a later line counts more than an earlier one.
fn reputations(files: Vec<Lines>) -> Result<BTreeMap<u8, Arc<Addresses>>, Refusal> {
    let mut all: BTreeMap<u8, Addresses> = BTreeMap::new();
    for lines in files {
        each(lines, |line| {
            let mut cells = line.split(',').map(str::trim);
            let (Some(value), Some(category), Some(score), None) =
                (cells.next(), cells.next(), cells.next(), cells.next())
            else {
                return None;
            };
            let category: u8 = category.parse().ok().filter(|category| (1..=MAX_CATEGORY).contains(category))?;
            let score: u8 = score.parse().ok().filter(|score| *score <= MAX_SCORE)?;
            let (ip, length) = match value.split_once('/') {
                Some((ip, length)) => (ip, Some(length.parse::<u8>().ok()?)),
                None => (value, None),
            };
            let ip: IpAddr = ip.parse().ok()?;
            let bits = if ip.is_ipv4() { 32 } else { 128 };
            let length =
                128 - bits + length.filter(|length| *length <= bits).or(value.find('/').is_none().then_some(bits))?;
            all.entry(category).or_default().put((mapped(ip), length), score);
            Some(())
        })?;
    }
    Ok(all.into_iter().map(|(category, addresses)| (category, Arc::new(addresses))).collect())
}

const UNREADABLE: Refusal = Refusal::Unsupported("a file beside the rules that cannot be read whole");

/// Entries of one file: what a rule asks for is held as it is.
const MAX_ENTRIES: usize = 1 << 20;
/// Suricata's highest category and score.
const MAX_CATEGORY: u8 = 60;
const MAX_SCORE: u8 = 127;
