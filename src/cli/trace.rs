//! `trace`.

use std::fmt::Write;
use std::process::ExitCode;

use crate::trace::{self, Protocol, Question, Told, Trace};

use super::{Failure, Global, output};

#[derive(clap::Args)]
pub(super) struct TraceArgs {
    /// Who sends: a container as for add-port, an IP address or a MAC
    from: String,
    /// Who is to receive: a container, an IP address or a MAC
    to: String,
    /// What is sent: an echo request, the first packet of a connection, a datagram, the question for a MAC
    #[arg(long, default_value = "icmp", value_name = "icmp|tcp|udp|arp")]
    proto: Protocol,
    /// The port of the receiver [default: 80 for tcp, 53 for udp]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// The link or tunnel that it comes by, if the sender is not on this host
    #[arg(long, value_name = "NAME")]
    in_port: Option<String>,
}

pub(super) fn trace(global: &Global, args: &TraceArgs) -> Result<ExitCode, Failure> {
    if args.port.is_some() && !matches!(args.proto, Protocol::Tcp | Protocol::Udp) {
        return Err(Failure("only tcp and udp have ports: give --proto=tcp or --proto=udp".into()));
    }
    let question = Question {
        from: args.from.parse()?,
        to: args.to.parse()?,
        protocol: args.proto,
        port: args.port,
        in_port: args.in_port.clone(),
    };
    let asked = Trace { question, db: global.db()?, timeout: global.timeout() };
    let told = output::runtime()?.block_on(trace::trace(&asked))?;
    if global.json {
        output::print_json(&told)?;
    } else {
        output::print(&story(&told, global.verbose > 0));
    }
    Ok(if told.verdict.delivered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A line for who and what, one for each table, one for the end; with `details` the flow entries, too.
fn story(told: &Told, details: bool) -> String {
    let mut text = format!("{} on {}\n  from {}\n  to   {}\n", told.kind, told.bridge, told.from, told.to);
    for note in &told.notes {
        let _ = writeln!(text, "  ({note})");
    }
    if let Some(packet) = told.packet.as_ref().filter(|_| details) {
        let _ = writeln!(text, "  ({packet})");
    }
    let width = told.tables.iter().map(|table| table.name.unwrap_or_default().len()).max().unwrap_or(0);
    let mut bridge = &told.bridge;
    for table in &told.tables {
        if table.bridge != *bridge {
            bridge = &table.bridge;
            let _ = writeln!(text, "  on {bridge}:");
        }
        let name = format!("{} {}", table.table, table.name.unwrap_or_default());
        let _ = writeln!(text, "  {name:0$} {1}", width + 2, table.does);
        for entry in table.entry.iter().filter(|_| details) {
            let _ = writeln!(text, "        priority={},{}", entry.priority, entry.matches);
            for done in &table.actions {
                let _ = writeln!(
                    text,
                    "          {}",
                    [std::slice::from_ref(&done.action), &done.remarks[..]].concat().join(" ")
                );
            }
        }
    }
    let _ = writeln!(text, "{}", told.verdict.what);
    if let Some(remedy) = &told.verdict.remedy {
        let _ = writeln!(text, "  {remedy}");
    }
    text
}
