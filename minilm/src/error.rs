//! Why a model could not be loaded. Whoever names the directory knows where to get the model: the message does not.

use std::path::{Path, PathBuf};

/// A model directory that cannot be used. The message names the file and what is wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file is missing or unreadable.
    #[error(
        "cannot read {path}: {source}; a model's directory holds config.json, tokenizer.json and model.safetensors"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file does not hold what its name promises.
    #[error("{path} is damaged or incomplete: {reason}; fetch the model again")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A sound model of a kind this engine does not compute.
    #[error("{path} describes a model this engine cannot run: {reason}")]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What is not supported.
        reason: String,
    },
    /// This machine has no instructions for the precision.
    #[error(
        "this machine multiplies bf16 neither with AMX nor with AVX-512; choose the precision \"auto\" or \"fp32\": their \
         vectors can be searched together with those of bf16"
    )]
    NoBf16,
}

impl LoadError {
    pub(crate) fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Unreadable { path, source }
    }

    pub(crate) fn invalid(path: &Path, reason: impl Into<String>) -> Self {
        Self::Invalid { path: path.to_owned(), reason: reason.into() }
    }

    pub(crate) fn unsupported(path: &Path, reason: impl Into<String>) -> Self {
        Self::Unsupported { path: path.to_owned(), reason: reason.into() }
    }
}
