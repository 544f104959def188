//! Rules written as they were read: as a file of rules ([`WRITER`]), and for documents that carry rules ([`of_itself`]).

use std::io::{self, Write};

use super::{Around, build, condition, lex, options};
use crate::feed::write::{Writer, Written};
use crate::indicator::{About, ContextRef, Indicator, IndicatorSet, Where};

/// See the module.
pub(in crate::feed) const WRITER: Writer = Writer { name: "suricata", write: |set, _, out| write(set, out) };

/// What a rule's text says besides what it asks: whoever carries the text says it already.
pub(in crate::feed) struct OfItself {
    about: Vec<(&'static str, String)>,
    severity: Option<u8>,
    reference: Option<String>,
}

/// `None` if the text alone is not the same rule: it is of another language, or its feed has variables or files for it.
pub(in crate::feed) fn of_itself(indicator: &Indicator<'_>) -> Option<OfItself> {
    let text = std::str::from_utf8(indicator.value).ok()?;
    let read = options::Reading::of(&lex::Text::of(text).ok()?, &mut Around::default()).ok()?;
    let rule = build::rule(&read).ok()?;
    let is_same = indicator.rule == Some(&rule) && condition(&read, &rule).as_ref() == indicator.when;
    let options::Reading { about, severity, reference, .. } = read;
    is_same.then_some(OfItself { about, severity, reference })
}

impl OfItself {
    /// What a context says that the text does not.
    pub(in crate::feed) fn rest<'a>(&self, context: &ContextRef<'a>) -> (ContextRef<'a>, Vec<(Where, &'a str)>) {
        let mut own: Vec<(&str, &str)> = self.about.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let about = context.about.iter().filter(|(path, text)| {
            let known = own.iter().position(|(own_path, own_text)| (*own_path, *own_text) == (path.0, *text));
            known.map(|at| own.remove(at)).is_none()
        });
        let about = about.collect();
        let severity = context.severity.filter(|_| context.severity != self.severity);
        let reference = context.reference.filter(|text| Some(*text) != self.reference.as_deref());
        (ContextRef { severity, reference, about: About::NONE, ..*context }, about)
    }
}

fn write(set: &IndicatorSet, out: &mut dyn Write) -> io::Result<Written> {
    let mut written = Written::default();
    out.write_all(b"# Rules written by Picket.\n")?;
    for indicator in set.iter() {
        let own = indicator.rule.and_then(|_| of_itself(&indicator));
        for (context, _) in set.sources(indicator.ix) {
            match &own {
                None if indicator.rule.is_some() => {
                    written.leave_out("a rule of another language, or with what its feed says")
                }
                None => written.leave_out("what is no rule"),
                // The text has no place for it, and without it more might be shown.
                Some(_) if !context.marking.is_unmarked() => written.leave_out("a marking"),
                Some(own) => {
                    out.write_all(indicator.value)?;
                    out.write_all(b"\n")?;
                    written.written += 1;
                    let (rest, about) = own.rest(&context);
                    let lost = [
                        ("validity", indicator.window != crate::indicator::Window::ALWAYS),
                        ("provider", rest.provider.is_some()),
                        (
                            "what else is said",
                            rest.description.or(rest.reference).or(rest.first_seen).or(rest.confidence).is_some()
                                || rest.severity.is_some()
                                || !about.is_empty(),
                        ),
                    ];
                    lost.iter().filter(|(_, is_lost)| *is_lost).for_each(|(what, _)| written.lose(what));
                }
            }
        }
    }
    Ok(written)
}
