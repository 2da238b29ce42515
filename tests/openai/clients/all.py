"""Every row of the contract with openai-python as it comes: OPENAI_BASE_URL and OPENAI_API_KEY say where."""

import base64
import json
import struct
import sys
import time
import traceback

import openai
from openai import OpenAI

client = OpenAI(max_retries=0, timeout=30)
rows = []

FOX = b"# Foxes\n\nThe quick brown fox jumps over the lazy dog every morning.\n"
HARBOUR = b"The harbour of Genoa opened in 1893. Its lighthouse is made of white granite.\n"


def row(function):
    rows.append(function)
    return function


def eventually(what, holds):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = holds()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"never happened: {what}")


def refused(kind, call, param=None, code=None):
    """The error of a call that must not succeed, whose form is checked."""
    try:
        call()
    except kind as error:
        assert error.request_id, "x-request-id"
        assert error.message and isinstance(error.body, dict), error.body
        assert set(error.body) == {"message", "type", "param", "code"}, error.body
        assert param is None or error.param == param, error.body
        assert code is None or error.code == code, error.body
        return error
    raise AssertionError("it succeeded")


def upload(name, content, **extra):
    return client.files.create(file=(name, content), purpose="assistants", **extra)


def store_of(name, *files):
    """A vector store whose files are all searchable."""
    uploaded = [upload(file, content) for file, content in files]
    store = client.vector_stores.create(name=name, file_ids=[file.id for file in uploaded])
    ready = lambda: client.vector_stores.retrieve(store.id).status == "completed"
    eventually("the files are searchable", ready)
    return store, uploaded


@row
def vector_stores_are_created_listed_changed_and_deleted():
    store = client.vector_stores.create(
        name="Support FAQ (2026)", description="What people ask", metadata={"team": "support"},
        expires_after={"anchor": "last_active_at", "days": 7},
        chunking_strategy={"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 50}},
    )
    assert (store.object, store.name, store.status) == ("vector_store", "Support FAQ (2026)", "completed"), store
    assert store.id.startswith("vs_") and store.metadata == {"team": "support"} and store.usage_bytes == 0, store
    assert store.file_counts.model_dump() == dict(in_progress=0, completed=0, failed=0, cancelled=0, total=0), store
    assert (store.expires_after.anchor, store.expires_after.days) == ("last_active_at", 7), store
    assert abs(store.expires_at - store.last_active_at - 7 * 86400) <= 1 and store.created_at > 1.7e9, store
    assert store.model_extra["collection"] == "Support-FAQ--2026", store.model_extra

    twin = client.vector_stores.create(name="Support FAQ (2026)")
    assert twin.id != store.id and twin.name == store.name and twin.expires_at is None, twin
    nameless = client.vector_stores.create()
    assert nameless.name == "" and nameless.metadata == {}, nameless

    changed = client.vector_stores.update(store.id, name="FAQ", metadata={"a": "b"}, expires_after=None)
    assert (changed.name, changed.metadata, changed.expires_after) == ("FAQ", {"a": "b"}, None), changed
    assert client.vector_stores.retrieve(store.id) == changed

    stores = [twin.id, nameless.id] + [client.vector_stores.create(name=f"page {n}").id for n in range(5)]
    newest = [one.id for one in client.vector_stores.list(limit=3)]  # pages by itself to the end
    assert newest[:7] == stores[::-1], (newest, stores)
    first = client.vector_stores.list(limit=3, order="asc", after=store.id)
    assert ([one.id for one in first.data], first.has_more) == (stores[:3], True), first
    before = client.vector_stores.list(limit=2, order="asc", before=stores[4])
    assert [one.id for one in before.data] == stores[2:4], before

    for id in [store.id] + stores:
        gone = client.vector_stores.delete(id)
        assert (gone.id, gone.object, gone.deleted) == (id, "vector_store.deleted", True), gone
    refused(openai.NotFoundError, lambda: client.vector_stores.retrieve(store.id), code="not_found")
    refused(openai.NotFoundError, lambda: client.vector_stores.delete(store.id))
    refused(openai.NotFoundError, lambda: client.vector_stores.retrieve("vs_abc"))
    refused(openai.BadRequestError, lambda: client.vector_stores.list(limit=101), "limit")
    refused(openai.BadRequestError, lambda: client.vector_stores.list(after="x"), "after")
    for wrong, param in [
        (dict(name="x" * 257), "name"),
        (dict(metadata={str(n): "x" for n in range(17)}), "metadata"),
        (dict(expires_after={"anchor": "last_active_at", "days": 366}), "expires_after.days"),
        (dict(chunking_strategy={"type": "static", "static": {"max_chunk_size_tokens": 99, "chunk_overlap_tokens": 0}}),
         "chunking_strategy.static.max_chunk_size_tokens"),
        (dict(extra_body={"colour": "red"}), "colour"),
    ]:
        refused(openai.BadRequestError, lambda: client.vector_stores.create(**wrong), param)
    refused(openai.NotFoundError, lambda: client.vector_stores.create(name="x", file_ids=["file-999999"]), "file_id")
    assert all(one.name != "x" for one in client.vector_stores.list()), "nothing is left of it"


@row
def files_are_uploaded_listed_read_and_deleted():
    content = bytes(range(256)) * 8
    file = upload("größe 狐.bin", content)
    assert (file.object, file.bytes, file.purpose, file.status) == ("file", 2048, "assistants", "processed"), file
    assert file.filename == "größe 狐.bin" and file.expires_at is None and file.created_at > 1.7e9, file
    assert client.files.content(file.id).read() == content, "the bytes as they came"
    assert client.files.retrieve(file.id) == file
    assert client.files.wait_for_processing(file.id).id == file.id
    short = client.files.create(
        file=("note.txt", b"x"), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3600})
    assert abs(short.expires_at - short.created_at - 3600) <= 1, short
    more = [upload(f"{n}.txt", b"x") for n in range(4)]
    ids = [file.id, short.id] + [one.id for one in more]
    assert [one.id for one in client.files.list(limit=2, order="asc", after=file.id)] == ids[1:]
    assert [one.id for one in client.files.list(limit=4)][:5] == ids[::-1][:5]
    assert [one.id for one in client.files.list(purpose="user_data")] == [short.id]
    for id in ids:
        gone = client.files.delete(id)
        assert (gone.id, gone.object, gone.deleted) == (id, "file", True), gone
    for call in (client.files.retrieve, client.files.content, client.files.delete):
        refused(openai.NotFoundError, lambda: call(file.id))
    refused(openai.BadRequestError, lambda: client.files.create(file=("a.txt", b"x"), purpose="party"), "purpose")
    refused(openai.BadRequestError, lambda: client.files.create(
        file=("a.txt", b"x"), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 5}),
        "expires_after.seconds")
    big = refused(openai.APIStatusError, lambda: upload("big.txt", b"x" * (1 << 20) + b"y"), "file")
    assert big.status_code == 413, big


