//! Hello: which versions the two sides speak.

use super::VERSION;
use crate::wire::{DecodeError, Payload, Reader, Wire, put_padding, put_tlv};

/// `OFPHET_VERSIONBITMAP`.
const VERSION_BITMAP: u16 = 1;

/// Opens the connection (`ofp_hello`).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Hello {
    /// The highest version that the sender speaks; it stands in the message's header.
    pub version: u8,
    /// More precise news.
    pub elements: Vec<HelloElement>,
}

/// `ofp_hello_elem_header`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum HelloElement {
    /// Bit n of word m: version 32 m + n (`ofp_hello_elem_versionbitmap`).
    VersionBitmap(Vec<u32>),
    /// Something else, byte for byte.
    Unknown {
        /// The type.
        ty: u16,
        /// All that follows the 4-byte header, without the padding.
        body: Payload,
    },
}

impl Hello {
    /// "I speak 1.3 and nothing else".
    pub fn v13() -> Self {
        Self { version: VERSION, elements: vec![HelloElement::VersionBitmap(vec![1 << VERSION])] }
    }

    /// Whether the sender can speak `version` with somebody who speaks that one alone.
    pub fn supports(&self, version: u8) -> bool {
        let bitmap = self.elements.iter().find_map(|element| match element {
            HelloElement::VersionBitmap(words) => Some(words),
            HelloElement::Unknown { .. } => None,
        });
        match bitmap {
            Some(words) => {
                words.get(usize::from(version / 32)).is_some_and(|word| word & (1 << (version % 32)) != 0)
            }
            None => self.version >= version,
        }
    }

    pub(super) fn decode_version(version: u8, r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let outer = r.enter("Hello");
        let elements = r.get()?;
        r.leave(outer);
        Ok(Self { version, elements })
    }
}

impl Wire for Hello {
    fn encode(&self, out: &mut Vec<u8>) {
        self.elements.encode(out);
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::decode_version(VERSION, r)
    }
}

impl Wire for HelloElement {
    fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        match self {
            Self::VersionBitmap(words) => put_tlv(out, VERSION_BITMAP, |out| words.encode(out)),
            Self::Unknown { ty, body } => put_tlv(out, *ty, |out| body.encode(out)),
        }
        put_padding(out, start);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (ty, mut body) = r.tlv("HelloElement")?;
        let len = 4 + body.remaining();
        let element = match ty {
            VERSION_BITMAP => Self::VersionBitmap(body.get()?),
            _ => Self::Unknown { ty, body: body.get()? },
        };
        r.pad(len.next_multiple_of(8) - len)?;
        Ok(element)
    }
}
