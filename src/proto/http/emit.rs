//! What a head shows, as observables: each host, URL and user agent, with the rest of the head for the alert.
//!
//! The only allocations are two scratch buffers a thread: a URL is put together in one, folded lines are joined in the other. They grow to
//! the longest head.

use std::cell::Cell;

use super::Hint;
use super::head::{self, Fields, Framing, Head, Line, Name};
use crate::indicator::kind::url::{self, Parts};
use crate::indicator::kind::{DOMAIN, RULE, URL, USER_AGENT, of_addr};
use crate::indicator::{Field, Observable, Seen, Transport, Value, Where};

const URL_FULL: &str = "url.full";
const URL_ORIGINAL: &str = "url.original";
const URL_DOMAIN: &str = "url.domain";
const METHOD: &str = "http.request.method";
const TARGET: &str = "http.request.target";
const STATUS: &str = "http.response.status_code";
const AGENT: &str = "user_agent.original";
const REFERRER: &str = "http.request.referrer";
const REQUEST_LOCATION: &str = "http.request.headers.location";
const RESPONSE_LOCATION: &str = "http.response.headers.location";

/// Reports a head, whose fields these are, and says how its body is framed.
pub(super) fn head(head: &Head<'_>, fields: &Fields<'_>, hint: &Hint, seen: Seen<'_>) -> Framing {
    if !fields.folded {
        return unfolded(head, fields, hint, seen);
    }
    let mut scratch = HEADERS.take();
    head::unfold(head.headers, &mut scratch);
    let framing = unfolded(head, &Fields::of(&scratch), hint, seen);
    HEADERS.set(scratch);
    framing
}

fn unfolded(head: &Head<'_>, fields: &Fields<'_>, hint: &Hint, seen: Seen<'_>) -> Framing {
    let mut report = Report { fields, agent: fields.values(Name::UserAgent).next(), hint, seen };
    if hint.wants.kind(&RULE) {
        report.message(head);
    }
    match head.line {
        Line::Request { method, target } => {
            report.request(method, target, true);
            // A target with a blank in it is none (RFC 9112, 3.2): some servers take it whole, some up to the blank.
            if let Some(blank) = memchr::memchr2(b' ', b'\t', target) {
                report.request(method, target.get(..blank).unwrap_or(&[]), false);
            }
        }
        Line::Response { status } => report.response(status),
    }
    Framing::of(fields)
}

/// Reports as much of a head as whole lines of it are there; the last line counts without its end if the message `ends` there.
pub(super) fn whole_lines(data: &[u8], ends: bool, hint: &Hint, seen: Seen<'_>) {
    let data = data.trim_ascii_start();
    let mut fields = Fields::none();
    if let Some((message, _)) = Head::whole(data, &mut fields) {
        head(&message, &fields, hint, seen);
        return;
    }
    let end = match head::find_end(data, 0) {
        Ok(end) => end,
        Err(_) if ends => data.len(),
        Err(_) => memchr::memrchr(b'\n', data).map_or(0, |at| at + 1),
    };
    if let Some(message) = data.get(..end).and_then(Head::new) {
        head(&message, &Fields::of(message.headers), hint, seen);
    }
}

/// Reports header lines that belong to no first line.
pub(super) fn fields(headers: &[u8], hint: &Hint, seen: Seen<'_>) {
    let fields = Fields::of(headers);
    let agent = fields.values(Name::UserAgent).next();
    Report { fields: &fields, agent, hint, seen }.fields(With::default().text(AGENT, agent));
}

struct Report<'h, 's> {
    fields: &'h Fields<'h>,
    agent: Option<&'h [u8]>,
    hint: &'h Hint,
    seen: Seen<'s>,
}

