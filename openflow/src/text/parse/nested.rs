//! Actions whose arguments have a grammar of their own.

use super::action::{address, alg, list, octets, port16, to_controller};
use super::value::{FromText, bytes, subfield};
use super::{Item, ParseTextError, Problem, items, matches};
use crate::action::nicira::{
    BundleAlgorithm, BundleLoad, BundleOutput, Conntrack, Controller, Controller2, ControllerProperty,
    CtFlags, CtZone, Decap, EdProperty, Encap, HashFields, Learn, LearnFlags, LearnLimit, LearnSource,
    LearnSpec, LearnTarget, Multipath, MultipathAlgorithm, Nat, NatFlags, NatRange, NiciraAction, Sample,
    SampleDirection, SampleFields, SampleId, SamplePort,
};
use crate::action::{Action, Subfield};
use crate::message::packet::PacketInReason;
use crate::oxm::OxmHeader;
use crate::types::{MaxLen, MeterId, PacketType, TableId};
use crate::wire::Wire;

/// `CONTROLLER`, `CONTROLLER:128` or `controller(reason=...)`, by the shortest action that can say it.
pub(super) fn controller(item: &Item<'_>) -> Result<Action, ParseTextError> {
    if item.value.is_empty() {
        return Ok(to_controller(u16::MAX));
    }
    if let Some(max_len) = u16::from_text(item.value) {
        return Ok(to_controller(max_len));
    }
    let (mut reason, mut max_len, mut id) = (PacketInReason::ACTION, u16::MAX, 0);
    let (mut userdata, mut pause, mut meter) = (Vec::new(), false, None);
    for part in items(item.value) {
        match part.key {
            "reason" => reason = part.expected("reason=action", self::reason(part.value))?,
            "max_len" => max_len = part.number()?,
            "id" => id = part.number()?,
            "userdata" => userdata = part.expected("userdata=00.11.22", octets(part.value))?,
            "pause" => pause = true,
            "meter_id" => meter = Some(part.number::<MeterId>()?),
            _ => return Err(Problem::UnknownWord.of(part.whole)),
        }
    }
    let plain = userdata.is_empty() && !pause && meter.is_none();
    if plain && reason == PacketInReason::ACTION && id == 0 {
        return Ok(to_controller(max_len));
    }
    if plain {
        return Ok(Controller { max_len, controller_id: id, reason: reason.0 }.into());
    }
    let properties = [
        (max_len != u16::MAX).then_some(ControllerProperty::MaxLen(MaxLen(max_len))),
        (id != 0).then_some(ControllerProperty::ControllerId(id)),
        (reason != PacketInReason::ACTION).then_some(ControllerProperty::Reason(reason)),
        (!userdata.is_empty()).then(|| ControllerProperty::Userdata(userdata.into())),
        pause.then_some(ControllerProperty::Pause),
        meter.map(ControllerProperty::Meter),
    ];
    Ok(Controller2 { properties: properties.into_iter().flatten().collect() }.into())
}

fn reason(text: &str) -> Option<PacketInReason> {
    let named = [
        PacketInReason::NO_MATCH,
        PacketInReason::ACTION,
        PacketInReason::INVALID_TTL,
        PacketInReason::ACTION_SET,
        PacketInReason::GROUP,
        PacketInReason::PACKET_OUT,
    ];
    named
        .into_iter()
        .find(|reason| reason.to_string() == text)
        .or_else(|| u8::from_text(text).map(PacketInReason))
}

pub(super) fn ct(item: &Item<'_>, depth: u8) -> Result<Action, ParseTextError> {
    let mut ct = Conntrack::lookup(0, TableId::ALL);
    for part in items(item.value) {
        match part.key {
            "commit" => ct.flags |= CtFlags::COMMIT,
            "force" => ct.flags |= CtFlags::FORCE,
            "table" => ct.table = part.number()?,
            "zone" => {
                let number = u16::from_text(part.value).map(CtZone::Number);
                let zone = number.or_else(|| subfield(part.value).map(CtZone::Field));
                ct.zone = part.expected("zone=1 or zone=NXM_NX_REG0[0..15]", zone)?;
            }
            "alg" => ct.alg = part.expected("alg=ftp", alg(part.value))?,
            "nat" => ct.actions.insert(0, nat(&part)?),
            "exec" => ct.actions.extend(list(part.value, depth + 1)?),
            _ => return Err(Problem::UnknownWord.of(part.whole)),
        }
    }
    Ok(ct.into())
}

