use std::fmt;

use serde_json::Value as Json;
use thiserror::Error;
use uuid::Uuid;

use super::{AtomicType, BaseType, Constraint, Type};
use crate::notation::{Atom, Value};

/// Whole numbers up to here are written alike as integer and as real; a real beyond is none of an integer column.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Why a value is none of a column's type.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum ValueError {
    /// It is of another atomic type, or not an atom.
    #[error("expected {0}")]
    Expected(AtomicType),
    /// Not the array that a set or a map is.
    #[error("expected {0}")]
    NotACollection(&'static str),
    /// None of the enumeration.
    #[error("{} is not among the values allowed", Text(atom))]
    NotAllowed {
        /// The atom.
        atom: Atom,
        /// Those allowed.
        allowed: Value,
    },
    /// A number outside of its limits, of which there is at least one.
    #[error("{}", OutOfRange(atom, min.as_ref(), max.as_ref()))]
    OutOfRange {
        /// The number.
        atom: Atom,
        /// The lower limit, included.
        min: Option<Atom>,
        /// The upper limit, included.
        max: Option<Atom>,
    },
    /// A string too short or too long.
    #[error("{text:?} has {length} characters: {limit} are allowed")]
    Length {
        /// The string.
        text: Box<str>,
        /// Its length in characters.
        length: usize,
        /// The limit.
        limit: Limit,
    },
    /// An element twice in a set, or a key in a map.
    #[error("{} is there twice", Text(.0))]
    Duplicate(Atom),
    /// Too few elements or too many.
    #[error("{count} elements where {min} to {} are allowed", Unlimited(*max))]
    Count {
        /// How many.
        count: usize,
        /// Fewest.
        min: u32,
        /// Most; `None` for any number.
        max: Option<u32>,
    },
}

/// A limit that was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// At least this.
    AtLeast(u32),
    /// At most this.
    AtMost(u32),
}

impl fmt::Display for Limit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(limit) => write!(formatter, "at least {limit}"),
            Self::AtMost(limit) => write!(formatter, "at most {limit}"),
        }
    }
}

struct Text<'a>(&'a Atom);

impl fmt::Display for Text<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Atom::Boolean(value) => value.fmt(formatter),
            Atom::Integer(value) => value.fmt(formatter),
            Atom::Real(value) => value.fmt(formatter),
            Atom::String(value) => fmt::Debug::fmt(value, formatter),
            Atom::Uuid(value) => value.fmt(formatter),
            Atom::NamedUuid(value) => value.fmt(formatter),
        }
    }
}

struct OutOfRange<'a>(&'a Atom, Option<&'a Atom>, Option<&'a Atom>);

impl fmt::Display for OutOfRange<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Text(self.0).fmt(formatter)?;
        match (self.1, self.2) {
            (Some(min), Some(max)) => write!(formatter, " is not within {} to {}", Text(min), Text(max)),
            (Some(min), None) => write!(formatter, " is less than {}", Text(min)),
            (None, Some(max)) => write!(formatter, " is more than {}", Text(max)),
            (None, None) => Ok(()),
        }
    }
}

struct Unlimited(Option<u32>);

impl fmt::Display for Unlimited {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(max) => max.fmt(formatter),
            None => formatter.write_str("any number"),
        }
    }
}

impl BaseType {
    /// Reads an `<atom>` (RFC 7047 section 5.1) of this type and checks it. A `named-uuid` is none: it means
    /// something within its transaction only. A whole number counts as a real, and a real without fraction as
    /// an integer.
    pub fn atom_from_json(&self, json: &Json) -> Result<Atom, ValueError> {
        let expected = || ValueError::Expected(self.atomic);
        let atom = match self.atomic {
            AtomicType::Integer => Atom::from(integer(json).ok_or_else(expected)?),
            AtomicType::Real => Atom::from(json.as_f64().ok_or_else(expected)?),
            AtomicType::Boolean => Atom::from(json.as_bool().ok_or_else(expected)?),
            AtomicType::String => Atom::from(json.as_str().ok_or_else(expected)?),
            AtomicType::Uuid => Atom::from(uuid(json).ok_or_else(expected)?),
        };
        self.check(&atom)?;
        Ok(atom)
    }

    /// Whether an atom is of this type and keeps its constraint. A reference is not followed, and may be a name.
    pub fn check(&self, atom: &Atom) -> Result<(), ValueError> {
        let fits = matches!(
            (self.atomic, atom),
            (AtomicType::Integer, Atom::Integer(_))
                | (AtomicType::Real, Atom::Real(_) | Atom::Integer(_))
                | (AtomicType::Boolean, Atom::Boolean(_))
                | (AtomicType::String, Atom::String(_))
                | (AtomicType::Uuid, Atom::Uuid(_) | Atom::NamedUuid(_))
        );
        if !fits {
            return Err(ValueError::Expected(self.atomic));
        }
        match (&self.constraint, atom) {
            (Constraint::Enumeration(allowed), _) if !allowed.atoms().contains(atom) => {
                Err(ValueError::NotAllowed { atom: atom.clone(), allowed: allowed.clone() })
            }
            (Constraint::Integer { min, max }, Atom::Integer(value)) => within(*value, *min, *max),
            (Constraint::Real { min, max }, Atom::Real(value)) => within(*value, *min, *max),
            (Constraint::Real { min, max }, Atom::Integer(value)) => within(*value as f64, *min, *max),
            (Constraint::Length { min, max }, Atom::String(text)) => length(text, *min, *max),
            _ => Ok(()),
        }
    }
}

