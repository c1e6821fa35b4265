//! The match of a flow entry, canonical by construction.

mod prerequisites;

use std::fmt;
use std::hash::{Hash, Hasher};

use smallvec::SmallVec;

use crate::oxm::{OxmField, OxmId, RawField, are_canonical};
use crate::types::{EthType, IpProto, PortNo};
use crate::wire::{DecodeError, Reader, Reason, Wire, put_padding};
use prerequisites::Given;

/// `OFPMT_OXM`, the only type of match in OpenFlow 1.3.
const OXM_MATCH: u16 = 1;

/// Bytes of type and length.
const HEADER_LEN: usize = 4;

/// Bytes of fields that need no memory of their own: a port and a TCP connection over IPv4.
const INLINE: usize = 48;

/// Which packets a flow entry is for (`ofp_match`).
///
/// Always canonical: basic fields by number and so prerequisites first, extensions after them, masks applied to
/// their values, no mask of all bits, no field without a bit. Two matches that mean the same are equal and have the
/// same hash, whoever built them. One that came in another form is sent back in the form in which it came.
#[derive(Clone, Default)]
pub struct Match {
    /// The fields as they are on the wire, so that matches are compared, sent and received without looking into them.
    fields: SmallVec<[u8; INLINE]>,
    received: Option<Box<Received>>,
}

/// The fields as they came, if that was not canonical.
#[derive(Clone)]
struct Received(Vec<u8>);

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
    pub fn fields(&self) -> Fields<'_> {
        Fields(&self.fields)
    }

    /// Which fields they are, without their values.
    pub fn ids(&self) -> impl Iterator<Item = OxmId> {
        raw_fields(&self.fields).map(|(_, raw)| raw.id())
    }

    /// Whether it matches every packet.
    pub fn is_any(&self) -> bool {
        self.fields.is_empty()
    }

    /// The port of entry (`OFPXMT_OFB_IN_PORT`), if it is matched.
    #[inline]
    pub fn in_port(&self) -> Option<PortNo> {
        // The first of all fields.
        match self.fields().next() {
            Some(OxmField::InPort(port)) => Some(port),
            _ => None,
        }
    }

    /// Puts another value into a field that is matched already, so that a match can be used over and over without being
    /// built anew; false, and nothing changes, if the field is not there or would match anything.
    pub fn set(&mut self, field: OxmField) -> bool {
        let Some(field) = field.canonical() else { return false };
        let id = field.id();
        let Some((at, old)) = raw_fields(&self.fields).find(|(_, old)| old.id() == id) else { return false };
        let (len, bytes) = (old.len(), field.wire_bytes());
        if len != bytes.len() {
            self.fields.drain(at..at + len);
            self.fields.insert_from_slice(at, &bytes);
        } else {
            self.fields[at..at + len].copy_from_slice(&bytes);
        }
        self.received = None;
        true
    }

    /// The fields in canonical form.
    pub(crate) fn canonical_bytes(&self) -> &[u8] {
        &self.fields
    }

    /// The fields as they are sent.
    #[inline]
    fn wire(&self) -> &[u8] {
        self.received.as_ref().map_or(&self.fields, |received| &received.0)
    }

    /// The fields that fill the reader.
    #[inline]
    pub(crate) fn decode_fields(r: Reader<'_>) -> Result<Self, DecodeError> {
        let wire = r.peek();
        match are_canonical(r)? {
            true => Ok(Self { fields: SmallVec::from_slice(wire), received: None }),
            false => Ok(Self::canonical(wire)),
        }
    }

    #[cold]
    fn canonical(wire: &[u8]) -> Self {
        let mut fields: Vec<_> = Fields(wire).filter_map(OxmField::canonical).collect();
        fields.sort_by_key(|field| field.id().rank());
        let fields = fields.iter().flat_map(OxmField::wire_bytes).collect();
        Self { fields, received: Some(Box::new(Received(wire.to_vec()))) }
    }
}

impl PartialEq for Match {
    fn eq(&self, other: &Self) -> bool {
        self.fields == other.fields
    }
}

impl Eq for Match {}

impl Hash for Match {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fields.hash(state);
    }
}

impl fmt::Debug for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.fields()).finish()
    }
}

impl Wire for Match {
    const MIN_SIZE: usize = 8;

    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        let (start, fields) = (out.len(), self.wire());
        OXM_MATCH.encode(out);
        ((HEADER_LEN + fields.len()) as u16).encode(out);
        out.extend_from_slice(fields);
        put_padding(out, start);
    }

    #[inline]
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (ty, body) = r.tlv("Match")?;
        if ty != OXM_MATCH {
            return Err(body.error(Reason::Value(ty.into())));
        }
        let len = HEADER_LEN + body.remaining();
        r.pad(len.next_multiple_of(8) - len)?;
        Self::decode_fields(body)
    }
}

