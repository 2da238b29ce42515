//! Any documents, changes, filters and searches.

use mcp_rag_hot::filter::{Comparison, Field, Filter, Scalar, Test, parse_time};
use mcp_rag_hot::{About, Change, Chunk, Document};
use proptest::prelude::*;
use serde_json::{Value, json};

pub(crate) const DIMENSIONS: usize = 4;
pub(crate) const NAMES: [&str; 3] = ["ann", "bob", "eve"];
const KEYS: [&str; 5] = ["k", "n", "tags", "title", "é$"];
const TIMES: [&str; 4] =
    ["2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01T01:30:00.250+01:00", "1969-12-31T23:59:59.5Z"];

/// A term's key without a count.
pub(crate) fn base(term: i64) -> i64 {
    (term * 7919) << 6
}

fn text() -> impl Strategy<Value = String> {
    let long = |end: &str| format!("{}{end}", "ö".repeat(255));
    let mut all: Vec<String> =
        ["", "a", "b", "A", "é", "a\"b", "true", "1", "2026"].map(str::to_owned).to_vec();
    all.extend(["a", "aa", "ab"].map(long));
    all.extend(TIMES.map(str::to_owned));
    prop::sample::select(all)
}

fn scalar() -> impl Strategy<Value = Value> {
    let numbers = vec![
        json!(0),
        json!(1),
        json!(-1),
        json!(1.5),
        json!(0.1),
        json!(1e300),
        json!(9_007_199_254_740_991_u64),
        json!(9_007_199_254_740_992_u64),
        json!(9_007_199_254_740_993_u64),
        json!(-9_007_199_254_740_993_i64),
        json!(u64::MAX),
    ];
    prop_oneof![4 => text().prop_map(Value::from), 3 => prop::sample::select(numbers), 1 => any::<bool>().prop_map(Value::from)]
}

fn attribute() -> impl Strategy<Value = Value> {
    let element = prop_oneof![5 => scalar(), 1 => Just(Value::Null), 1 => Just(json!(["a"]))];
    prop_oneof![
        6 => scalar(),
        1 => Just(Value::Null),
        2 => prop::collection::vec(element, 0..4).prop_map(Value::from),
        1 => scalar().prop_map(|inner| json!({ "k": inner })),
    ]
}

fn about() -> impl Strategy<Value = About> {
    let attributes = prop::collection::btree_map(prop::sample::select(KEYS.as_slice()), attribute(), 0..5);
    let acl = prop_oneof![2 => Just(vec![]), 1 => prop::sample::subsequence(NAMES.as_slice(), 1..=2)];
    let times = (0_i64..4, 0_i64..4, prop::option::weighted(0.3, 0_i64..4));
    (1_i64..9, text(), text(), attributes, acl, times).prop_map(|(id, title, uri, attributes, acl, times)| {
        About {
            id,
            version: 1,
            external_id: format!("name {id}"),
            title,
            uri,
            media_type: if id % 2 == 0 { "text/plain" } else { "text/html" }.to_owned(),
            attributes: json!(attributes).to_string(),
            acl: acl.into_iter().map(str::to_owned).collect(),
            created_at: times.0,
            updated_at: times.1,
            expires_at: times.2,
        }
    })
}

fn vector() -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-1_f32..1.0, DIMENSIONS)
        .prop_filter("has a direction", |vector| vector.iter().any(|x| x.abs() > 0.01))
}