@row
def files_of_a_vector_store_are_attached_changed_and_taken_out():
    store = client.vector_stores.create(name="attach")
    file = upload("fox.md", FOX)
    chunking = {"type": "static", "static": {"max_chunk_size_tokens": 128, "chunk_overlap_tokens": 16}}
    attached = client.vector_stores.files.create(
        store.id, file_id=file.id, attributes={"year": 2026, "draft": False, "lang": "en"}, chunking_strategy=chunking)
    assert (attached.id, attached.object) == (file.id, "vector_store.file"), attached
    assert attached.status in ("in_progress", "completed") and attached.vector_store_id == store.id, attached
    done = client.vector_stores.files.poll(file.id, vector_store_id=store.id, poll_interval_ms=50)
    assert (done.status, done.last_error, done.usage_bytes) == ("completed", None, len(FOX)), done
    assert done.attributes == {"year": 2026, "draft": False, "lang": "en"}, done
    assert done.chunking_strategy.model_dump() == chunking, done
    assert client.vector_stores.files.retrieve(file.id, vector_store_id=store.id) == done
    text = client.vector_stores.files.content(file.id, vector_store_id=store.id)
    assert "lazy dog" in "".join(part.text for part in text.data) and text.data[0].type == "text", text

    changed = client.vector_stores.files.update(file.id, vector_store_id=store.id, attributes={"year": 2027})
    assert changed.attributes == {"year": 2027} and changed.status == "completed", changed
    year = lambda value: client.vector_stores.search(
        store.id, query="fox", filters={"type": "eq", "key": "year", "value": value}).data
    assert year(2027) and not year(2026), "other attributes are in force at once"

    # The same file in another vector store; one that cannot be read fails with a reason.
    other = client.vector_stores.create(name="other")
    uploaded = client.vector_stores.files.upload_and_poll(
        vector_store_id=other.id, file=("harbour.txt", HARBOUR), poll_interval_ms=50)
    assert uploaded.status == "completed", uploaded
    client.vector_stores.files.create_and_poll(file.id, vector_store_id=other.id, poll_interval_ms=50)
    bad = upload("photo.png", b"\x89PNG\r\n\x1a\n\x00\x00")
    failed = client.vector_stores.files.create_and_poll(bad.id, vector_store_id=other.id, poll_interval_ms=50)
    assert failed.status == "failed" and failed.last_error.code == "unsupported_file", failed
    assert "media type" in failed.last_error.message, failed
    broken = upload("broken.pdf", b"%PDF-1.4 no more")
    failed = client.vector_stores.files.create_and_poll(broken.id, vector_store_id=other.id, poll_interval_ms=50)
    assert (failed.status, failed.last_error.code) == ("failed", "invalid_file"), failed
    counts = client.vector_stores.retrieve(other.id).file_counts
    assert (counts.completed, counts.failed, counts.total) == (2, 2, 4), counts

    files = client.vector_stores.files
    order = [uploaded.id, file.id, bad.id, broken.id]
    assert [one.id for one in files.list(other.id, order="asc", limit=1)] == order
    assert [one.id for one in files.list(other.id)] == order[::-1]
    assert [one.id for one in files.list(other.id, filter="failed", order="asc")] == order[2:]
    assert [one.id for one in files.list(other.id, filter="completed", order="asc", limit=1)] == order[:2]
    assert [one.id for one in files.list(other.id, order="asc", before=bad.id, limit=1).data] == [file.id]
    refused(openai.BadRequestError, lambda: files.list(other.id, filter="lost"), "filter")
    refused(openai.BadRequestError, lambda: files.list(other.id, after="file-999999"), "after")

    gone = files.delete(file.id, vector_store_id=store.id)
    assert (gone.id, gone.object, gone.deleted) == (file.id, "vector_store.file.deleted", True), gone
    refused(openai.NotFoundError, lambda: files.retrieve(file.id, vector_store_id=store.id))
    assert files.retrieve(file.id, vector_store_id=other.id).status == "completed", "the other has its own"
    assert client.files.retrieve(file.id).id == file.id, "the upload stays"
    # And the upload takes the rest with it.
    client.files.delete(file.id)
    refused(openai.NotFoundError, lambda: files.retrieve(file.id, vector_store_id=other.id))
    assert all(hit.file_id != file.id for hit in client.vector_stores.search(other.id, query="fox").data)
    refused(openai.NotFoundError, lambda: files.create(store.id, file_id=file.id), "file_id")
    refused(openai.NotFoundError, lambda: files.create("vs_999999", file_id=uploaded.id))
    refused(openai.BadRequestError, lambda: files.create(
        store.id, file_id=uploaded.id, attributes={str(n): n for n in range(17)}), "attributes")


