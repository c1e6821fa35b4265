//! Cutting a byte stream into messages.

use bytes::{Buf, Bytes, BytesMut};

use crate::message::HEADER_LEN;
use crate::wire::{DecodeError, Reader, Reason};

/// Takes bytes as they come and gives whole messages. It keeps less than one message (64 KiB) beyond what was fed and
/// not yet taken.
#[derive(Clone, Debug, Default)]
pub struct Framer {
    bytes: BytesMut,
    taken: usize,
}

impl Framer {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes, in pieces of any size.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.drop_taken();
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message, if there is one. A length that cannot be, shorter than the header, is an error after
    /// which nothing can be trusted: close the connection.
    pub fn next_message(&mut self) -> Result<Option<&[u8]>, DecodeError> {
        let rest = self.bytes.get(self.taken..).unwrap_or_default();
        let Some([_, _, a, b]) = rest.first_chunk() else { return Ok(None) };
        let len = usize::from(u16::from_be_bytes([*a, *b]));
        if len < HEADER_LEN {
            return Err(Reader::new("Header", rest).error(Reason::Length(len)));
        }
        if rest.len() < len {
            return Ok(None);
        }
        let start = self.taken;
        self.taken += len;
        Ok(self.bytes.get(start..self.taken))
    }

    /// All whole messages at once, one after the other, as one buffer that what is read from them can share; empty if there
    /// is none. Behind them may be a length that cannot be, which the error names.
    pub fn take_messages(&mut self) -> (Bytes, Result<(), DecodeError>) {
        self.drop_taken();
        let mut end = 0;
        let result = loop {
            let rest = &self.bytes[end..];
            let Some([_, _, a, b]) = rest.first_chunk() else { break Ok(()) };
            let len = usize::from(u16::from_be_bytes([*a, *b]));
            if len < HEADER_LEN {
                break Err(Reader::new("Header", rest).error(Reason::Length(len)));
            }
            if rest.len() < len {
                break Ok(());
            }
            end += len;
        };
        (self.bytes.split_to(end).freeze(), result)
    }

    fn drop_taken(&mut self) {
        self.bytes.advance(std::mem::take(&mut self.taken));
    }

    /// Bytes that are waiting for the rest of their message, or to be taken.
    pub fn buffered(&self) -> usize {
        self.bytes.len() - self.taken
    }
}

/// The first of several whole messages, and the others.
pub(crate) fn split_message(messages: &[u8]) -> Option<(&[u8], &[u8])> {
    let [_, _, a, b, ..] = *messages else { return None };
    messages.split_at_checked(u16::from_be_bytes([a, b]).into())
}
