//! Groups and meters.

use std::str::FromStr;

use super::value::FromText;
use super::{Item, ParseTextError, Problem, action, items};
use crate::message::group::{Bucket, GroupDesc, GroupMod, GroupModCommand, GroupType};
use crate::message::meter::{
    DropBand, DscpRemarkBand, MeterBand, MeterConfig, MeterFlags, MeterMod, MeterModCommand,
};
use crate::types::{GroupId, MeterId, PortNo};

/// `group_id=1,type=ff,bucket=...`.
struct Group {
    group_id: GroupId,
    group_type: GroupType,
    buckets: Vec<Bucket>,
}

impl Group {
    fn parse(text: &str) -> Result<Self, ParseTextError> {
        // Each bucket goes on until the next one begins.
        let mut parts = text.split("bucket=");
        let (mut group_id, mut group_type) = (None, GroupType::ALL);
        for item in items(parts.next().unwrap_or_default()) {
            match item.key {
                "group_id" => group_id = Some(item.expected("group_id=1", self::group_id(item.value))?),
                "type" => {
                    group_type =
                        item.expected("type=all, select, indirect or ff", self::group_type(item.value))?;
                }
                _ => return Err(Problem::UnknownWord.of(item.whole)),
            }
        }
        let buckets = parts.map(|text| bucket(text, group_type)).collect::<Result<_, _>>()?;
        let group_id = super::expected(text, "group_id=1,type=all,bucket=...", group_id)?;
        Ok(Self { group_id, group_type, buckets })
    }
}

fn group_id(text: &str) -> Option<GroupId> {
    match text {
        "all" | "ALL" => Some(GroupId::ALL),
        "any" | "ANY" => Some(GroupId::ANY),
        id => GroupId::from_text(id),
    }
}

fn group_type(text: &str) -> Option<GroupType> {
    match text {
        "fast_failover" => Some(GroupType::FF),
        text => (0..4).map(GroupType).find(|ty| ty.to_string() == text),
    }
}

fn bucket(text: &str, ty: GroupType) -> Result<Bucket, ParseTextError> {
    let (head, actions) = match text.split_once("actions=") {
        Some((head, actions)) => (head, actions),
        None => ("", text),
    };
    let mut bucket = Bucket::new(action::list(actions.trim_end_matches([',', ' ']), 0)?);
    bucket.weight = u16::from(ty == GroupType::SELECT);
    for item in items(head) {
        match item.key {
            "weight" => bucket.weight = item.number()?,
            "watch_port" => bucket.watch_port = item.number::<PortNo>()?,
            "watch_group" => bucket.watch_group = item.expected("watch_group:1", group_id(item.value))?,
            // The ids of OpenFlow 1.5, which 1.3 cannot say.
            "bucket_id" => {}
            _ => return Err(Problem::UnknownWord.of(item.whole)),
        }
    }
    Ok(bucket)
}

impl FromStr for GroupDesc {
    type Err = ParseTextError;

    /// Reads `group_id=1,type=all,bucket=actions=output:1,bucket=actions=output:2`.
    fn from_str(text: &str) -> Result<Self, ParseTextError> {
        let Group { group_id, group_type, buckets } = Group::parse(text)?;
        Ok(Self { group_type, group_id, buckets })
    }
}

impl FromStr for GroupMod {
    type Err = ParseTextError;

    /// Reads what ofp-print prints, `ADD group_id=1,type=all,bucket=...`, and what ovs-ofctl's add-group takes. Without a
    /// word for it, it adds.
    fn from_str(text: &str) -> Result<Self, ParseTextError> {
        let text = text.trim();
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let (command, rest) = match word {
            "ADD" | "add" => (GroupModCommand::ADD, rest),
            "MOD" | "modify" => (GroupModCommand::MODIFY, rest),
            "ADD_OR_MOD" | "add_or_mod" => (GroupModCommand::ADD_OR_MODIFY, rest),
            "DEL" | "delete" => (GroupModCommand::DELETE, rest),
            _ => (GroupModCommand::ADD, text),
        };
        let Group { group_id, group_type, buckets } = Group::parse(rest)?;
        Ok(Self { command, group_type, group_id, buckets })
    }
}

