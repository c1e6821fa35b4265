//! Who may talk to whom on a managed bridge.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::{Attachment, BadWord, ContainerRef, Vlan};

/// What containers of a bridge may send to each other. Nothing is said of this host and of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Networks whose containers talk to each other only as a rule allows.
    pub isolated: BTreeSet<Vlan>,
    /// What is allowed in them.
    pub rules: Vec<Rule>,
}

/// Connections that are allowed; what is sent back in one is, too.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Who may begin; none: every container.
    pub from: Option<ContainerRef>,
    /// With whom.
    pub to: ContainerRef,
    /// By what.
    pub traffic: Traffic,
}

/// What a connection is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Traffic {
    /// Anything that IP carries.
    Any,
    /// ICMP and ICMPv6.
    Icmp,
    /// TCP, to this port or to all.
    Tcp(Option<u16>),
    /// UDP, to this port or to all.
    Udp(Option<u16>),
}

impl Rule {
    /// Whether the rule is about connections that the endpoint begins.
    pub fn is_from(&self, attachment: &Attachment) -> bool {
        self.from.as_ref().is_none_or(|from| is_of(attachment, from))
    }

    /// Whether the rule is about connections to the endpoint.
    pub fn is_to(&self, attachment: &Attachment) -> bool {
        is_of(attachment, &self.to)
    }
}

/// A container goes by the words it was attached with, and by its identity.
fn is_of(attachment: &Attachment, container: &ContainerRef) -> bool {
    /// As many digits of an id as `docker ps` shows.
    const ID: usize = 12;
    let text = container.to_string();
    attachment.container == *container
        || attachment.owner.to_string() == text
        || (text.len() >= ID
            && attachment.owner.is_docker()
            && attachment.owner.to_string().starts_with(&text))
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.from {
            Some(from) => write!(f, "{from} {} {}", self.to, self.traffic),
            None => write!(f, "any {} {}", self.to, self.traffic),
        }
    }
}

impl FromStr for Rule {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        let words: Vec<&str> = text.split(' ').collect();
        let [from, to, traffic] = words[..] else {
            return Err(BadWord(format!("{text:?} is no rule: write FROM TO TRAFFIC, as web db tcp/5432")));
        };
        let from = (from != "any").then(|| from.parse()).transpose()?;
        Ok(Self { from, to: to.parse()?, traffic: traffic.parse()? })
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Icmp => f.write_str("icmp"),
            Self::Tcp(None) => f.write_str("tcp"),
            Self::Udp(None) => f.write_str("udp"),
            Self::Tcp(Some(port)) => write!(f, "tcp/{port}"),
            Self::Udp(Some(port)) => write!(f, "udp/{port}"),
        }
    }
}

impl FromStr for Traffic {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        let bad =
            || BadWord(format!("{text:?} is no traffic: write any, icmp, tcp, udp, tcp/PORT or udp/PORT"));
        let port = |port: &str| port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(bad);
        match text.split_once('/') {
            Some(("tcp", text)) => Ok(Self::Tcp(Some(port(text)?))),
            Some(("udp", text)) => Ok(Self::Udp(Some(port(text)?))),
            None if text == "any" => Ok(Self::Any),
            None if text == "icmp" => Ok(Self::Icmp),
            None if text == "tcp" => Ok(Self::Tcp(None)),
            None if text == "udp" => Ok(Self::Udp(None)),
            _ => Err(bad()),
        }
    }
}

impl TryFrom<String> for Traffic {
    type Error = BadWord;

    fn try_from(text: String) -> Result<Self, BadWord> {
        text.parse()
    }
}

impl From<Traffic> for String {
    fn from(traffic: Traffic) -> Self {
        traffic.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_go_both_ways_as_text() {
        for text in
            ["web db tcp/5432", "any db udp", "netns:a netns:b any", "c474a0e2830e db icmp", "a b tcp"]
        {
            assert_eq!(text.parse::<Rule>().unwrap().to_string(), text);
        }
        for text in
            ["web db", "web db tcp/0", "web db tcp/65536", "web db sctp", "web any tcp x", "we!b db any"]
        {
            assert!(text.parse::<Rule>().is_err(), "{text}");
        }
    }
}
