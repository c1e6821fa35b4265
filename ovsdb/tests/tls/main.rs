//! The client over TLS against a real `ovsdb-server`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod pki;
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "the other tests use the rest")]
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use flowport_ovsdb::client::{ConnectError, ConnectionState, TlsError, TlsFile, TlsIdentity, TlsOptions};
use flowport_ovsdb::{Client, ConnectOptions, Monitor, Operation, Transaction, Where};
use pki::{Pki, arguments};
use support::Server;

flowport_ovsdb::table! {
    /// The root of `Open_vSwitch`.
    pub(crate) struct Root: "Open_vSwitch", "Open_vSwitch" {
        /// For others.
        external_ids, EXTERNAL_IDS, "external_ids": BTreeMap<String, String>;
    }
}

/// Which is for these names, until the end of the years of UTCTime.
const ALWAYS: (u32, u32) = (2020, 2049);

fn server(identity: &TlsIdentity, ca: &Path, more: &[&str]) -> Server {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ovsdb-schema/schemas/vswitch.ovsschema");
    let mut arguments = arguments(identity, ca);
    arguments.extend(more.iter().map(|&word| word.to_owned()));
    Server::start_listening(&[&schema], &arguments)
}

async fn connect_to(address: &str, tls: TlsOptions) -> Result<Client, ConnectError> {
    let (min_backoff, max_backoff) = (Duration::from_millis(1), Duration::from_millis(20));
    let options = ConnectOptions { tls: Some(tls), min_backoff, max_backoff, ..Default::default() };
    let remotes = address.parse().unwrap();
    let connecting = Client::connect(&remotes, Monitor::of::<Root>(), options);
    tokio::time::timeout(Duration::from_secs(30), connecting).await.expect("in time")
}

async fn connect(server: &Server, tls: TlsOptions) -> Result<Client, ConnectError> {
    connect_to(&format!("ssl:127.0.0.1:{}", server.port()), tls).await
}

/// Why there is no connection.
async fn refused(server: &Server, tls: TlsOptions) -> TlsError {
    match connect(server, tls).await {
        Err(ConnectError::Tls { source, .. }) => source,
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("connected"),
    }
}

#[tokio::test]
async fn reads_and_writes_much_and_connects_again() {
    let pki = Pki::new();
    let mut server = server(&pki.certify("server"), &pki.ca(), &[]);
    // The port stays the same.
    let address = format!("ssl:127.0.0.1:{}", server.port());
    let client = connect_to(&address, pki.options(pki.certify("client"))).await.unwrap();
    let mut root = Root::default();
    // More than one read, one record and one buffer of the socket hold, both ways.
    root.external_ids.insert("text".to_owned(), "x".repeat(5 << 20));
    let mut transaction = Transaction::new();
    transaction.insert(&root);
    client.transact(transaction).await.unwrap();
    assert_eq!(*client.replica().rows::<Root>().next().unwrap().1, root);

    let mut state = client.state();
    server.listen_again_on_its_port();
    let gone = |state: &ConnectionState| *state != ConnectionState::Connected;
    let patience = Duration::from_secs(30);
    tokio::time::timeout(patience, state.wait_for(gone)).await.expect("in time").unwrap();
    tokio::time::timeout(patience, state.wait_for(|state| !gone(state))).await.expect("in time").unwrap();
    client.transact(Transaction::new().with(Operation::select(Where::<Root>::all()))).await.unwrap();
    assert_eq!(client.replica().count::<Root>(), 1);
}