@row
def vector_stores_are_searched_with_filters_and_a_threshold():
    store, (fox, harbour) = store_of("search", ("fox.md", FOX), ("harbour.txt", HARBOUR))
    update = client.vector_stores.files.update
    update(fox.id, vector_store_id=store.id, attributes={"kind": "animal", "legs": 4, "wild": True})
    update(harbour.id, vector_store_id=store.id, attributes={"kind": "place", "legs": 0, "wild": False})
    page = client.vector_stores.search(store.id, query="what does the fox jump over", max_num_results=5)
    assert page.object == "vector_store.search_results.page", page
    assert page.model_extra["search_query"] == ["what does the fox jump over"], page.model_extra
    assert page.model_extra["degraded"] == [] and page.model_extra["has_more"] is False, page.model_extra
    best = page.data[0]
    assert (best.file_id, best.filename) == (fox.id, "fox.md"), best
    assert best.attributes == {"kind": "animal", "legs": 4, "wild": True}, best
    assert best.content[0].type == "text" and "lazy dog" in best.content[0].text, best
    assert all(0 <= hit.score <= 1 for hit in page.data), page

    found = lambda **extra: [
        hit.file_id for hit in client.vector_stores.search(store.id, query="fox harbour", **extra).data]
    eq = {"type": "eq", "key": "kind", "value": "animal"}
    ne = {"type": "ne", "key": "kind", "value": "animal"}
    assert set(found()) == {fox.id, harbour.id}
    for filters, expected in [
        (eq, [fox.id]), (ne, [harbour.id]),
        ({"type": "gt", "key": "legs", "value": 3}, [fox.id]), ({"type": "lte", "key": "legs", "value": 3}, [harbour.id]),
        ({"type": "gte", "key": "legs", "value": 4}, [fox.id]), ({"type": "lt", "key": "legs", "value": 4}, [harbour.id]),
        ({"type": "in", "key": "kind", "value": ["animal", "plant"]}, [fox.id]),
        ({"type": "nin", "key": "kind", "value": ["animal", "plant"]}, [harbour.id]),
        ({"type": "and", "filters": [eq, {"type": "or", "filters": [ne, {"type": "eq", "key": "wild", "value": True}]}]},
         [fox.id]),
        ({"type": "and", "filters": [eq, ne]}, []),
    ]:
        assert found(filters=filters) == expected, filters
    both = client.vector_stores.search(store.id, query=["lazy dog", "white granite"], max_num_results=2)
    assert {hit.file_id for hit in both.data} == {fox.id, harbour.id}, both
    assert both.model_extra["search_query"] == ["lazy dog", "white granite"], both.model_extra
    some = client.vector_stores.search(
        store.id, query="lazy dog", ranking_options={"ranker": "default-2024-11-15", "score_threshold": 0.9})
    assert [hit.file_id for hit in some.data] == [fox.id] and some.data[0].score >= 0.9, some
    assert found(ranking_options={"ranker": "none", "score_threshold": 1.0}) in ([], [fox.id], [harbour.id])
    rewritten = client.vector_stores.search(store.id, query="fox", rewrite_query=True)
    assert rewritten.model_extra["degraded"][0]["stage"] == "generator", "no chat model is there to rewrite it"

    one = client.vector_stores.search(store.id, query="fox harbour", max_num_results=1)
    assert one.model_extra["has_more"] and one.model_extra["next_page"], one.model_extra
    two = client.vector_stores.search(
        store.id, query="fox harbour", max_num_results=1, extra_body={"page": one.model_extra["next_page"]})
    assert {one.data[0].file_id, two.data[0].file_id} == {fox.id, harbour.id}, "the next page goes on"

    search = lambda **extra: client.vector_stores.search(store.id, **{"query": "fox", **extra})
    refused(openai.BadRequestError, lambda: search(max_num_results=51), "max_num_results")
    refused(openai.BadRequestError, lambda: search(query=" "), "query")
    refused(openai.BadRequestError, lambda: search(filters={"type": "like", "key": "a", "value": "b"}), "filters")
    refused(openai.BadRequestError, lambda: search(ranking_options={"score_threshold": 2}),
            "ranking_options.score_threshold")
    refused(openai.NotFoundError, lambda: client.vector_stores.search("vs_999999", query="fox"))


