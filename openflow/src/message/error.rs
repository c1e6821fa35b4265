//! Errors: what was refused and why.

mod names;

use std::fmt;

use crate::wire::{DecodeError, Payload, Reader, Wire};

/// `OFPET_EXPERIMENTER`: the type that says that an experimenter's number follows.
const EXPERIMENTER: u16 = 0xffff;

/// A type and a code (`ofp_error_msg`); for an experimenter's error, its type in the place of the code.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct ErrorCode {
    /// `type`, or 0xffff.
    pub ty: u16,
    /// `code`, or `exp_type`.
    pub code: u16,
    /// Whose error, if `ty` is 0xffff; else 0.
    pub experimenter: u32,
}

impl ErrorCode {
    /// An error of the specification's.
    pub const fn new(ty: u16, code: u16) -> Self {
        Self { ty, code, experimenter: 0 }
    }

    /// No version in common (`OFPHFC_INCOMPATIBLE`).
    pub const INCOMPATIBLE: Self = Self::new(0, 0);
    /// The message's type is not known (`OFPBRC_BAD_TYPE`).
    pub const BAD_TYPE: Self = Self::new(1, 1);
    /// The message's version is not known (`OFPBRC_BAD_VERSION`).
    pub const BAD_VERSION: Self = Self::new(1, 0);
    /// A length cannot be (`OFPBRC_BAD_LEN`).
    pub const BAD_LEN: Self = Self::new(1, 6);
    /// A secondary controller may not do this (`OFPBRC_IS_SLAVE`).
    pub const IS_SECONDARY: Self = Self::new(1, 10);
    /// The parts of a request are too much in all (`OFPBRC_MULTIPART_BUFFER_OVERFLOW`).
    pub const MULTIPART_BUFFER_OVERFLOW: Self = Self::new(1, 13);
    /// The generation id is behind the last one (`OFPRRFC_STALE`).
    pub const STALE: Self = Self::new(11, 0);
    /// There is no such role (`OFPRRFC_BAD_ROLE`).
    pub const BAD_ROLE: Self = Self::new(11, 2);
    /// There is no such bundle (`OFPBFC_BAD_ID`).
    pub const BUNDLE_BAD_ID: Self = Self::onf(2302);
    /// There is such a bundle already (`OFPBFC_BUNDLE_EXIST`).
    pub const BUNDLE_EXIST: Self = Self::onf(2303);
    /// The bundle is closed (`OFPBFC_BUNDLE_CLOSED`).
    pub const BUNDLE_CLOSED: Self = Self::onf(2304);
    /// No such thing can be done with a bundle (`OFPBFC_BAD_TYPE`).
    pub const BUNDLE_BAD_TYPE: Self = Self::onf(2306);
    /// The flags are not those of the bundle (`OFPBFC_BAD_FLAGS`).
    pub const BUNDLE_BAD_FLAGS: Self = Self::onf(2307);
    /// The message in the bundle cannot be read (`OFPBFC_MSG_BAD_LEN`).
    pub const BUNDLE_MSG_BAD_LEN: Self = Self::onf(2308);
    /// The message's xid is not that of the message around it (`OFPBFC_MSG_BAD_XID`).
    pub const BUNDLE_MSG_BAD_XID: Self = Self::onf(2309);
    /// No such message may be in a bundle (`OFPBFC_MSG_UNSUP`).
    pub const BUNDLE_MSG_UNSUP: Self = Self::onf(2310);
    /// There are too many messages in bundles (`OFPBFC_MSG_TOO_MANY`).
    pub const BUNDLE_MSG_TOO_MANY: Self = Self::onf(2312);
    /// Some message of the bundle was refused (`OFPBFC_MSG_FAILED`).
    pub const BUNDLE_MSG_FAILED: Self = Self::onf(2313);

    /// An error of the ONF's extensions.
    pub const fn onf(exp_type: u16) -> Self {
        Self { ty: EXPERIMENTER, code: exp_type, experimenter: crate::message::experimenter::ONF }
    }

    /// The constant's name in the specification or in Open vSwitch.
    pub fn name(self) -> Option<&'static str> {
        names::name(self)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name(), self.experimenter) {
            (Some(name), _) => f.write_str(name),
            (None, 0) => write!(f, "error type {} code {}", self.ty, self.code),
            (None, experimenter) => write!(f, "experimenter {experimenter:#x} error type {}", self.code),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A refusal (`ofp_error_msg`, `ofp_error_experimenter_msg`). Its xid is that of what is refused.
#[derive(Clone, Debug, Eq, Hash, PartialEq, thiserror::Error)]
#[error("the datapath refused with {error}")]
pub struct ErrorMessage {
    /// Why.
    pub error: ErrorCode,
    /// At least the first 64 bytes of what is refused; text for a failed hello.
    pub data: Payload,
}

impl Wire for ErrorMessage {
    fn encode(&self, out: &mut Vec<u8>) {
        self.error.ty.encode(out);
        self.error.code.encode(out);
        if self.error.ty == EXPERIMENTER {
            self.error.experimenter.encode(out);
        }
        self.data.encode(out);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let outer = r.enter("ErrorMessage");
        let (ty, code) = (r.get()?, r.get()?);
        let experimenter = if ty == EXPERIMENTER { r.get()? } else { 0 };
        let data = r.get()?;
        r.leave(outer);
        Ok(Self { error: ErrorCode { ty, code, experimenter }, data })
    }
}
