//! The command line of `ovs-docker`, for scripts that call it: the same words and exit codes, without its defects.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::intent::{AddBr, AddPort, Intent, parse_address};
use crate::model::{DatapathType, LinkName};
use crate::refused::Reason;

use super::submit::submit;
use super::{Failure, Global, Tls, finish, output, ports};

const NAME: &str = "ovs-docker";

const USAGE: &str = "\
ovs-docker, served by flowport: puts Docker containers on Open vSwitch bridges.
usage: ovs-docker COMMAND

Commands:
  add-port BRIDGE INTERFACE CONTAINER [--ipaddress=ADDRESS[/PREFIX]]
           [--gateway=GATEWAY] [--macaddress=MAC] [--mtu=BYTES]
      Give CONTAINER an INTERFACE that is a port of BRIDGE, which is made
      if it is not there. As in:
      ovs-docker add-port br-int eth1 c474a0e2830e
          --ipaddress=192.168.1.2/24 --gateway=192.168.1.1
          --macaddress=\"a2:c3:0d:49:7f:f8\" --mtu=1450
  del-port BRIDGE INTERFACE CONTAINER
      Take that INTERFACE away again.
  del-ports BRIDGE CONTAINER
      Take away every interface that CONTAINER has on BRIDGE.
  set-vlan BRIDGE INTERFACE CONTAINER VLAN
      Make the INTERFACE an access port of VLAN.
Options:
  -h, --help  show this text

`flowport help` tells what else there is: many addresses, routes, tunnels,
managed bridges, a daemon that brings ports back when a container restarts.
";

/// Runs with the words after the program's name.
pub(super) fn run(args: &[OsString]) -> ExitCode {
    let words: Vec<String> = args.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    output::init_log(0, false);
    finish(NAME, execute(&words))
}

fn execute(words: &[&str]) -> Result<ExitCode, Failure> {
    match words {
        [] | ["-h" | "--help", ..] => {
            output::print(USAGE);
            Ok(ExitCode::SUCCESS)
        }
        ["add-port", bridge, interface, container, options @ ..] => {
            add_port(words_of_add_port(bridge, interface, container, options)?)
        }
        ["add-port", ..] => Err(Failure("add-port: not enough arguments (see --help)".into())),
        ["del-port", bridge, interface, container, ..] => done(Intent::DelPort {
            bridge: bridge.parse()?,
            interface: interface.parse()?,
            container: container.parse()?,
        }),
        ["del-ports", bridge, container, ..] => {
            let intent = Intent::DelPorts { bridge: bridge.parse()?, containers: vec![container.parse()?] };
            match submit(&global(), intent) {
                // Nothing to take away is no failure to this command.
                Err(refused) if refused.reason == Reason::NoSuchPort => Ok(ExitCode::SUCCESS),
                result => Ok(result.map(|_| ExitCode::SUCCESS)?),
            }
        }
        ["set-vlan", bridge, interface, container, vlan, ..] => done(Intent::SetVlan {
            bridge: bridge.parse()?,
            interface: interface.parse()?,
            container: container.parse()?,
            vlan: vlan.parse()?,
        }),
        ["del-port" | "del-ports" | "set-vlan", ..] => {
            output::print(USAGE);
            Ok(ExitCode::FAILURE)
        }
        [command, ..] => Err(Failure(format!("unknown command \"{command}\" (see --help)"))),
    }
}

fn words_of_add_port(
    bridge: &str,
    interface: &str,
    container: &str,
    options: &[&str],
) -> Result<AddPort, Failure> {
    let mut port = AddPort {
        bridge: Some(bridge.parse()?),
        interface: interface.parse()?,
        container: container.parse()?,
        ipaddress: Vec::new(),
        gateway: Vec::new(),
        macaddress: None,
        mtu: None,
        vlan: Default::default(),
        trunk: vec![],
        route: Vec::new(),
    };
    for option in options {
        let unknown = || Failure(format!("add-port: unknown option \"{option}\""));
        let (name, value) = option.split_once('=').ok_or_else(unknown)?;
        match name {
            "--ipaddress" => port.ipaddress = vec![parse_address(value)?],
            "--gateway" => port.gateway = vec![ports::parse_gateway(value)?],
            "--macaddress" => port.macaddress = Some(value.parse()?),
            "--mtu" => port.mtu = Some(ports::parse_mtu(value)?),
            _ => return Err(unknown()),
        }
    }
    Ok(port)
}

fn add_port(port: AddPort) -> Result<ExitCode, Failure> {
    let bridge = port.bridge.clone();
    let intent = Intent::AddPorts { ports: vec![port] };
    match submit(&global(), intent.clone()) {
        Err(refused) if refused.reason == Reason::NoSuchBridge => {
            if let Some(bridge) = bridge {
                add_plain_bridge(bridge)?;
            }
            done(intent)
        }
        result => Ok(result.map(|_| ExitCode::SUCCESS)?),
    }
}

fn add_plain_bridge(bridge: LinkName) -> Result<(), Failure> {
    let asked =
        AddBr { bridge, datapath: DatapathType::System, plain: true, address: Vec::new(), uplink: None };
    Ok(submit(&global(), Intent::AddBr(asked)).map(drop)?)
}

fn done(intent: Intent) -> Result<ExitCode, Failure> {
    Ok(submit(&global(), intent).map(|_| ExitCode::SUCCESS)?)
}

/// The grammar has no options of its own; the environment stands in for them.
fn global() -> Global {
    let file = |name: &str| std::env::var_os(name).map(Into::into);
    let tls = Tls {
        private_key: file("FLOWPORT_PRIVATE_KEY"),
        certificate: file("FLOWPORT_CERTIFICATE"),
        ca_cert: file("FLOWPORT_CA_CERT"),
    };
    let or = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    Global {
        db: or("FLOWPORT_DB", crate::place::DEFAULT_DB),
        tls,
        socket: or("FLOWPORT_SOCKET", crate::place::DEFAULT_SOCKET).into(),
        // As long as that tool gives ovs-vsctl.
        timeout: Some(60),
        json: false,
        verbose: 0,
    }
}
