//! The codec machinery: a bounded cursor, a trait, and the tables in which the protocol is written down.
//!
//! Every length of the protocol becomes a child [`Reader`] that cannot see past it, and every child must be
//! consumed whole: a truncated, overlong or self-contradictory message is an error that names the structure and
//! the offset, never a panic and never a surprise allocation.

pub(crate) mod macros;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::Bytes;

/// Why bytes are not a message: which structure, where, and what is wrong with it.
///
/// A pointer wide, lest every step of decoding carry room for what almost never is.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{} at byte {}: {}", .0.structure, .0.offset, .0.reason)]
pub struct DecodeError(Box<Fault>);

#[derive(Clone, Debug, Eq, PartialEq)]
struct Fault {
    structure: &'static str,
    offset: usize,
    reason: Reason,
}

impl DecodeError {
    #[cold]
    pub(crate) fn new(structure: &'static str, offset: usize, reason: Reason) -> Self {
        Self(Box::new(Fault { structure, offset, reason }))
    }

    /// The innermost structure that was being read.
    pub fn structure(&self) -> &'static str {
        self.0.structure
    }

    /// Bytes from the start of the message (or of the slice that was given to be decoded).
    pub fn offset(&self) -> usize {
        self.0.offset
    }

    /// What is wrong there.
    pub fn reason(&self) -> Reason {
        self.0.reason
    }
}

/// What is wrong at the place that a [`DecodeError`] names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// `need` bytes were due and only `have` are left in the enclosing structure.
    Truncated {
        /// Bytes due.
        need: usize,
        /// Bytes left.
        have: usize,
    },
    /// So many bytes are left over after the structure's end.
    Trailing(usize),
    /// A length that the structure cannot have.
    Length(usize),
    /// A value that the structure cannot have.
    Value(u64),
    /// Padding that is not zero: keeping it out would change the message.
    Padding,
    /// Not version 4, which is OpenFlow 1.3.
    Version(u8),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { need, have } => write!(f, "truncated, {need} bytes due and {have} left"),
            Self::Trailing(extra) => write!(f, "{extra} bytes too many"),
            Self::Length(len) => write!(f, "impossible length {len}"),
            Self::Value(value) => write!(f, "impossible value {value:#x}"),
            Self::Padding => f.write_str("padding is not zero"),
            Self::Version(version) => write!(f, "OpenFlow version {version:#04x} is not 0x04 (1.3)"),
        }
    }
}

/// A message that the protocol's 16-bit length cannot express.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("message is {len} bytes long, and OpenFlow allows 65535: split it")]
pub struct EncodeError {
    /// The length it would have had.
    pub len: usize,
}

/// A cursor over one length-delimited piece of a message.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    /// The buffer in which the message is, if what is read may share it.
    shared: Option<&'a Bytes>,
    /// Address of the byte from which offsets count: they are only worked out for errors.
    start: usize,
    depth: u8,
    structure: &'static str,
}

/// Actions may be inside actions, and those inside others. Deeper than this they stay bytes, so that no message can
/// exhaust the stack.
const MAX_DEPTH: u8 = 8;

impl<'a> Reader<'a> {
    /// Reads `bytes` as `structure`; offsets in errors count from their start.
    pub fn new(structure: &'static str, bytes: &'a [u8]) -> Self {
        Self { bytes, shared: None, start: bytes.as_ptr().addr(), depth: 0, structure }
    }

    /// Reads `bytes`, which are a part of `buffer`, as `structure`; payloads will share the buffer.
    pub(crate) fn shared(structure: &'static str, buffer: &'a Bytes, bytes: &'a [u8]) -> Self {
        Self { shared: Some(buffer), ..Self::new(structure, bytes) }
    }

    /// Takes all that is left, sharing the buffer if it may be shared.
    #[inline]
    fn payload(&mut self) -> Payload {
        let rest = self.rest();
        match self.shared {
            Some(buffer) => Payload(buffer.slice_ref(rest)),
            None => rest.into(),
        }
    }

