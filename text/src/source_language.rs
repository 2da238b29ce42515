//! The programming languages whose syntax is known.

/// A language with a grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SourceLanguage {
    C,
    Cpp,
    Go,
    Java,
    JavaScript,
    Python,
    Rust,
    Tsx,
    TypeScript,
}

impl SourceLanguage {
    pub const ALL: &'static [Self] = &[
        Self::C,
        Self::Cpp,
        Self::Go,
        Self::Java,
        Self::JavaScript,
        Self::Python,
        Self::Rust,
        Self::Tsx,
        Self::TypeScript,
    ];

    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::C => "text/x-c",
            Self::Cpp => "text/x-c++",
            Self::Go => "text/x-go",
            Self::Java => "text/x-java",
            Self::JavaScript => "text/javascript",
            Self::Python => "text/x-python",
            Self::Rust => "text/x-rust",
            Self::Tsx => "text/x-tsx",
            Self::TypeScript => "text/typescript",
        }
    }

    /// From a media type's essence, in lower case.
    pub(crate) fn from_essence(essence: &str) -> Option<Self> {
        match essence {
            "application/javascript" => Some(Self::JavaScript),
            _ => Self::ALL.iter().copied().find(|language| language.media_type() == essence),
        }
    }

    /// From a file's extension, in lower case.
    pub(crate) fn from_extension(extension: &str) -> Option<Self> {
        Some(match extension {
            "c" => Self::C,
            // A header may be either: C++ reads both.
            "h" | "cc" | "cpp" | "cxx" | "hpp" | "hh" => Self::Cpp,
            "go" => Self::Go,
            "java" => Self::Java,
            "js" | "mjs" | "cjs" | "jsx" => Self::JavaScript,
            "py" => Self::Python,
            "rs" => Self::Rust,
            "tsx" => Self::Tsx,
            "ts" => Self::TypeScript,
            _ => return None,
        })
    }
}
