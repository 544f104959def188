//! `rule`: a rule of a rule language. Its value is the rule's text, which names it; what it asks is read by its feed.

use std::borrow::Cow;

use super::{Index, Kind};
use crate::indicator::{Match, Refusal};

/// Rule over several contents.
pub static RULE: Kind = Kind {
    number: 20,
    name: "rule",
    aliases: &[],
    index: Index::Rule,
    default_match: Match::Exact,
    seen_at: &[
        "source.ip",
        "destination.ip",
        "source.port",
        "destination.port",
        "picket.payload",
        "picket.content",
        "dns.question.name",
        "tls.client.server_name",
        "tls.client.ja3",
        "tls.client.ja4",
        "tls.server.ja3s",
        "ssh.client.hassh",
        "ssh.server.hassh",
        "http.request.method",
        "http.request.target",
        "url.domain",
        "user_agent.original",
        "http.request.referrer",
        "http.response.status_code",
        "http.response.headers.location",
    ],
    normalise,
    display,
};

fn normalise(value: &[u8], _: Match, out: &mut Vec<u8>) -> Result<Option<Refusal>, Refusal> {
    if value.is_empty() {
        return Err(Refusal::Empty);
    }
    out.extend(value);
    Ok(None)
}

fn display(value: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::rule::Place;

    #[test]
    fn it_is_seen_wherever_a_rule_may_look() {
        assert!(Place::ALL.iter().all(|place| RULE.seen_at.contains(&place.field())));
        assert_eq!(normalise(b"", Match::Exact, &mut Vec::new()), Err(Refusal::Empty));
        assert_eq!(display(b"alert"), "alert");
    }
}
