//! The command line of Open vSwitch's `test-ovsdb.py`, with this client instead of its own behind it: so its tests of
//! clients and of the notation test ours. `ovsdb/conformance/run` runs them.
//!
//! What is here is that program's language of commands and the form of its output. What a command does, the library does.

mod cluster;
mod idl;
mod notation;
mod passive;
mod text;
mod words;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// A busy machine gets so many times the time that the suite allows: it is not about speed.
const PATIENCE: u32 = 4;

/// How long a server may take to answer the command that asks for nothing else.
const STREAM: Duration = Duration::from_secs(10);

/// What one command wrote before it failed, if it did, and the words for that.
type Outcome = Result<(), String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = run(&arguments);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            // Who cannot be told is told by the exit status.
            let _ = writeln!(std::io::stderr(), "{words}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Outcome {
    let (limit, arguments) = timeout(arguments)?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut out = std::io::stdout().lock();
    match &arguments[..] {
        ["default-atoms"] => notation::default_atoms(&mut out),
        ["default-data"] => notation::default_data(&mut out),
        ["parse-atomic-type", kind] => notation::parse_atomic_type(&mut out, kind),
        ["parse-base-type", kind] => notation::parse_base_type(&mut out, kind),
        ["parse-type", kind] => notation::parse_type(&mut out, kind),
        ["parse-atoms", kind, atoms @ ..] => notation::parse_atoms(&mut out, kind, atoms),
        ["parse-data", kind, data @ ..] => notation::parse_data(&mut out, kind, data),
        ["sort-atoms", kind, atoms] => notation::sort_atoms(&mut out, kind, atoms),
        ["parse-column", name, column] => notation::parse_column(&mut out, name, column),
        ["parse-table", name, table] => notation::parse_table(&mut out, name, table, false),
        ["parse-table", name, table, roots] => notation::parse_table(&mut out, name, table, *roots == "true"),
        ["parse-schema", schema] => notation::parse_schema(&mut out, schema),
        ["idl", schema, remotes, commands @ ..] => {
            within(limit, idl::run(&mut out, schema, remotes, commands))
        }
        ["idl-cluster", schema, remotes, pids, commands @ ..] => {
            within(limit, cluster::run(&mut out, schema, remotes, pids, commands))
        }
        ["idl_passive", schema, listen, commands @ ..] => {
            within(limit, passive::run(&mut out, schema, listen, commands))
        }
        ["stream", remotes] => within(limit.or(Some(STREAM)), idl::answers(remotes)),
        _ => Err(format!("unknown command: {}", arguments.join(" "))),
    }
}

/// Runs a command that waits for servers, and gives it up when it takes too long.
fn within(limit: Option<Duration>, command: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(async {
        match limit {
            None => command.await,
            Some(limit) => tokio::time::timeout(limit * PATIENCE, command)
                .await
                .unwrap_or_else(|_| Err(format!("not done after {} s", (limit * PATIENCE).as_secs()))),
        }
    })
}

/// `-t SECONDS`, and what follows.
fn timeout(arguments: &[String]) -> Result<(Option<Duration>, &[String]), String> {
    let (seconds, rest) = match arguments {
        [first, rest @ ..] if first.starts_with("-t") => (&first[2..], rest),
        _ => return Ok((None, arguments)),
    };
    let (seconds, rest) = match (seconds, rest) {
        ("", [seconds, rest @ ..]) => (seconds.as_str(), rest),
        other => other,
    };
    let seconds = seconds.parse().map_err(|_| format!("-t {seconds}: not a number of seconds"))?;
    Ok((Some(Duration::from_secs(seconds)), rest))
}

/// Writes one line of output.
fn print(out: &mut impl Write, line: &str) -> Outcome {
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| format!("cannot write: {error}"))
}
