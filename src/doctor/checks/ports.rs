//! Ports, their devices, and what is at their other end.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::doctor::{Container, Facts, Inside};
use crate::model::{Attachment, EndpointId, read_alias};
use crate::ovsdb::{SurveyedBridge, SurveyedPort};

use super::{Found, and_more, del_port, named, problem};

/// Where a container is not, its port is nobody's.
pub(super) fn stale(facts: &Facts) -> Vec<Found> {
    let mut found = Vec::new();
    for (bridge, port, attachment) in endpoints(facts) {
        let why = match facts.containers.get(&attachment.owner) {
            Some(Container::Gone) => "is gone",
            Some(Container::Stopped) => "does not run",
            _ => continue,
        };
        found.push(problem(
            format!("{}: port {} is left over: {} {why}", bridge.name, port.name, attachment.container),
            del_port(attachment),
        ));
    }
    found
}

/// A port without its device, or one that ovs-vswitchd complains of.
pub(super) fn device(facts: &Facts) -> Vec<Found> {
    let mut found = Vec::new();
    for bridge in facts.bridges() {
        for port in &bridge.ports {
            let what = match (&port.error, is_missing(facts, port)) {
                (Some(error), _) => error.clone(),
                (None, true) => format!("there is no link {}", port.name),
                (None, false) => continue,
            };
            let (whose, remedy) = match &port.attachment {
                // It is told once, by its container.
                Some(attachment) if is_stale(facts, attachment) => continue,
                Some(attachment) => (
                    format!(" ({})", named(attachment)),
                    format!("{}, then add-port again; the daemon does that by itself", del_port(attachment)),
                ),
                None => (
                    String::new(),
                    format!(
                        "correct it, or take it away with `ovs-vsctl del-port {} {}`",
                        bridge.name, port.port
                    ),
                ),
            };
            found.push(problem(
                format!("{}: port {}{whose} does not work: {what}", bridge.name, port.name),
                remedy,
            ));
        }
    }
    found
}

/// Its host end is down: nothing gets through.
pub(super) fn down(facts: &Facts) -> Vec<Found> {
    let down = endpoints(facts).filter(|(_, port, attachment)| {
        facts.link(&port.name).is_some_and(|link| !link.up) && !is_stale(facts, attachment)
    });
    down.map(|(bridge, port, attachment)| {
        problem(
            format!(
                "{}: link {} of {} is down: nothing gets through",
                bridge.name,
                port.name,
                named(attachment)
            ),
            format!("`ip link set {} up`; the daemon does that by itself", port.name),
        )
    })
    .collect()
}

/// The interface inside is there and is what the port was made for.
pub(super) fn inside(facts: &Facts) -> Vec<Found> {
    let mut found = Vec::new();
    for (bridge, _, attachment) in endpoints(facts) {
        let Some(inside) = facts.inside.get(&attachment.endpoint()) else { continue };
        let whose = format!("{}: {}", bridge.name, named(attachment));
        let again = format!("{}, then add-port again", del_port(attachment));
        if !inside.exists {
            found.push(problem(format!("{whose} is not in the container any more"), again));
            continue;
        }
        if inside.mac.is_some_and(|mac| mac != attachment.mac) && bridge.managed {
            let mac = inside.mac.map(|mac| mac.to_string()).unwrap_or_default();
            let remedy = format!("set it back, or give it with --macaddress={mac}");
            found.push(problem(
                format!(
                    "{whose} sends with MAC {mac} and was given {}: all of it is dropped",
                    attachment.mac
                ),
                remedy,
            ));
        }
        let missing: Vec<String> = missing_addresses(inside, attachment);
        if !missing.is_empty() {
            found.push(problem(
                format!("{whose} has lost its address {}", and_more(&missing)),
                "set it again inside, or detach and attach",
            ));
        }
        let other = foreign_addresses(inside, attachment);
        if !other.is_empty() && bridge.managed && attachment.is_guarded() {
            found.push(problem(
                format!(
                    "{whose} has the address {}, which it was not given: what it sends from there is dropped",
                    and_more(&other)
                ),
                "attach it with that --ipaddress too",
            ));
        }
    }
    found
}

