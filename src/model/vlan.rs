//! VLAN identifiers, which name the networks of a bridge.

use std::fmt;
use std::str::FromStr;

use super::BadWord;

/// A network of a bridge, named by its VLAN: 1 to 4095, or 0 for the untagged one.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "i64", into = "i64")]
pub struct Vlan(u16);

impl Vlan {
    /// Frames without a tag.
    pub const UNTAGGED: Self = Self(0);

    /// The VLAN identifier, 0 for untagged.
    pub fn id(self) -> u16 {
        self.0
    }

    /// The `tag` column of table `Port`: absent for untagged.
    pub fn tag(self) -> Option<i64> {
        (self.0 != 0).then_some(i64::from(self.0))
    }

    /// The network of a port with this `tag` column; what the schema cannot hold is untagged.
    pub fn from_tag(tag: Option<i64>) -> Self {
        tag.and_then(|tag| Self::try_from(tag).ok()).unwrap_or_default()
    }
}

impl TryFrom<i64> for Vlan {
    type Error = BadWord;

    fn try_from(id: i64) -> Result<Self, BadWord> {
        u16::try_from(id)
            .ok()
            .filter(|id| *id <= 4095)
            .map(Self)
            .ok_or_else(|| BadWord(format!("VLAN {id} is out of range: give 0 (untagged) to 4095")))
    }
}

impl From<Vlan> for i64 {
    fn from(vlan: Vlan) -> Self {
        vlan.0.into()
    }
}

impl FromStr for Vlan {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        text.parse::<i64>()
            .map_err(|_| BadWord(format!("VLAN {text:?} is no number: give 0 (untagged) to 4095")))?
            .try_into()
    }
}

impl fmt::Display for Vlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_to_4095() {
        assert_eq!("0".parse(), Ok(Vlan::UNTAGGED));
        assert_eq!("4095".parse::<Vlan>().map(Vlan::id), Ok(4095));
        for text in ["4096", "-1", "five", ""] {
            assert!(text.parse::<Vlan>().is_err(), "{text}");
        }
    }
}
