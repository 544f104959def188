//! STIX patterns as they are written: the tree that [`Expression::parse`] makes of one. What of it can be honoured is
//! [`super::compile`]'s to say.
//!
//! Source: STIX 2.1 (OASIS standard), section 9, and the committee's ANTLR grammar of it.

mod grammar;

use std::fmt;

use crate::time::Timestamp;

/// Observations and how they belong together.
#[derive(Clone, PartialEq)]
pub(super) enum Expression {
    /// `[ .. ]`: all of it holds for one observation.
    Observation(Comparison),
    /// One of these.
    Or(Vec<Expression>),
    /// All of these, each for an observation of its own.
    And(Vec<Expression>),
    /// One after the other.
    FollowedBy(Vec<Expression>),
    /// Limited in time or number.
    Qualified(Box<Expression>, Qualifier),
}

/// What limits an [`Expression`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Qualifier {
    /// `WITHIN n SECONDS`.
    Within,
    /// `REPEATS n TIMES`.
    Repeats(u64),
    /// `START t STOP t`: from the first instant up to before the second.
    StartStop(Timestamp, Timestamp),
}

/// What is asked of one observation.
#[derive(Clone, PartialEq)]
pub(super) enum Comparison {
    Test(Test),
    Or(Vec<Comparison>),
    And(Vec<Comparison>),
}

/// One property compared.
#[derive(Clone, PartialEq)]
pub(super) struct Test {
    /// `type:key.key[*]`: keys as they are, or in quotes if they hold what separates; every index is `[*]`, because a list's
    /// order is its producer's.
    pub(super) path: String,
    pub(super) negated: bool,
    pub(super) operator: Operator,
    /// One, but for `IN` any number and for `EXISTS` none.
    pub(super) operands: Vec<Literal>,
}

/// How a property is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    /// `<`, `<=`, `>`, `>=`.
    Order,
    In,
    Like,
    Matches,
    IsSubset,
    IsSuperset,
    Exists,
}

/// What a property is compared with.
#[derive(Clone, PartialEq)]
pub(super) enum Literal {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    /// `h'..'` or `b'..'`.
    Bytes(Vec<u8>),
    Time(Timestamp),
}

impl Expression {
    /// Reads a pattern. `None` for what is not of the grammar, or nested deeper than [`MAX_DEPTH`].
    pub(super) fn parse(pattern: &str) -> Option<Self> {
        grammar::pattern(pattern)
    }
}

/// Without the literals: they are an indicator's value.
impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Observation(comparison) => write!(f, "[{comparison:?}]"),
            Self::Or(all) => f.debug_tuple("Or").field(all).finish(),
            Self::And(all) => f.debug_tuple("And").field(all).finish(),
            Self::FollowedBy(all) => f.debug_tuple("FollowedBy").field(all).finish(),
            Self::Qualified(what, qualifier) => write!(f, "{what:?} {qualifier:?}"),
        }
    }
}

/// Without the literals.
impl fmt::Debug for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Test(Test { path, negated, operator, operands }) => {
                let not = if *negated { "NOT " } else { "" };
                write!(f, "{path} {not}{operator:?} x{}", operands.len())
            }
            Self::Or(all) => f.debug_tuple("Or").field(all).finish(),
            Self::And(all) => f.debug_tuple("And").field(all).finish(),
        }
    }
}

/// Parentheses within parentheses; people write three.
const MAX_DEPTH: usize = 64;

#[cfg(test)]
mod tests;
