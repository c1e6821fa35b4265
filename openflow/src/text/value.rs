//! Values with their masks.

use std::fmt::{self, Display, Formatter};
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::oxm::{CtState, IpFrag, Masked, TcpFlags, TunFlags};
use crate::types::{MacAddr, PacketType};

/// Decimal or whatever the type's own form is; a mask, which no such type should have, the same way.
pub(crate) fn disp<T: Display>(f: &mut Formatter<'_>, v: Masked<T>) -> fmt::Result {
    match v.mask {
        None => write!(f, "{}", v.value),
        Some(mask) => write!(f, "{}/{mask}", v.value),
    }
}

/// A number that prints in decimal and its mask in hexadecimal.
pub(crate) trait Number: Copy {
    fn number(self) -> u64;
}

macro_rules! number {
    ($($t:ty)*) => {$(impl Number for $t { fn number(self) -> u64 { self.into() } })*};
    ($($t:ty,)*) => {$(impl Number for $t { fn number(self) -> u64 { self.0.into() } })*};
}

number!(u8 u16 u32 u64);
number!(crate::types::IpProto, crate::types::VlanVid,);

pub(crate) fn dec<T: Number>(f: &mut Formatter<'_>, v: Masked<T>) -> fmt::Result {
    match v.mask {
        None => write!(f, "{}", v.value.number()),
        Some(mask) => write!(f, "{}/{}", v.value.number(), Alternate(mask.number().into())),
    }
}

/// Something that prints in hexadecimal.
pub(crate) trait Hex {
    fn hex(&self) -> u128;
}

macro_rules! hex {
    ($($t:ty: |$v:ident| $e:expr;)*) => {$(impl Hex for $t { fn hex(&self) -> u128 { let $v = self; $e.into() } })*};
}

hex! {
    u8: |v| *v; u16: |v| *v; u32: |v| *v; u64: |v| *v;
    crate::types::Bits128: |v| *v;
    crate::types::EthType: |v| v.0;
    crate::types::FlowLabel: |v| v.0;
    crate::types::Ipv6ExtHdr: |v| v.0;
    crate::oxm::VlanTci: |v| v.0;
    [u8; 3]: |v| u32::from_be_bytes([0, v[0], v[1], v[2]]);
}

/// `0x` and digits, but a bare 0 for zero, as C's `%#x`.
pub(super) struct Alternate(pub(super) u128);

impl Display for Alternate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("0"),
            bits => write!(f, "{bits:#x}"),
        }
    }
}

pub(crate) fn hex<T: Hex>(f: &mut Formatter<'_>, v: Masked<T>) -> fmt::Result {
    write!(f, "{}", Alternate(v.value.hex()))?;
    match v.mask {
        None => Ok(()),
        Some(mask) => write!(f, "/{}", Alternate(mask.hex())),
    }
}

pub(crate) fn mac(f: &mut Formatter<'_>, v: Masked<MacAddr>) -> fmt::Result {
    disp(f, v)
}

/// An address with the number of leading bits that count, or with the mask if they are not the leading ones.
pub(crate) trait Prefixed: Display + Copy {
    fn prefix_len(self) -> Option<u32>;
}

impl Prefixed for Ipv4Addr {
    fn prefix_len(self) -> Option<u32> {
        let bits = self.to_bits();
        (bits.count_ones() == bits.leading_ones()).then_some(bits.count_ones())
    }
}

impl Prefixed for Ipv6Addr {
    fn prefix_len(self) -> Option<u32> {
        let bits = self.to_bits();
        (bits.count_ones() == bits.leading_ones()).then_some(bits.count_ones())
    }
}

pub(crate) fn ip<T: Prefixed>(f: &mut Formatter<'_>, v: Masked<T>) -> fmt::Result {
    match v.mask.map(|mask| (mask, mask.prefix_len())) {
        None => write!(f, "{}", v.value),
        Some((_, Some(len))) => write!(f, "{}/{len}", v.value),
        Some((mask, None)) => write!(f, "{}/{mask}", v.value),
    }
}

/// `+name` and `-name` for the bits that count, or `name|name` if all count.
fn flags(f: &mut Formatter<'_>, value: u32, mask: Option<u32>, names: &[(u32, &str)]) -> fmt::Result {
    match mask {
        None if value == 0 => f.write_str("0"),
        None => {
            let set: Vec<_> =
                names.iter().filter(|(bit, _)| value & bit != 0).map(|(_, name)| *name).collect();
            f.write_str(&set.join("|"))?;
            match value & !names.iter().fold(0, |all, (bit, _)| all | bit) {
                0 => Ok(()),
                rest => write!(f, "|{rest:#x}"),
            }
        }
        Some(mask) => {
            for (bit, name) in names.iter().filter(|(bit, _)| mask & bit != 0) {
                write!(f, "{}{name}", if value & bit != 0 { '+' } else { '-' })?;
            }
            Ok(())
        }
    }
}

pub(crate) const TCP_FLAGS: &[(u32, &str)] = &[
    (0x001, "fin"),
    (0x002, "syn"),
    (0x004, "rst"),
    (0x008, "psh"),
    (0x010, "ack"),
    (0x020, "urg"),
    (0x040, "ece"),
    (0x080, "cwr"),
    (0x100, "ns"),
    (0x200, "[200]"),
    (0x400, "[400]"),
    (0x800, "[800]"),
];

pub(crate) fn tcp_flags(f: &mut Formatter<'_>, v: Masked<TcpFlags>) -> fmt::Result {
    let mask = v.mask.map(|mask| mask.0.into()).filter(|mask| mask & 0xfff != 0xfff);
    flags(f, v.value.0.into(), mask, TCP_FLAGS)
}

pub(crate) const CT_STATE: &[(u32, &str)] = &[
    (0x01, "new"),
    (0x02, "est"),
    (0x04, "rel"),
    (0x08, "rpl"),
    (0x10, "inv"),
    (0x20, "trk"),
    (0x40, "snat"),
    (0x80, "dnat"),
];

pub(crate) fn ct_state(f: &mut Formatter<'_>, v: Masked<CtState>) -> fmt::Result {
    flags(f, v.value.0, v.mask.map(|mask| mask.0), CT_STATE)
}

pub(crate) fn tun_flags(f: &mut Formatter<'_>, v: Masked<TunFlags>) -> fmt::Result {
    flags(f, v.value.0.into(), Some(v.mask.map_or(1, |mask| mask.0.into())), &[(1, "oam")])
}

/// `no`, `yes`, `first`, `later` or `not_later`.
pub(crate) fn frag(f: &mut Formatter<'_>, v: Masked<IpFrag>) -> fmt::Result {
    f.write_str(match (v.mask.map_or(3, |mask| mask.0 & 3), v.value.0 & 3) {
        (1, 0) | (3, 0) => "no",
        (1, _) => "yes",
        (2, 0) => "not_later",
        (2, _) | (3, 3) => "later",
        (3, 1) => "first",
        _ => "<error>",
    })
}

pub(crate) fn packet_type(f: &mut Formatter<'_>, v: Masked<PacketType>) -> fmt::Result {
    write!(f, "({},{})", v.value.namespace(), Alternate(v.value.id().into()))
}
