//! Matches.

use std::str::FromStr;

use super::value;
use super::{Item, ParseTextError, Problem, items};
use crate::flow_match::{Match, MatchBuilder};
use crate::oxm::tun_metadata::TunMetadata;
use crate::oxm::{Masked, OxmField, VlanTci};
use crate::types::{EthType, IpProto, VlanVid};

impl FromStr for Match {
    type Err = ParseTextError;

    /// Reads what ovs-ofctl prints or takes as a match: `tcp,in_port=1,nw_dst=10.0.0.0/8,tp_dst=80`.
    fn from_str(text: &str) -> Result<Self, ParseTextError> {
        let mut fields = MatchText::default();
        for item in items(text) {
            if !fields.add(item)? {
                return Err(Problem::UnknownField.of(item.whole));
            }
        }
        fields.build(text)
    }
}

/// The items of a match, which can be understood only once the protocol is known.
#[derive(Debug, Default)]
pub(super) struct MatchText<'s> {
    items: Vec<Item<'s>>,
    eth_type: Option<EthType>,
    ip_proto: Option<IpProto>,
}

const SHORTHANDS: &[(&str, EthType, Option<IpProto>)] = &[
    ("ip", EthType::IPV4, None),
    ("ipv4", EthType::IPV4, None),
    ("icmp", EthType::IPV4, Some(IpProto::ICMP)),
    ("tcp", EthType::IPV4, Some(IpProto::TCP)),
    ("udp", EthType::IPV4, Some(IpProto::UDP)),
    ("sctp", EthType::IPV4, Some(IpProto::SCTP)),
    ("ipv6", EthType::IPV6, None),
    ("icmp6", EthType::IPV6, Some(IpProto::ICMPV6)),
    ("tcp6", EthType::IPV6, Some(IpProto::TCP)),
    ("udp6", EthType::IPV6, Some(IpProto::UDP)),
    ("sctp6", EthType::IPV6, Some(IpProto::SCTP)),
    ("arp", EthType::ARP, None),
    ("rarp", EthType::RARP, None),
    ("mpls", EthType::MPLS, None),
    ("mplsm", EthType::MPLS_MCAST, None),
];

impl<'s> MatchText<'s> {
    /// Takes an item; false if it is none of a match.
    pub(super) fn add(&mut self, item: Item<'s>) -> Result<bool, ParseTextError> {
        let shorthand = SHORTHANDS.iter().find(|(name, ..)| item.whole == *name);
        if let Some((_, eth_type, ip_proto)) = shorthand {
            self.eth_type = Some(*eth_type);
            self.ip_proto = ip_proto.or(self.ip_proto);
            return Ok(true);
        }
        match item.key {
            "dl_type" | "eth_type" => self.eth_type = Some(item.number()?),
            "nw_proto" | "ip_proto" if !self.is_arp() => self.ip_proto = Some(item.number()?),
            key if is_field(key) => self.items.push(item),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn is_arp(&self) -> bool {
        matches!(self.eth_type, Some(EthType::ARP | EthType::RARP))
    }

    pub(super) fn build(self, text: &str) -> Result<Match, ParseTextError> {
        let mut builder = Match::builder();
        if let Some(ty) = self.eth_type {
            builder = builder.eth_type(ty);
        }
        if let Some(proto) = self.ip_proto {
            builder = builder.ip_proto(proto);
        }
        let vlan = self.items.iter().any(|item| matches!(item.key, "dl_vlan" | "vlan_vid" | "vlan_tci"));
        for item in &self.items {
            builder = match item.key {
                "dl_vlan" => match item.number()? {
                    0xffff_u16 => builder.vlan_vid(VlanVid::NONE),
                    vid => builder.vlan_vid(
                        item.expected("dl_vlan=0 to 4095", (vid < 4096).then_some(vid))
                            .map(VlanVid::tagged)?,
                    ),
                },
                "dl_vlan_pcp" | "vlan_pcp" => {
                    let builder = builder.vlan_pcp(item.number()?);
                    match vlan {
                        true => builder,
                        false => builder.vlan_vid((VlanVid::PRESENT, VlanVid::PRESENT)),
                    }
                }
                "vlan_tci" => vlan_tci(builder, value::hex(item.value)?),
                "nw_tos" => {
                    let tos: u8 = item.number()?;
                    builder.ip_dscp(
                        item.expected("nw_tos=N, a multiple of 4", (tos % 4 == 0).then_some(tos / 4))?,
                    )
                }
                key => builder.field(self.field(key, item)?),
            };
        }
        builder.build().map_err(|error| Problem::Match(error).of(text))
    }

    fn field(&self, key: &str, item: &Item<'_>) -> Result<OxmField, ParseTextError> {
        if let Some(index) = TunMetadata::index_of(key) {
            let option = value::tun_metadata(index, item.value);
            return item
                .expected("tun_metadata0=0x12 or =0x12/0xff", option.map(Box::new))
                .map(OxmField::TunMetadata);
        }
        let name = self.meaning(key);
        match OxmField::from_text(name, item.value) {
            Some(Ok(field)) => Ok(field),
            Some(Err(error)) => Err(error.problem.of(item.whole)),
            None => Err(Problem::UnknownField.of(item.whole)),
        }
    }

    /// The field that a name of several meanings has with this protocol.
    fn meaning<'a>(&self, key: &'a str) -> &'a str {
        let ipv6 = self.eth_type == Some(EthType::IPV6);
        match (key, self.ip_proto) {
            ("dl_src", _) => "eth_src",
            ("dl_dst", _) => "eth_dst",
            ("nw_src", _) if self.is_arp() => "arp_spa",
            ("nw_dst", _) if self.is_arp() => "arp_tpa",
            ("nw_proto", _) if self.is_arp() => "arp_op",
            ("nw_src", _) => "ipv4_src",
            ("nw_dst", _) => "ipv4_dst",
            ("nw_frag", _) => "ip_frag",
            ("gtpu_flags", _) => "tun_gtpu_flags",
            ("gtpu_msgtype", _) => "tun_gtpu_msgtype",
            ("icmp_type", _) if ipv6 => "icmpv6_type",
            ("icmp_code", _) if ipv6 => "icmpv6_code",
            ("tp_src", Some(IpProto::UDP)) => "udp_src",
            ("tp_dst", Some(IpProto::UDP)) => "udp_dst",
            ("tp_src", Some(IpProto::SCTP)) => "sctp_src",
            ("tp_dst", Some(IpProto::SCTP)) => "sctp_dst",
            ("tp_src", Some(IpProto::ICMP | IpProto::ICMPV6)) if ipv6 => "icmpv6_type",
            ("tp_dst", Some(IpProto::ICMP | IpProto::ICMPV6)) if ipv6 => "icmpv6_code",
            ("tp_src", Some(IpProto::ICMP)) => "icmp_type",
            ("tp_dst", Some(IpProto::ICMP)) => "icmp_code",
            ("tp_src", _) => "tcp_src",
            ("tp_dst", _) => "tcp_dst",
            _ => key,
        }
    }
}

