//! An indicator as a STIX pattern, if there is one that means the same.

use crate::indicator::kind::{
    BYTES, CERTIFICATE, DOMAIN, EMAIL_ADDR, EMAIL_SUBJECT, FILE, FILE_NAME, IPV4, IPV6, ISSUER, SERIAL, SUBJECT, URL,
    USER_AGENT, USER_NAME,
};
use crate::indicator::{Condition, Indicator, Match, Pattern, Transport};

/// The pattern, or what about the indicator STIX (or its reading here) cannot say.
pub(super) fn of(indicator: &Indicator<'_>) -> Result<String, &'static str> {
    let shown = (indicator.kind.display)(indicator.value);
    let when = indicator.when.cloned().unwrap_or_default();
    if when.function.is_some() || when.port.is_some() {
        return Err("a condition on a port or function");
    }
    if indicator.transport == Some(Transport::Ethernet) {
        return Err("frames that are not IP");
    }
    let kind = indicator.kind;
    if indicator.rule.is_some() {
        // One that was made of a pattern has the pattern for its text.
        let text = std::str::from_utf8(indicator.value).ok().filter(|text| text.starts_with('['));
        return text.map(str::to_owned).ok_or("a rule that no object of STIX can carry");
    }
    if kind == &BYTES {
        return bytes(indicator, &when);
    }
    let value = std::str::from_utf8(indicator.value).map(|_| shown);
    let value = if [&IPV4, &IPV6].contains(&kind) {
        (kind.display)(indicator.value)
    } else {
        value.map_err(|_| "a value that is no text")?
    };
    let value = &*value;
    if [&IPV4, &IPV6].contains(&kind) {
        return address(indicator, &when, value);
    }
    if indicator.port.is_some() || indicator.transport.is_some() || when.to_responder.is_some() {
        return Err("a port, transport or direction of what is no address or payload");
    }
    if when != Condition::default() {
        return conditional(indicator, &when, value);
    }
    let equal = |path: &str| Ok(format!("[{path} = {}]", quoted(value)));
    match kind {
        _ if kind == &DOMAIN => name(indicator.matching, value),
        _ if kind == &URL => url(indicator.matching, value),
        _ if kind == &FILE => equal(match value.len() {
            32 => "file:hashes.MD5",
            40 => "file:hashes.'SHA-1'",
            _ => "file:hashes.'SHA-256'",
        }),
        _ if kind == &CERTIFICATE => equal(match value.len() {
            40 => "x509-certificate:hashes.'SHA-1'",
            _ => "x509-certificate:hashes.'SHA-256'",
        }),
        _ if kind == &SERIAL => equal("x509-certificate:serial_number"),
        _ if kind == &ISSUER => equal("x509-certificate:issuer"),
        _ if kind == &SUBJECT => equal("x509-certificate:subject"),
        _ if kind == &FILE_NAME => equal("file:name"),
        _ if kind == &USER_NAME => equal("user-account:account_login"),
        _ if kind == &EMAIL_ADDR => equal("email-addr:value"),
        _ if kind == &EMAIL_SUBJECT => equal("email-message:subject"),
        _ if kind == &USER_AGENT => Err("a user-agent that is not HTTP's alone"),
        _ => Err("a kind that STIX has no object for"),
    }
}

fn name(matching: Match, value: &str) -> Result<String, &'static str> {
    let itself = format!("domain-name:value = {}", quoted(value));
    Ok(match matching {
        Match::Subtree if value.contains('_') => {
            let below = quoted(&format!("\\.{}$", regex_syntax::escape(value)));
            format!("[{itself} OR domain-name:value MATCHES {below}]")
        }
        Match::Subtree => format!("[{itself} OR domain-name:value LIKE {}]", quoted(&format!("%.{value}"))),
        _ => format!("[{itself}]"),
    })
}

/// The normal form has no scheme, and reading ignores it.
fn url(matching: Match, value: &str) -> Result<String, &'static str> {
    let whole = format!("http://{value}");
    match matching {
        Match::Prefix if !value.ends_with('/') => Err("a prefix of URLs that does not end in a slash"),
        Match::Prefix if value.contains(['%', '_']) => {
            Ok(format!("[url:value MATCHES {}]", quoted(&format!("^{}", regex_syntax::escape(&whole)))))
        }
        Match::Prefix => Ok(format!("[url:value LIKE {}]", quoted(&format!("{whole}%")))),
        _ => Ok(format!("[url:value = {}]", quoted(&whole))),
    }
}

