//! The programs that have to run, and how they run.

use crate::doctor::{DaemonSeen, EngineSeen, Facts};
use crate::ovsdb::SurveyedBridge;

use super::{Found, hint, problem, with_remedy};

/// An ovs-vswitchd that has this part of its files open will soon refuse a port.
const FILES_NEARLY_ALL: f64 = 0.8;

pub(super) fn database(facts: &Facts) -> Vec<Found> {
    let Err(line) = &facts.ovs.database else { return Vec::new() };
    let (what, remedy) = with_remedy(line, "start it with `systemctl start openvswitch-switch`");
    vec![problem(what, remedy)]
}

pub(super) fn vswitchd(facts: &Facts) -> Vec<Found> {
    let Err(line) = &facts.ovs.vswitchd else { return Vec::new() };
    let (what, remedy) = with_remedy(line, "restart it with `systemctl restart openvswitch-switch`");
    vec![problem(what, remedy)]
}

pub(super) fn vswitchd_version(facts: &Facts) -> Vec<Found> {
    let (Ok(survey), Ok(vswitchd)) = (&facts.ovs.database, &facts.ovs.vswitchd) else { return Vec::new() };
    match &survey.ovs_version {
        Some(installed) if *installed != vswitchd.version && !vswitchd.version.is_empty() => vec![hint(
            format!(
                "ovs-vswitchd runs as version {}, {installed} was started or installed",
                vswitchd.version
            ),
            "restart it with `systemctl restart openvswitch-switch`",
        )],
        _ => Vec::new(),
    }
}

/// Packets that the kernel's datapath has no flow for go to handler threads. Open vSwitch 3.1 starts none when it is
/// started in the first ten seconds after boot.
pub(super) fn handlers(facts: &Facts) -> Vec<Found> {
    let Ok(vswitchd) = &facts.ovs.vswitchd else { return Vec::new() };
    let in_kernel = facts.bridges().iter().any(|bridge| bridge.datapath == "system");
    match &vswitchd.process {
        Some(process) if in_kernel && process.handlers == 0 => vec![problem(
            "ovs-vswitchd has no handler threads, so that no new connection gets through (as when version 3.1 is started \
             in the first 10 s after boot)",
            "restart it with `systemctl restart openvswitch-switch`",
        )],
        _ => Vec::new(),
    }
}

pub(super) fn open_files(facts: &Facts) -> Vec<Found> {
    let Ok(vswitchd) = &facts.ovs.vswitchd else { return Vec::new() };
    let Some((open, most)) =
        vswitchd.process.as_ref().and_then(|process| Some((process.open_files, process.most_open_files?)))
    else {
        return Vec::new();
    };
    if (open as f64) < most as f64 * FILES_NEARLY_ALL {
        return Vec::new();
    }
    let ports: usize = facts.bridges().iter().map(|bridge| bridge.ports.len()).sum();
    vec![problem(
        format!(
            "ovs-vswitchd has {open} of at most {most} files open, with {ports} ports; without a free one no port can be added"
        ),
        "raise LimitNOFILE of ovs-vswitchd.service and restart it",
    )]
}

pub(super) fn flow_restore_wait(facts: &Facts) -> Vec<Found> {
    let Ok(survey) = &facts.ovs.database else { return Vec::new() };
    if survey.other_config.get("flow-restore-wait").is_none_or(|value| value != "true") {
        return Vec::new();
    }
    vec![problem(
        "Open vSwitch waits for its flow entries to be restored and forwards nothing new (other_config:flow-restore-wait)",
        "`ovs-vsctl remove Open_vSwitch . other_config flow-restore-wait`",
    )]
}

