//! The `flowport` binary; called as `ovs-docker` it takes that tool's command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    flowport::cli::run(std::env::args_os().collect())
}
