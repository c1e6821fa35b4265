//! Options of Geneve tunnels, whose width is up to the datapath's table.

use std::fmt;

use super::OxmHeader;
use crate::wire::{Payload, Wire};

/// Number of the first one in class 1; they are all there up to [`LAST`].
pub(super) const FIRST: u8 = 40;
pub(super) const LAST: u8 = 103;

/// How many bytes an option may have.
const MAX_LEN: usize = 124;

/// An option of a Geneve tunnel (`NXM_NX_TUN_METADATA0` to `63`). How wide it is, is as its sender has it: the values of
/// one option need not have the same width.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct TunMetadata {
    index: u8,
    value: Payload,
    mask: Option<Payload>,
}

impl TunMetadata {
    /// Option `index` (0 to 63) with this value (0 to 124 bytes).
    pub fn new(index: u8, value: impl Into<Payload>) -> Option<Self> {
        let value = value.into();
        (index <= LAST - FIRST && value.len() <= MAX_LEN).then_some(Self { index, value, mask: None })
    }

    /// The same in the bits of `mask`, which must be as wide as the value.
    pub fn masked(self, mask: impl Into<Payload>) -> Option<Self> {
        let mask = mask.into();
        (mask.len() == self.value.len()).then_some(Self { mask: Some(mask), ..self })
    }

    /// Which option.
    pub fn index(&self) -> u8 {
        self.index
    }

    /// The bits to be found.
    pub fn value(&self) -> &Payload {
        &self.value
    }

    /// The bits to be looked at; none: all of them.
    pub fn mask(&self) -> Option<&Payload> {
        self.mask.as_ref()
    }

    pub(super) fn number(&self) -> u8 {
        FIRST + self.index
    }

    /// Mask applied to the value, a mask of all bits dropped. A mask of no bit says that the option is there at all.
    pub(super) fn canonical(self) -> Self {
        let Some(mask) = self.mask else { return self };
        if !mask.is_empty() && mask.iter().all(|byte| *byte == 0xff) {
            return Self { mask: None, ..self };
        }
        let value: Vec<u8> = self.value.iter().zip(mask.iter()).map(|(value, mask)| value & mask).collect();
        Self { index: self.index, value: value.into(), mask: Some(mask) }
    }

    pub(super) fn is_canonical(&self) -> bool {
        self.mask.is_none() || self.clone().canonical() == *self
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let size = self.value.len() as u8;
        super::put_header(out, 1, self.number(), 0, size, self.mask.is_some());
        self.value.encode(out);
        if let Some(mask) = &self.mask {
            mask.encode(out);
        }
    }

    pub(super) fn decode(raw: &super::RawField<'_>) -> Option<Self> {
        let index = raw.field.checked_sub(FIRST)?;
        if raw.class != 1 || raw.field > LAST {
            return None;
        }
        match raw.masked {
            false => Self::new(index, raw.whole),
            true if raw.whole.len() % 2 == 0 => {
                let (value, mask) = raw.whole.split_at(raw.whole.len() / 2);
                Self::new(index, value)?.masked(mask)
            }
            true => None,
        }
    }

    /// The value and mask as ovs-ofctl prints them.
    pub(super) fn fmt_value(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Digits(&self.value))?;
        // ovs-ofctl takes the width of the option from its mask, whose leading zeros so say nothing.
        match &self.mask {
            Some(mask) if mask.iter().skip_while(|byte| **byte == 0).any(|byte| *byte != 0xff) => {
                write!(f, "/{}", Digits(mask))
            }
            _ => Ok(()),
        }
    }

    /// The name in matches.
    pub(super) fn name(&self) -> &'static str {
        OPTIONS.get(usize::from(self.index)).map_or("tun_metadata", |(name, _)| name)
    }

    /// The name in sub-fields.
    pub(super) fn header_name(header: OxmHeader) -> Option<&'static str> {
        let index = header.field.checked_sub(FIRST).filter(|_| header.class == 1)?;
        OPTIONS.get(usize::from(index)).map(|(_, name)| *name)
    }

    /// The option of that name, in matches or in sub-fields.
    pub(crate) fn index_of(name: &str) -> Option<u8> {
        let place = OPTIONS.iter().position(|(a, b)| *a == name || *b == name)?;
        u8::try_from(place).ok()
    }
}

impl OxmHeader {
    /// Option `index` (0 to 63) of Geneve tunnels, `size` bytes of it.
    pub fn tun_metadata(index: u8, size: u8) -> Option<Self> {
        (index <= LAST - FIRST).then_some(Self { class: 1, field: FIRST + index, size, experimenter: 0 })
    }
}

/// A number of any width in hexadecimal, without leading zeros.
pub(crate) struct Digits<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Digits<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.0.iter().skip_while(|byte| **byte == 0);
        match bytes.next() {
            None => f.write_str("0"),
            Some(first) => {
                write!(f, "{first:#x}")?;
                bytes.try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

macro_rules! options {
    ($($n:literal)*) => {
        &[$((concat!("tun_metadata", $n), concat!("NXM_NX_TUN_METADATA", $n))),*]
    };
}

const OPTIONS: &[(&str, &str)] = options!(
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42
    43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63
);
