//! From two names to the packet that the one would send to the other.
//!
//! The sender's real MAC, addresses and routes are looked at, not those that it was given: what the bridge drops is often
//! what somebody has changed inside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use crate::docker::Docker;
use crate::frontend::{attachments_of, sandbox_of};
use crate::model::{Attachment, BadWord, ContainerRef, Mac, Sandbox, TunnelKind};
use crate::netlink::{Netlink, Netns};
use crate::ovsdb::{Address, Database, Survey, SurveyedBridge, SurveyedPort};
use crate::refused::Refused;

use super::packet::{Packet, Protocol};
use super::verdict::{Party, Place, Scene, Verdict, named};

/// Stands for the MAC of somebody who is not on this host: that of 255.255.255.255, which nobody has.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::BROADCAST;
/// Ports that are asked for when none is given: HTTP and DNS.
const TCP_PORT: u16 = 80;
const UDP_PORT: u16 = 53;

/// Who sends or receives, as the user names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// A container.
    Container(ContainerRef),
    /// Whoever has the MAC.
    Mac(Mac),
    /// Whoever has the address.
    Ip(IpAddr),
}

impl FromStr for End {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        if let Ok(ip) = text.parse() {
            return Ok(Self::Ip(ip));
        }
        if text.split(':').count() == 6 {
            return text.parse().map(Self::Mac);
        }
        text.parse().map(Self::Container)
    }
}

/// Who sends what to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Who sends.
    pub from: End,
    /// Who is to receive.
    pub to: End,
    /// What is sent.
    pub protocol: Protocol,
    /// To which TCP or UDP port.
    pub port: Option<u16>,
    /// By which port of the bridge it comes, if the sender is on none of this host's.
    pub in_port: Option<String>,
}

/// What comes of a question.
pub(super) enum Asked {
    /// This is to be traced.
    Packet { scene: Scene, packet: Packet },
    /// The sender does not send it to the bridge at all.
    NotSent { scene: Scene, verdict: Verdict },
}

/// One whom an end may be, on one bridge.
#[derive(Clone)]
struct Candidate<'a> {
    bridge: &'a SurveyedBridge,
    port: &'a SurveyedPort,
    /// Of a port of this host: its addresses.
    of_host: Vec<IpNet>,
}

impl Candidate<'_> {
    fn attachment(&self) -> Option<&Attachment> {
        self.port.attachment.as_ref()
    }

    fn addresses(&self) -> &[IpNet] {
        self.attachment().map_or(&self.of_host, |attachment| &attachment.addresses)
    }

    fn vlan(&self) -> crate::model::Vlan {
        self.attachment().map_or_else(|| self.port.tag.unwrap_or_default(), |attachment| attachment.vlan)
    }

    fn party(&self) -> Party {
        let place = match self.attachment() {
            Some(attachment) => Place::Endpoint(Box::new(attachment.clone())),
            None => Place::Host,
        };
        let mac = self.attachment().map(|attachment| attachment.mac).or(self.port.mac);
        let name = self.attachment().map_or_else(|| format!("this host ({})", self.port.name), named);
        Party { name, place, port: Some(self.port.name.clone()), mac, ip: None }
    }
}

/// Looks the ends up and makes the packet.
pub(super) async fn ask(question: &Question, db: &Address, timeout: Duration) -> Result<Asked, Refused> {
    let database = Database::connect(db, timeout).await?;
    let survey = database.survey().await?;
    let docker = Docker::connect();
    let netlink = Netlink::open();
    let from = candidates(&docker, &netlink, &survey, &question.from).await?;
    let to = candidates(&docker, &netlink, &survey, &question.to).await?;
    match (pair(&from, &to), from.first(), to.first()) {
        (Some((from, to)), ..) => {
            if from.bridge.name != to.bridge.name
                && !from.bridge.ports.iter().any(|port| port.kind == "patch")
            {
                return Err(Refused::other(format!(
                    "{} is on {} and {} on {}, and neither bridge leads to the other: attach both to one",
                    from.party().name,
                    from.bridge.name,
                    to.party().name,
                    to.bridge.name
                )));
            }
            from_here(question, &docker, &netlink, &survey, from, Some(to)).await
        }
        (None, Some(_), None) => {
            let from = sender(&from, question);
            from_here(question, &docker, &netlink, &survey, from, None).await
        }
        (None, None, Some(to)) => from_elsewhere(question, &survey, to),
        _ => Err(Refused::other(
            "neither of the two is on a bridge of this host: `flowport show` lists what is",
        )),
    }
}

