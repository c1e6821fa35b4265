//! What this process takes, under the names that Prometheus' own libraries give it.

use std::fs;

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// What proc(5) tells of a process.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Taken {
    cpu_seconds: f64,
    /// Since the epoch.
    start_seconds: Option<f64>,
    virtual_bytes: u64,
    resident_bytes: u64,
}

/// What /proc does not tell is left out.
pub(super) fn describe(registry: &mut Registry) {
    let registry = registry.sub_registry_with_prefix("process");
    let boot = fs::read_to_string("/proc/stat").ok().and_then(|stat| boot_time(&stat));
    let taken = fs::read_to_string("/proc/self/stat").ok().and_then(|stat| Taken::parse(&stat, boot));
    if let Some(taken) = taken {
        let cpu = ConstCounter::new(taken.cpu_seconds);
        registry.register_with_unit("cpu", "User and system CPU time", Unit::Seconds, cpu);
        let bytes = [
            ("virtual_memory", "Virtual memory size", taken.virtual_bytes),
            ("resident_memory", "Resident memory size", taken.resident_bytes),
        ];
        for (name, help, bytes) in bytes {
            registry.register_with_unit(
                name,
                help,
                Unit::Bytes,
                ConstGauge::new(i64::try_from(bytes).unwrap_or(i64::MAX)),
            );
        }
        if let Some(start) = taken.start_seconds {
            let help = "When the process started, since the epoch";
            registry.register_with_unit("start_time", help, Unit::Seconds, ConstGauge::new(start));
        }
    }
    // The one that reads the directory is not counted.
    let open = fs::read_dir("/proc/self/fd").map(|fds| fds.count().saturating_sub(1));
    if let Ok(open) = open {
        registry.register("open_fds", "Open file descriptors", ConstGauge::new(open as f64));
    }
    if let Some(most) = getrlimit(Resource::Nofile).current {
        registry.register("max_fds", "File descriptors that may be open", ConstGauge::new(most as f64));
    }
}

/// The moment of the boot in seconds since the epoch.
fn boot_time(stat: &str) -> Option<f64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

impl Taken {
    /// Fields 14, 15 and 22 to 24 of `/proc/PID/stat`.
    fn parse(stat: &str, boot: Option<f64>) -> Option<Self> {
        // The program's name in the second field may hold blanks and brackets; the last ')' ends it.
        let (_, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let seconds = |ticks: u64| ticks as f64 / clock_ticks_per_second() as f64;
        Some(Self {
            cpu_seconds: seconds(field(14)? + field(15)?),
            start_seconds: field(22).map(seconds).and_then(|since_boot| Some(boot? + since_boot)),
            virtual_bytes: field(23)?,
            resident_bytes: field(24)? * page_size() as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_those_of_proc_5() {
        let stat = "42 (a) b) R 0 42 42 0 -1 4194560 1 2 3 4 500 600 7 8 20 0 1 0 987654 1000 10";
        let ticks = clock_ticks_per_second() as f64;
        let expected = Taken {
            cpu_seconds: 1100.0 / ticks,
            start_seconds: Some(1_700_000_000.0 + 987_654.0 / ticks),
            virtual_bytes: 1000,
            resident_bytes: 10 * page_size() as u64,
        };
        let boot = boot_time("cpu 1 2 3\nbtime 1700000000\nprocesses 5\n");
        assert_eq!(Taken::parse(stat, boot), Some(expected));
        assert_eq!(Taken::parse("42 (a) R 0", boot), None);
    }
}
