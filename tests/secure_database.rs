//! The database by TLS, with the certificates of `ovs-pki` and the options of `ovs-vsctl`.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "../ovsdb/tests/tls/pki.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod pki;
#[path = "../ovsdb/tests/support/mod.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod support;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use pki::Pki;
use support::Server;

/// Runs a program of ours or of Open vSwitch; `Err` is its standard error.
fn run(program: &str, words: &[OsString], environment: &[(&str, &Path)]) -> Result<String, String> {
    let output = Command::new(program).args(words).envs(environment.iter().copied()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn words(address: &str, files: &[(&str, PathBuf)], command: &[&str]) -> Vec<OsString> {
    let options = files.iter().flat_map(|(option, file)| [OsString::from(option), file.into()]);
    [format!("--db={address}").into()]
        .into_iter()
        .chain(options)
        .chain(command.iter().map(Into::into))
        .collect()
}

#[test]
fn the_options_of_ovs_vsctl() {
    let pki = Pki::new();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("ovsdb-schema/schemas/vswitch.ovsschema");
    let server = Server::start_listening(&[&schema], &pki::arguments(&pki.certify("server"), &pki.ca()));
    let address = format!("ssl:127.0.0.1:{}", server.port());
    let us = pki.certify("us");
    let short = [("-p", us.private_key.clone()), ("-c", us.certificate.clone()), ("-C", pki.ca())];
    let long = short.clone().map(|(option, file)| match option {
        "-p" => ("--private-key", file),
        "-c" => ("--certificate", file),
        _ => ("--ca-cert", file),
    });
    let flowport = env!("CARGO_BIN_EXE_flowport");
    let add = ["--no-wait", "--", "init", "--", "add-br", "br0"];
    run("ovs-vsctl", &words(&address, &short, &add), &[]).unwrap();
    for files in [&short, &long] {
        let shown = run(flowport, &words(&address, files, &["show"]), &[]).unwrap();
        assert!(shown.contains("br0"), "{shown}");
    }
    let environment = [
        ("FLOWPORT_PRIVATE_KEY", &*us.private_key),
        ("FLOWPORT_CERTIFICATE", &us.certificate),
        ("FLOWPORT_CA_CERT", &short[2].1),
    ];
    assert!(run(flowport, &words(&address, &[], &["show"]), &environment).unwrap().contains("br0"));

    // One line, which tells what to do or which file to look at.
    let refused =
        |files: &[(&str, PathBuf)]| run(flowport, &words(&address, files, &["show"]), &[]).unwrap_err();
    let needs = format!("flowport: database {address} needs --private-key, --certificate and --ca-cert\n");
    assert_eq!(refused(&short[..2]), needs);
    let wrong = [short[0].clone(), short[1].clone(), ("-C", pki.other_ca())];
    let by = pki.other_ca();
    let untrusted = format!(
        "flowport: {address}: cannot connect by TLS: the server's certificate is not signed by the CA in {}\n",
        by.display()
    );
    assert_eq!(refused(&wrong), untrusted);
    let none = [("-p", pki.path("none.pem")), short[1].clone(), short[2].clone()];
    let text = refused(&none);
    assert!(text.starts_with("flowport: cannot read private key ") && text.lines().count() == 1, "{text}");
}