    /// How many bytes are left.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes that are left, without taking them.
    #[inline]
    pub fn peek(&self) -> &'a [u8] {
        self.bytes
    }

    /// Names the structure that is read from here on; give the result to [`leave`](Self::leave).
    #[inline]
    pub fn enter(&mut self, structure: &'static str) -> &'static str {
        std::mem::replace(&mut self.structure, structure)
    }

    /// Goes back to the name that [`enter`](Self::enter) returned.
    #[inline]
    pub fn leave(&mut self, structure: &'static str) {
        self.structure = structure;
    }

    /// The error for what is at the cursor.
    #[cold]
    pub fn error(&self, reason: Reason) -> DecodeError {
        DecodeError::new(self.structure, self.offset(), reason)
    }

    fn offset(&self) -> usize {
        self.bytes.as_ptr().addr() - self.start
    }

    /// Takes all that is left.
    #[inline]
    pub fn rest(&mut self) -> &'a [u8] {
        let (rest, end) = self.bytes.split_at(self.bytes.len());
        self.bytes = end;
        rest
    }

    /// Takes `need` bytes.
    #[inline]
    pub fn take(&mut self, need: usize) -> Result<&'a [u8], DecodeError> {
        let Some((head, tail)) = self.bytes.split_at_checked(need) else {
            return Err(self.error(Reason::Truncated { need, have: self.bytes.len() }));
        };
        self.bytes = tail;
        Ok(head)
    }

    /// Takes `N` bytes as an array.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some((head, tail)) = self.bytes.split_first_chunk::<N>() else {
            return Err(self.error(Reason::Truncated { need: N, have: self.bytes.len() }));
        };
        self.bytes = tail;
        Ok(*head)
    }

    /// Takes a `T`.
    #[inline]
    pub fn get<T: Wire>(&mut self) -> Result<T, DecodeError> {
        T::decode(self)
    }

    /// A child cursor over the next `len` bytes, which are taken.
    #[inline]
    pub fn sub(&mut self, structure: &'static str, len: usize) -> Result<Self, DecodeError> {
        let bytes = self.take(len)?;
        Ok(Self { bytes, structure, ..*self })
    }

    /// Goes into a structure that may be inside itself; false if that is too deep already.
    pub(crate) fn nest(&mut self) -> bool {
        self.depth = self.depth.saturating_add(1);
        self.depth <= MAX_DEPTH
    }

    /// A type and a length that counts both, then the body.
    #[inline]
    pub fn tlv(&mut self, structure: &'static str) -> Result<(u16, Self), DecodeError> {
        match *self.bytes {
            [a, b, c, d, ..] => {
                let len = usize::from(u16::from_be_bytes([c, d]));
                let body = self.bounded(structure, 4, len)?;
                Ok((u16::from_be_bytes([a, b]), body))
            }
            _ => Err(self.short(structure, 4)),
        }
    }

    /// A length that counts itself, then the body.
    #[inline]
    pub fn sized(&mut self, structure: &'static str) -> Result<Self, DecodeError> {
        match *self.bytes {
            [a, b, ..] => self.bounded(structure, 2, u16::from_be_bytes([a, b]).into()),
            _ => Err(self.short(structure, 2)),
        }
    }

    /// A structure of `len` bytes whose first `head` ones are read already.
    #[inline]
    fn bounded(&mut self, structure: &'static str, head: usize, len: usize) -> Result<Self, DecodeError> {
        match self.bytes.split_at_checked(len) {
            Some((whole, rest)) if len >= head => {
                self.bytes = rest;
                Ok(Self { bytes: &whole[head..], structure, ..*self })
            }
            _ => Err(self.unbounded(structure, head, len)),
        }
    }

    #[cold]
    fn unbounded(&self, structure: &'static str, head: usize, len: usize) -> DecodeError {
        let have = self.bytes.len();
        let (offset, reason) = match have < len {
            true => (head, Reason::Truncated { need: len - head.min(len), have: have - head }),
            false => (0, Reason::Length(len)),
        };
        DecodeError::new(structure, self.offset() + offset, reason)
    }

    #[cold]
    fn short(&self, structure: &'static str, need: usize) -> DecodeError {
        let reason = Reason::Truncated { need, have: self.bytes.len() };
        DecodeError::new(structure, self.offset(), reason)
    }

    /// Takes `n` bytes of padding, which must be zero.
    #[inline]
    pub fn pad(&mut self, n: usize) -> Result<(), DecodeError> {
        match self.bytes.split_at_checked(n) {
            Some((zeros, rest)) if is_zero(zeros) => {
                self.bytes = rest;
                Ok(())
            }
            Some(_) => Err(self.error(Reason::Padding)),
            None => Err(self.error(Reason::Truncated { need: n, have: self.bytes.len() })),
        }
    }

    /// That so many bytes are left: what is then taken of them need not be checked one by one.
    #[inline]
    pub fn require(&self, need: usize) -> Result<(), DecodeError> {
        match self.bytes.len() {
            have if have < need => Err(self.error(Reason::Truncated { need, have })),
            _ => Ok(()),
        }
    }

    /// What is left must be the zeros that fill a structure up to a multiple of 8.
    #[inline]
    pub fn pad_rest(&mut self) -> Result<(), DecodeError> {
        match self.bytes.len() {
            n @ 0..8 => self.pad(n),
            n => Err(self.error(Reason::Trailing(n))),
        }
    }

    /// Nothing may be left.
    #[inline]
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.bytes.len() {
            0 => Ok(()),
            n => Err(self.error(Reason::Trailing(n))),
        }
    }
}

