//! What an item's `Context/@search` means here.
//!
//! Source: the OpenIOC term lists (`iocterms`), of which what traffic shows is read.

use crate::indicator::Kind;
use crate::indicator::kind::{
    CERTIFICATE, DOMAIN, EMAIL_ADDR, EMAIL_SUBJECT, FILE, FILE_NAME, IPV4, ISSUER, SERIAL, SUBJECT, URL, USER_AGENT,
};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Meaning {
    Kind(&'static Kind),
    /// A digest of so many hex digits.
    Digest(&'static Kind, usize),
    RemotePort,
    /// Nothing that traffic shows, or not all of it.
    Refused(&'static str),
}

pub(super) fn meaning(search: &str) -> Meaning {
    if let Some((_, meaning)) = TERMS.iter().find(|(known, _)| known.eq_ignore_ascii_case(search)) {
        return *meaning;
    }
    let document = search.split_once('/').map_or(search, |(document, _)| document);
    let refused = REFUSED
        .iter()
        .find(|reason| reason.strip_prefix("OpenIOC term ").is_some_and(|known| known.eq_ignore_ascii_case(document)));
    Meaning::Refused(refused.unwrap_or(&"OpenIOC term that is not known"))
}

const TERMS: &[(&str, Meaning)] = &[
    ("Network/DNS", Meaning::Kind(&DOMAIN)),
    ("DnsEntryItem/Host", Meaning::Kind(&DOMAIN)),
    ("DnsEntryItem/RecordName", Meaning::Kind(&DOMAIN)),
    ("DnsEntryItem/RecordData/Host", Meaning::Kind(&DOMAIN)),
    ("UrlHistoryItem/HostName", Meaning::Kind(&DOMAIN)),
    ("CookieHistoryItem/HostName", Meaning::Kind(&DOMAIN)),
    ("DnsEntryItem/RecordData/IPv4Address", Meaning::Kind(&IPV4)),
    ("DnsEntryItem/RecordData/IPv6Address", Meaning::Kind(&IPV4)),
    ("PortItem/remoteIP", Meaning::Kind(&IPV4)),
    ("PortItem/remotePort", Meaning::RemotePort),
    ("ProcessItem/PortList/PortItem/remoteIP", Meaning::Kind(&IPV4)),
    ("ProcessItem/PortList/PortItem/remotePort", Meaning::RemotePort),
    ("RouteEntryItem/Destination", Meaning::Kind(&IPV4)),
    ("Network/RemoteIP", Meaning::Kind(&IPV4)),
    ("Network/URI", Meaning::Kind(&URL)),
    ("Network/URL", Meaning::Kind(&URL)),
    ("UrlHistoryItem/URL", Meaning::Kind(&URL)),
    ("FileDownloadHistoryItem/SourceURL", Meaning::Kind(&URL)),
    ("Network/UserAgent", Meaning::Kind(&USER_AGENT)),
    ("FileItem/Md5sum", Meaning::Digest(&FILE, 32)),
    ("FileItem/Sha1sum", Meaning::Digest(&FILE, 40)),
    ("FileItem/Sha256sum", Meaning::Digest(&FILE, 64)),
    ("TaskItem/md5sum", Meaning::Digest(&FILE, 32)),
    ("ServiceItem/pathmd5sum", Meaning::Digest(&FILE, 32)),
    ("ServiceItem/serviceDLLmd5sum", Meaning::Digest(&FILE, 32)),
    ("FileItem/FileName", Meaning::Kind(&FILE_NAME)),
    ("FileDownloadHistoryItem/FileName", Meaning::Kind(&FILE_NAME)),
    ("Email/Attachment/Name", Meaning::Kind(&FILE_NAME)),
    ("Email/From", Meaning::Kind(&EMAIL_ADDR)),
    ("Email/To", Meaning::Kind(&EMAIL_ADDR)),
    ("Email/CC", Meaning::Kind(&EMAIL_ADDR)),
    ("Email/BCC", Meaning::Kind(&EMAIL_ADDR)),
    ("Email/ReplyTo", Meaning::Kind(&EMAIL_ADDR)),
    ("Email/Subject", Meaning::Kind(&EMAIL_SUBJECT)),
    ("Network/SSL/Certificate/Sha1", Meaning::Digest(&CERTIFICATE, 40)),
    ("Network/SSL/Certificate/Subject", Meaning::Kind(&SUBJECT)),
    ("Network/SSL/Certificate/Issuer", Meaning::Kind(&ISSUER)),
    ("Network/SSL/Certificate/Serial", Meaning::Kind(&SERIAL)),
];

/// Documents that describe a host, or traffic in terms that no parser here shows.
const REFUSED: &[&str] = &[
    "OpenIOC term ArpEntryItem",
    "OpenIOC term CookieHistoryItem",
    "OpenIOC term DiskItem",
    "OpenIOC term DnsEntryItem",
    "OpenIOC term DriverItem",
    "OpenIOC term Email",
    "OpenIOC term EventLogItem",
    "OpenIOC term FileDownloadHistoryItem",
    "OpenIOC term FileItem",
    "OpenIOC term FormHistoryItem",
    "OpenIOC term HookItem",
    "OpenIOC term ModuleItem",
    "OpenIOC term Network",
    "OpenIOC term PersistenceItem",
    "OpenIOC term PortItem",
    "OpenIOC term PrefetchItem",
    "OpenIOC term ProcessItem",
    "OpenIOC term QuarantineListItem",
    "OpenIOC term RegistryItem",
    "OpenIOC term RouteEntryItem",
    "OpenIOC term ServiceItem",
    "OpenIOC term Snort",
    "OpenIOC term SystemInfoItem",
    "OpenIOC term SystemRestoreItem",
    "OpenIOC term TaskItem",
    "OpenIOC term UrlHistoryItem",
    "OpenIOC term UserItem",
    "OpenIOC term VolumeItem",
    "OpenIOC term Yara",
];
