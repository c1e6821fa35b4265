//! The identity of an endpoint, and the marks that are made of it.

use std::fmt;
use std::str::FromStr;

use super::{LinkName, Owner};

/// The high 16 bits of every flow cookie of ours.
pub const OWN_COOKIES: u64 = 0xf10f << 48;
/// The bits of a cookie that tell ours from others'.
pub const OWN_COOKIES_MASK: u64 = 0xffff << 48;
/// The cookie of flows that belong to a bridge or a network and not to one endpoint.
pub const SHARED_COOKIE: u64 = OWN_COOKIES;
/// The bits of a cookie that tell shared flows from an endpoint's and from others'.
pub const SHARED_COOKIE_MASK: u64 = OWN_COOKIES_MASK | EndpointId::MARK;

/// One interface of one container, in 48 bits, the highest of them set.
///
/// It is made of the container's identity and the interface's name alone, so that whoever attaches it, with the
/// daemon or without, before a crash or after, gives the same names: the host end of the veth and the flow cookie.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointId(u64);

impl EndpointId {
    const MARK: u64 = 1 << 47;

    /// The endpoint of `interface` in the container `owner`.
    pub fn of(owner: &Owner, interface: &LinkName) -> Self {
        let text = owner.as_str().bytes().chain([0]).chain(interface.as_str().bytes());
        Self(fnv1a(text) & (Self::MARK - 1) | Self::MARK)
    }

    /// The host end of the endpoint's veth, which is also the name of its Port and Interface rows.
    pub fn host_link(self) -> String {
        format!("fp{:012x}", self.0)
    }

    /// The endpoint whose host end has this name.
    pub fn from_host_link(name: &str) -> Option<Self> {
        name.strip_prefix("fp")?.parse().ok()
    }

    /// The cookie of the endpoint's flow entries.
    pub fn cookie(self) -> u64 {
        OWN_COOKIES | self.0
    }

    /// The endpoint whose flow entries carry this cookie.
    pub fn from_cookie(cookie: u64) -> Option<Self> {
        (cookie & OWN_COOKIES_MASK == OWN_COOKIES).then_some(())?;
        Self::from_bits(cookie & !OWN_COOKIES_MASK)
    }

    /// The 48 bits.
    pub fn bits(self) -> u64 {
        self.0
    }

    fn from_bits(bits: u64) -> Option<Self> {
        (bits & Self::MARK != 0).then_some(Self(bits))
    }
}

/// The text is none that an endpoint is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no endpoint is written like this")]
pub struct NoEndpoint;

impl FromStr for EndpointId {
    type Err = NoEndpoint;

    fn from_str(digits: &str) -> Result<Self, NoEndpoint> {
        let lower_hex = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
        let written = digits.len() == 12 && digits.bytes().all(lower_hex);
        let bits = u64::from_str_radix(digits, 16).ok().filter(|_| written);
        bits.and_then(Self::from_bits).ok_or(NoEndpoint)
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}", self.0)
    }
}

impl fmt::Debug for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// FNV-1a of 64 bits: stable over releases and machines, which the names above rest on.
fn fnv1a(bytes: impl Iterator<Item = u8>) -> u64 {
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    // FNV mixes its last bytes into the low bits only; the ids of a host differ in few places.
    (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(owner: &str, interface: &str) -> EndpointId {
        EndpointId::of(&Owner::from(owner), &interface.parse().unwrap())
    }

    #[test]
    fn the_names_lead_back() {
        let id = endpoint("netns:/run/netns/a", "eth1");
        assert_eq!(EndpointId::from_host_link(&id.host_link()), Some(id));
        assert_eq!(EndpointId::from_cookie(id.cookie()), Some(id));
        assert_eq!(id.host_link().len(), 14);
        assert_eq!(EndpointId::from_cookie(SHARED_COOKIE), None);
        assert_eq!(id.cookie() & SHARED_COOKIE_MASK, SHARED_COOKIE | EndpointId::MARK);
        for name in ["fp0123456789ab", "fpABCDEFABCDEF", "eth0", "fp8", "fp+00000000000"] {
            assert_eq!(EndpointId::from_host_link(name), None, "{name}");
        }
    }

    #[test]
    fn ten_thousand_endpoints_have_ten_thousand_names() {
        let ids: std::collections::BTreeSet<_> =
            (0..10_000).map(|n| endpoint(&format!("netns:/run/netns/c{n}"), "eth1")).collect();
        assert_eq!(ids.len(), 10_000);
        assert_ne!(endpoint("ab", "c"), endpoint("a", "bc"));
    }
}
