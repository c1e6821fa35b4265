//! Matches: protocol shorthands first, then fields in the order in which ovs-ofctl prints them.

use std::fmt::{self, Display, Formatter};

use super::value::Alternate;
use crate::flow_match::Match;
use crate::oxm::{Masked, OxmField as F, VlanTci};
use crate::types::{EthType, IpProto, PacketType};

impl Display for Match {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut out = Fields { f, first: true };
        out.write(&self.fields().collect::<Vec<_>>())
    }
}

/// Writes `priority=N,` and the match as ovs-ofctl does in flows: nothing for the default priority.
pub(super) fn with_priority(
    f: &mut Formatter<'_>,
    priority: Option<u16>,
    matches: &Match,
) -> Result<bool, fmt::Error> {
    let mut out = Fields { f, first: true };
    if let Some(priority) = priority.filter(|priority| *priority != DEFAULT_PRIORITY) {
        out.item(format_args!("priority={priority}"))?;
    }
    out.write(&matches.fields().collect::<Vec<_>>())?;
    Ok(!out.first)
}

/// `OFP_DEFAULT_PRIORITY`, which ovs-ofctl does not print.
const DEFAULT_PRIORITY: u16 = 0x8000;

struct Fields<'a, 'b> {
    f: &'a mut Formatter<'b>,
    first: bool,
}

impl Fields<'_, '_> {
    fn item(&mut self, item: impl Display) -> fmt::Result {
        if !std::mem::replace(&mut self.first, false) {
            self.f.write_str(",")?;
        }
        write!(self.f, "{item}")
    }

    fn write(&mut self, fields: &[F]) -> fmt::Result {
        let protocol = Protocol::of(fields);
        let shorthand = protocol.shorthand();
        let mut order: Vec<_> = fields.iter().filter_map(|field| Some((place(field)?, field))).collect();
        order.sort_by_key(|(place, _)| *place);
        let mut shorthand = shorthand.map(|(name, _)| name);
        let mut vlan = Vlan::of(fields);
        for (at, field) in order {
            if at > SHORTHAND {
                if let Some(name) = shorthand.take() {
                    self.item(name)?;
                }
            }
            if at >= VLAN {
                if let Some(vlan) = vlan.take() {
                    vlan.write(self)?;
                }
            }
            self.field(field, &protocol)?;
        }
        if let Some(name) = shorthand {
            self.item(name)?;
        }
        match vlan {
            Some(vlan) => vlan.write(self),
            None => Ok(()),
        }
    }

    fn field(&mut self, field: &F, protocol: &Protocol) -> fmt::Result {
        match field {
            // That a packet begins with Ethernet goes without saying.
            F::PacketType(PacketType::ETHERNET) => Ok(()),
            F::TunMetadata(option)
                if option.mask().is_some_and(|mask| mask.iter().all(|byte| *byte == 0)) =>
            {
                self.item(field.ovs_name())
            }
            F::EthType(_) if protocol.shorthand().is_some() => Ok(()),
            F::IpProto(_) if matches!(protocol.shorthand(), Some((_, true))) => Ok(()),
            F::VlanVid(_) | F::VlanPcp(_) | F::VlanTci(_) => Ok(()),
            F::EthType(ty) => self.item(format_args!("dl_type={ty}")),
            F::IpDscp(dscp) => self.item(format_args!("nw_tos={}", dscp << 2)),
            F::Ipv6Flabel(label) => match label.mask {
                None => self.item(format_args!("ipv6_label={:#07x}", label.value.0)),
                Some(mask) => self.item(format_args!("ipv6_label={:#07x}/{:#07x}", label.value.0, mask.0)),
            },
            F::Unknown(unknown) => {
                let id = unknown.id();
                self.item(format_args!("unknown({:#06x}:{}={:?})", id.class, id.field, unknown.body()))
            }
            F::TcpSrc(v) | F::UdpSrc(v) | F::SctpSrc(v) => self.port("tp_src", *v),
            F::TcpDst(v) | F::UdpDst(v) | F::SctpDst(v) => self.port("tp_dst", *v),
            F::CtZone(zone) => self.item(format_args!("ct_zone={zone}")),
            // ovs-ofctl leaves the masks of these out.
            F::TunGbpFlags(v) => self.item(format_args!("tun_gbp_flags={}", Alternate(v.value.into()))),
            F::TunErspanVer(v) => self.item(format_args!("tun_erspan_ver={}", v.value)),
            F::TunErspanIdx(v) => self.item(format_args!("tun_erspan_idx={}", Alternate(v.value.into()))),
            F::TunErspanDir(v) => self.item(format_args!("tun_erspan_dir={}", v.value)),
            F::TunErspanHwid(v) => self.item(format_args!("tun_erspan_hwid={}", Alternate(v.value.into()))),
            F::TunGtpuFlags(v) => self.item(format_args!("gtpu_flags={}", Alternate(v.value.into()))),
            F::TunGtpuMsgtype(v) => self.item(format_args!("gtpu_msgtype={}", v.value)),
            F::CtTpSrc(v) => self.port("ct_tp_src", *v),
            F::CtTpDst(v) => self.port("ct_tp_dst", *v),
            field => self.item(format_args!("{}={}", match_name(field), Value(field))),
        }
    }