impl Report<'_, '_> {
    /// The host of the target, if it names one, and every `Host` that differs from it (RFC 9112, 3.2).
    fn request(&mut self, method: &[u8], target: &[u8], with_others: bool) {
        let connect = method.eq_ignore_ascii_case(b"CONNECT");
        let named = if is_absolute(target) {
            url::split(target)
        } else if connect {
            host(target)
        } else {
            None
        };
        let path = named.map_or(target, |named| if connect { b"" } else { named.target });
        let with = With::default().text(METHOD, Some(method)).text(AGENT, self.agent);
        let mut reported = !with_others;
        if let Some(named) = named {
            let full = (!connect || is_absolute(target)).then_some(Full::Target(target));
            self.resource(full, &named, with, !reported);
            reported = true;
        }
        let mut before = named;
        for value in self.fields.values(Name::Host) {
            let Some(parts) = host(value) else { continue };
            if before.is_some_and(|b| b.port == parts.port && b.host.eq_ignore_ascii_case(parts.host)) {
                continue;
            }
            before = Some(parts);
            let full = (!connect).then_some(Full::Host(value, path));
            self.resource(full, &parts, with, !reported);
            reported = true;
        }
        if !reported {
            self.others(with.text(URL_ORIGINAL, Some(target)).slice(), REQUEST_LOCATION);
        }
    }

    /// The whole head, for rules: its target or status, and the rest beside it.
    #[cold]
    fn message(&mut self, head: &Head<'_>) {
        let first = |name| self.fields.values(name).next();
        match head.line {
            Line::Request { method, target } => {
                let named = if is_absolute(target) { url::split(target) } else { None };
                let named = named.or_else(|| if method.eq_ignore_ascii_case(b"CONNECT") { host(target) } else { None });
                let host = named.or_else(|| first(Name::Host).and_then(host)).map(|parts| parts.host);
                let mut agents = self.fields.values(Name::UserAgent);
                let mut agent = agents.next().map(std::borrow::Cow::Borrowed);
                for more in agents {
                    let all = agent.get_or_insert_default().to_mut();
                    all.extend_from_slice(b", ");
                    all.extend_from_slice(more);
                }
                let known = [
                    (METHOD, Some(method)),
                    (URL_DOMAIN, host),
                    (AGENT, agent.as_deref()),
                    (REFERRER, first(Name::Referer)),
                ];
                let mut with = [Field::text(METHOD, method); 4];
                let mut count = 0;
                for (slot, (path, value)) in with.iter_mut().zip(known.into_iter().filter_map(|(p, v)| Some((p, v?)))) {
                    *slot = Field::text(path, value);
                    count += 1;
                }
                let value = Value::Text(target);
                let with = with.get(..count).unwrap_or(&[]);
                (self.seen)(Observable { kind: &RULE, value, at: Where(TARGET), with });
            }
            Line::Response { status } => {
                let status = status.to_string();
                let location = first(Name::Location).map(|value| Field::text(RESPONSE_LOCATION, value));
                let value = Value::Text(status.as_bytes());
                (self.seen)(Observable { kind: &RULE, value, at: Where(STATUS), with: location.as_slice() });
            }
        }
    }

    fn response(&mut self, status: u16) {
        self.fields(With::default().number(STATUS, u64::from(status)).text(AGENT, self.agent));
    }

    fn fields(&mut self, with: With<'_>) {
        for parts in self.fields.values(Name::Host).filter_map(host) {
            self.host(&parts, URL_DOMAIN, self.hint.transport, with.slice());
        }
        self.others(with.slice(), RESPONSE_LOCATION);
    }

    /// A host, and the URL `full`, which is only put together if somebody looks for one, or for the alert.
    fn resource(&mut self, full: Option<Full<'_>>, parts: &Parts<'_>, with: With<'_>, with_others: bool) {
        let is_wanted = self.hint.wants.kind(&URL);
        let mut buffer = if is_wanted { URL_TEXT.take() } else { Vec::new() };
        let make = || full.map(|full| full.text(&mut Vec::new()).to_vec()).unwrap_or_default();
        let with = match full {
            Some(full) if is_wanted => {
                let text = full.text(&mut buffer);
                let with = with.text(URL_FULL, Some(text)).text(URL_DOMAIN, Some(parts.host));
                let value = Value::Text(text);
                (self.seen)(Observable { kind: &URL, value, at: Where(URL_FULL), with: with.slice() });
                with
            }
            Some(_) => with.field(Field::made(URL_FULL, &make)).text(URL_DOMAIN, Some(parts.host)),
            None => with.text(URL_DOMAIN, Some(parts.host)),
        };
        self.host(parts, URL_DOMAIN, self.hint.transport, with.slice());
        if with_others {
            self.others(with.slice(), REQUEST_LOCATION);
        }
        if is_wanted {
            URL_TEXT.set(buffer);
        }
    }

