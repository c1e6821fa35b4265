//! Addresses that are another's, too.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use crate::doctor::Facts;
use crate::model::{Mac, Vlan};
use crate::ovsdb::{SurveyedBridge, SurveyedPort};

use super::{Found, and_more, hint, named, problem};

/// Two containers, or one and this host, with one address on one network.
pub(super) fn clash(facts: &Facts) -> Vec<Found> {
    let mut found = Vec::new();
    for bridge in facts.bridges() {
        let mut owners: BTreeMap<(Vlan, IpAddr), Vec<String>> = BTreeMap::new();
        for (_, attachment) in bridge.endpoints() {
            for address in &attachment.addresses {
                owners.entry((attachment.vlan, address.addr())).or_default().push(named(attachment));
            }
        }
        for port in bridge.ports.iter().filter(|port| port.kind == "internal") {
            for address in facts.addresses_of(&port.name) {
                let key = (port.tag.unwrap_or_default(), address.addr());
                // An address that no container has is this host's alone.
                if let Some(owners) = owners.get_mut(&key) {
                    owners.push("this host".to_owned());
                }
            }
        }
        for ((_, ip), owners) in owners.into_iter().filter(|(_, owners)| owners.len() > 1) {
            found.push(problem(
                format!("{}: {} have the same address {ip}", bridge.name, and_more(&owners)),
                "detach one and attach it with another --ipaddress",
            ));
        }
    }
    found
}

/// Two interfaces with one MAC on one network.
pub(super) fn mac_clash(facts: &Facts) -> Vec<Found> {
    let mut found = Vec::new();
    for bridge in facts.bridges() {
        let mut owners: BTreeMap<(Vlan, Mac), Vec<String>> = BTreeMap::new();
        for port in &bridge.ports {
            match &port.attachment {
                Some(attachment) => {
                    owners.entry((attachment.vlan, attachment.mac)).or_default().push(named(attachment));
                }
                None if port.kind == "internal" => {
                    let Some(mac) = port.mac else { continue };
                    let key = (port.tag.unwrap_or_default(), mac);
                    owners.entry(key).or_default().push(format!("this host's {}", port.name));
                }
                None => {}
            }
        }
        for ((_, mac), owners) in owners.into_iter().filter(|(_, owners)| owners.len() > 1) {
            found.push(problem(
                format!("{}: {} have the same MAC {mac}", bridge.name, and_more(&owners)),
                "detach one and attach it with another --macaddress",
            ));
        }
    }
    found
}

/// Subnets of containers that this host has a route to by another way than their bridge.
pub(super) fn host_route(facts: &Facts) -> Vec<Found> {
    let mut found = Vec::new();
    for bridge in facts.bridges() {
        let of_bridge: BTreeSet<u32> =
            bridge.ports.iter().filter_map(|port| Some(facts.link(&port.name)?.index)).collect();
        for (subnet, whose) in subnets(bridge) {
            let clash = facts.routes.iter().find(|route| {
                let IpNet::V4(destination) = route.destination else { return false };
                let overlaps = destination.contains(&subnet) || subnet.contains(&destination);
                // A route to all there is leads nowhere in particular; one by the bridge's own links is the right one.
                destination.prefix_len() > 0 && overlaps && !of_bridge.contains(&route.link)
            });
            let Some(route) = clash else { continue };
            let link = facts.link_name(route.link).unwrap_or("another link");
            let what = format!(
                "{}: the subnet {subnet} of {} overlaps this host's route to {} by {link}",
                bridge.name,
                and_more(&whose),
                route.destination
            );
            let remedy = "choose another subnet for the containers";
            // Where this host is a member of the subnet, its own answers go astray.
            let is_member = facts.addresses_on(bridge).iter().any(|address| match address.addr() {
                IpAddr::V4(ip) => subnet.contains(&ip),
                IpAddr::V6(_) => false,
            });
            found.push(if is_member { problem(what, remedy) } else { hint(what, remedy) });
        }
    }
    found
}

/// Public addresses that nobody has given out: the real ones cannot be reached from there.
pub(super) fn public(facts: &Facts) -> Vec<Found> {
    let mut found = Vec::new();
    for bridge in facts.bridges() {
        for (subnet, whose) in subnets(bridge).into_iter().filter(|(subnet, _)| !is_private(subnet.addr())) {
            let of_host =
                facts.addresses.iter().any(|found| match (found.address, facts.link_name(found.link)) {
                    (IpNet::V4(address), Some(link)) => {
                        link != bridge.name && subnet.contains(&address.addr())
                    }
                    _ => false,
                });
            // Where this host has such an address of its own, they may well be meant.
            if of_host {
                continue;
            }
            let what = format!("{}: {} have public addresses of {subnet}", bridge.name, and_more(&whose));
            let remedy =
                "if they are not yours, choose private ones: 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16";
            let has_link = bridge.ways_out().any(SurveyedPort::is_link);
            found.push(if has_link { hint(what, remedy) } else { problem(what, remedy) });
        }
    }
    found
}

/// The IPv4 subnets of a bridge's containers, and whose they are.
fn subnets(bridge: &SurveyedBridge) -> BTreeMap<Ipv4Net, Vec<String>> {
    let mut subnets: BTreeMap<Ipv4Net, Vec<String>> = BTreeMap::new();
    for (_, attachment) in bridge.endpoints() {
        for address in &attachment.addresses {
            if let IpNet::V4(address) = address {
                subnets.entry(address.trunc()).or_default().push(named(attachment));
            }
        }
    }
    subnets
}

/// Addresses that are of nobody in the Internet: RFC 1918, and those set aside by RFC 6890.
fn is_private(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let benchmarks = a == 198 && (18..20).contains(&b);
    ip.is_private()
        || ip.is_link_local()
        || ip.is_documentation()
        || ip.is_loopback()
        || shared
        || benchmarks
        || a >= 240
}