    /// Transport ports, which print their value in hexadecimal if they have a mask.
    fn port(&mut self, name: &str, v: Masked<u16>) -> fmt::Result {
        match v.mask {
            None => self.item(format_args!("{name}={}", v.value)),
            Some(mask) => self.item(format_args!("{name}={:#x}/{mask:#x}", v.value)),
        }
    }
}

/// A field's value as set_field prints it.
pub(super) struct Value<'a>(pub(super) &'a F);

impl Display for Value<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.fmt_value(f)
    }
}

struct Protocol {
    eth_type: Option<EthType>,
    ip_proto: Option<IpProto>,
}

impl Protocol {
    fn of(fields: &[F]) -> Self {
        let mut this = Self { eth_type: None, ip_proto: None };
        for field in fields {
            match field {
                F::EthType(ty) => this.eth_type = Some(*ty),
                F::IpProto(proto) => this.ip_proto = Some(*proto),
                _ => {}
            }
        }
        this
    }

    /// The word for it, and whether that says the IP protocol too.
    fn shorthand(&self) -> Option<(&'static str, bool)> {
        Some(match (self.eth_type?, self.ip_proto) {
            (EthType::IPV4, Some(IpProto::ICMP)) => ("icmp", true),
            (EthType::IPV4, Some(IpProto::TCP)) => ("tcp", true),
            (EthType::IPV4, Some(IpProto::UDP)) => ("udp", true),
            (EthType::IPV4, Some(IpProto::SCTP)) => ("sctp", true),
            (EthType::IPV4, _) => ("ip", false),
            (EthType::IPV6, Some(IpProto::ICMPV6)) => ("icmp6", true),
            (EthType::IPV6, Some(IpProto::TCP)) => ("tcp6", true),
            (EthType::IPV6, Some(IpProto::UDP)) => ("udp6", true),
            (EthType::IPV6, Some(IpProto::SCTP)) => ("sctp6", true),
            (EthType::IPV6, _) => ("ipv6", false),
            (EthType::ARP, _) => ("arp", false),
            (EthType::RARP, _) => ("rarp", false),
            (EthType::MPLS, _) => ("mpls", false),
            (EthType::MPLS_MCAST, _) => ("mplsm", false),
            _ => return None,
        })
    }
}

/// All that is said about the VLAN tag, which ovs-ofctl prints as one thing.
struct Vlan {
    tci: u16,
    mask: u16,
}

impl Vlan {
    const PRESENT: u16 = 0x1000;
    const VID: u16 = 0x0fff;
    const PCP: u16 = 0xe000;

    fn of(fields: &[F]) -> Option<Self> {
        let mut this = Self { tci: 0, mask: 0 };
        for field in fields {
            match field {
                F::VlanVid(vid) => {
                    this.tci |= vid.value.0;
                    this.mask |= vid.mask.map_or(Self::PRESENT | Self::VID, |mask| mask.0);
                }
                F::VlanPcp(pcp) => {
                    this.tci |= u16::from(*pcp) << 13;
                    this.mask |= Self::PCP;
                }
                F::VlanTci(tci) => {
                    this.tci |= tci.value.0;
                    this.mask |= tci.mask.map_or(u16::MAX, |VlanTci(mask)| mask);
                }
                _ => {}
            }
        }
        (this.mask != 0).then_some(this)
    }

    fn write(&self, out: &mut Fields<'_, '_>) -> fmt::Result {
        let (vid, pcp) = (self.mask & Self::VID, self.mask & Self::PCP);
        let whole =
            (vid == 0 || vid == Self::VID) && (pcp == 0 || pcp == Self::PCP) && (vid != 0 || pcp != 0);
        if self.mask & self.tci & Self::PRESENT != 0 && whole {
            if vid != 0 {
                out.item(format_args!("dl_vlan={}", self.tci & Self::VID))?;
            }
            if pcp != 0 {
                out.item(format_args!("dl_vlan_pcp={}", self.tci >> 13))?;
            }
            return Ok(());
        }
        match self.mask {
            u16::MAX => out.item(format_args!("vlan_tci={:#06x}", self.tci)),
            mask => out.item(format_args!("vlan_tci={:#06x}/{mask:#06x}", self.tci)),
        }
    }
}

