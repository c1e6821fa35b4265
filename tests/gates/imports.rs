//! Which module of the product may know which, and which stay pure.

use crate::source;

/// Modules below the reconciler, each with those of its own crate that it may know. The shells know what they are
/// told to do and what they tell, which is `state`; that `plan` decides on it they do not know.
const MAY_KNOW: [(&str, &[&str]); 18] = [
    ("model", &[]),
    ("intent", &["model"]),
    ("pipeline", &["model"]),
    ("state", &["model", "pipeline"]),
    ("metrics", &["state"]),
    ("plan", &["model", "pipeline", "state"]),
    ("place", &[]),
    ("deadline", &[]),
    ("process", &[]),
    ("netlink", &[]),
    ("docker", &[]),
    ("refused", &["docker", "model", "netlink"]),
    ("ovsdb", &["model", "refused", "state"]),
    ("openflow", &["deadline", "model", "pipeline", "place", "state"]),
    ("records", &["model", "ovsdb", "refused", "state"]),
    ("unixctl", &[]),
    (
        "doctor",
        &[
            "daemon", "docker", "frontend", "model", "netlink", "openflow", "ovsdb", "pipeline", "place",
            "unixctl",
        ],
    ),
    (
        "trace",
        &["docker", "frontend", "model", "netlink", "ovsdb", "pipeline", "place", "refused", "unixctl"],
    ),
];

/// Modules that decide and do nothing else: neither task, nor clock, nor file, nor socket.
const PURE: [&str; 9] = [
    "src/doctor/checks",
    "src/intent",
    "src/model",
    "src/pipeline",
    "src/plan",
    "src/state",
    "src/trace/packet",
    "src/trace/reading",
    "src/trace/verdict",
];
/// What a pure module has no use for.
const IMPURE: [&str; 9] = [
    "tokio",
    "std::fs",
    "std::io",
    "std::net::Tcp",
    "std::net::Udp",
    "std::os",
    "std::process",
    "std::thread",
    "::now()",
];

/// The protocols' crates take bytes and `now`; only the OVSDB client, behind its feature, has a socket and a clock.
const SANS_IO: [(&str, &str); 3] = [
    ("openflow/src", "no exception"),
    ("ovsdb/src", "ovsdb/src/client"),
    ("ovsdb-schema/src", "no exception"),
];
const IO_OF_CRATES: [&str; 8] = [
    "tokio::",
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::os",
    "std::process",
    "std::thread",
    "::now()",
];

#[test]
fn arrows_between_modules_point_one_way() {
    for (module, may_know) in MAY_KNOW {
        for source in source::under(&format!("src/{module}")) {
            for known in imports(&source.product_code()) {
                let fine = known.module == module || may_know.contains(&known.module.as_str());
                assert!(fine, "{} knows {}: {module} may know {may_know:?}", source.path, known.module);
            }
        }
    }
}

#[test]
fn what_decides_does_nothing_else() {
    for module in PURE {
        for source in source::under(module) {
            let code = source.product_code();
            let found = IMPURE.iter().find(|word| code.contains(**word));
            assert!(found.is_none(), "{}: {found:?} in a module that is to be pure", source.path);
        }
    }
}

#[test]
fn the_protocols_do_no_io() {
    for (directory, exception) in SANS_IO {
        for source in
            source::under(directory).into_iter().filter(|source| !source.path.starts_with(exception))
        {
            let code = source.product_code();
            let found = IO_OF_CRATES.iter().find(|word| code.contains(**word));
            assert!(found.is_none(), "{}: {found:?} outside a shell", source.path);
        }
    }
}

/// What is taken of one module of the crate.
#[derive(Debug, PartialEq)]
struct Import {
    module: String,
    names: Vec<String>,
}

/// All that the code says of its own crate, in `use` or in passing.
fn imports(code: &str) -> Vec<Import> {
    let mut imports = Vec::new();
    for path in code.split("crate::").skip(1) {
        assert!(
            !path.starts_with('{'),
            "`use crate::{{...}}`: write one `use` a module, so that the gates can read it"
        );
        let module = name(path);
        let rest = path[module.len()..].strip_prefix("::").unwrap_or("");
        let names = match rest.strip_prefix('{') {
            Some(group) => {
                group.split('}').next().unwrap_or("").split(',').map(|item| name(item.trim())).collect()
            }
            None => vec![name(rest)],
        };
        let names = names.into_iter().filter(|name| !name.is_empty()).map(str::to_owned).collect();
        imports.push(Import { module: module.to_owned(), names });
    }
    imports
}

/// The name that the text begins with.
fn name(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[test]
fn imports_are_read_in_every_form() {
    let code = "use crate::plan::{self, Bridge,\n    flows};\nuse crate::model::Mac;\nlet a = crate::place::rundir(b);";
    let import = |module: &str, names: &[&str]| Import {
        module: module.into(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    let expected = [
        import("plan", &["self", "Bridge", "flows"]),
        import("model", &["Mac"]),
        import("place", &["rundir"]),
    ];
    assert_eq!(imports(code), expected);
}
