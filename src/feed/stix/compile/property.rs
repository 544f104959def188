//! The properties that are honoured, and what a test of one asks: [`terms`].

use super::{Test, text};
use crate::feed::recognise;
use crate::feed::stix::pattern::{Literal, Operator};
use crate::indicator::{Index, Match, Refusal};

/// What one alternative of a test asks.
#[derive(Clone)]
pub(super) struct Term {
    pub(super) property: Property,
    pub(super) value: Vec<u8>,
    pub(super) reach: Reach,
}

/// How far a term's value reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Reach {
    /// As [`Match`].
    To(Match),
    /// What is below a name, but not the name.
    Below,
    /// Bytes anywhere.
    Somewhere,
    /// Bytes at the beginning.
    AtStart,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Property {
    Ipv4,
    Ipv6,
    Name,
    Url,
    /// A mail address, in a field of the mail or (`None`) anywhere.
    Mail(Option<&'static str>),
    MailSubject,
    FileName,
    Digest(Owner, Algorithm),
    Serial,
    Issuer,
    Subject,
    Account,
    /// Of `network-traffic`.
    EndValue(End),
    /// The same value and port at the one end or at the other; made of two alternatives.
    EitherEnd,
    EndType(End),
    EndPort(End),
    Protocol,
    RequestTarget,
    RequestMethod,
    Host,
    UserAgent,
    /// Bytes in what the originator sends, the responder, or (`None`) anyone.
    Payload(Option<End>),
    /// The same in what either end sends; made of two alternatives.
    EitherPayload,
}

/// An end of `network-traffic`: its source is who opened the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum End {
    Source,
    Destination,
}

/// Whose digest it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    File,
    Certificate,
}

/// The weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Algorithm {
    Md5,
    Sha1,
    Sha256,
}

impl Algorithm {
    fn digits(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha1 => 40,
            Self::Sha256 => 64,
        }
    }
}

/// The alternatives of `test`: one, or those of an `IN`.
pub(super) fn terms(test: &Test) -> Result<Vec<Term>, Refusal> {
    let property = property(&test.path)?;
    if test.negated {
        return Err(Refusal::Unsupported("NOT"));
    }
    match test.operator {
        Operator::Equal | Operator::In => {
            if let Property::Payload(_) = property {
                return Err(Refusal::Unsupported("= of a whole payload (MATCHES finds bytes in it)"));
            }
            test.operands.iter().map(|operand| equal(property, operand)).collect()
        }
        Operator::Like => one(property, text::like(property, operand(test))?),
        Operator::Matches => one(property, text::matches(property, operand(test))?),
        Operator::IsSubset => match property {
            Property::Ipv4 | Property::Ipv6 | Property::EndValue(_) => {
                let network = operand(test).as_bytes();
                let known = recognise(network).map_err(|_| Refusal::BadAddress)?;
                if known.kind.index != Index::Prefix || known.port.is_some() {
                    return Err(Refusal::BadAddress);
                }
                one(property, (network.to_vec(), Reach::To(Match::Exact)))
            }
            _ => Err(Refusal::Unsupported("ISSUBSET of what is no address")),
        },
        Operator::NotEqual => Err(Refusal::Unsupported("!=")),
        Operator::Order => Err(Refusal::Unsupported("< or >")),
        Operator::IsSuperset => Err(Refusal::Unsupported("ISSUPERSET")),
        Operator::Exists => Err(Refusal::Unsupported("EXISTS")),
    }
}

fn one(property: Property, (value, reach): (Vec<u8>, Reach)) -> Result<Vec<Term>, Refusal> {
    Ok(vec![Term { property, value, reach }])
}

/// The operand of an operator that the grammar gives a text.
fn operand(test: &Test) -> &str {
    match test.operands.first() {
        Some(Literal::Text(text)) => text,
        _ => "",
    }
}

fn equal(property: Property, operand: &Literal) -> Result<Term, Refusal> {
    let value = match (property, operand) {
        // Ports are numbers; MISP writes them as texts.
        (Property::EndPort(_), Literal::Integer(port)) => port.to_string().into_bytes(),
        (_, Literal::Text(text)) => text.as_bytes().to_vec(),
        _ => return Err(Refusal::Unsupported("a literal of another type than its property")),
    };
    if let Property::Digest(_, algorithm) = property
        && value.iter().filter(|b| b.is_ascii_hexdigit()).count() != algorithm.digits()
    {
        return Err(Refusal::BadFingerprint);
    }
    Ok(Term { property, value, reach: Reach::To(Match::Exact) })
}

