//! What a header block shows, and what it says of the body below it.

use std::net::IpAddr;

use mail_parser::{ContentType, Header, HeaderValue, Host, Received};

use super::decode::Coding;
use crate::indicator::kind::{DOMAIN, EMAIL_ADDR, EMAIL_SUBJECT, USER_AGENT, email, of_addr};
use crate::indicator::{Field, Observable, Seen, Value, Where};

/// What alerts on any part of a mail say of the mail; of the outer one if it holds others.
#[derive(Default)]
pub(super) struct Context {
    from: Option<Box<[u8]>>,
    subject: Option<Box<[u8]>>,
    message_id: Option<Box<[u8]>>,
}

impl Context {
    pub(super) fn memory_bytes(&self) -> usize {
        [&self.from, &self.subject, &self.message_id].into_iter().flatten().map(|text| text.len()).sum()
    }

    pub(super) fn with(&self, show: impl FnOnce(&[Field<'_>])) {
        let mut fields = [Field::number("", 0); 3];
        let known = [
            ("email.from.address", &self.from),
            ("email.subject", &self.subject),
            ("email.message_id", &self.message_id),
        ];
        let known = known.iter().filter_map(|(path, value)| Some(Field::text(path, value.as_deref()?)));
        let mut count = 0;
        for (slot, field) in fields.iter_mut().zip(known) {
            *slot = field;
            count += 1;
        }
        show(fields.get(..count).unwrap_or(&fields));
    }

    fn learn(&mut self, headers: &[Header<'_>]) {
        for header in headers {
            let (place, text) = match name(header) {
                Name::Address("email.from.address") => (&mut self.from, addresses(&header.value).next()),
                Name::Subject => (&mut self.subject, header.value.as_text()),
                Name::MessageId => (&mut self.message_id, header.value.as_text()),
                _ => continue,
            };
            if let (None, Some(text)) = (&place, text) {
                *place = Some(text.as_bytes().iter().copied().take(MAX_CONTEXT_BYTES).collect());
            }
        }
    }
}

/// Fields that show something.
enum Name {
    /// A list of addresses, at this path.
    Address(&'static str),
    Subject,
    MessageId,
    Received,
    ReturnPath,
    OriginatingIp,
    Mailer,
    Other,
}

fn name(header: &Header<'_>) -> Name {
    let name = header.name();
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    match name.len() {
        2 if is("To") => Name::Address("email.to.address"),
        2 if is("Cc") => Name::Address("email.cc.address"),
        3 if is("Bcc") => Name::Address("email.bcc.address"),
        4 if is("From") => Name::Address("email.from.address"),
        6 if is("Sender") => Name::Address("email.sender.address"),
        7 if is("Subject") => Name::Subject,
        8 if is("Reply-To") => Name::Address("email.reply_to.address"),
        8 if is("Received") => Name::Received,
        8 if is("X-Mailer") => Name::Mailer,
        9 if is("Resent-To") => Name::Address("email.to.address"),
        9 if is("Resent-Cc") => Name::Address("email.cc.address"),
        10 if is("Message-ID") => Name::MessageId,
        10 if is("User-Agent") => Name::Mailer,
        11 if is("Return-Path") => Name::ReturnPath,
        11 if is("Resent-From") => Name::Address("email.from.address"),
        13 if is("Resent-Sender") => Name::Address("email.sender.address"),
        16 if is("X-Originating-IP") => Name::OriginatingIp,
        _ => Name::Other,
    }
}

/// Reports what a mail's header block shows.
pub(super) fn show(headers: &[Header<'_>], context: &mut Context, seen: Seen<'_>) {
    context.learn(headers);
    context.with(|with| {
        for header in headers {
            match name(header) {
                Name::Address(at) => addresses(&header.value).for_each(|text| address(text.as_bytes(), at, with, seen)),
                Name::ReturnPath => texts(&header.value)
                    .for_each(|text| address(text.as_bytes(), "picket.email.return_path", with, seen)),
                Name::Subject => subject(&header.value, with, seen),
                Name::Received => {
                    if let Some(received) = header.value.as_received() {
                        hop(received, with, seen);
                    }
                }
                Name::OriginatingIp => texts(&header.value)
                    .for_each(|text| host_name(text.as_bytes(), "picket.email.originating_ip", with, seen)),
                Name::Mailer => texts(&header.value).for_each(|text| {
                    let value = Value::Text(text.as_bytes());
                    seen(Observable { kind: &USER_AGENT, value, at: Where("email.x_mailer"), with });
                }),
                Name::MessageId | Name::Other => {}
            }
        }
    });
}

fn subject(value: &HeaderValue<'_>, with: &[Field<'_>], seen: Seen<'_>) {
    let mut form = Vec::new();
    for text in texts(value) {
        if email::normalise_subject(text.as_bytes(), &mut form) {
            let value = Value::Text(&form);
            seen(Observable { kind: &EMAIL_SUBJECT, value, at: Where("email.subject"), with });
        }
    }
}

/// The hosts of a `Received` line (RFC 5321, 4.4).
fn hop(received: &Received<'_>, with: &[Field<'_>], seen: Seen<'_>) {
    for host in [&received.from, &received.by, &received.helo].into_iter().flatten() {
        match host {
            Host::Name(name) => host_name(name.as_bytes(), RECEIVED, with, seen),
            Host::IpAddr(ip) => addr(*ip, RECEIVED, with, seen),
        }
    }
    if let Some(name) = &received.from_iprev {
        host_name(name.as_bytes(), RECEIVED, with, seen);
    }
    if let Some(ip) = received.from_ip {
        addr(ip, RECEIVED, with, seen);
    }
}

const RECEIVED: &str = "picket.email.received";

/// See [`super::address`].
pub(super) fn address(address: &[u8], at: &'static str, with: &[Field<'_>], seen: Seen<'_>) {
    let address = address.trim_ascii();
    let mut form = Vec::new();
    if !email::normalise_observed(address, &mut form) {
        return;
    }
    // What is compared is the normal form; the alert has it as it was seen, too.
    let mut fields = [Field::text(at, address); 4];
    for (slot, field) in fields.iter_mut().zip(with.iter().filter(|field| field.path.0 != at)) {
        *slot = *field;
    }
    let with = fields.get(..=with.len()).unwrap_or(&fields);
    seen(Observable { kind: &EMAIL_ADDR, value: Value::Text(&form), at: Where(at), with });
    if let Some((_, domain)) = email::split(address) {
        host_name(domain, at, with, seen);
    }
}

/// See [`super::host_name`].
pub(super) fn host_name(name: &[u8], at: &'static str, with: &[Field<'_>], seen: Seen<'_>) {
    let name = name.trim_ascii();
    let name = name.strip_prefix(b"[").and_then(|n| n.strip_suffix(b"]")).unwrap_or(name);
    // RFC 5321, 4.1.3: `[IPv6:2001:db8::1]`.
    let text = match name.split_at_checked(5) {
        Some((tag, rest)) if tag.eq_ignore_ascii_case(b"IPv6:") => rest,
        _ => name,
    };
    if let Some(ip) = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()) {
        addr(ip, at, with, seen);
    } else if memchr::memchr(b'.', name).is_some() {
        seen(Observable { kind: &DOMAIN, value: Value::Text(name), at: Where(at), with });
    }
}

