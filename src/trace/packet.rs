//! The packet, in the notation of ovs-ofctl(8).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use flowport_openflow::PortNo;

use crate::model::{BadWord, Mac};

/// The Ethernet broadcast address.
const BROADCAST: &str = "ff:ff:ff:ff:ff:ff";
/// What hosts put into the time to live.
const TTL: u8 = 64;

/// What kind of packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// An echo request, of ICMP or ICMPv6.
    #[default]
    Icmp,
    /// The first segment of a connection.
    Tcp,
    /// A datagram.
    Udp,
    /// The question for a MAC: an ARP request, or for IPv6 a neighbour solicitation (RFC 4861).
    Arp,
}

impl Protocol {
    /// The words of the command line.
    pub const WORDS: [&str; 4] = ["icmp", "tcp", "udp", "arp"];
}

impl FromStr for Protocol {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        match text {
            "icmp" => Ok(Self::Icmp),
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            "arp" => Ok(Self::Arp),
            _ => Err(BadWord(format!(
                "protocol {text:?} is not known: give one of {}",
                Self::WORDS.join(", ")
            ))),
        }
    }
}

/// A packet that enters a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The port that it comes by.
    pub in_port: PortNo,
    /// Its VLAN tag.
    pub vlan: Option<u16>,
    /// Its tunnel key, when it comes by a tunnel.
    pub tunnel_key: Option<u64>,
    /// Who sends it.
    pub source: Mac,
    /// Whom it is for; a question for a MAC is for all.
    pub destination: Mac,
    /// The addresses from and to.
    pub addresses: Option<(IpAddr, IpAddr)>,
    /// What kind.
    pub protocol: Protocol,
    /// The destination's TCP or UDP port.
    pub port: Option<u16>,
}

impl Packet {
    /// Who it is from and to, in words.
    pub fn kind(&self) -> String {
        let is_ipv6 = self.is_ipv6();
        match (self.protocol, self.port) {
            (Protocol::Icmp, _) if is_ipv6 => "ICMPv6 echo request".into(),
            (Protocol::Icmp, _) => "ICMP echo request".into(),
            (Protocol::Arp, _) if is_ipv6 => "neighbour solicitation".into(),
            (Protocol::Arp, _) => "ARP request".into(),
            (Protocol::Tcp, Some(port)) => format!("TCP to port {port}"),
            (Protocol::Tcp, None) => "TCP".into(),
            (Protocol::Udp, Some(port)) => format!("UDP to port {port}"),
            (Protocol::Udp, None) => "UDP".into(),
        }
    }

    fn is_ipv6(&self) -> bool {
        matches!(self.addresses, Some((_, IpAddr::V6(_))))
    }

    /// The type of packet and its addresses.
    fn headers(&self) -> String {
        match (self.protocol, self.addresses) {
            (Protocol::Arp, Some((IpAddr::V4(from), IpAddr::V4(to)))) => {
                format!("arp,dl_dst={BROADCAST},arp_op=1,arp_sha={},arp_spa={from},arp_tpa={to}", self.source)
            }
            (Protocol::Arp, Some((from, IpAddr::V6(to)))) => {
                let group = solicited_node(to);
                let mac = group_mac(group);
                format!(
                    "icmp6,dl_dst={mac},ipv6_src={from},ipv6_dst={group},nw_ttl=255,icmpv6_type=135,icmpv6_code=0,\
                     nd_target={to},nd_sll={}",
                    self.source
                )
            }
            (Protocol::Arp, _) => format!("arp,dl_dst={BROADCAST},arp_op=1,arp_sha={}", self.source),
            (protocol, addresses) => {
                let is_ipv6 = self.is_ipv6();
                let port = match (protocol, self.port) {
                    (Protocol::Tcp, Some(port)) => format!(",tcp_dst={port}"),
                    (Protocol::Udp, Some(port)) => format!(",udp_dst={port}"),
                    _ => String::new(),
                };
                let kind = match (protocol, is_ipv6) {
                    (Protocol::Tcp, false) => "tcp",
                    (Protocol::Tcp, true) => "tcp6",
                    (Protocol::Udp, false) => "udp",
                    (Protocol::Udp, true) => "udp6",
                    (_, false) => "icmp,icmp_type=8,icmp_code=0",
                    (_, true) => "icmp6,icmpv6_type=128,icmpv6_code=0",
                };
                // SYN alone; a packet has no flags that do not matter.
                let syn = if protocol == Protocol::Tcp { ",tcp_flags=2" } else { "" };
                let addresses = match addresses {
                    Some((from, to)) if is_ipv6 => format!(",ipv6_src={from},ipv6_dst={to}"),
                    Some((from, to)) => format!(",nw_src={from},nw_dst={to}"),
                    None => String::new(),
                };
                format!("{kind},dl_dst={}{addresses},nw_ttl={TTL}{port}{syn}", self.destination)
            }
        }
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.in_port {
            PortNo::LOCAL => f.write_str("in_port=LOCAL")?,
            PortNo(number) => write!(f, "in_port={number}")?,
        }
        if let Some(key) = self.tunnel_key {
            write!(f, ",tun_id={key}")?;
        }
        if let Some(vlan) = self.vlan {
            write!(f, ",dl_vlan={vlan}")?;
        }
        write!(f, ",dl_src={},{}", self.source, self.headers())
    }
}