pub(super) fn nat(item: &Item<'_>) -> Result<Action, ParseTextError> {
    let mut nat = Nat::default();
    for part in items(item.value) {
        let flag = match part.key {
            "src" => NatFlags::SRC,
            "dst" => NatFlags::DST,
            "persistent" => NatFlags::PERSISTENT,
            "hash" => NatFlags::PROTO_HASH,
            "random" => NatFlags::PROTO_RANDOM,
            _ => return Err(Problem::UnknownWord.of(part.whole)),
        };
        nat.flags |= flag;
        if !part.value.is_empty() {
            nat_range(&part, &mut nat)?;
        }
    }
    Ok(nat.into())
}

/// `10.0.0.1`, `10.0.0.1-10.0.0.9`, either with `:100-200`; IPv6 in brackets if there are ports.
fn nat_range(item: &Item<'_>, nat: &mut Nat) -> Result<(), ParseTextError> {
    let what = "src=10.0.0.1-10.0.0.9:100-200 or src=[fe80::1]-[fe80::9]:100-200";
    let text = item.value;
    let ipv4 = !text.contains('[') && text.contains('.') && text.matches(':').count() <= 1;
    let ports_at = if ipv4 { text.find(':') } else { text.rfind("]:").map(|at| at + 1) };
    let (addresses, ports) = match ports_at {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
        None => (text, None),
    };
    let (min, max) = match addresses.split_once('-') {
        Some((min, max)) => (address(min), Some(address(max))),
        None => (address(addresses), None),
    };
    nat.addresses = Some(match (min, max) {
        (Some(Ok(min)), None) => NatRange::Ipv4(min, None),
        (Some(Ok(min)), Some(Some(Ok(max)))) => NatRange::Ipv4(min, Some(max)),
        (Some(Err(min)), None) => NatRange::Ipv6(min, None),
        (Some(Err(min)), Some(Some(Err(max)))) => NatRange::Ipv6(min, Some(max)),
        _ => return item.expected(what, None),
    });
    if let Some(ports) = ports {
        let range = match ports.split_once('-') {
            Some((min, max)) => u16::from_text(min).zip(u16::from_text(max).map(Some)),
            None => u16::from_text(ports).map(|min| (min, None)),
        };
        nat.ports = Some(item.expected(what, range)?);
    }
    Ok(())
}

fn hash_fields(text: &str) -> Option<HashFields> {
    (0..=6).map(HashFields).find(|fields| fields.to_string() == text)
}

pub(super) fn multipath(item: &Item<'_>) -> Result<Action, ParseTextError> {
    let parts: Vec<_> = item.value.split(',').map(str::trim).collect();
    let multipath = match parts[..] {
        [fields, basis, algorithm, links, arg, dst] => (|| {
            let dst = subfield(dst)?;
            Some(Multipath {
                fields: hash_fields(fields)?,
                basis: u16::from_text(basis)?,
                algorithm: (0..4).map(MultipathAlgorithm).find(|known| known.to_string() == algorithm)?,
                max_link: u32::from_text(links)?.checked_sub(1)?.try_into().ok()?,
                arg: u32::from_text(arg)?,
                ofs_nbits: dst.ofs_nbits(),
                dst: dst.field,
            })
        })(),
        _ => None,
    };
    item.expected("multipath(fields,basis,algorithm,links,arg,field[..])", multipath).map(Into::into)
}

pub(super) fn bundle(item: &Item<'_>) -> Result<Action, ParseTextError> {
    let what =
        "bundle(fields,basis,algorithm,ofport,members:1,2), with field[..] before members for bundle_load";
    // The second word is what the members were called before Open vSwitch 2.15.
    let parts = item.value.split_once("members:").or_else(|| item.value.split_once("slaves:"));
    let (head, members) = item.expected(what, parts)?;
    let head: Vec<_> = head.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    let members = members.split(',').map(str::trim).filter(|port| !port.is_empty()).map(port16).collect();
    let (fields, basis, algorithm, dst) = match head[..] {
        [fields, basis, algorithm, "ofport"] => (fields, basis, algorithm, None),
        [fields, basis, algorithm, "ofport", dst] => (fields, basis, algorithm, Some(dst)),
        _ => return item.expected(what, None),
    };
    let bundle = BundleOutput {
        algorithm: item
            .expected(what, (0..2).map(BundleAlgorithm).find(|known| known.to_string() == algorithm))?,
        fields: item.expected(what, hash_fields(fields))?,
        basis: item.expected(what, u16::from_text(basis))?,
        member_type: OxmHeader::NXM_IN_PORT,
        members: item.expected(what, members)?,
    };
    match (item.key, dst.map(subfield)) {
        ("bundle", None) => Ok(bundle.into()),
        ("bundle_load", Some(Some(dst))) => Ok(BundleLoad { bundle, dst }.into()),
        _ => item.expected(what, None),
    }
}

