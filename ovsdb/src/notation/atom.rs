use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// A single value (RFC 7047 section 5.1, `<atom>`).
#[derive(Clone, Debug)]
pub enum Atom {
    /// `true` or `false`.
    Boolean(bool),
    /// A 64-bit integer.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// A string.
    String(Box<str>),
    /// The UUID of a row.
    Uuid(Uuid),
    /// The row inserted under this name by the same transaction.
    NamedUuid(Box<str>),
}

impl Atom {
    fn rank(&self) -> u8 {
        match self {
            Self::Boolean(_) => 0,
            Self::Integer(_) => 1,
            Self::Real(_) => 2,
            Self::String(_) => 3,
            Self::Uuid(_) => 4,
            Self::NamedUuid(_) => 5,
        }
    }
}

impl Ord for Atom {
    /// A total order, so that sets and maps have one canonical form. Reals by `total_cmp`.
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Boolean(a), Self::Boolean(b)) => a.cmp(b),
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (Self::Real(a), Self::Real(b)) => a.total_cmp(b),
            (Self::String(a), Self::String(b)) | (Self::NamedUuid(a), Self::NamedUuid(b)) => a.cmp(b),
            (Self::Uuid(a), Self::Uuid(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Atom {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Atom {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Atom {}

impl From<bool> for Atom {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<i64> for Atom {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for Atom {
    /// Minus zero becomes zero, which it equals in a database.
    fn from(value: f64) -> Self {
        Self::Real(value + 0.0)
    }
}

impl From<&str> for Atom {
    fn from(value: &str) -> Self {
        Self::String(value.into())
    }
}

impl From<String> for Atom {
    fn from(value: String) -> Self {
        Self::String(value.into())
    }
}

impl From<Uuid> for Atom {
    fn from(value: Uuid) -> Self {
        Self::Uuid(value)
    }
}

impl Serialize for Atom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Boolean(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Real(value) => serializer.serialize_f64(*value),
            Self::String(value) => serializer.serialize_str(value),
            Self::Uuid(value) => {
                let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
                ("uuid", &*value.hyphenated().encode_lower(&mut text)).serialize(serializer)
            }
            Self::NamedUuid(name) => ("named-uuid", name).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Atom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AtomVisitor)
    }
}

struct AtomVisitor;

impl<'de> Visitor<'de> for AtomVisitor {
    type Value = Atom;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an OVSDB atom")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Atom, E> {
        Ok(Atom::Boolean(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Atom, E> {
        Ok(Atom::Integer(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Atom, E> {
        i64::try_from(value)
            .map(Atom::Integer)
            .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &"a signed 64-bit integer"))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Atom, E> {
        Ok(Atom::from(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Atom, E> {
        Ok(Atom::String(value.into()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Atom, E> {
        Ok(Atom::String(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Atom, A::Error> {
        let tag: Text<'de> = seq.next_element()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
        let atom = tagged_atom(&tag.0, &mut seq)?
            .ok_or_else(|| de::Error::invalid_value(de::Unexpected::Str(&tag.0), &"uuid or named-uuid"))?;
        end(&mut seq)?;
        Ok(atom)
    }
}

/// A string that borrows from the input where it has no escapes.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// The atom after its tag; `None` where the tag is no atom's.
pub(super) fn tagged_atom<'de, A: SeqAccess<'de>>(tag: &str, seq: &mut A) -> Result<Option<Atom>, A::Error> {
    let named = match tag {
        "uuid" => false,
        "named-uuid" => true,
        _ => return Ok(None),
    };
    let text: Text<'de> =
        seq.next_element()?.ok_or_else(|| de::Error::invalid_length(1, &"a tag and its value"))?;
    if named {
        return Ok(Some(Atom::NamedUuid(text.0.into())));
    }
    let uuid = Uuid::try_parse(&text.0)
        .map_err(|_| de::Error::invalid_value(de::Unexpected::Str(&text.0), &"a UUID"))?;
    Ok(Some(Atom::Uuid(uuid)))
}

/// Checks that the pair has no third element.
pub(super) fn end<'de, A: SeqAccess<'de>>(seq: &mut A) -> Result<(), A::Error> {
    match seq.next_element::<de::IgnoredAny>()? {
        None => Ok(()),
        Some(_) => Err(de::Error::invalid_length(3, &"a tag and its value")),
    }
}
