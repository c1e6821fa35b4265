//! `add-port`, `add-ports`, `del-port`, `del-ports`, `set-vlan`.

use std::fs;
use std::io::{self, Read};

use crate::intent::{AddPort, Intent, parse_address};
use crate::model::{BadWord, LinkName};

use super::submit::submit;
use super::{Failure, Global};

#[derive(clap::Args)]
pub(super) struct AddPortArgs {
    /// The bridge
    bridge: String,
    /// The interface's name inside the container, as eth1
    interface: String,
    /// A Docker name or id, netns:NAME, netns:/path or pid:N
    container: String,
    /// An address with its prefix length; may be given several times, IPv4 and IPv6
    #[arg(long, value_name = "CIDR")]
    ipaddress: Vec<String>,
    /// The default gateway; one of each family
    #[arg(long, value_name = "IP")]
    gateway: Vec<String>,
    /// The MAC address [default: 02:42 and the first IPv4 address]
    #[arg(long, value_name = "MAC")]
    macaddress: Option<String>,
    /// The MTU in bytes [default: what fits the bridge's tunnels]
    #[arg(long, value_name = "BYTES")]
    mtu: Option<String>,
    /// The VLAN, 1 to 4095, or 0 for untagged
    #[arg(long, value_name = "VLAN", allow_hyphen_values = true)]
    vlan: Option<String>,
    /// Further VLANs that the container tells apart by tags; as 10,20, and may be given several times
    #[arg(long, value_name = "VLANS", value_delimiter = ',', allow_hyphen_values = true)]
    trunk: Vec<String>,
    /// A route through the interface: a destination, and a next hop unless it is on the link
    #[arg(long, value_name = "CIDR[@IP]")]
    route: Vec<String>,
}

impl AddPortArgs {
    fn into_words(self) -> Result<AddPort, BadWord> {
        Ok(AddPort {
            bridge: Some(self.bridge.parse()?),
            interface: self.interface.parse()?,
            container: self.container.parse()?,
            ipaddress: self.ipaddress.iter().map(|text| parse_address(text)).collect::<Result<_, _>>()?,
            gateway: self.gateway.iter().map(|text| parse_gateway(text)).collect::<Result<_, _>>()?,
            macaddress: self.macaddress.map(|text| text.parse()).transpose()?,
            mtu: self.mtu.map(|text| parse_mtu(&text)).transpose()?,
            vlan: self.vlan.map_or(Ok(Default::default()), |text| text.parse())?,
            trunk: self.trunk.iter().map(|text| text.parse()).collect::<Result<_, _>>()?,
            route: self.route.iter().map(|text| text.parse()).collect::<Result<_, _>>()?,
        })
    }
}

pub(super) fn parse_gateway(text: &str) -> Result<std::net::IpAddr, BadWord> {
    text.parse().map_err(|_| BadWord(format!("gateway {text:?} is no IP address: write it as 10.0.0.1")))
}

pub(super) fn parse_mtu(text: &str) -> Result<u32, BadWord> {
    text.parse().map_err(|_| BadWord(format!("MTU {text:?} is no number of bytes: give 68 to 65535")))
}

pub(super) fn add_port(global: &Global, args: AddPortArgs) -> Result<(), Failure> {
    submit(global, Intent::AddPorts { ports: vec![args.into_words()?] })?;
    Ok(())
}

#[derive(clap::Args)]
pub(super) struct AddPortsArgs {
    /// The bridge of lines that name none
    bridge: String,
    /// One JSON object a line, with add-port's words:
    /// {"container":"c1","interface":"eth1","ipaddress":"10.0.0.2/24"}
    file: String,
}

pub(super) fn add_ports(global: &Global, args: AddPortsArgs) -> Result<(), Failure> {
    let bridge: LinkName = args.bridge.parse()?;
    let text = read_input(&args.file)?;
    let mut ports = Vec::new();
    for (nth, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let mut port: AddPort = serde_json::from_str(line).map_err(|error| {
            Failure(format!("{} line {}: {}", args.file, nth + 1, without_position(&error)))
        })?;
        port.bridge.get_or_insert_with(|| bridge.clone());
        ports.push(port);
    }
    if ports.is_empty() {
        return Err(Failure(format!("{} has no line: give one JSON object a port", args.file)));
    }
    submit(global, Intent::AddPorts { ports })?;
    Ok(())
}

/// Every line is a document of its own, so that the parser's "line 1" would mislead.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => format!("{}, in column {}", &text[..end], error.column()),
        None => text,
    }
}

fn read_input(file: &str) -> Result<String, Failure> {
    if file == "-" {
        let mut text = String::new();
        return io::stdin()
            .read_to_string(&mut text)
            .map(|_| text)
            .map_err(|error| Failure(format!("cannot read standard input: {error}")));
    }
    fs::read_to_string(file).map_err(|error| Failure(format!("cannot read {file}: {error}")))
}

#[derive(clap::Args)]
pub(super) struct DelPortArgs {
    /// The bridge
    bridge: String,
    /// The interface inside the container
    interface: String,
    /// The container, as for add-port
    container: String,
}

pub(super) fn del_port(global: &Global, args: &DelPortArgs) -> Result<(), Failure> {
    let intent = Intent::DelPort {
        bridge: args.bridge.parse()?,
        interface: args.interface.parse()?,
        container: args.container.parse()?,
    };
    submit(global, intent)?;
    Ok(())
}

#[derive(clap::Args)]
pub(super) struct DelPortsArgs {
    /// The bridge
    bridge: String,
    /// The containers, as for add-port
    #[arg(required_unless_present = "all")]
    containers: Vec<String>,
    /// Every container of the bridge
    #[arg(long, conflicts_with = "containers")]
    all: bool,
}

pub(super) fn del_ports(global: &Global, args: &DelPortsArgs) -> Result<(), Failure> {
    let containers = args.containers.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    submit(global, Intent::DelPorts { bridge: args.bridge.parse()?, containers })?;
    Ok(())
}

#[derive(clap::Args)]
pub(super) struct SetVlanArgs {
    /// The bridge
    bridge: String,
    /// The interface inside the container
    interface: String,
    /// The container, as for add-port
    container: String,
    /// The VLAN, 1 to 4095, or 0 for untagged
    #[arg(allow_hyphen_values = true)]
    vlan: String,
}

pub(super) fn set_vlan(global: &Global, args: &SetVlanArgs) -> Result<(), Failure> {
    let intent = Intent::SetVlan {
        bridge: args.bridge.parse()?,
        interface: args.interface.parse()?,
        container: args.container.parse()?,
        vlan: args.vlan.parse()?,
    };
    submit(global, intent)?;
    Ok(())
}
