//! Bundles that the controller has opened.

use std::collections::HashMap;

use crate::message::error::ErrorCode;
use crate::message::experimenter::{BundleAdd, BundleControl, BundleControlType, BundleFlags, BundleId};
use crate::message::{Body, Message};
use crate::types::Xid;

#[derive(Debug, Default)]
pub(super) struct Bundles {
    open: HashMap<BundleId, Bundle>,
    /// Bytes of the messages of all of them.
    size: usize,
}

#[derive(Debug)]
struct Bundle {
    flags: BundleFlags,
    closed: bool,
    messages: Vec<Message>,
    size: usize,
}

/// What came of a bundle's control message.
pub(super) enum Done {
    Reply(BundleControl),
    Commit(Vec<Message>),
}

impl Bundles {
    pub(super) fn control(&mut self, request: &BundleControl) -> Result<Done, ErrorCode> {
        let id = request.bundle_id;
        match request.ty {
            BundleControlType::OPEN_REQUEST => {
                self.open(id, request.flags)?;
                Ok(reply(request, BundleControlType::OPEN_REPLY))
            }
            BundleControlType::CLOSE_REQUEST => {
                let bundle = self.open.get_mut(&id).ok_or(ErrorCode::BUNDLE_BAD_ID)?;
                if std::mem::replace(&mut bundle.closed, true) {
                    return Err(ErrorCode::BUNDLE_CLOSED);
                }
                Ok(reply(request, BundleControlType::CLOSE_REPLY))
            }
            BundleControlType::COMMIT_REQUEST => self.take(id).map(Done::Commit),
            BundleControlType::DISCARD_REQUEST => {
                self.take(id)?;
                Ok(reply(request, BundleControlType::DISCARD_REPLY))
            }
            _ => Err(ErrorCode::BUNDLE_BAD_TYPE),
        }
    }

    fn open(&mut self, id: BundleId, flags: BundleFlags) -> Result<(), ErrorCode> {
        if self.open.contains_key(&id) {
            return Err(ErrorCode::BUNDLE_EXIST);
        }
        self.open.insert(id, Bundle { flags, closed: false, messages: Vec::new(), size: 0 });
        Ok(())
    }

    fn take(&mut self, id: BundleId) -> Result<Vec<Message>, ErrorCode> {
        let bundle = self.open.remove(&id).ok_or(ErrorCode::BUNDLE_BAD_ID)?;
        self.size -= bundle.size;
        Ok(bundle.messages)
    }

    /// Puts a message into its bundle, which is opened if it is not there yet.
    pub(super) fn add(&mut self, xid: Xid, add: &BundleAdd, max: usize) -> Result<(), ErrorCode> {
        let message = add.message().map_err(|_| ErrorCode::BUNDLE_MSG_BAD_LEN)?;
        if message.xid != xid {
            return Err(ErrorCode::BUNDLE_MSG_BAD_XID);
        }
        if !matches!(
            message.body,
            Body::FlowMod(_) | Body::GroupMod(_) | Body::PortMod(_) | Body::PacketOut(_)
        ) {
            return Err(ErrorCode::BUNDLE_MSG_UNSUP);
        }
        let size = add.inner.len();
        if self.size + size > max {
            return Err(ErrorCode::BUNDLE_MSG_TOO_MANY);
        }
        if !self.open.contains_key(&add.bundle_id) {
            self.open(add.bundle_id, add.flags)?;
        }
        let bundle = self.open.get_mut(&add.bundle_id).ok_or(ErrorCode::BUNDLE_BAD_ID)?;
        match (bundle.closed, bundle.flags == add.flags) {
            (true, _) => return Err(ErrorCode::BUNDLE_CLOSED),
            (_, false) => return Err(ErrorCode::BUNDLE_BAD_FLAGS),
            _ => {}
        }
        bundle.messages.push(message);
        bundle.size += size;
        self.size += size;
        Ok(())
    }

    /// The answer to a commit request.
    pub(super) fn committed(&self, id: BundleId) -> BundleControl {
        BundleControl {
            bundle_id: id,
            ty: BundleControlType::COMMIT_REPLY,
            flags: BundleFlags::NONE,
            properties: Default::default(),
        }
    }
}

fn reply(request: &BundleControl, ty: BundleControlType) -> Done {
    Done::Reply(BundleControl {
        bundle_id: request.bundle_id,
        ty,
        flags: request.flags,
        properties: Default::default(),
    })
}
