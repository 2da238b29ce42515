"""What the document's schemas cannot say, and what Schemathesis has to be told to make good requests."""

import itertools
import json
import os
import re

import schemathesis
from hypothesis import strategies as st

# Documents as lines of JSON: one string to a schema.
DOCUMENT = st.fixed_dictionaries(
    {"external_id": st.from_regex(r"\A[a-z0-9]{1,12}\Z"), "text": st.text("abc def\n.", min_size=1, max_size=80)},
    optional={"title": st.text("abc", max_size=9), "attributes": st.just({"lang": "en"})},
)
schemathesis.openapi.media_type(
    "application/x-ndjson",
    st.lists(DOCUMENT, min_size=1, max_size=4).map(lambda lines: "\n".join(map(json.dumps, lines)).encode()),
)


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """The example of such lines is a text, which Schemathesis does not send where it is told how to make bytes."""
    for item in raw_schema["paths"].values():
        for operation in item.values():
            lines = operation.get("requestBody", {}).get("content", {}).get("application/x-ndjson", {})
            lines.pop("example", None)


# A time that a key ends at has to come; which times have is not for a schema to know.
schemathesis.openapi.format(
    "date-time", st.integers(2100, 2900).map(lambda year: f"{year}-01-31T12:00:00Z")
)

# Refusals of requests that the schemas allow. Each is about more than one field can say: about two fields together, what
# there is, or how this server is set up. Anything else that is valid and refused is a finding.
REFUSALS = re.compile(
    "|".join(
        [
            # Two fields together.
            r"^either `text` or `content` is needed$",
            r"^`external_id` differs from the one in the path$",
            r"^`query` is required$",
            r"^`embedding` (has no use in the mode `lexical`|goes with one query)",
            r"^`embedding` holds finite numbers that are not all zero$",
            r"^`(rerank|rewrite)` needs a `query`$",
            r"^`overlap_tokens` is at most half of `max_tokens`$",
            r"^`chunk_overlap_tokens` is at most half of `max_chunk_size_tokens`$",
            r"^`window_sentences` belongs to the strategy `sentence_window`$",
            r"^a key with the scope `admin` cannot be limited$",
            r"^give `chunk_id`, or `collection` and `external_id`$",
            r"^give `key` or `principals`, not both$",
            r"^either `file_ids`, with `attributes` and `chunking_strategy` of all, or `files` is needed$",
            r"^a batch holds 1 to 2000 files$",
            r"^`expires_after` has the anchor `created_at` and `seconds`$",
            r"^`collections` goes with the model `mcp-rag`",
            r"^the last message is the user's question, and not empty$",
            r"^filters nest at most 8 deep and hold at most 64 conditions$",
            r"^`\$\w+` (compares with|is a list)",
            r"^of a document's own fields only `\$acl` is a list",
            r"^`vectors.chunks` holds ",
            # An integer may be written as 87.0 in JSON Schema, and may not here.
            r"^invalid type: floating point `-?\d+\.0`, expected (usize|[iu]\d+)",
            # Of the parameters of a body that is not JSON.
            r"^`(title|uri)` is longer than ",
            # Types have other names, and parameters: no list has them all. The refusal lists those that can be read.
            r'^media type ".*" is not supported',
            # What there is, and what time it is.
            r"^`expires_at` is in the past$",
            r"^`(after|before)` is not the id of a file in this vector store$",
            r"^the vector store has expired",
            r"^there is nothing to ask: give `queries`, or ingest something$",
            r"^`embedding` has \d+ numbers",
            r"^`dimensions`: the vectors of ",
            r"^the document cannot be ingested: ",
            r"^`cursor` ",
            # How this server is set up.
            r"^`context: llm` needs a chat model",
            r"^`webhook`: ",
        ]
    )
)


KEY, VALID, used = "Idempotency-Key", re.compile(r"[!-~]([\t -~]{0,253}[!-~])?"), itertools.count()


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Keeps every failure but these refusals, and 404 for something else that the body names or that is not ready yet."""
    if failure.code == "ST202" and response.status_code in (400, 415):
        return not REFUSALS.search(response.json()["error"]["message"])
    if failure.code == "ST201" and "`Idempotency-Key`" in failure.message:
        # Blanks around a header's value are no part of it: what has arrived was a key.
        sent = response.request.headers.get(KEY, "")
        sent = sent.decode("latin-1") if isinstance(sent, bytes) else sent
        return not VALID.fullmatch(sent.strip(" \t"))
    if failure.code == "ST301":
        # To delete a job is to cancel it, and a key to revoke it: both are there to be looked at. A space goes slowly.
        return not re.search(r"DELETE /v1/(jobs|keys|spaces)/", failure.message)
    if failure.code == "ST302" and response.status_code == 404:
        error = response.json()["error"]
        return error["param"] not in ("file_id", "file_ids") and error["message"] != "published document not found"
    return True




@schemathesis.hook
def before_call(context, case, kwargs):
    """A key is for one request: another one is refused under it, and this one is answered from memory."""
    key = (case.headers or {}).get(KEY)
    if isinstance(key, str) and VALID.fullmatch(key):
        case.headers[KEY] = f"request-{next(used)}"


if os.environ.get("CONTRACT_CREDENTIAL") == "none":

    @schemathesis.check
    def nobody_enters(context, response, case):
        """Without a credential everything under /v1 is refused, whatever it is."""
        if case.operation.path.startswith("/v1/"):
            assert response.status_code == 401, f"answered with {response.status_code}"
            assert response.headers.get("www-authenticate"), "no challenge"
