//! What is done and seen inside a sandbox, on a thread that is there.

use std::fs;
use std::io;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_REPLACE, Parseable};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteNextHopFlags};
use rustix::io::Errno;

use super::error::{NetlinkError, Refusal, VethError};
use super::message::{self, CREATE, Request};
use super::netns::Netns;
use super::route::RTM_NEWROUTE;
use super::socket::Socket;
use super::spec::{Route, VethSpec};
use super::{Netlink, address, ethtool, link};

/// An interface in a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its index there (`ifindex`).
    pub index: u32,
    /// Its Ethernet address, where it has one.
    pub mac: Option<[u8; 6]>,
    /// Its MTU in bytes.
    pub mtu: u32,
    /// Its addresses, link-local ones included.
    pub addresses: Vec<IpNet>,
}

impl Netlink {
    /// The interface called `name` in a sandbox, if there is one.
    pub async fn interface_in(&self, netns: &Netns, name: &str) -> Result<Option<Interface>, NetlinkError> {
        let name = name.to_owned();
        let inside = Self { netns: Some(netns.clone()), turns: self.turns.clone() };
        inside
            .run(move || {
                let mut socket = Socket::route()?;
                let Some(link) = link::find(&mut socket, &name)? else { return Ok(None) };
                let addresses = address::of_link(&mut socket, link.index)?;
                Ok(Some(Interface { index: link.index, mac: link.mac, mtu: link.mtu, addresses }))
            })
            .await
    }
}

impl Netlink {
    /// Whether the interface called `name` in a sandbox leaves checksums to its peer; none if there is no such interface.
    pub async fn tx_checksum_offload_in(
        &self,
        netns: &Netns,
        name: &str,
    ) -> Result<Option<bool>, NetlinkError> {
        let name = name.to_owned();
        let inside = Self { netns: Some(netns.clone()), turns: self.turns.clone() };
        inside
            .run(move || {
                let Some(link) = link::find(&mut Socket::route()?, &name)? else { return Ok(None) };
                ethtool::tx_checksum_offload(link.index).map(Some)
            })
            .await
    }
}

/// IN6_ADDR_GEN_MODE_EUI64.
const LINK_LOCAL_OF_MAC: u8 = 0;

/// Gives the new interface all that it needs. The default routes come last: they are the only step that
/// changes what was there before.
pub(super) fn configure(spec: &VethSpec) -> Result<(), VethError> {
    let mut socket =
        Socket::route().map_err(|error| VethError::other("open a netlink socket in the container", error))?;
    let link::Link { index, addr_gen_mode, .. } = link::found(&mut socket, &spec.name)?;
    if !spec.tx_checksum_offload {
        ethtool::disable_tx_checksum_offload(index)?;
    }
    if spec.addresses.iter().any(|address| matches!(address, IpNet::V6(_))) {
        enable_ipv6(&spec.name)?;
    }
    // What each namespace begins with, unless it was set otherwise.
    if addr_gen_mode != Some(LINK_LOCAL_OF_MAC) {
        link_local_of_mac(&mut socket, spec, index)?;
    }
    send(&mut socket, steps(spec, index))?;
    default_routes(&mut socket, spec, index)
}

/// A managed bridge lets an interface that was given addresses use these and that one.
fn link_local_of_mac(socket: &mut Socket, spec: &VethSpec, index: u32) -> Result<(), VethError> {
    let what = || format!("choose the link-local address of {}", spec.name);
    let chosen = socket
        .request(0, message::link_local_of_mac(index), |_| ())
        .map_err(|error| VethError::other(what(), error))?;
    match chosen {
        // No IPv6 here, and so no such address.
        Err(refusal) if refusal.is(Errno::AFNOSUPPORT) => Ok(()),
        other => other.map_err(|refusal| VethError::refused(what(), refusal)),
    }
}

/// Requests, each with the error that its refusal would be.
type Step<'a> = (Request, Box<dyn Fn(Refusal) -> VethError + 'a>);

/// Up comes before the addresses: the kernel has no routes, and so no gateways, on links that are down.
fn steps(spec: &VethSpec, index: u32) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = vec![(
        (0, message::set_up(index)),
        Box::new(|refusal| VethError::refused(format!("bring up {}", spec.name), refusal)),
    )];
    for address in &spec.addresses {
        steps.push((
            (CREATE, message::new_address(index, address)),
            Box::new(|source| VethError::AddressRefused { address: *address, source }),
        ));
    }
    for Route { destination, gateway } in spec.specific_routes() {
        steps.push((
            (CREATE, message::new_route(index, &destination, gateway)),
            Box::new(move |source| VethError::RouteRefused { destination, source }),
        ));
    }
    steps
}

