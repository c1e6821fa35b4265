//! Numbers that mean something: ports, tables, groups, cookies, addresses.

use std::fmt;
use std::str::FromStr;

use crate::wire::macros::wire_code;
use crate::wire::{DecodeError, Fixed, Reader, Wire};

wire_code! {
    /// Ties a reply or an error to its request (`ofp_header.xid`).
    pub struct Xid(u32) {}
}
wire_code! {
    /// Names a datapath for good: 16 bits of the implementer's, then a MAC address (`datapath_id`).
    pub struct DatapathId(u64) {}
}
wire_code! {
    /// A port number, or one of the reserved ports (`ofp_port_no`).
    pub struct PortNo(u32) {
        /// The highest number of an ordinary port.
        MAX = 0xffff_ff00,
        /// Not set (an Open vSwitch extension of `actset_output`).
        UNSET = 0xffff_fff7,
        /// Back through the port of entry.
        IN_PORT = 0xffff_fff8,
        /// Through the flow tables (packet-out only).
        TABLE = 0xffff_fff9,
        /// As an ordinary switch would.
        NORMAL = 0xffff_fffa,
        /// All ports except the one of entry and those that are not to flood.
        FLOOD = 0xffff_fffb,
        /// All ports except the one of entry.
        ALL = 0xffff_fffc,
        /// To the controller.
        CONTROLLER = 0xffff_fffd,
        /// The bridge's own port.
        LOCAL = 0xffff_fffe,
        /// No port in particular: a wildcard in requests, "no port" in groups.
        ANY = 0xffff_ffff,
    }
}
wire_code! {
    /// A flow table (`ofp_table`).
    pub struct TableId(u8) {
        /// All tables: a wildcard for deletion and statistics.
        ALL = 0xff,
    }
}
wire_code! {
    /// A group entry (`ofp_group`).
    pub struct GroupId(u32) {
        /// The highest number of a group.
        MAX = 0xffff_ff00,
        /// All groups: for deletion.
        ALL = 0xffff_fffc,
        /// No group in particular: a wildcard in requests.
        ANY = 0xffff_ffff,
    }
}
wire_code! {
    /// A meter (`ofp_meter`).
    pub struct MeterId(u32) {
        /// The highest number of a meter.
        MAX = 0xffff_0000,
        /// The meter of the slow path.
        SLOWPATH = 0xffff_fffd,
        /// The meter of packets to the controller.
        CONTROLLER = 0xffff_fffe,
        /// All meters.
        ALL = 0xffff_ffff,
    }
}
wire_code! {
    /// A queue of a port (`OFPQ_ALL`).
    pub struct QueueId(u32) {
        /// All queues.
        ALL = 0xffff_ffff,
    }
}
wire_code! {
    /// A packet that the datapath holds (`OFP_NO_BUFFER`).
    pub struct BufferId(u32) {
        /// None: the packet is in the message.
        NO_BUFFER = 0xffff_ffff,
    }
}
wire_code! {
    /// What the controller calls a flow entry; opaque to the datapath (`ofp_flow_mod.cookie`).
    pub struct Cookie(u64) {}
}
wire_code! {
    /// How many bytes of a packet go to the controller (`ofp_controller_max_len`).
    pub struct MaxLen(u16) {
        /// As many as can be, short of everything.
        MAX = 0xffe5,
        /// The whole packet, which the datapath does not keep.
        NO_BUFFER = 0xffff,
    }
}
wire_code! {
    /// The payload of an Ethernet frame, by IEEE's numbers.
    pub struct EthType(u16) {
        /// IPv4.
        IPV4 = 0x0800,
        /// ARP.
        ARP = 0x0806,
        /// Reverse ARP.
        RARP = 0x8035,
        /// A VLAN tag.
        VLAN = 0x8100,
        /// IPv6.
        IPV6 = 0x86dd,
        /// LLDP.
        LLDP = 0x88cc,
        /// A provider VLAN tag.
        QINQ = 0x88a8,
        /// MPLS.
        MPLS = 0x8847,
        /// MPLS multicast.
        MPLS_MCAST = 0x8848,
        /// Provider backbone bridging.
        PBB = 0x88e7,
        /// Network service header.
        NSH = 0x894f,
    }
}
wire_code! {
    /// The payload of an IP packet, by IANA's numbers.
    pub struct IpProto(u8) {
        /// ICMP.
        ICMP = 1,
        /// IGMP.
        IGMP = 2,
        /// TCP.
        TCP = 6,
        /// UDP.
        UDP = 17,
        /// GRE.
        GRE = 47,
        /// ICMP for IPv6.
        ICMPV6 = 58,
        /// SCTP.
        SCTP = 132,
    }
}
wire_code! {
    /// What a packet begins with: 16 bits that say whose numbers, then the number (`OXM_OF_PACKET_TYPE`, EXT-112).
    pub struct PacketType(u32) {
        /// An Ethernet header.
        ETHERNET = 0,
        /// An NSH header.
        NSH = 0x0001_894f,
        /// An MPLS header.
        MPLS = 0x0001_8847,
        /// An MPLS multicast header.
        MPLS_MCAST = 0x0001_8848,
        /// When removing a header: what that header says comes next.
        USE_NEXT_PROTO = 0x0000_fffe,
    }
}

