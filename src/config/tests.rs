use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

/// A file with what must be set and `more`, which begins on line 8.
fn with(more: &str) -> String {
    format!(
        "[capture]\ninterfaces = [\"eth1\"]\n[feeds]\npaths = [\"feeds\"]\n[[sinks]]\nname = \"a\"\nstdout = {{}}\n{more}"
    )
}

fn error(text: &str) -> String {
    Plan::parse(text, "picket.toml").expect_err("is refused").to_string()
}

/// The example with every option on.
fn all_on() -> String {
    let is_option = |line: &str| {
        let word = line.trim_start_matches(|c: char| c.is_ascii_lowercase() || c == '_');
        line.starts_with('[') || (word.len() < line.len() && word.starts_with(" = "))
    };
    let on = |line: &'static str| line.strip_prefix('#').filter(|option| is_option(option)).unwrap_or(line);
    Plan::example().lines().map(on).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_is_the_default_but_for_what_must_be_set() {
    let mut plan = Plan::parse(Plan::example(), "example").expect("reads");
    assert_eq!(std::mem::take(&mut plan.capture.interfaces), ["eth1"]);
    assert_eq!(std::mem::take(&mut plan.feeds.paths), [Path::new("/var/lib/picket/feeds")]);
    let sink = SinkPlan {
        name: "alerts".into(),
        format: SinkFormat::default(),
        clearance: "alerts".into(),
        filter: SinkFilter::default(),
        destination: Destination::File(FileTarget {
            path: "/var/log/picket/alerts.jsonl".into(),
            ..FileTarget::default()
        }),
        spool: SpoolPlan::default(),
    };
    assert_eq!(std::mem::take(&mut plan.sinks), [sink]);
    assert_eq!(plan, Plan::default());
}

#[test]
fn every_option_is_in_the_example() {
    let text = all_on();
    let plan = Plan::parse(&text, "example").expect("reads with everything on");
    let mut destinations: Vec<&str> = plan.sinks.iter().map(|sink| sink.destination.name()).collect();
    destinations.sort_unstable();
    assert_eq!(destinations, ["elasticsearch", "file", "kafka", "nats", "stdout", "syslog", "unix", "webhook"]);
    let (mut known, mut shown) = (BTreeSet::new(), BTreeSet::new());
    keys("", &serde_json::to_value(&plan).expect("serialises"), &mut known);
    keys("", &toml::from_str::<Value>(&text).expect("is TOML"), &mut shown);
    assert!(known.len() > 100, "{known:?}");
    assert_eq!(known, shown);
}

/// Paths of every key; items of a list are put together.
fn keys(at: &str, value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                out.insert(format!("{at}.{key}"));
                keys(&format!("{at}.{key}"), value, out);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(at, item, out)),
        _ => {}
    }
}

#[test]
fn what_is_set_is_what_is_said() {
    let plan = Plan::parse(&all_on(), "example").expect("reads");
    assert_eq!(plan.capture.workers, Some(2));
    assert_eq!(plan.capture.ring_bytes, Bytes(64 << 20));
    assert_eq!(plan.feeds.stale_after, Period::seconds(86_400));
    let siem = plan.sinks.iter().find(|sink| sink.name == "siem").expect("is there");
    assert_eq!((siem.format, siem.clearance.as_str()), (SinkFormat::Cef, "siem"));
    let Destination::Syslog(syslog) = &siem.destination else { panic!("syslog") };
    assert_eq!((syslog.transport, syslog.facility), (SyslogTransport::Tls, 16));
}

#[test]
fn an_unknown_word_is_said_with_what_was_meant_and_what_is_allowed() {
    let said = error("[capture]\ninterfaces = [\"eth1\"]\nring_byts = \"1 MiB\"\n");
    assert!(said.starts_with("picket.toml:3: [capture]: unknown field `ring_byts`, expected one of"), "{said}");
    assert!(said.contains("`snap_bytes`") && said.ends_with("did you mean `ring_bytes`?"), "{said}");
    let said = error("[capure]\n");
    assert!(said.starts_with("picket.toml:1: ") && said.ends_with("did you mean `capture`?"), "{said}");
    let said = error(&with("format = \"esc\"\n"));
    assert!(said.starts_with("picket.toml:8: [[sinks]]: unknown variant `esc`"), "{said}");
    assert!(said.contains("`ocsf`") && said.ends_with("did you mean `ecs`?"), "{said}");
    let said = error(&with("[log]\nlevel = \"zzzzzz\"\n"));
    assert!(said.contains("`error`, `warn`, `info`") && !said.contains("did you mean"), "{said}");
}