/// The fields of a match, in canonical order.
#[derive(Clone, Debug)]
pub struct Fields<'a>(&'a [u8]);

impl Iterator for Fields<'_> {
    type Item = OxmField;

    #[inline]
    fn next(&mut self) -> Option<OxmField> {
        let (raw, rest) = RawField::split(self.0)?;
        self.0 = rest;
        Some(OxmField::from_raw(&raw))
    }
}

/// Fields, and where they begin.
fn raw_fields(fields: &[u8]) -> impl Iterator<Item = (usize, RawField<'_>)> {
    let mut rest = fields;
    std::iter::from_fn(move || {
        let at = fields.len() - rest.len();
        let (raw, others) = RawField::split(rest)?;
        rest = others;
        Some((at, raw))
    })
}

/// Fields without a header, as Nicira's messages have them (`nx_match`): the length stands elsewhere.
pub(crate) struct NxMatch;

impl NxMatch {
    /// Writes the fields, without padding.
    pub(crate) fn encode(matches: &Match, out: &mut Vec<u8>) {
        out.extend_from_slice(matches.wire());
    }

    /// Reads `len` bytes of fields, and the padding.
    pub(crate) fn decode(r: &mut Reader<'_>, len: usize) -> Result<Match, DecodeError> {
        let matches = Match::decode_fields(r.sub("NxMatch", len)?)?;
        r.pad(len.next_multiple_of(8) - len)?;
        Ok(matches)
    }
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
    matches: Match,
    /// The rank of the last field; 0 is none's.
    last: u64,
    /// The first field that was given twice.
    twice: Option<&'static str>,
}

impl MatchBuilder {
    /// Adds a field.
    #[inline]
    pub fn field(mut self, field: OxmField) -> Self {
        if let Some(field) = field.canonical() {
            self.insert(&field);
        }
        self
    }

    fn insert(&mut self, field: &OxmField) {
        let rank = field.id().rank();
        let fields = &mut self.matches.fields;
        // Most are given in order.
        if rank > self.last {
            self.last = rank;
            fields.extend_from_slice(&field.wire_bytes());
            return;
        }
        let place =
            raw_fields(fields).map(|(at, raw)| (at, raw.id().rank())).find(|(_, other)| rank <= *other);
        match place {
            Some((at, other)) if other != rank => fields.insert_from_slice(at, &field.wire_bytes()),
            _ => self.twice = self.twice.or(Some(field.name())),
        }
    }

    /// ARP packets.
    #[inline]
    pub fn arp(self) -> Self {
        self.eth_type(EthType::ARP)
    }

    /// IPv4 packets.
    #[inline]
    pub fn ipv4(self) -> Self {
        self.eth_type(EthType::IPV4)
    }

    /// IPv6 packets.
    #[inline]
    pub fn ipv6(self) -> Self {
        self.eth_type(EthType::IPV6)
    }

    /// ICMP packets over IPv4.
    #[inline]
    pub fn icmp(self) -> Self {
        self.ipv4().ip_proto(IpProto::ICMP)
    }

    /// ICMPv6 packets.
    #[inline]
    pub fn icmpv6(self) -> Self {
        self.ipv6().ip_proto(IpProto::ICMPV6)
    }

    /// TCP packets over IPv4.
    #[inline]
    pub fn tcp(self) -> Self {
        self.ipv4().ip_proto(IpProto::TCP)
    }

    /// UDP packets over IPv4.
    #[inline]
    pub fn udp(self) -> Self {
        self.ipv4().ip_proto(IpProto::UDP)
    }

    /// TCP packets over IPv6.
    #[inline]
    pub fn tcp6(self) -> Self {
        self.ipv6().ip_proto(IpProto::TCP)
    }

    /// UDP packets over IPv6.
    #[inline]
    pub fn udp6(self) -> Self {
        self.ipv6().ip_proto(IpProto::UDP)
    }

    /// Orders the fields, normalises their masks, and checks prerequisites and duplicates.
    #[inline]
    pub fn build(self) -> Result<Match, BuildMatchError> {
        if let Some(field) = self.twice {
            return Err(BuildMatchError::Duplicate { field });
        }
        let given = Given::of(self.matches.fields());
        for field in self.matches.fields() {
            if let Some(needs) = given.lacks(&field) {
                return Err(BuildMatchError::MissingPrerequisite { field: field.name(), needs });
            }
        }
        Ok(self.matches)
    }
}

#[cfg(test)]
mod tests;
