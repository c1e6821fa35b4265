use bytes::{Bytes, BytesMut};
use memchr::memchr2;
use thiserror::Error;

/// Longest message accepted, in bytes: ten times the dump of a database with a million ports.
pub const MAX_MESSAGE: usize = 1 << 30;

/// Buffers beyond this are given back once their message has been taken: a dump comes once.
const KEPT_BUFFER: usize = 1 << 20;

/// Cuts a byte stream into JSON objects. State is kept over reads, so each byte is looked at once.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    /// Bytes of `buffer` already looked at.
    scanned: usize,
    depth: usize,
    in_string: bool,
    escape: bool,
}

/// The stream is no sequence of JSON objects; it cannot be read further.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum FramingError {
    /// Something other than an object where a message should begin.
    #[error("expected a JSON object, got byte {0:#04x}")]
    NotAnObject(u8),
    /// A message longer than [`MAX_MESSAGE`].
    #[error("message longer than {MAX_MESSAGE} bytes")]
    TooLong,
}

impl Framer {
    /// Appends what was read from the peer.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete message, without white space around it. `None`: more bytes are needed.
    pub fn next_message(&mut self) -> Result<Option<Bytes>, FramingError> {
        while self.scanned < self.buffer.len() {
            if self.in_string {
                self.scan_string();
                continue;
            }
            let byte = self.buffer[self.scanned];
            match byte {
                b'"' if self.depth > 0 => self.in_string = true,
                b'{' | b'[' if self.depth > 0 || byte == b'{' => self.depth += 1,
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        let end = self.scanned + 1;
                        self.scanned = 0;
                        let message = self.buffer.split_to(end).freeze();
                        if end > KEPT_BUFFER {
                            // What is left would keep all of it in memory.
                            self.buffer = BytesMut::from(&self.buffer[..]);
                        }
                        return Ok(Some(message));
                    }
                }
                b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 => {
                    let _ = self.buffer.split_to(1);
                    continue;
                }
                _ if self.depth == 0 => return Err(FramingError::NotAnObject(byte)),
                _ => {}
            }
            self.scanned += 1;
        }
        if self.buffer.len() > MAX_MESSAGE { Err(FramingError::TooLong) } else { Ok(None) }
    }

    /// Moves on to the end of the string, or of what was read.
    fn scan_string(&mut self) {
        if self.escape {
            self.escape = false;
            self.scanned += 1;
            return;
        }
        match memchr2(b'"', b'\\', &self.buffer[self.scanned..]) {
            None => self.scanned = self.buffer.len(),
            Some(at) => {
                self.scanned += at;
                if self.buffer[self.scanned] == b'"' {
                    self.in_string = false;
                } else {
                    self.escape = true;
                }
                self.scanned += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
