//! [`Finding`]: what is worth knowing of an entry although it loaded, by file and line ([`Findings`]). Never a value.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// What is found about a loaded entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// Nothing in this version shows values of its kind.
    #[error("nothing in this version observes its kind")]
    Unobserved,
    /// A digest of a function that no parser makes.
    #[error("no parser makes digests of this function for its kind")]
    UnmadeDigest,
    /// A URL that is visited in TLS.
    #[error(
        "https URL: its path is encrypted on the wire; matched only where it is written in the clear (mail links, Referer and \
         Location headers, the same URL over plain HTTP)"
    )]
    TlsUrl,
    /// Its parts contradict each other.
    #[error("its condition (picket.when) or transport can never hold")]
    ImpossibleCondition,
    /// It is, or has below it, a name that everybody visits.
    #[error("is or covers a popular name")]
    PopularName,
    /// It is, or contains, an address that everybody talks to.
    #[error("is or covers an address of a popular public service")]
    PopularAddress,
    /// Every site has hosts there.
    #[error("in private, shared, link-local or multicast address space")]
    PrivateSpace,
    /// A network of very many hosts.
    #[error("a network wider than /16 (IPv4) or /32 (IPv6)")]
    WideNetwork,
    /// A rule of a header alone that names no address.
    #[error("a rule of a header alone that is about no address: any host may match it")]
    AnyHost,
    /// Bytes that ordinary traffic is full of.
    #[error("bytes that ordinary traffic is full of")]
    CommonBytes,
    /// The empty file, or a name that many files have.
    #[error("the empty file, or a file name that many harmless files have")]
    CommonFile,
    /// Would have been refused.
    #[error("dangerous, and loaded by --force")]
    Forced,
    /// An earlier line of the same feed says the same.
    #[error("said by an earlier line of the same feed")]
    DuplicateWithin,
    /// Another feed says the same.
    #[error("said by another feed too")]
    DuplicateAcross,
    /// Its validity is over.
    #[error("expired")]
    Expired,
    /// Its validity has not begun.
    #[error("not valid yet")]
    NotYetValid,
    /// The allow-list suppresses whatever it matches.
    #[error("covered by the allow-list: every hit is suppressed")]
    AllowListed,
}

/// What a [`Finding`] means for whoever runs the sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// This sensor can never match it, or not where its author meant.
    Inert,
    /// Would match what harmless hosts do.
    Broad,
    /// Said more than once.
    Duplicate,
    /// No longer valid.
    Expired,
    /// Not valid yet.
    NotYetValid,
    /// Listed and allow-listed.
    Contradictory,
}

impl Category {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 6] =
        [Self::Inert, Self::Broad, Self::Duplicate, Self::Expired, Self::NotYetValid, Self::Contradictory];

    /// A word for it that stays the same.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inert => "inert",
            Self::Broad => "broad",
            Self::Duplicate => "duplicate",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Contradictory => "contradictory",
        }
    }
}

impl Finding {
    /// A short word for it that stays the same, for reports in JSON.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unobserved => "unobserved",
            Self::UnmadeDigest => "unmade_digest",
            Self::TlsUrl => "tls_url",
            Self::ImpossibleCondition => "impossible_condition",
            Self::PopularName => "popular_name",
            Self::PopularAddress => "popular_address",
            Self::PrivateSpace => "private_space",
            Self::WideNetwork => "wide_network",
            Self::AnyHost => "any_host",
            Self::CommonBytes => "common_bytes",
            Self::CommonFile => "common_file",
            Self::Forced => "forced",
            Self::DuplicateWithin => "duplicate_within",
            Self::DuplicateAcross => "duplicate_across",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::AllowListed => "allow_listed",
        }
    }

    /// What it means.
    pub fn category(self) -> Category {
        match self {
            Self::Unobserved | Self::UnmadeDigest | Self::TlsUrl | Self::ImpossibleCondition => Category::Inert,
            Self::PopularName
            | Self::PopularAddress
            | Self::PrivateSpace
            | Self::WideNetwork
            | Self::AnyHost
            | Self::CommonBytes
            | Self::CommonFile
            | Self::Forced => Category::Broad,
            Self::DuplicateWithin | Self::DuplicateAcross => Category::Duplicate,
            Self::Expired => Category::Expired,
            Self::NotYetValid => Category::NotYetValid,
            Self::AllowListed => Category::Contradictory,
        }
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// What was found in one file.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(transparent)]
pub struct Findings(BTreeMap<Finding, Found>);

/// One finding in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// See [`Finding::category`].
    pub category: Category,
    /// How many entries.
    pub count: u64,
    /// The first of them, up to a cap of 100.
    pub entries: Vec<Entry>,
}

/// An entry by what it may be called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// 1-based; of what, says [`FileReport::unit`](super::FileReport::unit).
    pub line: u32,
    /// The indicator's id.
    pub id: String,
}

impl Findings {
    /// Counts an entry, and lists it if there is room: only then is `id` asked.
    pub(super) fn add(&mut self, finding: Finding, line: u32, id: impl FnOnce() -> String) {
        let found = self.0.entry(finding).or_insert_with(|| Found {
            category: finding.category(),
            count: 0,
            entries: Vec::new(),
        });
        found.count += 1;
        if found.entries.len() < MAX_LISTED {
            found.entries.push(Entry { line, id: id() });
        }
    }

    /// Puts `word` in the place of ids that are not `shown`.
    pub(super) fn withhold_ids(&mut self, word: &str, shown: impl Fn(&str) -> bool) {
        let entries = self.0.values_mut().flat_map(|found| &mut found.entries);
        entries.filter(|entry| !shown(&entry.id)).for_each(|entry| word.clone_into(&mut entry.id));
    }

    /// Each finding, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = (Finding, &Found)> {
        self.0.iter().map(|(finding, found)| (*finding, found))
    }

    /// How often it was found.
    pub fn count(&self, finding: Finding) -> u64 {
        self.0.get(&finding).map_or(0, |found| found.count)
    }
}

/// Entries listed of each finding in a file: enough to see what is wrong with a feed; the rest is counted.
pub(super) const MAX_LISTED: usize = 100;