@row
def batches_of_files_are_put_in_watched_and_cancelled():
    store = client.vector_stores.create(name="batches")
    batches = client.vector_stores.file_batches
    files = [upload(f"{n}.txt", f"Number {n} is a number of its own.".encode()) for n in range(3)]
    batch = batches.create_and_poll(store.id, file_ids=[file.id for file in files], poll_interval_ms=50)
    assert (batch.object, batch.status) == ("vector_store.files_batch", "completed"), batch
    assert batch.id.startswith("vsfb_") and batch.vector_store_id == store.id, batch
    assert (batch.file_counts.completed, batch.file_counts.total) == (3, 3), batch
    listed = batches.list_files(batch.id, vector_store_id=store.id, order="asc", limit=2)
    assert [one.id for one in listed] == [file.id for file in files]
    assert [one.id for one in batches.list_files(batch.id, vector_store_id=store.id, filter="failed")] == []
    again = batches.create_and_poll(store.id, file_ids=[files[0].id], poll_interval_ms=50)
    assert (again.status, again.file_counts.total) == ("completed", 1), "what is there already needs no work"

    own = [upload("a.txt", b"Alpha has attributes."), upload("b.png", b"\x89PNG\x00")]
    mixed = batches.create(store.id, files=[
        {"file_id": own[0].id, "attributes": {"n": 1},
         "chunking_strategy": {"type": "static", "static": {"max_chunk_size_tokens": 300, "chunk_overlap_tokens": 0}}},
        {"file_id": own[1].id},
    ])
    mixed = batches.poll(mixed.id, vector_store_id=store.id, poll_interval_ms=50)
    assert (mixed.status, mixed.file_counts.completed, mixed.file_counts.failed) == ("completed", 1, 1), mixed
    alpha = client.vector_stores.files.retrieve(own[0].id, vector_store_id=store.id)
    assert alpha.attributes == {"n": 1} and alpha.chunking_strategy.static.max_chunk_size_tokens == 300, alpha
    uploaded = batches.upload_and_poll(
        store.id, files=[("c.txt", b"Gamma."), ("d.txt", b"Delta.")], poll_interval_ms=50)
    assert (uploaded.status, uploaded.file_counts.completed) == ("completed", 2), uploaded

    # Cancelled while most of it waits.
    long = " ".join(f"Sentence {n} says that {n} and {n + 1} are neighbours." for n in range(400)).encode()
    many = [upload(f"long {n}.txt", long + str(n).encode()) for n in range(12)]
    batch = batches.create(store.id, file_ids=[file.id for file in many])
    assert batch.status == "in_progress", batch
    cancelled = batches.cancel(batch.id, vector_store_id=store.id)
    assert cancelled.status == "cancelled" and cancelled.file_counts.in_progress == 0, cancelled
    assert cancelled.file_counts.cancelled > 0 and cancelled.file_counts.total == 12, cancelled
    waiting = client.vector_stores.files.list(store.id, filter="cancelled").data
    assert waiting and all(one.status == "cancelled" and one.last_error is None for one in waiting), waiting
    assert batches.retrieve(batch.id, vector_store_id=store.id).status == "cancelled"

    refused(openai.BadRequestError, lambda: batches.create(store.id, file_ids=[]), "file_ids")
    refused(openai.BadRequestError, lambda: batches.create(store.id, file_ids=[files[0].id] * 2001), "file_ids")
    refused(openai.NotFoundError, lambda: batches.create(store.id, file_ids=[files[0].id, "file-999999"]))
    refused(openai.NotFoundError, lambda: batches.retrieve("vsfb_999999", vector_store_id=store.id))
    other = client.vector_stores.create(name="not this one")
    refused(openai.NotFoundError, lambda: batches.retrieve(batch.id, vector_store_id=other.id))


