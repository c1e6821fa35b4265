//! The command line: a file a command, or a family of them.

mod bridges;
mod columns;
mod daemon;
mod demo;
mod doctor;
mod flows;
mod generate;
mod output;
mod ovs_docker;
mod policy;
mod ports;
mod show;
mod submit;
mod trace;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::model::BadWord;
use crate::ovsdb::{Address, TlsFiles};
use crate::refused::Refused;

/// Containers on Open vSwitch: ports, flows and tunnels.
#[derive(Parser)]
#[command(name = "flowport", version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(clap::Args, Clone)]
struct Global {
    /// The OVSDB server of Open vSwitch: unix:PATH, tcp:HOST:PORT or ssl:HOST:PORT
    #[arg(long, global = true, value_name = "ADDR", env = "FLOWPORT_DB", default_value = crate::place::DEFAULT_DB)]
    db: String,
    #[command(flatten)]
    tls: Tls,
    /// The daemon's socket
    #[arg(long, global = true, value_name = "PATH", env = "FLOWPORT_SOCKET", default_value = crate::place::DEFAULT_SOCKET)]
    socket: PathBuf,
    /// How long a change may take before it is undone, in seconds [default: 10, and more for many ports]
    #[arg(long, global = true, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    /// Say more on standard error; twice for the messages of each protocol
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

/// Who we are to the database, and whom we trust.
#[derive(clap::Args, Clone, Default)]
struct Tls {
    /// For ssl: our private key, a PEM file
    #[arg(short, long, global = true, value_name = "FILE", env = "FLOWPORT_PRIVATE_KEY")]
    private_key: Option<PathBuf>,
    /// For ssl: our certificate, a PEM file
    #[arg(short, long, global = true, value_name = "FILE", env = "FLOWPORT_CERTIFICATE")]
    certificate: Option<PathBuf>,
    /// For ssl: the certificate of who signs the server's, a PEM file
    #[arg(short = 'C', long, global = true, value_name = "FILE", env = "FLOWPORT_CA_CERT")]
    ca_cert: Option<PathBuf>,
}

impl Global {
    fn db(&self) -> Result<Address, Refused> {
        let Tls { private_key, certificate, ca_cert } = self.tls.clone();
        Address::new(&self.db, TlsFiles { private_key, certificate, ca_cert })
    }

    fn timeout(&self) -> Duration {
        self.timeout_for(0)
    }

