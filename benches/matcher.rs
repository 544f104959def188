//! Each structure of the matcher beside what could stand in its place, on generated values: a million entries, nearly all
//! look-ups negative, as on a network. Every candidate's count is asserted before it is timed, so a fast wrong answer fails.
//!
//! `cargo bench --bench matcher`; `-- --test` runs each once.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use bloomfilter::Bloom as CrateBloom;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use hashbrown::{HashMap, HashSet};
use picket::indicator::kind::{DOMAIN, IPV4};
use picket::indicator::{Context, Draft, IndicatorIx, IndicatorSet, Observable, Value, Where};
use picket::matcher::bloom::Bloom;
use picket::matcher::exact::Exact;
use picket::matcher::pattern::Engine;
use picket::matcher::{Hit, MatchSet, Matcher, Seeds};
use picket::time::Timestamp;
use prefix_trie::PrefixMap;

const ENTRIES: u64 = 1_000_000;
/// Enough that what is asked does not stay in the cache from one round to the next.
const ASKED: usize = 1 << 20;
/// One in so many look-ups is of an entry.
const POSITIVE: u64 = 1000;
const BATCH: usize = 32;

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = filters, tables, addresses, names, networks, patterns
}
criterion_main!(benches);

/// Times `count`, which looks up everything asked, after checking what it counts.
fn time(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, wanted: Count, mut count: impl FnMut() -> usize) {
    let found = count();
    match wanted {
        Count::Exactly(exact) => assert_eq!(found, exact, "{name}"),
        Count::Maybe(exact) => assert!(found >= exact && found < exact + ASKED / 50, "{name}: {found}, not {exact}"),
    }
    group.bench_function(name, |b| b.iter(|| black_box(count())));
}

#[derive(Clone, Copy)]
enum Count {
    Exactly(usize),
    /// A filter's: no fewer, and at most one in fifty more.
    Maybe(usize),
}

fn filters(c: &mut Criterion) {
    let seeds = Seeds::fixed(1);
    let asked = asked();
    let wanted = asked.iter().filter(|key| **key < ENTRIES).count();
    let mut group = group(c, "filter");

    let mut own = Bloom::for_keys(ENTRIES as usize);
    (0..ENTRIES).for_each(|key| own.insert(own.probe(seeds.word(key))));
    time(&mut group, "own, one at a time", Count::Maybe(wanted), || {
        asked.iter().filter(|key| own.maybe(own.probe(seeds.word(**key)))).count()
    });
    time(&mut group, "own, batches with prefetch", Count::Maybe(wanted), || {
        let mut found = 0;
        for batch in asked.chunks_exact(BATCH) {
            let probes: [_; BATCH] = std::array::from_fn(|at| own.probe(seeds.word(batch[at])));
            probes.iter().for_each(|probe| own.prefetch(*probe));
            found += probes.iter().filter(|probe| own.maybe(**probe)).count();
        }
        found
    });
    drop(own);

    let mut other = CrateBloom::new_for_fp_rate(ENTRIES as usize, 0.005).expect("a filter");
    (0..ENTRIES).for_each(|key| other.set(&key));
    time(&mut group, "bloomfilter crate", Count::Maybe(wanted), || asked.iter().filter(|key| other.check(key)).count());
    drop(other);

    let set: HashSet<u64, foldhash::fast::FixedState> = (0..ENTRIES).collect();
    time(&mut group, "hashbrown set", Count::Exactly(wanted), || asked.iter().filter(|key| set.contains(*key)).count());
    group.finish();
}

fn tables(c: &mut Criterion) {
    let seeds = Seeds::fixed(1);
    let asked = asked();
    let wanted = asked.iter().filter(|key| **key < ENTRIES).count();
    let mut group = group(c, "exact table");

    let mut own = Exact::for_keys(ENTRIES as usize);
    (0..ENTRIES).for_each(|key| own.insert(seeds.word(key), IndicatorIx(key as u32), |ix| u64::from(ix.0) == key));
    own.seal();
    let find = |key: u64| own.find(seeds.word(key), |ix| u64::from(ix.0) == key).count();
    time(&mut group, "own, one at a time", Count::Exactly(wanted), || asked.iter().map(|key| find(*key)).sum());
    time(&mut group, "own, batches with prefetch", Count::Exactly(wanted), || {
        let mut found = 0;
        for batch in asked.chunks_exact(BATCH) {
            batch.iter().for_each(|key| own.prefetch(seeds.word(*key)));
            found += batch.iter().map(|key| find(*key)).sum::<usize>();
        }
        found
    });

    let map: HashMap<u64, u32, foldhash::fast::FixedState> = (0..ENTRIES).map(|key| (key, key as u32)).collect();
    time(&mut group, "hashbrown map", Count::Exactly(wanted), || {
        asked.iter().filter(|key| map.get(*key).is_some()).count()
    });
    group.finish();
}

