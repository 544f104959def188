//! Suricata rules (7 or later). Every value is written with all that is not plain as hex, so that none can end its option.
//! The message is the reference; numbers of rules begin at [`FIRST_SID`].

use std::io::{self, Write};

use super::{Export, Selected, Target};
use crate::feed::write::Written;
use crate::indicator::kind::{BYTES, DOMAIN, JA3, JA4, URL, USER_AGENT};
use crate::indicator::{Index, Indicator, Match, Transport};

pub(super) const TARGET: Target = Target { name: "suricata", write };

/// In the range for local rules.
const FIRST_SID: u64 = 1_900_000_001;

fn write(export: &Export<'_>, out: &mut dyn Write) -> io::Result<Written> {
    let mut written = Written::default();
    let mut sid = FIRST_SID;
    writeln!(out, "# Rules by picket. Handle as the strictest of its entries.")?;
    for Selected { indicator, reference, .. } in &export.selected {
        match rules(indicator) {
            Err(why) => written.leave_out(why),
            Ok(rules) => {
                for Rule { head, options } in rules {
                    writeln!(out, "alert {head} (msg:\"{reference}\"; {options}sid:{sid}; rev:1;)")?;
                    sid += 1;
                }
                written.written += 1;
            }
        }
    }
    Ok(written)
}

struct Rule {
    head: String,
    options: String,
}

fn rule(head: &str, options: String) -> Rule {
    Rule { head: head.to_owned(), options }
}

fn rules(indicator: &Indicator<'_>) -> Result<Vec<Rule>, &'static str> {
    let content = (BYTES.display)(indicator.value);
    let whole = |buffer: &str| format!("{buffer}; content:\"{content}\"; startswith; endswith; ");
    let kind = indicator.kind;
    Ok(match kind.index {
        Index::Prefix => vec![endpoint(indicator)?],
        Index::Pattern => vec![signature(indicator, &content)?],
        _ if *kind == DOMAIN => name(indicator, &content),
        _ if *kind == URL => vec![url(indicator)?],
        _ if *kind == USER_AGENT => vec![rule("http any any -> any any", whole("http.user_agent"))],
        _ if *kind == JA3 => vec![rule("tls any any -> any any", whole("ja3.hash"))],
        _ if *kind == JA4 => vec![rule("tls any any -> any any", whole("ja4.hash"))],
        _ => return Err("a kind without a rule"),
    })
}

/// Three rules: where a name is asked for, where TLS is to begin, where HTTP is spoken.
fn name(indicator: &Indicator<'_>, content: &str) -> Vec<Rule> {
    let below = indicator.matching == Match::Subtree;
    let of = |buffer: &str, nocase: &str| match below {
        true => format!("{buffer}; dotprefix; content:\".{content}\"; endswith; {nocase}"),
        false => format!("{buffer}; content:\"{content}\"; startswith; endswith; {nocase}"),
    };
    vec![
        rule("dns any any -> any any", of("dns.query", "nocase; ")),
        rule("tls any any -> any any", of("tls.sni", "nocase; ")),
        // Made lower-case by Suricata already, which refuses to be told twice.
        rule("http any any -> any any", of("http.host", "")),
    ]
}

fn url(indicator: &Indicator<'_>) -> Result<Rule, &'static str> {
    let at = memchr::memchr(b'/', indicator.value).ok_or("a URL without a path")?;
    let (host, path) = indicator.value.split_at(at);
    if host.contains(&b':') {
        return Err("a URL with a port");
    }
    let [host, path] = [host, path].map(|part| (BYTES.display)(part));
    let end = if indicator.matching == Match::Prefix { "" } else { " endswith;" };
    Ok(rule(
        "http any any -> any any",
        format!(
            "flow:to_server; http.host; content:\"{host}\"; startswith; endswith; http.uri.raw; content:\"{path}\"; \
             startswith;{end} "
        ),
    ))
}

fn endpoint(indicator: &Indicator<'_>) -> Result<Rule, &'static str> {
    let address = (indicator.kind.display)(indicator.value);
    let protocol = match (indicator.transport, indicator.port) {
        (Some(Transport::Tcp), _) => "tcp",
        (Some(Transport::Udp), _) => "udp",
        (Some(Transport::Ethernet), _) => return Err("a transport that Suricata does not know"),
        (None, None) => "ip",
        (None, Some(_)) => return Err("a port without a transport"),
    };
    let port = indicator.port.map_or("any".to_owned(), |port| port.to_string());
    Ok(rule(&format!("{protocol} any any <> [{address}] {port}"), String::new()))
}

fn signature(indicator: &Indicator<'_>, content: &str) -> Result<Rule, &'static str> {
    let limits = indicator.pattern;
    let protocol = match indicator.transport {
        Some(Transport::Tcp) => "tcp",
        Some(Transport::Udp) => "udp",
        Some(Transport::Ethernet) => return Err("a transport that Suricata does not know"),
        None if indicator.port.is_some() || limits.source_port.is_some() => return Err("a port without a transport"),
        None => "ip",
    };
    let port = |port: Option<u16>| port.map_or("any".to_owned(), |port| port.to_string());
    let mut options = format!("content:\"{content}\"; ");
    if limits.nocase {
        options.push_str("nocase; ");
    }
    for (name, value) in [("offset", limits.offset), ("depth", limits.depth)] {
        if let Some(value) = value {
            options.push_str(&format!("{name}:{value}; "));
        }
    }
    let head = format!("{protocol} any {} -> any {}", port(limits.source_port), port(indicator.port));
    Ok(rule(&head, options))
}
