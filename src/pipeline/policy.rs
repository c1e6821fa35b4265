//! What a rule contributes, in a network whose containers are kept apart: connections are followed by the tracker, and
//! those that were allowed to begin may go on in both directions.
//!
//! Packets to whom a rule is about, and from there, go through the tracker first, and come back with what it knows. Of a
//! datagram in fragments only the first has ports. The kernel's datapath puts it together for the tracker, and that is
//! what comes back. The one in userspace gives the fragments back, and does not tell the later ones' ports of what is
//! new. So they all go through the tracker once more, which gives none back before it has all: the later ones in any
//! case, the first only when it is allowed. Those that waited for it in vain come back as invalid, and end in *output*.
//!
//! A connection is labelled with the endpoint that it is to. So an endpoint goes on in no connection but those that
//! were begun with it, whatever addresses it writes into its packets, and whatever other bridges have in their zones.

use flowport_openflow::action::nicira::Conntrack;
use flowport_openflow::oxm::IpFrag;
use flowport_openflow::types::Bits128;
use flowport_openflow::{Action, CtState, IpProto, MacAddr, Match, MatchBuilder, OxmField, PortNo};

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

    fn label(&self) -> Bits128 {
        u128::from(self.attachment.endpoint().bits()).into()
    }
}

/// The flow entries by which `from` (none: every endpoint) may begin connections with `to` in a network, and have
/// answers; all carry the shared cookie. Entries that several rules have in common do the same in each. `zone` is the
/// network's part of the connection tracker.
///
/// # Errors
///
/// The pipeline contradicts its own declaration.
pub fn rule_flows(
    vlan: Vlan,
    zone: u16,
    (from, to): (Option<Party<'_>>, Party<'_>),
    traffic: Traffic,
) -> Result<Vec<Flow>, UndeclaredFlow> {
    let network =
        || Match::builder().metadata((u64::from(vlan.id()) | FROM_ENDPOINT, NETWORK_MASK | FROM_ENDPOINT));
    let there = || match from {
        Some(from) => network().in_port(from.port).eth_dst(to.mac()),
        None => network().eth_dst(to.mac()),
    };
    let back = || match from {
        Some(from) => network().in_port(to.port).eth_dst(from.mac()),
        None => network().in_port(to.port),
    };
    let mut flows = Vec::new();
    let mut add = |priority, matches, does| {
        flows.push(Flow::new(&POLICY, priority, SHARED_COOKIE, matches, does)?);
        Ok(())
    };
    for ipv6 in [false, true] {
        let ip = |matches: MatchBuilder| if ipv6 { matches.ipv6() } else { matches.ipv4() };
        let icmp = |matches: MatchBuilder| if ipv6 { matches.icmpv6() } else { matches.icmp() };
        // Not the first of a datagram: what it is of is not in it.
        let later = |matches: MatchBuilder| ip(matches).ip_frag(IpFrag::ANY | IpFrag::LATER);

        // Open vSwitch shows entries no ports of the first either (`OFPC_FRAG_NORMAL`), but those of its connection.
        let first = |matches: MatchBuilder| matches.ip_frag((IpFrag::ANY, IpFrag::ANY | IpFrag::LATER));
        let any_fragment = |matches: MatchBuilder| ip(matches).ip_frag((IpFrag::ANY, IpFrag::ANY));

        let mut untracked = vec![ip(there())];
        match (traffic, in_direction(back(), traffic, ipv6, Direction::Back)) {
            (Traffic::Any, all) => untracked.push(all),
            (Traffic::Icmp, all) => untracked.extend([all, any_fragment(back())]),
            // Errors that hosts report of a connection too (RFC 792, RFC 4443).
            (Traffic::Tcp(_) | Traffic::Udp(_), answers) => {
                untracked.extend([answers, any_fragment(back()), icmp(back())]);
            }
        }
        for packets in untracked {
            let track = Does::apply([Action::from(Conntrack::lookup(zone, POLICY.id))]);
            add(200, packets.ct_state((CtState::NONE, CtState::TRK)), track)?;
        }

        let label = || Action::set_field(OxmField::CtLabel(to.label().into()));
        let commit = || {
            let commit = Conntrack::commit(zone).exec([label()]).table(FORWARD.id);
            Does::apply([Action::from(commit)])
        };
        let again = || Does::apply([Action::from(Conntrack::lookup(zone, FORWARD.id))]);
        let new = CtState::TRK | CtState::NEW;
        let begins = in_direction(there(), traffic, ipv6, Direction::There);
        add(200, begins.ct_state((new, new | CtState::INV)), commit())?;
        let in_parts = first(of_connection(ip(there()), traffic, ipv6));
        add(210, in_parts.ct_state((new, new | CtState::INV)), commit())?;

        // Established, or an error of one that is.
        let known = CtState::TRK | CtState::NEW | CtState::INV | CtState::RPL;
        for (packets, state) in [(there(), CtState::TRK), (back(), CtState::TRK | CtState::RPL)] {
            let goes_on = of_connection(ip(packets), traffic, ipv6).ct_label(to.label());
            let goes_on = goes_on.ct_state((state, known));
            add(200, goes_on.clone(), Does::goto(&FORWARD))?;
            add(210, first(goes_on), again())?;
        }
        let not_back = CtState::TRK | CtState::INV | CtState::RPL;
        add(210, later(there()).ct_state((CtState::TRK, not_back)), commit())?;
        let answers = later(back()).ct_label(to.label());
        add(210, answers.ct_state((CtState::TRK | CtState::RPL, known)), again())?;
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

/// The packets whose connection is of a kind of traffic.
fn of_connection(matches: MatchBuilder, traffic: Traffic, ipv6: bool) -> MatchBuilder {
    let (proto, port) = match traffic {
        Traffic::Any => return matches,
        Traffic::Icmp if ipv6 => (IpProto::ICMPV6, None),
        Traffic::Icmp => (IpProto::ICMP, None),
        Traffic::Tcp(port) => (IpProto::TCP, port),
        Traffic::Udp(port) => (IpProto::UDP, port),
    };
    let matches = matches.ct_nw_proto(proto.0);
    match port {
        Some(port) => matches.ct_tp_dst(port),
        None => matches,
    }
}