/// The name in matches, where it is not that of set_field.
fn match_name(field: &F) -> &'static str {
    match field {
        F::EthSrc(_) => "dl_src",
        F::EthDst(_) => "dl_dst",
        F::Ipv4Src(_) => "nw_src",
        F::Ipv4Dst(_) => "nw_dst",
        F::Icmpv6Type(_) => "icmp_type",
        F::Icmpv6Code(_) => "icmp_code",
        F::IpFrag(_) => "nw_frag",
        field => field.ovs_name(),
    }
}

/// Between these places stand the protocol's shorthand and the VLAN tag.
const SHORTHAND: u16 = 20;
const VLAN: u16 = 90;

/// Where ovs-ofctl prints a field; none for what is printed with another one.
fn place(field: &F) -> Option<u16> {
    Some(match field {
        F::PktMark(_) => 0,
        F::RecircId(_) => 1,
        F::DpHash(_) => 2,
        F::ConjId(_) => 3,
        F::ActsetOutput(_) => 5,
        F::CtState(_) => 6,
        F::CtZone(_) => 7,
        F::CtMark(_) => 8,
        F::CtLabel(_) => 9,
        F::CtNwSrc(_) => 10,
        F::CtIpv6Src(_) => 11,
        F::CtNwDst(_) => 12,
        F::CtIpv6Dst(_) => 13,
        F::CtNwProto(_) => 14,
        F::CtTpSrc(_) => 15,
        F::CtTpDst(_) => 16,
        F::PacketType(_) => 19,
        F::TunnelId(_) => 60,
        F::TunSrc(_) => 61,
        F::TunDst(_) => 62,
        F::TunIpv6Src(_) => 63,
        F::TunIpv6Dst(_) => 64,
        F::TunGbpId(_) => 65,
        F::TunGbpFlags(_) => 66,
        F::TunErspanVer(_) => 67,
        F::TunErspanIdx(_) => 68,
        F::TunErspanDir(_) => 69,
        F::TunErspanHwid(_) => 70,
        F::TunGtpuFlags(_) => 71,
        F::TunGtpuMsgtype(_) => 72,
        F::TunFlags(_) => 73,
        F::TunMetadata(_) => 74,
        F::Metadata(_) => 80,
        F::InPort(_) => 81,
        F::NxmInPort(_) => 82,
        F::InPhyPort(_) => 83,
        F::VlanVid(_) | F::VlanPcp(_) | F::VlanTci(_) => return None,
        F::EthSrc(_) => 96,
        F::EthDst(_) => 97,
        F::EthType(_) => 98,
        F::Ipv6Src(_) | F::Ipv4Src(_) | F::ArpSpa(_) => 113,
        F::Ipv6Dst(_) | F::Ipv4Dst(_) | F::ArpTpa(_) => 114,
        F::Ipv6Flabel(_) => 115,
        F::IpProto(_) | F::ArpOp(_) => 116,
        F::NshFlags(_) => 100,
        F::NshTtl(_) => 101,
        F::NshMdtype(_) => 102,
        F::NshNp(_) => 103,
        F::NshSpi(_) => 104,
        F::NshSi(_) => 105,
        F::NshC1(_) => 106,
        F::NshC2(_) => 107,
        F::NshC3(_) => 108,
        F::NshC4(_) => 109,
        F::ArpSha(_) => 117,
        F::ArpTha(_) => 118,
        F::IpDscp(_) | F::NxmIpTos(_) => 119,
        F::IpEcn(_) => 120,
        F::IpTtl(_) => 121,
        F::MplsLabel(_) => 122,
        F::MplsTc(_) => 123,
        F::MplsTtl(_) => 124,
        F::MplsBos(_) => 125,
        F::IpFrag(_) => 130,
        F::TcpSrc(_) | F::UdpSrc(_) | F::SctpSrc(_) | F::Icmpv4Type(_) | F::Icmpv6Type(_) => 131,
        F::TcpDst(_) | F::UdpDst(_) | F::SctpDst(_) | F::Icmpv4Code(_) | F::Icmpv6Code(_) => 132,
        F::Ipv6NdTarget(_) => 133,
        F::Ipv6NdSll(_) => 134,
        F::Ipv6NdTll(_) => 135,
        F::TcpFlags(_) => 136,
        F::PbbIsid(_) => 140,
        F::Ipv6Exthdr(_) => 141,
        F::Unknown(_) => 150,
        registers => SHORTHAND + 1 + register(registers),
    })
}

/// reg0 to reg15, then the wider views of them.
fn register(field: &F) -> u16 {
    let id = field.id();
    match id.class {
        1 if id.field < 16 => id.field.into(),
        1 => 30 + u16::from(id.field - 111),
        _ => 20 + u16::from(id.field),
    }
}
