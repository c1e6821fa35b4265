//! Typed tables of the databases that Flowport works with.
//!
//! Generated from the `.ovsschema` files in `schemas/`; `UPDATE=1 cargo test -p flowport-ovsdb-schema` writes
//! them anew. A column's Rust type tells its cardinality: `T`, `Option<T>`, `BTreeSet<T>`, `BTreeMap<K, V>`,
//! and [`Ref<T>`](flowport_ovsdb::Ref) for the UUID of another row. Servers with fewer or more columns, or with values
//! outside of an enumeration, are understood.

pub mod flowport_local;
pub mod open_vswitch;

/// The schema of `Flowport_Local`, for `ovsdb-tool create`.
pub const FLOWPORT_LOCAL_SCHEMA: &str = include_str!("../schemas/flowport-local.ovsschema");
