//! The first copy of a database: time, CPU and memory, each in a process of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use flowport_ovsdb::{Client, ConnectOptions, Remotes};
use flowport_ovsdb_schema::open_vswitch::{Interface, Port};

use crate::bare::Bare;
use crate::process::{Usage, median_of, memory};
use crate::support::Server;
use crate::table::Table;
use crate::{Size, median, monitor};

/// The process that loads. `what`: `client`; `memory` prints what the copy takes, and its structs
/// besides, in MB;
/// `rovs` is the peer.
pub(crate) fn child(what: &str, socket: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let remotes: Remotes = format!("unix:{socket}").parse().unwrap();
        let connect = || Client::connect(&remotes, monitor(), ConnectOptions::default());
        let resident = || memory(std::process::id(), "VmRSS:").unwrap_or_default();
        match what {
            "client" => println!("{}", connect().await.unwrap().replica().count::<Interface>()),
            "memory" => {
                let before = resident();
                let client = connect().await.unwrap();
                let rows = resident() - before;
                let replica = client.replica();
                let interfaces = replica.rows::<Interface>().filter(|(_, row)| row.name.is_empty()).count();
                let ports = replica.rows::<Port>().filter(|(_, row)| row.interfaces.is_empty()).count();
                assert_eq!((interfaces, ports), (0, 0));
                println!("{rows} {}", resident() - before - rows);
            }
            "rovs" => {
                let tables = ["Open_vSwitch", "Bridge", "Port", "Interface"].map(str::to_owned).into();
                let config = rovs_ovsdb::ClientConfig::open_vswitch().tables(tables);
                let client = rovs_ovsdb::Client::connect_with_config(&format!("unix:{socket}"), config).await;
                println!("{}", client.unwrap().idl().rows("Interface").count());
            }
            other => panic!("{other}: not a way to load"),
        }
    });
}

fn ours(what: &str, server: &Server) -> Usage {
    Usage::of(Command::new(std::env::current_exe().unwrap()).args(["load", what]).arg(server.socket()))
}

pub(crate) fn measure(server: &Server, size: Size, table: &mut Table) {
    let python = python();
    let (mut bare, mut ours_, mut vsctl, mut idl) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for turn in 0..size.loads {
        bare.push(Bare::connect(server).monitor());
        ours_.push(ours("client", server));
        vsctl.push(Usage::of(
            Command::new("ovs-vsctl").arg(format!("--db=unix:{}", server.socket().display())).args([
                "--no-wait",
                "list",
                "Interface",
            ]),
        ));
        // Long, and as often as the others it would say the same.
        if let Some(python) = python.as_ref().filter(|_| turn == 0) {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python_ovs.py");
            idl.push(Usage::of(Command::new(python).arg(script).arg(server.socket())));
        }
    }
    let here = median_of(&ours_);
    let (first, last) = (median(bare.iter().map(|run| run.0)), median(bare.iter().map(|run| run.1)));
    let ports = size.ports;
    assert_eq!(here.output.trim().parse::<usize>().unwrap(), ports);
    let work = |what: &str| format!("{what}, {ports} ports");
    let after = here.wall - first;
    table.row(
        work("initial load"),
        format!("{:.2} s", here.wall),
        format!("bare socket: first byte {first:.2} s, last {last:.2} s"),
        "first byte + 0.5 s",
        Some(after <= 0.5),
    );
    table.row(work("initial load, CPU"), format!("{:.2} s", here.cpu), "", "1 s", Some(here.cpu <= 1.0));
    table.row(
        work("initial load, memory"),
        format!("{:.0} MB", here.peak),
        "",
        "200 MB",
        Some(here.peak <= 200.0),
    );
    if !idl.is_empty() {
        let idl = median_of(&idl);
        let ratio = idl.cpu / here.cpu;
        let aim = Some(ratio >= 15.0);
        let here = format!("{ratio:.1}x less CPU");
        table.row("initial load beside python-ovs", here, idl.text(), "15x less CPU", aim);
    }
    let vsctl = median_of(&vsctl);
    let ratio = vsctl.cpu / here.cpu;
    let text = format!("{ratio:.1}x less CPU");
    table.row("beside `ovs-vsctl list Interface`", text, vsctl.text(), "2x less CPU", Some(ratio >= 2.0));

    let output = ours("memory", server).output;
    let (rows, structs) = output.trim().split_once(' ').expect("two numbers");
    let (rows, structs): (f64, f64) = (rows.parse().unwrap(), structs.parse().unwrap());
    let text = bare[0].2 as f64 / 1e6;
    let times = rows / text;
    table.row(
        work("memory of a replica"),
        format!("{rows:.1} MB, {times:.2}x"),
        format!("its JSON text: {text:.1} MB"),
        "2x",
        Some(times <= 2.0),
    );
    let structs = format!("{structs:.1} MB more, {:.2}x", structs / text);
    table.row("- after all ports and interfaces were read as structs", structs, "", "", None);
}

/// At a size that a peer bears whose time grows with the square of it.
pub(crate) fn measure_few(size: Size, table: &mut Table) {
    let server = crate::server();
    crate::bare::fill(&server, size.few_ports);
    let (here, rovs) = (ours("client", &server), ours("rovs", &server));
    let work = format!("initial load, {} ports", size.few_ports);
    table.row(work, here.text(), format!("rovs-ovsdb: {}", rovs.text()), "", None);
}

/// A Python that has python-ovs, in a directory of the build; `None` when it cannot be had.
fn python() -> Option<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python-ovs");
    let python = directory.join("bin/python");
    let works = |python: &Path| {
        let import = Command::new(python).args(["-c", "import ovs.db.idl"]).status();
        import.is_ok_and(|status| status.success())
    };
    if !works(&python) {
        let run = |command: &mut Command| command.status().is_ok_and(|status| status.success());
        let made = run(Command::new("python3").args(["-m", "venv"]).arg(&directory))
            && run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "setuptools<81", "ovs"]));
        if !made || !works(&python) {
            eprintln!("python-ovs cannot be installed: it is left out");
            return None;
        }
    }
    Some(python)
}
