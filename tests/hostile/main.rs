//! Hostile documents, over the real server: each ends `ready` or `failed` with a reason in bounded time, memory stays
//! under a ceiling that follows from the settings, and ordinary documents beside them go on.
//!
//! Every file is made here, in code: [`pdf`], [`packed`] (zip and what is made of it), [`mail`] and [`text`] have the
//! generators, `cases` names each file with what must come of it. The embedder is a small server over HTTP, since the
//! large files have more chunks than a test has time to embed.

#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "what other tests use")]
mod support;

mod cases;
mod large;
mod mail;
mod packed;
mod pdf;
mod scene;
mod sheet;
mod suite;
mod text;
mod watch;
