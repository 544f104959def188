use super::*;

fn feed(path: &str, entries: u64, is_whole: bool) -> FeedState {
    FeedState { path: path.into(), label: path.into(), entries, is_whole, changed: Timestamp::ZERO }
}

#[test]
fn a_feed_that_fails_or_shrinks_is_refused() {
    let before = [feed("a", 100, true), feed("b", 10, true), feed("c", 5, false)];
    let judged = |after: &[FeedState]| judge(&before, after, 50);
    assert_eq!(judged(&before), Ok(()), "what failed before may go on failing");
    assert_eq!(judged(&[feed("a", 50, true), feed("b", 5, true), feed("c", 5, false)]), Ok(()), "just enough");
    assert!(
        judged(&[feed("a", 49, true), feed("b", 10, true), feed("c", 5, true)])
            .is_err_and(|why| why.starts_with("a has 49"))
    );
    assert!(
        judged(&[feed("a", 100, true), feed("b", 10, false), feed("c", 5, true)])
            .is_err_and(|why| why.starts_with("b cannot"))
    );
    assert_eq!(judged(&[feed("a", 100, true)]), Ok(()), "two small ones were taken away");
    assert!(judged(&[feed("b", 10, true)]).is_err_and(|why| why.starts_with("the feeds together")));
    assert_eq!(judge(&before, &[], 100), Ok(()), "no threshold");
}
