# Data for staging in which nobody is found, and data for development that nobody wrote.

setup() {
  scripts=${BATS_TEST_DIRNAME}/../../scripts
  cd "$BATS_TEST_TMPDIR" || return
  cat >export.ndjson <<'NDJSON'
{"export":{"version":1,"collection":{"name":"crm","description":"Customers of Globex","language":"en","metadata":{"owner":"jane"}}}}
{"external_id":"cust-4711","title":"Jane Doerr","text":"Jane Doerr (jane.doerr@globex.example) called from +49 170 5551234 about invoice 88123. Jane will pay.","uri":"https://crm.globex.example/4711","media_type":"text/plain","attributes":{"name":"Jane Doerr","balance":53123,"since":"2021-04-05","vip":true,"tags":["debtor"],"address":{"city":"Passau"}},"acl":["user:jane"],"vectors":{"model":"m"},"notes":"added later"}
{"external_id":"cust-4712","text":"Ask Jane about it.","media_type":"text/plain","attributes":{"since":"2021-04-06"}}
{"external_id":"scan","content":"JVBERi0=","media_type":"application/pdf"}
{"complete":{"documents":3}}
NDJSON
}

@test "no name, address or number of the export is in the copy" {
  run "$scripts/anonymize-data.sh" export.ndjson copy.ndjson
  echo "$output"
  [ "$status" -eq 0 ]
  [[ "$output" == *"2 documents"* && "$output" == *"1 left out"* ]]
  run grep -iE 'jane|doerr|globex|4711|4712|5551234|88123|passau|debtor|invoice|53123|added later|vectors' copy.ndjson
  [ "$status" -eq 1 ]
}

@test "the copy is an export again, of the documents that it holds" {
  "$scripts/anonymize-data.sh" export.ndjson copy.ndjson
  run jq -s -c '[.[0].export.collection.name, .[-1].complete.documents, length]' copy.ndjson
  [ "$output" = '["crm",2,4]' ]
}

@test "the same word is the same pseudonym, and the text keeps its shape" {
  "$scripts/anonymize-data.sh" export.ndjson copy.ndjson
  text=$(jq -r 'select(.text) | .text' copy.ndjson | head -n 1)
  jane=${text%% *}
  [[ "$text" == *". $jane will "* ]]
  [[ "$text" =~ ^[A-Z][a-z]+\ [A-Z][a-z]+\ \([a-z]+\.[a-z]+@[a-z]+\.[a-z]+\)\ [a-z]+\ from\ \+[0-9]{2}\ [0-9]{3}\ [0-9]{7}\ about ]]
  [[ "$(jq -r 'select(.text) | .text' copy.ndjson | sed -n 2p)" == *" $jane about it." ]]
}

@test "dates keep their order, and what is to be kept stays" {
  "$scripts/anonymize-data.sh" --keep-attributes vip,balance export.ndjson copy.ndjson
  run jq -c 'select(.attributes) | [.attributes.since, .attributes.balance]' copy.ndjson
  [ "${lines[0]#*,}" = '53123]' ]
  first=${lines[0]:2:10} second=${lines[1]:2:10}
  [ "$first" != 2021-04-05 ]
  [ "$(date -d "$first + 1 day" +%F)" = "$second" ]
}

@test "pseudonyms differ from run to run unless a key is given" {
  "$scripts/anonymize-data.sh" export.ndjson a.ndjson
  "$scripts/anonymize-data.sh" export.ndjson b.ndjson
  run cmp -s a.ndjson b.ndjson
  [ "$status" -eq 1 ]
  head -c 40 /dev/urandom | base64 -w 0 >key
  "$scripts/anonymize-data.sh" --key-file key export.ndjson a.ndjson
  "$scripts/anonymize-data.sh" --key-file key export.ndjson b.ndjson
  cmp a.ndjson b.ndjson
  printf short >key
  run "$scripts/anonymize-data.sh" --key-file key export.ndjson a.ndjson
  [ "$status" -eq 1 ]
}

@test "an export that was cut off leaves no copy" {
  sed '$d' export.ndjson >cut.ndjson
  run "$scripts/anonymize-data.sh" cut.ndjson copy.ndjson
  [ "$status" -eq 1 ]
  [[ "$output" == *"cut off"* ]]
  [ ! -e copy.ndjson ] && [ ! -e copy.ndjson.partial ]
  run "$scripts/anonymize-data.sh" export.ndjson export.ndjson
  [ "$status" -eq 1 ]
  grep -q Jane export.ndjson
}

@test "synthetic documents are the same for the same seed, and no two are alike" {
  "$scripts/synthetic-data.sh" --documents 300 --seed 7 --out a.ndjson
  "$scripts/synthetic-data.sh" --documents 300 --seed 7 --out b.ndjson
  cmp a.ndjson b.ndjson
  [ "$(jq -r .title a.ndjson | sort -u | wc -l)" -eq 300 ]
  [ "$(jq -r .external_id a.ndjson | sort -u | wc -l)" -eq 300 ]
  "$scripts/synthetic-data.sh" --documents 300 --seed 8 --out b.ndjson
  run cmp -s a.ndjson b.ndjson
  [ "$status" -eq 1 ]
}

@test "a synthetic set has questions, each with one document that answers it" {
  "$scripts/synthetic-data.sh" --documents 50 --out a.ndjson --beir set
  [ "$(wc -l <set/corpus.jsonl)" -eq 50 ]
  [ "$(wc -l <set/queries.jsonl)" -eq 10 ]
  [ "$(wc -l <set/qrels/test.tsv)" -eq 11 ]
  question=$(head -n 1 set/queries.jsonl | jq -r .text)
  id=$(sed -n 2p set/qrels/test.tsv | cut -f 2)
  title=$(jq -r --arg id "$id" 'select(.external_id == $id) | .title' a.ndjson)
  [[ "$question" == *"${title#The }"* ]]
}
