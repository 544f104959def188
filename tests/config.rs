//! `picket config` from outside: what is printed, and the exit status: 0 would start, 1 would not, 2 usage.

mod common;

use std::fs;
use std::path::Path;
use std::process::Output;

use common::{FEED, file, finish, picket};
use serde_json::Value;

fn run(args: &[&str]) -> Output {
    finish(picket().args(["config"]).args(args))
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("ends by itself")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A configuration in `folder` that would start, with `more` after it.
fn configuration(folder: &Path, more: &str) -> String {
    let path = folder.join("picket.toml");
    let text = format!(
        "[capture]\ninterfaces = [\"lo\"]\nworkers = 2\n[feeds]\npaths = [\"{}\"]\n[[sinks]]\nname = \"alerts\"\n\
         file = {{ path = \"{}\" }}\n{more}",
        file(FEED).display(),
        folder.join("alerts.jsonl").display()
    );
    fs::write(&path, text).expect("written");
    path.to_str().expect("text").to_owned()
}

fn check(path: &str, more: &[&str]) -> (i32, Value) {
    let output = run(&[&["check", path, "--format", "json"][..], more].concat());
    (code(&output), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

#[test]
fn the_example_is_printed_as_it_is() {
    let output = run(&["example"]);
    assert_eq!(code(&output), 0);
    assert_eq!(text(&output.stdout), include_str!("../src/config/example.toml"));
}

#[test]
fn what_would_start_passes_with_its_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = configuration(folder.path(), "");
    let (status, said) = check(&path, &[]);
    assert_eq!(status, 0, "{said}");
    assert_eq!((&said["passes"], said["troubles"].as_array().map(Vec::len)), (&Value::Bool(true), Some(0)), "{said}");
    let rings = said["memory"]["lines"].as_array().expect("lines").iter().find(|line| line["part"] == "rings");
    assert_eq!(rings.expect("is there")["bytes"], 2 * (64 << 20));
    let table = run(&["check", &path, "--format", "table"]);
    let table = text(&table.stdout);
    assert!(table.contains("flows.max 1000000") && table.contains("would start; memory.max is 4.00 GiB"), "{table}");
}

#[test]
fn feeds_are_loaded_where_it_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = configuration(folder.path(), "");
    let set = |said: &Value| {
        let lines = said["memory"]["lines"].as_array().expect("lines");
        let line = lines.iter().find(|line| line["part"] == "indicators").expect("is there");
        (line["of"].as_str().expect("text").to_owned(), line["bytes"].as_u64().expect("a number"))
    };
    let (estimated, guess) = set(&check(&path, &[]).1);
    let (loaded, bytes) = set(&check(&path, &["--load"]).1);
    assert_eq!(
        (estimated, loaded),
        ("the compiled set, estimated from the size of the feeds".to_owned(), "the compiled set, loaded".to_owned())
    );
    assert!(bytes > 0 && bytes < guess * 4, "{bytes} by loading, {guess} by size");
    fs::write(folder.path().join("empty.txt"), "# nothing\n").expect("written");
    let text = fs::read_to_string(&path).expect("reads").replace(file(FEED).to_str().expect("text"), "empty.txt");
    fs::write(&path, text.replace("empty.txt", folder.path().join("empty.txt").to_str().expect("text")))
        .expect("written");
    let (status, said) = check(&path, &["--load"]);
    assert_eq!(status, 1);
    assert!(said["troubles"][0]["why"].as_str().expect("text").starts_with("no indicator was loaded"), "{said}");
}

#[test]
fn more_memory_than_allowed_does_not_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = configuration(folder.path(), "[memory]\nmax = \"64 MiB\"\n");
    assert_eq!(check(&path, &[]).0, 1);
    let output = run(&["check", &path, "--format", "table"]);
    assert_eq!(code(&output), 1);
    let said = text(&output.stdout);
    assert!(said.contains("error: memory.max: ") && said.contains("would not start"), "{said}");
}

#[test]
fn what_is_not_there_does_not_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = configuration(folder.path(), "");
    let text = fs::read_to_string(&path).expect("reads");
    let text = text
        .replace(file(FEED).to_str().expect("text"), "/nonexistent/feed")
        .replace("alerts.jsonl", "no/alerts.jsonl");
    fs::write(&path, format!("{text}[[sinks]]\nname = \"hook\"\nwebhook = {{ url = \"https://h/\", authorization = {{ scheme = \"bearer\", \
         secret_file = \"/nonexistent/secret\" }} }}\nspool = {{ directory = \"/nonexistent/a/b/c\" }}\n")).expect("written");
    let (status, said) = check(&path, &[]);
    assert_eq!(status, 1);
    let options: Vec<&str> =
        said["troubles"].as_array().expect("a list").iter().map(|one| one["option"].as_str().expect("text")).collect();
    assert_eq!(
        options,
        [
            "feeds.paths",
            "sinks.file.path (sink alerts)",
            "sinks.webhook.authorization.secret_file (sink hook)",
            "sinks.spool.directory (sink hook)",
        ]
    );
}

#[test]
fn what_is_wrong_is_said_with_file_and_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = configuration(folder.path(), "[capure]\n");
    let output = run(&["check", &path]);
    assert_eq!(code(&output), 1);
    let said = text(&output.stderr);
    assert!(said.starts_with(&format!("picket: {path}:9: ")) && said.contains("did you mean `capture`?"), "{said}");
    let output = run(&["check", "/nonexistent/picket.toml"]);
    assert_eq!(code(&output), 1);
    assert!(text(&output.stderr).contains("cannot read the configuration /nonexistent/picket.toml"), "{output:?}");
}

#[test]
fn usage_errors_exit_with_2() {
    for wrong in [&["chek"][..], &["check", "a", "b"], &["check", "--no-such-option"], &[]] {
        assert_eq!(code(&run(wrong)), 2, "{wrong:?}");
    }
}
