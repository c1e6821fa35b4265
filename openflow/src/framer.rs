//! Cutting a byte stream into messages.

use crate::message::HEADER_LEN;
use crate::wire::{DecodeError, Reader, Reason};

/// Takes bytes as they come and gives whole messages. It keeps less than one message (64 KiB) beyond what was fed and
/// not yet taken.
#[derive(Clone, Debug, Default)]
pub struct Framer {
    bytes: Vec<u8>,
    taken: usize,
}

impl Framer {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds bytes, in pieces of any size.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
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

    /// Bytes that are waiting for the rest of their message, or to be taken.
    pub fn buffered(&self) -> usize {
        self.bytes.len() - self.taken
    }
}
