//! A blocking netlink socket that sends several requests in one datagram.

use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE,
    NLMSG_ERROR, NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload, NetlinkSerializable,
    NlasIterator,
};
use netlink_sys::{Socket as RawSocket, SocketAddr, protocols};

use super::error::Refusal;

/// Requests in one datagram. The acks of all must fit the receive buffer (212,992 bytes unless
/// changed), and one takes less than 1,300.
const BATCH: usize = 64;
/// The kernel fills dumps into buffers of at most 32 KiB.
const RECEIVE: usize = 64 * 1024;
/// Dumps that links changed under are repeated so often.
const DUMP_ATTEMPTS: usize = 5;
const NLMSG_HEADER: usize = 16;
const NLMSGERR_ATTR_MSG: u16 = 1;

/// One answer that is not an ack: `nlmsg_type` and what follows the header.
pub(super) struct Answer<'a> {
    pub(super) kind: u16,
    pub(super) payload: &'a [u8],
}

pub(super) struct Socket {
    raw: RawSocket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Socket {
    /// A NETLINK_ROUTE socket in the namespace of this thread.
    pub(super) fn route() -> io::Result<Self> {
        Self::open(protocols::NETLINK_ROUTE)
    }

    /// A NETLINK_GENERIC socket in the namespace of this thread.
    pub(super) fn generic() -> io::Result<Self> {
        Self::open(protocols::NETLINK_GENERIC)
    }

    fn open(protocol: isize) -> io::Result<Self> {
        let mut raw = RawSocket::new(protocol)?;
        raw.bind_auto()?;
        raw.connect(&SocketAddr::new(0, 0))?;
        // Both only make acks better and smaller; kernels before 4.12 do without.
        let _ = raw.set_ext_ack(true);
        let _ = raw.set_cap_ack(true);
        Ok(Self { raw, sequence: 0, buffer: Vec::with_capacity(RECEIVE) })
    }

    /// Sends `requests` together. The result has one entry for each, in order: a refused request does
    /// not stop those behind it.
    pub(super) fn batch<T: NetlinkSerializable>(
        &mut self,
        requests: Vec<(u16, T)>,
    ) -> io::Result<Vec<Result<(), Refusal>>> {
        let mut results = Vec::with_capacity(requests.len());
        let mut requests = requests.into_iter().peekable();
        while requests.peek().is_some() {
            let first = self.sequence.wrapping_add(1);
            let mut datagram = Vec::new();
            let mut sent = 0;
            for (flags, request) in requests.by_ref().take(BATCH) {
                self.encode(flags | NLM_F_ACK, request, &mut datagram);
                sent += 1;
            }
            self.raw.send(&datagram, 0)?;
            results.extend(self.answers(first, sent, |_| ())?.0);
        }
        Ok(results)
    }

    /// Sends one request and waits for its ack, handing answers to `each`.
    pub(super) fn request<T: NetlinkSerializable>(
        &mut self,
        flags: u16,
        request: T,
        mut each: impl FnMut(Answer<'_>),
    ) -> io::Result<Result<(), Refusal>> {
        let mut datagram = Vec::new();
        self.encode(flags | NLM_F_ACK, request, &mut datagram);
        self.raw.send(&datagram, 0)?;
        let (mut results, _) = self.answers(self.sequence, 1, &mut each)?;
        Ok(results.pop().unwrap_or(Ok(())))
    }

    /// Collects what `pick` makes of the answers to a dump request. What changed all the while is taken as it is.
    pub(super) fn dump<T: NetlinkSerializable + Clone, R>(
        &mut self,
        request: T,
        pick: impl FnMut(Answer<'_>) -> Option<R>,
    ) -> io::Result<Result<Vec<R>, Refusal>> {
        Ok(self.try_dump(request, pick)?.map(|(found, _)| found))
    }

    /// The same, and whether it is of one moment: in one that is not, kernels before 6.10 may leave out what was there all
    /// the while.
    pub(super) fn try_dump<T: NetlinkSerializable + Clone, R>(
        &mut self,
        request: T,
        mut pick: impl FnMut(Answer<'_>) -> Option<R>,
    ) -> io::Result<Result<(Vec<R>, bool), Refusal>> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut found = Vec::new();
            let mut datagram = Vec::new();
            self.encode(NLM_F_DUMP, request.clone(), &mut datagram);
            self.raw.send(&datagram, 0)?;
            let (mut results, consistent) =
                self.answers(self.sequence, 1, |answer| found.extend(pick(answer)))?;
            if let Some(Err(refusal)) = results.pop() {
                return Ok(Err(refusal));
            }
            if consistent || attempt == DUMP_ATTEMPTS {
                return Ok(Ok((found, consistent)));
            }
        }
    }

    fn encode<T: NetlinkSerializable>(&mut self, flags: u16, request: T, datagram: &mut Vec<u8>) {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(request));
        message.finalize();
        let start = datagram.len();
        datagram.resize(start + message.buffer_len().next_multiple_of(4), 0);
        message.serialize(&mut datagram[start..]);
    }

    /// Reads until each of the `count` requests from sequence number `first` on has its ack or DONE.
    /// The second value tells whether a dump was consistent.
    fn answers(
        &mut self,
        first: u32,
        count: usize,
        mut each: impl FnMut(Answer<'_>),
    ) -> io::Result<(Vec<Result<(), Refusal>>, bool)> {
        let mut results: Vec<Option<Result<(), Refusal>>> = vec![None; count];
        let mut missing = count;
        let mut consistent = true;
        while missing > 0 {
            self.buffer.clear();
            match self.raw.recv(&mut self.buffer, 0) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            for message in Messages::new(&self.buffer) {
                let Some(slot) = usize::try_from(message.sequence_number().wrapping_sub(first))
                    .ok()
                    .and_then(|nth| results.get_mut(nth))
                else {
                    continue;
                };
                consistent &= message.flags() & NLM_F_DUMP_INTR == 0;
                match message.message_type() {
                    NLMSG_ERROR => {
                        missing -= usize::from(slot.is_none());
                        *slot = Some(refusal(message.flags(), message.payload()));
                    }
                    NLMSG_DONE => {
                        missing -= usize::from(slot.is_none());
                        *slot = Some(Ok(()));
                    }
                    kind => each(Answer { kind, payload: message.payload() }),
                }
            }
        }
        Ok((results.into_iter().map(|result| result.unwrap_or(Ok(()))).collect(), consistent))
    }
}

/// The messages of one datagram.
pub(super) struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    pub(super) fn new(datagram: &'a [u8]) -> Self {
        Self { rest: datagram }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = NetlinkBuffer<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        let message = NetlinkBuffer::new_checked(self.rest).ok()?;
        let length = usize::try_from(message.length()).ok()?;
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    }
}

/// Reads `struct nlmsgerr` and the extended ack behind it.
fn refusal(flags: u16, payload: &[u8]) -> Result<(), Refusal> {
    let code = payload.first_chunk::<4>().map_or(0, |code| i32::from_ne_bytes(*code));
    if code == 0 {
        return Ok(());
    }
    let mut attributes = 4 + NLMSG_HEADER;
    if flags & NLM_F_CAPPED == 0 {
        let quoted = payload.get(4..8).and_then(|length| length.first_chunk::<4>());
        let quoted = quoted.map_or(0, |length| u32::from_ne_bytes(*length));
        attributes = 4 + usize::try_from(quoted).unwrap_or(0).next_multiple_of(4).max(NLMSG_HEADER);
    }
    let mut text = None;
    if flags & NLM_F_ACK_TLVS != 0 {
        text = NlasIterator::new(payload.get(attributes..).unwrap_or_default())
            .filter_map(Result::ok)
            .find(|attribute| attribute.kind() == NLMSGERR_ATTR_MSG)
            .map(|attribute| String::from_utf8_lossy(attribute.value()).trim_end_matches('\0').to_owned());
    }
    Err(Refusal { errno: code.saturating_neg(), text })
}

#[cfg(test)]
mod tests;
