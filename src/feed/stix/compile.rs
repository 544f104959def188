//! What of a STIX pattern Picket honours: [`compile`] makes indicators of it, exactly, or says what it cannot honour.
//!
//! A pattern becomes a list of alternatives (its `OR`s and `IN`s multiplied out), each a conjunction of terms about one
//! thing that traffic shows. Every alternative must be expressible by one indicator, or the whole pattern is refused:
//! leaving a term of an `AND` out would match more than its author meant, leaving an alternative of an `OR` out less.
//!
//! Two readings are Picket's own, for every feed: names and addresses have one form (STIX compares strings, case-sensitive;
//! here `Evil.Example` is `evil.example` and a host's bits are cleared), and the scheme of a URL is ignored.

mod conjunction;
mod property;
mod request;
mod text;

use conjunction::Conjunction;
use property::Term;

use super::pattern::{Comparison, Expression, Qualifier, Test};
use crate::indicator::rule::Rule;
use crate::indicator::{Condition, ContextIx, Draft, Kind, Match, Pattern, Refusal, Transport, Window};

/// One indicator of a pattern: what a [`Draft`] is made of.
#[derive(Clone, PartialEq)]
pub(super) struct Plan {
    pub(super) kind: &'static Kind,
    pub(super) value: Vec<u8>,
    pub(super) matching: Match,
    pub(super) port: Option<u16>,
    pub(super) transport: Option<Transport>,
    pub(super) pattern: Pattern,
    pub(super) when: Option<Condition>,
    /// What several values of one request must be, of which the value is the pattern.
    pub(super) rule: Option<Rule>,
    pub(super) window: Window,
}

impl Plan {
    /// The entry of the object `number`.
    pub(super) fn draft<'a>(&'a self, id: &'a str, context: ContextIx, number: u32) -> Draft<'a> {
        Draft {
            id: Some(id),
            matching: Some(self.matching),
            port: self.port,
            transport: self.transport,
            pattern: self.pattern,
            when: self.when.as_ref(),
            rule: self.rule.as_ref(),
            window: self.window,
            ..Draft::new(self.kind, &self.value, context, number)
        }
    }
}

/// The indicators that `expression` stands for, in its order, each once; `window` limits them all.
///
/// # Errors
/// [`Refusal::Unsupported`], which names the first construct that is not honoured; or what is wrong with a value.
pub(super) fn compile(expression: &Expression, window: Window) -> Result<Vec<Plan>, Refusal> {
    let mut plans: Vec<Plan> = Vec::new();
    let mut observations = Vec::new();
    alternatives(expression, window, &mut observations)?;
    for (window, comparison) in observations {
        let mut conjunctions = Vec::new();
        for terms in multiplied_out(comparison)? {
            conjunctions.push(Conjunction::of(&terms)?);
        }
        conjunction::unite(&mut conjunctions);
        for conjunction in &conjunctions {
            conjunction.plans(window, &mut plans)?;
        }
        if plans.len() > MAX_ALTERNATIVES {
            return Err(TOO_MANY);
        }
    }
    if plans.is_empty() { Err(Refusal::Empty) } else { Ok(plans) }
}

/// The observations of which one suffices.
fn alternatives<'a>(
    expression: &'a Expression,
    window: Window,
    out: &mut Vec<(Window, &'a Comparison)>,
) -> Result<(), Refusal> {
    match expression {
        Expression::Observation(comparison) => out.push((window, comparison)),
        Expression::Or(all) => {
            for one in all {
                alternatives(one, window, out)?;
            }
        }
        Expression::And(_) => return Err(Refusal::Unsupported("AND of observations")),
        Expression::FollowedBy(_) => return Err(Refusal::Unsupported("FOLLOWEDBY")),
        // A single observation is within any time, and seen once.
        Expression::Qualified(inner, Qualifier::Within | Qualifier::Repeats(1)) => alternatives(inner, window, out)?,
        Expression::Qualified(_, Qualifier::Repeats(_)) => return Err(Refusal::Unsupported("REPEATS")),
        Expression::Qualified(inner, Qualifier::StartStop(start, stop)) => {
            let narrower = Window { from: window.from.max(*start), until: window.until.min(*stop) };
            if narrower.from >= narrower.until {
                return Err(Refusal::Unsupported("START STOP outside of what the indicator is valid for"));
            }
            alternatives(inner, narrower, out)?;
        }
    }
    Ok(())
}

/// The disjunctive normal form: alternatives, each the terms that must hold together.
fn multiplied_out(comparison: &Comparison) -> Result<Vec<Vec<Term>>, Refusal> {
    match comparison {
        Comparison::Test(test) => {
            let terms = property::terms(test)?;
            if terms.len() > MAX_ALTERNATIVES {
                return Err(TOO_MANY);
            }
            Ok(terms.into_iter().map(|term| vec![term]).collect())
        }
        Comparison::Or(all) => {
            let mut out = Vec::new();
            for one in all {
                out.extend(multiplied_out(one)?);
                if out.len() > MAX_ALTERNATIVES {
                    return Err(TOO_MANY);
                }
            }
            Ok(out)
        }
        Comparison::And(all) => {
            let mut out: Vec<Vec<Term>> = vec![Vec::new()];
            for one in all {
                let factor = multiplied_out(one)?;
                let longest = |all: &[Vec<Term>]| all.iter().map(Vec::len).max().unwrap_or(0);
                if longest(&out) + longest(&factor) > MAX_TERMS {
                    return Err(Refusal::Unsupported("an AND of more terms than any indicator has"));
                }
                if out.len().saturating_mul(factor.len()) > MAX_ALTERNATIVES {
                    return Err(TOO_MANY);
                }
                let joined = out.iter().flat_map(|left| factor.iter().map(move |right| [&left[..], right].concat()));
                out = joined.collect();
            }
            Ok(out)
        }
    }
}

/// Alternatives of one pattern: lists of that length are kept as feeds, not as one `IN`; and products of `OR`s explode.
const MAX_ALTERNATIVES: usize = 16_384;
const TOO_MANY: Refusal = Refusal::Unsupported("a pattern of more than 16,384 alternatives");

/// Terms of one conjunction: address, type, port, transport, protocols, and some said twice.
const MAX_TERMS: usize = 16;

#[cfg(test)]
mod tests;
