//! Tunnels between hosts.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::{BadWord, LinkName};

/// The encapsulation of a tunnel, as the `type` column of table `Interface` spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TunnelKind {
    /// Generic Routing Encapsulation with Ethernet payload.
    Gre,
    /// Virtual eXtensible LAN (RFC 7348).
    Vxlan,
    /// Generic Network Virtualization Encapsulation (RFC 8926), without options.
    Geneve,
}

impl TunnelKind {
    /// The kind of an Interface row, if that is a tunnel of ours to know.
    pub fn from_interface_type(kind: &str) -> Option<Self> {
        match kind {
            "gre" => Some(Self::Gre),
            "vxlan" => Some(Self::Vxlan),
            "geneve" => Some(Self::Geneve),
            _ => None,
        }
    }

    /// The bytes that the tunnel takes from the underlay's MTU: outer IP, the encapsulation, the inner Ethernet header.
    pub fn overhead(self, remote_is_ipv6: bool, has_key: bool) -> u32 {
        let outer_ip = if remote_is_ipv6 { 40 } else { 20 };
        let encapsulation = match self {
            Self::Gre if has_key => 8,
            Self::Gre => 4,
            Self::Vxlan | Self::Geneve => 8 + 8,
        };
        outer_ip + encapsulation + 14
    }
}

impl fmt::Display for TunnelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gre => "gre",
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
        })
    }
}

/// The far end of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Remote {
    /// One host.
    Ip(IpAddr),
    /// Whichever host the flow entry names.
    Flow,
}

/// The key (VNI for VXLAN and Geneve) of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TunnelKey {
    /// One key for all packets; networks are told apart by their VLAN tag inside.
    Fixed(u32),
    /// The key of a packet is its network.
    Flow,
}

/// A tunnel port of a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    /// The name of its Port and Interface rows.
    pub name: LinkName,
    /// The encapsulation.
    pub kind: TunnelKind,
    /// `options:remote_ip`.
    pub remote: Remote,
    /// `options:key`.
    pub key: Option<TunnelKey>,
    /// `options:psk`, for IPsec.
    pub psk: Option<String>,
}

impl Tunnel {
    /// The `options` column of its Interface row.
    pub fn options(&self) -> Vec<(String, String)> {
        let mut options = vec![("remote_ip".to_owned(), self.remote.to_string())];
        options.extend(self.key.map(|key| ("key".to_owned(), key.to_string())));
        options.extend(self.psk.clone().map(|psk| ("psk".to_owned(), psk)));
        options
    }
}

impl FromStr for Remote {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        if text == "flow" {
            return Ok(Self::Flow);
        }
        let ip: IpAddr = text
            .parse()
            .map_err(|_| BadWord(format!("remote {text:?} is no IP address: give the other host's")))?;
        if ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() {
            return Err(BadWord(format!("remote {ip} is no host's address: give the other host's")));
        }
        Ok(Self::Ip(ip))
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => fmt::Display::fmt(ip, f),
            Self::Flow => f.write_str("flow"),
        }
    }
}

impl FromStr for TunnelKey {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        if text == "flow" {
            return Ok(Self::Flow);
        }
        text.parse().map(Self::Fixed).map_err(|_| {
            BadWord(format!(
                "key {text:?} is no tunnel key: give a number (VXLAN and Geneve: 0 to 16777215) or flow"
            ))
        })
    }
}

impl fmt::Display for TunnelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(key) => fmt::Display::fmt(key, f),
            Self::Flow => f.write_str("flow"),
        }
    }
}

macro_rules! as_text {
    ($($name:ident)*) => {$(
        impl TryFrom<String> for $name {
            type Error = BadWord;

            fn try_from(text: String) -> Result<Self, BadWord> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )*};
}

as_text! { Remote TunnelKey }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overheads_of_the_field() {
        assert_eq!(TunnelKind::Gre.overhead(false, false), 38);
        assert_eq!(TunnelKind::Gre.overhead(false, true), 42);
        assert_eq!(TunnelKind::Vxlan.overhead(false, true), 50);
        assert_eq!(TunnelKind::Vxlan.overhead(true, true), 70);
        assert_eq!(TunnelKind::Geneve.overhead(false, false), 50);
    }

    #[test]
    fn a_remote_is_a_host_or_flow() {
        assert_eq!("flow".parse(), Ok(Remote::Flow));
        assert!("10.0.0.2".parse::<Remote>().is_ok());
        for text in ["0.0.0.0", "224.0.0.1", "127.0.0.1", "host2", ""] {
            assert!(text.parse::<Remote>().is_err(), "{text}");
        }
    }
}
