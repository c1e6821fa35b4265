//! Values, masks, parts of fields.

use std::net::{Ipv4Addr, Ipv6Addr};

use winnow::ascii::{dec_uint, hex_uint};
use winnow::combinator::{alt, delimited, opt, preceded};
use winnow::prelude::*;
use winnow::token::take_till;

use super::{ParseTextError, expected};
use crate::action::Subfield;
use crate::oxm::tun_metadata::TunMetadata;
use crate::oxm::{CtState, IpFrag, Masked, OxmHeader, TcpFlags, TunFlags, VlanTci};
use crate::types::{
    Bits128, Cookie, EthType, FlowLabel, GroupId, IpProto, Ipv6ExtHdr, MacAddr, MaxLen, MeterId, PacketType,
    PortNo, QueueId, TableId, VlanVid,
};
use crate::wire::Fixed;

/// A value by itself.
pub(crate) trait FromText: Sized {
    fn from_text(text: &str) -> Option<Self>;
}

/// A number in decimal, or in hexadecimal after `0x`.
fn number(input: &mut &str) -> ModalResult<u128> {
    alt((preceded(alt(("0x", "0X")), hex_uint::<_, u128, _>), dec_uint)).parse_next(input)
}

macro_rules! integers {
    ($($t:ty)*) => {$(
        impl FromText for $t {
            fn from_text(text: &str) -> Option<Self> {
                number.parse(text).ok()?.try_into().ok()
            }
        }
    )*};
    ($($t:ty,)*) => {$(
        impl FromText for $t {
            fn from_text(text: &str) -> Option<Self> {
                FromText::from_text(text).map(Self)
            }
        }
    )*};
}

integers!(u8 u16 u32 u64 u128);
integers!(
    Cookie, EthType, FlowLabel, GroupId, IpProto, Ipv6ExtHdr, MaxLen, QueueId, TableId, VlanTci, VlanVid,
);

impl FromText for [u8; 3] {
    fn from_text(text: &str) -> Option<Self> {
        let [0, a, b, c] = u32::from_text(text)?.to_be_bytes() else { return None };
        Some([a, b, c])
    }
}

impl FromText for Bits128 {
    fn from_text(text: &str) -> Option<Self> {
        u128::from_text(text).map(Into::into)
    }
}

impl FromText for MeterId {
    fn from_text(text: &str) -> Option<Self> {
        match text {
            "slowpath" => Some(Self::SLOWPATH),
            "controller" => Some(Self::CONTROLLER),
            "all" => Some(Self::ALL),
            id => u32::from_text(id).map(Self),
        }
    }
}

macro_rules! standard {
    ($($t:ty)*) => {$(
        impl FromText for $t {
            fn from_text(text: &str) -> Option<Self> { text.parse().ok() }
        }
    )*};
}

standard!(MacAddr Ipv4Addr Ipv6Addr);

impl FromText for PortNo {
    fn from_text(text: &str) -> Option<Self> {
        let named = [
            ("IN_PORT", Self::IN_PORT),
            ("TABLE", Self::TABLE),
            ("NORMAL", Self::NORMAL),
            ("FLOOD", Self::FLOOD),
            ("ALL", Self::ALL),
            ("CONTROLLER", Self::CONTROLLER),
            ("LOCAL", Self::LOCAL),
            ("ANY", Self::ANY),
            ("NONE", Self::ANY),
            ("UNSET", Self::UNSET),
        ];
        match named.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            Some((_, port)) => Some(port),
            None => u32::from_text(text).map(|port| match port {
                // As OpenFlow 1.0 numbers them.
                0xff00..=0xffff => Self(0xffff_0000 | port),
                port => Self(port),
            }),
        }
    }
}

/// `value` or `value/mask`.
fn masked<T: FromText>(text: &str, what: &'static str) -> Result<Masked<T>, ParseTextError> {
    let (value, mask) = match text.split_once('/') {
        Some((value, mask)) => (value, Some(expected(text, what, T::from_text(mask))?)),
        None => (text, None),
    };
    Ok(Masked { value: expected(text, what, T::from_text(value))?, mask })
}

