//! A request's method beside its target, host or user-agent: a rule over one request, because no value alone says it.

use super::Plan;
use super::conjunction::{Conjunction, Request};
use crate::indicator::kind::RULE;
use crate::indicator::rule::{Body, Buffer, Content, Ends, Form, Place, Ports, Range, Rule, Step};
use crate::indicator::{Match, Pattern, Refusal, Transport, Window};

impl Conjunction {
    /// The one indicator of a conjunction that has a method.
    pub(super) fn method_plan(&self, window: Window) -> Result<Plan, Refusal> {
        let Request { agent, port, is_tcp } =
            self.of_request().ok_or(Refusal::Unsupported("request_method beside what is no part of a request"))?;
        let host = self.host.as_deref().map(<[u8]>::to_ascii_lowercase);
        if host.as_ref().is_some_and(|host| host.contains(&b':')) {
            return Err(Refusal::Unsupported("request_method beside a Host with a port"));
        }
        let parts = [
            (Place::HttpMethod, "request_method", self.method.as_deref()),
            (Place::HttpUriRaw, "request_value", self.target.as_deref()),
            (Place::HttpHost, "request_header.'Host'", host.as_deref()),
            (Place::HttpUserAgent, "request_header.'User-Agent'", agent),
        ];
        let said = || parts.iter().filter_map(|(place, path, value)| Some((*place, *path, (*value)?)));
        if said().count() < 2 {
            return Err(Refusal::Unsupported("request_method alone"));
        }
        let is_good = |value: &[u8]| (1..=MAX_VALUE_BYTES).contains(&value.len()) && std::str::from_utf8(value).is_ok();
        if !said().all(|(_, _, value)| is_good(value)) {
            return Err(Refusal::TooLong);
        }
        let buffers: Box<[Buffer]> = said().map(|(place, _, value)| whole(place, value)).collect();
        let destination_port = Ports { of: port.map(|port| (port, port)).into_iter().collect(), but: Box::default() };
        let ends = Ends {
            transport: is_tcp.then_some(Transport::Tcp),
            to_responder: Some(true),
            destination_port,
            ..Ends::default()
        };
        let mut terms: Vec<String> = said().map(|(_, path, value)| term(path, value)).collect();
        terms.extend(port.map(|port| format!("network-traffic:dst_port = {port}")));
        terms.extend(is_tcp.then(|| "network-traffic:protocols[*] = 'tcp'".to_owned()));
        Ok(Plan {
            kind: &RULE,
            value: format!("[{}]", terms.join(" AND ")).into_bytes(),
            matching: Match::Exact,
            port: None,
            transport: None,
            pattern: Pattern::default(),
            when: None,
            rule: Some(Rule { ends, body: Body::Message(buffers) }),
            window,
        })
    }
}

/// A value that is this from its start to its end. Methods are written in lower case in STIX, hosts have no case.
fn whole(place: Place, value: &[u8]) -> Buffer {
    let content = Content {
        bytes: value.into(),
        mask: Box::default(),
        nocase: matches!(place, Place::HttpMethod | Place::HttpHost),
        negated: false,
        ends: true,
        range: Range::Start { offset: 0, depth: Some(value.len() as u32) },
    };
    Buffer { place, form: Form::default(), steps: [Step::Find(content)].into(), lengths: Box::default() }
}

fn term(path: &str, value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value).replace('\\', "\\\\").replace('\'', "\\'");
    format!("network-traffic:extensions.'http-request-ext'.{path} = '{text}'")
}

/// Longest part of a request asked for; together they must fit an indicator's value.
const MAX_VALUE_BYTES: usize = 1024;
