//! Output on its way: encoded once, in pieces, in memory that is used over and over. Bundles are encoded when it is their
//! turn, so that a long one is neither in memory as a whole, nor does the datapath wait for its end to be encoded.

use std::collections::VecDeque;

use crate::message::experimenter::BundleId;
use crate::message::{self, Body};
use crate::types::Xid;
use crate::wire::EncodeError;

/// Output goes out in pieces of about this size, so that an echo reply never waits behind more than one piece.
pub(super) const CHUNK: usize = 64 << 10;

/// Bytes of memory for a piece, and the end of its last message.
const CAPACITY: usize = CHUNK + CHUNK / 8;

/// How many written pieces are kept for what comes next.
const SPARE: usize = 8;

/// What goes out, one after the other.
#[derive(Debug)]
pub(super) enum Piece {
    /// Messages, encoded.
    Bytes(Vec<u8>),
    /// Here a bundle goes out, encoded a piece at a time when it is its turn.
    Bundle(BundleId),
}

#[derive(Debug, Default)]
pub(super) struct Output {
    pieces: VecDeque<Piece>,
    spare: Vec<Vec<u8>>,
}

impl Output {
    #[inline]
    pub(super) fn put(&mut self, xid: Xid, body: &Body) -> Result<(), EncodeError> {
        match self.pieces.back_mut() {
            Some(Piece::Bytes(chunk)) if chunk.len() < CHUNK => message::encode(xid, body, chunk),
            _ => self.put_first(xid, body),
        }
    }

    /// Begins a piece.
    fn put_first(&mut self, xid: Xid, body: &Body) -> Result<(), EncodeError> {
        // Where one piece was not enough, the next one is likely to be filled too.
        let capacity = if self.pieces.is_empty() { 0 } else { CAPACITY };
        let mut chunk = self.chunk(capacity);
        let result = message::encode(xid, body, &mut chunk);
        match result {
            Ok(()) => self.pieces.push_back(Piece::Bytes(chunk)),
            Err(_) => self.recycle(chunk),
        }
        result
    }

    /// Messages that are encoded already.
    pub(super) fn put_bytes(&mut self, bytes: Vec<u8>) {
        match self.pieces.back_mut() {
            Some(Piece::Bytes(chunk)) if chunk.len() + bytes.len() <= CHUNK => {
                chunk.extend_from_slice(&bytes);
            }
            _ => self.pieces.push_back(Piece::Bytes(bytes)),
        }
    }

    pub(super) fn put_bundle(&mut self, id: BundleId) {
        self.pieces.push_back(Piece::Bundle(id));
    }

    /// The rest of a bundle, before all else.
    pub(super) fn put_back(&mut self, id: BundleId) {
        self.pieces.push_front(Piece::Bundle(id));
    }

    pub(super) fn pop(&mut self) -> Option<Piece> {
        self.pieces.pop_front()
    }

    /// Memory for a piece that will be filled.
    pub(super) fn empty(&mut self) -> Vec<u8> {
        self.chunk(CAPACITY)
    }

    fn chunk(&mut self, capacity: usize) -> Vec<u8> {
        self.spare.pop().unwrap_or_else(|| Vec::with_capacity(capacity))
    }

    pub(super) fn recycle(&mut self, mut chunk: Vec<u8>) {
        // One long message shall not hold its memory for good, and what has none is not worth keeping.
        if self.spare.len() < SPARE && (1..=2 * CHUNK).contains(&chunk.capacity()) {
            chunk.clear();
            self.spare.push(chunk);
        }
    }
}