/// Whether all bytes, of which there are few, are zero.
#[inline]
fn is_zero(bytes: &[u8]) -> bool {
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) if bytes.len() <= 8 => {
            u32::from_ne_bytes(*first) | u32::from_ne_bytes(*last) == 0
        }
        _ => bytes.iter().all(|byte| *byte == 0),
    }
}

/// Something with a place in an OpenFlow message.
pub trait Wire: Sized {
    /// How many bytes one takes at the least, as far as is known.
    const MIN_SIZE: usize = 0;
    /// About how many bytes one takes in a list; 0 if it cannot be said.
    const TYPICAL_SIZE: usize = 0;
    /// Appends the wire form.
    fn encode(&self, out: &mut Vec<u8>);
    /// Takes one from the reader.
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError>;
    /// Takes as many as fill the reader. Types that are decoded by the thousand build them in place.
    fn decode_list(r: &mut Reader<'_>) -> Result<Vec<Self>, DecodeError> {
        let mut items = room(r, Self::TYPICAL_SIZE);
        while r.remaining() > 0 {
            items.push(r.get()?);
        }
        Ok(items)
    }
}

/// Room for what there may be in the reader, which is bounded by what has come.
#[inline]
pub(crate) fn room<T>(r: &Reader<'_>, typical_size: usize) -> Vec<T> {
    match (r.remaining(), typical_size) {
        (0, _) | (_, 0) => Vec::new(),
        (len, size) => Vec::with_capacity((len / size).max(1)),
    }
}

/// A [`Wire`] type of constant size that can be masked, as OXM values are.
pub trait Fixed: Wire + Copy + Eq {
    /// Bytes on the wire.
    const SIZE: u8;
    /// Every bit that means something.
    const ONES: Self;
    /// The bits that both have.
    fn and(self, other: Self) -> Self;
    /// No bit at all.
    fn is_zero(self) -> bool;
    /// The value that these bytes are, if they are as many as it takes.
    fn from_wire(bytes: &[u8]) -> Option<Self>;
    /// Writes the wire form to `place`, which must be as wide as it is; else nothing is written.
    fn put(self, place: &mut [u8]);
}

macro_rules! integer {
    ($($t:ty)*) => {$(
        impl Wire for $t {
            const MIN_SIZE: usize = size_of::<$t>();
            #[inline]
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
            #[inline]
            fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                r.array().map(Self::from_be_bytes)
            }
        }
        impl Fixed for $t {
            const SIZE: u8 = size_of::<$t>() as u8;
            const ONES: Self = Self::MAX;
            fn and(self, other: Self) -> Self {
                self & other
            }
            fn is_zero(self) -> bool {
                self == 0
            }
            #[inline]
            fn from_wire(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self::from_be_bytes)
            }
            #[inline]
            fn put(self, place: &mut [u8]) {
                self.to_be_bytes().put(place);
            }
        }
    )*};
}

integer!(u8 u16 u32 u64);

impl<const N: usize> Wire for [u8; N] {
    const MIN_SIZE: usize = N;
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
    #[inline]
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.array()
    }
}