/// `meter=1 kbps burst bands= type=drop rate=1000 burst_size=100`.
struct Meter {
    meter_id: MeterId,
    flags: MeterFlags,
    bands: Vec<MeterBand>,
}

impl Meter {
    fn parse(text: &str) -> Result<Self, ParseTextError> {
        // ovs-ofctl takes a comma where it prints a blank or a line's end.
        let (head, bands) = match text.split_once("bands=").or_else(|| text.split_once("band=")) {
            Some((head, bands)) => (head, bands),
            None => (text, ""),
        };
        let (mut meter_id, mut flags) = (None, MeterFlags::NONE);
        for item in items(head) {
            match item.key {
                "meter" => meter_id = Some(item.number()?),
                "kbps" => flags |= MeterFlags::KBPS,
                "pktps" => flags |= MeterFlags::PKTPS,
                "burst" => flags |= MeterFlags::BURST,
                "stats" => flags |= MeterFlags::STATS,
                _ => return Err(Problem::UnknownWord.of(item.whole)),
            }
        }
        // A band begins with its type.
        let mut parsed: Vec<Vec<Item<'_>>> = Vec::new();
        for item in items(bands).into_iter().map(|item| Item::new(item.whole.trim_start_matches("band="))) {
            match (item.key, parsed.last_mut()) {
                ("type", _) | (_, None) => parsed.push(vec![item]),
                (_, Some(band)) => band.push(item),
            }
        }
        let bands = parsed.iter().map(|items| band(items)).collect::<Result<_, _>>()?;
        let meter_id = super::expected(text, "meter=1 kbps bands=type=drop rate=1000", meter_id)?;
        Ok(Self { meter_id, flags, bands })
    }
}

fn band(items: &[Item<'_>]) -> Result<MeterBand, ParseTextError> {
    let (mut ty, mut rate, mut burst_size, mut prec_level) = ("", 0, 0, 0);
    for item in items {
        match item.key {
            "type" => ty = item.value,
            "rate" => rate = item.number()?,
            "burst_size" => burst_size = item.number()?,
            "prec_level" => prec_level = item.number()?,
            _ => return Err(Problem::UnknownWord.of(item.whole)),
        }
    }
    match ty {
        "drop" => Ok(MeterBand::Drop(DropBand { rate, burst_size })),
        "dscp_remark" => Ok(MeterBand::DscpRemark(DscpRemarkBand { rate, burst_size, prec_level })),
        _ => super::expected(
            items.first().map_or("", |item| item.whole),
            "type=drop or type=dscp_remark",
            None,
        ),
    }
}

impl FromStr for MeterConfig {
    type Err = ParseTextError;

    /// Reads `meter=1 kbps burst bands= type=drop rate=1000 burst_size=100`.
    fn from_str(text: &str) -> Result<Self, ParseTextError> {
        let Meter { meter_id, flags, bands } = Meter::parse(text)?;
        Ok(Self { flags, meter_id, bands })
    }
}

impl FromStr for MeterMod {
    type Err = ParseTextError;

    /// Reads what ofp-print prints, `ADD meter=1 kbps bands= ...`, and what ovs-ofctl's add-meter takes. Without a word
    /// for it, it adds.
    fn from_str(text: &str) -> Result<Self, ParseTextError> {
        let text = text.trim();
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let (command, rest) = match word {
            "ADD" | "add" => (MeterModCommand::ADD, rest),
            "MOD" | "modify" => (MeterModCommand::MODIFY, rest),
            "DEL" | "delete" => (MeterModCommand::DELETE, rest),
            _ => (MeterModCommand::ADD, text),
        };
        let Meter { meter_id, flags, bands } = Meter::parse(rest)?;
        Ok(Self { command, flags, meter_id, bands })
    }
}
