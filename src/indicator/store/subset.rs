//! Parts of a set, by who may see what: [`IndicatorSet::released`] for a reader, [`IndicatorSet::withheld`] to keep from one; and by who
//! named it: [`IndicatorSet::take_over`].

use std::collections::HashSet;

use super::{Added, Extra, IndicatorSet, NONE, Record, flags_of, hash_of};
use crate::indicator::kind::{BYTES, IPV4, Index, KINDS, MIN_PATTERN_BYTES};
use crate::indicator::rule::{Body, Buffer, Content, Key, Part, Rule, Step};
use crate::indicator::{Context, ContextIx, ContextRef, Draft, IndicatorIx, Match, Pattern, Refusal};

impl IndicatorSet {
    /// The indicators of those sources that `show` gives something of, with what it gives and no line where that is of another
    /// feed. What no such source names is not in it, in no form: nothing that is asked of it can tell whether it was ever there.
    #[must_use]
    pub fn released(&self, show: impl for<'c> Fn(ContextRef<'c>) -> Option<ContextRef<'c>>) -> Self {
        let mut part = Self::default();
        let mut shown = |context: ContextRef<'_>| {
            let shown = show(context)?;
            let keeps_line = shown.feed == context.feed;
            // Shorter texts than here: there is room.
            Some((part.keep_context(&shown).ok()?, keeps_line))
        };
        let shown: Vec<Option<(ContextIx, bool)>> = self.contexts().map(&mut shown).collect();
        let source = |(context, line): (ContextIx, u32)| {
            let (context, keeps_line) = shown[context.0 as usize]?;
            Some((context, if keeps_line { line } else { 0 }))
        };
        for (at, record) in self.records.iter().enumerate() {
            let mut sources = self.source_list(IndicatorIx(at as u32)).filter_map(source);
            let Some((context, line)) = sources.next() else { continue };
            let copy = part.records.len() as u32;
            part.copy(self.value_of(record), Record { context, line, ..*record }, &self.extras.get(record.extra));
            sources.for_each(|(context, line)| part.add_source(copy, context, line));
        }
        part
    }

    /// Adds what sources of another set named whose context `is_wanted`, each with its line, as if their feed were loaded again. What is there
    /// already gets the source. How many were new, and how many were there.
    ///
    /// # Errors
    /// [`Refusal::Full`]; what came before is added.
    pub fn take_over(
        &mut self,
        other: &Self,
        is_wanted: impl Fn(&ContextRef<'_>) -> bool,
    ) -> Result<(u64, u64), Refusal> {
        self.settle(|_, _| {});
        let mut own = |context: ContextRef<'_>| is_wanted(&context).then(|| self.keep_context(&context)).transpose();
        let contexts = other.contexts().map(&mut own).collect::<Result<Vec<Option<ContextIx>>, Refusal>>()?;
        let (mut new, mut merged) = (0, 0);
        for (at, record) in other.records.iter().enumerate() {
            let named = |(context, line): (ContextIx, u32)| Some((contexts[context.0 as usize]?, line));
            let mut sources = other.source_list(IndicatorIx(at as u32)).filter_map(named);
            let Some((context, line)) = sources.next() else { continue };
            let (value, extra) = (other.value_of(record), other.extras.get(record.extra));
            let record = Record { context, line, ..*record };
            let hash = hash_of(&self.hasher, value, &record, &extra);
            let ix = match self.commit(value, record, hash, &extra)? {
                Added::New(ix) => {
                    new += 1;
                    ix
                }
                Added::Merged(ix) => {
                    merged += 1;
                    ix
                }
            };
            sources.for_each(|(context, line)| self.add_source(ix.0, context, line));
        }
        Ok((new, merged))
    }

    /// The values that no source `keep` accepts names, without ids, sources, validity, ports and whatever else limits them, names
    /// and URLs with everything below, rules as the bytes that they ask for: what a text must not hold that is shown to a reader of `keep`'s. A value that another
    /// indicator releases, under the same port or any, is left out; so are byte signatures too short to say anything.
    #[must_use]
    pub fn withheld(&self, keep: impl Fn(&ContextRef<'_>) -> bool) -> Self {
        let kept = self.judged(keep);
        let is_released =
            |at: usize| self.source_list(IndicatorIx(at as u32)).any(|(context, _)| kept[context.0 as usize]);
        let named = |record: &Record| (record.kind, record.flags & 16 != 0, record.port);
        let (released, withheld): (Vec<usize>, Vec<usize>) = (0..self.records.len()).partition(|&at| is_released(at));
        let mut part = Self::default();
        if withheld.is_empty() {
            return part;
        }
        part.context(Context::default());
        let released: HashSet<_> =
            released.iter().map(|&at| &self.records[at]).map(|record| (self.value_of(record), named(record))).collect();
        for record in withheld.into_iter().map(|at| &self.records[at]) {
            let extra = self.extras.get(record.extra);
            if let Some(rule) = extra.rule {
                literals(rule).for_each(|content| part.copy_bytes(&content.bytes, content.nocase));
                part.copy_lists(rule);
                continue;
            }
            let value = self.value_of(record);
            let kind = KINDS[usize::from(record.kind)];
            let is_pattern = kind.index == Index::Pattern;
            if released.contains(&(value, named(record))) || is_pattern && value.len() < MIN_PATTERN_BYTES {
                continue;
            }
            let matching = match kind.index {
                Index::Suffix => Match::Subtree,
                Index::Path => Match::Prefix,
                _ => Match::Exact,
            };
            let flags = flags_of(matching, None, None);
            let pattern = Pattern { nocase: extra.pattern.nocase, ..Pattern::NONE };
            let record = Record { context: ContextIx(0), line: 0, port: 0, flags, ..*record };
            part.copy(value, record, &Extra { pattern, ..Extra::NONE });
        }
        part
    }

    /// Appends a byte signature that only asks for these bytes.
    fn copy_bytes(&mut self, bytes: &[u8], nocase: bool) {
        let Ok(value_bytes) = u16::try_from(bytes.len()) else { return };
        let pattern = Pattern { nocase, ..Pattern::NONE };
        let (kind, flags) = (BYTES.number(), flags_of(Match::Exact, None, None));
        let record =
            Record { value_at: 0, extra: NONE, context: ContextIx(0), line: 0, value_bytes, port: 0, kind, flags };
        self.copy(bytes, record, &Extra { pattern, ..Extra::NONE });
    }

    /// Appends what is on the lists that a rule asks of: texts as what must not be in a text, addresses as themselves.
    fn copy_lists(&mut self, rule: &Rule) {
        if let Body::Message(buffers) = &rule.body {
            // A digest stands in no text, and a text of a few bytes says nothing.
            let plain = buffers.iter().filter(|buffer| buffer.form.digest.is_none());
            for step in plain.flat_map(|buffer| &buffer.steps) {
                let Step::Listed { list, negated: false } = step else { continue };
                for value in list.iter() {
                    let value = value.strip_prefix(b".").unwrap_or(value);
                    if value.len() >= MIN_PATTERN_BYTES {
                        self.copy_bytes(value, true);
                    }
                }
            }
        }
        for thought in rule.ends.thought.iter().filter(|thought| !thought.negated) {
            thought.list.iter().for_each(|(network, _)| self.copy_network(network));
        }
        // Where nothing else is asked, whom it is about is what it says.
        if let (Body::Header(_), Key::Networks(_, networks)) = (&rule.body, rule.ends.key()) {
            networks.iter().for_each(|network| self.copy_network(*network));
        }
    }

    fn copy_network(&mut self, (bits, length): (u128, u8)) {
        let ip = std::net::Ipv6Addr::from_bits(bits);
        let text = match ip.to_ipv4_mapped() {
            Some(ip) if length >= 96 => format!("{ip}/{}", length - 96),
            _ => format!("{ip}/{length}"),
        };
        // What is no network keeps nobody's secret.
        let _ = self.add(&Draft::new(&IPV4, text.as_bytes(), ContextIx(0), 0), true);
    }

    /// What `keep` says of each context.
    fn judged(&self, keep: impl Fn(&ContextRef<'_>) -> bool) -> Vec<bool> {
        self.contexts().map(|context| keep(&context)).collect()
    }

    /// Appends a record of another set: the parts are no longer than the whole, so every number fits.
    fn copy(&mut self, value: &[u8], record: Record, extra: &Extra<'_>) {
        let value_at = self.values.len() as u32;
        let Ok(kept) = self.extras.keep(extra, &mut self.wants) else { return };
        self.values.extend_from_slice(value);
        self.has_conditions |= extra.when.is_some();
        self.has_function_conditions |= extra.when.is_some_and(|when| when.function.is_some());
        self.wants.add(KINDS[usize::from(record.kind)], value.len());
        self.records.push(Record { value_at, extra: kept, ..record });
    }
}

/// The bytes that a rule asks for, as far as they say something and are written as they are.
fn literals(rule: &Rule) -> impl Iterator<Item = &Content> {
    let (buffers, parts): (&[Buffer], &[Part]) = match &rule.body {
        Body::Message(buffers) => (buffers, &[]),
        Body::Bytes { parts, .. } => (&[], parts),
        Body::Header(_) => (&[], &[]),
    };
    let steps = buffers.iter().flat_map(|buffer| &buffer.steps).filter_map(|step| match step {
        Step::Find(content) => Some(content),
        Step::DataAt { .. } | Step::Listed { .. } => None,
    });
    let contents = steps.chain(parts.iter().flat_map(|part| &part.chain));
    contents.filter(|content| !content.negated && content.mask.is_empty() && content.bytes.len() >= MIN_PATTERN_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::kind::{BYTES, DOMAIN, IPV4, RULE};
    use crate::indicator::rule::{Ends, Header, Networks, Side, mapped};
    use crate::indicator::{Draft, Transport};

    fn set() -> IndicatorSet {
        let mut set = IndicatorSet::default();
        let open = set.context(Context { feed: "open".into(), ..Context::default() });
        let secret = set.context(Context { feed: "secret".into(), ..Context::default() });
        for draft in [
            Draft::new(&DOMAIN, b"both.example", secret, 1),
            Draft::new(&DOMAIN, b"both.example", open, 1),
            Draft { id: Some("s"), ..Draft::new(&DOMAIN, b"secret.example", secret, 2) },
            Draft { matching: Some(Match::Exact), ..Draft::new(&DOMAIN, b"twice.example", secret, 3) },
            Draft { id: Some("t"), ..Draft::new(&DOMAIN, b"twice.example", open, 3) },
            Draft { port: Some(1), transport: Some(Transport::Tcp), ..Draft::new(&IPV4, b"192.0.2.1", secret, 4) },
            Draft::new(&IPV4, b"192.0.2.1", open, 4),
            Draft { pattern: Pattern { depth: Some(2), ..Pattern::default() }, ..Draft::new(&BYTES, b"GE", secret, 5) },
        ] {
            set.add(&draft, true).expect("loads");
        }
        set.seal();
        set
    }

    fn lines(set: &IndicatorSet) -> Vec<String> {
        let line = |i: crate::indicator::Indicator<'_>| {
            let feeds: Vec<&str> = set.sources(i.ix).map(|(context, _)| context.feed).collect();
            format!("{} {:?} {:?} {feeds:?}", (i.kind.display)(i.value), i.matching, i.port)
        };
        set.iter().map(line).collect()
    }

    #[test]
    fn a_reader_gets_what_a_source_releases_with_that_source_alone() {
        let released = set().released(|context| (context.feed == "open").then_some(context));
        assert_eq!(
            lines(&released),
            [
                "both.example Subtree None [\"open\"]",
                "twice.example Subtree None [\"open\"]",
                "192.0.2.1 Exact None [\"open\"]"
            ]
        );
        assert_eq!(released.iter().nth(1).map(|i| i.id().into_owned()), Some("t".to_owned()));
        assert!(set().released(|_| None).is_empty());
        assert_eq!(lines(&set().released(|context| (!context.feed.is_empty()).then_some(context))), lines(&set()));
    }

    #[test]
    fn what_a_feed_named_is_taken_over_and_merged_with_what_is_there() {
        let mut fresh = IndicatorSet::default();
        let new = fresh.context(Context { feed: "new".into(), ..Context::default() });
        for value in [&b"both.example"[..], b"other.example"] {
            fresh.add(&Draft::new(&DOMAIN, value, new, 7), true).expect("loads");
        }
        assert_eq!(fresh.take_over(&set(), |context| context.feed == "secret"), Ok((4, 1)));
        assert_eq!(
            lines(&fresh),
            [
                "both.example Subtree None [\"new\", \"secret\"]",
                "other.example Subtree None [\"new\"]",
                "secret.example Subtree None [\"secret\"]",
                "twice.example Exact None [\"secret\"]",
                "192.0.2.1 Exact Some(1) [\"secret\"]",
                "GE Exact None [\"secret\"]",
            ]
        );
        assert_eq!(fresh.take_over(&set(), |context| context.feed == "secret"), Ok((0, 5)), "nothing twice");
        assert_eq!(fresh.iter().nth(2).map(|i| i.id().into_owned()), Some("s".to_owned()));
    }

    #[test]
    fn a_source_may_be_shown_without_its_name() {
        let hidden = set().released(|_| Some(ContextRef { feed: "hidden", ..ContextRef::default() }));
        let sources: Vec<(String, u32)> = hidden
            .iter()
            .flat_map(|i| hidden.sources(i.ix).map(|(c, line)| (c.feed.to_string(), line)).collect::<Vec<_>>())
            .collect();
        assert_eq!(hidden.len(), set().len());
        assert!(sources.iter().all(|source| *source == ("hidden".to_owned(), 0)), "{sources:?}");
    }

    #[test]
    fn what_is_withheld_has_no_limits_and_leaves_out_what_another_source_releases() {
        let withheld = set().withheld(|context| context.feed == "open");
        assert_eq!(lines(&withheld), ["secret.example Subtree None [\"\"]", "192.0.2.1 Exact None [\"\"]"]);
        assert!(set().withheld(|_| true).is_empty());
    }

    #[test]
    fn whom_a_withheld_rule_is_about_is_withheld() {
        let network = |text: &str, length| (mapped(text.parse().expect("an address")), length);
        let networks = |of: &[(u128, u8)]| Networks { of: of.into(), ..Networks::default() };
        let ends = Ends {
            source: networks(&[network("10.0.0.0", 104)]),
            own: Some(Side::Source),
            destination: networks(&[
                network("192.0.2.7", 128),
                network("198.51.100.0", 120),
                network("2001:db8::", 32),
            ]),
            ..Ends::default()
        };
        let rule = Rule { ends, body: Body::Header(Header::default()) };
        let mut set = IndicatorSet::default();
        let secret = set.context(Context { feed: "secret".into(), ..Context::default() });
        set.add(&Draft { rule: Some(&rule), ..Draft::new(&RULE, b"a rule", secret, 1) }, false).expect("loads");
        let withheld = set.withheld(|_| false);
        let mut values: Vec<_> = withheld.iter().map(|one| (one.kind.display)(one.value).into_owned()).collect();
        values.sort();
        assert_eq!(values, ["192.0.2.7", "198.51.100.0/24", "2001:db8::/32"], "and not whose they are read by");
    }
}
