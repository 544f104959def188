//! Contents in a value, exactly: where the matches of a chain of contents may end.
//!
//! A rule language tries one place of a content after the other until the rest fits. Here all places where a content may end are
//! kept together, so that the work is bounded by the value's length and not by the number of combinations, and what is found
//! is the same.

use crate::indicator::rule::{Buffer, Content, Range, Step};

/// Whether a whole value is as a rule asks. `ends` is scratch.
pub(super) fn holds(buffer: &Buffer, value: &[u8], ends: &mut Vec<usize>) -> bool {
    let length = value.len() as u64;
    let fits = |&(least, most): &(u32, u32)| (u64::from(least)..=u64::from(most)).contains(&length);
    if !buffer.lengths.is_empty() && !buffer.lengths.iter().any(fits) {
        return false;
    }
    ends.clear();
    ends.push(0);
    buffer.steps.iter().all(|step| match step {
        Step::Find(content) => find(content, value, 0, ends),
        Step::DataAt { bytes, relative: true, negated } => {
            ends.retain(|end| (end + *bytes as usize <= value.len()) != *negated);
            !ends.is_empty()
        }
        Step::DataAt { bytes, relative: false, negated } => ((*bytes as usize) < value.len()) != *negated,
        Step::Listed { list, negated } => list.contains(value) != *negated,
    })
}

/// Replaces `ends`, where the match before may end, by where this one may; false if it cannot. A content that must not be there
/// leaves those ends after which it is not. `value` begins at position `base` of what ranges from the start speak of.
pub(super) fn find(content: &Content, value: &[u8], base: u64, ends: &mut Vec<usize>) -> bool {
    let length = content.bytes.len();
    match (content.range, content.negated) {
        (Range::Start { offset, depth }, negated) => {
            let low = u64::from(offset).saturating_sub(base) as usize;
            let high = depth.map_or(value.len(), |depth| {
                let high = (u64::from(offset) + u64::from(depth)).saturating_sub(base);
                value.len().min(usize::try_from(high).unwrap_or(usize::MAX))
            });
            if negated {
                return starts(content, value, low, high).next().is_none();
            }
            ends.clear();
            ends.extend(starts(content, value, low, high).map(|start| start + length));
            !ends.is_empty()
        }
        (Range::After { distance, within }, negated) => {
            let first = ends.first().map_or(0, |end| shifted(*end, distance));
            let last = match (within, ends.last()) {
                (Some(within), Some(end)) => value.len().min(shifted(*end, distance.saturating_add_unsigned(within))),
                _ => value.len(),
            };
            let limit = |end: usize| within.map_or(usize::MAX, |w| shifted(end, distance.saturating_add_unsigned(w)));
            if negated {
                let places: Vec<usize> = starts(content, value, first, value.len()).collect();
                ends.retain(|&end| {
                    let from = places.partition_point(|&start| start < shifted(end, distance));
                    places.get(from).is_none_or(|start| start + length > limit(end))
                });
                return !ends.is_empty();
            }
            let next: Vec<usize> = starts(content, value, first, last)
                .filter(|&start| {
                    // The latest end that it may follow allows the most.
                    let follows = ends.partition_point(|&end| shifted(end, distance) <= start);
                    follows.checked_sub(1).and_then(|at| ends.get(at)).is_some_and(|&end| start + length <= limit(end))
                })
                .map(|start| start + length)
                .collect();
            *ends = next;
            !ends.is_empty()
        }
    }
}

/// Where a content begins that lies from `low` to `high`, in order.
fn starts<'v>(content: &'v Content, value: &'v [u8], low: usize, high: usize) -> impl Iterator<Item = usize> + 'v {
    let length = content.bytes.len();
    let range = value.get(..high).and_then(|value| value.get(low..)).unwrap_or(&[]);
    let must_end = content.ends.then(|| value.len().wrapping_sub(length));
    let is_plain = content.mask.is_empty() && !content.nocase;
    let mut from = 0;
    let all = std::iter::from_fn(move || {
        let rest = range.get(from..)?;
        let at = match is_plain {
            true => memchr::memmem::find(rest, &content.bytes)?,
            false => rest.windows(length.max(1)).position(|bytes| is_at(content, bytes))?,
        };
        from += at + 1;
        Some(from - 1)
    });
    all.map(move |at| low + at).filter(move |start| must_end.is_none_or(|wanted| *start == wanted))
}

/// Whether these bytes, as many as it has, are the content.
fn is_at(content: &Content, bytes: &[u8]) -> bool {
    match (content.mask.is_empty(), content.nocase) {
        (true, false) => *bytes == *content.bytes,
        (true, true) => bytes.eq_ignore_ascii_case(&content.bytes),
        (false, _) => {
            bytes.iter().zip(&content.bytes).zip(&content.mask).all(|((seen, own), mask)| (seen ^ own) & mask == 0)
        }
    }
}