    /// User agents, and the URLs in `Referer` and `Location`. Relative ones name no host that is not seen elsewhere.
    fn others(&mut self, with: &[Field<'_>], location: &'static str) {
        for (name, value) in self.fields.iter() {
            match name {
                Name::UserAgent if !value.is_empty() && self.hint.wants.kind(&USER_AGENT) => {
                    (self.seen)(Observable { kind: &USER_AGENT, value: Value::Text(value), at: Where(AGENT), with });
                }
                Name::Referer => self.link(value, REFERRER, with),
                Name::Location => self.link(value, location, with),
                _ => {}
            }
        }
    }

    fn link(&mut self, link: &[u8], at: &'static str, with: &[Field<'_>]) {
        if !is_absolute(link) && !link.starts_with(b"//") {
            return;
        }
        if let Some(parts) = url::split(link) {
            if self.hint.wants.kind(&URL) {
                (self.seen)(Observable { kind: &URL, value: Value::Text(link), at: Where(at), with });
            }
            self.host(&parts, at, Transport::Tcp, with);
        }
    }

    fn host(&mut self, parts: &Parts<'_>, at: &'static str, transport: Transport, with: &[Field<'_>]) {
        let (kind, value) = match (parts.addr(), parts.port) {
            (Some(addr), Some(port)) => (of_addr(addr), Value::Endpoint(addr, port, Some(transport))),
            (Some(addr), None) => (of_addr(addr), Value::Addr(addr)),
            (None, _) => (&DOMAIN, Value::Text(parts.host)),
        };
        (self.seen)(Observable { kind, value, at: Where(at), with });
    }
}

/// Fields for the alert; what does not fit is left out.
#[derive(Clone, Copy)]
struct With<'a> {
    fields: [Field<'a>; 4],
    count: usize,
}

impl Default for With<'_> {
    fn default() -> Self {
        Self { fields: [Field::number("", 0); 4], count: 0 }
    }
}

impl<'a> With<'a> {
    fn text(self, path: &'static str, value: Option<&'a [u8]>) -> Self {
        match value {
            Some(value) => self.field(Field::text(path, value)),
            None => self,
        }
    }

    fn number(self, path: &'static str, value: u64) -> Self {
        self.field(Field::number(path, value))
    }

    fn field(mut self, field: Field<'a>) -> Self {
        if let Some(slot) = self.fields.get_mut(self.count) {
            *slot = field;
            self.count += 1;
        }
        self
    }

    fn slice(&self) -> &[Field<'a>] {
        self.fields.get(..self.count).unwrap_or(&[])
    }
}

/// Whether a URL names its scheme and host.
fn is_absolute(text: &[u8]) -> bool {
    let scheme = text.iter().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')).count();
    scheme > 0 && text.get(scheme..).is_some_and(|rest| rest.starts_with(b"://"))
}

/// A `Host` value or CONNECT target. Some clients put a whole URL there.
fn host(value: &[u8]) -> Option<Parts<'_>> {
    match url::split_authority(value) {
        Some((host, port)) => Some(Parts { scheme: None, host, port: port.or(Some(80)), target: b"" }),
        None => url::split(value),
    }
}

/// A URL as a request says it.
#[derive(Clone, Copy)]
enum Full<'a> {
    /// Its target is one.
    Target(&'a [u8]),
    /// `Host` and path, which is `*` for requests to the server as a whole.
    Host(&'a [u8], &'a [u8]),
}

impl<'a> Full<'a> {
    /// All of it, put together in `buffer` if it must be.
    fn text<'b>(self, buffer: &'b mut Vec<u8>) -> &'b [u8]
    where
        'a: 'b,
    {
        let (host, path) = match self {
            Self::Target(target) => return target,
            Self::Host(host, path) => (host, path),
        };
        buffer.clear();
        buffer.extend_from_slice(b"http://");
        buffer.extend_from_slice(host);
        if !matches!(path.first(), Some(b'/' | b'*')) {
            buffer.push(b'/');
        }
        buffer.extend_from_slice(path);
        buffer
    }
}

// Reused so that a clean request allocates nothing. Each holds at most one head ([`super::MAX_HEAD_BYTES`]).
thread_local! {
    static URL_TEXT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static HEADERS: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}
