//! [`Conjunction`]: terms that must hold together, as one thing that an indicator can name; or why none can.

use std::collections::{HashMap, HashSet};

use super::Plan;
use super::property::{End, Owner, Property, Reach, Term};
use crate::feed::recognise;
use crate::indicator::kind::{
    BYTES, CERTIFICATE, DOMAIN, EMAIL_ADDR, EMAIL_SUBJECT, FILE, FILE_NAME, IPV4, IPV6, ISSUER, SERIAL, SUBJECT, URL,
    USER_AGENT, USER_NAME,
};
use crate::indicator::{Condition, Index, Kind, Match, PROTOCOLS, Pattern, Refusal, Transport, Window};

/// See the module. Every part is there at most once.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Conjunction {
    subject: Option<Subject>,
    source: EndParts,
    destination: EndParts,
    transport: Option<Transport>,
    /// Version of the Internet Protocol.
    version: Option<u8>,
    protocol: Option<&'static str>,
    pub(super) host: Option<Vec<u8>>,
    pub(super) target: Option<Vec<u8>>,
    pub(super) method: Option<Vec<u8>>,
}

/// What else is said of a request.
pub(super) struct Request<'a> {
    pub(super) agent: Option<&'a [u8]>,
    /// The destination's.
    pub(super) port: Option<u16>,
    /// TCP is named.
    pub(super) is_tcp: bool,
}

/// The value itself.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Subject {
    property: Property,
    value: Vec<u8>,
    reach: Reach,
}

#[derive(Clone, PartialEq, Eq, Hash, Default)]
struct EndParts {
    sort: Option<Sort>,
    port: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Sort {
    Ipv4,
    Ipv6,
    Name,
}

impl Conjunction {
    pub(super) fn of(terms: &[Term]) -> Result<Self, Refusal> {
        let mut out = Self::default();
        for term in terms {
            out.add(term)?;
        }
        Ok(out)
    }

    fn add(&mut self, term: &Term) -> Result<(), Refusal> {
        let text = || std::str::from_utf8(&term.value).unwrap_or_default();
        match term.property {
            Property::EndType(end) => {
                let sort = match text() {
                    "ipv4-addr" => Sort::Ipv4,
                    "ipv6-addr" => Sort::Ipv6,
                    "domain-name" => Sort::Name,
                    _ => return Err(Refusal::Unsupported("an end that is neither address nor name")),
                };
                put(&mut self.end(end).sort, sort)
            }
            Property::EndPort(end) => {
                let port = crate::feed::field::number(text())?;
                put(&mut self.end(end).port, port)
            }
            Property::Protocol => self.add_protocol(&text().to_ascii_lowercase()),
            Property::Host => put(&mut self.host, term.value.clone()),
            Property::RequestTarget => put(&mut self.target, term.value.clone()),
            Property::RequestMethod => put(&mut self.method, term.value.to_ascii_lowercase()),
            property => {
                let subject = Subject { property, value: term.value.clone(), reach: term.reach };
                match &mut self.subject {
                    Some(known) => known.join(subject),
                    none => {
                        *none = Some(subject);
                        Ok(())
                    }
                }
            }
        }
    }

    fn add_protocol(&mut self, name: &str) -> Result<(), Refusal> {
        match name {
            "tcp" => put(&mut self.transport, Transport::Tcp),
            "udp" => put(&mut self.transport, Transport::Udp),
            "ipv4" => put(&mut self.version, 4),
            "ipv6" => put(&mut self.version, 6),
            // Every packet that is looked into is one.
            "ip" => Ok(()),
            _ => match PROTOCOLS.iter().find(|known| **known == name) {
                Some(known) => put(&mut self.protocol, *known),
                None => Err(Refusal::Unsupported("a protocol that nothing here recognises")),
            },
        }
    }

    fn end(&mut self, end: End) -> &mut EndParts {
        match end {
            End::Source => &mut self.source,
            End::Destination => &mut self.destination,
        }
    }

    /// The reach of a name with which nothing else must hold.
    fn bare_name(&self) -> Option<Reach> {
        let subject = self.subject.as_ref().filter(|subject| subject.property == Property::Name)?;
        let alone = Self { subject: Some(subject.clone()), ..Self::default() } == *self;
        alone.then_some(subject.reach)
    }

    fn name_key(&self) -> Vec<u8> {
        self.subject.as_ref().map(|subject| subject.value.to_ascii_lowercase()).unwrap_or_default()
    }

