use super::{ConfigError, Settings, Sources};
use config::{Value, ValueKind};
use serde_json::json;

const DEFAULT: &str = "built-in default";

/// One effective setting: its dotted key, its value with secrets redacted, and its source.
pub type Line = (String, serde_json::Value, String);

/// The effective configuration, valid or not a word of it.
pub fn report(sources: &Sources) -> Result<Vec<Line>, ConfigError> {
    Settings::load(sources)?;
    let merged = sources.merge()?;
    let mut lines = Vec::new();
    flatten("", &merged.cache, &mut lines);
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(lines)
}

/// Each key that is not a built-in default, with where its value comes from.
pub(super) fn origins(merged: &config::Config) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    flatten("", &merged.cache, &mut lines);
    let set = lines.into_iter().filter(|(_, _, origin)| origin != DEFAULT);
    set.map(|(key, _, origin)| (key, origin)).collect()
}

fn flatten(prefix: &str, value: &Value, lines: &mut Vec<Line>) {
    if let ValueKind::Table(table) = &value.kind {
        for (key, inner) in table {
            let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            flatten(&path, inner, lines);
        }
        return;
    }
    let shown = match &value.kind {
        _ if is_secret(prefix) => json!("[redacted]"),
        ValueKind::Boolean(value) => json!(value),
        ValueKind::I64(value) => json!(value),
        ValueKind::U64(value) => json!(value),
        ValueKind::Float(value) => json!(value),
        _ if prefix.ends_with("url") => json!(without_credentials(&value.to_string())),
        _ => json!(value.to_string()),
    };
    let origin = value.origin().unwrap_or(DEFAULT).to_owned();
    lines.push((prefix.to_owned(), shown, origin));
}

fn is_secret(key: &str) -> bool {
    ["token", "api_key", "sdk_key", "password", "secret", "replica_urls"]
        .iter()
        .any(|secret| key.ends_with(secret))
}

/// `scheme://user:secret@host` without what stands between the scheme and the host, and without
/// query parameters, which may hold a password too.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return "[redacted]".to_owned(); // key=value form: a password could be anywhere
    };
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let rest = match rest[..authority_end].rfind('@') {
        Some(at) => format!("[redacted]@{}", &rest[at + 1..]),
        None => rest.to_owned(),
    };
    let rest = rest.split('?').next().unwrap_or_default();
    format!("{scheme}://{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_credentials() {
        for (url, shown) in [
            ("postgres://u:p@db/x?password=q", "postgres://[redacted]@db/x"),
            ("redis://cache:6379", "redis://cache:6379"),
            ("postgres://u:p@ss@db:5432/x", "postgres://[redacted]@db:5432/x"),
            ("host=db password=p", "[redacted]"),
        ] {
            assert_eq!(without_credentials(url), shown);
        }
    }

    #[test]
    fn secrets_are_redacted_and_sources_named() {
        let sources = Sources {
            flags: vec![
                ("auth.token".into(), "canary".into()),
                ("auth.jwt.secret".into(), "canary ".repeat(8)),
                ("auth.jwt.issuer".into(), "https://login.example.com".into()),
                ("auth.jwt.audience".into(), "rag".into()),
                ("webhooks.secret".into(), "canary ".repeat(8)),
                ("generator.api_key".into(), "canary".into()),
                ("server.port".into(), "1234".into()),
                ("database.url".into(), "postgres://u:canary@db/x".into()),
                (
                    "database.replica_urls".into(),
                    "postgres://u:canary@one/x\npostgres://u:canary@two/x".into(),
                ),
            ],
            ..Sources::default()
        };
        let lines = report(&sources).expect("valid");
        assert!(!format!("{lines:?}").contains("canary"));
        let port = lines.iter().find(|line| line.0 == "server.port").expect("listed");
        assert_eq!((port.1.to_string(), port.2.as_str()), ("\"1234\"".to_owned(), "command line"));
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        let sources = Sources { flags: vec![("server.prot".into(), "1".into())], ..Sources::default() };
        let error = Settings::load(&sources).expect_err("refused").to_string();
        assert!(error.contains("prot"), "{error}");
    }

    #[test]
    fn outside_development_a_server_without_a_credential_is_refused() {
        let mut sources =
            Sources { environment: super::super::Environment::Production, ..Sources::default() };
        let error = Settings::load(&sources).expect_err("refused").to_string();
        assert!(error.contains("auth.token"), "{error}");
        sources.flags.push(("auth.keys_only".into(), "true".into()));
        assert!(Settings::load(&sources).is_ok(), "whether there is a key is for the start to find out");
    }
}