fn missing_addresses(inside: &Inside, attachment: &Attachment) -> Vec<String> {
    let has = |ip| inside.addresses.iter().any(|address| address.addr() == ip);
    let missing = attachment.addresses.iter().filter(|address| !has(address.addr()));
    missing.map(ToString::to_string).collect()
}

/// Addresses inside that nobody gave it. One that IPv4 makes up for itself where it gets none is not meant to be used; of
/// IPv6 it may send from the one that goes with its MAC.
fn foreign_addresses(inside: &Inside, attachment: &Attachment) -> Vec<String> {
    let given = |ip| attachment.addresses.iter().any(|address| address.addr() == ip);
    let other = inside.addresses.iter().filter(|address| {
        let is_its_own = match address.addr() {
            IpAddr::V4(ip) => ip.is_link_local() || ip.is_loopback(),
            // With another MAC it is another one; that is told.
            IpAddr::V6(ip) if ip.is_unicast_link_local() => {
                ip == attachment.mac.link_local() || inside.mac.is_some_and(|mac| ip == mac.link_local())
            }
            IpAddr::V6(ip) => ip.is_loopback(),
        };
        !is_its_own && !given(address.addr())
    });
    other.map(ToString::to_string).collect()
}

/// A userspace datapath passes checksums on as they are; one that is left to hardware is never filled in.
pub(super) fn checksum_offload(facts: &Facts) -> Vec<Found> {
    let mut found = Vec::new();
    let tso = match &facts.ovs.database {
        Ok(survey) => survey.other_config.get("userspace-tso-enable").is_some_and(|value| value == "true"),
        Err(_) => false,
    };
    for bridge in facts.bridges().iter().filter(|bridge| bridge.userspace && !tso) {
        let offloads = bridge.endpoints().filter(|(_, attachment)| {
            let inside = facts.inside.get(&attachment.endpoint());
            inside.is_some_and(|inside| inside.tx_checksum_offload == Some(true))
        });
        let names: Vec<String> = offloads.map(|(_, attachment)| named(attachment)).collect();
        if !names.is_empty() {
            found.push(problem(
                format!(
                    "{}: TX checksum offload is on in {}: on a userspace datapath TCP and UDP do not get through",
                    bridge.name,
                    and_more(&names)
                ),
                "`ethtool -K INTERFACE tx off` inside the container, or detach and attach with flowport",
            ));
        }
    }
    found
}

/// Links of ours that no row names.
pub(super) fn leftover_links(facts: &Facts) -> Vec<Found> {
    if facts.ovs.database.is_err() {
        return Vec::new();
    }
    let rows: BTreeSet<&str> =
        facts.bridges().iter().flat_map(|bridge| &bridge.ports).map(|port| port.name.as_str()).collect();
    let own = facts.ovs.database.as_ref().ok().and_then(|survey| survey.id).map(|id| id.to_string());
    let ours = facts.links.iter().filter_map(|link| {
        EndpointId::from_host_link(&link.name)?;
        let (of, database) = read_alias(link.alias.as_deref()?)?;
        // Another database of this network namespace knows more of it.
        (database.is_none() || database == own.as_deref()).then_some((link, of))
    });
    let left = ours.filter(|(link, _)| !rows.contains(link.name.as_str()));
    left.map(|(link, of)| {
        problem(
            format!("link {} ({of}) is left over: no bridge has it", link.name),
            format!("`ip link del {}`", link.name),
        )
    })
    .collect()
}

fn endpoints(facts: &Facts) -> impl Iterator<Item = (&SurveyedBridge, &SurveyedPort, &Attachment)> {
    facts
        .bridges()
        .iter()
        .flat_map(|bridge| bridge.endpoints().map(move |(port, attachment)| (bridge, port, attachment)))
}

fn is_stale(facts: &Facts, attachment: &Attachment) -> bool {
    matches!(facts.containers.get(&attachment.owner), Some(Container::Gone | Container::Stopped))
}

fn is_missing(facts: &Facts, port: &SurveyedPort) -> bool {
    // Nothing is known of links when there is not even a loopback.
    port.is_link() && !facts.links.is_empty() && facts.link(&port.name).is_none()
}
