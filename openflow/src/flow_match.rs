//! The match of a flow entry, canonical by construction.

mod prerequisites;

use std::hash::{Hash, Hasher};

use crate::oxm::{OxmField, decode_fields};
use crate::types::{EthType, IpProto};
use crate::wire::{DecodeError, Reader, Reason, Wire, put_padding, put_tlv};

/// `OFPMT_OXM`, the only type of match in OpenFlow 1.3.
const OXM_MATCH: u16 = 1;

/// Which packets a flow entry is for (`ofp_match`).
///
/// Always canonical: basic fields by number and so prerequisites first, extensions after them, masks applied to
/// their values, no mask of all bits, no field without a bit. Two matches that mean the same are equal and have the
/// same hash, whoever built them. One that came in another form is sent back in the form in which it came.
#[derive(Clone, Debug, Default)]
pub struct Match {
    fields: Fields,
    received: Option<Box<[OxmField]>>,
}

/// One field needs no memory of its own: that is what almost every packet-in has.
#[derive(Clone, Debug)]
pub(crate) enum Fields {
    One(OxmField),
    Many(Vec<OxmField>),
}

impl Default for Fields {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl From<Vec<OxmField>> for Fields {
    fn from(fields: Vec<OxmField>) -> Self {
        Self::Many(fields)
    }
}

impl std::ops::Deref for Fields {
    type Target = [OxmField];
    #[inline]
    fn deref(&self) -> &[OxmField] {
        match self {
            Self::One(field) => std::slice::from_ref(field),
            Self::Many(fields) => fields,
        }
    }
}

impl Match {
    /// Every packet.
    pub fn any() -> Self {
        Self::default()
    }

    /// Starts a match; [`MatchBuilder::build`] ends it.
    pub fn builder() -> MatchBuilder {
        MatchBuilder::default()
    }

    /// The fields in canonical order.
    pub fn fields(&self) -> &[OxmField] {
        &self.fields
    }

    /// Whether it matches every packet.
    pub fn is_any(&self) -> bool {
        self.fields.is_empty()
    }

    /// Puts another value into a field that is matched already, so that a match can be used over and over without being
    /// built anew; false, and nothing changes, if the field is not there or would match anything.
    pub fn set(&mut self, field: OxmField) -> bool {
        let fields = match &mut self.fields {
            Fields::One(field) => std::slice::from_mut(field),
            Fields::Many(fields) => &mut fields[..],
        };
        // The kind of field tells most of them apart, and their number the rest.
        let kind = std::mem::discriminant(&field);
        let same = |old: &&mut OxmField| std::mem::discriminant(&**old) == kind && old.id() == field.id();
        let Some(old) = fields.iter_mut().find(same) else { return false };
        let field = match field.is_canonical() {
            true => field,
            false => match field.canonical() {
                Some(field) => field,
                None => return false,
            },
        };
        *old = field;
        self.received = None;
        true
    }

    #[inline]
    fn decode_fields(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (fields, is_canonical) = decode_fields(r)?;
        if is_canonical {
            return Ok(Self { fields, received: None });
        }
        let received = fields.to_vec();
        Ok(Self { fields: canonical(received.clone()).into(), received: Some(received.into()) })
    }
}

impl PartialEq for Match {
    fn eq(&self, other: &Self) -> bool {
        *self.fields == *other.fields
    }
}

impl Eq for Match {}

impl Hash for Match {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fields.hash(state);
    }
}

impl Wire for Match {
    fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let fields = self.received.as_deref().unwrap_or(&self.fields);
        put_tlv(out, OXM_MATCH, |out| fields.iter().for_each(|field| field.encode(out)));
        put_padding(out, start);
    }

    #[inline]
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (ty, mut body) = r.tlv("Match")?;
        if ty != OXM_MATCH {
            return Err(body.error(Reason::Value(ty.into())));
        }
        let len = 4 + body.remaining();
        let this = Self::decode_fields(&mut body)?;
        let outer = r.enter("Match");
        r.pad(len.next_multiple_of(8) - len)?;
        r.leave(outer);
        Ok(this)
    }
}

