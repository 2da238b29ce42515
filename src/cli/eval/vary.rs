//! Ways of asking: every mode with every combination of the values that were given for fields.

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};

/// More would take all day.
const MOST: usize = 64;

/// A name for the report, and the fields it adds to each request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Way {
    pub(super) name: String,
    pub(super) fields: Map<String, Value>,
}

/// `diversity=0,0.3` → the field and its values; each is JSON where it can be read as such, else a string.
pub(super) fn parse(text: &str) -> Result<(String, Vec<Value>), String> {
    let (field, values) = text.split_once('=').ok_or("expected FIELD=VALUE,VALUE,…")?;
    let value = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| json!(text));
    // One that holds commas of its own, such as an object, stands alone.
    let values = match serde_json::from_str::<Value>(values) {
        Ok(whole @ (Value::Object(_) | Value::Array(_))) => vec![whole],
        _ => values.split(',').map(value).collect(),
    };
    Ok((field.to_owned(), values))
}

pub(super) fn ways(modes: &[&str], varied: &[(String, Vec<Value>)]) -> Result<Vec<Way>> {
    let mut ways: Vec<Way> = modes
        .iter()
        .map(|mode| {
            let fields = Map::from_iter([("mode".to_owned(), json!(mode))]);
            Way { name: (*mode).to_owned(), fields }
        })
        .collect();
    for (field, values) in varied {
        ways = ways
            .iter()
            .flat_map(|way| {
                values.iter().map(|value| {
                    let mut way = way.clone();
                    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    way.name = format!("{} {field}={shown}", way.name);
                    way.fields.insert(field.clone(), value.clone());
                    way
                })
            })
            .take(MOST + 1)
            .collect();
    }
    if ways.len() > MOST {
        bail!("more than {MOST} combinations: vary fewer fields at once");
    }
    Ok(ways)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_is_asked_with_every_combination() {
        let varied = [parse("diversity=0,0.3").unwrap(), parse("group_by=document").unwrap()];
        let ways = ways(&["hybrid", "dense"], &varied).expect("few");
        let names: Vec<&str> = ways.iter().map(|way| way.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "hybrid diversity=0 group_by=document",
                "hybrid diversity=0.3 group_by=document",
                "dense diversity=0 group_by=document",
                "dense diversity=0.3 group_by=document"
            ]
        );
        assert_eq!(ways[1].fields["diversity"], json!(0.3));
        let (_, object) = parse(r#"recency={"half_life_days":1,"weight":0.2}"#).unwrap();
        assert_eq!(object, [json!({"half_life_days": 1, "weight": 0.2})]);
        assert!(parse("nothing").is_err());
    }

    #[test]
    fn too_many_combinations_are_refused() {
        let many = ("top_k".to_owned(), (1..=40).map(Value::from).collect());
        assert!(ways(&["hybrid", "dense"], &[many]).is_err());
    }
}