fn within<N: Copy + PartialOrd + Into<Atom>>(
    value: N,
    min: Option<N>,
    max: Option<N>,
) -> Result<(), ValueError> {
    if min.is_some_and(|min| value < min) || max.is_some_and(|max| value > max) {
        return Err(ValueError::OutOfRange {
            atom: value.into(),
            min: min.map(Into::into),
            max: max.map(Into::into),
        });
    }
    Ok(())
}

fn length(text: &str, min: u32, max: Option<u32>) -> Result<(), ValueError> {
    let length = text.chars().count();
    let over = |limit: u32| u32::try_from(length).map_or(true, |length| length > limit);
    let limit = match max {
        _ if u32::try_from(length).is_ok_and(|length| length < min) => Limit::AtLeast(min),
        Some(max) if over(max) => Limit::AtMost(max),
        _ => return Ok(()),
    };
    Err(ValueError::Length { text: text.into(), length, limit })
}

fn integer(json: &Json) -> Option<i64> {
    json.as_i64().or_else(|| {
        let real = json.as_f64().filter(|real| real.fract() == 0.0 && real.abs() <= EXACT)?;
        Some(real as i64)
    })
}

fn uuid(json: &Json) -> Option<Uuid> {
    match json.as_array().map(Vec::as_slice) {
        Some([Json::String(tag), Json::String(text)]) if tag == "uuid" => Uuid::try_parse(text).ok(),
        _ => None,
    }
}

impl Type {
    /// Reads a `<value>` (RFC 7047 section 5.1) of this type and checks it, elements that are there twice
    /// included, which a [`Value`] does not show any more.
    pub fn value_from_json(&self, json: &Json) -> Result<Value, ValueError> {
        if let Some(value) = &self.value {
            let mut pairs = Vec::new();
            let not_pairs = ValueError::NotACollection(r#"["map", [[<atom>, <atom>], ...]]"#);
            for pair in tagged(json, "map").ok_or(not_pairs.clone())? {
                let Some([key, of_key]) = pair.as_array().map(Vec::as_slice) else { return Err(not_pairs) };
                pairs.push((self.key.atom_from_json(key)?, value.atom_from_json(of_key)?));
            }
            self.count(pairs.len())?;
            unique(pairs.iter().map(|(key, _)| key))?;
            return Ok(Value::map(pairs));
        }
        let is_set = json.as_array().and_then(|array| array.first()).is_some_and(|tag| tag == "set");
        if !is_set {
            return self.key.atom_from_json(json).map(Value::Atom);
        }
        let elements = tagged(json, "set").ok_or(ValueError::NotACollection(r#"["set", [<atom>, ...]]"#))?;
        self.count(elements.len())?;
        let atoms: Vec<Atom> =
            elements.iter().map(|element| self.key.atom_from_json(element)).collect::<Result<_, _>>()?;
        unique(&atoms)?;
        Ok(Value::set(atoms))
    }

    /// Whether a value is of this type and keeps its constraints. An empty set may stand for an empty map.
    pub fn check(&self, value: &Value) -> Result<(), ValueError> {
        match (value, &self.value) {
            (Value::Map(pairs), Some(of_keys)) => {
                self.count(pairs.len())?;
                pairs.iter().try_for_each(|(key, value)| {
                    self.key.check(key)?;
                    of_keys.check(value)
                })
            }
            (Value::Map(_), None) => Err(ValueError::Expected(self.key.atomic)),
            (Value::Atom(_), Some(_)) => Err(ValueError::NotACollection("a map")),
            (Value::Set(atoms), Some(_)) if !atoms.is_empty() => Err(ValueError::NotACollection("a map")),
            (value, _) => {
                self.count(value.atoms().len())?;
                value.atoms().iter().try_for_each(|atom| self.key.check(atom))
            }
        }
    }

    fn count(&self, count: usize) -> Result<(), ValueError> {
        let few = u32::try_from(count).is_ok_and(|count| count < self.min);
        let many = self.max.is_some_and(|max| u32::try_from(count).map_or(true, |count| count > max));
        if few || many {
            return Err(ValueError::Count { count, min: self.min, max: self.max });
        }
        Ok(())
    }
}

/// The elements of `[tag, [element, ...]]`.
fn tagged<'a>(json: &'a Json, tag: &str) -> Option<&'a [Json]> {
    match json.as_array().map(Vec::as_slice) {
        Some([Json::String(found), Json::Array(elements)]) if found == tag => Some(elements),
        _ => None,
    }
}

fn unique<'a>(atoms: impl IntoIterator<Item = &'a Atom>) -> Result<(), ValueError> {
    let mut sorted: Vec<&Atom> = atoms.into_iter().collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(ValueError::Duplicate(pair[0].clone())),
        None => Ok(()),
    }
}