fn shifted(end: usize, by: i32) -> usize {
    end.saturating_add_signed(by as isize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::indicator::rule::{Form, Place};

    fn content(bytes: &str, range: Range) -> Content {
        let bytes = bytes.as_bytes().into();
        Content { bytes, mask: Box::default(), nocase: false, negated: false, ends: false, range }
    }

    fn after(distance: i32, within: Option<u32>) -> Range {
        Range::After { distance, within }
    }

    fn says(steps: Vec<Step>, value: &str) -> bool {
        let buffer =
            Buffer { place: Place::Datagram, form: Form::default(), steps: steps.into(), lengths: Box::default() };
        holds(&buffer, value.as_bytes(), &mut Vec::new())
    }

    #[test]
    fn a_later_place_of_the_first_content_counts_too() {
        let near = |w| vec![Step::Find(content("ab", Range::ANYWHERE)), Step::Find(content("cd", after(1, Some(w))))];
        assert!(says(near(2), "ab ab ab-cd"));
        assert!(!says(near(2), "ab ab ab--cd"));
        assert!(says(near(3), "ab ab ab--cd"));
        assert!(!says(near(9), "cd ab"), "only after it");
    }

    #[test]
    fn places_from_the_start_and_to_the_end() {
        let at = |offset, depth| vec![Step::Find(content("abc", Range::Start { offset, depth }))];
        assert!(says(at(2, Some(3)), "..abc") && !says(at(3, Some(3)), "..abc.") && !says(at(2, Some(2)), "..abc"));
        let ends = vec![Step::Find(Content { ends: true, ..content("abc", Range::ANYWHERE) })];
        assert!(says(ends.clone(), "abcabc") && !says(ends.clone(), "abcab") && !says(ends, ""));
        let any_case = Content { nocase: true, ..content("aBc", Range::ANYWHERE) };
        assert!(says(vec![Step::Find(any_case)], "..AbC"));
    }

    #[test]
    fn what_must_not_be_there() {
        let not = |range| Step::Find(Content { negated: true, ..content("x", range) });
        assert!(says(vec![not(Range::ANYWHERE)], "abc") && !says(vec![not(Range::ANYWHERE)], "axc"));
        let near = || vec![Step::Find(content("a", Range::ANYWHERE)), not(after(0, Some(2)))];
        assert!(!says(near(), "ax") && says(near(), "ax a.."), "one of the places is enough");
        let data = |bytes, relative, negated| Step::DataAt { bytes, relative, negated };
        assert!(says(vec![data(3, false, false)], "abcd") && !says(vec![data(4, false, false)], "abcd"));
        let last = || vec![Step::Find(content("d", Range::ANYWHERE)), data(1, true, true)];
        assert!(says(last(), "abcd") && !says(last(), "abcd."));
    }

    /// One place after the other, as the rule language says it.
    fn tried(steps: &[Content], value: &[u8], end: usize) -> bool {
        let Some((first, rest)) = steps.split_first() else { return true };
        let (low, high) = match first.range {
            Range::Start { offset, depth } => {
                (offset as usize, depth.map_or(value.len(), |d| value.len().min((offset + d) as usize)))
            }
            Range::After { distance, within } => {
                let low = (end as i64 + i64::from(distance)).max(0) as usize;
                let high = within.map_or(value.len() as i64, |w| end as i64 + i64::from(distance) + i64::from(w));
                (low, high.clamp(0, value.len() as i64) as usize)
            }
        };
        let length = first.bytes.len();
        let places = || (low..(high + 1).saturating_sub(length)).filter(|&s| value[s..s + length] == *first.bytes);
        match first.negated {
            true => places().next().is_none() && tried(rest, value, end),
            false => places().any(|start| tried(rest, value, start + length)),
        }
    }

    proptest! {
        #[test]
        fn the_same_as_trying_every_place(
            contents in prop::collection::vec(
                ("[ab]{1,3}", any::<bool>(), 0i32..6, prop::option::of(1u32..8), any::<bool>(), -3i32..1), 1..5),
            value in "[abc]{0,24}",
        ) {
            let steps: Vec<Content> = contents.into_iter().map(|(bytes, relative, number, more, negated, back)| {
                let range = match relative {
                    true => Range::After { distance: number + back, within: more },
                    false => Range::Start { offset: number as u32, depth: more },
                };
                Content { negated, ..content(&bytes, range) }
            }).collect();
            let wanted = tried(&steps, value.as_bytes(), 0);
            prop_assert_eq!(says(steps.into_iter().map(Step::Find).collect(), &value), wanted);
        }
    }
}
