//! placeholder
/// x
pub fn run(_no_docker: bool) -> Result<std::process::ExitCode, String> {
    Err("not yet".into())
}