fn addr(ip: IpAddr, at: &'static str, with: &[Field<'_>], seen: Seen<'_>) {
    let ip = ip.to_canonical();
    seen(Observable { kind: of_addr(ip), value: Value::Addr(ip), at: Where(at), with });
}

fn addresses<'h>(value: &'h HeaderValue<'_>) -> impl Iterator<Item = &'h str> {
    value.as_address().into_iter().flat_map(|list| list.iter()).filter_map(|one| one.address())
}

fn texts<'h>(value: &'h HeaderValue<'_>) -> impl Iterator<Item = &'h str> {
    let list = value.as_text_list().unwrap_or_default();
    list.iter().map(|text| &**text).chain(value.as_text().filter(|_| list.is_empty()))
}

/// What a header block says of the body below it.
pub(super) struct Shape {
    pub(super) is_multipart: bool,
    /// `multipart/digest`.
    pub(super) is_digest: bool,
    /// A mail in the mail.
    pub(super) is_mail: bool,
    pub(super) boundary: Option<Box<[u8]>>,
    pub(super) coding: Coding,
    /// What the part is called, decoded.
    pub(super) name: Option<Box<[u8]>>,
    /// Text to look for links in.
    pub(super) text: Option<Text>,
}

#[derive(Clone, Copy)]
pub(super) struct Text {
    pub(super) is_html: bool,
    /// In UTF-16.
    pub(super) is_wide: bool,
}

impl Shape {
    pub(super) fn of(headers: &[Header<'_>], in_digest: bool) -> Self {
        let find = |wanted: &str| headers.iter().rfind(|header| header.name().eq_ignore_ascii_case(wanted));
        let content = find("Content-Type").and_then(|header| header.value.as_content_type());
        let disposition = find("Content-Disposition").and_then(|header| header.value.as_content_type());
        let coding = find("Content-Transfer-Encoding").and_then(|header| header.value.as_text()).unwrap_or_default();
        let coding = Coding::named(coding.as_bytes());
        let attribute = |of: Option<&ContentType<'_>>, wanted| {
            of.and_then(|value| value.attribute(wanted)).map(|text| Box::<[u8]>::from(text.as_bytes()))
        };
        let kind = content.map_or("", |content| content.ctype());
        let subtype = content.and_then(|content| content.subtype()).unwrap_or_default();
        let is = |a: &str, b: &str| kind.eq_ignore_ascii_case(a) && (b.is_empty() || subtype.eq_ignore_ascii_case(b));
        let is_mail = is("message", "rfc822") || is("message", "global") || (kind.is_empty() && in_digest);
        let name = attribute(disposition, "filename").or_else(|| attribute(content, "name"));
        let named_html = name.as_deref().is_some_and(|name| {
            let ending = name.rsplit(|b| *b == b'.').next().unwrap_or_default();
            HTML_ENDINGS.iter().any(|html| ending.eq_ignore_ascii_case(html))
        });
        let is_html = is("text", "html") || is("application", "xhtml+xml") || named_html;
        let is_text = kind.is_empty() || is("text", "") || is_html;
        let charset = content.and_then(|content| content.attribute("charset")).unwrap_or_default();
        let is_wide = charset.as_bytes().get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"utf-16"));
        Self {
            is_multipart: is("multipart", ""),
            is_digest: is("multipart", "digest"),
            is_mail: is_mail && coding.is_plain(),
            boundary: attribute(content, "boundary"),
            coding,
            name,
            text: is_text.then_some(Text { is_html, is_wide }),
        }
    }
}

/// Endings of pages: what a part is called counts more than its type, for whoever opens it.
const HTML_ENDINGS: [&[u8]; 5] = [b"html", b"htm", b"xhtml", b"shtml", b"svg"];

/// An alert need not repeat more of a field than this.
const MAX_CONTEXT_BYTES: usize = 512;