    /// What so many ports may take. ovs-vswitchd takes up one more the slower the more there are.
    fn timeout_for(&self, ports: usize) -> Duration {
        const TIME: Duration = Duration::from_secs(10);
        const EACH: Duration = Duration::from_millis(50);
        // A day is longer than anybody waits, and keeps arithmetic on instants sound.
        const MOST: Duration = Duration::from_secs(86_400);
        let ports = u32::try_from(ports).unwrap_or(u32::MAX);
        let given = self.timeout.map(|seconds| Duration::from_secs(seconds.max(1)));
        given.unwrap_or_else(|| TIME.saturating_add(EACH.saturating_mul(ports))).min(MOST)
    }
}

#[derive(Subcommand)]
enum Command {
    /// Attach an interface to a container
    AddPort(ports::AddPortArgs),
    /// Attach many interfaces in one go: a file of JSON lines, - for standard input
    AddPorts(ports::AddPortsArgs),
    /// Detach one interface of a container
    DelPort(ports::DelPortArgs),
    /// Detach every interface that containers have on a bridge
    DelPorts(ports::DelPortsArgs),
    /// Move an interface to another VLAN
    SetVlan(ports::SetVlanArgs),
    /// Make a managed bridge
    AddBr(bridges::AddBrArgs),
    /// Remove a bridge that Flowport made
    DelBr(bridges::DelBrArgs),
    /// Let Flowport forward on a bridge that is there already
    Adopt(bridges::AdoptArgs),
    /// Join a bridge to another host's by a tunnel
    AddTunnel(bridges::AddTunnelArgs),
    /// Let the containers of a network talk to each other (on), or keep them apart (off)
    SetIcc(policy::SetIccArgs),
    /// Allow connections between containers that are kept apart
    Allow(policy::RuleArgs),
    /// Allow them no more
    Disallow(policy::RuleArgs),
    /// Show bridges, their ports, and whose they are
    Show(show::ShowArgs),
    /// Show the flow entries of one container, or of all
    Flows(flows::FlowsArgs),
    /// Say what becomes of a packet from A to B, table by table
    Trace(trace::TraceArgs),
    /// Say what is wrong on this host, and what to do about it
    Doctor,
    /// Keep ports and flows as they should be
    Daemon(daemon::DaemonArgs),
    /// See it work: two hosts and three containers in a private lab on this machine
    Demo(demo::DemoArgs),
}

/// Why a command failed: the line for standard error.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

impl From<BadWord> for Failure {
    fn from(error: BadWord) -> Self {
        Self(error.to_string())
    }
}

impl From<Refused> for Failure {
    fn from(error: Refused) -> Self {
        Self(error.to_string())
    }
}

/// Runs the program called with these words, the first of which is its own name.
pub fn run(args: Vec<OsString>) -> ExitCode {
    let called_as = args.first().map(Path::new).and_then(Path::file_name);
    if called_as.is_some_and(|name| name == "ovs-docker") {
        return ovs_docker::run(&args[1..]);
    }
    // Hidden, and before anything starts a thread: the lab's words are another program's.
    if args.get(1).is_some_and(|word| word == "lab") {
        return crate::lab::main(&args[2..]);
    }
    // Hidden too: users find what it writes installed.
    if args.get(1).is_some_and(|word| word == "generate") {
        return finish("flowport", generate::generate(&args[1..]));
    }
    let cli = Cli::parse_from(args);
    output::init_log(cli.global.verbose, matches!(cli.command, Command::Daemon(_)));
    finish("flowport", execute(&cli.global, cli.command))
}

fn execute(global: &Global, command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::AddPort(args) => ports::add_port(global, args),
        Command::AddPorts(args) => ports::add_ports(global, args),
        Command::DelPort(args) => ports::del_port(global, &args),
        Command::DelPorts(args) => ports::del_ports(global, &args),
        Command::SetVlan(args) => ports::set_vlan(global, &args),
        Command::SetIcc(args) => policy::set_icc(global, &args),
        Command::Allow(args) => policy::allow(global, &args),
        Command::Disallow(args) => policy::disallow(global, &args),
        Command::AddBr(args) => bridges::add_br(global, &args),
        Command::DelBr(args) => bridges::del_br(global, &args),
        Command::Adopt(args) => bridges::adopt(global, &args),
        Command::AddTunnel(args) => bridges::add_tunnel(global, &args),
        Command::Show(args) => show::show(global, &args),
        Command::Flows(args) => flows::flows(global, &args),
        Command::Trace(args) => return trace::trace(global, &args),
        Command::Doctor => return doctor::doctor(global),
        Command::Daemon(args) => daemon::daemon(global, &args),
        Command::Demo(args) => return demo::demo(&args),
    }
    .map(|()| ExitCode::SUCCESS)
}

fn finish(name: &str, result: Result<ExitCode, Failure>) -> ExitCode {
    result.unwrap_or_else(|Failure(line)| {
        output::complain(name, &line);
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_ports_are_given_more_time_unless_it_is_given() {
        let global = |words: &[&str]| {
            let words = ["flowport"].iter().chain(words).chain(&["show"]);
            Cli::try_parse_from(words).unwrap().global
        };
        let seconds = |words: &[&str], ports| global(words).timeout_for(ports).as_secs_f64();
        assert_eq!(seconds(&[], 0), 10.0);
        assert_eq!(seconds(&[], 1), 10.05);
        assert_eq!(seconds(&[], 1000), 60.0);
        assert_eq!(seconds(&[], 10_000), 510.0);
        assert_eq!(seconds(&["--timeout=3"], 10_000), 3.0, "as given, however many there are");
        assert_eq!(seconds(&["--timeout=0"], 0), 1.0, "not at once");
        const DAY: f64 = 86_400.0;
        assert_eq!(seconds(&[], usize::MAX), DAY);
        assert_eq!(seconds(&["--timeout=18446744073709551615"], 0), DAY);
        assert_eq!(global(&[]).timeout(), global(&[]).timeout_for(0));
    }
}
