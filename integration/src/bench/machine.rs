//! The line that says where figures are from.

use std::fs;

use flowport::lab::LabHost;

use super::BenchError;
use crate::{flowport, oracle};

pub(super) async fn describe(host: &LabHost) -> Result<String, BenchError> {
    let cores = std::thread::available_parallelism()?;
    let cpu = fs::read_to_string("/proc/cpuinfo")?;
    let cpu =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    let memory = fs::read_to_string("/proc/meminfo")?;
    let memory: u64 = memory.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let ovs = host.run("ovs-vswitchd", &["--version"]).await?;
    let ovs =
        ovs.lines().next().and_then(|line| line.split_whitespace().last()).unwrap_or_default().to_owned();
    let docker = oracle::docker(host, &["version", "--format", "{{.Server.Version}}"]).await;
    // target/release/flowport
    let exe = flowport();
    let profile =
        exe.parent().and_then(|dir| dir.file_name()).unwrap_or_default().to_string_lossy().into_owned();
    Ok(format!(
        "{cores} cores ({}), {} GiB, Linux {}, Open vSwitch {ovs} (userspace datapath), Docker {}, flowport {} build",
        cpu.unwrap_or("unknown"),
        memory.div_ceil(1 << 20),
        kernel.trim(),
        docker.trim(),
        profile,
    ))
}