pub(crate) fn disp<T: FromText>(text: &str) -> Result<Masked<T>, ParseTextError> {
    masked(text, "a port's number or name")
}

pub(crate) fn dec<T: FromText>(text: &str) -> Result<Masked<T>, ParseTextError> {
    masked(text, "value or value/mask, 10 or 0xa")
}

pub(crate) fn hex<T: FromText>(text: &str) -> Result<Masked<T>, ParseTextError> {
    dec(text)
}

pub(crate) fn mac(text: &str) -> Result<Masked<MacAddr>, ParseTextError> {
    masked(text, "02:00:00:00:00:01, or with /mask")
}

/// An address that a number of bits or another address can mask.
pub(crate) trait Address: FromText {
    fn prefix(self, len: u8) -> Option<Masked<Self>>;
}

impl Address for Ipv4Addr {
    fn prefix(self, len: u8) -> Option<Masked<Self>> {
        (len <= 32).then(|| Masked::ipv4_prefix(self, len))
    }
}

impl Address for Ipv6Addr {
    fn prefix(self, len: u8) -> Option<Masked<Self>> {
        (len <= 128).then(|| Masked::ipv6_prefix(self, len))
    }
}

pub(crate) fn ip<T: Address>(text: &str) -> Result<Masked<T>, ParseTextError> {
    let what = "address, address/bits or address/mask";
    if let Some((addr, len)) = text.split_once('/') {
        if let Some(len) = u8::from_text(len) {
            return expected(text, what, T::from_text(addr).and_then(|addr| addr.prefix(len)));
        }
    }
    masked(text, what)
}

/// `+name-name` for bits that count, `name|name` for all bits, or numbers.
fn flags(text: &str, all: u32, names: &[(u32, &str)]) -> Result<Masked<u32>, ParseTextError> {
    let what = "+flag-flag, flag|flag or value/mask";
    let bit = |name: &str| names.iter().find(|(_, known)| *known == name).map(|(bit, _)| *bit);
    if !text.starts_with(['+', '-']) {
        let bits = text.split('|').map(|name| bit(name).or_else(|| u32::from_text(name)));
        return match bits.sum::<Option<u32>>() {
            Some(value) => Ok(Masked { value, mask: None }),
            None => masked(text, what),
        };
    }
    let (mut value, mut mask, mut rest) = (0, 0, text);
    while let Some(sign) = rest.chars().next() {
        let body = rest.get(1..).unwrap_or_default();
        let (name, tail) = body.split_at(body.find(['+', '-']).unwrap_or(body.len()));
        let bit = expected(text, what, bit(name))?;
        mask |= bit;
        if sign == '+' {
            value |= bit;
        }
        rest = tail;
    }
    Ok(Masked { value, mask: (mask & all != all).then_some(mask) })
}

fn narrow<T>(v: Masked<u32>, to: impl Fn(u32) -> Option<T>, text: &str) -> Result<Masked<T>, ParseTextError> {
    let narrow = |bits| expected(text, "flags that there are", to(bits));
    Ok(Masked { value: narrow(v.value)?, mask: v.mask.map(narrow).transpose()? })
}

pub(crate) fn tcp_flags(text: &str) -> Result<Masked<TcpFlags>, ParseTextError> {
    let bits = flags(text, TcpFlags::ONES.0.into(), crate::text::value::TCP_FLAGS)?;
    narrow(bits, |bits| bits.try_into().ok().map(TcpFlags), text)
}

pub(crate) fn ct_state(text: &str) -> Result<Masked<CtState>, ParseTextError> {
    narrow(flags(text, u32::MAX, crate::text::value::CT_STATE)?, |bits| Some(CtState(bits)), text)
}

