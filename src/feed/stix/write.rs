//! [`write()`]: indicators as a STIX 2.1 bundle, one object for each source of each indicator, with that source's marking.
//!
//! What STIX cannot say is counted and never written in part: an indicator without one of its limits would match more, one
//! without its marking could be told to anyone. Ids are derived from what they stand for, so the same set makes the same
//! bundle. Reading the bundle back gives the same indicators (a property test holds both together).
//!
//! The bundle holds values: whoever calls this has judged that its reader may have them.

mod markings;
mod object;
mod pattern;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use uuid::Uuid;

use crate::feed::suricata;
use crate::feed::write::Written;
use crate::indicator::{About, ContextRef, Indicator, IndicatorIx, IndicatorSet};

/// Writes every indicator of `set` that `filter` admits for a source, as one bundle.
///
/// # Errors
/// Those of `out`.
pub fn write(
    set: &IndicatorSet,
    mut filter: impl FnMut(&Indicator<'_>, &ContextRef<'_>) -> bool,
    out: &mut dyn Write,
) -> io::Result<Written> {
    let mut bundle = Bundle { out, ids: HashSet::new(), digest: Sha1::new(), written: Written::default() };
    bundle.out.write_all(b"{\"type\":\"bundle\",\"objects\":[")?;
    let alternatives = alternatives(set);
    for indicator in set.iter() {
        let group = match alternatives.get(&*indicator.id()) {
            // Written with its first alternative.
            Some(group) if group.first() != Some(&indicator.ix) => continue,
            Some(group) => group.iter().map(|ix| set.get(*ix)).collect(),
            None => vec![indicator],
        };
        for (place, (context, _)) in set.sources(indicator.ix).enumerate() {
            if group.iter().all(|one| filter(one, &context)) {
                bundle.indicator(&group, &context, place)?;
            }
        }
    }
    let id = Uuid::new_v5(&NAMESPACE, &bundle.digest.finalize());
    writeln!(bundle.out, "],\"id\":\"bundle--{id}\"}}")?;
    Ok(bundle.written)
}

/// The indicators that are alternatives of one pattern: they share an id of STIX, validity and sources, and there are
/// several of them.
fn alternatives(set: &IndicatorSet) -> HashMap<Box<str>, Vec<IndicatorIx>> {
    let mut by_id: HashMap<Box<str>, Vec<IndicatorIx>> = HashMap::new();
    for indicator in set.iter() {
        if let Cow::Borrowed(id) = indicator.id()
            && is_stix_id(id)
        {
            by_id.entry(id.into()).or_default().push(indicator.ix);
        }
    }
    by_id.retain(|_, group| {
        let Some(first) = group.first().copied() else { return false };
        let window = |ix| set.get(ix).window;
        group.len() > 1 && group.iter().all(|ix| window(*ix) == window(first) && set.has_same_sources(*ix, first))
    });
    by_id
}

/// A bundle that is being written.
struct Bundle<'a> {
    out: &'a mut dyn Write,
    /// Objects that are in it.
    ids: HashSet<Box<str>>,
    /// Over the ids, in order.
    digest: Sha1,
    written: Written,
}

impl Bundle<'_> {
    fn indicator(&mut self, group: &[Indicator<'_>], context: &ContextRef<'_>, place: usize) -> io::Result<()> {
        let Some(first) = group.first() else { return Ok(()) };
        let rule = if let [one] = group { suricata::of_itself(one) } else { None };
        let (rest, about) = rule.as_ref().map_or((*context, Vec::new()), |rule| rule.rest(context));
        let context = &if rule.is_some() { ContextRef { about: About::of(&about), ..rest } } else { rest };
        let patterns: Result<Vec<String>, &str> = match rule {
            Some(_) => Ok(vec![String::from_utf8_lossy(first.value).into_owned()]),
            None => group.iter().map(pattern::of).collect(),
        };
        let found = patterns.and_then(|patterns| Ok((patterns, markings::of(context.marking)?)));
        let (patterns, marks) = match found {
            Ok(found) => found,
            Err(why) => {
                *self.written.left_out.entry(why).or_default() += group.len() as u64;
                return Ok(());
            }
        };
        for definition in marks.definitions {
            self.put(definition)?;
        }
        let id = first.id();
        // An id can be used once: every other source has one of its own, and names the indicator's.
        let named = format!("indicator--{}", derived(&[&id, &place.to_string(), &patterns.join("\n")]));
        let stix_id = if place == 0 && is_stix_id(&id) && !self.ids.contains(&*id) { id.clone() } else { named.into() };
        let own_id = (stix_id != id).then_some(&*id);
        let described = object::describe(context, &marks.refs, marks.labels, &mut self.written.lost);
        let mut object = object::indicator(&stix_id, own_id, first.window, &patterns.join(" OR "), &described);
        object["object_marking_refs"] = json!(marks.refs);
        if rule.is_some() {
            object["pattern_type"] = json!("suricata");
        }
        for other in described.others {
            self.put(other)?;
        }
        for (relationship, target) in described.indicates {
            self.put(object::relationship(&relationship, &stix_id, &target, &marks.refs))?;
        }
        self.put(tidied(object))?;
        self.written.written += 1;
        Ok(())
    }

    /// Writes an object that is not there yet.
    fn put(&mut self, object: Value) -> io::Result<()> {
        let id = object["id"].as_str().unwrap_or_default();
        if !self.ids.insert(id.into()) {
            return Ok(());
        }
        self.digest.update(id);
        self.out.write_all(if self.ids.len() > 1 { b",\n" } else { b"\n" })?;
        serde_json::to_writer(&mut *self.out, &tidied(object))?;
        Ok(())
    }
}

/// Without what is empty: STIX forbids empty lists and nulls.
fn tidied(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, value| !value.is_null() && value.as_array().is_none_or(|all| !all.is_empty()));
    }
    object
}

/// `indicator--` and a UUID.
fn is_stix_id(id: &str) -> bool {
    let uuid = id.strip_prefix("indicator--").unwrap_or_default().as_bytes();
    uuid.len() == 36
        && uuid.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// The same UUID for the same texts: version 5 (RFC 9562, 5.5) over their lengths and bytes.
fn derived(texts: &[&str]) -> String {
    let mut name = Vec::new();
    for text in texts {
        name.extend((text.len() as u64).to_be_bytes());
        name.extend(text.as_bytes());
    }
    Uuid::new_v5(&NAMESPACE, &name).to_string()
}

/// Of the ids that are derived here: Picket's own, drawn once.
const NAMESPACE: Uuid = Uuid::from_u128(0x5b0c_64f4_2f0e_4a57_9d0f_6a3e_51c7_88d2);

#[cfg(test)]
mod tests;
