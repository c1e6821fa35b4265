//! `add-br`, `del-br`, `adopt`, `add-tunnel`.

use crate::intent::{AddBr, AddTunnel, Intent, parse_address};
use crate::model::{DatapathType, TunnelKind};

use super::submit::submit;
use super::{Failure, Global};

#[derive(clap::Args)]
pub(super) struct AddBrArgs {
    /// The bridge's name
    bridge: String,
    /// The datapath: the kernel's (system) or the userspace one (netdev)
    #[arg(long, default_value = "system")]
    datapath: DatapathType,
    /// Leave forwarding to Open vSwitch, which learns and floods
    #[arg(long)]
    plain: bool,
    /// An address of this host on the bridge; may be given several times
    #[arg(long, value_name = "CIDR")]
    address: Vec<String>,
    /// A link of this host to plug into the bridge
    #[arg(long, value_name = "IFACE")]
    uplink: Option<String>,
}

pub(super) fn add_br(global: &Global, args: &AddBrArgs) -> Result<(), Failure> {
    let asked = AddBr {
        bridge: args.bridge.parse()?,
        datapath: args.datapath,
        plain: args.plain,
        address: args.address.iter().map(|text| parse_address(text)).collect::<Result<_, _>>()?,
        uplink: args.uplink.as_deref().map(str::parse).transpose()?,
    };
    submit(global, Intent::AddBr(asked))?;
    Ok(())
}

#[derive(clap::Args)]
pub(super) struct DelBrArgs {
    /// The bridge
    bridge: String,
}

pub(super) fn del_br(global: &Global, args: &DelBrArgs) -> Result<(), Failure> {
    submit(global, Intent::DelBr { bridge: args.bridge.parse()? })?;
    Ok(())
}

#[derive(clap::Args)]
pub(super) struct AdoptArgs {
    /// The bridge
    bridge: String,
}

pub(super) fn adopt(global: &Global, args: &AdoptArgs) -> Result<(), Failure> {
    submit(global, Intent::Adopt { bridge: args.bridge.parse()? })?;
    Ok(())
}

#[derive(clap::Args)]
pub(super) struct AddTunnelArgs {
    /// The bridge
    bridge: String,
    /// The name of the tunnel's port
    name: String,
    /// The encapsulation
    #[arg(long = "type", value_name = "gre|vxlan|geneve")]
    kind: TunnelKind,
    /// The other host's address; flow, on plain bridges only: the one that the flow entry names
    #[arg(long, value_name = "IP|flow")]
    remote: String,
    /// The tunnel key; flow: the network of each packet
    #[arg(long, value_name = "N|flow")]
    key: Option<String>,
    /// The pre-shared key of IPsec (needs openvswitch-ipsec); in the environment other users of the host do not see it
    #[arg(long, env = "FLOWPORT_PSK", hide_env_values = true)]
    psk: Option<String>,
}

pub(super) fn add_tunnel(global: &Global, args: &AddTunnelArgs) -> Result<(), Failure> {
    let asked = AddTunnel {
        bridge: args.bridge.parse()?,
        name: args.name.parse()?,
        kind: args.kind,
        remote: args.remote.parse()?,
        key: args.key.as_deref().map(str::parse).transpose()?,
        psk: args.psk.clone(),
    };
    submit(global, Intent::AddTunnel(asked))?;
    Ok(())
}
