//! One port that is asked for, and what makes sense of it.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize};

use crate::model::{Attachment, BadWord, ContainerRef, LinkName, Mac, Owner, Route, Vlan};

/// Words of `add-port`: on the command line, and as one JSON object a line for `add-ports`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddPort {
    /// The bridge; in the lines of `add-ports` that of the command unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<LinkName>,
    /// The interface's name inside the container.
    pub interface: LinkName,
    /// The container.
    pub container: ContainerRef,
    /// Addresses, each with its prefix length.
    #[serde(default, deserialize_with = "one_or_many_addresses", skip_serializing_if = "Vec::is_empty")]
    pub ipaddress: Vec<IpNet>,
    /// Default gateways, one of each family at most.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub gateway: Vec<IpAddr>,
    /// The interface's MAC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub macaddress: Option<Mac>,
    /// The interface's MTU in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// The network on the bridge.
    #[serde(default)]
    pub vlan: Vlan,
    /// Further networks, tagged.
    #[serde(default, deserialize_with = "one_or_many_vlans", skip_serializing_if = "Vec::is_empty")]
    pub trunk: Vec<Vlan>,
    /// Routes through the interface.
    #[serde(default, deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub route: Vec<Route>,
}

impl AddPort {
    /// The smallest MTU of IPv4 and the largest of a veth, in bytes.
    const MTU: std::ops::RangeInclusive<u32> = 68..=65535;
    /// What IPv6 needs of a link (RFC 8200 section 5), in bytes.
    const MTU_OF_IPV6: u32 = 1280;

    /// The attachment that these words describe, for the container `owner` on `bridge`.
    ///
    /// # Errors
    ///
    /// Words that contradict each other, or that no kernel would take.
    pub fn into_attachment(self, bridge: LinkName, owner: Owner) -> Result<Attachment, BadWord> {
        self.check()?;
        let endpoint = crate::model::EndpointId::of(&owner, &self.interface);
        let mac = self.macaddress.unwrap_or_else(|| Attachment::default_mac(endpoint, &self.ipaddress));
        Ok(Attachment {
            owner,
            container: self.container,
            bridge,
            interface: self.interface,
            host_link: endpoint.host_link(),
            addresses: self.ipaddress,
            gateways: self.gateway,
            routes: self.route,
            mac,
            mtu: self.mtu,
            vlan: self.vlan,
            trunks: ascending(self.trunk),
        })
    }

    fn check(&self) -> Result<(), BadWord> {
        if self.interface.as_str() == "lo" {
            return Err(BadWord(
                "interface lo is the container's loopback: choose another name, as eth1".into(),
            ));
        }
        for (nth, address) in self.ipaddress.iter().enumerate() {
            check_address(address)?;
            if self.ipaddress[..nth].iter().any(|other| other.addr() == address.addr()) {
                return Err(BadWord(format!("address {} is given twice: give it once", address.addr())));
            }
        }
        for (nth, gateway) in self.gateway.iter().enumerate() {
            if self.gateway[..nth].iter().any(|other| other.is_ipv4() == gateway.is_ipv4()) {
                return Err(BadWord(format!("gateway {gateway} is the second of its family: give one")));
            }
            self.check_on_link(*gateway, "gateway")?;
        }
        for route in &self.route {
            match route.gateway {
                Some(gateway) => self.check_on_link(gateway, "gateway of a route")?,
                None => self.check_family(route.destination.addr().is_ipv4(), &route.to_string())?,
            }
        }
        for (nth, vlan) in self.trunk.iter().enumerate() {
            if *vlan == Vlan::UNTAGGED || *vlan == self.vlan {
                return Err(BadWord(format!(
                    "network {vlan} is what comes untagged: give --trunk the others"
                )));
            }
            if self.trunk[..nth].contains(vlan) {
                return Err(BadWord(format!("--trunk has network {vlan} twice: give it once")));
            }
        }
        self.mtu.map_or(Ok(()), |mtu| self.check_mtu(mtu))
    }

    /// A next hop must be a neighbour: within the subnet of one of the addresses, and not one of them.
    fn check_on_link(&self, ip: IpAddr, what: &str) -> Result<(), BadWord> {
        if self.ipaddress.iter().any(|address| address.addr() == ip) {
            return Err(BadWord(format!("{what} {ip} is the interface's own address: give the router's")));
        }
        let link_local = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        if link_local || self.ipaddress.iter().any(|address| address.contains(&ip)) {
            return Ok(());
        }
        Err(BadWord(format!(
            "{what} {ip} is in no subnet of the interface: give --ipaddress with a prefix that holds it"
        )))
    }

    fn check_family(&self, ipv4: bool, route: &str) -> Result<(), BadWord> {
        if self.ipaddress.iter().any(|address| address.addr().is_ipv4() == ipv4) {
            return Ok(());
        }
        Err(BadWord(format!(
            "route {route} has no address of its family to leave from: give --ipaddress too"
        )))
    }

