"""A client that openapi-python-client made of the document, at work; PYTHONPATH has it as `mcp_rag_client`."""

import os

from mcp_rag_client import AuthenticatedClient
from mcp_rag_client.api.answers import answers_create
from mcp_rag_client.api.collections import collections_create, collections_delete
from mcp_rag_client.api.documents import documents_delete, documents_list, documents_put
from mcp_rag_client.api.search import search
from mcp_rag_client.models import (
    AnswerRequest,
    CollectionView,
    CompareFilter,
    Comparator,
    DocumentStatus,
    ErrorBody,
    NewCollection,
    NewDocument,
    SearchRequest,
)

with AuthenticatedClient(os.environ["MCP_RAG_URL"], os.environ["MCP_RAG_TOKEN"]) as client:
    made = collections_create.sync(client=client, body=NewCollection(name="generated-py"))
    assert isinstance(made, CollectionView) and made.chunking.max_tokens == 256, made
    again = collections_create.sync(client=client, body=NewCollection(name="generated-py"))
    assert isinstance(again, ErrorBody) and again.error.code == "conflict", again

    fox = NewDocument.from_dict(
        {"title": "Fox", "text": "The quick brown fox jumps over the lazy dog.", "attributes": {"lang": "en"}}
    )
    put = documents_put.sync("generated-py", "fox", client=client, body=fox, wait=True)
    assert put.document.status is DocumentStatus.READY and not put.unchanged, put
    listed = documents_list.sync("generated-py", client=client, status=DocumentStatus.READY)
    assert [document.external_id for document in listed.data] == ["fox"], listed

    english = CompareFilter(type_=Comparator.EQ, key="lang", value="en")
    found = search.sync(
        client=client, body=SearchRequest(query="what jumps?", collections=["generated-py"], filters=english)
    )
    assert found.results[0].external_id == "fox" and not found.degraded, found
    answer = answers_create.sync(
        client=client, body=AnswerRequest(question="What does the fox jump over?", collections=["generated-py"])
    )
    assert not answer.abstained and "lazy dog" in answer.citations[0].quote, answer

    assert documents_delete.sync("generated-py", "fox", client=client).deleted.documents == 1
    assert collections_delete.sync("generated-py", client=client).deleted.documents == 0
print("ok")
