//! What each attribute type of MISP means here: what is matched, and every other type by the name that it is refused under.
//!
//! Source: MISP's `describeTypes.json`. A type that is not in this table is refused as unknown.

use crate::indicator::kind::{
    CERTIFICATE, DOMAIN, EMAIL_ADDR, EMAIL_SUBJECT, FILE, FILE_NAME, HASSH, IPV4, JA3, JA3S, JA4, SERIAL, URL,
    USER_AGENT,
};
use crate::indicator::{Kind, Match};

/// How the value of an attribute is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::feed) enum Plan {
    /// A value of this kind that reaches so far.
    Value(&'static Kind, Match),
    /// A digest of so many hex digits, of this kind.
    Digest(&'static Kind, usize),
    /// `name|digest`: the digest says which file it is, the name is a remark.
    NamedDigest(usize),
    /// `address|port`.
    Endpoint,
    /// `name|port`: the name, in a flow that uses the port.
    NamePort,
    /// `name|address`: each for itself.
    NameAndAddress,
    /// Bytes, as Suricata's `content` writes them.
    Bytes,
    /// A Suricata rule.
    Rule,
    /// Not honoured, and why.
    Refused(&'static str),
}

/// What a type means; `None` for one that MISP does not have.
pub(in crate::feed) fn plan(name: &str) -> Option<Plan> {
    if let Some((_, plan)) = MATCHED.iter().find(|(known, _)| *known == name) {
        return Some(*plan);
    }
    let refused = REFUSED.iter().find(|known| known.strip_prefix(REFUSED_PREFIX) == Some(name));
    refused.map(|reason| Plan::Refused(reason))
}

const fn exact(kind: &'static Kind) -> Plan {
    Plan::Value(kind, Match::Exact)
}

const MATCHED: &[(&str, Plan)] = &[
    ("ip-src", exact(&IPV4)),
    ("ip-dst", exact(&IPV4)),
    ("ip-src|port", Plan::Endpoint),
    ("ip-dst|port", Plan::Endpoint),
    ("domain", Plan::Value(&DOMAIN, Match::Subtree)),
    ("hostname", exact(&DOMAIN)),
    ("domain|ip", Plan::NameAndAddress),
    ("hostname|port", Plan::NamePort),
    ("url", exact(&URL)),
    ("uri", exact(&URL)),
    ("email", exact(&EMAIL_ADDR)),
    ("email-src", exact(&EMAIL_ADDR)),
    ("email-dst", exact(&EMAIL_ADDR)),
    ("email-reply-to", exact(&EMAIL_ADDR)),
    ("email-subject", exact(&EMAIL_SUBJECT)),
    ("email-attachment", exact(&FILE_NAME)),
    ("filename", exact(&FILE_NAME)),
    ("md5", Plan::Digest(&FILE, 32)),
    ("sha1", Plan::Digest(&FILE, 40)),
    ("sha256", Plan::Digest(&FILE, 64)),
    ("filename|md5", Plan::NamedDigest(32)),
    ("filename|sha1", Plan::NamedDigest(40)),
    ("filename|sha256", Plan::NamedDigest(64)),
    ("malware-sample", Plan::NamedDigest(32)),
    ("user-agent", exact(&USER_AGENT)),
    ("ja3-fingerprint-md5", Plan::Digest(&JA3, 32)),
    ("ja3s-fingerprint-md5", Plan::Digest(&JA3S, 32)),
    ("ja4-fingerprint", exact(&JA4)),
    ("hassh-md5", Plan::Digest(&HASSH, 32)),
    ("hasshserver-md5", Plan::Digest(&HASSH, 32)),
    ("x509-fingerprint-sha1", Plan::Digest(&CERTIFICATE, 40)),
    ("x509-fingerprint-sha256", Plan::Digest(&CERTIFICATE, 64)),
    ("x509-serial-number", exact(&SERIAL)),
    ("pattern-in-traffic", Plan::Bytes),
    // Rules: for the reader of rules, which is not here.
    ("snort", Plan::Refused("attribute type snort")),
    ("suricata", Plan::Rule),
];

const REFUSED_PREFIX: &str = "attribute type ";

/// Types that say nothing that a parser shows, or that do not say it completely.
const REFUSED: &[&str] = &[
    "attribute type AS",
    "attribute type aba-rtn",
    "attribute type anonymised",
    "attribute type attachment",
    "attribute type authentihash",
    "attribute type azure-application-id",
    "attribute type bank-account-nr",
    "attribute type bic",
    "attribute type bin",
    "attribute type boolean",
    "attribute type bro",
    "attribute type btc",
    "attribute type campaign-id",
    "attribute type campaign-name",
    "attribute type cc-number",
    "attribute type cdhash",
    "attribute type chrome-extension-id",
    "attribute type comment",
    "attribute type community-id",
    "attribute type cookie",
    "attribute type cortex",
    "attribute type counter",
    "attribute type country-of-residence",
    "attribute type cpe",
    "attribute type dash",
    "attribute type date-of-birth",
    "attribute type datetime",
    "attribute type dkim",
    "attribute type dkim-signature",
    "attribute type dns-soa-email",
    "attribute type dom-hash",
    "attribute type email-body",
    "attribute type email-dst-display-name",
    "attribute type email-header",
    "attribute type email-message-id",
    "attribute type email-mime-boundary",
    "attribute type email-src-display-name",
    "attribute type email-thread-index",
    "attribute type email-x-mailer",
    "attribute type eppn",
    "attribute type favicon-mmh3",
    "attribute type filename|authentihash",
    "attribute type filename|imphash",
    "attribute type filename|impfuzzy",
    "attribute type filename|pehash",
    "attribute type filename|sha224",
    "attribute type filename|sha384",
    "attribute type filename|sha3-224",
    "attribute type filename|sha3-256",
    "attribute type filename|sha3-384",
    "attribute type filename|sha3-512",
    "attribute type filename|sha512",
    "attribute type filename|sha512/224",
    "attribute type filename|sha512/256",
    "attribute type filename|ssdeep",
    "attribute type filename|tlsh",
    "attribute type filename|vhash",
    "attribute type first-name",
    "attribute type float",
    "attribute type frequent-flyer-number",
    "attribute type full-name",
    "attribute type gender",
    "attribute type gene",
    "attribute type git-commit-id",
    "attribute type github-organisation",
    "attribute type github-repository",
    "attribute type github-username",
    "attribute type hex",
    "attribute type http-method",
    "attribute type iban",
    "attribute type identity-card-number",
    "attribute type impfuzzy",
    "attribute type imphash",
    "attribute type integer",
    "attribute type issue-date-of-the-visa",
    "attribute type jabber-id",
    "attribute type jarm-fingerprint",
    "attribute type kusto-query",
    "attribute type last-name",
    "attribute type link",
    "attribute type mac-address",
    "attribute type mac-eui-64",
    "attribute type malware-type",
    "attribute type middle-name",
    "attribute type mime-type",
    "attribute type mobile-application-id",
    "attribute type mutex",
    "attribute type named pipe",
    "attribute type nationality",
    "attribute type onion-address",
    "attribute type other",
    "attribute type passenger-name-record-locator-number",
    "attribute type passport-country",
    "attribute type passport-expiration",
    "attribute type passport-number",
    "attribute type pattern-filename",
    "attribute type pattern-in-file",
    "attribute type pattern-in-memory",
    "attribute type payment-details",
    "attribute type pdb",
    "attribute type pehash",
    "attribute type pgp-private-key",
    "attribute type pgp-public-key",
    "attribute type phone-number",
    "attribute type place-of-birth",
    "attribute type place-port-of-clearance",
    "attribute type place-port-of-onward-foreign-destination",
    "attribute type place-port-of-original-embarkation",
    "attribute type port",
    "attribute type primary-residence",
    "attribute type process-state",
    "attribute type prtn",
    "attribute type redress-number",
    "attribute type regkey",
    "attribute type regkey|value",
    "attribute type sha224",
    "attribute type sha3-224",
    "attribute type sha3-256",
    "attribute type sha3-384",
    "attribute type sha3-512",
    "attribute type sha384",
    "attribute type sha512",
    "attribute type sha512/224",
    "attribute type sha512/256",
    "attribute type sigma",
    "attribute type size-in-bytes",
    "attribute type special-service-request",
    "attribute type ssdeep",
    "attribute type ssh-fingerprint",
    "attribute type stix2-pattern",
    "attribute type target-email",
    "attribute type target-external",
    "attribute type target-location",
    "attribute type target-machine",
    "attribute type target-org",
    "attribute type target-user",
    "attribute type telfhash",
    "attribute type text",
    "attribute type threat-actor",
    "attribute type tlsh",
    "attribute type travel-details",
    "attribute type twitter-id",
    "attribute type vhash",
    "attribute type visa-number",
    "attribute type vulnerability",
    "attribute type weakness",
    "attribute type whois-creation-date",
    "attribute type whois-registrant-email",
    "attribute type whois-registrant-name",
    "attribute type whois-registrant-org",
    "attribute type whois-registrant-phone",
    "attribute type whois-registrar",
    "attribute type windows-scheduled-task",
    "attribute type windows-service-displayname",
    "attribute type windows-service-name",
    "attribute type x509-fingerprint-md5",
    "attribute type xmr",
    "attribute type yara",
    "attribute type zeek",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_matched_or_refused_by_its_name() {
        assert_eq!(plan("regkey"), Some(Plan::Refused("attribute type regkey")));
        assert_eq!(plan("named pipe"), Some(Plan::Refused("attribute type named pipe")));
        assert_eq!(plan("jarm-fingerprint"), Some(Plan::Refused("attribute type jarm-fingerprint")));
        assert_eq!(plan("domain"), Some(Plan::Value(&DOMAIN, Match::Subtree)));
        assert_eq!(plan("hostname"), Some(Plan::Value(&DOMAIN, Match::Exact)));
        assert_eq!(plan("evil.example"), None);
        let mut names: Vec<_> = REFUSED.to_vec();
        names.extend(MATCHED.iter().map(|(name, _)| *name));
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
        for (name, _) in MATCHED {
            assert!(!REFUSED.iter().any(|reason| reason.strip_prefix(REFUSED_PREFIX) == Some(name)), "{name}");
        }
    }
}
