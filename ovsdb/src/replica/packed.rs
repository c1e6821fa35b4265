//! Values as bytes: what a replica holds of them in memory. The same value always has the same bytes.

use uuid::Uuid;

use crate::notation::{Atom, Value};

const FALSE: u8 = 0;
const TRUE: u8 = 1;
const INTEGER: u8 = 2;
const REAL: u8 = 3;
const STRING: u8 = 4;
const UUID: u8 = 5;
const NAMED_UUID: u8 = 6;
const SET: u8 = 7;
const MAP: u8 = 8;

/// Reals up to here have no fraction that would be lost as an integer.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Appends a value.
pub(super) fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Atom(atom) => write_atom(out, atom),
        Value::Set(atoms) => {
            out.push(SET);
            write_length(out, atoms.len());
            atoms.iter().for_each(|atom| write_atom(out, atom));
        }
        Value::Map(pairs) => {
            out.push(MAP);
            write_length(out, pairs.len());
            for (key, value) in pairs {
                write_atom(out, key);
                write_atom(out, value);
            }
        }
    }
}

/// Appends an atom.
pub(super) fn write_atom(out: &mut Vec<u8>, atom: &Atom) {
    let text = |out: &mut Vec<u8>, tag, text: &str| {
        out.push(tag);
        write_length(out, text.len());
        out.extend_from_slice(text.as_bytes());
    };
    match atom {
        Atom::Boolean(value) => out.push(if *value { TRUE } else { FALSE }),
        Atom::Integer(value) => {
            out.push(INTEGER);
            // Small numbers of either sign are short.
            write_number(out, ((value << 1) ^ (value >> 63)) as u64);
        }
        // Comes over the wire as the one or the other.
        Atom::Real(value) if value.fract() == 0.0 && value.abs() <= EXACT => {
            write_atom(out, &Atom::Integer(*value as i64));
        }
        Atom::Real(value) => {
            out.push(REAL);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Atom::String(value) => text(out, STRING, value),
        Atom::Uuid(value) => {
            out.push(UUID);
            out.extend_from_slice(value.as_bytes());
        }
        Atom::NamedUuid(value) => text(out, NAMED_UUID, value),
    }
}

/// Appends a length or an index.
pub(super) fn write_length(out: &mut Vec<u8>, length: usize) {
    write_number(out, length as u64);
}

fn write_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads what was written by the functions above. At the end of the bytes it gives nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next value.
    pub(super) fn value(&mut self) -> Option<Value> {
        match *self.0.first()? {
            SET => {
                let count = self.count()?;
                (0..count).map(|_| self.atom()).collect::<Option<_>>().map(Value::Set)
            }
            MAP => {
                let count = self.count()?;
                (0..count).map(|_| Some((self.atom()?, self.atom()?))).collect::<Option<_>>().map(Value::Map)
            }
            _ => self.atom().map(Value::Atom),
        }
    }

    /// The next atom.
    pub(super) fn atom(&mut self) -> Option<Atom> {
        let (tag, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(match *tag {
            FALSE => Atom::Boolean(false),
            TRUE => Atom::Boolean(true),
            INTEGER => {
                let number = self.number()?;
                Atom::Integer((number >> 1) as i64 ^ -((number & 1) as i64))
            }
            REAL => Atom::Real(f64::from_le_bytes(self.bytes(8)?.try_into().ok()?)),
            STRING => Atom::String(self.text()?.into()),
            UUID => Atom::Uuid(Uuid::from_slice(self.bytes(16)?).ok()?),
            NAMED_UUID => Atom::NamedUuid(self.text()?.into()),
            _ => return None,
        })
    }

    /// The bytes of the next atom.
    pub(super) fn atom_bytes(&mut self) -> Option<&'a [u8]> {
        let whole = self.0;
        let (tag, rest) = whole.split_first()?;
        self.0 = rest;
        match *tag {
            INTEGER => drop(self.number()?),
            REAL => drop(self.bytes(8)?),
            UUID => drop(self.bytes(16)?),
            STRING | NAMED_UUID => {
                let length = self.length()?;
                self.bytes(length)?;
            }
            _ => {}
        }
        Some(&whole[..whole.len() - self.0.len()])
    }

    /// The number of elements or pairs, where a set or a map begins; 1 where an atom does. The tag is read too.
    pub(super) fn count(&mut self) -> Option<usize> {
        match self.0.split_first()? {
            (&(SET | MAP), rest) => {
                self.0 = rest;
                self.length()
            }
            _ => Some(1),
        }
    }

    /// Whether a map is next.
    pub(super) fn is_map(&self) -> bool {
        self.0.first() == Some(&MAP)
    }

    /// A length or an index.
    pub(super) fn length(&mut self) -> Option<usize> {
        self.number().and_then(|number| usize::try_from(number).ok())
    }

    /// So many bytes.
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.length()?;
        std::str::from_utf8(self.bytes(length)?).ok()
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn atom() -> impl Strategy<Value = Atom> {
        prop_oneof![
            any::<bool>().prop_map(Atom::from),
            any::<i64>().prop_map(Atom::from),
            (-300i64..300).prop_map(Atom::from),
            (-10_000_000i64..10_000_000).prop_map(|bits| Atom::from(bits as f64 / 1024.0 + 0.0001)),
            ".{0,200}".prop_map(Atom::from),
            any::<u128>().prop_map(|bits| Atom::from(Uuid::from_u128(bits))),
            "[a-z]{1,5}".prop_map(|name| Atom::NamedUuid(name.into())),
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            atom().prop_map(Value::Atom),
            prop::collection::vec(atom(), 0..5).prop_map(Value::set),
            prop::collection::vec((atom(), atom()), 0..5).prop_map(Value::map),
        ]
    }

    proptest! {
        #[test]
        fn values_are_read_as_written(values in prop::collection::vec(value(), 0..4)) {
            let mut out = Vec::new();
            values.iter().for_each(|value| write_value(&mut out, value));
            let mut reader = Reader(&out);
            for value in &values {
                let mut elements = reader;
                let count = elements.count().unwrap();
                for _ in 0..if reader.is_map() { count * 2 } else { count } {
                    let mut one = elements;
                    prop_assert_eq!(Reader(elements.atom_bytes().unwrap()).atom(), one.atom());
                }
                prop_assert_eq!(reader.value(), Some(value.clone()));
                prop_assert_eq!(reader.0, elements.0);
            }
            prop_assert_eq!(reader.value(), None);
        }

        /// A reader of bytes cut off ends, and does not panic.
        #[test]
        fn ends_where_the_bytes_end(value in value(), keep in 0.0f64..1.0) {
            let mut out = Vec::new();
            write_value(&mut out, &value);
            out.truncate((out.len() as f64 * keep) as usize);
            prop_assert_eq!(Reader(&out).value(), None);
        }
    }

    #[test]
    fn a_real_without_fraction_is_that_integer() {
        let bytes = |atom: Atom| {
            let mut out = Vec::new();
            write_atom(&mut out, &atom);
            out
        };
        assert_eq!(bytes(2.0.into()), bytes(2.into()));
        assert_eq!(bytes((-0.0).into()), bytes(0.into()));
        assert_eq!(Reader(&bytes(1e300.into())).atom(), Some(Atom::Real(1e300)));
        assert_eq!(bytes((-1).into()).len(), 2);
    }
}
