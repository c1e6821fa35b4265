//! The commands that read types, atoms, values and schemas, and write them again.

use std::io::Write;

use flowport_ovsdb::schema::{
    AtomicType, BaseType, ColumnSchema, DatabaseSchema, SchemaError, TableSchema, Type,
};
use serde_json::{Value as Json, json};

use crate::{Outcome, print, text, words};

/// Each type's default atom is one of the type, and the same again.
pub(crate) fn default_atoms(out: &mut impl Write) -> Outcome {
    for atomic in AtomicType::ALL {
        let atom = atomic.default_atom();
        let is_right = BaseType::new(atomic).check(&atom).is_ok() && atom == atomic.default_atom();
        verdict(out, atomic.name(), is_right)?;
    }
    Ok(())
}

/// Each type's default value is one of the type, and the same again.
pub(crate) fn default_data(out: &mut impl Write) -> Outcome {
    for min in [0, 1] {
        for key in AtomicType::ALL {
            for value in std::iter::once(None).chain(AtomicType::ALL.map(Some)) {
                let mut kind = json!({"key": key, "min": min});
                if let Some(value) = value {
                    kind["value"] = json!(value);
                }
                let kind = Type::from_json(&kind).map_err(|error| words::schema(&error, &kind))?;
                let default = kind.default_value();
                let is_right = kind.check(&default).is_ok() && default == kind.default_value();
                let value = value.map_or("void", AtomicType::name);
                verdict(out, &format!("key {key}, value {value}, n_min {min}"), is_right)?;
            }
        }
    }
    Ok(())
}

fn verdict(out: &mut impl Write, what: &str, is_right: bool) -> Outcome {
    print(out, &format!("{what}: {}", if is_right { "OK" } else { "wrong" }))?;
    if is_right { Ok(()) } else { Err("the default is none of its type".to_owned()) }
}

pub(crate) fn parse_atomic_type(out: &mut impl Write, kind: &str) -> Outcome {
    let kind = unboxed(kind)?;
    let name = kind.as_str().ok_or("atomic-type expected")?;
    let atomic: AtomicType = name.parse().map_err(|error| words::schema(&error, &kind))?;
    print(out, &text::json(&json!(atomic)))
}

pub(crate) fn parse_base_type(out: &mut impl Write, kind: &str) -> Outcome {
    print(out, &text::json(&json!(read(kind, BaseType::from_json)?)))
}

pub(crate) fn parse_type(out: &mut impl Write, kind: &str) -> Outcome {
    print(out, &text::json(&json!(read(kind, Type::from_json)?)))
}

/// An atom that is refused is told on its line, and the next is read.
pub(crate) fn parse_atoms(out: &mut impl Write, kind: &str, atoms: &[&str]) -> Outcome {
    let base = read(kind, BaseType::from_json)?;
    for atom in atoms {
        let atom = unboxed(atom)?;
        match base.atom_from_json(&atom) {
            Ok(atom) => print(out, &text::json(&json!(atom)))?,
            Err(error) => print(out, &words::value(&error, &atom))?,
        }
    }
    Ok(())
}

pub(crate) fn parse_data(out: &mut impl Write, kind: &str, data: &[&str]) -> Outcome {
    let kind = read(kind, Type::from_json)?;
    for datum in data {
        let datum = unboxed(datum)?;
        let value = kind.value_from_json(&datum).map_err(|error| words::value(&error, &datum))?;
        print(out, &text::json(&json!(value)))?;
    }
    Ok(())
}

pub(crate) fn sort_atoms(out: &mut impl Write, kind: &str, atoms: &str) -> Outcome {
    let base = read(kind, BaseType::from_json)?;
    let atoms = unboxed(atoms)?;
    let mut sorted = Vec::new();
    for atom in atoms.as_array().ok_or("array of atoms expected")? {
        sorted.push(base.atom_from_json(atom).map_err(|error| words::value(&error, atom))?);
    }
    sorted.sort();
    print(out, &text::json(&json!(sorted)))
}

pub(crate) fn parse_column(out: &mut impl Write, name: &str, column: &str) -> Outcome {
    print(out, &text::json(&json!(read(column, |json| ColumnSchema::from_json(name, json))?)))
}

/// `isRoot` is written where it is not as in all other tables, which `roots` tells of.
pub(crate) fn parse_table(out: &mut impl Write, name: &str, table: &str, roots: bool) -> Outcome {
    let table = read(table, |json| TableSchema::from_json(name, json))?;
    let mut written = json!(table);
    if let Some(members) = written.as_object_mut() {
        members.remove("isRoot");
        if table.is_root != roots {
            members.insert("isRoot".to_owned(), table.is_root.into());
        }
    }
    print(out, &text::json(&written))
}

pub(crate) fn parse_schema(out: &mut impl Write, schema: &str) -> Outcome {
    print(out, &text::json(&json!(read(schema, DatabaseSchema::from_json)?)))
}

fn read<T>(text: &str, parse: impl FnOnce(&Json) -> Result<T, SchemaError>) -> Result<T, String> {
    let json = unboxed(text)?;
    parse(&json).map_err(|error| words::schema(&error, &json))
}

/// The JSON in an argument; the element of an array of one, so that strings and numbers can be arguments too.
fn unboxed(text: &str) -> Result<Json, String> {
    let json: Json = serde_json::from_str(text).map_err(|error| format!("{text}: {error}"))?;
    Ok(match json {
        Json::Array(mut elements) if elements.len() == 1 => elements.remove(0),
        json => json,
    })
}
