//! Unmodified clients of OpenAI against a real server: openai-python and openai-node 6 and 7, pinned
//! (`scripts/setup-openai.sh`). What they do is in `clients/`; a script that fails ends the test with its output.

#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "what only other tests use")]
mod support;

mod chat_model;
mod lifetimes;
mod run;