    fn check_mtu(&self, mtu: u32) -> Result<(), BadWord> {
        if !Self::MTU.contains(&mtu) {
            return Err(BadWord(format!("MTU {mtu} is out of range: give 68 to 65535 bytes")));
        }
        if mtu < Self::MTU_OF_IPV6 && self.ipaddress.iter().any(|address| address.addr().is_ipv6()) {
            return Err(BadWord(format!("MTU {mtu} is too small for IPv6: give 1280 bytes or more")));
        }
        Ok(())
    }
}

fn ascending(mut vlans: Vec<Vlan>) -> Vec<Vlan> {
    vlans.sort();
    vlans
}

fn check_address(address: &IpNet) -> Result<(), BadWord> {
    let ip = address.addr();
    if ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() {
        return Err(BadWord(format!("address {ip} cannot be an interface's: give a unicast address")));
    }
    let IpNet::V4(address) = address else { return Ok(()) };
    if address.prefix_len() == 0 {
        return Err(BadWord(format!(
            "address {address} has prefix length 0: give that of its subnet, as /24"
        )));
    }
    // Of a /31 and a /32 every address is a host's (RFC 3021).
    if address.prefix_len() < 31
        && (address.addr() == address.network() || address.addr() == address.broadcast())
    {
        return Err(BadWord(format!(
            "address {address} is its subnet's network or broadcast address: give a host's"
        )));
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

/// `"gateway": "10.0.0.1"` as well as `"gateway": ["10.0.0.1", "fd00::1"]`.
fn one_or_many<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(item) => vec![item],
        OneOrMany::Many(items) => items,
    })
}

fn one_or_many_addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts: Vec<String> = one_or_many(deserializer)?;
    texts.iter().map(|text| super::parse_address(text).map_err(serde::de::Error::custom)).collect()
}

fn one_or_many_vlans<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vlan>, D::Error> {
    let ids: Vec<i64> = one_or_many(deserializer)?;
    ids.into_iter().map(|id| id.try_into().map_err(serde::de::Error::custom)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add_port(json: &str) -> Result<Attachment, String> {
        let words: AddPort = serde_json::from_str(json).map_err(|error| error.to_string())?;
        words
            .into_attachment("br0".parse().unwrap(), Owner::from("c474a0e2830e"))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_mac_follows_the_first_ipv4_address() {
        let attachment = add_port(
            r#"{"interface":"eth1","container":"c1","ipaddress":["fd00::2/64","10.0.0.2/24"],"gateway":"10.0.0.1"}"#,
        )
        .unwrap();
        assert_eq!(attachment.mac.to_string(), "02:42:0a:00:00:02");
        assert_eq!(attachment.host_link, attachment.endpoint().host_link());
    }

    #[test]
    fn an_address_without_prefix_is_a_host() {
        let attachment = add_port(r#"{"interface":"eth1","container":"c1","ipaddress":"10.0.0.2"}"#).unwrap();
        assert_eq!(attachment.addresses[0].to_string(), "10.0.0.2/32");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_name() {
        for (words, named) in [
            (r#""ipaddress":"10.0.0.0/24""#, "10.0.0.0/24"),
            (r#""ipaddress":"10.0.0.255/24""#, "10.0.0.255/24"),
            (r#""ipaddress":"224.0.0.1/24""#, "224.0.0.1"),
            (r#""ipaddress":"10.0.0.256/24""#, "10.0.0.256/24"),
            (r#""ipaddress":["10.0.0.2/24","10.0.0.2/16"]"#, "10.0.0.2"),
            (r#""ipaddress":"10.0.0.2/24","gateway":"10.0.1.1""#, "10.0.1.1"),
            (r#""ipaddress":"10.0.0.2/24","gateway":"10.0.0.2""#, "own address"),
            (r#""ipaddress":"10.0.0.2/24","gateway":["10.0.0.1","10.0.0.3"]"#, "10.0.0.3"),
            (r#""gateway":"10.0.0.1""#, "10.0.0.1"),
            (r#""ipaddress":"10.0.0.2/24","route":"fd00::/64""#, "fd00::/64"),
            (r#""ipaddress":"10.0.0.2/24","mtu":67"#, "67"),
            (r#""ipaddress":"fd00::2/64","mtu":1279"#, "1279"),
            (r#""macaddress":"01:00:5e:00:00:01""#, "01:00:5e:00:00:01"),
            (r#""vlan":4096"#, "4096"),
            (r#""vlan":-1"#, "-1"),
            (r#""vlan":5,"trunk":[5]"#, "untagged"),
            (r#""trunk":0"#, "untagged"),
            (r#""trunk":[7,6,7]"#, "7 twice"),
            (r#""trunk":4096"#, "4096"),
            (r#""color":"red""#, "color"),
        ] {
            let refused =
                add_port(&format!(r#"{{"interface":"eth1","container":"c1",{words}}}"#)).unwrap_err();
            assert!(refused.contains(named), "{words}: {refused}");
        }
    }
}
