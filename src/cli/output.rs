//! What goes to standard output and standard error.

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;

/// Prints a text to standard output; a reader who has left is no error.
pub(super) fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints a value as JSON, for programs.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), super::Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| super::Failure(error.to_string()))?;
    print(&format!("{text}\n"));
    Ok(())
}

/// Prints the one line that says why a command failed.
pub(super) fn complain(name: &str, line: &str) {
    let line = line.replace('\n', " ");
    let _ = writeln!(io::stderr().lock(), "{name}: {line}");
}

/// Log lines go to standard error: of the daemon from info on, of a command when asked for by `-v` or `RUST_LOG`.
pub(super) fn init_log(verbose: u8, daemon: bool) {
    let level = match (verbose, daemon) {
        (0, false) => "error",
        (0, true) => "info",
        (1, _) => "flowport=debug",
        (_, _) => "flowport=trace,flowport_ovsdb=trace,flowport_openflow=trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    // Only the first call of a process can succeed, and there is only one.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let _ = log.with_ansi(io::stderr().is_terminal()).try_init();
}

/// The runtime of a command: one thread, because it waits far more than it works.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, super::Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| super::Failure(format!("cannot start: {error}")))
}