/// Fields without a header, as Nicira's messages have them (`nx_match`): the length stands elsewhere.
pub(crate) struct NxMatch;

impl NxMatch {
    /// Writes the fields, without padding.
    pub(crate) fn encode(matches: &Match, out: &mut Vec<u8>) {
        let fields = matches.received.as_deref().unwrap_or(&matches.fields);
        fields.iter().for_each(|field| field.encode(out));
    }

    /// Reads `len` bytes of fields, and the padding.
    pub(crate) fn decode(r: &mut Reader<'_>, len: usize) -> Result<Match, DecodeError> {
        let matches = Match::decode_fields(&mut r.sub("NxMatch", len)?)?;
        r.pad(len.next_multiple_of(8) - len)?;
        Ok(matches)
    }
}

fn canonical(fields: Vec<OxmField>) -> Vec<OxmField> {
    let sorted = fields.windows(2).all(|pair| matches!(pair, [a, b] if a.id().rank() < b.id().rank()));
    if sorted && fields.iter().all(OxmField::is_canonical) {
        return fields;
    }
    let mut fields: Vec<_> = fields.into_iter().filter_map(OxmField::canonical).collect();
    fields.sort_by_key(|field| field.id().rank());
    fields
}

/// Why a match cannot be: OVS would refuse it with `OFPBMC_BAD_PREREQ` or `OFPBMC_DUP_FIELD`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BuildMatchError {
    /// The field means nothing without another one.
    #[error("match field {field} needs {needs}")]
    MissingPrerequisite {
        /// The field, in the specification's spelling.
        field: &'static str,
        /// What must be matched as well.
        needs: &'static str,
    },
    /// The field was given twice.
    #[error("match field {field} is given twice")]
    Duplicate {
        /// The field, in the specification's spelling.
        field: &'static str,
    },
}

/// Collects fields in any order; [`build`](Self::build) makes the canonical match. There is a method for each field
/// of [`OxmField`]; maskable ones take a value or a `(value, mask)` pair.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct MatchBuilder {
    fields: Vec<OxmField>,
}

impl MatchBuilder {
    /// Adds a field.
    pub fn field(mut self, field: OxmField) -> Self {
        self.fields.push(field);
        self
    }

    /// ARP packets.
    pub fn arp(self) -> Self {
        self.eth_type(EthType::ARP)
    }

    /// IPv4 packets.
    pub fn ipv4(self) -> Self {
        self.eth_type(EthType::IPV4)
    }

    /// IPv6 packets.
    pub fn ipv6(self) -> Self {
        self.eth_type(EthType::IPV6)
    }

    /// ICMP packets over IPv4.
    pub fn icmp(self) -> Self {
        self.ipv4().ip_proto(IpProto::ICMP)
    }

    /// ICMPv6 packets.
    pub fn icmpv6(self) -> Self {
        self.ipv6().ip_proto(IpProto::ICMPV6)
    }

    /// TCP packets over IPv4.
    pub fn tcp(self) -> Self {
        self.ipv4().ip_proto(IpProto::TCP)
    }

    /// UDP packets over IPv4.
    pub fn udp(self) -> Self {
        self.ipv4().ip_proto(IpProto::UDP)
    }

    /// TCP packets over IPv6.
    pub fn tcp6(self) -> Self {
        self.ipv6().ip_proto(IpProto::TCP)
    }

    /// UDP packets over IPv6.
    pub fn udp6(self) -> Self {
        self.ipv6().ip_proto(IpProto::UDP)
    }

    /// Orders the fields, normalises their masks, and checks prerequisites and duplicates.
    pub fn build(self) -> Result<Match, BuildMatchError> {
        let fields = canonical(self.fields);
        for pair in fields.windows(2) {
            match pair {
                [a, b] if a.id() == b.id() => return Err(BuildMatchError::Duplicate { field: a.name() }),
                _ => {}
            }
        }
        for field in &fields {
            if let Some(needs) = prerequisites::missing(field, &fields) {
                return Err(BuildMatchError::MissingPrerequisite { field: field.name(), needs });
            }
        }
        Ok(Match { fields: fields.into(), received: None })
    }
}

#[cfg(test)]
mod tests;
