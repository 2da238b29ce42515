use super::*;
use crate::config::{Settings, Sources};
use serde_json::json;

fn settings(more: &[(&str, &str)]) -> Box<JwtSettings> {
    let base = [
        ("issuer", "https://login.example.com"),
        ("audience", "rag,other"),
        ("secret", "a secret of at least thirty-two bytes"),
        ("leeway_ms", "5000"),
    ];
    let flags = base.iter().chain(more).map(|(key, value)| (format!("auth.jwt.{key}"), (*value).to_owned()));
    let sources = Sources { flags: flags.collect(), ..Sources::default() };
    Settings::load(&sources).expect("valid").auth.jwt
}

fn token(more: &Value) -> Value {
    let mut claims = json!({"iss": "https://login.example.com", "aud": "rag", "sub": "alice", "exp": 1000, "tenant": "acme"});
    for (name, value) in more.as_object().expect("an object") {
        if value.is_null() {
            claims.as_object_mut().expect("an object").remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

fn check(more: &Value, settings: &JwtSettings, now: f64) -> Result<Claims, Refusal> {
    Claims::check(token(more).to_string().as_bytes(), settings, now)
}

#[test]
fn times_are_compared_with_the_leeway_and_to_the_moment() {
    let settings = settings(&[]);
    for (claims, now, outcome) in [
        (json!({}), 1004.9, None),
        (json!({}), 1005.0, Some(Refusal::Expired)),
        (json!({"exp": 1000.5}), 1005.4, None),
        (json!({"nbf": 900}), 895.0, None),
        (json!({"nbf": 900}), 894.9, Some(Refusal::NotYet)),
        (json!({"iat": 900}), 894.9, Some(Refusal::NotYet)),
        (json!({"exp": null}), 0.0, Some(TIMES)),
        (json!({"exp": "1000"}), 0.0, Some(TIMES)),
        (json!({"nbf": []}), 0.0, Some(TIMES)),
        (json!({"exp": 1e300}), 0.0, None),
    ] {
        assert_eq!(check(&claims, &settings, now).err(), outcome, "{claims} at {now}");
    }
    let short = self::settings(&[("max_lifetime_ms", "60000")]);
    for (claims, outcome) in [
        (json!({"iat": 940}), None),
        (json!({"iat": 939}), Some(Refusal::TooLong)),
        (json!({}), Some(Refusal::TooLong)),
    ] {
        assert_eq!(check(&claims, &short, 950.0).err(), outcome, "{claims}");
    }
}

#[test]
fn issuer_audience_subject_and_tenant_must_be_there_and_right() {
    let settings = settings(&[]);
    for (claims, outcome) in [
        (json!({"iss": "https://login.example.com/"}), Some(Refusal::Issuer)),
        (json!({"iss": null}), Some(Refusal::Issuer)),
        (json!({"iss": ["https://login.example.com"]}), Some(Refusal::Issuer)),
        (json!({"aud": null}), Some(Refusal::Audience)),
        (json!({"aud": 7}), Some(Refusal::Audience)),
        (json!({"aud": ["a", "rag"]}), None),
        (json!({"sub": null}), Some(SUBJECT)),
        (json!({"sub": " "}), Some(SUBJECT)),
        (json!({"sub": "a\nb"}), Some(SUBJECT)),
        (json!({"sub": "s".repeat(257)}), Some(SUBJECT)),
        (json!({"tenant": null}), Some(TENANT)),
        (json!({"tenant": 1}), Some(TENANT)),
    ] {
        assert_eq!(check(&claims, &settings, 0.0).err(), outcome, "{claims}");
    }
    let fixed = self::settings(&[("tenant", "one")]);
    assert_eq!(check(&json!({"tenant": "two"}), &fixed, 0.0).expect("good").tenant, "one");
}

#[test]
fn scopes_groups_and_collections_are_read_in_either_form_and_bounded() {
    let plain = settings(&[]);
    let named =
        |claims: Value, settings: &JwtSettings| check(&claims, settings, 0.0).map(|one| one.scopes.names());
    assert_eq!(
        named(json!({"scope": "openid search ingest"}), &plain),
        Ok(vec!["search".into(), "ingest".into()])
    );
    assert_eq!(named(json!({"scope": ["admin"]}), &plain), Ok(vec!["admin".into()]));
    assert_eq!(named(json!({}), &plain), Ok(vec![]));
    assert_eq!(named(json!({"scope": 7}), &plain), Err(SCOPES));
    let other = settings(&[("scope_prefix", "rag:"), ("scope_claim", "scp")]);
    assert_eq!(named(json!({"scp": "rag:search admin"}), &other), Ok(vec!["search".into()]));

    let claims = check(&json!({"groups": ["eng", "ops"]}), &plain, 0.0).expect("good");
    assert_eq!(claims.principals, ["user:alice", "group:eng", "group:ops"]);
    let many: Vec<String> = (0..257).map(|n| n.to_string()).collect();
    for groups in [json!(many), json!([1]), json!([""]), json!({"a": 1})] {
        assert_eq!(check(&json!({"groups": groups}), &plain, 0.0), Err(GROUPS));
    }
    let claims = check(&json!({"collections": ["notes"], "scope": "search"}), &plain, 0.0).expect("good");
    assert_eq!(claims.collections, Some(vec!["notes".to_owned()]));
    for claims in [json!({"collections": []}), json!({"collections": ["a"], "scope": "admin"})] {
        assert_eq!(check(&claims, &plain, 0.0), Err(COLLECTIONS), "{claims}");
    }
}