    /// Whether its value is of this end.
    fn is_at(&self, end: End) -> bool {
        let property = self.subject.as_ref().map(|subject| subject.property);
        property == Some(Property::EndValue(end)) || property == Some(Property::Payload(Some(end)))
    }

    /// The same of the other end. Ports are the ends' own; for payloads they stay, because only who sends changes.
    fn mirrored(&self) -> Self {
        let mut out = self.clone();
        let Some(subject) = &mut out.subject else { return out };
        let other = |end| if end == End::Source { End::Destination } else { End::Source };
        match subject.property {
            Property::EndValue(end) => {
                subject.property = Property::EndValue(other(end));
                std::mem::swap(&mut out.source, &mut out.destination);
            }
            Property::Payload(Some(end)) => subject.property = Property::Payload(Some(other(end))),
            _ => {}
        }
        out
    }

    /// Appends the indicators that say this: one, or two where a name is seen in two places.
    pub(super) fn plans(&self, window: Window, out: &mut Vec<Plan>) -> Result<(), Refusal> {
        if self.method.is_some() {
            out.push(self.method_plan(window)?);
            return Ok(());
        }
        let Some(subject) = &self.subject else { return self.request(window, out) };
        if self.host.is_some() || self.target.is_some() {
            return Err(TWO_VALUES);
        }
        let plain = |kind| Plan {
            kind,
            value: subject.value.clone(),
            matching: Match::Exact,
            port: None,
            transport: None,
            pattern: Pattern::default(),
            when: None,
            rule: None,
            window,
        };
        let at = |kind, field| Plan { when: field_condition(field), ..plain(kind) };
        let reach = match subject.reach {
            Reach::To(matching) => matching,
            Reach::Below => return Err(Refusal::Unsupported("what is below a name without the name itself")),
            Reach::Somewhere | Reach::AtStart => Match::Exact,
        };
        let plan = match subject.property {
            Property::EndValue(end) => return self.end_plans(Some(end), subject, plain, out),
            Property::EitherEnd => return self.end_plans(None, subject, plain, out),
            Property::Payload(_) | Property::EitherPayload => return self.payload(subject, plain(&BYTES), out),
            Property::Ipv4 => plain(of_version(&IPV4, &subject.value)?),
            Property::Ipv6 => plain(of_version(&IPV6, &subject.value)?),
            // STIX compares the text; read as lists are it would be another name.
            Property::Name if subject.value.starts_with(b"*") || subject.value.starts_with(b".") => {
                return Err(Refusal::BadName);
            }
            Property::Name => Plan { matching: reach, ..plain(&DOMAIN) },
            Property::Url => Plan { matching: reach, ..plain(&URL) },
            Property::Mail(field) => Plan { when: field.and_then(field_condition), ..plain(&EMAIL_ADDR) },
            Property::MailSubject => plain(&EMAIL_SUBJECT),
            Property::FileName => plain(&FILE_NAME),
            Property::Digest(Owner::File, _) => plain(&FILE),
            Property::Digest(Owner::Certificate, _) => plain(&CERTIFICATE),
            Property::Serial => plain(&SERIAL),
            Property::Issuer => plain(&ISSUER),
            Property::Subject => plain(&SUBJECT),
            Property::Account => plain(&USER_NAME),
            Property::UserAgent => at(&USER_AGENT, "user_agent.original"),
            // `add` keeps these elsewhere.
            Property::EndType(_)
            | Property::EndPort(_)
            | Property::Protocol
            | Property::RequestTarget
            | Property::RequestMethod
            | Property::Host => {
                return Err(TWO_VALUES);
            }
        };
        // A header of a request is part of network-traffic; the others are objects of their own.
        let of_traffic = plan.kind == &USER_AGENT;
        out.push(self.limited(plan, of_traffic)?);
        Ok(())
    }

    /// `None` if it says what no request can be held to.
    pub(super) fn of_request(&self) -> Option<Request<'_>> {
        let agent = match &self.subject {
            None => None,
            Some(subject) if subject.property == Property::UserAgent => Some(subject.value.as_slice()),
            Some(_) => return None,
        };
        let is_http = self.protocol.is_none_or(|name| name == "http");
        let is_tcp = self.transport.is_none_or(|transport| transport == Transport::Tcp);
        let is_plain = self.source == EndParts::default() && self.destination.sort.is_none() && self.version.is_none();
        (is_http && is_tcp && is_plain).then_some(Request {
            agent,
            port: self.destination.port,
            is_tcp: self.transport.is_some(),
        })
    }