fn addresses(c: &mut Criterion) {
    let mut set = IndicatorSet::default();
    let context = set.context(Context::default());
    for key in 0..ENTRIES {
        let text = address(key).to_string();
        let port = (key % 4 == 0).then_some(443);
        set.add(&Draft { port, ..Draft::new(&IPV4, text.as_bytes(), context, 1) }, true).expect("loads");
    }
    let set = Arc::new(MatchSet::compile_seeded(set, IndicatorSet::default(), Seeds::fixed(1)));
    let asked = asked();
    let wanted = asked.iter().filter(|key| u64::from(**key as u32) < ENTRIES).count();
    let asked: Vec<Ipv4Addr> = asked.into_iter().map(address).collect();
    let mut matcher = Matcher::new(Arc::clone(&set));
    let mut see = |ip: Ipv4Addr, hits: &mut Vec<Hit>| {
        let value = Value::Endpoint(ip.into(), 443, None);
        matcher.seen(&Observable { kind: &IPV4, value, at: Where("bench"), with: &[] }, Timestamp::ZERO, hits);
    };
    let mut hits = Vec::new();
    let mut group = group(c, "flow end");
    time(&mut group, "maybe, batches with prefetch", Count::Maybe(wanted), || {
        let mut found = 0;
        for batch in asked.chunks_exact(BATCH) {
            let keys: [_; BATCH] = std::array::from_fn(|at| set.endpoint_key(batch[at].into(), 443));
            keys.iter().for_each(|key| set.prefetch_endpoint(key));
            found += keys.iter().filter(|key| set.endpoint_maybe(key)).count();
        }
        found
    });
    time(&mut group, "seen, one at a time", Count::Exactly(wanted), || {
        hits.clear();
        asked.iter().for_each(|ip| see(*ip, &mut hits));
        hits.len()
    });
    group.finish();
}

fn names(c: &mut Criterion) {
    let name = |key: u64| format!("{}.{:x}.{}", WORDS[key as usize % 4], scatter(key), TOPS[key as usize / 4 % 4]);
    let mut set = IndicatorSet::default();
    let context = set.context(Context::default());
    for key in 0..ENTRIES {
        set.add(&Draft::new(&DOMAIN, name(key).as_bytes(), context, 1), true).expect("loads");
    }
    let set = Arc::new(MatchSet::compile_seeded(set, IndicatorSet::default(), Seeds::fixed(1)));
    let asked: Vec<String> = asked().into_iter().map(|key| format!("a.{}", name(key))).collect();

    let other: HashSet<Box<str>, foldhash::fast::FixedState> = (0..ENTRIES).map(|key| name(key).into()).collect();
    let by_suffixes = |name: &str| {
        let starts = name.match_indices('.').map(|(dot, _)| dot + 1);
        std::iter::once(0).chain(starts).filter(|start| other.contains(&name[*start..])).count()
    };
    let wanted = asked.iter().map(|name| by_suffixes(name)).sum();
    let mut group = group(c, "name");
    let mut matcher = Matcher::new(Arc::clone(&set));
    let mut hits = Vec::new();
    time(&mut group, "seen, one at a time", Count::Exactly(wanted), || {
        hits.clear();
        for name in &asked {
            let value = Value::Text(name.as_bytes());
            let observable = Observable { kind: &DOMAIN, value, at: Where("bench"), with: &[] };
            matcher.seen(&observable, Timestamp::ZERO, &mut hits);
        }
        hits.len()
    });
    time(&mut group, "maybe, batches with prefetch", Count::Maybe(wanted), || {
        let mut found = 0;
        for batch in asked.chunks_exact(BATCH) {
            let keys: [_; BATCH] = std::array::from_fn(|at| set.name_key(batch[at].as_bytes()));
            keys.iter().for_each(|key| set.prefetch_name(*key));
            found += keys.iter().filter(|key| set.name_maybe(**key)).count();
        }
        found
    });
    time(&mut group, "hashbrown set, every suffix", Count::Exactly(wanted), || {
        asked.iter().map(|name| by_suffixes(name)).sum()
    });
    let mut filter = CrateBloom::new_for_fp_rate(ENTRIES as usize, 0.005).expect("a filter");
    other.iter().for_each(|name| filter.set(&**name));
    time(&mut group, "bloomfilter crate, every suffix, then hashbrown", Count::Exactly(wanted), || {
        let covers = |suffix: &str| filter.check(suffix) && other.contains(suffix);
        let suffixes = |name: &str| {
            let starts = name.match_indices('.').map(|(dot, _)| dot + 1);
            std::iter::once(0).chain(starts).filter(|start| covers(&name[*start..])).count()
        };
        asked.iter().map(|name| suffixes(name)).sum()
    });
    group.finish();
}