fn send(socket: &mut Socket, steps: Vec<Step<'_>>) -> Result<(), VethError> {
    let (requests, errors): (Vec<_>, Vec<_>) = steps.into_iter().unzip();
    let results =
        socket.batch(requests).map_err(|error| VethError::other("configure the interface", error))?;
    for (result, error) in results.into_iter().zip(errors) {
        result.map_err(error)?;
    }
    Ok(())
}

/// Replaces the default routes; if one is refused, the earlier ones are put back.
fn default_routes(socket: &mut Socket, spec: &VethSpec, index: u32) -> Result<(), VethError> {
    let failed = |error: io::Error| VethError::other("set the default route", error);
    let mut replaced: Vec<RouteMessage> = Vec::new();
    for Route { destination, gateway } in spec.default_routes() {
        let family = message::family(&destination.addr());
        let before = socket
            .dump(message::all_routes(family), |answer| {
                (answer.kind == RTM_NEWROUTE).then(|| RouteMessage::parse(answer.payload).ok()).flatten()
            })
            .map_err(failed)?
            .unwrap_or_default();
        let request = message::new_route(index, &destination, gateway);
        let result = socket.request(NLM_F_CREATE | NLM_F_REPLACE, request, |_| ()).map_err(failed)?;
        if let Err(source) = result {
            restore(socket, replaced);
            return Err(match gateway {
                Some(gateway) => VethError::GatewayRefused { gateway, source },
                None => VethError::RouteRefused { destination, source },
            });
        }
        replaced.extend(before.into_iter().filter(is_default));
    }
    Ok(())
}

fn is_default(route: &RouteMessage) -> bool {
    route.header.destination_prefix_length == 0
        && route.header.table == RouteHeader::RT_TABLE_MAIN
        && route.attributes.iter().any(|attribute| matches!(attribute, RouteAttribute::Oif(_)))
}

fn restore(socket: &mut Socket, routes: Vec<RouteMessage>) {
    let mut families = Vec::new();
    for mut route in routes {
        let first = !families.contains(&route.header.address_family);
        families.push(route.header.address_family);
        // States and statistics that the kernel tells and does not take.
        route.header.flags &= RouteFlags::Onlink;
        for attribute in &mut route.attributes {
            if let RouteAttribute::MultiPath(hops) = attribute {
                hops.iter_mut().for_each(|hop| hop.flags &= RouteNextHopFlags::Onlink);
            }
        }
        route.attributes.retain(|attribute| !matches!(attribute, RouteAttribute::CacheInfo(_)));
        let flags = NLM_F_CREATE | if first { NLM_F_REPLACE } else { NLM_F_APPEND };
        let error = match socket.request(flags, RouteNetlinkMessage::NewRoute(route), |_| ()) {
            Ok(Ok(())) => continue,
            Ok(Err(refusal)) => refusal.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::error!(error, "a default route in the container could not be put back");
    }
}

/// Docker switches IPv6 off in sandboxes that it gives no IPv6 address. `/proc/sys/net` shows the
/// settings of the namespace that the thread is in.
fn enable_ipv6(name: &str) -> Result<(), VethError> {
    let path = format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6");
    let what = || format!("switch IPv6 on for {name}");
    let disabled = fs::read_to_string(&path).map_err(|error| VethError::other(what(), error))?;
    if disabled.trim() == "0" {
        return Ok(());
    }
    fs::write(&path, "0").map_err(|error| VethError::other(what(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_refusal_of_a_batch_becomes_the_error_of_its_step() {
        let address: IpNet = "10.0.0.2/24".parse().unwrap();
        let destination: IpNet = "10.1.0.0/16".parse().unwrap();
        let spec = VethSpec {
            host_name: "fp0".into(),
            alias: String::new(),
            sandbox: Netns::named("a"),
            name: "eth1".into(),
            mac: [2, 0, 0, 0, 0, 1],
            mtu: None,
            addresses: vec![address],
            gateways: vec!["10.0.0.1".parse().unwrap()],
            routes: vec![Route { destination, gateway: None }],
            tx_checksum_offload: true,
        };
        let refusal = || Refusal { errno: 17, text: None };
        let errors: Vec<VethError> = steps(&spec, 7).into_iter().map(|(_, error)| error(refusal())).collect();
        assert!(matches!(&errors[0], VethError::Other { what, .. } if what == "bring up eth1"));
        assert!(matches!(&errors[1], VethError::AddressRefused { address: of, .. } if *of == address));
        assert!(matches!(&errors[2], VethError::RouteRefused { destination: to, .. } if *to == destination));
        assert_eq!(errors.len(), 3, "default routes are sent apart from these");
    }
}