@row
def embeddings_come_as_base64_or_numbers():
    texts = ["The quick brown fox.", "A lighthouse of granite."]
    found = client.embeddings.create(model="mcp-rag", input=texts)  # base64, as the client asks for by itself
    assert found.object == "list" and [one.index for one in found.data] == [0, 1], found
    assert [len(one.embedding) for one in found.data] == [384, 384]
    assert found.usage.prompt_tokens == found.usage.total_tokens > 8, found.usage
    plain = client.embeddings.create(model=found.model, input=texts, encoding_format="float")
    assert max(abs(a - b) for a, b in zip(plain.data[0].embedding, found.data[0].embedding)) < 1e-6
    raw = client.embeddings.with_raw_response.create(model="mcp-rag", input=texts[0], encoding_format="base64")
    raw = json.loads(raw.content)["data"][0]["embedding"]
    assert abs(struct.unpack("<384f", base64.b64decode(raw))[7] - plain.data[0].embedding[7]) < 1e-6
    assert abs(sum(x * x for x in plain.data[0].embedding) - 1) < 1e-3
    near = client.embeddings.create(model="mcp-rag", input="a fast fox", dimensions=384).data[0].embedding
    dot = lambda one: sum(a * b for a, b in zip(near, one.embedding))
    assert dot(plain.data[0]) > dot(plain.data[1]) + 0.2, "near in meaning is near"
    assert len(client.embeddings.create(model="mcp-rag", input=["word"] * 150).data) == 150
    create = lambda **extra: client.embeddings.create(**{"model": "mcp-rag", "input": "fox", **extra})
    refused(openai.BadRequestError, lambda: create(input=[1, 2, 3]), "input")
    refused(openai.BadRequestError, lambda: create(input=[[1, 2], [3]]), "input")
    refused(openai.BadRequestError, lambda: create(input=""), "input")
    refused(openai.BadRequestError, lambda: create(input=[]), "input")
    refused(openai.BadRequestError, lambda: create(dimensions=100), "dimensions")
    refused(openai.NotFoundError, lambda: create(model="text-embedding-3-small"), "model")
    long = "fox " * 600
    assert "256" in refused(openai.BadRequestError, lambda: create(input=long), "input").message
    assert create(input=long, extra_body={"truncate": True}).usage.prompt_tokens == 256


