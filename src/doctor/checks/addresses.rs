//! Addresses that are another's, too.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::doctor::Facts;
use crate::model::{Mac, Vlan};
use crate::netlink::LinkAddress;
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
        // Link-local ones are on every link.
        for (subnet, whose) in subnets(bridge).into_iter().filter(|(subnet, _)| !is_link_local(subnet.addr()))
        {
            let clash = facts.routes.iter().find(|route| {
                let destination = route.destination;
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
            let is_member = facts.addresses_on(bridge).iter().any(|address| subnet.contains(&address.addr()));
            found.push(if is_member { problem(what, remedy) } else { hint(what, remedy) });
        }
    }
    found
}

/// Public addresses that nobody has given out: the real ones cannot be reached from there.
pub(super) fn public(facts: &Facts) -> Vec<Found> {
    let mut found = Vec::new();
    for bridge in facts.bridges() {
        let elsewhere =
            |found: &&LinkAddress| facts.link_name(found.link).is_some_and(|link| link != bridge.name);
        let of_host: Vec<IpAddr> =
            facts.addresses.iter().filter(elsewhere).map(|found| found.address.addr()).collect();
        for (subnet, whose) in subnets(bridge).into_iter().filter(|(subnet, _)| !is_private(subnet.addr())) {
            // Where this host has such an address of its own, they may well be meant.
            if of_host.iter().any(|address| subnet.contains(address)) {
                continue;
            }
            let what = format!("{}: {} have public addresses of {subnet}", bridge.name, and_more(&whose));
            let is_ipv6 = subnet.addr().is_ipv6();
            let remedy = if is_ipv6 {
                "if they are not yours, choose unique local ones, of fd00::/8"
            } else {
                "if they are not yours, choose private ones: 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16"
            };
            let has_link = bridge.ways_out().any(SurveyedPort::is_link);
            // Of IPv6 a host is often given a subnet to hand out, beside the one that it is in itself.
            let may_be_given =
                is_ipv6 && of_host.iter().any(|address| address.is_ipv6() && !is_private(*address));
            found.push(if has_link || may_be_given { hint(what, remedy) } else { problem(what, remedy) });
        }
    }
    found
}

/// The subnets of a bridge's containers, and whose they are.
fn subnets(bridge: &SurveyedBridge) -> BTreeMap<IpNet, Vec<String>> {
    let mut subnets: BTreeMap<IpNet, Vec<String>> = BTreeMap::new();
    for (_, attachment) in bridge.endpoints() {
        let own: BTreeSet<IpNet> = attachment.addresses.iter().map(IpNet::trunc).collect();
        for subnet in own {
            subnets.entry(subnet).or_default().push(named(attachment));
        }
    }
    subnets
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Addresses that are of nobody in the Internet.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_private_ipv4(ip),
        IpAddr::V6(ip) => is_private_ipv6(ip),
    }
}

/// RFC 1918, and those set aside by RFC 6890.
fn is_private_ipv4(ip: Ipv4Addr) -> bool {
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

/// All but 2000::/3, of which the Internet's are (RFC 4291 section 2.4; unique local and link-local ones are beyond), and
/// of that what is set aside for documentation (RFC 3849, RFC 9637), benchmarks (RFC 5180) and ORCHIDs (RFC 7343).
fn is_private_ipv6(ip: Ipv6Addr) -> bool {
    let [a, b, c, ..] = ip.segments();
    let global = a & 0xe000 == 0x2000;
    let documentation = (a, b) == (0x2001, 0xdb8) || a == 0x3fff && b < 0x1000;
    let benchmarks = (a, b, c) == (0x2001, 2, 0);
    let orchids = a == 0x2001 && b & 0xfff0 == 0x20;
    !global || documentation || benchmarks || orchids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_nobody_in_the_internet() {
        for private in [
            "10.1.2.3",
            "172.31.0.1",
            "192.168.0.1",
            "169.254.1.1",
            "100.64.0.1",
            "198.19.0.1",
            "203.0.113.1",
            "240.0.0.1",
            "fc00::1",
            "fdff:ffff::1",
            "fe80::1",
            "febf::1",
            "::1",
            "2001:db8::1",
            "2001:db8:ffff::1",
            "3fff:fff::1",
            "2001:2::1",
            "2001:2f::1",
            "64:ff9b::1",
        ] {
            assert!(is_private(private.parse().unwrap()), "{private}");
        }
        for public in [
            "172.15.0.1",
            "172.32.0.1",
            "100.128.0.1",
            "198.20.0.1",
            "2001:db7::1",
            "2001:db9::1",
            "2001:2:1::1",
            "2001:30::1",
            "2001:470::1",
            "2a00::1",
            "3fff:1000::1",
        ] {
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
    }
}
