//! OXM: the match fields and the values they hold.

mod fields;
mod table;
pub(crate) mod tun_metadata;

use std::net::{Ipv4Addr, Ipv6Addr};

pub use fields::OxmField;
pub use tun_metadata::TunMetadata;

use crate::types::MacAddr;
use crate::wire::macros::{wire_code, wire_flags};
use crate::wire::{DecodeError, Fixed, Payload, Reader, Reason, Wire};
use smallvec::SmallVec;

/// The class of fields whose header is followed by an experimenter's number.
const EXPERIMENTER_CLASS: u16 = 0xffff;

wire_flags! {
    /// TCP flags, 12 bits (`ONFOXM_ET_TCP_FLAGS`).
    pub struct TcpFlags(u16, ones 0x0fff) {
        /// No more data.
        FIN = 0x001,
        /// Synchronise sequence numbers.
        SYN = 0x002,
        /// Reset.
        RST = 0x004,
        /// Push.
        PSH = 0x008,
        /// The acknowledgement counts.
        ACK = 0x010,
        /// The urgent pointer counts.
        URG = 0x020,
        /// ECN echo.
        ECE = 0x040,
        /// Congestion window reduced.
        CWR = 0x080,
        /// Nonce.
        NS = 0x100,
    }
}
wire_flags! {
    /// The state of a connection (`NXM_NX_CT_STATE`).
    pub struct CtState(u32, ones 0xff) {
        /// The first packet.
        NEW = 0x01,
        /// Seen in both directions.
        EST = 0x02,
        /// Belongs to another connection.
        REL = 0x04,
        /// In the direction of replies.
        RPL = 0x08,
        /// Invalid.
        INV = 0x10,
        /// Tracked.
        TRK = 0x20,
        /// Source address translated.
        SNAT = 0x40,
        /// Destination address translated.
        DNAT = 0x80,
    }
}
wire_flags! {
    /// Flags of a tunnel (`NXM_NX_TUN_FLAGS`).
    pub struct TunFlags(u16, ones 0x01) {
        /// Operation and maintenance.
        OAM = 0x01,
    }
}
wire_flags! {
    /// Whether the packet is a fragment (`NXM_NX_IP_FRAG`).
    pub struct IpFrag(u8, ones 0x03) {
        /// A fragment.
        ANY = 0x01,
        /// One that is not the first.
        LATER = 0x02,
    }
}
wire_code! {
    /// A VLAN tag: priority, presence (bit 12) and id (`NXM_OF_VLAN_TCI`).
    pub struct VlanTci(u16) {}
}

impl std::fmt::LowerHex for VlanTci {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::LowerHex::fmt(&self.0, f)
    }
}

/// A value, and which of its bits count; no mask means all of them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Masked<T> {
    /// The bits to be found.
    pub value: T,
    /// The bits to be looked at.
    pub mask: Option<T>,
}

impl<T: Fixed> Masked<T> {
    /// `value` in the bits of `mask`.
    pub fn new(value: T, mask: T) -> Self {
        Self { value, mask: Some(mask) }
    }

    /// Mask applied to the value, a mask of all bits dropped; none if the mask has no bit.
    pub fn canonical(self) -> Option<Self> {
        let Some(mask) = self.mask else { return Some(self) };
        let mask = mask.and(T::ONES);
        match (mask.is_zero(), mask == T::ONES) {
            (true, _) => None,
            (_, true) => Some(Self { value: self.value, mask: None }),
            _ => Some(Self { value: self.value.and(mask), mask: Some(mask) }),
        }
    }

    #[inline]
    fn is_canonical(&self) -> bool {
        self.mask.is_none_or(|mask| {
            mask.and(T::ONES) == mask
                && mask != T::ONES
                && !mask.is_zero()
                && self.value.and(mask) == self.value
        })
    }

    #[inline]
    fn from_raw(raw: &RawField<'_>) -> Option<Self> {
        if !raw.masked {
            return T::from_wire(raw.value).map(Self::from);
        }
        let (value, mask) = raw.value.split_at_checked(T::SIZE.into())?;
        Some(Self { value: T::from_wire(value)?, mask: Some(T::from_wire(mask)?) })
    }
}

impl Masked<Ipv4Addr> {
    /// The addresses that share the first `len` bits (0 to 32) with `addr`.
    pub fn ipv4_prefix(addr: Ipv4Addr, len: u8) -> Self {
        let mask = u32::MAX.checked_shl(32_u32.saturating_sub(len.into())).unwrap_or(0);
        Self::new(addr, Ipv4Addr::from_bits(mask))
    }
}

impl Masked<Ipv6Addr> {
    /// The addresses that share the first `len` bits (0 to 128) with `addr`.
    pub fn ipv6_prefix(addr: Ipv6Addr, len: u8) -> Self {
        let mask = u128::MAX.checked_shl(128_u32.saturating_sub(len.into())).unwrap_or(0);
        Self::new(addr, Ipv6Addr::from_bits(mask))
    }
}

