//! The tables of the database that the tests use, as a program that knows it would declare them.

use std::collections::{BTreeMap, BTreeSet};

use flowport_ovsdb::table::Real;
use flowport_ovsdb::{Ref, Uuid, table};

table! {
    /// A column of each atomic type, and a set of each.
    pub(crate) struct Simple: "idltest", "simple" {
        /// Integer.
        i, I, "i": i64;
        /// Real.
        r, R, "r": f64;
        /// Boolean.
        b, B, "b": bool;
        /// String.
        s, S, "s": String;
        /// UUID.
        u, U, "u": Uuid;
        /// Integers.
        ia, IA, "ia": BTreeSet<i64>;
        /// Reals.
        ra, RA, "ra": BTreeSet<Real>;
        /// Perhaps a boolean.
        ba, BA, "ba": Option<bool>;
        /// Strings.
        sa, SA, "sa": BTreeSet<String>;
        /// UUIDs.
        ua, UA, "ua": BTreeSet<Uuid>;
    }
}

table! {
    /// Maps.
    pub(crate) struct Simple2: "idltest", "simple2" {
        /// Name.
        name, NAME, "name": String;
        /// By string.
        smap, SMAP, "smap": BTreeMap<String, String>;
        /// By integer.
        imap, IMAP, "imap": BTreeMap<i64, String>;
    }
}

table! {
    /// UUIDs and strong references.
    pub(crate) struct Simple3: "idltest", "simple3" {
        /// Name.
        name, NAME, "name": String;
        /// UUIDs of nothing.
        uset, USET, "uset": BTreeSet<Uuid>;
        /// References.
        uref, UREF, "uref": BTreeSet<Ref<Simple4>>;
    }
}

table! {
    /// Rows that something refers to, or that go.
    pub(crate) struct Simple4: "idltest", "simple4" {
        /// Name.
        name, NAME, "name": String;
    }
}

table! {
    /// A map to references.
    pub(crate) struct Simple5: "idltest", "simple5" {
        /// Name.
        name, NAME, "name": String;
        /// References by number.
        irefmap, IREFMAP, "irefmap": BTreeMap<i64, Ref<Simple3>>;
    }
}

table! {
    /// Weak references.
    pub(crate) struct Simple6: "idltest", "simple6" {
        /// Name.
        name, NAME, "name": String;
        /// References.
        weak_ref, WEAK_REF, "weak_ref": BTreeSet<Ref<Simple>>;
    }
}

table! {
    /// References to itself and another table.
    pub(crate) struct Link1: "idltest", "link1" {
        /// Number.
        i, I, "i": i64;
        /// One of its own.
        k, K, "k": Ref<Self>;
        /// Several of its own.
        ka, KA, "ka": BTreeSet<Ref<Self>>;
        /// One of the other's.
        l2, L2, "l2": Option<Ref<Link2>>;
    }
}

table! {
    /// References back.
    pub(crate) struct Link2: "idltest", "link2" {
        /// Number.
        i, I, "i": i64;
        /// One of the other's.
        l1, L1, "l1": Option<Ref<Link1>>;
    }
}

table! {
    /// One row at most.
    pub(crate) struct Singleton: "idltest", "singleton" {
        /// Name.
        name, NAME, "name": String;
    }
}
