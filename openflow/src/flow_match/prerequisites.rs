//! What a field needs beside it (OpenFlow 1.3.5, 7.2.3.8, and meta-flow for the extensions).

use super::Fields;
use crate::oxm::OxmField;
use crate::types::{EthType, IpProto, VlanVid};

const ARP: &[EthType] = &[EthType::ARP, EthType::RARP];
const MPLS: &[EthType] = &[EthType::MPLS, EthType::MPLS_MCAST];
const IP: &[EthType] = &[EthType::IPV4, EthType::IPV6];
const IPV4: &[EthType] = &[EthType::IPV4];
const IPV6: &[EthType] = &[EthType::IPV6];

/// ICMPv6 types of neighbour discovery.
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

/// What of a match others of its fields may need.
#[derive(Default)]
pub(super) struct Given {
    in_port: bool,
    tagged: bool,
    eth_type: Option<EthType>,
    ip_proto: Option<IpProto>,
    icmpv6_type: Option<u8>,
    ct_nw_proto: bool,
}

impl Given {
    pub(super) fn of(fields: Fields<'_>) -> Self {
        use OxmField as F;
        let mut given = Self::default();
        for field in fields {
            match field {
                F::InPort(_) => given.in_port = true,
                F::VlanVid(vid) => given.tagged = vid.value.0 & VlanVid::PRESENT.0 != 0,
                F::EthType(ty) => given.eth_type = Some(ty),
                // A packet that begins with this header instead of with Ethernet.
                F::PacketType(ty) if ty.namespace() == 1 => {
                    given.eth_type = given.eth_type.or(Some(EthType(ty.id())));
                }
                F::IpProto(proto) => given.ip_proto = Some(proto),
                F::Icmpv6Type(ty) => given.icmpv6_type = Some(ty),
                F::CtNwProto(_) => given.ct_nw_proto = true,
                _ => {}
            }
        }
        given
    }

    /// What `field` needs and is not given, in words.
    pub(super) fn lacks(&self, field: &OxmField) -> Option<&'static str> {
        use OxmField as F;
        let eth = |types: &[EthType]| self.eth_type.is_some_and(|ty| types.contains(&ty));
        let proto = |proto| self.ip_proto == Some(proto);
        let icmpv6 = |types: &[u8]| {
            let ty = self.icmpv6_type.is_some_and(|ty| types.contains(&ty));
            eth(IPV6) && proto(IpProto::ICMPV6) && ty
        };
        let (present, needs) = match field {
            F::InPhyPort(_) => (self.in_port, "in_port"),
            F::VlanPcp(_) => (self.tagged, "vlan_vid of a tag"),
            F::IpDscp(_) | F::IpEcn(_) | F::IpProto(_) | F::IpFrag(_) | F::IpTtl(_) | F::NxmIpTos(_) => {
                (eth(IP), "eth_type of IPv4 or IPv6")
            }
            F::Ipv4Src(_) | F::Ipv4Dst(_) => (eth(IPV4), "eth_type of IPv4"),
            F::Ipv6Src(_) | F::Ipv6Dst(_) | F::Ipv6Flabel(_) | F::Ipv6Exthdr(_) => {
                (eth(IPV6), "eth_type of IPv6")
            }
            F::TcpSrc(_) | F::TcpDst(_) | F::TcpFlags(_) => {
                (eth(IP) && proto(IpProto::TCP), "ip_proto of TCP")
            }
            F::UdpSrc(_) | F::UdpDst(_) => (eth(IP) && proto(IpProto::UDP), "ip_proto of UDP"),
            F::SctpSrc(_) | F::SctpDst(_) => (eth(IP) && proto(IpProto::SCTP), "ip_proto of SCTP"),
            F::Icmpv4Type(_) | F::Icmpv4Code(_) => {
                (eth(IPV4) && proto(IpProto::ICMP), "ip_proto of ICMP over IPv4")
            }
            F::Icmpv6Type(_) | F::Icmpv6Code(_) => {
                (eth(IPV6) && proto(IpProto::ICMPV6), "ip_proto of ICMPv6 over IPv6")
            }
            F::Ipv6NdTarget(_) => (icmpv6(&[SOLICITATION, ADVERTISEMENT]), "icmpv6_type of 135 or 136"),
            F::Ipv6NdSll(_) => (icmpv6(&[SOLICITATION]), "icmpv6_type of 135"),
            F::Ipv6NdTll(_) => (icmpv6(&[ADVERTISEMENT]), "icmpv6_type of 136"),
            F::ArpOp(_) | F::ArpSpa(_) | F::ArpTpa(_) | F::ArpSha(_) | F::ArpTha(_) => {
                (eth(ARP), "eth_type of ARP")
            }
            F::MplsLabel(_) | F::MplsTc(_) | F::MplsBos(_) | F::MplsTtl(_) => (eth(MPLS), "eth_type of MPLS"),
            F::PbbIsid(_) => (eth(&[EthType::PBB]), "eth_type of PBB"),
            F::NshFlags(_) | F::NshMdtype(_) | F::NshNp(_) | F::NshSpi(_) | F::NshSi(_) | F::NshTtl(_) => {
                (eth(&[EthType::NSH]), "eth_type of NSH")
            }
            F::NshC1(_) | F::NshC2(_) | F::NshC3(_) | F::NshC4(_) => {
                (eth(&[EthType::NSH]), "eth_type of NSH")
            }
            F::CtNwSrc(_) | F::CtNwDst(_) => (eth(IPV4), "eth_type of IPv4"),
            F::CtIpv6Src(_) | F::CtIpv6Dst(_) => (eth(IPV6), "eth_type of IPv6"),
            F::CtNwProto(_) => (eth(IP), "eth_type of IPv4 or IPv6"),
            F::CtTpSrc(_) | F::CtTpDst(_) => (self.ct_nw_proto, "ct_nw_proto of TCP, UDP or SCTP"),
            _ => (true, ""),
        };
        (!present).then_some(needs)
    }
}
