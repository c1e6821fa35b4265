use std::fmt;

use serde::de::{self, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::atom::{Atom, Text, end, tagged_atom};
use crate::table::Shape;

/// The value of a column (RFC 7047 section 5.1, `<value>`), in canonical form: elements sorted, none twice,
/// and a set of exactly one element is that atom, as the protocol itself makes no difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// An atom, or a set of one.
    Atom(Atom),
    /// A set of none or several.
    Set(Box<[Atom]>),
    /// A map, sorted by key.
    Map(Box<[(Atom, Atom)]>),
}

impl Value {
    /// The set of these atoms.
    pub fn set(atoms: impl IntoIterator<Item = Atom>) -> Self {
        let mut atoms: Vec<Atom> = atoms.into_iter().collect();
        if !atoms.is_sorted_by(|a, b| a < b) {
            atoms.sort_unstable();
            atoms.dedup();
        }
        match <[Atom; 1]>::try_from(atoms) {
            Ok([atom]) => Self::Atom(atom),
            Err(atoms) => Self::Set(atoms.into()),
        }
    }

    /// The map of these pairs. Of several pairs with one key the last counts.
    pub fn map(pairs: impl IntoIterator<Item = (Atom, Atom)>) -> Self {
        let mut pairs: Vec<(Atom, Atom)> = pairs.into_iter().collect();
        if !pairs.is_sorted_by(|a, b| a.0 < b.0) {
            pairs.reverse();
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            pairs.dedup_by(|a, b| a.0 == b.0);
        }
        Self::Map(pairs.into())
    }

    /// The elements of a set, or the single atom; nothing for a map.
    pub fn atoms(&self) -> &[Atom] {
        match self {
            Self::Atom(atom) => std::slice::from_ref(atom),
            Self::Set(atoms) => atoms,
            Self::Map(_) => &[],
        }
    }

    /// The pairs of a map. An empty set counts as an empty map; anything else has none.
    pub fn pairs(&self) -> &[(Atom, Atom)] {
        match self {
            Self::Map(pairs) => pairs,
            _ => &[],
        }
    }

    /// Whether a column of this shape has this value when nobody wrote it (RFC 7047 section 5.2.1).
    pub fn is_default(&self, shape: Shape) -> bool {
        match (self, shape) {
            (Self::Set(atoms), _) => atoms.is_empty(),
            (Self::Map(pairs), _) => pairs.is_empty(),
            (Self::Atom(atom), Shape::One) => match atom {
                Atom::Boolean(value) => !value,
                Atom::Integer(value) => *value == 0,
                Atom::Real(value) => *value == 0.0,
                Atom::String(value) => value.is_empty(),
                Atom::Uuid(value) => value.is_nil(),
                Atom::NamedUuid(_) => false,
            },
            (Self::Atom(_), _) => false,
        }
    }

    /// The value after the difference that `modify` of `update2` gives (`ovsdb-server(7)`, section 4.1.14):
    /// a set's elements are toggled; a map's pairs are added, changed, or with their old value removed;
    /// anything else is replaced. `old` is `None` where the column had its default.
    pub(crate) fn with_difference(old: Option<&Self>, difference: Self, shape: Shape) -> Self {
        match shape {
            Shape::One | Shape::Optional => difference,
            Shape::Set => {
                let old = old.map_or(&[][..], Self::atoms);
                Self::set(symmetric_difference(old, difference.atoms()))
            }
            Shape::Map => {
                let old = old.map_or(&[][..], Self::pairs);
                Self::Map(changed_pairs(old, difference.pairs()).into())
            }
        }
    }
}

/// Elements in exactly one of two sorted slices, sorted.
fn symmetric_difference(a: &[Atom], b: &[Atom]) -> Vec<Atom> {
    let mut out = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => {
                out.push(a[i].clone());
                i += 1;
            }
            std::cmp::Ordering::Greater => {
                out.push(b[j].clone());
                j += 1;
            }
            std::cmp::Ordering::Equal => {
                i += 1;
                j += 1;
            }
        }
    }
    out.extend_from_slice(&a[i..]);
    out.extend_from_slice(&b[j..]);
    out
}

fn changed_pairs(old: &[(Atom, Atom)], difference: &[(Atom, Atom)]) -> Vec<(Atom, Atom)> {
    let mut pairs = old.to_vec();
    for (key, value) in difference {
        match pairs.binary_search_by(|(existing, _)| existing.cmp(key)) {
            Ok(at) if pairs[at].1 == *value => {
                pairs.remove(at);
            }
            Ok(at) => pairs[at].1 = value.clone(),
            Err(at) => pairs.insert(at, (key.clone(), value.clone())),
        }
    }
    pairs
}

impl<A: Into<Atom>> From<A> for Value {
    fn from(atom: A) -> Self {
        Self::Atom(atom.into())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let tagged = |tag, serializer: S| -> Result<_, S::Error> {
            let mut seq = serializer.serialize_seq(Some(2))?;
            seq.serialize_element(tag)?;
            Ok(seq)
        };
        match self {
            Self::Atom(atom) => atom.serialize(serializer),
            Self::Set(atoms) => {
                let mut seq = tagged("set", serializer)?;
                seq.serialize_element(atoms)?;
                seq.end()
            }
            Self::Map(pairs) => {
                let mut seq = tagged("map", serializer)?;
                seq.serialize_element(pairs)?;
                seq.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an OVSDB value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        i64::try_from(value)
            .map(Value::from)
            .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &"a signed 64-bit integer"))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let tag: Text<'de> = seq.next_element()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
        let missing = || de::Error::invalid_length(1, &"a tag and its value");
        let value = match &*tag.0 {
            "set" => Value::set(seq.next_element::<Vec<Atom>>()?.ok_or_else(missing)?),
            "map" => Value::map(seq.next_element::<Vec<(Atom, Atom)>>()?.ok_or_else(missing)?),
            tag => Value::Atom(tagged_atom(tag, &mut seq)?.ok_or_else(|| {
                de::Error::invalid_value(de::Unexpected::Str(tag), &"set, map, uuid or named-uuid")
            })?),
        };
        end(&mut seq)?;
        Ok(value)
    }
}