    /// `plan` with the protocol that is asked for, or a refusal if more is asked than its value can be held to.
    fn limited(&self, plan: Plan, of_traffic: bool) -> Result<Plan, Refusal> {
        let none = EndParts::default();
        if self.source != none || self.destination != none || self.transport.is_some() || self.version.is_some() {
            return Err(Refusal::Unsupported("an end, port or transport of what is no address or payload"));
        }
        match self.protocol {
            None => Ok(plan),
            Some(_) if !of_traffic => Err(Refusal::Unsupported("a protocol of what is no network-traffic")),
            Some(_) => Ok(Plan { when: self.with_protocol(plan.when.clone()), ..plan }),
        }
    }

    fn with_protocol(&self, when: Option<Condition>) -> Option<Condition> {
        match self.protocol {
            None => when,
            protocol => Some(Condition { protocol, ..when.unwrap_or_default() }),
        }
    }

    /// The address or name of an end of network-traffic. An address and port at either end is that endpoint, wherever it is
    /// seen.
    fn end_plans(
        &self,
        end: Option<End>,
        subject: &Subject,
        plain: impl Fn(&'static Kind) -> Plan,
        out: &mut Vec<Plan>,
    ) -> Result<(), Refusal> {
        let (own, other) = match end {
            Some(End::Source) | None => (&self.source, &self.destination),
            Some(End::Destination) => (&self.destination, &self.source),
        };
        if *other != EndParts::default() {
            return Err(Refusal::Unsupported("something of the other end than the one that is named"));
        }
        let kind =
            recognise(&subject.value).map_err(|_| Refusal::Unsupported("an end that is neither address nor name"))?;
        if kind.port.is_some() {
            return Err(Refusal::BadAddress);
        }
        let sort = match kind.kind.index {
            Index::Prefix if kind.kind == &IPV4 => Sort::Ipv4,
            Index::Prefix => Sort::Ipv6,
            Index::Suffix => Sort::Name,
            _ => return Err(Refusal::Unsupported("an end that is neither address nor name")),
        };
        let of_version = match self.version {
            Some(4) => sort != Sort::Ipv6,
            Some(_) => sort != Sort::Ipv4,
            None => true,
        };
        if own.sort.is_some_and(|said| said != sort) || !of_version {
            return Err(Refusal::Unsupported("an end that contradicts its type or protocol"));
        }
        if sort == Sort::Name {
            return self.named_end(end, own, plain, out);
        }
        let place = match end {
            Some(End::Source) => field_condition("source.ip"),
            Some(End::Destination) => field_condition("destination.ip"),
            None => None,
        };
        let when = self.with_protocol(place);
        let kind = if sort == Sort::Ipv4 { &IPV4 } else { &IPV6 };
        out.push(Plan { port: own.port, transport: self.transport, when, ..plain(kind) });
        Ok(())
    }

    /// Traffic addressed to a name: what asks for it in TLS and HTTP.
    fn named_end(
        &self,
        end: Option<End>,
        own: &EndParts,
        plain: impl Fn(&'static Kind) -> Plan,
        out: &mut Vec<Plan>,
    ) -> Result<(), Refusal> {
        if end != Some(End::Destination) {
            return Err(Refusal::Unsupported("a source that is a name"));
        }
        if own.port.is_some() || self.transport.is_some() || self.version.is_some() {
            return Err(Refusal::Unsupported("a port or transport of a name"));
        }
        for field in ["tls.client.server_name", "url.domain"] {
            out.push(Plan { when: self.with_protocol(field_condition(field)), ..plain(&DOMAIN) });
        }
        Ok(())
    }

    fn payload(&self, subject: &Subject, plan: Plan, out: &mut Vec<Plan>) -> Result<(), Refusal> {
        let ends = [&self.source, &self.destination];
        if ends.iter().any(|end| end.sort.is_some()) || self.version.is_some() {
            return Err(TWO_VALUES);
        }
        let limited = ends.iter().any(|end| end.port.is_some()) || self.transport.is_some() || self.protocol.is_some();
        if subject.property == Property::Payload(None) && limited {
            return Err(Refusal::Unsupported("ports or protocols of an artifact"));
        }
        let direction = match subject.property {
            Property::Payload(Some(end)) => {
                Some(Condition { to_responder: Some(end == End::Source), ..Condition::default() })
            }
            _ => None,
        };
        let length = u32::try_from(subject.value.len()).map_err(|_| Refusal::TooLong)?;
        let start = subject.reach == Reach::AtStart;
        let pattern = Pattern {
            offset: start.then_some(0),
            depth: start.then_some(length),
            source_port: self.source.port,
            ..Pattern::default()
        };
        let when = self.with_protocol(direction);
        out.push(Plan { port: self.destination.port, transport: self.transport, pattern, when, ..plan });
        Ok(())
    }

    /// What only parts of a request say: host and target are a URL, the host alone a name.
    fn request(&self, window: Window, out: &mut Vec<Plan>) -> Result<(), Refusal> {
        let plan = |kind, value, field| Plan {
            kind,
            value,
            matching: Match::Exact,
            port: None,
            transport: None,
            pattern: Pattern::default(),
            when: field_condition(field),
            rule: None,
            window,
        };
        let found = match (&self.host, &self.target) {
            (Some(host), Some(target)) if target.starts_with(b"/") => {
                plan(&URL, [b"http://", &host[..], target].concat(), "url.full")
            }
            (Some(host), None) => plan(&DOMAIN, host.clone(), "url.domain"),
            (_, Some(_)) => return Err(Refusal::Unsupported("request_value without the Host that it is asked of")),
            (None, None) => return Err(Refusal::Unsupported("ports and protocols without a value")),
        };
        out.push(self.limited(found, true)?);
        Ok(())
    }
}

impl Subject {
    /// Several digests of one file or certificate are one value, the strongest: what has it has the others.
    fn join(&mut self, other: Self) -> Result<(), Refusal> {
        if *self == other {
            return Ok(());
        }
        match (self.property, other.property) {
            (Property::Digest(owner, a), Property::Digest(other_owner, b)) if owner == other_owner && a != b => {
                if b > a {
                    *self = other;
                }
                Ok(())
            }
            _ => Err(TWO_VALUES),
        }
    }
}

/// Joins what only together can be said by one indicator.
pub(super) fn unite(all: &mut Vec<Conjunction>) {
    unite_names(all);
    unite_ends(all);
}

/// What asks the same of the source and of the destination asks it of either.
fn unite_ends(all: &mut Vec<Conjunction>) {
    let sources: HashSet<Conjunction> = all.iter().filter(|one| one.is_at(End::Source)).cloned().collect();
    let at_destination = all.iter().filter(|one| one.is_at(End::Destination)).map(Conjunction::mirrored);
    let both: HashSet<Conjunction> = at_destination.filter(|mirrored| sources.contains(mirrored)).collect();
    if both.is_empty() {
        return;
    }
    all.retain(|one| !(one.is_at(End::Destination) && both.contains(&one.mirrored())));
    for one in all.iter_mut().filter(|one| both.contains(*one)) {
        if let Some(subject) = &mut one.subject {
            subject.property = match subject.property {
                Property::EndValue(_) => Property::EitherEnd,
                _ => Property::EitherPayload,
            };
        }
    }
}

/// A name and everything below it. What is left below a name is refused later.
fn unite_names(all: &mut Vec<Conjunction>) {
    if !all.iter().any(|one| one.bare_name() == Some(Reach::Below)) {
        return;
    }
    let mut names: HashMap<Vec<u8>, (bool, bool)> = HashMap::new();
    for one in all.iter() {
        let (itself, below) = names.entry(one.name_key()).or_default();
        *itself |= matches!(one.bare_name(), Some(Reach::To(_)));
        *below |= one.bare_name() == Some(Reach::Below);
    }
    let is_whole = |one: &Conjunction| one.bare_name().is_some() && names.get(&one.name_key()) == Some(&(true, true));
    all.retain(|one| !(is_whole(one) && one.bare_name() == Some(Reach::Below)));
    for one in all.iter_mut().filter(|one| is_whole(one)) {
        if let Some(subject) = &mut one.subject {
            subject.reach = Reach::To(Match::Subtree);
        }
    }
}

fn put<T: PartialEq>(place: &mut Option<T>, value: T) -> Result<(), Refusal> {
    match place {
        Some(known) if *known != value => Err(TWO_VALUES),
        _ => {
            *place = Some(value);
            Ok(())
        }
    }
}

fn field_condition(field: &'static str) -> Option<Condition> {
    Some(Condition { field: Some(field), ..Condition::default() })
}

fn of_version(kind: &'static Kind, value: &[u8]) -> Result<&'static Kind, Refusal> {
    if value.contains(&b':') == (kind == &IPV6) { Ok(kind) } else { Err(Refusal::BadAddress) }
}

const TWO_VALUES: Refusal = Refusal::Unsupported("AND of values that only together mean something");
