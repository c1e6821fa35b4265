//! Output on its way: encoded once, in pieces, in memory that is used over and over.

use std::collections::VecDeque;

use crate::message::{self, Body};
use crate::types::Xid;
use crate::wire::EncodeError;

/// Output goes out in pieces of about this size, so that an echo reply never waits behind more than one piece.
pub(super) const CHUNK: usize = 64 << 10;

/// How many written pieces are kept for what comes next.
const SPARE: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Output {
    chunks: VecDeque<Vec<u8>>,
    spare: Vec<Vec<u8>>,
}

impl Output {
    #[inline]
    pub(super) fn put(&mut self, xid: Xid, body: &Body) -> Result<(), EncodeError> {
        match self.chunks.back_mut() {
            Some(chunk) if chunk.len() < CHUNK => message::encode(xid, body, chunk),
            _ => self.put_first(xid, body),
        }
    }

    /// Begins a piece.
    fn put_first(&mut self, xid: Xid, body: &Body) -> Result<(), EncodeError> {
        // Where one piece was not enough, the next one is likely to be filled too.
        let capacity = if self.chunks.is_empty() { 0 } else { CHUNK + CHUNK / 8 };
        let mut chunk = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(capacity));
        let result = message::encode(xid, body, &mut chunk);
        match result {
            Ok(()) => self.chunks.push_back(chunk),
            Err(_) => self.recycle(chunk),
        }
        result
    }

    /// Messages that are encoded already.
    pub(super) fn put_bytes(&mut self, bytes: Vec<u8>) {
        match self.chunks.back_mut().filter(|chunk| chunk.len() + bytes.len() <= CHUNK) {
            Some(chunk) => chunk.extend_from_slice(&bytes),
            None => self.chunks.push_back(bytes),
        }
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.chunks.append(&mut other.chunks);
    }

    pub(super) fn pop(&mut self) -> Option<Vec<u8>> {
        self.chunks.pop_front()
    }

    pub(super) fn recycle(&mut self, mut chunk: Vec<u8>) {
        // One long message shall not hold its memory for good.
        if self.spare.len() < SPARE && chunk.capacity() <= 2 * CHUNK {
            chunk.clear();
            self.spare.push(chunk);
        }
    }
}