pub(super) fn datapath_type(facts: &Facts) -> Vec<Found> {
    let (Ok(survey), Ok(_)) = (&facts.ovs.database, &facts.ovs.vswitchd) else { return Vec::new() };
    // Before ovs-vswitchd has written what it can do, nothing is known.
    if survey.datapath_types.is_empty() {
        return Vec::new();
    }
    let missing = survey.bridges.iter().filter(|bridge| !survey.datapath_types.contains(&bridge.datapath));
    missing
        .map(|bridge| {
            let name = &bridge.name;
            let remedy = match (bridge.datapath.as_str(), facts.ovs.kernel_module) {
                ("system", false) => {
                    "`modprobe openvswitch` and restart ovs-vswitchd, or make the bridge with --datapath=netdev"
                }
                _ => "make the bridge with --datapath=netdev",
            };
            problem(format!("bridge {name} is for the {} datapath, which ovs-vswitchd does not have", bridge.datapath), remedy)
        })
        .collect()
}

pub(super) fn daemon(facts: &Facts) -> Vec<Found> {
    let restart = "restart it with `systemctl restart flowport`";
    match &facts.daemon {
        DaemonSeen::Answers { outdated: false, .. } => Vec::new(),
        DaemonSeen::Answers { outdated: true, .. } => {
            vec![hint("the daemon runs a program that has been replaced since", restart)]
        }
        DaemonSeen::Silent { socket } => {
            vec![problem(format!("the daemon on {socket} does not answer"), restart)]
        }
        DaemonSeen::Dead { socket } => vec![problem(
            format!("the daemon on {socket} has died: ports of containers that restart do not come back"),
            "see `journalctl -u flowport`, and start it with `systemctl start flowport`",
        )],
        DaemonSeen::Denied { socket } => {
            vec![problem(format!("permission denied on the daemon's socket {socket}"), "run as root")]
        }
        DaemonSeen::Absent => {
            let mut endpoints = facts.bridges().iter().flat_map(SurveyedBridge::endpoints);
            let start = "start it with `systemctl start flowport`";
            let recorded = facts.bridges().iter().flat_map(|bridge| &bridge.ports).any(|port| port.recorded);
            if recorded {
                return vec![problem(
                    "the daemon does not run, and has ports on record: those of containers that restart do not come back",
                    start,
                )];
            }
            // What was attached without it may be meant to be.
            endpoints
                .next()
                .map(|_| {
                    hint("the daemon does not run: ports of containers that restart do not come back", start)
                })
                .into_iter()
                .collect()
        }
    }
}

/// Ports and flow entries then are another's to keep, or nobody's.
pub(super) fn daemon_passive(facts: &Facts) -> Vec<Found> {
    match &facts.daemon {
        // Without a database there is no lock to hold, and that is told.
        DaemonSeen::Answers { passive: true, .. } if facts.ovs.database.is_ok() => vec![problem(
            "the daemon changes nothing: it does not hold the lock of the database, as when another Flowport rules over it",
            "stop the other one, or this one with `systemctl stop flowport`; `journalctl -u flowport` tells more",
        )],
        _ => Vec::new(),
    }
}

pub(super) fn docker(facts: &Facts) -> Vec<Found> {
    let EngineSeen::Fails(line) = &facts.docker else { return Vec::new() };
    let (what, remedy) = with_remedy(line, "see `journalctl -u docker`");
    let mut owners = facts.bridges().iter().flat_map(SurveyedBridge::endpoints);
    if owners.any(|(_, attachment)| attachment.owner.is_docker()) {
        vec![problem(what, remedy)]
    } else {
        vec![hint(what, remedy)]
    }
}

pub(super) fn live_restore(facts: &Facts) -> Vec<Found> {
    let EngineSeen::Answers(engine) = &facts.docker else { return Vec::new() };
    let mut owners = facts.bridges().iter().flat_map(SurveyedBridge::endpoints);
    if engine.live_restore || !owners.any(|(_, attachment)| attachment.owner.is_docker()) {
        return Vec::new();
    }
    vec![hint(
        format!("Docker {} stops all containers when it is restarted or updated", engine.version),
        "put \"live-restore\": true into /etc/docker/daemon.json and `systemctl reload docker`",
    )]
}
