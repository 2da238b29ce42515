//! The languages the lexical analyzer knows, and what it does in each.

use snowball_stemmers_rs::{Algorithm, Stemmer};

use super::stopwords::{self, StopWords};

macro_rules! languages {
    ($($(#[$attribute:meta])? $variant:ident, $code:literal, $algorithm:ident, [$($name:literal),+];)+) => {
        /// The language of a collection, which selects its stemmer and stop words. A collection is indexed and
        /// queried in one language, so changing it means analysing its chunks again.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub enum Language {
            /// Any language without its own rules: words are lowercased and folded, neither stemmed nor dropped.
            Simple,
            $($(#[$attribute])? $variant,)+
        }

        impl Language {
            /// Every language, for documentation and tests.
            pub const ALL: &'static [Self] = &[Self::Simple, $(Self::$variant,)+];

            /// The setting's canonical form: an ISO 639-1 code, or `simple`.
            pub fn code(self) -> &'static str {
                match self {
                    Self::Simple => "simple",
                    $(Self::$variant => $code,)+
                }
            }

            fn from_primary(tag: &str) -> Option<Self> {
                match tag {
                    $($code $(| $name)+ => Some(Self::$variant),)+
                    _ => None,
                }
            }

            pub(super) fn stemmer(self) -> Option<Stemmer> {
                match self {
                    Self::Simple => None,
                    $(Self::$variant => Some(Stemmer::create(Algorithm::$algorithm)),)+
                }
            }
        }
    };
}

languages! {
    Arabic, "ar", Arabic, ["arabic"];
    Armenian, "hy", Armenian, ["armenian"];
    Basque, "eu", Basque, ["basque"];
    Catalan, "ca", Catalan, ["catalan"];
    Czech, "cs", Czech, ["czech"];
    Danish, "da", Danish, ["danish"];
    Dutch, "nl", Dutch, ["dutch"];
    #[default]
    English, "en", English, ["english"];
    Estonian, "et", Estonian, ["estonian"];
    Finnish, "fi", Finnish, ["finnish"];
    French, "fr", French, ["french"];
    German, "de", German, ["german"];
    Greek, "el", Greek, ["greek"];
    Hindi, "hi", Hindi, ["hindi"];
    Hungarian, "hu", Hungarian, ["hungarian"];
    Indonesian, "id", Indonesian, ["indonesian"];
    Irish, "ga", Irish, ["irish"];
    Italian, "it", Italian, ["italian"];
    Lithuanian, "lt", Lithuanian, ["lithuanian"];
    Norwegian, "no", Norwegian, ["nb", "nn", "norwegian"];
    Persian, "fa", Persian, ["persian", "farsi"];
    Polish, "pl", Polish, ["polish"];
    Portuguese, "pt", Portuguese, ["portuguese"];
    Romanian, "ro", Romanian, ["romanian"];
    Russian, "ru", Russian, ["russian"];
    Serbian, "sr", Serbian, ["serbian"];
    Spanish, "es", Spanish, ["spanish"];
    Swedish, "sv", Swedish, ["swedish"];
    Tamil, "ta", Tamil, ["tamil"];
    Turkish, "tr", Turkish, ["turkish"];
    Ukrainian, "uk", Ukrainian, ["ukrainian"];
}

impl Language {
    /// Reads a collection's `language` setting: a code (`de`, `pt-BR`) or an English name (`german`), in any
    /// case. An unknown language is [`Language::Simple`], which is safe for every script.
    pub fn from_setting(setting: &str) -> Self {
        let lowered = setting.trim().to_ascii_lowercase();
        let primary = lowered.split(['-', '_']).next().unwrap_or_default();
        Self::from_primary(primary).unwrap_or(Self::Simple)
    }

    pub(super) fn stop_words(self) -> StopWords {
        stopwords::of(self)
    }

    /// Whether accents are removed before stemming. The Snowball stemmers of the other languages read accents
    /// (French `é` marks a participle), so there they are removed from the stem.
    pub(super) fn folds_before_stemming(self) -> bool {
        matches!(self, Self::Simple | Self::English)
    }

    /// Whether an apostrophe ends an elided article or pronoun (`l'eau`, `dell'arte`), which is a word of its own.
    pub(super) fn elides(self) -> bool {
        matches!(self, Self::French | Self::Italian | Self::Catalan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_name_languages_by_code_name_or_locale() {
        assert_eq!(Language::from_setting("en"), Language::English);
        assert_eq!(Language::from_setting(" German "), Language::German);
        assert_eq!(Language::from_setting("pt-BR"), Language::Portuguese);
        assert_eq!(Language::from_setting("nb_NO"), Language::Norwegian);
    }

    #[test]
    fn unknown_languages_are_simple_rather_than_an_error() {
        for setting in ["", "tlh", "th", "zh", "🦀"] {
            assert_eq!(Language::from_setting(setting), Language::Simple);
        }
    }

    #[test]
    fn every_language_is_found_again_by_its_code() {
        for &language in Language::ALL {
            assert_eq!(Language::from_setting(language.code()), language);
        }
    }
}
