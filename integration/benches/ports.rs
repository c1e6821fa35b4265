//! `make bench`: the tables of [`flowport_integration::bench`].
//!
//! `--healing` measures how soon pings go on when parts die and come back; `--scale` measures thousands of ports instead
//! of tens, `--flows` of that the flow entries only, and `--crowd` a daemon with ten thousand endpoints; `--quick` measures
//! each once and small; `--markdown` prints the table for a document.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the table is what a bench is for")]

use std::process::ExitCode;

use flowport_integration::bench::{Healing, Scale, Size, run, run_crowd, run_flows, run_healing, run_scale};
use flowport_integration::chain;

fn main() -> ExitCode {
    let has = |word: &str| std::env::args().any(|arg| arg == word);
    let quick = has("--quick");
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let scale = if quick { Scale::QUICK } else { Scale::FULL };
    let report = if has("--flows") {
        runtime.block_on(run_flows(scale))
    } else if has("--crowd") {
        runtime.block_on(run_crowd(scale))
    } else if has("--scale") {
        runtime.block_on(run_scale(scale))
    } else if has("--healing") {
        runtime.block_on(run_healing(if quick { Healing::QUICK } else { Healing::FULL }))
    } else {
        runtime.block_on(run(if quick { Size::QUICK } else { Size::FULL }))
    };
    match report {
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
