//! `picket feed fetch`: a collection of a TAXII 2.1 server into a folder.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::{Form, new_table, time_of};
use crate::alert::printable;
use crate::fetch::{self, Collection, Credentials, Fetched, Options};

#[derive(Debug, clap::Args)]
pub(super) struct FetchArgs {
    /// The server's discovery document (https://HOST/taxii2/) or an API root
    url: String,
    /// The collection's id, alias or title
    #[arg(long, value_name = "ID", required_unless_present = "list")]
    collection: Option<String>,
    /// The folder that the objects are kept in
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    out: Option<PathBuf>,
    /// List the collections instead
    #[arg(long, conflicts_with_all = ["collection", "out"])]
    list: bool,
    /// A file that says `Basic USER:PASSWORD` or `Bearer TOKEN`; without it PICKET_TAXII_USER and PICKET_TAXII_PASSWORD, or
    /// PICKET_TAXII_TOKEN, are used
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// Client certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// Its key, PEM
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
    /// Trust these authorities instead of the system's, PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Fetch everything anew after so many days: a server does not say what it deleted
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    resync_days: u64,
    /// Objects to ask for in a page
    #[arg(long, value_name = "N", default_value_t = 1000)]
    page_objects: u32,
    /// Most bytes of objects to keep
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 30)]
    max_bytes: u64,
    /// Seconds to wait for an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
    /// How to print; a table on a terminal and JSON otherwise if not given
    #[arg(long)]
    format: Option<Form>,
}

pub(super) fn run(args: &FetchArgs) -> anyhow::Result<ExitCode> {
    let options = Options {
        credentials: credentials(args.credentials.as_deref())?,
        authorities: args.ca.clone(),
        identity: args.client_cert.clone().zip(args.client_key.clone()),
        page_objects: args.page_objects,
        max_bytes: args.max_bytes,
        resync_after: Duration::from_secs(args.resync_days.saturating_mul(24 * 3600)),
        timeout: Duration::from_secs(args.timeout),
        now: time_of(None),
        pause: &std::thread::sleep,
    };
    match (&args.collection, &args.out) {
        (Some(collection), Some(out)) => {
            let fetched = fetch::fetch(&args.url, collection, out, &options)?;
            super::print(args.format, &fetched, |to| told(&fetched, to))?;
        }
        _ => {
            let collections = fetch::collections(&args.url, &options)?;
            super::print(args.format, &collections, |to| table(&collections, to))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn told(fetched: &Fetched, out: &mut dyn Write) -> io::Result<()> {
    let Fetched { path, full, pages, objects, new, malformed, kept } = fetched;
    let how = if *full { "everything" } else { "what is new" };
    writeln!(
        out,
        "{}: {how} fetched, {objects} objects in {pages} pages, {new} new, {malformed} malformed; {kept} kept",
        path.display()
    )
}

fn table(collections: &[Collection], out: &mut dyn Write) -> io::Result<()> {
    let mut table = new_table(["collection", "alias", "title", "readable", "API root"]);
    for collection in collections {
        let shown = |text: &str| printable(text.as_bytes());
        table.add_row([
            shown(&collection.id),
            shown(collection.alias.as_deref().unwrap_or_default()),
            shown(&collection.title),
            if collection.can_read { "yes" } else { "no" }.to_owned(),
            shown(&collection.api_root),
        ]);
    }
    writeln!(out, "{table}")
}

/// Never from the command line: other users can read that. No error repeats any of it.
fn credentials(file: Option<&Path>) -> anyhow::Result<Credentials> {
    let Some(path) = file else {
        let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        return Ok(match (var("PICKET_TAXII_TOKEN"), var("PICKET_TAXII_USER")) {
            (Some(token), _) => Credentials::Bearer(token),
            (None, Some(user)) => {
                Credentials::Basic { user, password: var("PICKET_TAXII_PASSWORD").unwrap_or_default() }
            }
            (None, None) => Credentials::None,
        });
    };
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read credentials {}", path.display()))?;
    let (scheme, rest) = text.trim().split_once(char::is_whitespace).unwrap_or_default();
    let plain = !rest.chars().any(char::is_control);
    match (scheme.to_ascii_lowercase().as_str(), rest.trim().split_once(':')) {
        ("bearer", _) if plain => Ok(Credentials::Bearer(rest.trim().to_owned())),
        ("basic", Some((user, password))) if plain => {
            Ok(Credentials::Basic { user: user.to_owned(), password: password.to_owned() })
        }
        _ => bail!("{}: not one line `Basic USER:PASSWORD` or `Bearer TOKEN`", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credentials_file_is_one_line() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("credentials");
        let read = |text: &str| {
            std::fs::write(&path, text).expect("writes");
            credentials(Some(&path))
        };
        assert!(
            matches!(read("Basic me:pass: word\n"), Ok(Credentials::Basic { user, password }) if user == "me" && password == "pass: word")
        );
        assert!(matches!(read("bearer abc\n"), Ok(Credentials::Bearer(token)) if token == "abc"));
        for bad in ["", "hunter2", "Basic hunter2", "Digest a:hunter2", "Bearer hunter2\nx"] {
            let error = format!("{:#}", read(bad).expect_err("bad"));
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
