use super::shared_map::SharedMap;
use crate::notation::{Atom, Value};
use crate::table::Shape;

/// Elements or pairs from which on a value is kept as a tree: writing fewer anew costs less than a path in one.
const LARGE: usize = 256;

/// A large set or map, such as the ports of a bridge: a change costs O(log n), and copies share the rest.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Large {
    Set(SharedMap<Atom, ()>),
    Map(SharedMap<Atom, Atom>),
}

impl Large {
    /// `None` for a small value.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Set(atoms) if atoms.len() >= LARGE => {
                Some(Self::Set(SharedMap::of(atoms.iter().map(|atom| (atom.clone(), ())))))
            }
            Value::Map(pairs) if pairs.len() >= LARGE => {
                Some(Self::Map(SharedMap::of(pairs.iter().cloned())))
            }
            _ => None,
        }
    }

    pub(super) fn value(&self) -> Value {
        match self {
            Self::Set(atoms) => Value::set(atoms.iter().map(|(atom, ())| atom.clone())),
            Self::Map(pairs) => Value::map(pairs.iter().map(|(key, value)| (key.clone(), value.clone()))),
        }
    }

    /// The elements of a set, the values of a map.
    pub(super) fn elements(&self) -> impl Iterator<Item = &Atom> {
        let (atoms, pairs) = match self {
            Self::Set(atoms) => (Some(atoms), None),
            Self::Map(pairs) => (None, Some(pairs)),
        };
        let atoms = atoms.into_iter().flat_map(|atoms| atoms.iter().map(|(atom, ())| atom));
        atoms.chain(pairs.into_iter().flat_map(|pairs| pairs.iter().map(|(_, value)| value)))
    }

    /// A map's value at `key`.
    pub(super) fn entry(&self, key: &Atom) -> Option<&Atom> {
        match self {
            Self::Set(_) => None,
            Self::Map(pairs) => pairs.get(key),
        }
    }

    /// Whether differences of a column of this shape can be applied to it.
    pub(super) fn is_of(&self, shape: Shape) -> bool {
        matches!((self, shape), (Self::Set(_), Shape::Set) | (Self::Map(_), Shape::Map))
    }

    /// As [`Value::with_difference`].
    pub(super) fn after(&self, difference: &Value) -> Self {
        match self {
            Self::Set(atoms) => {
                let mut atoms = atoms.clone();
                for atom in difference.atoms() {
                    if atoms.remove(atom).is_none() {
                        atoms.insert(atom.clone(), ());
                    }
                }
                Self::Set(atoms)
            }
            Self::Map(pairs) => {
                let mut pairs = pairs.clone();
                for (key, value) in difference.pairs() {
                    if pairs.get(key) == Some(value) {
                        pairs.remove(key);
                    } else {
                        pairs.insert(key.clone(), value.clone());
                    }
                }
                Self::Map(pairs)
            }
        }
    }

    /// Whether it is to be kept in this way still: the same value has the same form, however it came about.
    pub(super) fn is_large(&self) -> bool {
        let len = match self {
            Self::Set(atoms) => atoms.len(),
            Self::Map(pairs) => pairs.len(),
        };
        len >= LARGE
    }
}
