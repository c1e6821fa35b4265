//! Multipart replies in as many messages as they take.

use crate::message::multipart::{ExperimenterReply, MultipartFlags, MultipartReply, MultipartReplyBody};
use crate::message::{self, Body, HEADER_LEN, VERSION};
use crate::types::Xid;
use crate::wire::{EncodeError, Wire, put_len};

/// `OFPT_MULTIPART_REPLY`.
const MULTIPART_REPLY: u8 = 19;

/// The longest message.
const MAX: usize = u16::MAX as usize;

/// Where the flags stand in a multipart reply.
const FLAGS: usize = HEADER_LEN + 2;

pub(super) fn encode(xid: Xid, body: &MultipartReplyBody) -> Result<Vec<Vec<u8>>, EncodeError> {
    use MultipartReplyBody as B;
    let ty = body.ty();
    match body {
        B::Flow(items) => list(xid, ty, items),
        B::Table(items) => list(xid, ty, items),
        B::PortStats(items) => list(xid, ty, items),
        B::Queue(items) => list(xid, ty, items),
        B::Group(items) => list(xid, ty, items),
        B::GroupDesc(items) => list(xid, ty, items),
        B::Meter(items) => list(xid, ty, items),
        B::MeterConfig(items) => list(xid, ty, items),
        B::TableFeatures(items) => list(xid, ty, items),
        B::PortDesc(items) => list(xid, ty, items),
        B::Experimenter(ExperimenterReply::FlowMonitor(updates)) => {
            // Each message repeats who experiments.
            let head = ExperimenterReply::FlowMonitor(Vec::new());
            parts(xid, ty, |out| head.encode(out), updates)
        }
        whole => {
            let mut out = Vec::new();
            message::encode(xid, &Body::MultipartReply(MultipartReply::from(whole.clone())), &mut out)?;
            Ok(vec![out])
        }
    }
}

fn list<T: Wire>(xid: Xid, ty: u16, items: &[T]) -> Result<Vec<Vec<u8>>, EncodeError> {
    parts(xid, ty, |_| {}, items)
}

fn parts<T: Wire>(
    xid: Xid,
    ty: u16,
    head: impl Fn(&mut Vec<u8>),
    items: &[T],
) -> Result<Vec<Vec<u8>>, EncodeError> {
    let begin = || {
        let mut out = vec![VERSION, MULTIPART_REPLY, 0, 0];
        xid.encode(&mut out);
        ty.encode(&mut out);
        out.extend_from_slice(&[0; 6]);
        head(&mut out);
        out
    };
    let (mut done, mut part) = (Vec::new(), begin());
    let empty = part.len();
    for item in items {
        let before = part.len();
        item.encode(&mut part);
        if part.len() <= MAX {
            continue;
        }
        let tail = part.split_off(before);
        if empty + tail.len() > MAX {
            return Err(EncodeError { len: empty + tail.len() });
        }
        put_len(&mut part, FLAGS, MultipartFlags::MORE.0.into());
        done.push(std::mem::replace(&mut part, begin()));
        part.extend_from_slice(&tail);
    }
    done.push(part);
    for part in &mut done {
        let len = part.len();
        put_len(part, 2, len);
    }
    Ok(done)
}
