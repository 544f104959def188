//! What one row says: its values, and what holds for them.

use std::borrow::Cow;

use super::super::declared::Declared;
use super::super::intake::{Intake, Meta};
use super::super::misp::types::plan;
use super::super::misp::{Entry, Tags, entries};
use super::super::{field, recognise, refang};
use super::layout::{Layout, Role};
use crate::indicator::kind::DOMAIN;
use crate::indicator::{Draft, Index, Kind, Match, Refusal, Where, Window};

/// Hands every value of a row to the intake.
///
/// # Errors
/// Why none of it is: what is said of all its values cannot be read.
pub(super) fn load(
    cells: &[&[u8]],
    layout: &Layout,
    declared: &Declared,
    line: u32,
    intake: &mut Intake<'_>,
) -> Result<(), Refusal> {
    let row = Row::of(cells, layout)?;
    if row.first(Role::ToIds).is_some_and(|text| text != "1" && !text.eq_ignore_ascii_case("true")) {
        return Err(Refusal::Withdrawn);
    }
    let (tags, unreadable) = row.tags(declared)?;
    let window = Window {
        from: row.first(Role::ValidFrom).map_or(Ok(declared.window.from), instant)?,
        until: row.first(Role::ValidUntil).map_or(Ok(declared.window.until), instant)?,
    };
    if window.from >= window.until {
        return Err(Refusal::BadField);
    }
    let severity = row.first(Role::Severity).map(field::severity).transpose()?;
    let first_seen = row.first(Role::FirstSeen).and_then(rfc3339);
    let mut about: Vec<(Where, &str)> = tags.about.iter().map(|(path, text)| (*path, &**text)).collect();
    about.extend(row.first(Role::Software).map(|name| (Where("threat.software.name"), name)));
    let said = declared.meta();
    let meta = Meta {
        provider: row.first(Role::Provider).or(said.provider).filter(|_| !tags.marking.hides_source()),
        marking: tags.marking.clone(),
        confidence: row.first(Role::Confidence).map(field::confidence).or(tags.confidence).or(said.confidence),
        severity: severity.or(said.severity),
        reference: row.first(Role::Reference).or(said.reference),
        description: row.first(Role::Description).or(said.description),
        first_seen: first_seen.as_deref(),
        about: &about,
    };
    let context = intake.context(&meta)?;
    (0..unreadable).for_each(|_| intake.unreadable_marking());
    let id = row.first(Role::Id).filter(|id| id.len() <= MAX_ID_BYTES);
    let port = row.first(Role::Port).map(field::number::<u16>).transpose()?.filter(|port| *port != 0);
    let mut any = false;
    for (role, value) in row.values() {
        any = true;
        let add = |entry: Entry<'_>| {
            let is_addr = entry.kind.index == Index::Prefix;
            let port = entry.port.or(port.filter(|_| is_addr));
            let matching = declared.matching.filter(|matching| field::can_match(entry.kind, *matching));
            let draft = Draft {
                id,
                matching: Some(matching.unwrap_or(entry.matching)),
                port,
                transport: declared.transport.filter(|_| is_addr),
                when: entry.when.as_ref(),
                window,
                ..Draft::new(entry.kind, &entry.value, context, line)
            };
            intake.add(&draft);
        };
        match row.entries(role, value, declared) {
            Ok((one, two)) => [Some(one), two].into_iter().flatten().for_each(add),
            Err(reason) => intake.refuse(line, reason),
        }
    }
    if any { Ok(()) } else { Err(Refusal::Empty) }
}

struct Row<'a>(Vec<(Role, Cow<'a, str>)>);

