//! Enumerations whose values have names: on the command line, in the files of a run, in what is printed.

/// Gives an enumeration `NAMES`, `Display` and `FromStr` from one list of its values and their names.
macro_rules! names {
    ($type:ty, $what:literal, $($value:ident = $name:literal),+ $(,)?) => {
        impl $type {
            /// The names of all values.
            pub const NAMES: &'static [&'static str] = &[$($name),+];
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(match self { $(Self::$value => $name),+ })
            }
        }

        impl std::str::FromStr for $type {
            type Err = String;

            fn from_str(name: &str) -> Result<Self, String> {
                match name {
                    $($name => Ok(Self::$value),)+
                    _ => Err(format!("'{name}' is not {}: {}", $what, Self::NAMES.join(", "))),
                }
            }
        }
    };
}

pub(crate) use names;