/// The limits of a value that some property of STIX holds.
fn conditional(indicator: &Indicator<'_>, when: &Condition, value: &str) -> Result<String, &'static str> {
    const HEADER: &str = "network-traffic:extensions.'http-request-ext'.request_header";
    const NO_PLACE: &str = "a place that STIX has no property for";
    let mut terms = Vec::new();
    let kind = indicator.kind;
    match when.field {
        Some(field) if kind == &EMAIL_ADDR && when.protocol.is_none() => {
            let known = MAIL_FIELDS.iter().find(|(known, _)| *known == field);
            terms.push(format!("email-message:{} = {}", known.ok_or(NO_PLACE)?.1, quoted(value)));
        }
        Some("user_agent.original") if kind == &USER_AGENT => {
            terms.push(format!("{HEADER}.'User-Agent' = {}", quoted(value)));
        }
        Some("url.domain") if kind == &DOMAIN && indicator.matching == Match::Exact => {
            terms.push(format!("{HEADER}.'Host' = {}", quoted(value)));
        }
        Some("url.full") if kind == &URL && indicator.matching == Match::Exact => {
            let (host, target) = value.split_at(value.find('/').unwrap_or(value.len()));
            terms.push(format!("{HEADER}.'Host' = {}", quoted(host)));
            terms.push(format!("network-traffic:extensions.'http-request-ext'.request_value = {}", quoted(target)));
        }
        _ => return Err(NO_PLACE),
    }
    terms.extend(protocol(when));
    Ok(format!("[{}]", terms.join(" AND ")))
}

/// An address anywhere, at an end of the flow, or (with a limit and no end) at either.
fn address(indicator: &Indicator<'_>, when: &Condition, value: &str) -> Result<String, &'static str> {
    let operator = if value.contains('/') { "ISSUBSET" } else { "=" };
    let is_limited = indicator.port.is_some() || indicator.transport.is_some() || when.protocol.is_some();
    let at = |end: &str| {
        let mut terms = vec![format!("network-traffic:{end}_ref.value {operator} {}", quoted(value))];
        terms.extend(indicator.port.map(|port| format!("network-traffic:{end}_port = {port}")));
        terms.extend(transport(indicator.transport));
        terms.extend(protocol(when));
        terms.join(" AND ")
    };
    match (when.field, when.to_responder) {
        (None, None) if is_limited => Ok(format!("[({}) OR ({})]", at("src"), at("dst"))),
        (None, None) => Ok(format!("[{}:value {operator} {}]", indicator.kind.name, quoted(value))),
        (Some("source.ip"), None) => Ok(format!("[{}]", at("src"))),
        (Some("destination.ip"), None) => Ok(format!("[{}]", at("dst"))),
        _ => Err("a place or direction that STIX has no property for"),
    }
}

fn bytes(indicator: &Indicator<'_>, when: &Condition) -> Result<String, &'static str> {
    let Pattern { nocase, offset, depth, source_port } = indicator.pattern;
    let length = u32::try_from(indicator.value.len()).ok();
    let anchor = match (offset, depth) {
        (None, None) => "",
        (Some(0), depth) if depth == length => "^",
        _ => return Err("where in a payload its bytes may lie"),
    };
    if nocase || when.field.is_some() {
        return Err("bytes in either case, or in one place only");
    }
    let regex: String = indicator
        .value
        .iter()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(*byte).to_string() } else { format!("\\x{byte:02x}") })
        .collect();
    let regex = quoted(&format!("{anchor}{regex}"));
    let at = |end: &str| {
        let mut terms = vec![format!("network-traffic:{end}_payload_ref.payload_bin MATCHES {regex}")];
        terms.extend(source_port.map(|port| format!("network-traffic:src_port = {port}")));
        terms.extend(indicator.port.map(|port| format!("network-traffic:dst_port = {port}")));
        terms.extend(transport(indicator.transport));
        terms.extend(protocol(when));
        terms.join(" AND ")
    };
    let is_limited =
        source_port.or(indicator.port).is_some() || indicator.transport.is_some() || when.protocol.is_some();
    Ok(match when.to_responder {
        Some(true) => format!("[{}]", at("src")),
        Some(false) => format!("[{}]", at("dst")),
        None if is_limited => format!("[({}) OR ({})]", at("src"), at("dst")),
        None => format!("[artifact:payload_bin MATCHES {regex}]"),
    })
}

fn transport(transport: Option<Transport>) -> Option<String> {
    let word = match transport? {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
        Transport::Ethernet => return None,
    };
    Some(format!("network-traffic:protocols[*] = '{word}'"))
}

fn protocol(when: &Condition) -> Option<String> {
    when.protocol.map(|name| format!("network-traffic:protocols[*] = {}", quoted(name)))
}

/// A text literal.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

const MAIL_FIELDS: [(&str, &str); 5] = [
    ("email.from.address", "from_ref.value"),
    ("email.sender.address", "sender_ref.value"),
    ("email.to.address", "to_refs[*].value"),
    ("email.cc.address", "cc_refs[*].value"),
    ("email.bcc.address", "bcc_refs[*].value"),
];
