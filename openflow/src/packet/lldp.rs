//! LLDP (IEEE 802.1AB): who is at the other end of a link.

use super::PacketError;

/// A type, of which 0 to 8 are the standard's, and its value.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct LldpTlv {
    /// 7 bits: 1 chassis, 2 port, 3 time to live, 4 port description, 5 system name, 127 of an organisation.
    pub ty: u8,
    /// At most 511 bytes.
    pub value: Vec<u8>,
}

/// The contents of an LLDP frame, without the end marker.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Lldp(pub Vec<LldpTlv>);

impl Lldp {
    /// Of the chassis and port by these names (sub-type 7, locally assigned), for so many seconds.
    pub fn new(chassis: &str, port: &str, ttl: u16) -> Self {
        let named = |ty, name: &str| LldpTlv { ty, value: [&[7], name.as_bytes()].concat() };
        Self(vec![named(1, chassis), named(2, port), LldpTlv { ty: 3, value: ttl.to_be_bytes().into() }])
    }

    /// The first value of this type.
    pub fn value(&self, ty: u8) -> Option<&[u8]> {
        self.0.iter().find(|tlv| tlv.ty == ty).map(|tlv| &tlv.value[..])
    }

    /// Reads up to the end marker, or to the end.
    pub fn parse(mut bytes: &[u8]) -> Result<Self, PacketError> {
        let error = PacketError { header: "LLDP" };
        let mut tlvs = Vec::new();
        while let Some(([a, b], rest)) = bytes.split_first_chunk::<2>() {
            let (ty, len) = (a >> 1, usize::from(u16::from_be_bytes([a & 1, *b])));
            if ty == 0 {
                break;
            }
            let (value, rest) = rest.split_at_checked(len).ok_or(error)?;
            tlvs.push(LldpTlv { ty, value: value.into() });
            bytes = rest;
        }
        Ok(Self(tlvs))
    }

    /// The bytes, with the end marker; a value beyond 511 bytes is cut.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for tlv in &self.0 {
            let value = tlv.value.get(..511).unwrap_or(&tlv.value);
            let [a, b] = (u16::from(tlv.ty) << 9 | value.len() as u16).to_be_bytes();
            out.extend_from_slice(&[a, b]);
            out.extend_from_slice(value);
        }
        out.extend_from_slice(&[0; 2]);
        out
    }
}
