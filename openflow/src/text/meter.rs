//! Meters, as ofp-print and dump-meters print them.

use std::fmt::{self, Display, Formatter};

use crate::message::meter::{MeterBand, MeterConfig, MeterFlags, MeterMod, MeterModCommand};
use crate::types::MeterId;

impl Display for MeterConfig {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        meter(f, self.meter_id, self.flags, &self.bands)
    }
}

impl Display for MeterMod {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.command {
            MeterModCommand::ADD => f.write_str("ADD ")?,
            MeterModCommand::MODIFY => f.write_str("MOD ")?,
            MeterModCommand::DELETE => f.write_str("DEL ")?,
            MeterModCommand(command) => write!(f, "cmd:{command} ")?,
        }
        meter(f, self.meter_id, self.flags, &self.bands)
    }
}

fn meter(f: &mut Formatter<'_>, id: MeterId, flags: MeterFlags, bands: &[MeterBand]) -> fmt::Result {
    write!(f, "meter={id} ")?;
    for (flag, name) in [
        (MeterFlags::KBPS, "kbps "),
        (MeterFlags::PKTPS, "pktps "),
        (MeterFlags::BURST, "burst "),
        (MeterFlags::STATS, "stats "),
    ] {
        if flags.contains(flag) {
            f.write_str(name)?;
        }
    }
    f.write_str("bands=")?;
    bands.iter().try_for_each(|one| band(f, one, flags))
}

/// On a line of its own. The burst size is shown where it counts.
fn band(f: &mut Formatter<'_>, band: &MeterBand, flags: MeterFlags) -> fmt::Result {
    let (ty, rate, burst_size, prec_level) = match band {
        MeterBand::Drop(band) => ("drop", band.rate, band.burst_size, None),
        MeterBand::DscpRemark(band) => ("dscp_remark", band.rate, band.burst_size, Some(band.prec_level)),
        MeterBand::Unknown { ty, body } => return write!(f, "\ntype={ty} {body:?}"),
    };
    write!(f, "\ntype={ty} rate={rate}")?;
    if flags.contains(MeterFlags::BURST) {
        write!(f, " burst_size={burst_size}")?;
    }
    match prec_level {
        Some(level) => write!(f, " prec_level={level}"),
        None => Ok(()),
    }
}
