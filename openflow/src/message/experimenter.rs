//! Experimenter messages: the ONF's bundles (extension 230), role status (191) and flow monitors (187), those of Open
//! vSwitch, and everybody else's as bytes.

use super::config::Role;
use super::monitor::FlowMonitorCancel;
use super::nicira::NiciraMessage;
use super::{Body, Message, VERSION};
use crate::action::nicira::VENDOR as NICIRA;
use crate::message;
use crate::types::Xid;
use crate::wire::macros::{wire_code, wire_flags, wire_struct};
use crate::wire::{DecodeError, EncodeError, Payload, Reader, Wire};

/// The experimenter number of the Open Networking Foundation.
pub const ONF: u32 = 0x4f4e_4600;

/// The type of a message that is an experimenter's (`OFPT_EXPERIMENTER`).
const EXPERIMENTER: u8 = 4;

const FLOW_MONITOR_CANCEL: u32 = 1870;
const FLOW_MONITOR_PAUSED: u32 = 1871;
const FLOW_MONITOR_RESUMED: u32 = 1872;
const ROLE_STATUS: u32 = 1911;
const BUNDLE_CONTROL: u32 = 2300;
const BUNDLE_ADD: u32 = 2301;

/// `ofp_experimenter_header` and what follows it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Experimenter {
    /// Opens, closes, commits or discards a bundle (`ONF_ET_BUNDLE_CONTROL`).
    BundleControl(BundleControl),
    /// Puts a message into a bundle (`ONF_ET_BUNDLE_ADD_MESSAGE`).
    BundleAdd(BundleAdd),
    /// The controller's role has changed (`ONFT_ROLE_STATUS`).
    RoleStatus(RoleStatus),
    /// Stops a flow monitor (`ONFT_FLOW_MONITOR_CANCEL`).
    FlowMonitorCancel(FlowMonitorCancel),
    /// The datapath tells no more changes until it can (`ONFT_FLOW_MONITOR_PAUSED`).
    FlowMonitorPaused,
    /// The datapath tells changes again; those in between have been told (`ONFT_FLOW_MONITOR_RESUMED`).
    FlowMonitorResumed,
    /// Open vSwitch's (`NX_VENDOR_ID`).
    Nicira(NiciraMessage),
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
    /// Why a role has changed (`ofp14_controller_role_reason`).
    pub struct RoleReason(u8) {
        /// Another controller asked to be primary.
        PRIMARY_REQUEST = 0,
        /// The datapath's configuration changed.
        CONFIG = 1,
        /// An experimenter's data changed.
        EXPERIMENTER = 2,
    }
}

wire_struct! {
    /// The controller's role has changed (`ofp14_role_status`).
    pub struct RoleStatus {
        /// The role now.
        role: Role,
        /// Why.
        reason: RoleReason,
        /// Of the election.
        [pad 3] generation_id: u64,
        /// Properties, byte for byte.
        properties: Payload,
    }
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

    /// Appends the message that puts `body` into a bundle, which is encoded where it is to be. If one of the two is longer
    /// than the protocol allows, nothing is appended.
    pub(crate) fn encode_around(
        bundle_id: BundleId,
        flags: BundleFlags,
        xid: Xid,
        body: &Body,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        message::encode_with(VERSION, EXPERIMENTER, xid, out, |out| {
            [ONF, BUNDLE_ADD].iter().for_each(|word| word.encode(out));
            Self { bundle_id, flags, inner: Payload::default() }.encode(out);
            message::encode(xid, body, out)
        })
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

impl From<BundleControl> for Body {
    fn from(control: BundleControl) -> Self {
        Self::Experimenter(Experimenter::BundleControl(control))
    }
}

impl From<BundleAdd> for Body {
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
            Self::RoleStatus(status) => {
                [ONF, ROLE_STATUS].iter().for_each(|word| word.encode(out));
                status.encode(out);
            }
            Self::FlowMonitorCancel(cancel) => {
                [ONF, FLOW_MONITOR_CANCEL].iter().for_each(|word| word.encode(out));
                cancel.encode(out);
            }
            Self::FlowMonitorPaused => [ONF, FLOW_MONITOR_PAUSED].iter().for_each(|word| word.encode(out)),
            Self::FlowMonitorResumed => [ONF, FLOW_MONITOR_RESUMED].iter().for_each(|word| word.encode(out)),
            Self::Nicira(message) => {
                [NICIRA, message.ty()].iter().for_each(|word| word.encode(out));
                message.encode(out);
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
            (ONF, ROLE_STATUS) => Self::RoleStatus(r.get()?),
            (ONF, FLOW_MONITOR_CANCEL) => Self::FlowMonitorCancel(r.get()?),
            (ONF, FLOW_MONITOR_PAUSED) => Self::FlowMonitorPaused,
            (ONF, FLOW_MONITOR_RESUMED) => Self::FlowMonitorResumed,
            (NICIRA, subtype) => Self::Nicira(NiciraMessage::decode(subtype, r, |message, _| Ok(message))?),
            (experimenter, exp_type) => Self::Unknown { experimenter, exp_type, body: r.get()? },
        };
        r.leave(outer);
        Ok(this)
    }
}
