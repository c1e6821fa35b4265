//! What a process costs, read of `/proc`.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Clock ticks a second, the same on all of Linux's architectures that matter.
const TICKS: f64 = 100.0;

#[derive(Clone, Debug)]
pub(crate) struct Usage {
    /// Seconds from start to end.
    pub(crate) wall: f64,
    /// CPU seconds, of the user and of the kernel.
    pub(crate) cpu: f64,
    /// Most memory at once, in MB.
    pub(crate) peak: f64,
    /// What it wrote.
    pub(crate) output: String,
}

impl Usage {
    /// Runs a command to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        let start = Instant::now();
        let output = tempfile::NamedTempFile::new().unwrap();
        let file = output.reopen().unwrap();
        let mut child = command.stdout(Stdio::from(file)).spawn().expect("the program is there");
        let mut peak = 0.0f64;
        // What has ended keeps its times until it is waited for, but not its memory.
        while let Some(now) = memory(child.id(), "VmHWM:") {
            peak = peak.max(now);
            std::thread::sleep(Duration::from_millis(2));
        }
        let cpu = cpu(child.id());
        let wall = start.elapsed().as_secs_f64();
        assert!(child.wait().unwrap().success(), "{command:?}");
        Self { wall, cpu, peak, output: fs::read_to_string(output.path()).unwrap_or_default() }
    }

    pub(crate) fn text(&self) -> String {
        format!("{:.2} s, {:.2} CPU-s, {:.0} MB", self.wall, self.cpu, self.peak)
    }
}

/// The one with the median CPU time, its wall time and memory the medians too.
pub(crate) fn median_of(usages: &[Usage]) -> Usage {
    let median = |of: fn(&Usage) -> f64| crate::median(usages.iter().map(of));
    let (wall, cpu, peak) =
        (median(|usage| usage.wall), median(|usage| usage.cpu), median(|usage| usage.peak));
    Usage { wall, cpu, peak, output: usages[0].output.clone() }
}

/// MB, of a line of `/proc/PID/status`; `None` when the process has ended.
pub(crate) fn memory(pid: u32, line: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kilobytes = status.lines().find_map(|found| found.strip_prefix(line))?;
    kilobytes.trim().trim_end_matches(" kB").parse::<f64>().ok().map(|kilobytes| kilobytes * 1024.0 / 1e6)
}

/// CPU seconds of a process so far.
pub(crate) fn cpu(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // After the name in brackets, which may hold anything.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / TICKS
}

/// Seconds that this process's first thread has run, to the nanosecond: ticks miss what runs for less than one.
pub(crate) fn on_cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    stat.split_whitespace().next().and_then(|run| run.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}