fn chunk() -> impl Strategy<Value = Chunk> {
    let keys = prop::collection::btree_map(1_i64..7, 1_i64..6, 0..5);
    (".{0,12}", keys, 1_i32..400, prop::option::weighted(0.8, vector())).prop_map(
        |(text, keys, length, vector)| Chunk {
            text,
            headings: vec!["A".to_owned()],
            place: Some(r#"{"page":3}"#.to_owned()),
            keys: keys.into_iter().map(|(term, count)| base(term) | count).collect(),
            length,
            vector,
            ..Chunk::default()
        },
    )
}

/// Changes in turn; every chunk has an id of its own.
pub(crate) fn changes() -> impl Strategy<Value = Vec<Change>> {
    let put = (about(), prop::collection::vec(chunk(), 0..6))
        .prop_map(|(about, chunks)| Change::Put(Box::new(Document { about, chunks })));
    let change = prop_oneof![
        6 => put,
        1 => about().prop_map(|about| Change::Amend(Box::new(about))),
        1 => (1_i64..9).prop_map(Change::Delete),
    ];
    prop::collection::vec(change, 1..16).prop_map(|mut changes| {
        let mut id = 0;
        for change in &mut changes {
            let Change::Put(document) = change else { continue };
            for (chunk, ordinal) in document.chunks.iter_mut().zip(0..) {
                id += 1;
                (chunk.id, chunk.ordinal) = (id, ordinal);
            }
        }
        changes
    })
}

pub(crate) fn query() -> impl Strategy<Value = (Vec<f32>, Vec<(i64, f32)>)> {
    let terms = prop::collection::btree_map(1_i64..8, prop::sample::select(vec![1.0_f32, 2.0]), 0..5);
    (vector(), terms.prop_map(|terms| terms.into_iter().map(|(term, count)| (base(term), count)).collect()))
}

fn comparison() -> impl Strategy<Value = Comparison> {
    prop::sample::select(vec![Comparison::Gt, Comparison::Gte, Comparison::Lt, Comparison::Lte])
}

fn asked() -> impl Strategy<Value = Scalar> {
    scalar().prop_map(|value| Scalar::of(&value).expect("a scalar"))
}

fn test() -> impl Strategy<Value = Test> {
    prop_oneof![
        4 => prop::collection::vec(asked(), 0..4).prop_map(Test::In),
        4 => (comparison(), asked()).prop_map(|(comparison, value)| Test::Range(comparison, value)),
        2 => scalar().prop_map(|value| Test::Contains(Scalar::plain(&value).expect("a scalar"))),
        1 => Just(Test::Exists),
    ]
}

fn field() -> impl Strategy<Value = Filter> {
    let words = vec![Field::Title, Field::Uri, Field::ExternalId, Field::MediaType];
    let word = || {
        prop_oneof![text(), Just("name 3".to_owned()), Just("text/plain".to_owned())].prop_map(Scalar::Text)
    };
    let of_text = prop_oneof![
        prop::collection::vec(word(), 0..3).prop_map(Test::In),
        (comparison(), word()).prop_map(|(comparison, word)| Test::Range(comparison, word)),
        Just(Test::Exists),
    ];
    let at = || (0_i64..4).prop_map(Scalar::Time);
    let of_time = prop_oneof![
        prop::collection::vec(at(), 0..3).prop_map(Test::In),
        (comparison(), at()).prop_map(|(comparison, at)| Test::Range(comparison, at)),
        Just(Test::Exists),
    ];
    let of_acl = prop_oneof![
        prop::sample::select(NAMES.as_slice()).prop_map(|name| Test::Contains(Scalar::Text(name.to_owned()))),
        Just(Test::Exists),
    ];
    prop_oneof![
        (prop::sample::select(words), of_text).prop_map(|(field, test)| Filter::Field(field, test)),
        (prop::sample::select(vec![Field::CreatedAt, Field::UpdatedAt]), of_time)
            .prop_map(|(field, test)| Filter::Field(field, test)),
        of_acl.prop_map(|test| Filter::Field(Field::Acl, test)),
    ]
}

pub(crate) fn filter() -> impl Strategy<Value = Filter> {
    let attribute = (prop::sample::select(KEYS.as_slice()), test())
        .prop_map(|(key, test)| Filter::Attribute(key.to_owned(), test));
    let leaf = prop_oneof![6 => attribute, 2 => field(), 1 => Just(Filter::Seen)];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Filter::Or),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

#[test]
fn the_times_are_times() {
    assert!(TIMES.iter().all(|text| parse_time(text).is_some()));
}
