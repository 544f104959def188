use proptest::prelude::*;

use super::*;
use crate::indicator::kind::RULE;
use crate::indicator::rule::{Ends, Flowing, Header, Networks, Ports, Rule, Side, Thought};
use crate::indicator::{Context, Draft, Transport};

fn set(rules: &[Ends]) -> IndicatorSet {
    let mut set = IndicatorSet::default();
    let context = set.context(Context::default());
    for (line, ends) in (1..).zip(rules) {
        let rule = Rule { ends: ends.clone(), body: Body::Header(Header::default()) };
        let text = format!("rule {line}");
        set.add(&Draft { rule: Some(&rule), ..Draft::new(&RULE, text.as_bytes(), context, line) }, true)
            .expect("loads");
    }
    set
}

/// Numbers drawn from bytes: rules show nothing of themselves, so a failing case is its bytes.
struct Draw<'b>(std::slice::Iter<'b, u8>);

impl Draw<'_> {
    fn below(&mut self, most: u8) -> u8 {
        self.0.next().copied().unwrap_or(0) % most
    }

    fn is(&mut self) -> bool {
        self.below(2) == 1
    }

    /// Addresses close enough together that networks hold some of them.
    fn address(&mut self) -> IpAddr {
        let [a, b, c] = [self.below(4), self.below(4), self.below(4)];
        match self.below(3) {
            0 => IpAddr::from([0x2001, 0xdb8, a.into(), 0, 0, 0, 0, b.into()]),
            _ => IpAddr::from([10, a, b, c]),
        }
    }

    fn networks(&mut self) -> Networks {
        let network = |draw: &mut Self| {
            let ip = draw.address();
            let short = draw.below(33);
            let length = if ip.is_ipv4() { 128 - short } else { 128 - short * 3 };
            (mapped(ip) & mask(length), length)
        };
        let (of, but) = (self.below(3), self.below(6) / 4);
        let mut some = |count| (0..count).map(|_| network(self)).collect();
        Networks { of: some(of), but: some(but) }
    }

    fn ends(&mut self, lists: &[Arc<Addresses>]) -> Ends {
        let thought = |draw: &mut Self| Thought {
            of: [Side::Source, Side::Destination, Side::Either, Side::Both][usize::from(draw.below(4))],
            list: Arc::clone(&lists[usize::from(draw.below(2))]),
            number: (1 + draw.below(2), 9),
            negated: draw.is(),
        };
        let ports = Ports { of: [(1, 2)].into(), ..Ports::default() };
        let thoughts = self.below(4) / 2;
        Ends {
            source: self.networks(),
            destination: self.networks(),
            destination_port: if self.is() { ports } else { Ports::default() },
            both_ways: self.is(),
            to_responder: [None, Some(true), Some(false)][usize::from(self.below(3))],
            thought: (0..thoughts).map(|_| thought(self)).collect(),
            ..Ends::default()
        }
    }

    fn list(&mut self) -> Arc<Addresses> {
        let mut list = Addresses::default();
        for _ in 0..self.below(4) {
            let (ip, number) = (self.address(), 1 + self.below(3));
            let length = 128 - number % 2 * 8;
            list.put((mapped(ip) & mask(length), length), number);
        }
        Arc::new(list)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]
    #[test]
    fn none_is_left_out_that_asking_each_would_find(bytes in prop::collection::vec(any::<u8>(), 40..400)) {
        let mut draw = Draw(bytes.iter());
        let lists = [draw.list(), draw.list()];
        let rules: Vec<Ends> = (0..draw.below(12)).map(|_| draw.ends(&lists)).collect();
        let headers = Headers::build(&set(&rules));
        prop_assert_eq!(headers.is_empty(), rules.is_empty());
        let mut found = Vec::new();
        for _ in 0..20 {
            let (from, to, port) = (draw.address(), draw.address(), u16::from(draw.below(4)));
            let way = |to_responder| Flowing {
                originator: (from, 40_000),
                responder: (to, port),
                to_responder,
                transport: Some(Transport::Tcp),
                protocol: 6,
            };
            headers.find([from, to], &mut found);
            prop_assert!(found.is_sorted_by(|a, b| a < b), "each once");
            for (number, ends) in rules.iter().enumerate() {
                if ends.admits(&way(true)) || ends.admits(&way(false)) {
                    prop_assert!(found.contains(&IndicatorIx(number as u32)), "rule {}", number);
                }
            }
        }
    }
}

#[test]
fn only_rules_about_an_end_are_named() {
    let about = |text: &str| Ends {
        destination: Networks { of: [(mapped(text.parse().expect("an address")), 128)].into(), but: Box::default() },
        ..Ends::default()
    };
    let rules: Vec<Ends> = (0..1000).map(|n| about(&format!("198.51.{}.{}", n / 250, n % 250))).collect();
    let headers = Headers::build(&set(&rules));
    let mut found = Vec::new();
    let ip = |text: &str| text.parse().expect("an address");
    headers.find([ip("192.0.2.1"), ip("198.51.3.7")], &mut found);
    assert_eq!(found, [IndicatorIx(757)]);
    headers.find([ip("192.0.2.1"), ip("::ffff:198.51.0.0")], &mut found);
    assert_eq!(found, [IndicatorIx(0)]);
    headers.find([ip("192.0.2.1"), ip("2001:db8::1")], &mut found);
    assert!(found.is_empty() && headers.memory_bytes() > 0);
}