impl<T> From<T> for Masked<T> {
    fn from(value: T) -> Self {
        Self { value, mask: None }
    }
}

impl From<[u8; 4]> for Masked<Ipv4Addr> {
    fn from(octets: [u8; 4]) -> Self {
        Ipv4Addr::from(octets).into()
    }
}

impl From<[u8; 6]> for Masked<MacAddr> {
    fn from(octets: [u8; 6]) -> Self {
        MacAddr(octets).into()
    }
}

impl<T> From<(T, T)> for Masked<T> {
    fn from((value, mask): (T, T)) -> Self {
        Self { value, mask: Some(mask) }
    }
}

/// What makes two fields the same field: class, experimenter (0 outside class 0xffff) and number.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct OxmId {
    /// `oxm_class`.
    pub class: u16,
    /// `experimenter`, or 0.
    pub experimenter: u32,
    /// `oxm_field`, 7 bits.
    pub field: u8,
}

impl OxmId {
    /// The place in a canonical match: basic fields by number, which puts prerequisites first, then extensions,
    /// which depend on basic ones. Never 0.
    #[inline]
    pub(crate) fn rank(self) -> u64 {
        let class: u64 = match self.class {
            0x8000 => return BASIC_RANK | u64::from(self.field),
            0x8001 => 1,
            0 => 2,
            1 => 3,
            EXPERIMENTER_CLASS => 4,
            _ => 5,
        };
        class << 56 | u64::from(self.experimenter) << 24 | u64::from(self.class) << 8 | u64::from(self.field)
    }
}

/// What the ranks of the basic fields have besides their numbers.
const BASIC_RANK: u64 = 0x8000 << 8;

/// Names a field without a value: an OXM header, in register moves and loads. The constants name the header that
/// Open vSwitch uses there, which for old fields is the NXM one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct OxmHeader {
    /// `oxm_class`.
    pub class: u16,
    /// `oxm_field`, 7 bits.
    pub field: u8,
    /// Bytes of the value.
    pub size: u8,
    /// The experimenter's number if the class is 0xffff, else 0.
    pub experimenter: u32,
}

impl OxmHeader {
    /// How many bits of the value count.
    pub fn bits(self) -> u16 {
        match self {
            Self::VLAN_VID | Self::TCP_FLAGS => 12,
            Self::VLAN_PCP | Self::MPLS_TC => 3,
            Self::IP_DSCP => 6,
            Self::IP_ECN | Self::IP_FRAG => 2,
            Self::IPV6_FLABEL | Self::MPLS_LABEL => 20,
            Self::MPLS_BOS => 1,
            _ => u16::from(self.size) * 8,
        }
    }

    /// Register 0 to 15; none beyond.
    pub fn reg(n: u8) -> Option<Self> {
        (n < 16).then_some(Self { class: 1, field: n, size: 4, experimenter: 0 })
    }
}

impl Wire for OxmHeader {
    fn encode(&self, out: &mut Vec<u8>) {
        put_header(out, self.class, self.field, self.experimenter, self.size, false);
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = r.clone();
        let [a, b, field, len] = r.array()?;
        let class = u16::from_be_bytes([a, b]);
        let (experimenter, size) = match class {
            EXPERIMENTER_CLASS => (r.get()?, len.checked_sub(4)),
            _ => (0, Some(len)),
        };
        match size {
            Some(size) if field & 1 == 0 => Ok(Self { class, field: field >> 1, size, experimenter }),
            _ => Err(start.error(Reason::Value(u32::from_be_bytes([a, b, field, len]).into()))),
        }
    }
}

/// A field that this crate does not know, byte for byte.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct OxmUnknown {
    class: u16,
    field_and_mask: u8,
    body: Payload,
}

impl OxmUnknown {
    /// A field of any class, `body` being all that follows the 4-byte header; none if that is over 255 bytes.
    pub fn new(class: u16, field: u8, masked: bool, body: impl Into<Payload>) -> Option<Self> {
        let body = body.into();
        (body.len() < 256).then_some(Self { class, field_and_mask: field << 1 | u8::from(masked), body })
    }

    /// Class, experimenter and number.
    pub fn id(&self) -> OxmId {
        let experimenter = match (self.class, self.body.first_chunk()) {
            (EXPERIMENTER_CLASS, Some(number)) => u32::from_be_bytes(*number),
            _ => 0,
        };
        OxmId { class: self.class, experimenter, field: self.field_and_mask >> 1 }
    }

    /// Whether the second half of the value is a mask.
    pub fn is_masked(&self) -> bool {
        self.field_and_mask & 1 == 1
    }

    /// All that follows the 4-byte header.
    pub fn body(&self) -> &Payload {
        &self.body
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.class.encode(out);
        self.field_and_mask.encode(out);
        (self.body.len() as u8).encode(out);
        self.body.encode(out);
    }
}

