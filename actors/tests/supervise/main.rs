//! Supervision over its public API: what callers see while services panic, block, drown and stop.
#[cfg(feature = "failpoints")]
mod chaos;
#[cfg(feature = "failpoints")]
mod failpoints;
mod overload;
mod residue;
mod restart;
mod stop;
mod support;
mod wedge;