pub(crate) fn tun_flags(text: &str) -> Result<Masked<TunFlags>, ParseTextError> {
    narrow(
        flags(text, TunFlags::ONES.0.into(), &[(1, "oam")])?,
        |bits| bits.try_into().ok().map(TunFlags),
        text,
    )
}

pub(crate) fn frag(text: &str) -> Result<Masked<IpFrag>, ParseTextError> {
    let (value, mask) = match text {
        "no" => (0, 3),
        "yes" => (1, 1),
        "first" => (1, 3),
        "later" => (3, 3),
        "not_later" => (0, 2),
        _ => return expected(text, "no, yes, first, later or not_later", None),
    };
    Ok(Masked { value: IpFrag(value), mask: (mask != 3).then_some(IpFrag(mask)) })
}

pub(crate) fn packet_type(text: &str) -> Result<Masked<PacketType>, ParseTextError> {
    let parts =
        text.strip_prefix('(').and_then(|text| text.strip_suffix(')')).and_then(|text| text.split_once(','));
    let numbers = parts.and_then(|(ns, id)| Some((u16::from_text(ns.trim())?, u16::from_text(id.trim())?)));
    let (ns, id) = expected(text, "(namespace,type)", numbers)?;
    Ok(PacketType(u32::from(ns) << 16 | u32::from(id)).into())
}

/// The bytes of a number in hexadecimal, as few as it takes but at least one.
pub(super) fn bytes(text: &str) -> Option<Vec<u8>> {
    let Some(digits) = text.strip_prefix("0x") else {
        return u64::from_text(text).map(|n| least_bytes(&n.to_be_bytes()));
    };
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let even = format!("{}{digits}", if digits.len() % 2 == 1 { "0" } else { "" });
    (0..even.len()).step_by(2).map(|at| u8::from_str_radix(even.get(at..at + 2)?, 16).ok()).collect()
}

fn least_bytes(bytes: &[u8]) -> Vec<u8> {
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1);
    bytes.get(first..).unwrap_or_default().to_vec()
}

/// A Geneve option; its width is that of the value or the mask, whichever is wider, since the text does not say it.
pub(super) fn tun_metadata(index: u8, text: &str) -> Option<TunMetadata> {
    if text.is_empty() {
        return TunMetadata::new(index, vec![0])?.masked(vec![0]);
    }
    let (value, mask) = match text.split_once('/') {
        Some((value, mask)) => (bytes(value)?, Some(bytes(mask)?)),
        None => (bytes(text)?, None),
    };
    let Some(mask) = mask else { return TunMetadata::new(index, value) };
    let widen = |bytes: Vec<u8>, len: usize| [vec![0; len - bytes.len()], bytes].concat();
    let len = value.len().max(mask.len());
    TunMetadata::new(index, widen(value, len))?.masked(widen(mask, len))
}

/// `NAME[]`, `NAME[bit]`, `NAME[first..last]` or `NAME`.
fn subfield_parts<'s>(input: &mut &'s str) -> ModalResult<(&'s str, Option<(u16, u16)>)> {
    let range = (dec_uint, opt(preceded("..", dec_uint)));
    let bits = range.map(|(first, last): (u16, Option<u16>)| (first, last.unwrap_or(first)));
    let brackets = delimited('[', opt(bits), ']');
    (take_till(1.., '['), opt(brackets)).map(|(name, bits)| (name, bits.flatten())).parse_next(input)
}

pub(super) fn subfield(text: &str) -> Option<Subfield> {
    let (name, bits) = subfield_parts.parse(text).ok()?;
    let field = header(name)?;
    match bits {
        None => Some(Subfield::whole(field)),
        Some((first, last)) if first <= last && last < field.bits() => {
            Some(Subfield::bits(field, first, last - first + 1))
        }
        Some(_) => None,
    }
}

/// The field of that name, whose width for Geneve options is the most there can be.
pub(super) fn header(name: &str) -> Option<OxmHeader> {
    OxmHeader::named(name).or_else(|| OxmHeader::tun_metadata(TunMetadata::index_of(name)?, 124))
}
