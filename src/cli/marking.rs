//! `picket marking`: what a marking lets the sensor and each sink do, and which rule decides (`explain`).

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use serde_json::{Value, json};

use crate::alert::printable;
use crate::marking::{self, Action, Clearance, Clearances, Decision, Marking};

/// Explain markings.
#[derive(Debug, clap::Args)]
pub struct MarkingArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say what the sensor and each sink may do with what is marked so, and which rule decides
    Explain {
        /// A banner (SECRET//REL TO USA, GBR), a portion ((S//NF)), what an alert prints (TLP:AMBER+STRICT PAP:RED S//NF),
        /// or @FILE, a STIX marking definition in JSON
        #[arg(value_name = "MARKING")]
        marking: String,
        /// Clearance file; without one, sensor and sinks belong to whoever gives the feed
        #[arg(long, value_name = "FILE")]
        clearance: Option<PathBuf>,
        /// How to print; a table on a terminal and JSON Lines otherwise if not given
        #[arg(long)]
        format: Option<Form>,
    },
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For a reader.
    Table,
    /// One JSON document an answer.
    Json,
}

/// A question's name, and how it is asked.
type Question = (&'static str, fn(&Clearance, &Marking) -> Decision);

/// Asked of every clearance, in this order.
const QUESTIONS: [Question; 7] = [
    ("hold", Clearance::may_hold),
    ("see", Clearance::may_see),
    ("name source", Clearance::may_name_source),
    ("notify", Clearance::may_notify),
    ("act: log", |who, marking| who.may_act(marking, Action::Log)),
    ("act: passive", |who, marking| who.may_act(marking, Action::Passive)),
    ("act: active", |who, marking| who.may_act(marking, Action::Active)),
];

/// Runs the subcommand.
///
/// # Errors
/// A file that cannot be read, a marking of another nation, output that cannot be written.
pub fn run(args: &MarkingArgs) -> anyhow::Result<ExitCode> {
    let Command::Explain { marking, clearance, format } = &args.command;
    let all = clearance.as_deref().map_or_else(|| Ok(Clearances::owner()), Clearances::read)?;
    let marking = match marking.strip_prefix('@') {
        Some(path) => definition(path).with_context(|| format!("cannot explain {path}"))?,
        None => Marking::parse(marking).context("cannot explain it: such an entry is not loaded")?,
    };
    let mut readers = vec![("sensor".to_string(), &*all.sensor)];
    readers.extend(all.sinks().map(|(name, clearance)| (format!("sink {name}"), clearance)));
    let rest = if clearance.is_some() { "any other sink" } else { "any sink" };
    // No section can have this name: it is none that a sink could be given.
    readers.push((rest.to_string(), all.of_sink("")));

    let out = io::stdout().lock();
    let default = if out.is_terminal() { Form::Table } else { Form::Json };
    let mut out = io::BufWriter::new(out);
    let written = match format.unwrap_or(default) {
        Form::Table => table(&marking, &readers, &mut out),
        Form::Json => json_lines(&marking, &readers, &mut out),
    };
    match written.and_then(|()| out.flush()) {
        // A reader that has seen enough (`head`) is no failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// The marking definition in a file, or those of a bundle combined; says on standard error what cannot be read.
fn definition(path: &str) -> anyhow::Result<Marking> {
    let mut text = String::new();
    File::open(path)?.take(MAX_DEFINITION_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_DEFINITION_BYTES {
        bail!("it has over {MAX_DEFINITION_BYTES} bytes, so it is no marking definition");
    }
    let document: Value = serde_json::from_str(&text)?;
    let objects = match document.get("objects").and_then(Value::as_array) {
        Some(objects) => objects.iter().collect(),
        None => vec![&document],
    };
    let is_definition = |object: &&Value| object.get("type").and_then(Value::as_str) == Some("marking-definition");
    let definitions: Vec<&Value> = objects.into_iter().filter(is_definition).collect();
    if definitions.is_empty() {
        bail!("it holds no object of type marking-definition");
    }
    for fault in definitions.iter().flat_map(|object| marking::faults(object)) {
        eprintln!("picket: {}; it is for nobody", printable(fault.as_bytes()));
    }
    let parts = definitions.into_iter().map(marking::definition);
    Ok(parts.fold(Marking::default(), |all, part| all.combine(&part)))
}

fn table(marking: &Marking, readers: &[(String, &Clearance)], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", shown(marking))?;
    if let Some(classification) = &marking.classification {
        writeln!(out, "portion: {}", printable(classification.portion().to_string().as_bytes()))?;
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["who", "may", "", "rule", "because"]);
    for (who, clearance) in readers {
        for (question, ask) in QUESTIONS {
            let Decision { allowed, rule, detail } = ask(clearance, marking);
            let answer = if allowed { "yes" } else { "no" };
            table.add_row([
                printable(who.as_bytes()),
                question.to_string(),
                answer.to_string(),
                rule.to_string(),
                printable(detail.as_bytes()),
            ]);
        }
    }
    writeln!(out, "{table}")
}

fn json_lines(marking: &Marking, readers: &[(String, &Clearance)], out: &mut impl Write) -> io::Result<()> {
    for (who, clearance) in readers {
        for (question, ask) in QUESTIONS {
            let Decision { allowed, rule, detail } = ask(clearance, marking);
            let document = json!({
                "marking": marking.to_string(),
                "who": who,
                "may": question,
                "allowed": allowed,
                "rule": rule.code(),
                "because": if detail.is_empty() { rule.to_string() } else { format!("{rule} ({detail})") },
            });
            serde_json::to_writer(&mut *out, &document)?;
            writeln!(out)?;
        }
    }
    Ok(())
}

fn shown(marking: &Marking) -> String {
    match marking.is_unmarked() {
        true => "(unmarked)".to_string(),
        false => printable(marking.to_string().as_bytes()),
    }
}

/// Larger is no marking definition.
const MAX_DEFINITION_BYTES: u64 = 16 << 20;