macro_rules! words {
    ($($n:literal)*) => {$(
        impl Wire for [u32; $n] {
            const MIN_SIZE: usize = 4 * $n;
            fn encode(&self, out: &mut Vec<u8>) {
                self.iter().for_each(|word| word.encode(out));
            }
            fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let mut words = [0; $n];
                for word in &mut words {
                    *word = r.get()?;
                }
                Ok(words)
            }
        }
    )*};
}

words!(2 4);

impl<const N: usize> Fixed for [u8; N] {
    const SIZE: u8 = N as u8;
    const ONES: Self = [0xff; N];
    fn and(mut self, other: Self) -> Self {
        self.iter_mut().zip(other).for_each(|(a, b)| *a &= b);
        self
    }
    fn is_zero(self) -> bool {
        self == [0; N]
    }
    #[inline]
    fn from_wire(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok()
    }
    #[inline]
    fn put(self, place: &mut [u8]) {
        if let Ok(place) = place.try_into() {
            let place: &mut Self = place;
            *place = self;
        }
    }
}

macro_rules! address {
    ($($t:ty: $n:literal, $bits:ty;)*) => {$(
        impl Wire for $t {
            const MIN_SIZE: usize = $n;
            #[inline]
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.octets());
            }
            #[inline]
            fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                r.array::<$n>().map(Self::from)
            }
        }
        impl Fixed for $t {
            const SIZE: u8 = $n;
            const ONES: Self = Self::from_bits(<$bits>::MAX);
            fn and(self, other: Self) -> Self {
                Self::from_bits(self.to_bits() & other.to_bits())
            }
            fn is_zero(self) -> bool {
                self.is_unspecified()
            }
            #[inline]
            fn from_wire(bytes: &[u8]) -> Option<Self> {
                <[u8; $n]>::try_from(bytes).ok().map(Self::from)
            }
            #[inline]
            fn put(self, place: &mut [u8]) {
                self.octets().put(place);
            }
        }
    )*};
}

address! {
    Ipv4Addr: 4, u32;
    Ipv6Addr: 16, u128;
}

impl<T: Wire> Wire for Box<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.get().map(Self::new)
    }
}

/// A list fills the reader it is given: the enclosing length is its length.
impl<T: Wire> Wire for Vec<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.iter().for_each(|item| item.encode(out));
    }
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        T::decode_list(r)
    }
}

/// Bytes whose meaning is not OpenFlow's business: packets, echoes, bodies of unknown things. Decoded with
/// [`Message::decode_shared`](crate::Message::decode_shared) it is a part of the buffer that was given, and not a copy.
#[derive(Clone, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Payload(Bytes);

impl Payload {
    /// The bytes.
    pub fn into_vec(self) -> Vec<u8> {
        self.0.into()
    }

    /// The bytes, shared with whoever has them already.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl std::ops::Deref for Payload {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(bytes))
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Wire for Payload {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
    #[inline]
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(r.payload())
    }
}

/// Overwrites the two bytes at `at` with `len`. Longer than 65535 can only be inside a message that is itself too
/// long, which [`Message::encode`](crate::Message::encode) refuses.
pub(crate) fn put_len(out: &mut [u8], at: usize, len: usize) {
    if let Some(place) = out.get_mut(at..at + 2) {
        place.copy_from_slice(&(len as u16).to_be_bytes());
    }
}

/// Writes a TLV, filling in its length once the body is known.
#[inline]
pub(crate) fn put_tlv(out: &mut Vec<u8>, ty: u16, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    body(out);
    put_head(out, start, ty);
}

/// Overwrites the first 4 bytes of the TLV that began at `start` and is whole now.
#[inline]
pub(crate) fn put_head(out: &mut [u8], start: usize, ty: u16) {
    let len = (out.len() - start) as u16;
    if let Some(head) = out.get_mut(start..).and_then(<[u8]>::first_chunk_mut) {
        let ([a, b], [c, d]) = (ty.to_be_bytes(), len.to_be_bytes());
        *head = [a, b, c, d];
    }
}

/// Fills up with zeros to a multiple of 8 from `start`.
#[inline]
pub(crate) fn put_padding(out: &mut Vec<u8>, start: usize) {
    let end = start + (out.len() - start).next_multiple_of(8);
    // Eight at once, and then fewer, is less work than as many as it takes.
    out.extend_from_slice(&[0; 8]);
    out.truncate(end);
}

#[cfg(test)]
mod tests;
