//! The tables. One row a thing, from which reader, writer, names and the place of the unknown follow.

/// A struct whose fields follow one another on the wire; `[pad n]` before a field is n zero bytes.
/// `pub struct X: sized` begins with a 16-bit length that counts the whole struct and bounds its fields.
macro_rules! wire_struct {
    ($(#[$m:meta])* pub struct $name:ident { $($(#[$fm:meta])* $([pad $n:literal])? $f:ident: $t:ty),* $(,)? $(; pad $e:literal)? }) => {
        $(#[$m])*
        #[derive(Clone, Debug, Eq, Hash, PartialEq)]
        pub struct $name { $($(#[$fm])* pub $f: $t),* }
        impl $crate::wire::Wire for $name {
            const MIN_SIZE: usize = 0 $($(+ $n)? + <$t as $crate::wire::Wire>::MIN_SIZE)* $(+ $e)?;
            #[inline]
            fn encode(&self, out: &mut Vec<u8>) {
                $($(out.extend_from_slice(&[0; $n]);)? $crate::wire::Wire::encode(&self.$f, out);)*
                $(out.extend_from_slice(&[0; $e]);)?
            }
            #[inline]
            fn decode(r: &mut $crate::wire::Reader<'_>) -> Result<Self, $crate::wire::DecodeError> {
                let outer = r.enter(stringify!($name));
                r.require(Self::MIN_SIZE)?;
                let this = Self { $($f: { $(r.pad($n)?;)? r.get()? }),* };
                $(r.pad($e)?;)?
                r.leave(outer);
                Ok(this)
            }
        }
    };
    ($(#[$m:meta])* pub struct $name:ident: sized { $($(#[$fm:meta])* $([pad $n:literal])? $f:ident: $t:ty),* $(,)? $(; pad $e:literal)? }) => {
        $(#[$m])*
        #[derive(Clone, Debug, Eq, Hash, PartialEq)]
        pub struct $name { $($(#[$fm])* pub $f: $t),* }
        impl $crate::wire::Wire for $name {
            const MIN_SIZE: usize = 2 $($(+ $n)? + <$t as $crate::wire::Wire>::MIN_SIZE)* $(+ $e)?;
            fn encode(&self, out: &mut Vec<u8>) {
                let start = out.len();
                out.extend_from_slice(&[0; 2]);
                $($(out.extend_from_slice(&[0; $n]);)? $crate::wire::Wire::encode(&self.$f, out);)*
                $(out.extend_from_slice(&[0; $e]);)?
                let len = out.len() - start;
                $crate::wire::put_len(out, start, len);
            }
            fn decode(r: &mut $crate::wire::Reader<'_>) -> Result<Self, $crate::wire::DecodeError> {
                let mut body = r.sized(stringify!($name))?;
                body.require(Self::MIN_SIZE - 2)?;
                let this = Self { $($f: { $(body.pad($n)?;)? body.get()? }),* };
                $(body.pad($e)?;)?
                body.finish()?;
                Ok(this)
            }
        }
    };
}

/// An open set of numbers: every value decodes, the known ones have names. `ones` narrows the bits that count.
macro_rules! wire_code {
    ($(#[$m:meta])* pub struct $name:ident($t:ty) { $($(#[$cm:meta])* $c:ident = $v:expr),* $(,)? }) => {
        wire_code! { $(#[$m])* pub struct $name($t, ones <$t>::MAX) { $($(#[$cm])* $c = $v),* } }
    };
    ($(#[$m:meta])* pub struct $name:ident($t:ty, ones $ones:expr) { $($(#[$cm:meta])* $c:ident = $v:expr),* $(,)? }) => {
        $(#[$m])*
        #[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(pub $t);
        impl $name {
            $($(#[$cm])* #[doc = concat!("`", stringify!($v), "`")] pub const $c: Self = Self($v);)*
            /// The name of the value, if it is a known one.
            pub fn name(self) -> Option<&'static str> {
                match self { $(Self::$c => Some(stringify!($c)),)* #[allow(unreachable_patterns)] _ => None }
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() { Some(name) => f.write_str(name), None => write!(f, "{:#x}", self.0) }
            }
        }
        impl From<$t> for $name {
            fn from(value: $t) -> Self { Self(value) }
        }
        impl $crate::wire::Wire for $name {
            const MIN_SIZE: usize = size_of::<$t>();
            #[inline]
            fn encode(&self, out: &mut Vec<u8>) { $crate::wire::Wire::encode(&self.0, out); }
            #[inline]
            fn decode(r: &mut $crate::wire::Reader<'_>) -> Result<Self, $crate::wire::DecodeError> { r.get().map(Self) }
        }
        impl $crate::wire::Fixed for $name {
            const SIZE: u8 = size_of::<$t>() as u8;
            const ONES: Self = Self($ones);
            fn and(self, other: Self) -> Self { Self(self.0 & other.0) }
            fn is_zero(self) -> bool { self.0 == 0 }
            #[inline]
            fn from_wire(bytes: &[u8]) -> Option<Self> { $crate::wire::Fixed::from_wire(bytes).map(Self) }
            #[inline]
            fn put(self, place: &mut [u8]) { $crate::wire::Fixed::put(self.0, place); }
        }
    };
}

/// A set of bits: unknown ones are kept. `ones` narrows the bits that count.
macro_rules! wire_flags {
    ($(#[$m:meta])* pub struct $name:ident($t:ty) { $($(#[$cm:meta])* $c:ident = $v:expr),* $(,)? }) => {
        wire_flags! { $(#[$m])* pub struct $name($t, ones <$t>::MAX) { $($(#[$cm])* $c = $v),* } }
    };
    ($(#[$m:meta])* pub struct $name:ident($t:ty, ones $ones:expr) { $($(#[$cm:meta])* $c:ident = $v:expr),* $(,)? }) => {
        $(#[$m])*
        #[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(pub $t);
        impl $name {
            /// No bit.
            pub const NONE: Self = Self(0);
            $($(#[$cm])* #[doc = concat!("`", stringify!($v), "`")] pub const $c: Self = Self($v);)*
            /// Whether all bits of `other` are set.
            pub const fn contains(self, other: Self) -> bool { self.0 & other.0 == other.0 }
            /// Whether no bit is set.
            pub const fn is_empty(self) -> bool { self.0 == 0 }
            /// The set bits with their names, then the unknown rest.
            pub fn names(self) -> (Vec<&'static str>, Self) {
                #[allow(unused_mut)]
                let (mut names, mut rest) = (Vec::new(), self.0);
                $(if rest & $v != 0 { names.push(stringify!($c)); rest &= !$v; })*
                (names, Self(rest))
            }
        }
        impl std::ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self { Self(self.0 | other.0) }
        }
        impl std::ops::BitOrAssign for $name {
            fn bitor_assign(&mut self, other: Self) { self.0 |= other.0; }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let (names, rest) = self.names();
                f.write_str(&names.join("|"))?;
                match (rest.is_empty(), names.is_empty()) {
                    (true, true) => f.write_str("0"),
                    (true, false) => Ok(()),
                    (false, true) => write!(f, "{:#x}", rest.0),
                    (false, false) => write!(f, "|{:#x}", rest.0),
                }
            }
        }
        impl $crate::wire::Wire for $name {
            const MIN_SIZE: usize = size_of::<$t>();
            #[inline]
            fn encode(&self, out: &mut Vec<u8>) { $crate::wire::Wire::encode(&self.0, out); }
            #[inline]
            fn decode(r: &mut $crate::wire::Reader<'_>) -> Result<Self, $crate::wire::DecodeError> { r.get().map(Self) }
        }
        impl $crate::wire::Fixed for $name {
            const SIZE: u8 = size_of::<$t>() as u8;
            const ONES: Self = Self($ones);
            fn and(self, other: Self) -> Self { Self(self.0 & other.0) }
            fn is_zero(self) -> bool { self.0 == 0 }
            #[inline]
            fn from_wire(bytes: &[u8]) -> Option<Self> { $crate::wire::Fixed::from_wire(bytes).map(Self) }
            #[inline]
            fn put(self, place: &mut [u8]) { $crate::wire::Fixed::put(self.0, place); }
        }
    };
}

/// A family of 8-byte-aligned TLVs (actions, instructions). An unlisted type round-trips as `Unknown`.
macro_rules! tlv_enum {
    ($(#[$m:meta])* pub enum $name:ident { $($(#[$vm:meta])* $num:literal => $var:ident $(($t:ty))?),* $(,)? }) => {
        $(#[$m])*
        #[derive(Clone, Debug, Eq, Hash, PartialEq)]
        pub enum $name {
            $($(#[$vm])* $var $(($t))?,)*
            /// A type that this crate does not know: what was received, byte for byte.
            Unknown {
                /// The type.
                ty: u16,
                /// All that follows the 4-byte header, padding included.
                body: $crate::wire::Payload,
            },
        }
        impl $crate::wire::Wire for $name {
            const TYPICAL_SIZE: usize = 16;
            fn encode(&self, out: &mut Vec<u8>) {
                let start = out.len();
                out.extend_from_slice(&[0; 4]);
                let ty = match self {
                    $(tlv_enum!(@pattern $var body $($t)?) => {
                        tlv_enum!(@encode out body $($t)?);
                        $num
                    })*
                    Self::Unknown { ty, body } => {
                        $crate::wire::Wire::encode(body, out);
                        *ty
                    }
                };
                $crate::wire::put_padding(out, start);
                $crate::wire::put_head(out, start, ty);
            }
            #[inline]
            fn decode(r: &mut $crate::wire::Reader<'_>) -> Result<Self, $crate::wire::DecodeError> {
                let (ty, mut body) = r.tlv(stringify!($name))?;
                if body.remaining() % 8 != 4 {
                    return Err(body.error($crate::wire::Reason::Length(body.remaining() + 4)));
                }
                let item = match ty {
                    $($num => tlv_enum!(@decode $var body $($t)?),)*
                    _ => Self::Unknown { ty, body: body.get()? },
                };
                body.pad_rest()?;
                Ok(item)
            }
            fn decode_list(r: &mut $crate::wire::Reader<'_>) -> Result<Vec<Self>, $crate::wire::DecodeError> {
                let mut items = $crate::wire::room(r, Self::TYPICAL_SIZE);
                while r.remaining() > 0 {
                    let (ty, mut body) = r.tlv(stringify!($name))?;
                    if body.remaining() % 8 != 4 {
                        return Err(body.error($crate::wire::Reason::Length(body.remaining() + 4)));
                    }
                    match ty {
                        $($num => items.push(tlv_enum!(@decode $var body $($t)?)),)*
                        _ => items.push(Self::Unknown { ty, body: body.get()? }),
                    }
                    body.pad_rest()?;
                }
                Ok(items)
            }
        }
    };
    (@pattern $v:ident $b:ident) => { Self::$v };
    (@pattern $v:ident $b:ident $t:ty) => { Self::$v($b) };
    (@encode $o:ident $b:ident) => {};
    (@encode $o:ident $b:ident $t:ty) => { $crate::wire::Wire::encode($b, $o) };
    (@decode $v:ident $r:ident) => { Self::$v };
    (@decode $v:ident $r:ident $t:ty) => { Self::$v($r.get()?) };
}

/// A family of properties: a type, a length that leaves the padding out, a body (`n +` zeros before it, `; pad n` after it,
/// both counted in the length), zeros up to a multiple of 8. An unlisted type, and a body that is not as it should be,
/// round-trip as `Unknown`.
macro_rules! prop_enum {
    ($(#[$m:meta])* pub enum $name:ident { $($(#[$vm:meta])* $num:literal => $var:ident $(($($b:literal +)? $t:ty $(; pad $a:literal)?))?),* $(,)? }) => {
        $(#[$m])*
        #[derive(Clone, Debug, Eq, Hash, PartialEq)]
        pub enum $name {
            $($(#[$vm])* $var $(($t))?,)*
            /// A type that this crate does not know, or a body that the type cannot have: byte for byte.
            Unknown {
                /// The type.
                ty: u16,
                /// All that follows the 4-byte header, without the padding.
                body: $crate::wire::Payload,
            },
        }
        impl $name {
            fn known(ty: u16, _r: &mut $crate::wire::Reader<'_>) -> Result<Option<Self>, $crate::wire::DecodeError> {
                let this = match ty {
                    $($num => prop_enum!(@decode $var _r $($($b +)? $t $(; pad $a)?)?),)*
                    _ => return Ok(None),
                };
                _r.finish()?;
                Ok(Some(this))
            }
        }
        impl $crate::wire::Wire for $name {
            fn encode(&self, out: &mut Vec<u8>) {
                let start = out.len();
                match self {
                    $(prop_enum!(@pattern $var body $($t)?) => $crate::wire::put_tlv(out, $num, |_out| {
                        prop_enum!(@encode _out body $($($b +)? $t $(; pad $a)?)?);
                    }),)*
                    Self::Unknown { ty, body } => $crate::wire::put_tlv(out, *ty, |out| $crate::wire::Wire::encode(body, out)),
                };
                $crate::wire::put_padding(out, start);
            }
            fn decode(r: &mut $crate::wire::Reader<'_>) -> Result<Self, $crate::wire::DecodeError> {
                let (ty, mut body) = r.tlv(stringify!($name))?;
                let len = 4 + body.remaining();
                let item = match Self::known(ty, &mut body.clone()) {
                    Ok(Some(item)) => item,
                    Ok(None) | Err(_) => Self::Unknown { ty, body: body.get()? },
                };
                r.pad(len.next_multiple_of(8) - len)?;
                Ok(item)
            }
        }
    };
    (@pattern $v:ident $b:ident) => { Self::$v };
    (@pattern $v:ident $b:ident $t:ty) => { Self::$v($b) };
    (@encode $o:ident $x:ident) => {};
    (@encode $o:ident $x:ident $($b:literal +)? $t:ty $(; pad $a:literal)?) => {
        $($o.extend_from_slice(&[0; $b]);)?
        $crate::wire::Wire::encode($x, $o);
        $($o.extend_from_slice(&[0; $a]);)?
    };
    (@decode $v:ident $r:ident) => { Self::$v };
    (@decode $v:ident $r:ident $($b:literal +)? $t:ty $(; pad $a:literal)?) => {{
        $($r.pad($b)?;)?
        let body: $t = $r.get()?;
        $($r.pad($a)?;)?
        Self::$v(body)
    }};
}

/// Bodies chosen by a number that stands elsewhere (message types, multipart types); an unlisted number keeps its
/// body as bytes.
macro_rules! body_enum {
    ($(#[$m:meta])* pub enum $name:ident($ty:ty) { $($(#[$vm:meta])* $num:literal => $var:ident $(($t:ty))?),* $(,)? }) => {
        $(#[$m])*
        #[derive(Clone, Debug, Eq, Hash, PartialEq)]
        pub enum $name {
            $($(#[$vm])* $var $(($t))?,)*
            /// A type that this crate does not know: what was received, byte for byte.
            Unknown {
                /// The type.
                ty: $ty,
                /// All that follows the header.
                body: $crate::wire::Payload,
            },
        }
        impl $name {
            /// The number that chooses this body.
            pub fn ty(&self) -> $ty {
                match self {
                    $(body_enum!(@pattern $var _b $($t)?) => $num,)*
                    Self::Unknown { ty, .. } => *ty,
                }
            }
            /// The name of the type, `Unknown` for one that is not known.
            pub fn name(&self) -> &'static str {
                match self {
                    $(body_enum!(@pattern $var _b $($t)?) => stringify!($var),)*
                    Self::Unknown { .. } => "Unknown",
                }
            }
            #[inline]
            pub(crate) fn encode(&self, out: &mut Vec<u8>) {
                match self {
                    $(body_enum!(@pattern $var body $($t)?) => { tlv_enum!(@encode out body $($t)?); })*
                    Self::Unknown { body, .. } => $crate::wire::Wire::encode(body, out),
                }
            }
            /// Takes the body and gives it to `then`, for each type in a branch of its own: so bodies are built where
            /// they are to be.
            #[inline]
            pub(crate) fn decode<'a, T>(
                ty: $ty,
                r: &mut $crate::wire::Reader<'a>,
                then: impl FnOnce(Self, &mut $crate::wire::Reader<'a>) -> Result<T, $crate::wire::DecodeError>,
            ) -> Result<T, $crate::wire::DecodeError> {
                match ty {
                    $($num => {
                        let body = tlv_enum!(@decode $var r $($t)?);
                        return then(body, r);
                    })*
                    _ => {
                        let body = r.get()?;
                        then(Self::Unknown { ty, body }, r)
                    }
                }
            }
        }
    };
    (@pattern $v:ident $b:ident) => { Self::$v };
    (@pattern $v:ident $b:ident $t:ty) => { Self::$v($b) };
}

pub(crate) use {body_enum, prop_enum, tlv_enum, wire_code, wire_flags, wire_struct};
