//! What a rule contributes, in a network whose containers are kept apart: connections are followed by the tracker, and
//! those that were allowed to begin may go on in both directions.

use flowport_openflow::action::nicira::Conntrack;
use flowport_openflow::{Action, CtState, IpProto, MacAddr, Match, MatchBuilder, PortNo};

use crate::model::{Attachment, SHARED_COOKIE, Traffic, Vlan};

use super::flow::Does;
use super::{FORWARD, FROM_ENDPOINT, Flow, NETWORK_MASK, POLICY, UndeclaredFlow};

/// An endpoint of a network, as a rule sees it.
#[derive(Clone, Copy, Debug)]
pub struct Party<'a> {
    /// It.
    pub attachment: &'a Attachment,
    /// Its port.
    pub port: PortNo,
}

impl Party<'_> {
    fn mac(&self) -> MacAddr {
        MacAddr(self.attachment.mac.octets())
    }
}

/// The flow entries by which `from` may begin connections with `to` in a network, and have answers; all carry the shared
/// cookie. `zone` is the network's part of the connection tracker.
///
/// # Errors
///
/// The pipeline contradicts its own declaration.
pub fn rule_flows(
    vlan: Vlan,
    zone: u16,
    (from, to): (Party<'_>, Party<'_>),
    traffic: Traffic,
) -> Result<Vec<Flow>, UndeclaredFlow> {
    let network = (u64::from(vlan.id()) | FROM_ENDPOINT, NETWORK_MASK | FROM_ENDPOINT);
    let between = |from: Party<'_>, to: Party<'_>| {
        Match::builder().metadata(network).in_port(from.port).eth_dst(to.mac())
    };
    let mut flows = Vec::new();
    let mut add = |priority, matches, does| {
        flows.push(Flow::new(&POLICY, priority, SHARED_COOKIE, matches, does)?);
        Ok(())
    };
    let untracked = |matches: MatchBuilder| matches.ct_state((CtState::NONE, CtState::TRK));
    let tracked = |matches: MatchBuilder, state: CtState| {
        matches.ct_state((CtState::TRK | state, CtState::TRK | CtState::INV | state))
    };
    let track = || Does::apply([Action::from(Conntrack::lookup(zone, POLICY.id))]);
    for ipv6 in [false, true] {
        let begins = in_direction(between(from, to), traffic, ipv6, Direction::There);
        let answers = in_direction(between(to, from), traffic, ipv6, Direction::Back);
        for packets in [begins.clone(), answers] {
            add(200, untracked(packets.clone()), track())?;
            add(200, tracked(packets, CtState::EST), Does::goto(&FORWARD))?;
        }
        let commit = Does::apply([Action::from(Conntrack::commit(zone))]);
        add(200, tracked(begins, CtState::NEW), commit.then_goto(&FORWARD))?;
        // Errors that routers and hosts report of a connection (RFC 792, RFC 4443).
        let errors = if ipv6 { between(to, from).icmpv6() } else { between(to, from).icmp() };
        add(190, untracked(errors.clone()), track())?;
        add(190, tracked(errors, CtState::REL), Does::goto(&FORWARD))?;
    }
    Ok(flows)
}

enum Direction {
    There,
    Back,
}

/// The packets of a kind of traffic in one direction.
fn in_direction(matches: MatchBuilder, traffic: Traffic, ipv6: bool, direction: Direction) -> MatchBuilder {
    let ip = |matches: MatchBuilder| if ipv6 { matches.ipv6() } else { matches.ipv4() };
    match (traffic, direction) {
        (Traffic::Any, _) => ip(matches),
        (Traffic::Icmp, _) if ipv6 => matches.icmpv6(),
        (Traffic::Icmp, _) => matches.icmp(),
        (Traffic::Tcp(None), _) => ip(matches).ip_proto(IpProto::TCP),
        (Traffic::Udp(None), _) => ip(matches).ip_proto(IpProto::UDP),
        (Traffic::Tcp(Some(port)), Direction::There) => ip(matches).ip_proto(IpProto::TCP).tcp_dst(port),
        (Traffic::Tcp(Some(port)), Direction::Back) => ip(matches).ip_proto(IpProto::TCP).tcp_src(port),
        (Traffic::Udp(Some(port)), Direction::There) => ip(matches).ip_proto(IpProto::UDP).udp_dst(port),
        (Traffic::Udp(Some(port)), Direction::Back) => ip(matches).ip_proto(IpProto::UDP).udp_src(port),
    }
}
