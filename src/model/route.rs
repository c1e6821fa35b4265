//! Routes inside a container.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::BadWord;

/// A route inside the container: `DESTINATION@GATEWAY`, or `DESTINATION` for one that is on the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Route {
    /// Where the packets go.
    pub destination: IpNet,
    /// The next hop, if the destination is not on the link.
    pub gateway: Option<IpAddr>,
}

impl FromStr for Route {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        let (destination, gateway) = match text.split_once('@') {
            Some((destination, gateway)) => (destination, Some(gateway)),
            None => (text, None),
        };
        let bad = |what: &str| {
            BadWord(format!(
                "route {text:?} has a bad {what}: write it as 10.1.0.0/16 or 10.1.0.0/16@10.0.0.1"
            ))
        };
        let destination: IpNet = destination.parse().map_err(|_| bad("destination"))?;
        let gateway = gateway.map(|ip| ip.parse::<IpAddr>().map_err(|_| bad("gateway"))).transpose()?;
        if gateway.is_some_and(|ip| ip.is_ipv4() != destination.addr().is_ipv4()) {
            return Err(BadWord(format!("route {text:?} mixes IPv4 and IPv6: use one of them")));
        }
        Ok(Self { destination: destination.trunc(), gateway })
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.destination)?;
        self.gateway.map_or(Ok(()), |ip| write!(f, "@{ip}"))
    }
}

impl TryFrom<String> for Route {
    type Error = BadWord;

    fn try_from(text: String) -> Result<Self, BadWord> {
        text.parse()
    }
}

impl From<Route> for String {
    fn from(route: Route) -> Self {
        route.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_and_without_a_gateway() {
        for text in ["10.1.0.0/16", "10.1.0.0/16@10.0.0.1", "fd00:1::/64@fd00::1"] {
            assert_eq!(text.parse::<Route>().unwrap().to_string(), text);
        }
        for text in ["", "10.1.0.0", "10.1.0.0/16@", "10.1.0.0/16@fd00::1", "10.1.0.0/33"] {
            assert!(text.parse::<Route>().is_err(), "{text}");
        }
    }
}