/// A field cut out of the message, its value not looked at.
pub(crate) struct RawField<'a> {
    class: u16,
    field: u8,
    masked: bool,
    experimenter: u32,
    /// All that follows the 4-byte header.
    whole: &'a [u8],
    /// Value and mask.
    value: &'a [u8],
}

impl<'a> RawField<'a> {
    /// The first field of several, and the others; none if the bytes do not hold one.
    #[inline]
    pub(crate) fn split(fields: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&[a, b, field, len], rest) = fields.split_first_chunk()?;
        let (whole, rest) = rest.split_at_checked(len.into())?;
        let class = u16::from_be_bytes([a, b]);
        let (experimenter, value) = match class {
            EXPERIMENTER_CLASS => {
                whole.split_first_chunk().map(|(vendor, rest)| (u32::from_be_bytes(*vendor), rest))?
            }
            _ => (0, whole),
        };
        Some((Self { class, field: field >> 1, masked: field & 1 == 1, experimenter, whole, value }, rest))
    }

    fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let fields = r.peek();
        let Some((raw, rest)) = Self::split(fields) else {
            return Err(Self::why_not(r.clone(), 0));
        };
        r.take(fields.len() - rest.len())?;
        Ok(raw)
    }

    /// Why there is no field after so many bytes.
    #[cold]
    fn why_not(mut r: Reader<'_>, after: usize) -> DecodeError {
        let mut short = || {
            r.take(after)?;
            r.enter("OxmField");
            let [_, _, _, len] = r.array()?;
            r.take(len.into()).map(<[u8]>::len)
        };
        match short() {
            Ok(have) => r.error(Reason::Truncated { need: 4, have }),
            Err(error) => error,
        }
    }

    /// Header, value and mask: how many bytes they take.
    pub(crate) fn len(&self) -> usize {
        4 + self.whole.len()
    }

    #[inline]
    pub(crate) fn id(&self) -> OxmId {
        OxmId { class: self.class, experimenter: self.experimenter, field: self.field }
    }

    fn unknown(&self) -> OxmField {
        let field_and_mask = self.field << 1 | u8::from(self.masked);
        let unknown = OxmUnknown { class: self.class, field_and_mask, body: self.whole.into() };
        OxmField::Unknown(Box::new(unknown))
    }
}

/// Whether the fields that fill the reader are as a canonical match has them: in order, each in canonical form.
#[inline]
pub(crate) fn are_canonical(r: Reader<'_>) -> Result<bool, DecodeError> {
    let fields = r.peek();
    let (mut canonical, mut last, mut rest) = (true, 0, fields);
    loop {
        let rank;
        match *rest {
            [] => return Ok(canonical),
            // A basic field without a mask has but one form.
            [0x80, 0x00, field, len, ref others @ ..]
                if field & 1 == 0 && usize::from(len) <= others.len() =>
            {
                rank = BASIC_RANK | u64::from(field >> 1);
                rest = &others[len.into()..];
            }
            _ => {
                let Some((raw, others)) = RawField::split(rest) else {
                    return Err(RawField::why_not(r, fields.len() - rest.len()));
                };
                canonical &= raw.is_canonical();
                rank = raw.id().rank();
                rest = others;
            }
        }
        canonical &= last < rank;
        last = rank;
    }
}

/// Header, experimenter, value and mask of all fields but those whose size is not constant.
const MAX_FIELD: usize = 4 + 4 + 2 * 16;

/// The wire form of one field.
pub(crate) type FieldBytes = SmallVec<[u8; MAX_FIELD]>;

#[inline]
fn field_bytes<T: Fixed>(class: u16, field: u8, experimenter: u32, value: Masked<T>) -> FieldBytes {
    let mut bytes = [0; MAX_FIELD];
    let (head, size) = (if class == EXPERIMENTER_CLASS { 8 } else { 4 }, usize::from(T::SIZE));
    let masked = value.mask.is_some();
    let len = head + (size << u8::from(masked));
    let [a, b] = class.to_be_bytes();
    bytes[..4].copy_from_slice(&[a, b, field << 1 | u8::from(masked), (len - 4) as u8]);
    if class == EXPERIMENTER_CLASS {
        bytes[4..8].copy_from_slice(&experimenter.to_be_bytes());
    }
    value.value.put(&mut bytes[head..head + size]);
    if let Some(mask) = value.mask {
        mask.put(&mut bytes[head + size..head + 2 * size]);
    }
    FieldBytes::from_buf_and_len(bytes, len)
}

fn encoded(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out);
    out
}

#[inline]
fn put_header(out: &mut Vec<u8>, class: u16, field: u8, experimenter: u32, size: u8, masked: bool) {
    let extra = if class == EXPERIMENTER_CLASS { 4 } else { 0 };
    let [a, b] = class.to_be_bytes();
    let len = (size << u8::from(masked)).saturating_add(extra);
    out.extend_from_slice(&[a, b, field << 1 | u8::from(masked), len]);
    if class == EXPERIMENTER_CLASS {
        experimenter.encode(out);
    }
}
