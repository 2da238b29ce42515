//! The catalogue: every table bound to its tenant, by keys and by row-level security.

use crate::support::Server;

fn names(rows: Vec<Vec<Option<String>>>) -> Vec<String> {
    rows.into_iter().map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" ")).collect()
}

const TABLES: &str = "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND c.relname <> 'refinery_schema_history'";

#[test]
fn every_table_is_bound_to_its_tenant_by_keys_and_policies() {
    let server = Server::start();
    let owner = |query: &str| names(server.sql("mcp_rag_owner", query).expect("the query runs"));
    let tables = owner(&format!("SELECT c.relname {TABLES} ORDER BY 1"));
    assert!(tables.len() >= 10, "{tables:?}");
    let bare = owner(&format!("SELECT c.relname {TABLES} AND NOT c.relrowsecurity"));
    assert!(bare.is_empty(), "without row-level security: {bare:?}");
    let free = owner(&format!(
        "SELECT c.relname {TABLES} AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid \
         AND p.polcmd = '*' AND pg_get_expr(p.polqual, p.polrelid) LIKE '%tenant_id%mcp_rag.tenant_id%')"
    ));
    assert!(free.is_empty(), "without a policy for every command: {free:?}");
    let keys = owner(&format!(
        "SELECT c.relname, i.indexrelid::regclass FROM pg_index i JOIN (SELECT c.oid, c.relname {TABLES}) c \
         ON c.oid = i.indrelid WHERE (i.indisunique OR i.indisprimary) AND c.relname <> 'tenants' \
         AND (SELECT attname FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = i.indkey[0]) \
         IS DISTINCT FROM 'tenant_id'"
    ));
    assert!(keys.is_empty(), "unique keys that do not start with tenant_id: {keys:?}");
    let unkeyed = owner(&format!(
        "SELECT c.relname {TABLES} AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)"
    ));
    assert!(unkeyed.is_empty(), "without a primary key: {unkeyed:?}");
    let foreign = owner(&format!(
        "SELECT k.conname FROM pg_constraint k JOIN (SELECT c.oid {TABLES}) c ON c.oid = k.conrelid \
         WHERE k.contype = 'f' AND NOT EXISTS (SELECT FROM unnest(k.conkey, k.confkey) AS u(here, there) \
           JOIN pg_attribute h ON h.attrelid = k.conrelid AND h.attnum = u.here \
           JOIN pg_attribute t ON t.attrelid = k.confrelid AND t.attnum = u.there \
           WHERE h.attname = 'tenant_id' AND t.attname = 'tenant_id')"
    ));
    assert!(foreign.is_empty(), "foreign keys that leave the tenant: {foreign:?}");
}

#[test]
fn the_servers_role_owns_nothing_and_cannot_pass_row_level_security_by() {
    let server = Server::start();
    server.create("docs");
    server.ingest("docs", &[("a", "Something of the tenant.")]);
    let app = |query: &str| server.sql("mcp_rag_app", query);
    let role = "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication FROM pg_roles \
                WHERE rolname = current_user";
    assert_eq!(names(app(role).expect("readable")), ["f"]);
    let owned =
        app("SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner) = current_user").expect("readable");
    assert!(owned.is_empty(), "{owned:?}");
    let member = "SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = current_user";
    assert_eq!(names(app(member).expect("readable")), ["0"], "a member of no other role");
    for forbidden in [
        "CREATE TABLE mine (x int)",
        "DROP TABLE documents",
        "ALTER TABLE documents DISABLE ROW LEVEL SECURITY",
        "TRUNCATE documents",
        "SET ROLE mcp_rag_owner",
        "INSERT INTO tenants (name) VALUES ('other')",
        "DROP POLICY tenant ON documents",
        "COPY documents TO PROGRAM 'cat'",
    ] {
        let refused = app(forbidden).expect_err("the role may not do that");
        assert!(refused.as_db_error().is_some(), "{forbidden}: {refused}");
    }
    let tables =
        names(server.sql("mcp_rag_owner", &format!("SELECT c.relname {TABLES}")).expect("the query runs"));
    for table in &tables {
        let count = format!("SELECT count(*) FROM {table}");
        assert_eq!(names(app(&count).expect("readable")), ["0"], "{table} without a tenant");
        assert_eq!(names(server.sql_of_tenant(2, &count)), ["0"], "{table} for another tenant");
    }
    for filled in [
        "tenants",
        "collections",
        "documents",
        "chunks",
        "embeddings",
        "lexical_chunks",
        "lexical_terms",
        "jobs",
    ] {
        let count = names(server.sql_of_tenant(1, &format!("SELECT count(*) > 0 FROM {filled}")));
        assert_eq!(count, ["t"], "{filled} for the tenant itself");
    }
    // Writing into another tenant is as impossible as reading from it.
    let foreign = "SET mcp_rag.tenant_id = '1'; INSERT INTO embedding_spaces (tenant_id, model, dimensions) VALUES (2, 'm', 3)";
    let refused = app(foreign).expect_err("refused");
    assert!(
        refused.as_db_error().is_some_and(|error| error.message().contains("row-level security")),
        "{refused}"
    );
    // The function that passes row-level security by asks for the tenant itself.
    let search = "SELECT count(*) FROM lexical_search((SELECT array_agg(1::bigint)), ARRAY[0::bigint], ARRAY[1::real], 10)";
    assert_eq!(names(app(search).expect("it runs")), ["0"]);
}

#[test]
fn the_database_listens_to_nobody_but_the_servers_own_user() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start();
    let superuser = |query: &str| names(server.sql("postgres", query).expect("the query runs"));
    assert_eq!(superuser("SHOW listen_addresses"), [""]);
    assert_eq!(superuser("SHOW fsync"), ["on"]);
    assert_eq!(superuser("SHOW full_page_writes"), ["on"]);
    assert_eq!(superuser("SHOW synchronous_commit"), ["on"]);
    let mode = std::fs::metadata(server.socket_dir()).expect("the socket's directory").permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}
