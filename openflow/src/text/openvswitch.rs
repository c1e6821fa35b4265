//! The longer actions of Open vSwitch.

use std::fmt::{self, Display, Formatter};

use super::actions::{list, port16};
use super::matches::Value;
use super::value::Alternate;
use crate::action::Subfield;
use crate::action::nicira::{
    BundleAlgorithm, BundleLoad, BundleOutput, ControllerProperty, Decap, EdProperty, Encap, HashFields,
    Learn, LearnFlags, LearnLimit, LearnSource, LearnSpec, LearnTarget, Multipath, MultipathAlgorithm,
    Sample, SampleDirection, SampleFields, SampleId, SamplePort,
};
use crate::message::packet::PacketInReason;
use crate::oxm::tun_metadata::Digits;
use crate::oxm::{OxmField, OxmHeader};
use crate::types::{Cookie, MeterId, PacketType};

const DEFAULT_PRIORITY: u16 = 0x8000;

impl Display for Learn {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        learn(f, self, 0, None)
    }
}

impl Display for LearnLimit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        learn(f, &self.learn, self.limit, self.result)
    }
}

fn learn(f: &mut Formatter<'_>, learn: &Learn, limit: u32, result: Option<(OxmHeader, u16)>) -> fmt::Result {
    let number = |name, n: u16| (n != 0).then(|| format!("{name}={n}"));
    let items = [
        Some(format!("table={}", learn.table)),
        number("idle_timeout", learn.idle_timeout),
        number("hard_timeout", learn.hard_timeout),
        number("fin_idle_timeout", learn.fin_idle_timeout),
        number("fin_hard_timeout", learn.fin_hard_timeout),
        (learn.priority != DEFAULT_PRIORITY).then(|| format!("priority={}", learn.priority)),
        learn.flags.contains(LearnFlags::SEND_FLOW_REM).then(|| "send_flow_rem".to_owned()),
        learn.flags.contains(LearnFlags::DELETE_LEARNED).then(|| "delete_learned".to_owned()),
        (learn.cookie != Cookie(0)).then(|| format!("cookie={}", learn.cookie)),
        (limit != 0).then(|| format!("limit={limit}")),
        result.map(|(field, ofs)| format!("result_dst={}", Subfield::bits(field, ofs, 1))),
    ];
    f.write_str("learn(")?;
    list(f, items.into_iter().flatten(), ",")?;
    learn.specs.iter().try_for_each(|spec| write!(f, ",{spec}"))?;
    f.write_str(")")
}

impl Display for LearnSpec {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let part = |field, ofs| Subfield::bits(field, ofs, self.n_bits);
        let bytes = |all: &[u8]| {
            let len = usize::from(self.n_bits).div_ceil(8).min(all.len());
            all.get(all.len() - len..).unwrap_or_default().to_vec()
        };
        match (&self.source, self.target) {
            (LearnSource::Immediate(value), LearnTarget::Match(field, ofs)) => {
                let (dst, value) = (part(field, ofs), bytes(value));
                let whole = dst == Subfield::whole(field);
                match OxmField::from_header(field, &value).filter(|_| whole) {
                    // ovs-ofctl knows only one input port, whose number is of 16 bits here.
                    Some(OxmField::NxmInPort(port)) => write!(f, "in_port={}", port16(port)),
                    Some(field) => write!(f, "{}={}", field.ovs_name(), Value(&field)),
                    None => write!(f, "{dst}={}", Digits(&value)),
                }
            }
            (LearnSource::Field(src, src_ofs), LearnTarget::Match(dst, dst_ofs)) => {
                write!(f, "{}", part(dst, dst_ofs))?;
                match (*src, *src_ofs) == (dst, dst_ofs) {
                    true => Ok(()),
                    false => write!(f, "={}", part(*src, *src_ofs)),
                }
            }
            (LearnSource::Immediate(value), LearnTarget::Load(dst, ofs)) => {
                write!(f, "load:{}->{}", Digits(&bytes(value)), part(dst, ofs))
            }
            (LearnSource::Field(src, src_ofs), LearnTarget::Load(dst, ofs)) => {
                write!(f, "load:{}->{}", part(*src, *src_ofs), part(dst, ofs))
            }
            (LearnSource::Field(src, ofs), LearnTarget::Output) => write!(f, "output:{}", part(*src, *ofs)),
            // No datapath takes it, and no notation has it.
            (LearnSource::Immediate(value), LearnTarget::Output) => write!(f, "output:{}", Digits(value)),
        }
    }
}

impl Display for HashFields {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::ETH_SRC => "eth_src",
            Self::SYMMETRIC_L4 => "symmetric_l4",
            Self::SYMMETRIC_L3L4 => "symmetric_l3l4",
            Self::SYMMETRIC_L3L4_UDP => "symmetric_l3l4+udp",
            Self::NW_SRC => "nw_src",
            Self::NW_DST => "nw_dst",
            Self::SYMMETRIC_L3 => "symmetric_l3",
            _ => "<unknown>",
        })
    }
}

impl Display for MultipathAlgorithm {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::MODULO_N => "modulo_n",
            Self::HASH_THRESHOLD => "hash_threshold",
            Self::HRW => "hrw",
            Self::ITER_HASH => "iter_hash",
            _ => "<unknown>",
        })
    }
}

impl Display for BundleAlgorithm {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::ACTIVE_BACKUP => "active_backup",
            Self::HRW => "hrw",
            _ => "<unknown>",
        })
    }
}

impl Display for Multipath {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let links = u32::from(self.max_link) + 1;
        let (fields, basis, algorithm, arg) = (self.fields, self.basis, self.algorithm, self.arg);
        write!(f, "multipath({fields},{basis},{algorithm},{links},{arg},{})", self.subfield())
    }
}

