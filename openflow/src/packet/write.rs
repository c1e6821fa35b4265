//! Whole frames for packet-outs, checksums and all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr,
    IpAddress, IpProtocol, Ipv4Packet, Ipv4Repr, Ipv6Packet, Ipv6Repr, TcpPacket, TcpRepr, UdpPacket,
    UdpRepr,
};

use super::{Frame, VlanTag};
use crate::types::{EthType, MacAddr};

/// Hops that a packet of ours may take.
const HOP_LIMIT: u8 = 64;

/// A frame with this payload.
pub fn ethernet(dst: MacAddr, src: MacAddr, tags: &[VlanTag], eth_type: EthType, payload: &[u8]) -> Vec<u8> {
    let mut out = [dst.0, src.0].concat();
    for tag in tags {
        out.extend_from_slice(&tag.tpid.0.to_be_bytes());
        out.extend_from_slice(&tag.tci.to_be_bytes());
    }
    out.extend_from_slice(&eth_type.0.to_be_bytes());
    out.extend_from_slice(payload);
    out
}

/// "Who has `target`? Tell `sender`", to everyone.
pub fn arp_request(mac: MacAddr, sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let repr = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr: EthernetAddress(mac.0),
        source_protocol_addr: sender,
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: target,
    };
    ethernet(MacAddr::BROADCAST, mac, &[], EthType::ARP, &arp(&repr))
}

/// "That is at `mac`", in answer to the request in `frame`, with its VLAN tags; none if `request` is not a request.
pub fn arp_reply(frame: &Frame<'_>, request: &ArpRepr, mac: MacAddr) -> Option<Vec<u8>> {
    let ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr,
        source_protocol_addr,
        target_protocol_addr,
        ..
    } = *request
    else {
        return None;
    };
    let repr = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Reply,
        source_hardware_addr: EthernetAddress(mac.0),
        source_protocol_addr: target_protocol_addr,
        target_hardware_addr: source_hardware_addr,
        target_protocol_addr: source_protocol_addr,
    };
    Some(ethernet(frame.src, mac, &frame.tags, EthType::ARP, &arp(&repr)))
}

fn arp(repr: &ArpRepr) -> Vec<u8> {
    let mut out = vec![0; repr.buffer_len()];
    repr.emit(&mut ArpPacket::new_unchecked(&mut out));
    out
}

/// An IP packet with this payload, and its ethertype; none if the addresses are of different families.
fn ip(src: IpAddr, dst: IpAddr, next_header: IpProtocol, payload: &[u8]) -> Option<(EthType, Vec<u8>)> {
    let payload_len = payload.len();
    let (eth_type, mut out) = match (src, dst) {
        (IpAddr::V4(src_addr), IpAddr::V4(dst_addr)) => {
            let repr = Ipv4Repr { src_addr, dst_addr, next_header, payload_len, hop_limit: HOP_LIMIT };
            let mut out = vec![0; repr.buffer_len()];
            repr.emit(&mut Ipv4Packet::new_unchecked(&mut out), &ChecksumCapabilities::default());
            (EthType::IPV4, out)
        }
        (IpAddr::V6(src_addr), IpAddr::V6(dst_addr)) => {
            // Neighbour discovery is refused if it came through a router, which 255 hops prove that it did not.
            let hop_limit = if next_header == IpProtocol::Icmpv6 { 255 } else { HOP_LIMIT };
            let repr = Ipv6Repr { src_addr, dst_addr, next_header, payload_len, hop_limit };
            let mut out = vec![0; repr.buffer_len()];
            repr.emit(&mut Ipv6Packet::new_unchecked(&mut out));
            (EthType::IPV6, out)
        }
        _ => return None,
    };
    out.extend_from_slice(payload);
    Some((eth_type, out))
}

/// The addresses of both layers, and VLAN tags.
type Ends<'a, A> = (MacAddr, MacAddr, &'a [VlanTag], A, A);

fn frame<A: Into<IpAddr>>(ends: Ends<'_, A>, protocol: IpProtocol, payload: &[u8]) -> Option<Vec<u8>> {
    let (dst_mac, src_mac, tags, dst, src) = ends;
    let (eth_type, packet) = ip(src.into(), dst.into(), protocol, payload)?;
    Some(ethernet(dst_mac, src_mac, tags, eth_type, &packet))
}

/// An ICMP message. The ends are: to and from whom in Ethernet, VLAN tags, to and from whom in IP.
pub fn icmpv4(ends: Ends<'_, Ipv4Addr>, repr: &Icmpv4Repr<'_>) -> Option<Vec<u8>> {
    let mut out = vec![0; repr.buffer_len()];
    repr.emit(&mut Icmpv4Packet::new_unchecked(&mut out), &ChecksumCapabilities::default());
    frame(ends, IpProtocol::Icmp, &out)
}

/// An ICMPv6 message, such as a neighbour advertisement.
pub fn icmpv6(ends: Ends<'_, Ipv6Addr>, repr: &Icmpv6Repr<'_>) -> Option<Vec<u8>> {
    let (.., dst, src) = ends;
    let mut out = vec![0; repr.buffer_len()];
    repr.emit(&src, &dst, &mut Icmpv6Packet::new_unchecked(&mut out), &ChecksumCapabilities::default());
    frame(ends, IpProtocol::Icmpv6, &out)
}

/// From and to; none if they are of different families.
fn addresses(ends: &Ends<'_, IpAddr>) -> Option<(IpAddress, IpAddress)> {
    (ends.3.is_ipv4() == ends.4.is_ipv4()).then(|| (ends.4.into(), ends.3.into()))
}

/// A UDP datagram.
pub fn udp(ends: Ends<'_, IpAddr>, repr: &UdpRepr, payload: &[u8]) -> Option<Vec<u8>> {
    let (src, dst) = addresses(&ends)?;
    let mut out = vec![0; repr.header_len() + payload.len()];
    let mut packet = UdpPacket::new_unchecked(&mut out);
    let checksums = ChecksumCapabilities::default();
    repr.emit(&mut packet, &src, &dst, payload.len(), |buffer| buffer.copy_from_slice(payload), &checksums);
    frame(ends, IpProtocol::Udp, &out)
}

/// A TCP segment.
pub fn tcp(ends: Ends<'_, IpAddr>, repr: &TcpRepr<'_>) -> Option<Vec<u8>> {
    let (src, dst) = addresses(&ends)?;
    let mut out = vec![0; repr.buffer_len()];
    repr.emit(&mut TcpPacket::new_unchecked(&mut out), &src, &dst, &ChecksumCapabilities::default());
    frame(ends, IpProtocol::Tcp, &out)
}