#[test]
fn a_value_of_the_wrong_sort_is_said_with_an_example() {
    let said = error(&with("[memory]\nmax = \"4 gigs\"\n"));
    assert!(said.starts_with("picket.toml:9: [memory]: ") && said.contains("\"64 MiB\""), "{said}");
    let said = error(&with("[suppression]\nwindow = 5\n"));
    assert!(said.starts_with("picket.toml:9: [suppression]: ") && said.contains("\"10s\""), "{said}");
    let said = error(&with("[flows]\nprotocols = [\"dns\", \"gopher\"]\n"));
    assert!(
        said.starts_with("picket.toml:9: [flows]: ") && said.contains("no protocol is called \"gopher\""),
        "{said}"
    );
    let said = error(&with("[metrics]\nlisten = \"localhost\"\n"));
    assert!(said.starts_with("picket.toml:9: [metrics]: "), "{said}");
    let said = error("[capture\n");
    assert!(said.starts_with("picket.toml:1: "), "{said}");
}

#[test]
fn a_sink_has_one_destination() {
    let said = error("[[sinks]]\nname = \"x\"\n");
    assert!(said.contains("sink `x` has no destination: add one of [sinks.file]"), "{said}");
    let said = error(&with("[sinks.file]\npath = \"x\"\n"));
    assert!(said.contains("two destinations, file and stdout"), "{said}");
    let said = error(&with("[sinks.spool]\n"));
    assert!(said.contains("stdout has no use for [sinks.spool]"), "{said}");
}

#[test]
fn nothing_set_says_all_that_must_be() {
    let said = error("");
    for part in ["set interfaces in [capture]", "set paths in [feeds]", "add a [[sinks]]"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn every_finding_is_told_at_its_line() {
    let more = "[flows]\nmax = 1\n[[sinks]]\nname = \"a\"\n[sinks.syslog]\naddress = \"siem\"\ntls = { ca_file = \"x\" }\n\
                [capture2]\n";
    let said = error(&with(more.trim_end_matches("[capture2]\n")));
    let lines: Vec<&str> = said.lines().map(|line| line.split(": ").next().unwrap_or("")).collect();
    let expected = ["picket.toml:9", "picket.toml:11", "picket.toml:13", "picket.toml:14"];
    assert_eq!(lines, expected, "{said}");
}

#[test]
fn values_out_of_bounds_are_refused() {
    let capture = |line: &str| error(&with("").replace("[capture]", &format!("[capture]\n{line}")));
    for (line, part) in [
        ("workers = 0", "workers must be 1 to 16"),
        ("workers = 17", "workers must be 1 to 16"),
        ("snap_bytes = 10", "it must be 96 to 262144"),
        ("ring_bytes = \"4 GiB\"", "it must be 1 MiB to 2 GiB"),
        ("cpus = [0, 100000]", "there is no processor 100000"),
    ] {
        let said = capture(line);
        assert!(said.starts_with("picket.toml:2: ") && said.contains(part), "{line}: {said}");
    }
    for (more, part) in [
        ("[metrics]\ntls_key = \"k\"\n", "tls_certificate and tls_key go together"),
        ("[privileges]\ngroup = \"g\"\n", "set user too"),
        ("[suppression]\nburst = 0\n", "let no alert through"),
        ("[sinks.filter]\nkinds = [\"domain\"]\n", "did you mean `domain-name`?"),
        ("[sinks.filter]\nmin_severity = 101\n", "0 to 100"),
        ("[[sinks]]\nname = \"b/c\"\n[sinks.file]\npath = \"x\"\n", "is no name of a sink"),
        ("[[sinks]]\nname = \"b\"\nstdout = {}\n", "two sinks write to standard output"),
        ("[[sinks]]\nname = \"b\"\n[sinks.file]\npath = \"x\"\nrotate_bytes = 5\n", "at least 64 KiB"),
        ("[[sinks]]\nname = \"b\"\n[sinks.webhook]\nurl = \"https://u:p@h/\"\n", "has a password in it"),
        (&hook("http://h/", "scheme = \"bearer\", secret_file = \"f\""), "in the clear"),
        (&hook("https://h/", "scheme = \"basic\", secret_file = \"f\""), "the scheme basic needs user"),
        (&hook("https://h/", "scheme = \"bearer\", secret_file = \"f\", user = \"u\""), "user is of no use"),
        (&hook("https://h/", "scheme = \"scram-sha-256\""), "one of none, basic, bearer, api-key, header"),
        ("[[sinks]]\nname = \"b\"\n[sinks.kafka]\n", "set brokers"),
        ("[[sinks]]\nname = \"b\"\n[sinks.nats]\nservers = [\"h:1\"]\n", "nats://HOST:PORT"),
    ] {
        let said = error(&with(more));
        assert!(said.contains(part), "{more}: {said}");
    }
    let local = hook("http://127.0.0.1:80/", "scheme = \"bearer\", secret_file = \"f\"");
    Plan::parse(&with(&local), "x").expect("a secret may go to this machine");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let said = Plan::read(Path::new("/nonexistent/picket.toml")).expect_err("is refused").to_string();
    assert!(said.starts_with("cannot read the configuration /nonexistent/picket.toml: No such file"), "{said}");
}

fn hook(url: &str, authorization: &str) -> String {
    format!("[[sinks]]\nname = \"b\"\n[sinks.webhook]\nurl = \"{url}\"\nauthorization = {{ {authorization} }}\n")
}