@row
def chat_completions_answer_from_named_collections_with_citations():
    store, (fox, harbour) = store_of("chat", ("fox.md", FOX), ("harbour.txt", HARBOUR))
    name = store.model_extra["collection"]
    ask = lambda question, **extra: client.chat.completions.create(
        **{"model": f"mcp-rag/{name}", "messages": [{"role": "user", "content": question}], **extra})
    answer = ask("What does the quick brown fox jump over every morning?", temperature=0, n=1, max_completion_tokens=200)
    assert answer.object == "chat.completion" and answer.id.startswith("chatcmpl-"), answer
    assert answer.model == f"mcp-rag/{name}" and answer.created > 1.7e9, answer
    choice = answer.choices[0]
    assert (choice.index, choice.finish_reason, choice.message.role) == (0, "stop", "assistant"), choice
    content = choice.message.content
    assert "lazy dog" in content, content
    cited = choice.message.annotations[0]
    assert cited.type == "url_citation" and cited.url_citation.title in ("fox.md", "Foxes"), cited
    span = content[cited.url_citation.start_index:cited.url_citation.end_index]
    assert "lazy dog" in span, (span, cited)
    assert cited.url_citation.url.endswith(f"/files/{fox.id}/content"), cited
    assert client.files.content(fox.id).read() == FOX
    usage = answer.usage
    assert usage.prompt_tokens > 5 and usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, usage
    extra = answer.model_extra["mcp_rag"]
    assert extra["abstained"] is False and extra["degraded"] == [] and extra["answered_by"] == "extractive", extra

    # Named by the id of the vector store, or in the body; several turns, parts and what the client sent before.
    for model, names in [(f"mcp-rag/{store.id}", None), ("mcp-rag", [name]), ("mcp-rag", [store.id]), ("mcp-rag", None)]:
        body = {"collections": names} if names else {}
        found = ask("What is the lighthouse of Genoa made of?", model=model, extra_body=body)
        assert "granite" in found.choices[0].message.content, (model, names, found)
    turns = client.chat.completions.create(model=f"mcp-rag/{name}", messages=[
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What does the quick brown fox jump over?"},
        choice.message,
        {"role": "user", "content": [{"type": "text", "text": "When did the harbour of Genoa open?"}]},
    ])
    assert "1893" in turns.choices[0].message.content, turns
    nothing = ask("Who was the emperor of Trebizond in the year 1300?")
    assert nothing.choices[0].message.annotations == [] and nothing.model_extra["mcp_rag"]["abstained"], nothing

    refused(openai.NotFoundError, lambda: ask("fox", model="gpt-5"), "model")
    refused(openai.NotFoundError, lambda: ask("fox", model="mcp-rag/nowhere"), "model")
    refused(openai.NotFoundError, lambda: ask("fox", model="mcp-rag", extra_body={"collections": ["x"]}), "collections")
    refused(openai.BadRequestError, lambda: ask("fox", extra_body={"collections": [name]}), "collections")
    refused(openai.BadRequestError, lambda: ask(" "), "messages")
    refused(openai.BadRequestError, lambda: ask("fox", n=2), "n")
    refused(openai.BadRequestError, lambda: ask("fox", extra_body={"temprature": 1}), "temprature", "unknown_field")
    refused(openai.NotFoundError, lambda: ask("fox", model="mcp-rag/nowhere", stream=True), "model")


