//! `daemon`.

use std::path::PathBuf;

use crate::daemon::metrics::Address;
use crate::daemon::{self, Config};

use super::{Failure, Global, output};

#[derive(clap::Args)]
pub(super) struct DaemonArgs {
    /// The directory of the daemon's own database
    #[arg(long, value_name = "DIR", env = "FLOWPORT_STATE", default_value = crate::place::DEFAULT_STATE)]
    state: PathBuf,
    /// Serve metrics for Prometheus at /metrics of this address: IP:PORT or unix:/PATH
    #[arg(long, value_name = "ADDR", env = "FLOWPORT_METRICS")]
    metrics: Option<Address>,
}

pub(super) fn daemon(global: &Global, args: &DaemonArgs) -> Result<(), Failure> {
    let config = Config {
        db: global.db()?,
        socket: global.socket.clone(),
        state: args.state.clone(),
        metrics: args.metrics.clone(),
    };
    output::runtime()?.block_on(daemon::run(config, || {})).map_err(Failure::from)
}