fn property(path: &str) -> Result<Property, Refusal> {
    if let Some((_, property)) = PROPERTIES.iter().find(|(known, _)| *known == path) {
        return Ok(*property);
    }
    for (prefix, owner) in [("file:hashes.", Owner::File), ("x509-certificate:hashes.", Owner::Certificate)] {
        if let Some(name) = path.strip_prefix(prefix) {
            let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
            return match plain.to_ascii_uppercase().as_str() {
                "MD5" if owner == Owner::File => Ok(Property::Digest(owner, Algorithm::Md5)),
                "SHA1" => Ok(Property::Digest(owner, Algorithm::Sha1)),
                "SHA256" => Ok(Property::Digest(owner, Algorithm::Sha256)),
                _ => Err(Refusal::Unsupported(
                    "a digest other than MD5, SHA-1 or SHA-256 of a file, SHA-1 or SHA-256 of a certificate",
                )),
            };
        }
    }
    let object = path.split(':').next().unwrap_or_default();
    let known = OBJECTS.iter().find(|(known, _)| *known == object);
    Err(Refusal::Unsupported(known.map_or("an object type that STIX does not define", |(_, what)| what)))
}

const PROPERTIES: &[(&str, Property)] = &[
    ("ipv4-addr:value", Property::Ipv4),
    ("ipv6-addr:value", Property::Ipv6),
    ("domain-name:value", Property::Name),
    ("url:value", Property::Url),
    ("email-addr:value", Property::Mail(None)),
    ("email-message:from_ref.value", Property::Mail(Some("email.from.address"))),
    ("email-message:sender_ref.value", Property::Mail(Some("email.sender.address"))),
    ("email-message:to_refs[*].value", Property::Mail(Some("email.to.address"))),
    ("email-message:cc_refs[*].value", Property::Mail(Some("email.cc.address"))),
    ("email-message:bcc_refs[*].value", Property::Mail(Some("email.bcc.address"))),
    ("email-message:subject", Property::MailSubject),
    ("file:name", Property::FileName),
    ("x509-certificate:serial_number", Property::Serial),
    ("x509-certificate:issuer", Property::Issuer),
    ("x509-certificate:subject", Property::Subject),
    ("user-account:account_login", Property::Account),
    ("network-traffic:src_ref.value", Property::EndValue(End::Source)),
    ("network-traffic:dst_ref.value", Property::EndValue(End::Destination)),
    ("network-traffic:src_ref.type", Property::EndType(End::Source)),
    ("network-traffic:dst_ref.type", Property::EndType(End::Destination)),
    ("network-traffic:src_port", Property::EndPort(End::Source)),
    ("network-traffic:dst_port", Property::EndPort(End::Destination)),
    ("network-traffic:protocols[*]", Property::Protocol),
    ("network-traffic:extensions.http-request-ext.request_value", Property::RequestTarget),
    ("network-traffic:extensions.http-request-ext.request_method", Property::RequestMethod),
    ("network-traffic:extensions.http-request-ext.request_header.Host", Property::Host),
    ("network-traffic:extensions.http-request-ext.request_header.User-Agent", Property::UserAgent),
    ("artifact:payload_bin", Property::Payload(None)),
    ("network-traffic:src_payload_ref.payload_bin", Property::Payload(Some(End::Source))),
    ("network-traffic:dst_payload_ref.payload_bin", Property::Payload(Some(End::Destination))),
];

/// The object types of STIX 2.1, section 6, and what is said of a property that is not in [`PROPERTIES`].
const OBJECTS: &[(&str, &str)] = &[
    ("artifact", "a property of artifact other than payload_bin"),
    ("autonomous-system", "autonomous-system"),
    ("directory", "directory"),
    ("domain-name", "a property of domain-name other than value"),
    ("email-addr", "a property of email-addr other than value"),
    ("email-message", "a property of email-message other than its addresses and subject"),
    ("file", "a property of file other than name and hashes"),
    ("ipv4-addr", "a property of ipv4-addr other than value"),
    ("ipv6-addr", "a property of ipv6-addr other than value"),
    ("mac-addr", "mac-addr"),
    ("mutex", "mutex"),
    (
        "network-traffic",
        "a property of network-traffic other than its ends, ports, protocols, payloads, request_method, request_value, Host and User-Agent",
    ),
    ("process", "process"),
    ("software", "software"),
    ("url", "a property of url other than value"),
    ("user-account", "a property of user-account other than account_login"),
    ("windows-registry-key", "windows-registry-key"),
    ("win-registry-key", "windows-registry-key"),
    ("x509-certificate", "a property of x509-certificate other than hashes, serial_number, issuer and subject"),
];
