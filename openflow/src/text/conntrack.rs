//! `ct(...)` and `nat(...)`.

use std::fmt::{self, Display, Formatter};

use super::actions::{actions, list};
use crate::action::nicira::{Conntrack, CtFlags, CtZone, Nat, NatFlags, NatRange};
use crate::action::{Action, ExperimenterAction, NiciraAction};
use crate::types::TableId;

impl Display for Conntrack {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (nat, exec) = match &self.actions[..] {
            [Action::Experimenter(ExperimenterAction::Nicira(NiciraAction::Nat(nat))), rest @ ..] => {
                (Some(nat), rest)
            }
            rest => (None, rest),
        };
        let zone = match self.zone {
            CtZone::Number(0) => None,
            CtZone::Number(zone) => Some(format!("zone={zone}")),
            CtZone::Field(field) => Some(format!("zone={field}")),
        };
        let alg = match self.alg {
            0 => None,
            21 => Some("alg=ftp".to_owned()),
            69 => Some("alg=tftp".to_owned()),
            port => Some(format!("alg={port}")),
        };
        let items = [
            self.flags.contains(CtFlags::COMMIT).then(|| "commit".to_owned()),
            self.flags.contains(CtFlags::FORCE).then(|| "force".to_owned()),
            (self.table != TableId::ALL).then(|| format!("table={}", self.table)),
            zone,
            nat.map(ToString::to_string),
            (!exec.is_empty()).then(|| format!("exec({})", Exec(exec))),
            alg,
        ];
        f.write_str("ct(")?;
        list(f, items.into_iter().flatten(), ",")?;
        f.write_str(")")
    }
}

struct Exec<'a>(&'a [Action]);

impl Display for Exec<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        actions(f, self.0)
    }
}

impl Display for Nat {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("nat")?;
        let direction = match self.flags {
            flags if flags.contains(NatFlags::SRC) => "src",
            flags if flags.contains(NatFlags::DST) => "dst",
            _ => return Ok(()),
        };
        write!(f, "({direction}")?;
        if let Some(addresses) = &self.addresses {
            f.write_str("=")?;
            range(f, addresses, self.ports.is_some_and(|(min, _)| min != 0))?;
            match self.ports {
                None | Some((0, _)) => {}
                Some((min, Some(max))) if max != 0 && max != min => write!(f, ":{min}-{max}")?,
                Some((min, _)) => write!(f, ":{min}")?,
            }
            for (flag, name) in [
                (NatFlags::PERSISTENT, ",persistent"),
                (NatFlags::PROTO_HASH, ",hash"),
                (NatFlags::PROTO_RANDOM, ",random"),
            ] {
                if self.flags.contains(flag) {
                    f.write_str(name)?;
                }
            }
        }
        f.write_str(")")
    }
}

fn range(f: &mut Formatter<'_>, addresses: &NatRange, ports: bool) -> fmt::Result {
    match *addresses {
        NatRange::Ipv4(min, Some(max)) if max != min && !max.is_unspecified() => write!(f, "{min}-{max}"),
        NatRange::Ipv4(min, _) => write!(f, "{min}"),
        NatRange::Ipv6(min, Some(max)) if max != min && !max.is_unspecified() => match ports {
            true => write!(f, "[{min}]-[{max}]"),
            false => write!(f, "{min}-{max}"),
        },
        NatRange::Ipv6(min, _) if ports => write!(f, "[{min}]"),
        NatRange::Ipv6(min, _) => write!(f, "{min}"),
    }
}
