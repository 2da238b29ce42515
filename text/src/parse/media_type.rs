//! The media types that can be read, from a `Content-Type` or a file name.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::SourceLanguage;

/// A media type with a parser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaType {
    Markdown,
    Plain,
    Html,
    Docx,
    Pptx,
    Xlsx,
    Pdf,
    Csv,
    Json,
    Ndjson,
    Epub,
    Odt,
    /// Source code, in a language whose syntax is known or any other.
    Code(Option<SourceLanguage>),
    Eml,
}

/// Names what was asked for and what there is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("media type {asked:?} is not supported; supported: {}", MediaType::names())]
pub struct UnsupportedMediaType {
    asked: String,
}

impl UnsupportedMediaType {
    fn new(asked: &str) -> Self {
        // Callers choose this text: keep what comes back short.
        Self { asked: asked.chars().take(100).collect() }
    }
}

impl MediaType {
    pub const ALL: &'static [Self] = &[
        Self::Markdown,
        Self::Plain,
        Self::Html,
        Self::Docx,
        Self::Pptx,
        Self::Xlsx,
        Self::Pdf,
        Self::Csv,
        Self::Json,
        Self::Ndjson,
        Self::Epub,
        Self::Odt,
        Self::Code(None),
        Self::Eml,
    ];

    fn names() -> String {
        Self::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>().join(", ")
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Markdown => "text/markdown",
            Self::Plain => "text/plain",
            Self::Html => "text/html",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Self::Pptx => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Self::Pdf => "application/pdf",
            Self::Csv => "text/csv",
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Epub => "application/epub+zip",
            Self::Odt => "application/vnd.oasis.opendocument.text",
            Self::Code(None) => "text/x-source-code",
            Self::Code(Some(language)) => language.media_type(),
            Self::Eml => "message/rfc822",
        }
    }

    /// Whether a file of this type can make its reader need much time or memory: packed, binary, or a program.
    #[must_use]
    pub fn is_harmful(self) -> bool {
        match self {
            Self::Markdown
            | Self::Plain
            | Self::Html
            | Self::Csv
            | Self::Json
            | Self::Ndjson
            | Self::Code(_) => false,
            Self::Docx | Self::Pptx | Self::Xlsx | Self::Pdf | Self::Epub | Self::Odt | Self::Eml => true,
        }
    }

    /// From a file's extension.
    pub fn from_path(path: &Path) -> Result<Self, UnsupportedMediaType> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let extension = extension.to_ascii_lowercase();
        if let Some(language) = SourceLanguage::from_extension(&extension) {
            return Ok(Self::Code(Some(language)));
        }
        match extension.as_str() {
            "md" | "markdown" | "mdown" | "mkd" | "mdx" => Ok(Self::Markdown),
            "txt" | "text" | "rst" | "adoc" | "asciidoc" | "log" => Ok(Self::Plain),
            "html" | "htm" | "xhtml" => Ok(Self::Html),
            "docx" | "docm" => Ok(Self::Docx),
            "pptx" | "pptm" => Ok(Self::Pptx),
            "xlsx" | "xlsm" => Ok(Self::Xlsx),
            "pdf" => Ok(Self::Pdf),
            "csv" | "tsv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            "ndjson" | "jsonl" => Ok(Self::Ndjson),
            "epub" => Ok(Self::Epub),
            "odt" => Ok(Self::Odt),
            "kt" | "kts" | "scala" | "cs" | "rb" | "php" | "swift" | "m" | "sh" | "bash" | "zsh" | "sql"
            | "yaml" | "yml" | "toml" | "css" | "scss" | "lua" | "r" | "pl" | "pm" | "hs" | "ex" | "exs"
            | "erl" | "clj" | "dart" | "vue" | "svelte" | "proto" | "tf" | "gradle" | "ini" | "cfg" => {
                Ok(Self::Code(None))
            }
            "eml" => Ok(Self::Eml),
            _ => Err(UnsupportedMediaType::new(&format!(".{extension}"))),
        }
    }
}

/// From a `Content-Type`; parameters such as `charset` are ignored, because decoding reads the bytes themselves.
impl FromStr for MediaType {
    type Err = UnsupportedMediaType;

    fn from_str(content_type: &str) -> Result<Self, UnsupportedMediaType> {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if let Some(language) = SourceLanguage::from_essence(&essence) {
            return Ok(Self::Code(Some(language)));
        }
        match essence.as_str() {
            "text/markdown" | "text/x-markdown" => Ok(Self::Markdown),
            "text/plain" | "text/x-rst" | "text/prs.fallenstein.rst" | "text/asciidoc" => Ok(Self::Plain),
            "text/html" | "application/xhtml+xml" => Ok(Self::Html),
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => Ok(Self::Docx),
            "application/vnd.openxmlformats-officedocument.presentationml.presentation" => Ok(Self::Pptx),
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => Ok(Self::Xlsx),
            "application/pdf" | "application/x-pdf" => Ok(Self::Pdf),
            "text/csv" | "text/tab-separated-values" | "application/csv" => Ok(Self::Csv),
            "application/json" | "text/json" => Ok(Self::Json),
            "application/x-ndjson" | "application/jsonl" | "application/x-jsonlines" => Ok(Self::Ndjson),
            "application/epub+zip" => Ok(Self::Epub),
            "application/vnd.oasis.opendocument.text" => Ok(Self::Odt),
            "text/x-source-code" | "text/x-ruby" | "text/x-php" | "text/x-csharp" | "text/x-kotlin"
            | "text/x-scala" | "text/x-swift" | "text/x-sh" | "text/x-shellscript" | "text/x-sql"
            | "text/x-yaml" | "text/x-toml" | "text/x-lua" | "text/x-perl" | "text/css"
            | "application/yaml" | "application/toml" | "application/sql" => Ok(Self::Code(None)),
            "message/rfc822" => Ok(Self::Eml),
            _ => Err(UnsupportedMediaType::new(&essence)),
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_read_in_any_case_and_with_parameters() {
        assert_eq!("Text/HTML; charset=utf-8".parse(), Ok(MediaType::Html));
        assert_eq!("text/markdown".parse(), Ok(MediaType::Markdown));
    }

    #[test]
    fn an_unsupported_type_names_what_is_supported() {
        let error = "application/x-tar".parse::<MediaType>().unwrap_err().to_string();
        assert!(error.contains("application/x-tar") && error.contains("text/markdown"), "{error}");
    }

    #[test]
    fn file_names_give_their_type() {
        assert_eq!(MediaType::from_path(Path::new("a/README.MD")), Ok(MediaType::Markdown));
        assert_eq!(MediaType::from_path(Path::new("notes.rst")), Ok(MediaType::Plain));
        assert!(MediaType::from_path(Path::new("Makefile")).is_err());
    }

    #[test]
    fn every_type_is_read_back_from_its_name() {
        let languages = SourceLanguage::ALL.iter().map(|&language| MediaType::Code(Some(language)));
        for media_type in MediaType::ALL.iter().copied().chain(languages) {
            assert_eq!(media_type.as_str().parse(), Ok(media_type));
        }
    }
}