fn networks(c: &mut Criterion) {
    let nets: Vec<(u32, u8)> = (0..100_000)
        .map(|key| {
            let length = 12 + (scatter(key) % 17) as u8;
            (scatter(key + 7) as u32 & (u32::MAX << (32 - length)), length)
        })
        .collect();
    let trie: PrefixMap<(u32, u8), u32> = nets.iter().map(|net| (*net, 0)).collect();
    let mut lengths: [HashSet<u32, foldhash::fast::FixedState>; 33] = std::array::from_fn(|_| HashSet::default());
    nets.iter().for_each(|net| {
        lengths[usize::from(net.1)].insert(net.0);
    });
    let asked: Vec<u32> = (0..ASKED as u64).map(|key| scatter(key + ENTRIES) as u32).collect();
    let wanted = asked.iter().map(|ip| trie.cover(&(*ip, 32)).count()).sum();
    let mut group = group(c, "network");
    time(&mut group, "prefix-trie, all that cover", Count::Exactly(wanted), || {
        asked.iter().map(|ip| trie.cover(&(*ip, 32)).count()).sum()
    });
    time(&mut group, "a set for each length", Count::Exactly(wanted), || {
        let covers = |ip: u32, length: usize| {
            let set = &lengths[length];
            !set.is_empty() && set.contains(&(ip & u32::MAX.checked_shl(32 - length as u32).unwrap_or(0)))
        };
        asked.iter().map(|ip| (0..=32).filter(|length| covers(*ip, *length)).count()).sum()
    });
    group.finish();
}

fn patterns(c: &mut Criterion) {
    let text = payload();
    for count in [10, 50, 1_000, 10_000] {
        let literals: Vec<Box<[u8]>> = (0..count)
            .map(|key| format!("{:x}-{}", scatter(key), WORDS[key as usize % 4]).into_bytes().into())
            .collect();
        let mut haystack = text.clone();
        for (number, literal) in literals.iter().enumerate().take(100) {
            let at = number * haystack.len() / 100;
            haystack[at..at + literal.len()].copy_from_slice(literal);
        }
        let wanted = Count::Exactly(literals.len().min(100));
        let mut group = c.benchmark_group(format!("{count} literals"));
        group.throughput(Throughput::Bytes(haystack.len() as u64));
        let engine = Engine::build(&literals);
        let all = |engine: &Engine| {
            let mut found = 0;
            for run in haystack.chunks(haystack.len() / 100) {
                engine.occurrences(run, |_, _| {
                    found += 1;
                    true
                });
            }
            found
        };
        time(&mut group, &format!("chosen: {}", engine.name()), wanted, || all(&engine));
        if engine.name() != "automaton" {
            let automaton = Engine::automaton(&literals);
            time(&mut group, "automaton", wanted, || all(&automaton));
        }
        // Ten thousand would take 200 MB.
        if count <= 1_000 {
            let dfa = AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(&literals).expect("literals");
            time(&mut group, "aho-corasick DFA", wanted, || {
                haystack.chunks(haystack.len() / 100).map(|run| dfa.find_overlapping_iter(run).count()).sum()
            });
        }
        group.finish();
    }
}

fn group<'c>(c: &'c mut Criterion, name: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(ASKED as u64));
    group
}

/// Keys to look up: one in [`POSITIVE`] is an entry.
fn asked() -> Vec<u64> {
    let keys = 0..ASKED as u64;
    keys.map(|n| if n % POSITIVE == 0 { scatter(n) % ENTRIES } else { ENTRIES + scatter(n) % (1 << 40) }).collect()
}

fn address(key: u64) -> Ipv4Addr {
    Ipv4Addr::from((key as u32).wrapping_mul(0x9e37_79b1))
}

/// Words and markup of a few letters, as web pages have.
fn payload() -> Vec<u8> {
    let mut text = Vec::new();
    for n in 0.. {
        if text.len() >= 1 << 20 {
            return text;
        }
        text.extend(format!("<p class=\"{}\">{:x} ", WORDS[scatter(n) as usize % 4], scatter(n) % 4096).bytes());
    }
    text
}

/// A fixed scrambling of `key` (the finaliser of splitmix64).
fn scatter(key: u64) -> u64 {
    let z = key.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const WORDS: [&str; 4] = ["alpha", "mail", "cdn-static", "www"];
const TOPS: [&str; 4] = ["com", "example", "org", "net"];
