//! The forms in which the test program writes JSON, numbers and atoms.

use flowport_ovsdb::Atom;
use serde_json::Value as Json;

/// Whole numbers up to here are written without exponent.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// JSON on one line, members sorted, nothing between its parts, reals as [`real`] has them.
pub(crate) fn json(value: &Json) -> String {
    match value {
        Json::Array(elements) => format!("[{}]", joined(elements.iter().map(json))),
        Json::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| name.as_str());
            let member = |(name, value): (&String, &Json)| format!("{}:{}", string(name), json(value));
            format!("{{{}}}", joined(sorted.into_iter().map(member)))
        }
        Json::Number(number) if number.is_f64() => real(number.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

fn string(text: &str) -> String {
    Json::from(text).to_string()
}

/// As C's `%.15g`, but whole numbers without exponent.
pub(crate) fn real(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < EXACT {
        return format!("{value:.0}");
    }
    let scientific = format!("{value:.14e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-5..15).contains(&exponent) {
        let decimals = usize::try_from(14 - exponent).unwrap_or_default();
        return without_zeros(&format!("{value:.decimals$}"));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", without_zeros(mantissa), exponent.abs())
}

fn without_zeros(decimal: &str) -> String {
    match decimal.contains('.') {
        true => decimal.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => decimal.to_owned(),
    }
}

/// An atom as `ovs-vsctl` writes it: strings in quotes only where they need some.
pub(crate) fn atom(atom: &Atom) -> String {
    match atom {
        Atom::Boolean(value) => value.to_string(),
        Atom::Integer(value) => value.to_string(),
        Atom::Real(value) => real(*value),
        Atom::String(text) if is_bare(text) => text.to_string(),
        Atom::String(text) => string(text),
        Atom::Uuid(uuid) => uuid.to_string(),
        Atom::NamedUuid(name) => name.to_string(),
    }
}

fn is_bare(text: &str) -> bool {
    let letter = |byte: u8| byte == b'_' || byte.is_ascii_alphabetic();
    let mut bytes = text.bytes();
    bytes.next().is_some_and(letter)
        && bytes.all(|byte| letter(byte) || byte == b'-' || byte == b'.')
        && !text.starts_with("true")
        && !text.starts_with("false")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reals_as_c_writes_them() {
        let cases = [
            (0.0, "0"),
            (1e5, "100000"),
            (-1.25, "-1.25"),
            (0.1, "0.1"),
            (0.00390625, "0.00390625"),
            (1e37, "1e+37"),
            (-1e99, "-1e+99"),
            (1.5e-7, "1.5e-07"),
            (123456789012345680000.0, "1.23456789012346e+20"),
        ];
        for (value, text) in cases {
            assert_eq!(real(value), text);
        }
    }

    #[test]
    fn strings_are_quoted_where_they_need_it() {
        for (text, written) in [("abc", "abc"), ("", "\"\""), ("a b", "\"a b\""), ("true", "\"true\"")] {
            assert_eq!(atom(&Atom::from(text)), written);
        }
    }
}
