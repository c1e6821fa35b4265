//! `make bench`: the table of [`flowport_integration::bench`].
//!
//! `--quick` measures each once and small; `--markdown` prints the table for a document.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the table is what a bench is for")]

use std::process::ExitCode;

use flowport_integration::bench::{Size, run};
use flowport_integration::chain;

fn main() -> ExitCode {
    let has = |word: &str| std::env::args().any(|arg| arg == word);
    let size = if has("--quick") { Size::QUICK } else { Size::FULL };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(run(size)) {
        Ok(report) => {
            println!("{}", if has("--markdown") { report.markdown() } else { report.text() });
            ExitCode::SUCCESS
        }
        Err(error) => failed(error.as_ref()),
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("bench: {}", chain(error));
    ExitCode::FAILURE
}