/// The two that have most in common: the bridge, the network, the subnet.
fn pair<'a, 'b>(
    from: &'b [Candidate<'a>],
    to: &'b [Candidate<'a>],
) -> Option<(&'b Candidate<'a>, &'b Candidate<'a>)> {
    let pairs = from.iter().flat_map(|from| to.iter().map(move |to| (from, to)));
    let score = |(from, to): &(&Candidate<'_>, &Candidate<'_>)| {
        let bridge = from.bridge.name == to.bridge.name;
        let subnet =
            to.addresses().iter().any(|to| from.addresses().iter().any(|own| own.contains(&to.addr())));
        (bridge, from.vlan() == to.vlan(), subnet)
    };
    // The last of the best is taken; people mean the first.
    let pairs: Vec<_> = pairs.collect();
    pairs.into_iter().rev().max_by_key(score)
}

/// Of several interfaces, the one whose subnet the other end is in.
fn sender<'a, 'b>(from: &'b [Candidate<'a>], question: &Question) -> &'b Candidate<'a> {
    let fits = |candidate: &&Candidate<'_>| match question.to {
        End::Ip(ip) => candidate.addresses().iter().any(|own| own.contains(&ip)),
        _ => false,
    };
    from.iter().find(fits).unwrap_or(&from[0])
}

async fn candidates<'a>(
    docker: &Docker,
    netlink: &Netlink,
    survey: &'a Survey,
    end: &End,
) -> Result<Vec<Candidate<'a>>, Refused> {
    let ports =
        || survey.bridges.iter().flat_map(|bridge| bridge.ports.iter().map(move |port| (bridge, port)));
    let candidate = |(bridge, port)| Candidate { bridge, port, of_host: Vec::new() };
    if let End::Container(container) = end {
        let all = ports().filter_map(|(_, port)| port.attachment.as_ref());
        let own = attachments_of(docker, all, container).await?;
        let is_own = |port: &SurveyedPort| port.attachment.as_ref().is_some_and(|of| own.contains(&of));
        return Ok(ports().filter(|(_, port)| is_own(port)).map(candidate).collect());
    }
    let of_endpoint = |(_, port): &(&SurveyedBridge, &SurveyedPort)| {
        port.attachment.as_ref().is_some_and(|attachment| match end {
            End::Mac(mac) => attachment.mac == *mac,
            End::Ip(ip) => attachment.addresses.iter().any(|address| address.addr() == *ip),
            End::Container(_) => false,
        })
    };
    let found: Vec<Candidate<'a>> = ports().filter(of_endpoint).map(candidate).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let mut found = Vec::new();
    for (bridge, port) in ports().filter(|(_, port)| port.kind == "internal") {
        let of_host = netlink.addresses(&port.name).await.unwrap_or_default();
        let is_meant = match end {
            End::Mac(mac) => port.mac == Some(*mac),
            End::Ip(ip) => of_host.iter().any(|address| address.addr() == *ip),
            End::Container(_) => false,
        };
        if is_meant {
            found.push(Candidate { bridge, port, of_host });
        }
    }
    Ok(found)
}

/// What the sender has inside.
struct Inside {
    mac: Option<Mac>,
    addresses: Vec<IpNet>,
    sandbox: Option<Sandbox>,
}