impl<'a> Row<'a> {
    fn of(cells: &[&'a [u8]], layout: &Layout) -> Result<Self, Refusal> {
        let cells = match cells {
            // A separator behind the last cell.
            [cells @ .., last] if last.is_empty() && cells.len() == layout.roles.len() => cells,
            cells => cells,
        };
        if cells.len() != layout.roles.len() {
            return Err(Refusal::Malformed);
        }
        let text = |cell: &&'a [u8]| match String::from_utf8_lossy(cell) {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        };
        let row = layout.roles.iter().copied().zip(cells.iter().map(text));
        Ok(Self(row.filter(|(_, text)| !matches!(&**text, "" | "None" | "null" | "NULL")).collect()))
    }

    fn first(&self, role: Role) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == role).map(|(_, text)| &**text)
    }

    /// The values; the general column's alone, if there is one.
    fn values(&self) -> impl Iterator<Item = (Role, &str)> {
        let general = self.first(Role::Value).is_some();
        self.0
            .iter()
            .filter(move |(role, _)| match role {
                Role::Value => true,
                Role::Of(_) | Role::Kind(_) => !general,
                _ => false,
            })
            .map(|(role, text)| (*role, &**text))
    }

    fn tags(&self, declared: &Declared) -> Result<(Tags, u32), Refusal> {
        let mut tags = Tags::default();
        let cell = self.first(Role::Tags).unwrap_or_default();
        cell.split([',', ';']).map(str::trim).filter(|tag| !tag.is_empty()).for_each(|tag| tags.add(tag));
        let (marking, unreadable) =
            field::marking(self.first(Role::Tlp), self.first(Role::Pap), self.first(Role::Classification))?;
        tags.marking = tags.marking.combine(&marking).combine(&declared.marking);
        let unreadable = unreadable + tags.unreadable;
        Ok((tags, unreadable))
    }

    fn entries<'v>(
        &self,
        role: Role,
        value: &'v str,
        declared: &Declared,
    ) -> Result<(Entry<'v>, Option<Entry<'v>>), Refusal> {
        match (role, self.first(Role::Type), declared.kind) {
            (Role::Kind(kind), ..) | (_, None, Some(kind)) => Ok((of_kind(kind, value), None)),
            (Role::Of("ip"), ..) => of_shape(value, true),
            (Role::Of(name), ..) => entries(plan(name).ok_or(Refusal::UnknownKind)?, value),
            (_, Some(name), _) => of_type(name, value),
            (_, None, None) => of_shape(value, false),
        }
    }
}

/// As a type of the known exports, of MISP, or a kind's name says.
fn of_type<'v>(name: &str, value: &'v str) -> Result<(Entry<'v>, Option<Entry<'v>>), Refusal> {
    let lower = name.to_ascii_lowercase();
    if let Some((_, meant)) = TYPES.iter().find(|(names, _)| names.contains(&lower.as_str())) {
        return match *meant {
            SHAPE => of_shape(value, false),
            ADDRESS => of_shape(value, true),
            name => entries(plan(name).ok_or(Refusal::UnknownKind)?, value),
        };
    }
    match plan(&lower).or_else(|| plan(name)) {
        Some(plan) => entries(plan, value),
        None => Kind::by_name(name).map(|kind| (of_kind(kind, value), None)).ok_or(Refusal::UnknownKind),
    }
}

/// By its shape: an address, with its port or without, where it must be one.
fn of_shape(value: &str, is_address: bool) -> Result<(Entry<'_>, Option<Entry<'_>>), Refusal> {
    let plain = refang(value.as_bytes());
    let known = recognise(&plain)?;
    if is_address && known.kind.index != Index::Prefix {
        return Err(Refusal::BadAddress);
    }
    let entry = Entry { port: known.port, value: Cow::Owned(known.value.to_vec()), ..of_kind(known.kind, "") };
    Ok((entry, None))
}

fn of_kind<'v>(kind: &'static Kind, value: &'v str) -> Entry<'v> {
    let matching = if *kind == DOMAIN { Match::Subtree } else { kind.default_match };
    Entry { kind, value: Cow::Borrowed(value.as_bytes()), matching, port: None, when: None }
}

/// RFC 3339; a civil time without a zone is UTC, as every known export writes it.
fn rfc3339(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches(" UTC");
    if text.parse::<jiff::Timestamp>().is_ok() {
        return Some(text.to_owned());
    }
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().to_string())
}

fn instant(text: &str) -> Result<crate::time::Timestamp, Refusal> {
    field::instant(&rfc3339(text).ok_or(Refusal::BadField)?)
}

/// By the shape of the value.
const SHAPE: &str = "";
/// An address by its shape.
const ADDRESS: &str = "ip";

/// Types by other names than MISP's, and what they mean by MISP's.
const TYPES: &[(&[&str], &str)] = &[
    (
        &["ip", "ipv4", "ipv6", "cidr", "ip:port", "ip_address", "ipv4-addr", "ipv6-addr", "ipv4-cidr", "ipv6-cidr"],
        ADDRESS,
    ),
    (&["domain-name", "domain_name"], "domain"),
    (&["fqdn", "host"], "hostname"),
    (&["md5_hash", "filehash-md5", "hash-md5", "md5-hash"], "md5"),
    (&["sha1_hash", "filehash-sha1", "hash-sha1", "sha-1"], "sha1"),
    (&["sha256_hash", "filehash-sha256", "hash-sha256", "sha-256"], "sha256"),
    (&["hash", "file", "indicator"], SHAPE),
    (&["sslcertfingerprint"], "x509-fingerprint-sha1"),
    (&["ja3"], "ja3-fingerprint-md5"),
    (&["mutex"], "mutex"),
    (&["cve"], "vulnerability"),
    (&["filehash-pehash"], "pehash"),
    (&["filehash-imphash"], "imphash"),
    (&["bitcoinaddress"], "btc"),
];

/// Longest id kept; every alert repeats it.
const MAX_ID_BYTES: usize = 256;
