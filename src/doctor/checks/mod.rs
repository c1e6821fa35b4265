//! The checks, a file a family. Each takes all the facts and looks at its own; what could not be seen is no finding.

mod addresses;
mod bridges;
mod loops;
mod mtu;
mod ports;
mod services;
#[cfg(test)]
mod tests;
mod tunnels;

use super::{Facts, Finding, Severity};

/// What a check found: how bad it is, what it is, what to do about it.
type Found = (Severity, String, String);
type Check = fn(&Facts) -> Vec<Found>;

/// All checks with their names, those first whose findings explain others.
const CHECKS: [(&str, Check); 35] = [
    ("database", services::database),
    ("vswitchd", services::vswitchd),
    ("vswitchd-version", services::vswitchd_version),
    ("vswitchd-handlers", services::handlers),
    ("vswitchd-open-files", services::open_files),
    ("flow-restore-wait", services::flow_restore_wait),
    ("datapath-type", services::datapath_type),
    ("daemon", services::daemon),
    ("daemon-passive", services::daemon_passive),
    ("docker", services::docker),
    ("live-restore", services::live_restore),
    ("stale-port", ports::stale),
    ("port-device", ports::device),
    ("port-down", ports::down),
    ("port-inside", ports::inside),
    ("leftover-link", ports::leftover_links),
    ("fail-mode", bridges::fail_mode),
    ("protocols", bridges::protocols),
    ("bond", bridges::bond),
    ("controller", bridges::controller),
    ("missing-flows", bridges::missing_flows),
    ("foreign-flows", bridges::foreign_flows),
    ("bridge-down", bridges::down),
    ("ip-forwarding", bridges::ip_forwarding),
    ("gateway", bridges::gateway),
    ("mtu", mtu::inside),
    ("mtu-mixed", mtu::mixed),
    ("checksum-offload", ports::checksum_offload),
    ("address-clash", addresses::clash),
    ("mac-clash", addresses::mac_clash),
    ("host-route", addresses::host_route),
    ("public-address", addresses::public),
    ("tunnel", tunnels::remote),
    ("tunnel-underlay", tunnels::underlay),
    ("loop", loops::loops),
];

/// What is wrong, problems before hints.
pub fn findings(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = CHECKS
        .iter()
        .flat_map(|(check, run)| {
            run(facts).into_iter().map(|(severity, what, remedy)| Finding { severity, check, what, remedy })
        })
        .collect();
    findings.sort_by_key(|finding| finding.severity);
    findings
}

fn problem(what: impl Into<String>, remedy: impl Into<String>) -> Found {
    (Severity::Problem, what.into(), remedy.into())
}

fn hint(what: impl Into<String>, remedy: impl Into<String>) -> Found {
    (Severity::Hint, what.into(), remedy.into())
}

/// The line of an error that says at its end what to do.
fn with_remedy(line: &str, otherwise: &str) -> (String, String) {
    let (what, remedy) = line.rsplit_once(": ").unwrap_or((line, otherwise));
    (what.to_owned(), remedy.to_owned())
}

/// The first of many things, and how many more there are.
fn and_more(things: &[String]) -> String {
    match things {
        [] => String::new(),
        [only] => only.clone(),
        [first, second] => format!("{first} and {second}"),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

/// An endpoint as its user knows it.
fn named(attachment: &crate::model::Attachment) -> String {
    format!("{} of {}", attachment.interface, attachment.container)
}

/// The command that takes an endpoint's port away.
fn del_port(attachment: &crate::model::Attachment) -> String {
    format!("`flowport del-port {} {} {}`", attachment.bridge, attachment.interface, attachment.container)
}
