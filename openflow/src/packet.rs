//! Packets: enough to read packet-ins and to write packet-outs. The headers from ARP upwards are smoltcp's, whose
//! representations are given and taken as they are ([`wire`]); Ethernet with VLAN tags, and LLDP, are here.
//!
//! ```
//! use flowport_openflow::packet::{Frame, Network, arp_reply};
//! # let request = flowport_openflow::packet::arp_request([2, 0, 0, 0, 0, 1].into(), [10, 0, 0, 1].into(), [10, 0, 0, 2].into());
//! let frame = Frame::parse(&request)?;
//! if let Network::Arp(request) = frame.network()? {
//!     let reply = arp_reply(&frame, &request, [2, 0, 0, 0, 0, 2].into());
//!     assert!(reply.is_some());
//! }
//! # Ok::<(), flowport_openflow::packet::PacketError>(())
//! ```

mod lldp;
mod write;

pub use lldp::{Lldp, LldpTlv};
pub use smoltcp::wire;
pub use write::{arp_reply, arp_request, ethernet, icmpv4, icmpv6, tcp, udp};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpPacket, ArpRepr, DhcpPacket, DnsPacket, Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr, IpAddress,
    IpProtocol, Ipv4Packet, Ipv4Repr, Ipv6Packet, Ipv6Repr, TcpPacket, TcpRepr, UdpPacket, UdpRepr,
};

use crate::types::{EthType, MacAddr};

/// The ports of DNS and of DHCP, where a datagram is one of theirs.
const DNS: u16 = 53;
const DHCP: [u16; 2] = [67, 68];

/// Why bytes are not a packet, or not one that is read here.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the packet's {header} header cannot be read")]
pub struct PacketError {
    /// Which header.
    pub header: &'static str,
}

fn header<T>(header: &'static str, value: Result<T, wire::Error>) -> Result<T, PacketError> {
    value.map_err(|wire::Error| PacketError { header })
}

/// A VLAN tag (IEEE 802.1Q).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VlanTag {
    /// 0x8100, or 0x88a8 for a provider's.
    pub tpid: EthType,
    /// Priority, 3 bits; drop eligibility, 1 bit; VLAN id, 12 bits.
    pub tci: u16,
}

impl VlanTag {
    /// A tag with this id (0 to 4095) and priority 0.
    pub fn new(vid: u16) -> Self {
        Self { tpid: EthType::VLAN, tci: vid & 0x0fff }
    }

    /// The VLAN id.
    pub fn vid(self) -> u16 {
        self.tci & 0x0fff
    }

    /// The priority.
    pub fn pcp(self) -> u8 {
        (self.tci >> 13) as u8
    }
}

/// An Ethernet frame.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame<'a> {
    /// To whom.
    pub dst: MacAddr,
    /// From whom.
    pub src: MacAddr,
    /// The outer tag first; empty for most frames.
    pub tags: Vec<VlanTag>,
    /// What is in it.
    pub eth_type: EthType,
    /// That.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads a frame without its checksum, as packet-ins have it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PacketError> {
        let error = PacketError { header: "Ethernet" };
        let (dst, rest) = bytes.split_first_chunk::<6>().ok_or(error)?;
        let (src, mut rest) = rest.split_first_chunk::<6>().ok_or(error)?;
        let mut tags = Vec::new();
        loop {
            let ([a, b], tail) = rest.split_first_chunk::<2>().ok_or(error)?;
            let eth_type = EthType(u16::from_be_bytes([*a, *b]));
            rest = tail;
            if eth_type != EthType::VLAN && eth_type != EthType::QINQ {
                return Ok(Self { dst: MacAddr(*dst), src: MacAddr(*src), tags, eth_type, payload: rest });
            }
            let ([a, b], tail) = rest.split_first_chunk::<2>().ok_or(error)?;
            tags.push(VlanTag { tpid: eth_type, tci: u16::from_be_bytes([*a, *b]) });
            rest = tail;
        }
    }

    /// What is in it.
    pub fn network(&self) -> Result<Network<'a>, PacketError> {
        let checksums = ChecksumCapabilities::ignored();
        Ok(match self.eth_type {
            EthType::ARP => {
                let packet = header("ARP", ArpPacket::new_checked(self.payload))?;
                Network::Arp(header("ARP", ArpRepr::parse(&packet))?)
            }
            EthType::IPV4 => {
                let packet = header("IPv4", Ipv4Packet::new_checked(self.payload))?;
                let repr = header("IPv4", Ipv4Repr::parse(&packet, &checksums))?;
                let (src, dst) = (repr.src_addr.into(), repr.dst_addr.into());
                // What follows the header of a later fragment is no header.
                let transport = match packet.frag_offset() {
                    0 => transport(repr.next_header, src, dst, packet.payload())?,
                    _ => Transport::Other(IpProtocol::Unknown(repr.next_header.into()), packet.payload()),
                };
                Network::Ipv4(repr, transport)
            }
            EthType::IPV6 => {
                let packet = header("IPv6", Ipv6Packet::new_checked(self.payload))?;
                let repr = header("IPv6", Ipv6Repr::parse(&packet))?;
                let (src, dst) = (repr.src_addr.into(), repr.dst_addr.into());
                Network::Ipv6(repr, transport(repr.next_header, src, dst, packet.payload())?)
            }
            EthType::LLDP => Network::Lldp(Lldp::parse(self.payload)?),
            other => Network::Other(other, self.payload),
        })
    }
}

