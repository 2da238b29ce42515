//! What no server may tell: looked for at the end of every server that a test starts, so over every run of the suite.
//!
//! Its secrets are those it was started with (variables named like one, passwords in URLs), those in its folder of
//! secrets, where three are planted that nothing needs, and every API key. They must not be in its log, in its metrics,
//! in any error it answers with, nor in the clear in any file it leaves: the data files and logs of its PostgreSQL, the
//! write-ahead log included.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A shorter one is a word of a test, and would be found by chance.
const SHORTEST: usize = 8;
/// An API key, whole.
const KEY: &str = "mrag_[a-z0-9]{12}_[A-Za-z0-9_-]{43}";
/// Keys of models that this server does not have.
const PLANTED: [(&str, &str); 3] = [
    ("generator__api_key", "planted-generator-key-7d1c"),
    ("embedder__api_key", "planted-embedder-key-4fa2"),
    ("reranker__api_key", "planted-reranker-key-9e05"),
];

/// Where a test brings no secrets of its own.
pub(super) fn plant(home: &Path) {
    let folder = home.join("secrets");
    if fs::create_dir(&folder).is_ok() {
        for (name, secret) in PLANTED {
            fs::write(folder.join(name), secret).expect("a secret");
        }
    }
}

/// The secrets of a server in its home, with these variables.
pub(super) fn of(home: &Path, variables: &[(String, String)]) -> Vec<String> {
    let files = fs::read_dir(home.join("secrets")).into_iter().flatten().flatten();
    let files = files.filter_map(|file| {
        Some((file.file_name().to_string_lossy().to_uppercase(), fs::read_to_string(file.path()).ok()?))
    });
    let mut secrets: Vec<String> =
        files.chain(variables.iter().cloned()).flat_map(|(name, value)| secret_part(&name, &value)).collect();
    secrets.retain(|secret| secret.len() >= SHORTEST);
    secrets.sort();
    secrets.dedup();
    secrets
}

/// Of a URL its password, as it is written and as it is meant.
fn secret_part(name: &str, value: &str) -> Vec<String> {
    let value = value.trim();
    if ["TOKEN", "SECRET", "API_KEY", "PASSWORD"].iter().any(|end| name.ends_with(end)) {
        return vec![value.to_owned()];
    }
    let passwords = value.split_whitespace().filter_map(|url| {
        let (_, rest) = url.split_once("://")?;
        let (login, _) = rest.split(['/', '?']).next()?.rsplit_once('@')?;
        Some(login.split_once(':')?.1)
    });
    passwords.flat_map(|password| [password.to_owned(), unescaped(password)]).collect()
}

fn unescaped(text: &str) -> String {
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut done, part| {
        let (code, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        let byte = u8::from_str_radix(code, 16).map_or('%', char::from);
        done.push(byte);
        done.push_str(rest);
        done
    })
}

/// The secrets that a text tells, and every API key in it.
pub(crate) fn told(text: &str, secrets: &[String]) -> Vec<String> {
    let keys = text.match_indices("mrag_").filter_map(|(at, _)| {
        let key = text[at..].get(..5 + 12 + 1 + 43)?;
        let secret = key.split('_').nth(2)?;
        let of_a_key = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
        (secret.len() >= 20 && secret.chars().all(of_a_key)).then(|| key.to_owned())
    });
    secrets.iter().filter(|secret| text.contains(secret.as_str())).cloned().chain(keys).collect()
}

/// Files below a server's home, but for its folders of settings and secrets, that hold a secret in the clear.
pub(super) fn on_disk(home: &Path, secrets: &[String]) -> String {
    let data = home.join("data");
    if !data.exists() {
        return String::new();
    }
    let grep = |how: &str, what: &str| {
        let mut grep = Command::new("grep");
        grep.env("LC_ALL", "C").args(["-r", "-a", "-l", "-s", how, "-e", what]).arg(&data);
        String::from_utf8_lossy(&grep.output().expect("grep runs").stdout).into_owned()
    };
    let found = [grep("-E", KEY), grep("-F", &secrets.join("\n"))].concat();
    if secrets.is_empty() { grep("-E", KEY) } else { found }
}
