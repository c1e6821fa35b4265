//! Experimenter messages: the ONF's bundles (extension 230), and everybody else's as bytes.

use super::Message;
use crate::wire::macros::{wire_code, wire_flags, wire_struct};
use crate::wire::{DecodeError, EncodeError, Payload, Reader, Wire};

/// The experimenter number of the Open Networking Foundation.
pub const ONF: u32 = 0x4f4e_4600;

const BUNDLE_CONTROL: u32 = 2300;
const BUNDLE_ADD: u32 = 2301;

/// `ofp_experimenter_header` and what follows it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Experimenter {
    /// Opens, closes, commits or discards a bundle (`ONF_ET_BUNDLE_CONTROL`).
    BundleControl(BundleControl),
    /// Puts a message into a bundle (`ONF_ET_BUNDLE_ADD_MESSAGE`).
    BundleAdd(BundleAdd),
    /// Something else, byte for byte.
    Unknown {
        /// Whose.
        experimenter: u32,
        /// Of which type.
        exp_type: u32,
        /// All that follows.
        body: Payload,
    },
}

wire_code! {
    /// A bundle of one connection.
    pub struct BundleId(u32) {}
}

wire_code! {
    /// What to do with a bundle, or what was done (`onf_bundle_ctrl_type`).
    pub struct BundleControlType(u16) {
        /// Begin.
        OPEN_REQUEST = 0,
        /// Begun.
        OPEN_REPLY = 1,
        /// No more messages.
        CLOSE_REQUEST = 2,
        /// Closed.
        CLOSE_REPLY = 3,
        /// Apply.
        COMMIT_REQUEST = 4,
        /// Applied.
        COMMIT_REPLY = 5,
        /// Forget.
        DISCARD_REQUEST = 6,
        /// Forgotten.
        DISCARD_REPLY = 7,
    }
}

wire_flags! {
    /// How a bundle is applied (`onf_bundle_flags`).
    pub struct BundleFlags(u16) {
        /// All or nothing.
        ATOMIC = 1,
        /// In the order given.
        ORDERED = 2,
    }
}

wire_struct! {
    /// `onf_bundle_ctrl_msg`.
    pub struct BundleControl {
        /// Which bundle.
        bundle_id: BundleId,
        /// What about it.
        ty: BundleControlType,
        /// How it is applied; the same in all messages of the bundle.
        flags: BundleFlags,
        /// Properties, byte for byte.
        properties: Payload,
    }
}

wire_struct! {
    /// `onf_bundle_add_msg`. The message inside stays as bytes until [`BundleAdd::message`] is asked.
    pub struct BundleAdd {
        /// Which bundle.
        bundle_id: BundleId,
        /// How it is applied; the same in all messages of the bundle.
        [pad 2] flags: BundleFlags,
        /// The message, whose xid must be that of the message around it; then properties.
        inner: Payload,
    }
}

impl BundleAdd {
    /// Puts `message` into a bundle. The message around it must have the same xid.
    pub fn new(bundle_id: BundleId, flags: BundleFlags, message: &Message) -> Result<Self, EncodeError> {
        let mut inner = Vec::new();
        message.encode(&mut inner)?;
        Ok(Self { bundle_id, flags, inner: inner.into() })
    }

    /// The message inside.
    pub fn message(&self) -> Result<Message, DecodeError> {
        let len = match *self.inner {
            [_, _, a, b, ..] => usize::from(u16::from_be_bytes([a, b])),
            _ => self.inner.len(),
        };
        Message::decode(self.inner.get(..len).unwrap_or(&self.inner))
    }
}

impl From<BundleControl> for super::Body {
    fn from(control: BundleControl) -> Self {
        Self::Experimenter(Experimenter::BundleControl(control))
    }
}

impl From<BundleAdd> for super::Body {
    fn from(add: BundleAdd) -> Self {
        Self::Experimenter(Experimenter::BundleAdd(add))
    }
}

impl Wire for Experimenter {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::BundleControl(control) => {
                [ONF, BUNDLE_CONTROL].iter().for_each(|word| word.encode(out));
                control.encode(out);
            }
            Self::BundleAdd(add) => {
                [ONF, BUNDLE_ADD].iter().for_each(|word| word.encode(out));
                add.encode(out);
            }
            Self::Unknown { experimenter, exp_type, body } => {
                [*experimenter, *exp_type].iter().for_each(|word| word.encode(out));
                body.encode(out);
            }
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let outer = r.enter("Experimenter");
        let this = match (r.get()?, r.get()?) {
            (ONF, BUNDLE_CONTROL) => Self::BundleControl(r.get()?),
            (ONF, BUNDLE_ADD) => Self::BundleAdd(r.get()?),
            (experimenter, exp_type) => Self::Unknown { experimenter, exp_type, body: r.get()? },
        };
        r.leave(outer);
        Ok(this)
    }
}