#[tokio::test]
async fn keys_and_versions() {
    let pki = Pki::new();
    let server_identity = pki.certify("server");
    let mut clients = vec![
        pki.certify("rsa"),
        pki.certify_host("ec", &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "DNS:ec", ALWAYS),
        pki.certify_host("ed", &["ed25519"], "DNS:ed", ALWAYS),
    ];
    // The older forms of keys.
    for (name, words) in [("rsa", vec!["rsa", "-traditional"]), ("ec", vec!["ec"])] {
        let (from, to) = (format!("{name}-privkey.pem"), format!("{name}-old.pem"));
        pki.run("openssl", &[&words[..], &["-in", &from, "-out", &to]].concat());
        let text = std::fs::read_to_string(pki.path(&to)).unwrap();
        assert!(text.contains(&format!("BEGIN {} PRIVATE KEY", name.to_uppercase())), "{text}");
        clients.push(TlsIdentity { private_key: pki.path(&to), ..pki.identity(name) });
    }
    for version in ["TLSv1.2", "TLSv1.3", "TLSv1.2,TLSv1.3"] {
        let server = server(&server_identity, &pki.ca(), &[&format!("--ssl-protocols={version}")]);
        for identity in &clients {
            let client = connect(&server, pki.options(identity.clone())).await;
            assert!(client.is_ok(), "{version}, {identity:?}: {client:?}");
        }
    }
    for identity in &clients[1..3] {
        let server = server(identity, &pki.ca(), &[]);
        connect(&server, pki.options(clients[0].clone())).await.unwrap();
    }
}

#[tokio::test]
async fn whom_the_server_is_signed_by_matters_and_in_strict_mode_its_name() {
    let pki = Pki::new();
    let client = pki.certify("client");
    let strict = TlsOptions { verify_name: true, ..pki.options(client.clone()) };
    let of_ovs_pki = server(&pki.certify("server"), &pki.ca(), &[]);
    connect(&of_ovs_pki, pki.options(client.clone())).await.unwrap();

    let wrong = TlsOptions { ca_certificate: pki.other_ca(), ..pki.options(client.clone()) };
    let error = refused(&of_ovs_pki, wrong).await;
    assert!(matches!(&error, TlsError::UnknownAuthority(path) if *path == pki.other_ca()), "{error:?}");

    let error = refused(&of_ovs_pki, strict.clone()).await;
    assert!(matches!(error, TlsError::WrongName(_)), "{error:?}");

    let rsa = ["rsa:2048"];
    let names = "DNS:localhost,IP:127.0.0.1";
    let of_host = server(&pki.certify_host("host", &rsa, names, ALWAYS), &pki.ca(), &[]);
    connect(&of_host, strict.clone()).await.unwrap();
    connect_to(&format!("ssl:localhost:{}", of_host.port()), strict.clone()).await.unwrap();

    let elsewhere = server(&pki.certify_host("elsewhere", &rsa, "DNS:elsewhere", ALWAYS), &pki.ca(), &[]);
    let error = refused(&elsewhere, strict).await;
    assert!(error.to_string().contains("elsewhere"), "{error}");

    let expired = server(&pki.certify_host("expired", &rsa, names, (2020, 2021)), &pki.ca(), &[]);
    let error = refused(&expired, pki.options(client.clone())).await;
    assert!(matches!(error, TlsError::NotNow(_)), "{error:?}");
    assert!(error.to_string().contains("expired"), "{error}");
    let early = server(&pki.certify_host("early", &rsa, names, (2048, 2049)), &pki.ca(), &[]);
    let error = refused(&early, pki.options(client)).await;
    assert!(matches!(error, TlsError::NotNow(_)), "{error:?}");
}

#[tokio::test]
async fn who_we_are_matters() {
    let pki = Pki::new();
    let expired = pki.certify_host("expired", &["rsa:2048"], "DNS:us", (2020, 2021));
    let (ours, theirs) = (pki.certify("client"), pki.certify("server"));
    for version in ["TLSv1.2", "TLSv1.3"] {
        let server = server(&theirs, &pki.ca(), &[&format!("--ssl-protocols={version}")]);
        let nobody = TlsOptions { identity: None, ..pki.options(ours.clone()) };
        let error = refused(&server, nobody).await;
        assert!(matches!(error, TlsError::CertificateWanted), "{version}: {error:?}");
        let error = refused(&server, pki.options(expired.clone())).await;
        assert!(
            matches!(&error, TlsError::CertificateRefused { certificate, .. } if *certificate == expired.certificate),
            "{version}: {error:?}"
        );
        assert!(error.to_string().contains("Expired"), "{version}: {error}");
    }
    // Signed by another authority than the server asks for.
    let strangers = server(&theirs, &pki.other_ca(), &[]);
    let error = refused(&strangers, pki.options(ours)).await;
    assert!(
        matches!(&error, TlsError::CertificateRefused { reason, .. } if reason == "UnknownCA"),
        "{error:?}"
    );
}

