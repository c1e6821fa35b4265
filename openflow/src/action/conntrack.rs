//! The connection tracker: `ct` and, inside it, `nat`.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Action, Subfield};
use crate::oxm::OxmHeader;
use crate::types::TableId;
use crate::wire::macros::wire_flags;
use crate::wire::{DecodeError, Reader, Reason, Wire};

wire_flags! {
    /// What is done with the connection (`NX_CT_F_*`).
    pub struct CtFlags(u16) {
        /// Keep it beyond this packet.
        COMMIT = 1,
        /// Take the direction of this packet for the original one.
        FORCE = 2,
    }
}

/// The zone of a connection, which keeps the same addresses of different networks apart.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CtZone {
    /// This one.
    Number(u16),
    /// The one that 16 bits of a field say.
    Field(Subfield),
}

/// Through the connection tracker (`nx_action_conntrack`).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Conntrack {
    /// What is done with the connection.
    pub flags: CtFlags,
    /// Its zone.
    pub zone: CtZone,
    /// A copy of the packet, tracked, is looked up here; [`TableId::ALL`]: there is no copy.
    pub table: TableId,
    /// The port of the protocol whose related connections are to be found (21 for FTP); 0: none.
    pub alg: u16,
    /// What is set in the connection, and how its addresses are translated.
    pub actions: Vec<Action>,
}

impl Conntrack {
    /// Tracks in `zone` and goes on in `table`.
    pub fn lookup(zone: u16, table: impl Into<TableId>) -> Self {
        Self {
            flags: CtFlags::NONE,
            zone: CtZone::Number(zone),
            table: table.into(),
            alg: 0,
            actions: Vec::new(),
        }
    }

    /// Keeps the connection in `zone`, and does not look the packet up again.
    pub fn commit(zone: u16) -> Self {
        Self { flags: CtFlags::COMMIT, ..Self::lookup(zone, TableId::ALL) }
    }

    /// Looks a copy of the packet up here.
    #[must_use]
    pub fn table(mut self, table: impl Into<TableId>) -> Self {
        self.table = table.into();
        self
    }

    /// Translates addresses.
    #[must_use]
    pub fn nat(mut self, nat: Nat) -> Self {
        self.actions.insert(0, nat.into());
        self
    }

    /// Sets the connection's mark or label.
    #[must_use]
    pub fn exec(mut self, actions: impl IntoIterator<Item = Action>) -> Self {
        self.actions.extend(actions);
        self
    }
}

impl Wire for Conntrack {
    fn encode(&self, out: &mut Vec<u8>) {
        self.flags.encode(out);
        match self.zone {
            CtZone::Number(zone) => {
                0_u32.encode(out);
                zone.encode(out);
            }
            CtZone::Field(field) => {
                field.field.encode(out);
                field.ofs_nbits().encode(out);
            }
        }
        self.table.encode(out);
        out.extend_from_slice(&[0; 3]);
        self.alg.encode(out);
        self.actions.encode(out);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let outer = r.enter("Conntrack");
        let flags = r.get()?;
        let zone = match r.peek() {
            [0, 0, 0, 0, ..] => {
                r.take(4)?;
                CtZone::Number(r.get()?)
            }
            _ => {
                let field: OxmHeader = r.get()?;
                CtZone::Field(Subfield::from_ofs_nbits(field, r.get()?))
            }
        };
        let table = r.get()?;
        r.pad(3)?;
        let this = Self { flags, zone, table, alg: r.get()?, actions: r.get()? };
        r.leave(outer);
        Ok(this)
    }
}

wire_flags! {
    /// How addresses are translated (`NX_NAT_F_*`).
    pub struct NatFlags(u16) {
        /// The source.
        SRC = 0x01,
        /// The destination.
        DST = 0x02,
        /// The same address for the same host.
        PERSISTENT = 0x04,
        /// Ports by hash.
        PROTO_HASH = 0x08,
        /// Ports by chance.
        PROTO_RANDOM = 0x10,
    }
}

/// A range of addresses; the last one is left out if there is only one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum NatRange {
    /// Of IPv4.
    Ipv4(Ipv4Addr, Option<Ipv4Addr>),
    /// Of IPv6.
    Ipv6(Ipv6Addr, Option<Ipv6Addr>),
}

/// Translates addresses (`nx_action_nat`). Without flags: as the connection is translated already.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Nat {
    /// How.
    pub flags: NatFlags,
    /// To which addresses.
    pub addresses: Option<NatRange>,
    /// To which ports; the last one is left out if there is only one.
    pub ports: Option<(u16, Option<u16>)>,
}

const IPV4_MIN: u16 = 0x01;
const IPV4_MAX: u16 = 0x02;
const IPV6_MIN: u16 = 0x04;
const IPV6_MAX: u16 = 0x08;
const PROTO_MIN: u16 = 0x10;
const PROTO_MAX: u16 = 0x20;

impl Nat {
    fn present(&self) -> u16 {
        let addresses = match self.addresses {
            None => 0,
            Some(NatRange::Ipv4(_, max)) => IPV4_MIN | max.map_or(0, |_| IPV4_MAX),
            Some(NatRange::Ipv6(_, max)) => IPV6_MIN | max.map_or(0, |_| IPV6_MAX),
        };
        let ports = match self.ports {
            None => 0,
            Some((_, max)) => PROTO_MIN | max.map_or(0, |_| PROTO_MAX),
        };
        addresses | ports
    }
}

fn put<T: Wire>(out: &mut Vec<u8>, min: T, max: Option<T>) {
    min.encode(out);
    if let Some(max) = max {
        max.encode(out);
    }
}

fn range<T: Wire>(r: &mut Reader<'_>, with_max: bool) -> Result<(T, Option<T>), DecodeError> {
    Ok((r.get()?, if with_max { Some(r.get()?) } else { None }))
}

impl Wire for Nat {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0; 2]);
        self.flags.encode(out);
        self.present().encode(out);
        match self.addresses {
            None => {}
            Some(NatRange::Ipv4(min, max)) => put(out, min, max),
            Some(NatRange::Ipv6(min, max)) => put(out, min, max),
        }
        if let Some((min, max)) = self.ports {
            put(out, min, max);
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let outer = r.enter("Nat");
        r.pad(2)?;
        let flags = r.get()?;
        let start = r.clone();
        let present: u16 = r.get()?;
        let addresses = match present & (IPV4_MIN | IPV4_MAX | IPV6_MIN | IPV6_MAX) {
            0 => None,
            family if family & (IPV6_MIN | IPV6_MAX) == 0 && family & IPV4_MIN != 0 => {
                let (min, max) = range(r, family & IPV4_MAX != 0)?;
                Some(NatRange::Ipv4(min, max))
            }
            family if family & (IPV4_MIN | IPV4_MAX) == 0 && family & IPV6_MIN != 0 => {
                let (min, max) = range(r, family & IPV6_MAX != 0)?;
                Some(NatRange::Ipv6(min, max))
            }
            _ => return Err(start.error(Reason::Value(present.into()))),
        };
        let ports = match present & !(IPV4_MIN | IPV4_MAX | IPV6_MIN | IPV6_MAX) {
            0 => None,
            PROTO_MIN => Some((r.get()?, None)),
            ports if ports == PROTO_MIN | PROTO_MAX => Some((r.get()?, Some(r.get()?))),
            _ => return Err(start.error(Reason::Value(present.into()))),
        };
        r.leave(outer);
        Ok(Self { flags, addresses, ports })
    }
}