fn is_field(key: &str) -> bool {
    const OTHER_NAMES: &[&str] = &[
        "dl_src",
        "dl_dst",
        "dl_vlan",
        "dl_vlan_pcp",
        "nw_src",
        "nw_dst",
        "nw_proto",
        "nw_frag",
        "tp_src",
        "tp_dst",
        "gtpu_flags",
        "gtpu_msgtype",
    ];
    OTHER_NAMES.contains(&key)
        || TunMetadata::index_of(key).is_some()
        || crate::oxm::OxmHeader::named(key)
            .is_some_and(|_| key.bytes().any(|byte| byte.is_ascii_lowercase()))
}

/// A tag as a whole, in OpenFlow 1.3's fields if they can say it.
fn vlan_tci(builder: MatchBuilder, tci: Masked<VlanTci>) -> MatchBuilder {
    const VID: u16 = 0x1fff;
    const PCP: u16 = 0xe000;
    let (value, mask) = (tci.value.0, tci.mask.map_or(u16::MAX, |mask| mask.0));
    if mask & PCP != 0
        && (mask & PCP != PCP || mask & value & VlanVid::PRESENT.0 == 0)
        && mask & value & PCP != 0
    {
        return builder.vlan_tci(tci);
    }
    let builder = match mask & VID {
        0 => builder,
        vid => builder.vlan_vid((VlanVid(value & VID), VlanVid(vid))),
    };
    match mask & PCP == PCP && value & VlanVid::PRESENT.0 != 0 && mask & VlanVid::PRESENT.0 != 0 {
        true => builder.vlan_pcp((value >> 13) as u8),
        false => builder,
    }
}

/// `field=value` where a list of fields is something else than a match.
pub(super) fn named_field(name: &str, text: &str) -> Option<Result<OxmField, ParseTextError>> {
    if let Some(index) = TunMetadata::index_of(name) {
        let option = value::tun_metadata(index, text).map(|option| OxmField::TunMetadata(Box::new(option)));
        return Some(super::expected(text, "0x12 or 0x12/0xff", option));
    }
    let name = match name {
        "in_port_oxm" => "in_port",
        "dl_src" => "eth_src",
        "dl_dst" => "eth_dst",
        "nw_src" => "ipv4_src",
        "nw_dst" => "ipv4_dst",
        name => name,
    };
    OxmField::from_text(name, text)
}
