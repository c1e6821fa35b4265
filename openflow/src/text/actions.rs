//! Actions and instructions.

use std::fmt::{self, Display, Formatter};

use super::matches::Value;
use super::openvswitch;
use super::value::Alternate;
use crate::action::nicira::{self, ControllerProperty, NiciraAction, ResubmitTable};
use crate::action::{Action, ActionList, ExperimenterAction, Instruction, Subfield};
use crate::oxm::OxmField;
use crate::types::{PortNo, TableId};

impl Display for Action {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output(output) => match output.port {
                PortNo::CONTROLLER => write!(f, "CONTROLLER:{}", output.max_len.0),
                port if port < PortNo::MAX => write!(f, "output:{port}"),
                port => write!(f, "{port}"),
            },
            Self::CopyTtlOut => f.write_str("copy_ttl_out"),
            Self::CopyTtlIn => f.write_str("copy_ttl_in"),
            Self::SetMplsTtl(ttl) => write!(f, "set_mpls_ttl({ttl})"),
            Self::DecMplsTtl => f.write_str("dec_mpls_ttl"),
            Self::PushVlan(ty) => write!(f, "push_vlan:{:#x}", ty.0),
            Self::PopVlan => f.write_str("pop_vlan"),
            Self::PushMpls(ty) => write!(f, "push_mpls:{ty}"),
            Self::PopMpls(ty) => write!(f, "pop_mpls:{ty}"),
            Self::SetQueue(queue) => write!(f, "set_queue:{queue}"),
            Self::Group(group) => write!(f, "group:{}", group.0),
            Self::SetNwTtl(ttl) => write!(f, "mod_nw_ttl:{ttl}"),
            Self::DecNwTtl => f.write_str("dec_ttl"),
            Self::SetField(field) => write!(f, "set_field:{}->{}", Value(field), set_field_name(field)),
            Self::PushPbb(ty) => write!(f, "push_pbb:{ty}"),
            Self::PopPbb => f.write_str("pop_pbb"),
            Self::Experimenter(ExperimenterAction::Nicira(action)) => action.fmt(f),
            Self::Experimenter(ExperimenterAction::CopyField(copy)) => {
                let src = Subfield::bits(copy.src, copy.src_offset, copy.n_bits);
                write!(f, "move:{src}->{}", Subfield::bits(copy.dst, copy.dst_offset, copy.n_bits))
            }
            Self::Experimenter(ExperimenterAction::Unknown { experimenter, body }) => {
                write!(f, "experimenter({experimenter:#x},{body:?})")
            }
            Self::Unknown { ty, body } => write!(f, "unknown({ty},{body:?})"),
        }
    }
}

/// The one field whose OpenFlow 1.3 form has a name of its own.
fn set_field_name(field: &OxmField) -> &'static str {
    match field {
        OxmField::InPort(_) => "in_port_oxm",
        field => field.ovs_name(),
    }
}

impl Display for NiciraAction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resubmit(port) => write!(f, "resubmit:{}", port16(*port)),
            Self::ResubmitTable(resubmit) => resubmit_table(f, resubmit, ""),
            Self::ResubmitTableCt(resubmit) => resubmit_table(f, resubmit, ",ct"),
            Self::SetTunnel(tunnel) => write!(f, "set_tunnel:{}", Alternate(tunnel.tun_id.into())),
            Self::SetTunnel64(tunnel) => write!(f, "set_tunnel64:{}", Alternate(tunnel.tun_id.into())),
            Self::PopQueue => f.write_str("pop_queue"),
            Self::RegMove(m) => {
                let (src, dst) =
                    (Subfield::bits(m.src, m.src_ofs, m.n_bits), Subfield::bits(m.dst, m.dst_ofs, m.n_bits));
                write!(f, "move:{src}->{dst}")
            }
            Self::RegLoad(load) => write!(f, "load:{}->{}", Alternate(load.value.into()), load.subfield()),
            Self::Note(bytes) => {
                f.write_str("note:")?;
                list(f, bytes.iter().map(|byte| format!("{byte:02x}")), ".")
            }
            Self::OutputReg(reg) => write!(f, "output:{}", Subfield::from_ofs_nbits(reg.src, reg.ofs_nbits)),
            Self::Exit => f.write_str("exit"),
            Self::FinTimeout(timeout) => {
                let items = [("idle_timeout", timeout.idle), ("hard_timeout", timeout.hard)];
                f.write_str("fin_timeout(")?;
                let items = items.into_iter().filter(|(_, seconds)| *seconds != 0);
                list(f, items.map(|(name, seconds)| format!("{name}={seconds}")), ",")?;
                f.write_str(")")
            }
            Self::Controller(controller) => openvswitch::controller(
                f,
                &[
                    ControllerProperty::Reason(controller.reason.into()),
                    ControllerProperty::MaxLen(controller.max_len.into()),
                    ControllerProperty::ControllerId(controller.controller_id),
                ],
            ),
            Self::WriteMetadata(metadata) => write_metadata(f, metadata.metadata, metadata.mask),
            Self::StackPush(stack) => {
                write!(f, "push:{}", Subfield::bits(stack.field, stack.offset, stack.n_bits))
            }
            Self::StackPop(stack) => {
                write!(f, "pop:{}", Subfield::bits(stack.field, stack.offset, stack.n_bits))
            }
            Self::Conjunction(c) => {
                write!(f, "conjunction({},{}/{})", c.id, u16::from(c.clause) + 1, c.n_clauses)
            }
            Self::CtClear => f.write_str("ct_clear"),
            Self::Ct(ct) => ct.fmt(f),
            Self::Nat(nat) => nat.fmt(f),
            Self::Clone(clone) => {
                f.write_str("clone(")?;
                actions(f, &clone.actions)?;
                f.write_str(")")
            }
            Self::OutputTrunc(trunc) => {
                write!(f, "output(port={},max_len={})", port16(trunc.port), trunc.max_len)
            }
            Self::CheckPktLarger(check) => {
                write!(
                    f,
                    "check_pkt_larger({})->{}",
                    check.pkt_len,
                    Subfield::bits(check.dst, check.offset, 1)
                )
            }
            Self::DecTtlCntIds(ids) => {
                f.write_str("dec_ttl(")?;
                list(f, &ids.0, ",")?;
                f.write_str(")")
            }
            Self::Multipath(multipath) => multipath.fmt(f),
            Self::Bundle(bundle) => bundle.fmt(f),
            Self::BundleLoad(bundle) => bundle.fmt(f),
            Self::Learn(learn) => learn.fmt(f),
            Self::Learn2(learn) => learn.fmt(f),
            Self::Sample(sample) => sample.fmt(f),
            Self::Sample2(sample) | Self::Sample3(sample) => sample.fmt(f),
            Self::Sample4(sample) => sample.fmt(f),
            Self::OutputReg2(reg) => write!(f, "output:{}", Subfield::from_ofs_nbits(reg.src, reg.ofs_nbits)),
            Self::RegLoad2(load) => {
                write!(f, "set_field:{}->{}", Value(&load.field), set_field_name(&load.field))
            }
            Self::Controller2(controller) => openvswitch::controller(f, &controller.properties),
            Self::Encap(encap) => encap.fmt(f),
            Self::Decap(decap) => decap.fmt(f),
            Self::DecNshTtl => f.write_str("dec_nsh_ttl"),
            Self::DeleteField(nicira::DeleteField(field)) => {
                write!(f, "delete_field:{}", field.ovs_name().unwrap_or("unknown"))
            }
            Self::Unknown { ty, body } => write!(f, "nicira({ty},{body:?})"),
        }
    }
}

