//! `demo`.

use std::process::ExitCode;

use crate::demo;

use super::Failure;

#[derive(clap::Args)]
pub(super) struct DemoArgs {
    /// Use network namespaces even where a Docker Engine can be had
    #[arg(long)]
    no_docker: bool,
}

pub(super) fn demo(args: &DemoArgs) -> Result<ExitCode, Failure> {
    demo::run(args.no_docker).map_err(Failure)
}
