//! Where things are on a host.

use std::path::{Path, PathBuf};

/// The OVSDB server of a packaged Open vSwitch.
pub const DEFAULT_DB: &str = "unix:/var/run/openvswitch/db.sock";
/// The daemon's socket.
pub const DEFAULT_SOCKET: &str = "/run/flowport/flowport.sock";
/// Where the daemon keeps its databases.
pub const DEFAULT_STATE: &str = "/var/lib/flowport";

const DEFAULT_RUNDIR: &str = "/var/run/openvswitch";

/// The directory with the sockets of ovs-vswitchd: beside the database's own, where that is a file.
pub fn rundir(db: &str) -> PathBuf {
    let beside = db.strip_prefix("unix:").and_then(|path| Path::new(path).parent());
    match (beside, std::env::var_os("OVS_RUNDIR")) {
        (Some(dir), _) => dir.to_owned(),
        (None, Some(dir)) => dir.into(),
        (None, None) => DEFAULT_RUNDIR.into(),
    }
}

/// The management socket of a bridge (ovs-vswitchd(8)).
pub fn management_socket(rundir: &Path, bridge: &str) -> PathBuf {
    rundir.join(format!("{bridge}.mgmt"))
}
