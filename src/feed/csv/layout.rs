//! What each column of a table is, by its name.
//!
//! Names as URLhaus, ThreatFox, MalwareBazaar, Feodo Tracker, OTX and MISP write them, in any case. In declared columns the name
//! of any kind stands for values of that kind, and `-` for what is not read.

use std::borrow::Cow;

use csv_core::{ReadRecordResult, ReaderBuilder};

use crate::indicator::Kind;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Role {
    /// Values whose kind another column says, or their shape.
    Value,
    /// What kind the value is of.
    Type,
    /// Values of a type that [`super::row`] knows by this name.
    Of(&'static str),
    /// Values of a kind.
    Kind(&'static Kind),
    /// The port of an address beside it.
    Port,
    Description,
    Software,
    Provider,
    Reference,
    Confidence,
    Severity,
    FirstSeen,
    Tags,
    Tlp,
    Pap,
    Classification,
    ToIds,
    ValidFrom,
    ValidUntil,
    Id,
    Ignored,
}

impl Role {
    fn holds_value(&self) -> bool {
        matches!(self, Self::Value | Self::Of(_) | Self::Kind(_))
    }
}

/// The columns of a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    pub(super) roles: Vec<Role>,
    pub(super) separator: u8,
    /// A blank stands between a separator and the quote behind it, which CSV does not allow and ThreatFox writes.
    spaced: bool,
}

impl Layout {
    /// The layout that a header says: it has two columns at least, one of them of values.
    pub(super) fn of_header(line: &[u8]) -> Option<Self> {
        SEPARATORS.iter().find_map(|&separator| {
            let spaced = is_spaced(line, separator);
            let names = cells(&tidied(line, separator, spaced), separator)?;
            // A row whose type is called as a column may be is no header: names have nothing of an address or a name.
            let is_value = |name: &String| name.contains(['.', '/', '@', ':']);
            let roles: Vec<Role> = names.iter().map(|name| role(name).unwrap_or(Role::Ignored)).collect();
            (!names.iter().any(is_value) && roles.len() >= 2 && is_usable(&roles)).then_some(Self {
                roles,
                separator,
                spaced,
            })
        })
    }

    /// The layout that the user declared; every name must be known.
    pub(super) fn of_names(names: &[String], separator: u8) -> Option<Self> {
        let declared = |name: &String| match (role(name), Kind::by_name(name)) {
            (Some(role), _) => Some(role),
            (None, Some(kind)) => Some(Role::Kind(kind)),
            (None, None) => None,
        };
        let roles: Option<Vec<Role>> = names.iter().map(declared).collect();
        let roles = roles.filter(|roles| is_usable(roles))?;
        Some(Self { roles, separator, spaced: false })
    }

    /// Whether a row has the names of columns where its values should be.
    pub(super) fn is_header(&self, row: &[u8]) -> bool {
        let cells = cells(&self.tidied(row), self.separator).unwrap_or_default();
        let mut values = self.roles.iter().zip(&cells).filter(|(role, _)| role.holds_value()).peekable();
        values.peek().is_some() && values.all(|(_, cell)| role(cell).is_some_and(|named| named != Role::Ignored))
    }

    /// Whether a row has as many cells.
    pub(super) fn fits(&self, row: &[u8]) -> bool {
        cells(&self.tidied(row), self.separator).is_some_and(|cells| cells.len() == self.roles.len())
    }

    /// A line as CSV has it.
    pub(super) fn tidied<'a>(&self, line: &'a [u8]) -> Cow<'a, [u8]> {
        tidied(line, self.separator, self.spaced || is_spaced(line, self.separator))
    }
}

/// Some column holds values, and none stands there twice that must not.
fn is_usable(roles: &[Role]) -> bool {
    let once = [Role::Value, Role::Type, Role::Port, Role::Tlp, Role::Pap, Role::Classification, Role::ToIds];
    roles.iter().any(Role::holds_value) && once.iter().all(|one| roles.iter().filter(|role| *role == one).count() <= 1)
}

/// The line begins with a quoted cell, and a blank follows its separator.
fn is_spaced(line: &[u8], separator: u8) -> bool {
    let between = [b'"', separator, b' ', b'"'];
    line.starts_with(b"\"") && memchr::memmem::find(line, &between).is_some()
}

