//! A model that this process computes itself, on threads of its own: never on an arbiter.
//!
//! * Ownership: an incarnation of an actor owns [`Threads`], which end with it. The model is shared by all incarnations,
//!   because it never changes.
//! * Inputs of many callers share a pass of the network, and a pass is short. Urgent ones go first.
//! * Overload: bounded by the admission of the actor in front.
//! * Cancel safety: before each pass, inputs whose caller has left, or whose deadline ended its call, are skipped.

mod queue;
mod threads;

pub(crate) use threads::{Compute, Threads};

use crate::supervise::StartError;
use mcp_rag_minilm::LoadError;
use std::path::{Path, PathBuf};

/// The folder of a model. A relative one is looked for in the current directory, then above the program, so that a built
/// binary works from anywhere.
pub(crate) fn find(folder: &Path) -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let above = program.ancestors().skip(1).map(|parent| parent.join(folder));
    let found = std::iter::once(folder.to_owned()).chain(above).find(|folder| folder.is_dir());
    found.unwrap_or_else(|| folder.to_owned())
}

/// Threads for a setting in which 0 means one per core.
pub(crate) fn threads(setting: usize) -> usize {
    if setting == 0 { std::thread::available_parallelism().map_or(1, usize::from) } else { setting }
}

/// A model that could not be loaded; `remedy` names the setting and what it wants.
pub(crate) fn refused(name: &'static str, error: &LoadError, remedy: &str) -> StartError {
    let error = match error {
        LoadError::NoBf16 => error.to_string(),
        LoadError::Unreadable { .. } | LoadError::Invalid { .. } | LoadError::Unsupported { .. } => {
            format!("{error}; {remedy}")
        }
    };
    StartError { name, error }
}