pub(super) fn learn(item: &Item<'_>) -> Result<Action, ParseTextError> {
    let mut learn = Learn::new(1, []);
    let (mut limit, mut result) = (0, None);
    for part in items(item.value) {
        match part.key {
            "table" => learn.table = part.number()?,
            "idle_timeout" => learn.idle_timeout = part.number()?,
            "hard_timeout" => learn.hard_timeout = part.number()?,
            "fin_idle_timeout" => learn.fin_idle_timeout = part.number()?,
            "fin_hard_timeout" => learn.fin_hard_timeout = part.number()?,
            "priority" => learn.priority = part.number()?,
            "cookie" => learn.cookie = part.number()?,
            "send_flow_rem" => learn.flags |= LearnFlags::SEND_FLOW_REM,
            "delete_learned" => learn.flags |= LearnFlags::DELETE_LEARNED,
            "limit" => limit = part.number()?,
            "result_dst" => {
                let bit = subfield(part.value).filter(|dst| dst.n_bits == 1);
                let bit = part.expected("result_dst=NXM_NX_REG0[0]", bit)?;
                learn.flags |= LearnFlags::WRITE_RESULT;
                result = Some((bit.field, bit.ofs));
            }
            _ => learn.specs.push(part.expected("field[..], field[..]=field[..], field=value, load:value->field[..], load:field[..]->field[..] or output:field[..]", learn_spec(&part))?),
        }
    }
    Ok(match (limit, result) {
        (0, None) => learn.into(),
        _ => LearnLimit { learn, limit, result }.into(),
    })
}

fn learn_spec(item: &Item<'_>) -> Option<LearnSpec> {
    let field = |part: Subfield| LearnSource::Field(part.field, part.ofs);
    match item.key {
        "load" => {
            let (src, dst) = item.value.split_once("->")?;
            let dst = subfield(dst)?;
            let source = match subfield(src) {
                Some(src) if src.n_bits == dst.n_bits => field(src),
                Some(_) => return None,
                None => immediate(dst.n_bits, bytes(src)?)?,
            };
            Some(LearnSpec { n_bits: dst.n_bits, source, target: LearnTarget::Load(dst.field, dst.ofs) })
        }
        "output" => Some(LearnSpec::output(subfield(item.value)?)),
        name => {
            let dst = subfield(name)?;
            let target = LearnTarget::Match(dst.field, dst.ofs);
            let source = match (item.value, subfield(item.value)) {
                ("", _) => field(dst),
                (_, Some(src)) if src.n_bits == dst.n_bits => field(src),
                (_, Some(_)) => return None,
                (value, None) => learned_value(name, dst, value)?,
            };
            Some(LearnSpec { n_bits: dst.n_bits, source, target })
        }
    }
}

/// A value in the notation of its field, or a number for some bits of it.
fn learned_value(name: &str, dst: Subfield, value: &str) -> Option<LearnSource> {
    if dst != Subfield::whole(dst.field) {
        return immediate(dst.n_bits, bytes(value)?);
    }
    if dst.field == OxmHeader::IN_PORT || dst.field == OxmHeader::NXM_IN_PORT {
        let port = crate::types::PortNo::from_text(value)?;
        return immediate(dst.n_bits, port.0.to_be_bytes().into());
    }
    let field = match matches::named_field(name, value) {
        Some(field) => field.ok()?,
        None => return immediate(dst.n_bits, bytes(value)?),
    };
    let mut wire = Vec::new();
    field.encode(&mut wire);
    let header = if field.id().class == u16::MAX { 8 } else { 4 };
    immediate(dst.n_bits, wire.get(header..)?.to_vec())
}

/// The low `n_bits` of a number in network order, if it has no others.
fn immediate(n_bits: u16, bytes: Vec<u8>) -> Option<LearnSource> {
    let len = usize::from(n_bits).div_ceil(16) * 2;
    let extra = bytes.len().saturating_sub(len);
    let (head, tail) = bytes.split_at(extra);
    if head.iter().any(|byte| *byte != 0) {
        return None;
    }
    Some(LearnSource::Immediate([vec![0; len - tail.len()], tail.to_vec()].concat().into()))
}