impl PacketType {
    /// Whose numbers: 0 for the ONF's, 1 for ethertypes.
    pub const fn namespace(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// The number in the namespace.
    pub const fn id(self) -> u16 {
        self.0 as u16
    }
}

wire_code! {
    /// A VLAN id with bit 12 set when there is a tag at all (`ofp_vlan_id`).
    pub struct VlanVid(u16, ones 0x1fff) {
        /// No tag.
        NONE = 0,
        /// A tag: with this very mask, any tag.
        PRESENT = 0x1000,
    }
}
wire_code! {
    /// An IPv6 flow label of 20 bits.
    pub struct FlowLabel(u32, ones 0x000f_ffff) {}
}
wire_code! {
    /// Which IPv6 extension headers there are (`ofp_ipv6exthdr_flags`), 9 bits.
    pub struct Ipv6ExtHdr(u16, ones 0x01ff) {
        /// "No next header".
        NONEXT = 0x01,
        /// Encrypted payload.
        ESP = 0x02,
        /// Authentication.
        AUTH = 0x04,
        /// Destination options.
        DEST = 0x08,
        /// A fragment.
        FRAG = 0x10,
        /// Routing.
        ROUTER = 0x20,
        /// Hop by hop.
        HOP = 0x40,
        /// A header came twice.
        UNREP = 0x80,
        /// The headers are out of order.
        UNSEQ = 0x100,
    }
}

impl VlanVid {
    /// The tag with this id (0 to 4095).
    pub fn tagged(vid: u16) -> Self {
        Self(Self::PRESENT.0 | (vid & 0x0fff))
    }
}

impl fmt::Display for PortNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::MAX => write!(f, "{}", self.0),
            port => match port.name() {
                Some(name) => f.write_str(name),
                None => write!(f, "{}", self.0),
            },
        }
    }
}

macro_rules! display {
    ($($t:ty => $format:literal),* $(,)?) => {$(
        impl fmt::Display for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, $format, self.0) }
        }
    )*};
}

display! {
    Xid => "{:#x}", DatapathId => "{:016x}", Cookie => "{:#x}", TableId => "{}", EthType => "{:#06x}", IpProto => "{}",
    QueueId => "{}", VlanVid => "{}", FlowLabel => "{:#x}", Ipv6ExtHdr => "{:#x}",
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ALL => f.write_str("ALL"),
            Self::ANY => f.write_str("ANY"),
            Self(id) => write!(f, "{id}"),
        }
    }
}

impl fmt::Display for MeterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SLOWPATH => f.write_str("slowpath"),
            Self::CONTROLLER => f.write_str("controller"),
            Self::ALL => f.write_str("all"),
            Self(id) => write!(f, "{id}"),
        }
    }
}

/// An Ethernet address.
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// To everyone.
    pub const BROADCAST: Self = Self([0xff; 6]);
    /// The group bit: multicast and broadcast have it. As value and mask it matches exactly those.
    pub const MULTICAST_BIT: Self = Self([1, 0, 0, 0, 0, 0]);
}

impl From<[u8; 6]> for MacAddr {
    fn from(bytes: [u8; 6]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Not six hexadecimal octets with colons between.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not an Ethernet address: write it as 02:00:00:00:00:01")]
pub struct ParseMacAddrError;

impl FromStr for MacAddr {
    type Err = ParseMacAddrError;
    fn from_str(text: &str) -> Result<Self, ParseMacAddrError> {
        let mut bytes = [0; 6];
        let mut octets = text.split(':');
        for byte in &mut bytes {
            let octet =
                octets.next().filter(|octet| (1..=2).contains(&octet.len())).ok_or(ParseMacAddrError)?;
            *byte = u8::from_str_radix(octet, 16).map_err(|_| ParseMacAddrError)?;
        }
        if octets.next().is_some() || text.contains('+') {
            return Err(ParseMacAddrError);
        }
        Ok(Self(bytes))
    }
}

impl Wire for MacAddr {
    const MIN_SIZE: usize = 6;
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.array().map(Self)
    }
}

impl Fixed for MacAddr {
    const SIZE: u8 = 6;
    const ONES: Self = Self([0xff; 6]);
    fn and(self, other: Self) -> Self {
        Self(self.0.and(other.0))
    }
    fn is_zero(self) -> bool {
        self.0.is_zero()
    }
    #[inline]
    fn from_wire(bytes: &[u8]) -> Option<Self> {
        Fixed::from_wire(bytes).map(Self)
    }
    #[inline]
    fn put(self, place: &mut [u8]) {
        self.0.put(place);
    }
}

/// 128 bits: a double-double register or a connection's label. `u128` without its alignment.
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Bits128(pub [u8; 16]);

impl From<u128> for Bits128 {
    fn from(bits: u128) -> Self {
        Self(bits.to_be_bytes())
    }
}

impl From<Bits128> for u128 {
    fn from(bits: Bits128) -> Self {
        Self::from_be_bytes(bits.0)
    }
}

impl fmt::LowerHex for Bits128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&u128::from(*self), f)
    }
}

impl fmt::Debug for Bits128 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#x}")
    }
}

impl Wire for Bits128 {
    const MIN_SIZE: usize = 16;
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.array().map(Self)
    }
}

impl Fixed for Bits128 {
    const SIZE: u8 = 16;
    const ONES: Self = Self([0xff; 16]);
    fn and(self, other: Self) -> Self {
        Self(self.0.and(other.0))
    }
    fn is_zero(self) -> bool {
        self.0.is_zero()
    }
    #[inline]
    fn from_wire(bytes: &[u8]) -> Option<Self> {
        Fixed::from_wire(bytes).map(Self)
    }
    #[inline]
    fn put(self, place: &mut [u8]) {
        self.0.put(place);
    }
}
