# Smoke tests against a real server, and against servers that are broken in one way each.

setup_file() {
  export checkout=${MCP_RAG_CHECKOUT:-$(cd "$BATS_TEST_DIRNAME/../.." && pwd)}
  . "$BATS_TEST_DIRNAME/lib.sh"
  find_server
  # As in production: who has no credential is refused.
  mkdir -p "$BATS_FILE_TMPDIR/secrets"
  openssl rand -hex 32 >"$BATS_FILE_TMPDIR/secrets/auth__token"
  serve "$BATS_FILE_TMPDIR/server" --env staging --set server.host=127.0.0.1 --set admin.host=127.0.0.1 --set server.drain_delay_ms=0 \
    --set database.migrate=true --set secrets_dir="$BATS_FILE_TMPDIR/secrets" 3>&-
  export url server
}
teardown_file() { kill "$server"; while kill -0 "$server" 2>/dev/null; do sleep 0.1; done; }

setup() {
  smoke=${BATS_TEST_DIRNAME}/../../scripts/smoke-tests.sh
  token=$BATS_FILE_TMPDIR/secrets/auth__token
  collections() { curl -sf -H "Authorization: Bearer $(cat "$token")" "$url/v1/collections" | jq -r '.data[].name'; }
  # A server that answers as this Python expression of `path` says.
  broken() {
    python3 -c '
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path
        status, body = eval(sys.argv[1])
        self.send_response(status); self.send_header("content-length", str(len(body))); self.end_headers(); self.wfile.write(body.encode())
    do_POST = do_PUT = do_DELETE = do_GET
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
open(sys.argv[2], "w").write(str(server.server_port))
server.serve_forever()' "$1" "$BATS_TEST_TMPDIR/port" 3>&- &
    stand_in=$!
    while [ ! -s "$BATS_TEST_TMPDIR/port" ]; do sleep 0.1; done
    broken_url=http://127.0.0.1:$(cat "$BATS_TEST_TMPDIR/port")
  }
}
teardown() { [ -z "${stand_in:-}" ] || kill "$stand_in"; }

@test "a good server passes, in exactly four lines" {
  run "$smoke" --token-file "$token" "$url"
  [ "$status" -eq 0 ]
  [ "$output" = "✓ Health check passed
✓ Search endpoint working
✓ RAG endpoint working
All tests passed!" ]
}

@test "nothing is left behind" {
  "$smoke" --token-file "$token" "$url"
  [ -z "$(collections)" ]
}

@test "the credential may come from the environment" {
  run env SMOKE_TOKEN="$(cat "$token")" "$smoke" "$url/"
  [ "$status" -eq 0 ]
}

@test "a refused credential fails the search, with the reason" {
  run "$smoke" "$url"
  [ "$status" -eq 1 ]
  [ "${lines[0]}" = "✓ Health check passed" ]
  [[ "${lines[1]}" == "✗ Search endpoint failed: "*401* ]]
  [ "${#lines[@]}" -eq 2 ]
}

@test "a server that is away fails the first step within the time" {
  run timeout 5 "$smoke" --timeout 2 http://127.0.0.1:1
  [ "$status" -eq 1 ]
  [[ "$output" == "✗ Health check failed: "* ]]
}

@test "a server that is not ready fails the first step" {
  broken '(503, "{\"status\":\"unavailable\"}")'
  run "$smoke" "$broken_url"
  [ "$status" -eq 1 ]
  [[ "$output" == "✗ Health check failed: "*503* ]]
}

@test "a search that finds nothing fails the second step" {
  broken '(200, "{\"status\":\"ok\",\"results\":[]}")'
  run "$smoke" "$broken_url"
  [ "$status" -eq 1 ]
  [[ "${lines[1]}" == "✗ Search endpoint failed: nothing was found"* ]]
}

@test "an answer without a citation fails the third step" {
  broken '(200, "{\"status\":\"ok\",\"chunk_id\":\"chk_1\",\"answer\":\"Perhaps.\",\"citations\":[]}") if "search" not in path else (200, "{\"chunk_id\":\"c\",\"text\":\"quillback" + "" + "\"}")'
  run "$smoke" --collection docs "$broken_url"
  # In a collection that is not the test's own an answer may abstain; in its own it may not.
  [ "$status" -eq 0 ]
  run "$smoke" "$broken_url"
  [ "$status" -eq 1 ]
}

@test "with a collection of somebody else nothing is written" {
  run curl -sf -o /dev/null -X POST -H "Authorization: Bearer $(cat "$token")" -H 'content-type: application/json' -d '{"name":"docs"}' "$url/v1/collections"
  curl -sf -o /dev/null -X PUT -H "Authorization: Bearer $(cat "$token")" -H 'content-type: text/plain' --data-binary 'This is about lighthouses.' "$url/v1/collections/docs/documents/a?wait=true"
  run "$smoke" --token-file "$token" --collection docs "$url"
  [ "$status" -eq 0 ]
  [ "$(collections)" = docs ]
}

@test "a dry run sends nothing" {
  run "$smoke" --dry-run http://127.0.0.1:1
  [ "$status" -eq 0 ]
  [[ "$output" == *"POST http://127.0.0.1:1/v1/answers"* ]]
}

@test "an export that was anonymised is imported again and found by its new words" {
  export MCP_RAG__AUTH__TOKEN
  MCP_RAG__AUTH__TOKEN=$(cat "$token")
  "$checkout/scripts/synthetic-data.sh" --documents 20 --server "$url" --collection people --token-file "$token"
  . "$BATS_TEST_DIRNAME/lib.sh"
  find_server
  awaited 60 sh -c "curl -sf -H 'Authorization: Bearer $MCP_RAG__AUTH__TOKEN' $url/v1/collections/people | grep -q '\"documents\":20'"
  cd "$BATS_TEST_TMPDIR"
  "$mcp_rag" --server "$url" export people production.ndjson --vectors
  "$checkout/scripts/anonymize-data.sh" production.ndjson staging.ndjson
  run "$mcp_rag" --server "$url" import anonymous staging.ndjson
  echo "$output"
  [ "$status" -eq 0 ]
  words=$(jq -r 'select(.title) | .title' staging.ndjson | head -n 1)
  id=$(jq -r 'select(.title) | .external_id' staging.ndjson | head -n 1)
  [ "$(curl -sf -H "Authorization: Bearer $MCP_RAG__AUTH__TOKEN" -H 'content-type: application/json' \
    -d "{\"query\":\"$words\",\"collections\":[\"anonymous\"],\"top_k\":1}" "$url/v1/search" | jq -r '.results[0].external_id')" = "$id" ]
}