pub(super) fn sample(item: &Item<'_>) -> Result<Action, ParseTextError> {
    let (mut probability, mut set) = (0, 0);
    let (mut domain, mut point) = (SampleId::Number(0), SampleId::Number(0));
    let (mut sampling_port, mut direction) = (u16::MAX, SampleDirection::DEFAULT);
    let id = |part: &Item<'_>| {
        let number = u32::from_text(part.value).map(SampleId::Number);
        part.expected(
            "id=1 or id=NXM_NX_REG0[]",
            number.or_else(|| subfield(part.value).map(SampleId::Field)),
        )
    };
    for part in items(item.value) {
        match part.key {
            "probability" => probability = part.number()?,
            "collector_set_id" => set = part.number()?,
            "obs_domain_id" => domain = id(&part)?,
            "obs_point_id" => point = id(&part)?,
            "sampling_port" => sampling_port = part.expected("sampling_port=1", port16(part.value))?,
            "ingress" => direction = SampleDirection::INGRESS,
            "egress" => direction = SampleDirection::EGRESS,
            _ => return Err(Problem::UnknownWord.of(part.whole)),
        }
    }
    let (SampleId::Number(obs_domain_id), SampleId::Number(obs_point_id)) = (domain, point) else {
        let (obs_domain_id, obs_point_id, collector_set_id) = (domain, point, set);
        let sample = SampleFields {
            probability,
            collector_set_id,
            obs_domain_id,
            obs_point_id,
            sampling_port,
            direction,
        };
        return Ok(sample.into());
    };
    let sample = Sample { probability, collector_set_id: set, obs_domain_id, obs_point_id };
    Ok(match (sampling_port, direction) {
        (u16::MAX, SampleDirection::DEFAULT) => sample.into(),
        (_, SampleDirection::DEFAULT) => {
            NiciraAction::Sample2(SamplePort { sample, sampling_port, direction }).into()
        }
        _ => NiciraAction::Sample3(SamplePort { sample, sampling_port, direction }).into(),
    })
}

pub(super) fn encap(item: &Item<'_>) -> Result<Action, ParseTextError> {
    let header = Item::new(item.value.trim());
    let new_pkt_type = match header.key {
        "ethernet" => PacketType::ETHERNET,
        "nsh" => PacketType::NSH,
        "mpls" => PacketType::MPLS,
        "mpls_mc" => PacketType::MPLS_MCAST,
        _ => return item.expected("encap(ethernet), encap(nsh(...)), encap(mpls) or encap(mpls_mc)", None),
    };
    let mut properties = Vec::new();
    for part in items(header.value) {
        properties.push(match part.key {
            "md_type" => EdProperty::NshMdType(part.number()?),
            "tlv" => part.expected("tlv(0x1000,10,0x12345678)", nsh_tlv(part.value))?,
            _ => return Err(Problem::UnknownWord.of(part.whole)),
        });
    }
    Ok(Encap { hdr_size: 0, new_pkt_type, properties }.into())
}

fn nsh_tlv(text: &str) -> Option<EdProperty> {
    let mut parts = text.split(',').map(str::trim);
    let (class, ty, value) = (parts.next()?, parts.next()?, parts.next()?);
    let value = bytes(value).filter(|value| value.len() <= 239)?;
    Some(EdProperty::NshTlv { class: u16::from_text(class)?, ty: u8::from_text(ty)?, value: value.into() })
}

pub(super) fn decap(item: &Item<'_>) -> Result<Action, ParseTextError> {
    if item.value.trim().is_empty() {
        return Ok(Decap { new_pkt_type: PacketType::USE_NEXT_PROTO }.into());
    }
    let ty = Item::new(item.value.trim());
    let (mut namespace, mut id) = (None, None);
    for part in items(ty.value) {
        match part.key {
            "ns" => namespace = u16::from_text(part.value),
            "type" => id = u16::from_text(part.value),
            _ => return Err(Problem::UnknownWord.of(part.whole)),
        }
    }
    let (namespace, id) =
        item.expected("decap() or decap(packet_type(ns=1,type=0x800))", namespace.zip(id))?;
    Ok(Decap { new_pkt_type: PacketType(u32::from(namespace) << 16 | u32::from(id)) }.into())
}