async fn inside(docker: &Docker, netlink: &Netlink, candidate: &Candidate<'_>) -> Inside {
    let mut inside =
        Inside { mac: candidate.party().mac, addresses: candidate.addresses().to_vec(), sandbox: None };
    let Some(attachment) = candidate.attachment() else { return inside };
    let owner = &attachment.owner;
    let pid = match owner.is_docker() {
        true => docker.container(owner.as_str()).await.ok().and_then(|found| found.pid),
        false => None,
    };
    let Ok(Some(sandbox)) = sandbox_of(owner, pid) else { return inside };
    let netns = Netns::new(&sandbox.netns);
    if let Ok(Some(found)) = netlink.interface_in(&netns, attachment.interface.as_str()).await {
        inside.mac = found.mac.and_then(Mac::from_bytes).or(inside.mac);
        // The one it was given comes first, as long as it has it.
        let given = |address: &IpNet| attachment.addresses.iter().any(|given| given.addr() == address.addr());
        let (own, other): (Vec<IpNet>, Vec<IpNet>) =
            found.addresses.into_iter().filter(|address| !is_link_local(address.addr())).partition(given);
        inside.addresses = own.into_iter().chain(other).collect();
        inside.sandbox = Some(sandbox);
    }
    inside
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// A packet of somebody on a bridge of this host.
async fn from_here(
    question: &Question,
    docker: &Docker,
    netlink: &Netlink,
    survey: &Survey,
    from: &Candidate<'_>,
    to: Option<&Candidate<'_>>,
) -> Result<Asked, Refused> {
    let in_port = from.port.port_no().ok_or_else(|| no_number(from))?;
    let inside = inside(docker, netlink, from).await;
    let mut receiver = to.map_or_else(|| elsewhere(&question.to), Candidate::party);
    let mut sender = from.party();
    let target = target_address(&question.to, &inside.addresses, to);
    receiver.ip = target;
    sender.mac = inside.mac;
    let of_family =
        |ip: &IpAddr| inside.addresses.iter().map(IpNet::addr).find(|own| own.is_ipv4() == ip.is_ipv4());
    sender.ip = match target {
        Some(ip) => of_family(&ip),
        None => inside.addresses.first().map(IpNet::addr),
    };
    let mut scene = Scene {
        bridge: from.bridge.name.clone(),
        bridges: survey.bridges.clone(),
        kind: String::new(),
        from: sender,
        target: receiver.clone(),
        to: receiver,
        gateway: None,
        notes: Vec::new(),
    };
    // A container with several networks sends into the receiver's.
    let tag = match (from.attachment(), to.map(Candidate::vlan)) {
        (Some(own), Some(vlan)) => Some(vlan.id()).filter(|_| own.trunks.contains(&vlan)),
        _ => None,
    };
    let packet = |scene: &Scene, destination, addresses| Packet {
        in_port,
        vlan: tag,
        tunnel_key: None,
        source: scene.from.mac.unwrap_or(unknown_mac()),
        destination,
        addresses,
        protocol: question.protocol,
        port: port_of(question),
    };
    let mut next_hop = target;
    if let (Some(ip), Some(sandbox), Some(attachment)) = (target, &inside.sandbox, from.attachment()) {
        let routes = Netlink::open_in(Netns::new(&sandbox.netns));
        let route = routes.route_to(ip).await?;
        let who = scene.from.name.clone();
        match route {
            None => {
                scene.kind = packet(&scene, unknown_mac(), scene.from.ip.map(|own| (own, ip))).kind();
                let what = format!("not sent: {} has no route to {ip}", attachment.container);
                let remedy = "give it an address in that subnet, or attach it with --gateway or --route";
                return Ok(Asked::NotSent { scene, verdict: Verdict::not(what, remedy) });
            }
            Some(path) if path.link.name != attachment.interface.as_str() && path.link.name != "lo" => {
                scene.kind = packet(&scene, unknown_mac(), scene.from.ip.map(|own| (own, ip))).kind();
                let what = format!(
                    "not sent to {}: {} sends what is for {ip} by its interface {}, not by {}",
                    scene.bridge, attachment.container, path.link.name, attachment.interface
                );
                let remedy = "give it an address in that subnet, or attach it with --route";
                return Ok(Asked::NotSent { scene, verdict: Verdict::not(what, remedy) });
            }
            Some(path) => {
                next_hop = path.gateway.or(target);
                scene.gateway = path.gateway;
                scene.from.ip =
                    path.source.filter(|source| source.is_ipv4() == ip.is_ipv4()).or(scene.from.ip);
                if path.gateway.is_some() {
                    scene.notes.push(format!("{ip} is in no subnet of {who}: it goes to the gateway"));
                }
            }
        }
    }
    // Whoever has the next hop's address gets it; a receiver that was named gets it whatever its address.
    if let Some(hop) = next_hop.filter(|hop| to.is_none() || Some(*hop) != target) {
        scene.target = resolve(netlink, from.bridge, hop).await.unwrap_or_else(|| elsewhere(&End::Ip(hop)));
    }
    let destination = scene.target.mac;
    let destination = destination.unwrap_or_else(|| {
        let whose = &scene.target.name;
        scene
            .notes
            .push(format!("the MAC of {whose} is not known on this host; {} stands for it", unknown_mac()));
        unknown_mac()
    });
    let asked_for = if question.protocol == Protocol::Arp { next_hop } else { target };
    // To somebody of whom only the MAC is known it goes from the sender's address all the same.
    let asked_for = asked_for.or(scene.from.ip.map(|own| match own {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }));
    let packet = packet(&scene, destination, scene.from.ip.zip(asked_for));
    scene.kind = packet.kind();
    Ok(Asked::Packet { scene, packet })
}

/// A packet of somebody behind a link or a tunnel.
fn from_elsewhere(question: &Question, survey: &Survey, to: &Candidate<'_>) -> Result<Asked, Refused> {
    let way = way_in(to.bridge, question.in_port.as_deref())?;
    let in_port = way.port_no().ok_or_else(|| {
        Refused::other(format!(
            "port {} of {} does not work: `flowport doctor` says why",
            way.name, to.bridge.name
        ))
    })?;
    let mut sender = elsewhere(&question.from);
    sender.port = Some(way.name.clone());
    let mut receiver = to.party();
    receiver.ip = target_address(&question.to, &[], Some(to))
        .filter(|ip| sender.ip.is_none_or(|own| own.is_ipv4() == ip.is_ipv4()));
    let vlan = to.vlan().id();
    let is_tunnel = TunnelKind::from_interface_type(&way.kind).is_some();
    let by_key = way.option("key") == Some("flow");
    let fixed = way.option("key").or(way.option("in_key")).and_then(|key| key.parse().ok());
    let has_tag = vlan != 0 && way.tag.is_none() && !(is_tunnel && by_key);
    let packet = Packet {
        in_port,
        vlan: has_tag.then_some(vlan),
        tunnel_key: is_tunnel.then(|| if by_key { vlan.into() } else { fixed.unwrap_or(0) }),
        source: sender.mac.unwrap_or(unknown_mac()),
        destination: receiver.mac.unwrap_or(unknown_mac()),
        addresses: sender.ip.zip(receiver.ip),
        protocol: question.protocol,
        port: port_of(question),
    };
    let scene = Scene {
        bridge: to.bridge.name.clone(),
        bridges: survey.bridges.clone(),
        kind: packet.kind(),
        notes: vec![format!("it comes by {}", way.name)],
        from: sender,
        target: receiver.clone(),
        to: receiver,
        gateway: None,
    };
    Ok(Asked::Packet { scene, packet })
}

/// The way in from other hosts: the one that was named, or the only one.
fn way_in<'a>(bridge: &'a SurveyedBridge, named: Option<&str>) -> Result<&'a SurveyedPort, Refused> {
    let ways: Vec<&SurveyedPort> = bridge.ways_out().collect();
    let names = ways.iter().map(|port| port.name.as_str()).collect::<Vec<_>>().join(", ");
    let name = &bridge.name;
    match (named, &ways[..]) {
        (Some(wanted), _) => ways.into_iter().find(|port| port.name == wanted).ok_or_else(|| {
            Refused::other(format!(
                "{name} has no way in called {wanted}: it has {}",
                if names.is_empty() { "none" } else { &names }
            ))
        }),
        (None, [only]) => Ok(only),
        (None, []) => Err(Refused::other(format!(
            "the sender is not on this host, and {name} has neither link nor tunnel by which it could come: `flowport show {name}`"
        ))),
        (None, _) => Err(Refused::other(format!(
            "the sender is not on this host, and {name} has several ways in ({names}): name one with --in-port"
        ))),
    }
}

