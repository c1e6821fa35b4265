//! Names of links and bridges.

use std::fmt;
use std::str::FromStr;

use super::BadWord;

/// The name of a network device, bridges included: 1 to 15 bytes (`IFNAMSIZ` less the NUL), none of them `/`,
/// white space or `:`, and neither `.` nor `..` (`dev_valid_name` of the kernel).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LinkName(String);

impl LinkName {
    /// The longest name that the kernel takes, in bytes.
    pub const MAX: usize = 15;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LinkName {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        if text.is_empty() {
            return Err(BadWord("an interface or bridge name is empty: give 1 to 15 characters".into()));
        }
        if text.len() > Self::MAX {
            return Err(BadWord(format!(
                "name {text:?} has {} characters: Linux takes at most {}, shorten it",
                text.len(),
                Self::MAX
            )));
        }
        let refused = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
        if text == "." || text == ".." || text.contains(refused) {
            return Err(BadWord(format!(
                "name {text:?} is no interface name: leave out '/', ':' and white space"
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for LinkName {
    type Error = BadWord;

    fn try_from(text: String) -> Result<Self, BadWord> {
        text.parse()
    }
}

impl From<LinkName> for String {
    fn from(name: LinkName) -> Self {
        name.0
    }
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifteen_characters_are_a_name_and_sixteen_are_not() {
        assert!("a23456789012345".parse::<LinkName>().is_ok());
        let refused = "a234567890123456".parse::<LinkName>().unwrap_err().to_string();
        assert!(refused.contains("16 characters") && refused.contains("at most 15"), "{refused}");
    }

    #[test]
    fn what_the_kernel_refuses_is_refused() {
        for text in ["", ".", "..", "a/b", "a b", "a:b", "a\n"] {
            assert!(text.parse::<LinkName>().is_err(), "{text:?}");
        }
    }
}
