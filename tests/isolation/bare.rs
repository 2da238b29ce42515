//! The database asked by itself, as the server's own role, with no condition at all: what row-level security lets through.

use crate::world::{Caller, World};

const TABLES: &str = "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND c.relname <> 'refinery_schema_history' ORDER BY 1";

/// Every row of every table, for the session of each caller, holds nothing that is not theirs. Limits to collections are
/// the application's own, so callers with one are looked at without it.
pub(crate) fn check(world: &World) {
    let tables = world.server.sql("mcp_rag_owner", TABLES).expect("the tables");
    let tables: Vec<String> = tables.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect();
    assert!(tables.len() >= 20, "{tables:?}");
    for caller in &world.callers {
        let caller = Caller { only: None, ..caller.clone() };
        let sees = if caller.admin { "*".to_owned() } else { caller.principals.join("\u{1f}") };
        let tenant = world.tenants[caller.tenant];
        let rows: String =
            tables.iter().map(|table| format!("; SELECT row_to_json(t)::text FROM {table} t")).collect();
        let sql = format!("SELECT set_config('mcp_rag.sees', '{sees}', false){rows}");
        let mut seen = String::new();
        for row in world.server.sql_of_tenant(tenant, &sql).into_iter().skip(1).flatten().flatten() {
            let of = serde_json::from_str::<serde_json::Value>(&row).expect("a row")["tenant_id"].clone();
            assert_eq!(of, serde_json::json!(tenant), "{} is shown {row}", caller.name);
            seen.push_str(&unhexed(&row));
        }
        for document in world.documents.values() {
            let shown = seen.contains(&document.secret);
            assert_eq!(shown, caller.sees(document), "{} by row-level security: {document:?}", caller.name);
        }
        for secret in &world.gone {
            assert!(!seen.contains(secret), "{} is shown what is gone", caller.name);
        }
        // The owner's functions that pass policies by: what they name is the tenant's, and its texts are not in them.
        let all: Vec<String> = world.tenants.iter().map(ToString::to_string).collect();
        let sql = format!(
            "SELECT set_config('mcp_rag.sees', '{sees}', false); \
             SELECT count(*) FROM lexical_first((SELECT array_agg(c::bigint) FROM generate_series(1, 20) c), \
                 (SELECT array_agg(0::bigint) FROM generate_series(1, 20)), \
                 (SELECT array_agg(1::real) FROM generate_series(1, 20)), 1000, 100000) f \
             WHERE EXISTS (SELECT FROM chunks c WHERE c.chunk_id = f.chunk_id AND c.tenant_id <> {tenant} \
                 AND c.tenant_id = ANY (ARRAY[{}]))",
            all.join(", ")
        );
        let crossed = world.server.sql_of_tenant(tenant, &sql);
        assert_eq!(crossed.last().and_then(|row| row[0].clone()).as_deref(), Some("0"), "{}", caller.name);
    }
}

/// A row with its `\\x…` strings read as text.
fn unhexed(row: &str) -> String {
    let mut text = row.to_owned();
    for part in row.split("\\\\x").skip(1) {
        let digits: String = part.chars().take_while(char::is_ascii_hexdigit).collect();
        let bytes: Vec<u8> = (0..digits.len() / 2)
            .filter_map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok())
            .collect();
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    text
}