/// The address that is meant: the one that was named, or the receiver's in a subnet or family of the sender's.
fn target_address(end: &End, own: &[IpNet], to: Option<&Candidate<'_>>) -> Option<IpAddr> {
    if let End::Ip(ip) = end {
        return Some(*ip);
    }
    let addresses = to?.addresses();
    let near = addresses.iter().find(|address| own.iter().any(|own| own.contains(&address.addr())));
    let family = || {
        addresses
            .iter()
            .find(|address| own.iter().any(|own| own.addr().is_ipv4() == address.addr().is_ipv4()))
    };
    near.or_else(family).or(addresses.first()).map(IpNet::addr)
}

/// Who answers for an address on the bridge.
async fn resolve(netlink: &Netlink, bridge: &SurveyedBridge, ip: IpAddr) -> Option<Party> {
    let candidate = |port| Candidate { bridge, port, of_host: Vec::new() };
    let of_endpoint = bridge.endpoints().find(|(_, of)| of.addresses.iter().any(|own| own.addr() == ip));
    if let Some((port, _)) = of_endpoint {
        return Some(candidate(port).party());
    }
    for port in bridge.ports.iter().filter(|port| port.kind == "internal") {
        let own = netlink.addresses(&port.name).await.unwrap_or_default();
        if own.iter().any(|address| address.addr() == ip) {
            return Some(candidate(port).party());
        }
    }
    None
}

fn elsewhere(end: &End) -> Party {
    let (name, mac, ip) = match end {
        End::Mac(mac) => (mac.to_string(), Some(*mac), None),
        End::Ip(ip) => (ip.to_string(), None, Some(*ip)),
        End::Container(container) => (container.to_string(), None, None),
    };
    Party { name, place: Place::Elsewhere, port: None, mac, ip }
}

fn port_of(question: &Question) -> Option<u16> {
    match question.protocol {
        Protocol::Tcp => Some(question.port.unwrap_or(TCP_PORT)),
        Protocol::Udp => Some(question.port.unwrap_or(UDP_PORT)),
        Protocol::Icmp | Protocol::Arp => None,
    }
}

fn unknown_mac() -> Mac {
    Mac::of_ipv4(ELSEWHERE)
}

fn no_number(from: &Candidate<'_>) -> Refused {
    let why = from.port.error.as_deref().unwrap_or("ovs-vswitchd has given it no number");
    Refused::other(format!(
        "the port of {} does not work: {why}: `flowport doctor` says more",
        from.party().name
    ))
}