fn resubmit_table(f: &mut Formatter<'_>, resubmit: &ResubmitTable, ct: &str) -> fmt::Result {
    let port = (resubmit.in_port != nicira::PORT_IN_PORT).then(|| port16(resubmit.in_port).to_string());
    if resubmit.table == TableId::ALL {
        if let Some(port) = port {
            return write!(f, "resubmit:{port}");
        }
        return write!(f, "resubmit(,{ct})");
    }
    write!(f, "resubmit({},{}{ct})", port.unwrap_or_default(), resubmit.table)
}

/// A port of OpenFlow 1.0, whose reserved numbers are the low 16 bits of today's.
pub(super) fn port16(port: u16) -> PortNo {
    match port {
        0xff00.. => PortNo(0xffff_0000 | u32::from(port)),
        _ => PortNo(port.into()),
    }
}

fn write_metadata(f: &mut Formatter<'_>, metadata: u64, mask: u64) -> fmt::Result {
    write!(f, "write_metadata:{}", Alternate(metadata.into()))?;
    match mask {
        u64::MAX => Ok(()),
        mask => write!(f, "/{}", Alternate(mask.into())),
    }
}

impl Display for Subfield {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.field.name() {
            Some(name) => f.write_str(name)?,
            None => write!(f, "unknown({:#06x}:{})", self.field.class, self.field.field)?,
        }
        match (self.ofs, self.n_bits) {
            (0, n_bits) if n_bits == self.field.bits() => f.write_str("[]"),
            (ofs, 1) => write!(f, "[{ofs}]"),
            // Whatever the datapath says: the last bit may be beyond the field, and beyond 16 bits.
            (ofs, n_bits) => write!(f, "[{ofs}..{}]", u32::from(ofs) + u32::from(n_bits.max(1)) - 1),
        }
    }
}

impl Display for ActionList {
    /// The actions with commas between them; `drop` if there is none.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        actions(f, self)
    }
}

pub(super) fn actions(f: &mut Formatter<'_>, actions: &[Action]) -> fmt::Result {
    match actions {
        [] => f.write_str("drop"),
        actions => list(f, actions, ","),
    }
}

impl Display for Instruction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::GotoTable(table) => write!(f, "goto_table:{table}"),
            Self::WriteMetadata(metadata) => write_metadata(f, metadata.metadata, metadata.mask),
            Self::WriteActions(list) => write!(f, "write_actions({list})"),
            Self::ApplyActions(list) => list.fmt(f),
            Self::ClearActions => f.write_str("clear_actions"),
            Self::Meter(meter) => write!(f, "meter:{}", meter.0),
            Self::Unknown { ty, body } => write!(f, "instruction({ty},{body:?})"),
        }
    }
}

/// What stands after `actions=` in a flow.
pub(super) struct Instructions<'a>(pub(super) &'a [Instruction]);

impl Display for Instructions<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let nothing = |instruction: &&Instruction| !matches!(instruction, Instruction::ApplyActions(actions) if actions.is_empty());
        let mut items: Vec<_> = self.0.iter().filter(nothing).collect();
        items.sort_by_key(|instruction| instruction.rank());
        match items.is_empty() {
            true => f.write_str("drop"),
            false => list(f, items, ","),
        }
    }
}

pub(super) fn list<T: Display>(
    f: &mut Formatter<'_>,
    items: impl IntoIterator<Item = T>,
    between: &str,
) -> fmt::Result {
    for (n, item) in items.into_iter().enumerate() {
        if n > 0 {
            f.write_str(between)?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}
