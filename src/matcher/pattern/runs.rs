//! Long runs of one byte, cut short: zero pages and padding are common, feeds hold literals of nothing else, and then every
//! byte of a run is the end of many occurrences that say what the first one said.

/// Calls `search` with the start and the end of each part of `haystack` to be searched, until it returns false. The parts
/// leave out the middle of long runs, in such a way that whatever of up to `margin` bytes occurs in what is left out, and
/// ends after `from`, occurs as well in a part, earlier, and ends after `from` there.
pub(super) fn parts(haystack: &[u8], from: usize, margin: usize, mut search: impl FnMut(usize, usize) -> bool) {
    let shortest = 2 * margin + WORTH_SKIPPING;
    let (mut start, mut at) = (0, from);
    while let Some(sample) = haystack.get(at..at + SAMPLE) {
        let byte = sample[0];
        if sample.iter().all(|&b| b == byte) {
            let low = start.max(from);
            let first = haystack[low..at].iter().rposition(|&b| b != byte).map_or(low, |other| low + other + 1);
            let rest = &haystack[at..];
            let last = rest.iter().position(|&b| b != byte).map_or(haystack.len(), |other| at + other);
            if last - first >= shortest {
                if !search(start, first + margin) {
                    return;
                }
                start = last - margin;
                at = last;
                continue;
            }
        }
        // A run worth skipping holds a sample at one of the steps.
        at += shortest / 2;
    }
    search(start, haystack.len());
}

const SAMPLE: usize = 8;

/// Bytes left out at least: fewer cost less to search than to leave out.
const WORTH_SKIPPING: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(haystack: &[u8], from: usize, margin: usize) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        parts(haystack, from, margin, |start, end| {
            all.push((start, end));
            true
        });
        all
    }

    #[test]
    fn a_page_of_zeros_is_its_two_ends() {
        let haystack = [&b"head"[..], &[0; 4096], b"tail"].concat();
        assert_eq!(all(&haystack, 0, 10), [(0, 14), (4090, 4104)]);
        assert_eq!(all(b"short", 0, 10), [(0, 5)]);
        assert_eq!(all(&[0; 100], 0, 10), [(0, 100)], "not worth it");
        assert_eq!(all(&[], 0, 1), [(0, 0)]);
    }

    proptest! {
        #[test]
        fn what_is_left_out_occurs_before(
            runs in proptest::collection::vec((0u8..2, 1usize..400), 0..8),
            margin in 1usize..40,
            from in any::<prop::sample::Index>(),
            length in 1usize..40,
        ) {
            let haystack: Vec<u8> = runs.iter().flat_map(|(byte, length)| vec![*byte; *length]).collect();
            let from = from.index(haystack.len() + 1);
            let parts = all(&haystack, from, margin);
            let length = length.min(margin);
            for (start, window) in haystack.windows(length).enumerate().filter(|(start, _)| start + length > from) {
                let same = |at: usize| at + length > from && &haystack[at..at + length] == window;
                let found = parts.iter().any(|(low, high)| (*low..(high + 1).saturating_sub(length)).any(|at| at <= start && same(at)));
                prop_assert!(found, "{} of {:?}", start, parts);
            }
        }
    }
}
