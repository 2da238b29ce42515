//! The index finds what a straightforward search of the same documents finds, whatever they are and however they came.

mod given;
mod model;

mod atomic;
mod filters;
mod kept;
mod searches;
