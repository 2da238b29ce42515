"""Every row of the contract with openai-python as it comes: OPENAI_BASE_URL and OPENAI_API_KEY say where."""

import sys
import time
import traceback

from openai import OpenAI

client = OpenAI(max_retries=0, timeout=30)
rows = []


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


@row
def a_file_is_uploaded_attached_and_found():
    store = client.vector_stores.create(name="Thin path")
    assert store.object == "vector_store" and store.name == "Thin path", store
    file = client.files.create(file=("fox.md", b"# Foxes\n\nThe quick brown fox jumps over the lazy dog.\n"), purpose="assistants")
    attached = client.vector_stores.files.create_and_poll(file.id, vector_store_id=store.id, poll_interval_ms=50)
    assert attached.status == "completed", attached
    page = client.vector_stores.search(store.id, query="what does the fox jump over")
    found = page.data[0]
    assert (found.file_id, found.filename) == (file.id, "fox.md"), found
    assert "lazy dog" in found.content[0].text and 0 <= found.score <= 1, found


for check in rows:
    began = time.monotonic()
    try:
        check()
    except Exception:
        traceback.print_exc()
        sys.exit(f"failed: {check.__name__}")
    print(f"ok {check.__name__} {time.monotonic() - began:.2f}s", flush=True)