/// The group in which whoever has `ip` listens (RFC 4291 section 2.7.1).
fn solicited_node(ip: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = ip.octets();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]))
}

/// The Ethernet address of an IPv6 group (RFC 2464 section 7).
fn group_mac(group: Ipv6Addr) -> String {
    let [.., a, b, c, d] = group.octets();
    format!("33:33:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(protocol: Protocol, from: &str, to: &str) -> Packet {
        Packet {
            in_port: PortNo(3),
            vlan: None,
            tunnel_key: None,
            source: "02:00:00:00:00:01".parse().unwrap(),
            destination: "02:00:00:00:00:02".parse().unwrap(),
            addresses: Some((from.parse().unwrap(), to.parse().unwrap())),
            protocol,
            port: None,
        }
    }

    #[test]
    fn packets_are_written_as_ovs_ofctl_reads_them() {
        let ping = packet(Protocol::Icmp, "10.0.0.1", "10.0.0.2");
        assert_eq!(
            ping.to_string(),
            "in_port=3,dl_src=02:00:00:00:00:01,icmp,icmp_type=8,icmp_code=0,dl_dst=02:00:00:00:00:02,\
             nw_src=10.0.0.1,nw_dst=10.0.0.2,nw_ttl=64"
        );
        let tcp =
            Packet { port: Some(80), in_port: PortNo::LOCAL, ..packet(Protocol::Tcp, "fd00::1", "fd00::2") };
        assert_eq!(
            tcp.to_string(),
            "in_port=LOCAL,dl_src=02:00:00:00:00:01,tcp6,dl_dst=02:00:00:00:00:02,ipv6_src=fd00::1,\
             ipv6_dst=fd00::2,nw_ttl=64,tcp_dst=80,tcp_flags=2"
        );
        let asked =
            Packet { tunnel_key: Some(7), vlan: Some(5), ..packet(Protocol::Arp, "10.0.0.1", "10.0.0.2") };
        assert_eq!(
            asked.to_string(),
            "in_port=3,tun_id=7,dl_vlan=5,dl_src=02:00:00:00:00:01,arp,dl_dst=ff:ff:ff:ff:ff:ff,arp_op=1,\
             arp_sha=02:00:00:00:00:01,arp_spa=10.0.0.1,arp_tpa=10.0.0.2"
        );
        let solicited = packet(Protocol::Arp, "fd00::1", "fd00::12:3456").to_string();
        assert!(
            solicited.contains("dl_dst=33:33:ff:12:34:56")
                && solicited.contains("ipv6_dst=ff02::1:ff12:3456")
        );
    }

    #[test]
    fn a_protocol_is_one_of_four() {
        assert_eq!("udp".parse(), Ok(Protocol::Udp));
        assert!("sctp".parse::<Protocol>().unwrap_err().to_string().contains("icmp, tcp, udp, arp"));
    }
}
