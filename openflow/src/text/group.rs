//! Groups, as dump-groups prints them.

use std::fmt::{self, Display, Formatter};

use super::actions::actions;
use crate::message::group::{Bucket, GroupDesc, GroupMod, GroupModCommand, GroupType};
use crate::types::{GroupId, PortNo};

impl Display for GroupType {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::ALL => "all",
            Self::SELECT => "select",
            Self::INDIRECT => "indirect",
            Self::FF => "ff",
            _ => "unknown",
        })
    }
}

impl Display for GroupDesc {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "group_id={},type={}", self.group_id.0, self.group_type)?;
        buckets(f, self.group_type, &self.buckets)
    }
}

impl Display for GroupMod {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.command {
            GroupModCommand::ADD => f.write_str("ADD ")?,
            GroupModCommand::MODIFY => f.write_str("MOD ")?,
            GroupModCommand::ADD_OR_MODIFY => f.write_str("ADD_OR_MOD ")?,
            GroupModCommand::DELETE => f.write_str("DEL ")?,
            GroupModCommand(command) => write!(f, "cmd:{command} ")?,
        }
        write!(f, "group_id={},type={}", self.group_id.0, self.group_type)?;
        buckets(f, self.group_type, &self.buckets)
    }
}

fn buckets(f: &mut Formatter<'_>, ty: GroupType, buckets: &[Bucket]) -> fmt::Result {
    // ovs-ofctl leaves out the weight that goes without saying, which is another one in select groups.
    let weightless = u16::from(ty == GroupType::SELECT);
    for bucket in buckets {
        f.write_str(",bucket=")?;
        if bucket.weight != weightless {
            write!(f, "weight:{},", bucket.weight)?;
        }
        if bucket.watch_port != PortNo::ANY {
            write!(f, "watch_port:{},", bucket.watch_port)?;
        }
        if bucket.watch_group != GroupId::ANY {
            write!(f, "watch_group:{},", bucket.watch_group.0)?;
        }
        f.write_str("actions=")?;
        actions(f, &bucket.actions)?;
    }
    Ok(())
}
