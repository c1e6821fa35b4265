//! `doctor`.

use std::process::ExitCode;

use crate::doctor::{self, Finding, Places, Severity};

use super::{Failure, Global, output};

pub(super) fn doctor(global: &Global) -> Result<ExitCode, Failure> {
    let places = Places { db: global.db()?, socket: global.socket.clone(), timeout: global.timeout() };
    let facts = output::runtime()?.block_on(doctor::gather(&places));
    let findings = doctor::findings(&facts);
    if global.json {
        output::print_json(&findings)?;
    } else {
        output::print(&report(&findings));
    }
    let wrong = findings.iter().any(|finding| finding.severity == Severity::Problem);
    Ok(if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A line for each finding.
fn report(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "nothing wrong found\n".to_owned();
    }
    findings.iter().map(|finding| format!("{finding}\n")).collect()
}
