//! Reading what ovs-ofctl(8) prints and takes: the inverse of what this crate prints.

mod action;
mod flow;
mod group;
mod matches;
mod nested;
pub(crate) mod value;

use std::fmt;

use crate::flow_match::BuildMatchError;

/// Why text is not what it should be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{item:?}: {problem}")]
pub struct ParseTextError {
    /// The part that cannot be read.
    pub item: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with the part that a [`ParseTextError`] names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Problem {
    /// No field of that name.
    UnknownField,
    /// No action of that name.
    UnknownAction,
    /// No word that has a meaning here.
    UnknownWord,
    /// Not written as it should be: as this.
    Expected(&'static str),
    /// Parentheses within parentheses, too deep.
    TooDeep,
    /// Fields that do not go together.
    Match(BuildMatchError),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownField => f.write_str("no field has this name, see ovs-fields(7)"),
            Self::UnknownAction => f.write_str("no action has this name, see ovs-actions(7)"),
            Self::UnknownWord => f.write_str("has no meaning here, see ovs-ofctl(8)"),
            Self::Expected(what) => write!(f, "write it as {what}"),
            Self::TooDeep => f.write_str("actions within actions, too deep"),
            Self::Match(error) => error.fmt(f),
        }
    }
}

impl Problem {
    fn of(self, item: &str) -> ParseTextError {
        ParseTextError { item: item.to_owned(), problem: self }
    }
}

fn expected<T>(item: &str, what: &'static str, value: Option<T>) -> Result<T, ParseTextError> {
    value.ok_or_else(|| Problem::Expected(what).of(item))
}

/// `key`, `key=value`, `key:value` or `key(value)`, with what follows the parenthesis.
#[derive(Clone, Copy, Debug)]
struct Item<'s> {
    whole: &'s str,
    key: &'s str,
    value: &'s str,
    /// What follows `key(value)`: `->field`.
    tail: &'s str,
}

impl<'s> Item<'s> {
    fn new(whole: &'s str) -> Self {
        let end = whole.find(['=', ':', '(']).unwrap_or(whole.len());
        let (key, rest) = whole.split_at(end);
        let Some(inner) = rest.strip_prefix('(') else {
            return Self { whole, key, value: rest.get(1..).unwrap_or_default(), tail: "" };
        };
        let close = closing(inner).unwrap_or(inner.len());
        let (value, tail) = inner.split_at(close);
        Self { whole, key, value, tail: tail.get(1..).unwrap_or_default() }
    }

    fn expected<T>(&self, what: &'static str, value: Option<T>) -> Result<T, ParseTextError> {
        expected(self.whole, what, value)
    }

    fn number<T: value::FromText>(&self) -> Result<T, ParseTextError> {
        self.expected("name=number", T::from_text(self.value))
    }
}

/// Where the parenthesis closes whose inside `text` begins with.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    text.char_indices().find_map(|(at, c)| {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return Some(at),
            ')' => depth -= 1,
            _ => {}
        }
        None
    })
}

/// The items between commas and blanks, those inside parentheses left whole.
fn items(text: &str) -> Vec<Item<'_>> {
    let (mut items, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' | ' ' | '\t' | '\r' | '\n' if depth == 0 => {
                push(&mut items, text.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    push(&mut items, text.get(start..));
    items
}

fn push<'s>(items: &mut Vec<Item<'s>>, whole: Option<&'s str>) {
    if let Some(whole) = whole.filter(|whole| !whole.is_empty()) {
        items.push(Item::new(whole));
    }
}

#[cfg(test)]
mod tests;
