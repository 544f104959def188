//! What is logged, by a program of its own: this test runs itself again, because a process has one logger.

use std::process::Command;

use picket::cli::log;

const CHILD: &str = "PICKET_TEST_LOGS";

/// In the child: logs, and ends.
fn child() {
    log::init();
    if std::env::var(CHILD).as_deref() == Ok("configured") {
        log::configure("info", true);
    }
    for number in 0..250 {
        tracing::warn!(number, "too \"often\"");
    }
    tracing::info!(target: "picket::test", "of interest");
    tracing::info!(target: "rskafka::client", "of interest to nobody");
    log::settle();
    // What is not asked for is not said too often either.
    let expected = if std::env::var_os("PICKET_LOG").is_some() { 0 } else { 150 };
    assert_eq!(log::suppressed(), expected);
}

fn lines(how: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "what_is_said_too_often_is_counted", "--nocapture"]).env(CHILD, how);
    command.env_remove("PICKET_LOG").env_remove("PICKET_LOG_FORMAT").envs(variables.iter().copied());
    let output = command.output().expect("runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let is_logged = |line: &&str| line.contains("often") || line.contains("interest") || line.contains("written");
    String::from_utf8_lossy(&output.stderr).lines().filter(is_logged).map(str::to_owned).collect()
}

#[test]
fn what_is_said_too_often_is_counted() {
    if std::env::var_os(CHILD).is_some() {
        return child();
    }
    let text = lines("plain", &[]);
    assert_eq!(text.len(), 101, "{text:?}");
    assert!(text[0].contains("WARN") && text[0].contains("too \"often\" number=0"), "{}", text[0]);
    assert!(text[100].contains("lines=150") && text[100].contains("tests/log.rs"), "{}", text[100]);

    let json = lines("plain", &[("PICKET_LOG_FORMAT", "json")]);
    assert_eq!(json.len(), 101);
    let first: serde_json::Value = serde_json::from_str(&json[0]).expect("JSON");
    assert_eq!(
        (&first["level"], &first["message"], &first["number"]),
        (&"WARN".into(), &"too \"often\"".into(), &0.into())
    );
    assert!(first["timestamp"].as_str().is_some_and(|time| time.ends_with('Z') && time.contains('T')), "{first}");
    let last: serde_json::Value = serde_json::from_str(&json[100]).expect("JSON");
    assert_eq!((&last["lines"], &last["target"]), (&150.into(), &"picket::log".into()));
}

#[test]
fn the_environment_is_asked_before_the_configuration() {
    let configured = lines("configured", &[]);
    assert_eq!(configured.len(), 102);
    assert!(configured.iter().all(|line| line.starts_with('{')) && configured[100].contains("of interest"));
    let overruled = lines("configured", &[("PICKET_LOG", "error"), ("PICKET_LOG_FORMAT", "text")]);
    assert!(overruled.is_empty(), "{overruled:?}");
}
