//! Bridges: who forwards on them, and whether this host routes for them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use flowport_openflow::wire::Wire;
use flowport_openflow::{FlowStats, Match};

use crate::doctor::Facts;
use crate::model::{OWN_COOKIES, OWN_COOKIES_MASK};
use crate::ovsdb::SurveyedBridge;

use super::{Found, and_more, hint, named, problem};

fn managed(facts: &Facts) -> impl Iterator<Item = &SurveyedBridge> {
    facts.bridges().iter().filter(|bridge| bridge.managed)
}

pub(super) fn fail_mode(facts: &Facts) -> Vec<Found> {
    let changed = managed(facts).filter(|bridge| bridge.fail_mode.as_deref() != Some("secure"));
    changed
        .map(|bridge| {
            let (name, mode) = (&bridge.name, bridge.fail_mode.as_deref().unwrap_or("not set"));
            problem(
                format!("{name}: the fail mode of a managed bridge is {mode}: Open vSwitch may learn and flood beside Flowport"),
                format!("`ovs-vsctl set-fail-mode {name} secure`"),
            )
        })
        .collect()
}

pub(super) fn protocols(facts: &Facts) -> Vec<Found> {
    let mute = managed(facts)
        .filter(|bridge| !bridge.protocols.is_empty() && !bridge.protocols.contains("OpenFlow13"));
    mute.map(|bridge| {
        let name = &bridge.name;
        problem(
            format!("{name}: the bridge does not speak OpenFlow 1.3, so that Flowport cannot forward on it"),
            format!("`ovs-vsctl add bridge {name} protocols OpenFlow13`"),
        )
    })
    .collect()
}

/// Flow entries that send by one link of a bond and by the other make a loop; so none sends by any.
pub(super) fn bond(facts: &Facts) -> Vec<Found> {
    let mut found = Vec::new();
    for bridge in managed(facts) {
        let mut links = std::collections::BTreeMap::<&str, usize>::new();
        bridge.ways_out().for_each(|port| *links.entry(&port.port).or_default() += 1);
        for (bond, _) in links.into_iter().filter(|(_, links)| *links > 1) {
            let name = &bridge.name;
            found.push(problem(
                format!("{name}: port {bond} is a bond, which Flowport leaves out: nothing goes by it"),
                format!("make it a bond of the kernel: `ovs-vsctl del-port {name} {bond}`, `ip link add NAME type bond`, and that into {name}"),
            ));
        }
    }
    found
}

pub(super) fn controller(facts: &Facts) -> Vec<Found> {
    let with = managed(facts).filter(|bridge| !bridge.controllers.is_empty());
    with.map(|bridge| {
        let (name, targets) = (&bridge.name, and_more(&bridge.controllers));
        hint(
            format!("{name}: the managed bridge has another controller ({targets}), whose flow entries may come before Flowport's"),
            format!("if it is not meant to: `ovs-vsctl del-controller {name}`"),
        )
    })
    .collect()
}

/// Every container's port has an entry in table 0; without it all it sends is dropped.
pub(super) fn missing_flows(facts: &Facts) -> Vec<Found> {
    let mut found = Vec::new();
    for bridge in managed(facts) {
        let Some(flows) = facts.classify.get(&bridge.name) else { continue };
        let cookies: BTreeSet<u64> = flows.iter().map(|flow| flow.cookie.0).collect();
        let without = bridge.endpoints().filter(|(port, attachment)| {
            port.port_no().is_some() && !cookies.contains(&attachment.endpoint().cookie())
        });
        let names: Vec<String> = without.map(|(_, attachment)| named(attachment)).collect();
        if !names.is_empty() {
            let name = &bridge.name;
            found.push(problem(
                format!("{name}: {} have no flow entries: all they send is dropped", and_more(&names)),
                "have the daemon write them anew: `systemctl restart flowport`",
            ));
        }
    }
    found
}

pub(super) fn foreign_flows(facts: &Facts) -> Vec<Found> {
    let mut found = Vec::new();
    for (bridge, flows) in &facts.classify {
        let (own, foreign): (Vec<&FlowStats>, Vec<&FlowStats>) =
            flows.iter().partition(|flow| flow.cookie.0 & OWN_COOKIES_MASK == OWN_COOKIES);
        let own: Vec<(u16, Vec<Field>)> =
            own.iter().map(|flow| (flow.priority, fields(&flow.matches))).collect();
        let shadowing: Vec<String> = foreign
            .into_iter()
            .filter(|flow| {
                let matches = fields(&flow.matches);
                own.iter().any(|(priority, own)| flow.priority >= *priority && overlap(&matches, own))
            })
            .map(|flow| format!("priority={},{}", flow.priority, flow.matches))
            .collect();
        if !shadowing.is_empty() {
            found.push(problem(
                format!(
                    "{bridge}: flow entries in table 0 that are not Flowport's take packets before it: {}",
                    and_more(&shadowing)
                ),
                format!("look at them with `ovs-ofctl dump-flows {bridge} table=0`, and delete them or lower their priority"),
            ));
        }
    }
    found
}