impl Display for BundleOutput {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "bundle({},{},{},ofport,members:", self.fields, self.basis, self.algorithm)?;
        list(f, self.members.iter().map(|port| port16(*port)), ",")?;
        f.write_str(")")
    }
}

impl Display for BundleLoad {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let BundleOutput { fields, basis, algorithm, members, .. } = &self.bundle;
        write!(f, "bundle_load({fields},{basis},{algorithm},ofport,{},members:", self.dst)?;
        list(f, members.iter().map(|port| port16(*port)), ",")?;
        f.write_str(")")
    }
}

/// `CONTROLLER:N` if there is nothing else to say, or `controller(...)`.
pub(super) fn controller(f: &mut Formatter<'_>, properties: &[ControllerProperty]) -> fmt::Result {
    let mut shown = (PacketInReason::ACTION, u16::MAX, 0, Vec::new(), false, MeterId(0));
    for property in properties {
        match property {
            ControllerProperty::MaxLen(len) => shown.1 = len.0,
            ControllerProperty::ControllerId(id) => shown.2 = *id,
            ControllerProperty::Reason(reason) => shown.0 = *reason,
            ControllerProperty::Userdata(data) => shown.3 = data.to_vec(),
            ControllerProperty::Pause => shown.4 = true,
            ControllerProperty::Meter(meter) => shown.5 = *meter,
            ControllerProperty::Unknown { .. } => {}
        }
    }
    let (reason, max_len, id, userdata, pause, meter) = shown;
    if reason == PacketInReason::ACTION && id == 0 && userdata.is_empty() && !pause && meter == MeterId(0) {
        return write!(f, "CONTROLLER:{max_len}");
    }
    let hex: Vec<_> = userdata.iter().map(|byte| format!("{byte:02x}")).collect();
    let items = [
        (reason != PacketInReason::ACTION).then(|| format!("reason={reason}")),
        (max_len != u16::MAX).then(|| format!("max_len={max_len}")),
        (id != 0).then(|| format!("id={id}")),
        (!hex.is_empty()).then(|| format!("userdata={}", hex.join("."))),
        pause.then(|| "pause".to_owned()),
        (meter != MeterId(0)).then(|| format!("meter_id={}", meter.0)),
    ];
    f.write_str("controller(")?;
    list(f, items.into_iter().flatten(), ",")?;
    f.write_str(")")
}

impl Display for PacketInReason {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NO_MATCH => f.write_str("no_match"),
            Self::ACTION => f.write_str("action"),
            Self::INVALID_TTL => f.write_str("invalid_ttl"),
            Self::ACTION_SET => f.write_str("action_set"),
            Self::GROUP => f.write_str("group"),
            Self::PACKET_OUT => f.write_str("packet_out"),
            Self(reason) => write!(f, "{reason}"),
        }
    }
}

impl Display for Sample {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (domain, point) = (SampleId::Number(self.obs_domain_id), SampleId::Number(self.obs_point_id));
        sample(f, self.probability, self.collector_set_id, (domain, point), None)
    }
}

impl Display for SamplePort {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Sample { probability, collector_set_id, obs_domain_id, obs_point_id } = self.sample;
        let ids = (SampleId::Number(obs_domain_id), SampleId::Number(obs_point_id));
        sample(f, probability, collector_set_id, ids, Some((self.sampling_port, self.direction)))
    }
}

impl Display for SampleFields {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let ids = (self.obs_domain_id, self.obs_point_id);
        let port = Some((self.sampling_port, self.direction));
        sample(f, self.probability, self.collector_set_id, ids, port)
    }
}

impl Display for SampleId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Field(field) => field.fmt(f),
        }
    }
}

fn sample(
    f: &mut Formatter<'_>,
    probability: u16,
    set: u32,
    (domain, point): (SampleId, SampleId),
    port: Option<(u16, SampleDirection)>,
) -> fmt::Result {
    write!(
        f,
        "sample(probability={probability},collector_set_id={set},obs_domain_id={domain},obs_point_id={point}"
    )?;
    if let Some((port, direction)) = port {
        if port != u16::MAX {
            write!(f, ",sampling_port={}", port16(port))?;
        }
        match direction {
            SampleDirection::INGRESS => f.write_str(",ingress")?,
            SampleDirection::EGRESS => f.write_str(",egress")?,
            _ => {}
        }
    }
    f.write_str(")")
}

impl Display for Encap {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("encap(")?;
        f.write_str(match self.new_pkt_type {
            PacketType::ETHERNET => "ethernet",
            PacketType::NSH => "nsh",
            PacketType::MPLS => "mpls",
            PacketType::MPLS_MCAST => "mpls_mc",
            _ => "UNKNOWN",
        })?;
        if !self.properties.is_empty() {
            f.write_str("(")?;
            list(f, &self.properties, ",")?;
            f.write_str(")")?;
        }
        f.write_str(")")
    }
}

impl Display for EdProperty {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NshMdType(md_type) => write!(f, "md_type={md_type}"),
            Self::NshTlv { class, ty, value } => write!(f, "tlv({class:#06x},{ty},{})", Digits(value)),
            Self::Unknown { class, ty, body } => write!(f, "unknown({class:#06x},{ty},{body:?})"),
        }
    }
}

impl Display for Decap {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.new_pkt_type {
            PacketType::USE_NEXT_PROTO => f.write_str("decap()"),
            ty => write!(f, "decap(packet_type(ns={},type={}))", ty.namespace(), Alternate(ty.id().into())),
        }
    }
}