/// What is in a frame.
#[derive(Debug, Eq, PartialEq)]
pub enum Network<'a> {
    /// Who has that address?
    Arp(ArpRepr),
    /// An IPv4 packet and what is in it.
    Ipv4(Ipv4Repr, Transport<'a>),
    /// An IPv6 packet and what is in it; behind extension headers, [`Transport::Other`].
    Ipv6(Ipv6Repr, Transport<'a>),
    /// Who is at the other end?
    Lldp(Lldp),
    /// Something else.
    Other(EthType, &'a [u8]),
}

/// What is in an IP packet.
#[derive(Debug, Eq, PartialEq)]
pub enum Transport<'a> {
    /// ICMP.
    Icmpv4(Icmpv4Repr<'a>),
    /// ICMPv6, neighbour discovery among it.
    Icmpv6(Icmpv6Repr<'a>),
    /// TCP.
    Tcp(TcpRepr<'a>),
    /// UDP, and the datagram's payload: see [`dhcp`] and [`dns`].
    Udp(UdpRepr, &'a [u8]),
    /// Something else.
    Other(IpProtocol, &'a [u8]),
}

fn transport(
    protocol: IpProtocol,
    src: IpAddress,
    dst: IpAddress,
    bytes: &[u8],
) -> Result<Transport<'_>, PacketError> {
    // Packets that came through the datapath were checked there, or are to be checked by whom they are for.
    let checksums = ChecksumCapabilities::ignored();
    Ok(match (protocol, src, dst) {
        (IpProtocol::Icmp, ..) => {
            let packet = header("ICMP", Icmpv4Packet::new_checked(bytes))?;
            Transport::Icmpv4(header("ICMP", Icmpv4Repr::parse(&packet, &checksums))?)
        }
        (IpProtocol::Icmpv6, IpAddress::Ipv6(src), IpAddress::Ipv6(dst)) => {
            let packet = header("ICMPv6", Icmpv6Packet::new_checked(bytes))?;
            Transport::Icmpv6(header("ICMPv6", Icmpv6Repr::parse(&src, &dst, &packet, &checksums))?)
        }
        (IpProtocol::Tcp, ..) => {
            let packet = header("TCP", TcpPacket::new_checked(bytes))?;
            Transport::Tcp(header("TCP", TcpRepr::parse(&packet, &src, &dst, &checksums))?)
        }
        (IpProtocol::Udp, ..) => {
            let packet = header("UDP", UdpPacket::new_checked(bytes))?;
            Transport::Udp(header("UDP", UdpRepr::parse(&packet, &src, &dst, &checksums))?, packet.payload())
        }
        (other, ..) => Transport::Other(other, bytes),
    })
}

/// The datagram as a DHCP message, if its ports are DHCP's. [`wire::DhcpRepr::parse`] reads it.
pub fn dhcp<'a>(udp: &UdpRepr, payload: &'a [u8]) -> Option<DhcpPacket<&'a [u8]>> {
    let ours = DHCP.contains(&udp.src_port) && DHCP.contains(&udp.dst_port);
    DhcpPacket::new_checked(payload).ok().filter(|_| ours)
}

/// The datagram as a DNS message, if one of its ports is DNS's.
pub fn dns<'a>(udp: &UdpRepr, payload: &'a [u8]) -> Option<DnsPacket<&'a [u8]>> {
    let ours = udp.src_port == DNS || udp.dst_port == DNS;
    DnsPacket::new_checked(payload).ok().filter(|_| ours)
}

#[cfg(test)]
mod tests;