/// A field of a match: what names it, its value, its mask.
struct Field {
    name: [u8; 3],
    value: Vec<u8>,
    mask: Vec<u8>,
}

/// `oxm_class` of fields that an experimenter defines.
const EXPERIMENTER: [u8; 2] = [0xff, 0xff];

/// The fields as they are on the wire (OpenFlow 1.3.5 section 7.2.3.2), where all have one form.
fn fields(matches: &Match) -> Vec<Field> {
    let mut fields = Vec::new();
    for field in matches.fields() {
        let mut bytes = Vec::new();
        field.encode(&mut bytes);
        let Some(([high, low, number, _], body)) = bytes.split_first_chunk() else { continue };
        // An experimenter's number is in the body; to take such a field for one that excludes nothing is on the safe side.
        if [*high, *low] == EXPERIMENTER {
            continue;
        }
        let (value, mask) = match number & 1 {
            1 => body.split_at(body.len() / 2),
            _ => (body, &[][..]),
        };
        let mask = if mask.is_empty() { vec![0xff; value.len()] } else { mask.to_vec() };
        fields.push(Field { name: [*high, *low, number >> 1], value: value.to_vec(), mask });
    }
    fields
}

/// Whether a packet can meet both.
fn overlap(a: &[Field], b: &[Field]) -> bool {
    a.iter().all(|a| {
        b.iter().filter(|b| b.name == a.name).all(|b| {
            let values = a.value.iter().zip(&b.value);
            values.zip(a.mask.iter().zip(&b.mask)).all(|((a, b), (c, d))| (a ^ b) & c & d == 0)
        })
    })
}

/// An address on a bridge whose link is down is no address.
pub(super) fn down(facts: &Facts) -> Vec<Found> {
    let down = facts.bridges().iter().filter(|bridge| {
        facts.link(&bridge.name).is_some_and(|link| !link.up)
            && facts.addresses_of(&bridge.name).next().is_some()
    });
    down.map(|bridge| {
        let name = &bridge.name;
        problem(
            format!("{name}: this host has an address on the bridge, whose link is down"),
            format!("`ip link set {name} up`"),
        )
    })
    .collect()
}

/// Whoever is a gateway has to route.
pub(super) fn ip_forwarding(facts: &Facts) -> Vec<Found> {
    let mut found = Vec::new();
    for bridge in facts.bridges() {
        let of_host = facts.addresses_on(bridge);
        let mut gateways: BTreeSet<IpAddr> =
            bridge.endpoints().flat_map(|(_, attachment)| attachment.gateways.iter().copied()).collect();
        gateways.retain(|gateway| of_host.iter().any(|address| address.addr() == *gateway));
        for gateway in gateways {
            let (is_on, setting) = match gateway {
                IpAddr::V4(_) => (facts.forwarding.ipv4, "net.ipv4.ip_forward"),
                IpAddr::V6(_) => (facts.forwarding.ipv6, "net.ipv6.conf.all.forwarding"),
            };
            if !is_on {
                found.push(problem(
                    format!(
                        "{}: this host is the gateway {gateway} of containers and does not forward",
                        bridge.name
                    ),
                    format!("`sysctl -w {setting}=1`"),
                ));
            }
        }
    }
    found
}

/// A gateway that nobody has: not this host, not a container, and no way out behind which it could be.
pub(super) fn gateway(facts: &Facts) -> Vec<Found> {
    let mut found = Vec::new();
    for bridge in facts.bridges().iter().filter(|bridge| bridge.ways_out().next().is_none()) {
        let of_host = facts.addresses_on(bridge);
        let is_somebodys = |gateway: IpAddr| {
            of_host.iter().any(|address| address.addr() == gateway)
                || bridge
                    .endpoints()
                    .any(|(_, other)| other.addresses.iter().any(|own| own.addr() == gateway))
        };
        let mut gateways = std::collections::BTreeMap::<IpAddr, Vec<String>>::new();
        for (_, attachment) in bridge.endpoints() {
            for gateway in attachment.gateways.iter().filter(|gateway| !is_somebodys(**gateway)) {
                gateways.entry(*gateway).or_default().push(named(attachment));
            }
        }
        for (gateway, whose) in gateways {
            let name = &bridge.name;
            found.push(problem(
                format!("{name}: the gateway {gateway} of {} is nobody's", and_more(&whose)),
                format!("give it to this host: `ip addr add {gateway}/PREFIX dev {name}`"),
            ));
        }
    }
    found
}