#[tokio::test]
async fn without_tls_on_the_other_side() {
    let pki = Pki::new();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ovsdb-schema/schemas/vswitch.ovsschema");
    let plain = Server::start(&[&schema]);
    let error = refused(&plain, pki.options(pki.certify("client"))).await;
    assert!(matches!(error, TlsError::NoTls), "{error:?}");

    let secure = server(&pki.certify("server"), &pki.ca(), &[]);
    let address = format!("tcp:127.0.0.1:{}", secure.port());
    let error = connect_to(&address, pki.options(pki.identity("client"))).await.unwrap_err();
    assert!(matches!(error, ConnectError::Closed { .. } | ConnectError::Session { .. }), "{error:?}");
}

/// One file after the other is spoilt; the error names it.
#[tokio::test]
async fn files_that_cannot_be_used() {
    let pki = Pki::new();
    let good = pki.options(pki.certify("client"));
    good.check().unwrap();
    pki.run(
        "openssl",
        &["pkey", "-in", "client-privkey.pem", "-out", "secret.pem", "-aes128", "-passout", "pass:secret"],
    );
    pki.certify("other");
    let identity = good.identity.clone().unwrap();
    let with_key = |private_key| TlsIdentity { private_key, ..identity.clone() };
    let with_certificate = |certificate| TlsIdentity { certificate, ..identity.clone() };
    let as_us = |identity| TlsOptions { identity: Some(identity), ..good.clone() };
    let with_ca = |ca_certificate| TlsOptions { ca_certificate, ..good.clone() };
    let broken = std::fs::read_to_string(&identity.certificate).unwrap().replace("-----END", "=====END");
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cases = [
        (as_us(with_key(pki.path("none.pem"))), "cannot read private key", "none.pem"),
        (as_us(with_key(identity.certificate.clone())), "private key", "client-cert.pem: there is none"),
        (as_us(with_key(pki.path("secret.pem"))), "encrypted", "secret.pem"),
        (
            as_us(with_key(pki.path("other-privkey.pem"))),
            "does not belong to certificate",
            "other-privkey.pem",
        ),
        (as_us(with_certificate(pki.path(""))), "cannot read certificate", ""),
        (as_us(with_certificate(pki.write("empty.pem", ""))), "certificate", "empty.pem: there is none"),
        (
            as_us(with_certificate(pki.write("broken.pem", &broken))),
            "certificate",
            "broken.pem cannot be used",
        ),
        (
            as_us(with_certificate(pki.write("garbage.pem", garbage))),
            "certificate",
            "garbage.pem cannot be used",
        ),
        (with_ca(pki.path("none.pem")), "cannot read CA certificate", "none.pem"),
        (with_ca(identity.private_key.clone()), "CA certificate", "client-privkey.pem: there is none"),
        (with_ca(pki.write("garbage-ca.pem", garbage)), "CA certificate", "garbage-ca.pem cannot be used"),
    ];
    for (options, what, which) in cases {
        let error = options.check().unwrap_err();
        let text = error.to_string();
        assert!(text.contains(what) && text.contains(which), "{what}, {which}: {text}");
    }
    let error = with_ca(pki.path("none.pem")).check().unwrap_err();
    assert!(matches!(error, TlsError::Unreadable { file: TlsFile::CaCertificate, .. }), "{error:?}");

    // And so it is at each connection, as the files may have changed.
    let address = "ssl:127.0.0.1:1";
    let error = connect_to(address, good).await.unwrap_err();
    assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
}
