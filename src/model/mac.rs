//! Ethernet addresses.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::BadWord;

/// The Ethernet address of a container's interface: unicast and not zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mac([u8; 6]);

impl Mac {
    /// The address that belongs to `ip`, `02:42` and its four bytes: an IPv4 address that is used again keeps its
    /// MAC, and no neighbour is left with a stale entry.
    pub fn of_ipv4(ip: Ipv4Addr) -> Self {
        let [a, b, c, d] = ip.octets();
        Self([0x02, 0x42, a, b, c, d])
    }

    /// A locally administered address out of the low five bytes of `seed`.
    pub fn of_seed(seed: u64) -> Self {
        let [_, _, _, a, b, c, d, e] = seed.to_be_bytes();
        Self([0x06, a, b, c, d, e])
    }

    /// The link-local address that an interface with this MAC gives itself (modified EUI-64, RFC 4291 appendix A).
    pub fn link_local(self) -> Ipv6Addr {
        let [a, b, c, d, e, f] = self.0;
        let part = u16::from_be_bytes;
        Ipv6Addr::new(0xfe80, 0, 0, 0, part([a ^ 2, b]), part([c, 0xff]), part([0xfe, d]), part([e, f]))
    }

    /// `bytes` as the kernel or Open vSwitch gave them; multicast and zero addresses are none of an interface.
    pub fn from_bytes(bytes: [u8; 6]) -> Option<Self> {
        (bytes[0] & 1 == 0 && bytes != [0; 6]).then_some(Self(bytes))
    }

    /// The six bytes in the order of the wire.
    pub fn octets(self) -> [u8; 6] {
        self.0
    }
}

impl FromStr for Mac {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        let bad =
            || BadWord(format!("{text:?} is no MAC address: write six hex pairs, as 02:42:0a:00:00:02"));
        let mut bytes = [0; 6];
        let mut pairs = text.split(':');
        for byte in &mut bytes {
            let pair = pairs.next().filter(|pair| (1..=2).contains(&pair.len())).ok_or_else(bad)?;
            if !pair.bytes().all(|c| c.is_ascii_hexdigit()) {
                return Err(bad());
            }
            *byte = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
        }
        if pairs.next().is_some() {
            return Err(bad());
        }
        Self::from_bytes(bytes).ok_or_else(|| {
            BadWord(format!("MAC address {text} is multicast or zero: an interface needs a unicast one"))
        })
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Mac {
    type Error = BadWord;

    fn try_from(text: String) -> Result<Self, BadWord> {
        text.parse()
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_goes_both_ways() {
        let mac: Mac = "a2:c3:0d:49:7f:f8".parse().unwrap();
        assert_eq!(mac.to_string(), "a2:c3:0d:49:7f:f8");
        assert_eq!(Mac::of_ipv4([10, 0, 0, 2].into()).to_string(), "02:42:0a:00:00:02");
    }

    #[test]
    fn the_link_local_address_is_that_of_the_kernel() {
        let link_local = |mac: &str| mac.parse::<Mac>().unwrap().link_local().to_string();
        assert_eq!(link_local("02:42:0a:00:00:02"), "fe80::42:aff:fe00:2");
        assert_eq!(link_local("00:1b:21:3c:4d:5e"), "fe80::21b:21ff:fe3c:4d5e");
    }

    #[test]
    fn multicast_zero_and_garbage_are_refused() {
        for text in
            ["01:00:5e:00:00:01", "00:00:00:00:00:00", "1:2:3", "02:42:0a:00:00:02:03", "+2:42:0a:00:00:02"]
        {
            assert!(text.parse::<Mac>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_seeded_address_is_local_and_unicast() {
        let [first, ..] = Mac::of_seed(u64::MAX).octets();
        assert_eq!(first & 3, 2);
    }
}