fn tidied(line: &[u8], separator: u8, spaced: bool) -> Cow<'_, [u8]> {
    if !spaced {
        return Cow::Borrowed(line);
    }
    let mut out = Vec::with_capacity(line.len());
    let mut in_quotes = false;
    for &byte in line {
        in_quotes ^= byte == b'"';
        let after_separator = !in_quotes && byte == b' ' && out.last() == Some(&separator);
        if !after_separator {
            out.push(byte);
        }
    }
    Cow::Owned(out)
}

/// The cells of one whole line; `None` if it is longer than a header is.
fn cells(line: &[u8], separator: u8) -> Option<Vec<String>> {
    let mut reader = ReaderBuilder::new().delimiter(separator).build();
    let (mut output, mut ends) = ([0; MAX_HEADER_BYTES], [0; super::MAX_CELLS]);
    let (mut written, mut ended) = (0, 0);
    // An empty input ends the record.
    for mut input in [line, b""] {
        loop {
            let (result, read, more, closed) =
                reader.read_record(input, output.get_mut(written..)?, ends.get_mut(ended..)?);
            input = input.get(read..)?;
            (written, ended) = (written + more, ended + closed);
            match result {
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => return None,
                _ if input.is_empty() => break,
                _ => {}
            }
        }
    }
    let mut start = 0;
    let cell = |end: &usize| {
        let cell = output.get(start..*end)?;
        start = *end;
        Some(String::from_utf8_lossy(cell).into_owned())
    };
    ends.get(..ended)?.iter().map(cell).collect()
}

fn role(name: &str) -> Option<Role> {
    let name: String = name.trim().to_ascii_lowercase().replace([' ', '-'], "_");
    ROLES.iter().find(|(names, _)| names.contains(&name.as_str())).map(|(_, role)| *role)
}

const SEPARATORS: [u8; 4] = [b',', b'\t', b';', b'|'];

const ROLES: &[(&[&str], Role)] = &[
    (&["indicator", "ioc", "ioc_value", "value", "indicator_value", "observable", "trail"], Role::Value),
    (&["type", "ioc_type", "indicator_type", "kind"], Role::Type),
    (
        &["ip", "ip_address", "ipaddress", "dst_ip", "dstip", "src_ip", "srcip", "ipv4", "ipv6", "network", "cidr"],
        Role::Of("ip"),
    ),
    (&["port", "dst_port", "dstport"], Role::Port),
    (&["domain", "domain_name"], Role::Of("domain")),
    (&["hostname", "host", "fqdn"], Role::Of("hostname")),
    (&["url"], Role::Of("url")),
    (&["md5", "md5_hash"], Role::Of("md5")),
    (&["sha1", "sha1_hash"], Role::Of("sha1")),
    (&["sha256", "sha256_hash"], Role::Of("sha256")),
    (&["email", "email_address"], Role::Of("email")),
    (&["user_agent", "useragent"], Role::Of("user-agent")),
    (&["ja3", "ja3_md5"], Role::Of("ja3-fingerprint-md5")),
    (&["description", "desc", "comment", "comments", "info", "notes", "note", "listingreason"], Role::Description),
    (&["malware", "malware_printable", "malware_family", "family", "signature"], Role::Software),
    (&["provider", "source"], Role::Provider),
    (&["reference", "references", "ref", "urlhaus_link"], Role::Reference),
    (&["confidence", "confidence_level"], Role::Confidence),
    (&["severity"], Role::Severity),
    (&["first_seen", "first_seen_utc", "firstseen", "dateadded", "date_added", "listingdate"], Role::FirstSeen),
    (&["tags", "tag", "attribute_tag"], Role::Tags),
    (&["tlp", "tlp_marking"], Role::Tlp),
    (&["pap"], Role::Pap),
    (&["classification"], Role::Classification),
    (&["to_ids"], Role::ToIds),
    (&["valid_from"], Role::ValidFrom),
    (&["valid_until", "expiration", "expires"], Role::ValidUntil),
    (&["uuid", "indicator_id"], Role::Id),
    (&["_", "", "ignore"], Role::Ignored),
];

/// Longest header.
const MAX_HEADER_BYTES: usize = 8192;
