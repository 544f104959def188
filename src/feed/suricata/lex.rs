//! A rule's text taken apart: header words, and options with Suricata's escapes. It knows no option.

use crate::indicator::Refusal;

/// A rule's header and options, as written.
#[derive(PartialEq, Eq)]
pub(super) struct Text<'a> {
    /// Action, protocol, source, source port, direction, destination, destination port.
    pub(super) header: [&'a str; 7],
    pub(super) options: Vec<(&'a str, Option<&'a str>)>,
}

crate::bytes::opaque_debug!(Text<'_>, "Text");

impl<'a> Text<'a> {
    /// # Errors
    /// [`Refusal::Malformed`] for what is not a header with seven words and options in parentheses.
    pub(super) fn of(rule: &'a str) -> Result<Self, Refusal> {
        let rule = rule.trim();
        let open = rule.find('(').ok_or(Refusal::Malformed)?;
        let (head, rest) = rule.split_at(open);
        let body = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).ok_or(Refusal::Malformed)?;
        let words = words(head)?;
        let header = <[&str; 7]>::try_from(words).map_err(|_| Refusal::Malformed)?;
        Ok(Self { header, options: options(body)? })
    }
}

/// Words between blanks; what is in brackets is one.
fn words(head: &str) -> Result<Vec<&str>, Refusal> {
    let (mut words, mut start, mut depth) = (Vec::new(), None, 0_u32);
    for (at, byte) in head.bytes().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => depth = depth.checked_sub(1).ok_or(Refusal::Malformed)?,
            _ => {}
        }
        match (byte.is_ascii_whitespace() && depth == 0, start) {
            (true, Some(from)) => {
                words.push(head.get(from..at).ok_or(Refusal::Malformed)?);
                start = None;
            }
            (false, None) => start = Some(at),
            _ => {}
        }
        if words.len() > 7 {
            return Err(Refusal::Malformed);
        }
    }
    words.extend(start.and_then(|from| head.get(from..)));
    if depth == 0 { Ok(words) } else { Err(Refusal::Malformed) }
}

/// `key;` and `key: value;`. A `;` in a value is escaped.
fn options(body: &str) -> Result<Vec<(&str, Option<&str>)>, Refusal> {
    let (mut out, mut start, mut escaped) = (Vec::new(), 0, false);
    for (at, byte) in body.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b';' => {
                let option = body.get(start..at).ok_or(Refusal::Malformed)?.trim();
                start = at + 1;
                let (key, value) = match option.split_once(':') {
                    Some((key, value)) => (key.trim_end(), Some(value.trim())),
                    None => (option, None),
                };
                if key.is_empty() || out.len() >= MAX_OPTIONS {
                    return Err(Refusal::Malformed);
                }
                out.push((key, value));
            }
            _ => {}
        }
    }
    let rest = body.get(start..).unwrap_or_default();
    if rest.trim().is_empty() { Ok(out) } else { Err(Refusal::Malformed) }
}

/// What stands between quotes.
pub(super) fn quoted(value: &str) -> Option<&str> {
    value.strip_prefix('"')?.strip_suffix('"')
}

/// A text with its escapes undone.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        out.push(if char == '\\' { chars.next().unwrap_or(char) } else { char });
    }
    out
}

/// Options of a rule; real ones have under a hundred.
const MAX_OPTIONS: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_taken_apart() {
        let text = Text::of(
            r#"alert tcp [1.1.1.1, !2.2.2.2] any -> any [80,8080:] (msg:"a\; b"; content: "x|3b|y" ;nocase; sid:1;)"#,
        )
        .expect("a rule");
        assert_eq!(text.header, ["alert", "tcp", "[1.1.1.1, !2.2.2.2]", "any", "->", "any", "[80,8080:]"]);
        let wanted =
            [("msg", Some(r#""a\; b""#)), ("content", Some(r#""x|3b|y""#)), ("nocase", None), ("sid", Some("1"))];
        assert_eq!(text.options, wanted);
        assert_eq!(plain(r"a\; \\b"), r"a; \b");
        for bad in [
            "",
            "alert tcp any any -> any any",
            "alert tcp any any -> any (sid:1;)",
            "alert tcp any any -> any any any (sid:1;)",
            "alert tcp [1 any -> any any (sid:1;)",
            "alert tcp 1] any -> any any (sid:1;)",
            "alert tcp any any -> any any (sid:1)",
            "alert tcp any any -> any any (;)",
            "alert tcp any any -> any any (sid:1;",
            r#"alert tcp any any -> any any (msg:"x\;)"#,
        ] {
            assert_eq!(Text::of(bad).err(), Some(Refusal::Malformed), "{bad}");
        }
    }
}