@row
def chat_completions_stream_with_citations_and_usage():
    store, (fox, _) = store_of("stream", ("fox.md", FOX), ("harbour.txt", HARBOUR))
    messages = [{"role": "user", "content": "What does the quick brown fox jump over every morning?"}]
    model = f"mcp-rag/{store.id}"
    whole = client.chat.completions.create(model=model, messages=messages)
    chunks = list(client.chat.completions.create(
        model=model, messages=messages, stream=True, stream_options={"include_usage": True}))
    assert all(one.object == "chat.completion.chunk" and one.id == chunks[0].id for one in chunks), chunks
    assert chunks[0].choices[0].delta.role == "assistant", chunks[0]
    deltas = [one.choices[0].delta for one in chunks if one.choices]
    content = "".join(delta.content or "" for delta in deltas)
    assert content == whole.choices[0].message.content, content
    annotations = [one for delta in deltas for one in (delta.model_extra or {}).get("annotations", [])]
    assert annotations == [one.model_dump() for one in whole.choices[0].message.annotations], annotations
    assert annotations and annotations[0]["url_citation"]["file_id"] == fox.id, annotations
    finished = [one for one in chunks if one.choices and one.choices[0].finish_reason]
    assert [one.choices[0].finish_reason for one in finished] == ["stop"], finished
    assert finished[0].model_extra["mcp_rag"]["citations"], finished
    assert chunks[-1].choices == [] and chunks[-1].usage == whole.usage, chunks[-1]
    assert all(one.usage is None for one in chunks[:-1])
    without = list(client.chat.completions.create(model=model, messages=messages, stream=True))
    assert without[-1].choices[0].finish_reason == "stop" and all(one.usage is None for one in without)
    with client.chat.completions.stream(model=model, messages=messages) as events:
        assert events.get_final_completion().choices[0].message.content == content


@row
def models_are_listed_and_found():
    store = client.vector_stores.create(name="model")
    ids = [model.id for model in client.models.list()]
    assert "mcp-rag" in ids and "mcp-rag/model" in ids, ids
    for id in ids[:2] + ["mcp-rag/model"]:
        model = client.models.retrieve(id)
        assert (model.id, model.object, model.owned_by) == (id, "model", "mcp-rag") and model.created > 1.7e9, model
    refused(openai.NotFoundError, lambda: client.models.retrieve("gpt-5"), "model")
    refused(openai.NotFoundError, lambda: client.models.retrieve("mcp-rag/nowhere"), "model")
    client.vector_stores.delete(store.id)


@row
def errors_are_the_clients_own():
    wrong = OpenAI(api_key="sk-wrong", max_retries=0)
    error = refused(openai.AuthenticationError, lambda: wrong.models.list(), code="unauthorized")
    assert error.type == "authentication_error", error.body
    error = refused(openai.BadRequestError, lambda: client.vector_stores.create(extra_body={"name": 1}), "name")
    assert error.type == "invalid_request_error", error.body
    refused(openai.NotFoundError, lambda: client.post("/assistants", cast_to=object, body={}), code="not_found")
    response = client.models.with_raw_response.list()
    assert response.headers["x-request-id"], response.headers


@row
def collections_of_the_rest_api_are_vector_stores_too():
    made = client.post("/collections", cast_to=object, body={"name": "native", "metadata": {"depth": 3}})
    text = {"text": "Otters hold hands while they sleep.", "title": "Otters", "attributes": {"tags": ["a", "b"]}}
    client.put("/collections/native/documents/guides%2Fotters?wait=true", cast_to=object, body=text)
    id = made["id"].replace("col_", "vs_")
    store = client.vector_stores.retrieve(id)
    assert (store.name, store.metadata, store.file_counts.completed) == ("native", {"depth": "3"}, 1), store
    assert store.usage_bytes == len(text["text"]), store
    hit = client.vector_stores.search(id, query="what do otters do asleep").data[0]
    assert hit.filename == "guides/otters" and hit.attributes == {"tags": '["a","b"]'}, hit
    file = client.vector_stores.files.retrieve(hit.file_id, vector_store_id=id)
    assert (file.id, file.status) == (hit.file_id, "completed"), file
    content = client.vector_stores.files.content(hit.file_id, vector_store_id=id).data
    assert content[0].text == text["text"], content
    answer = client.chat.completions.create(
        model="mcp-rag/native", messages=[{"role": "user", "content": "What do otters do while they sleep?"}])
    url = answer.choices[0].message.annotations[0].url_citation.url
    assert url.endswith("/v1/collections/native/documents/guides%2Fotters/content"), url
    client.vector_stores.files.delete(hit.file_id, vector_store_id=id)
    assert client.vector_stores.retrieve(id).file_counts.total == 0
    client.vector_stores.delete(id)


failed = []
for check in rows:
    began = time.monotonic()
    try:
        check()
        print(f"ok {check.__name__} {time.monotonic() - began:.2f}s", flush=True)
    except Exception:
        print(f"FAILED {check.__name__}\n{traceback.format_exc()}", flush=True)
        failed.append(check.__name__)
sys.exit(f"failed: {', '.join(failed)}" if failed else 0)
