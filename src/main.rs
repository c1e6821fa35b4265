//! Temporary dispatch to the lab.
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    match args.split_first() {
        Some((word, rest)) if word == "lab" => flowport::lab::main(rest),
        _ => ExitCode::from(2),
    }
}
