"""The PyPI client: does what talk.mjs does with the npm ones. MODE is legacy or auto."""

import asyncio
import json
import sys

import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError


def server(where):
    if where[0] == "stdio":
        return StdioServerParameters(command=where[1], args=where[2:])
    headers = {"authorization": f"Bearer {where[2]}"} if len(where) > 2 else {}
    return streamable_http_client(where[1], http_client=httpx2.AsyncClient(headers=headers, timeout=60))


async def main(mode, where):
    told = {"client": "pypi"}

    async def hear(progress, total, message):
        told.setdefault("progress", []).append(message)

    def shown(result):
        assert len(result.content) == 1 and result.content[0].type == "text", result
        value = json.loads(result.content[0].text)
        if not result.is_error:
            assert value == result.structured_content, result
        return value

    async with Client(server(where), mode=mode) as client:
        told["version"] = client.protocol_version
        told["server"] = client.server_info.name
        told["tools"] = [tool.name for tool in (await client.list_tools()).tools]
        told["search"] = shown(await client.call_tool("search", {"query": "what jumps over the dog", "collections": ["notes"]}))
        first = told["search"]["results"][0]["id"]
        told["fetch"] = shown(await client.call_tool("fetch", {"id": first}))
        told["ask"] = shown(await client.call_tool("ask", {"question": "What does the fox jump over?"}, progress_callback=hear))
        wrong = await client.call_tool("search", {"query": "x", "collections": ["nowhere"]})
        assert wrong.is_error
        told["wrong"] = shown(wrong)
        try:
            await client.call_tool("no_such_tool", {})
        except MCPError as error:
            told["unknown"] = error.error.code
        told["resources"] = [str(resource.uri) for resource in (await client.list_resources()).resources]
        told["templates"] = [one.uri_template for one in (await client.list_resource_templates()).resource_templates]
        told["read"] = (await client.read_resource(told["resources"][0])).contents[0].text
        told["prompts"] = [prompt.name for prompt in (await client.list_prompts()).prompts]
        prompt = await client.get_prompt("answer_from_documents", {"question": "What jumps?"})
        told["prompt"] = prompt.messages[0].content.text
        from mcp.types import ResourceTemplateReference

        reference = ResourceTemplateReference(type="ref/resource", uri=told["templates"][0])
        completed = await client.complete(reference, {"name": "collection", "value": "no"})
        told["completed"] = completed.completion.values
    print(json.dumps(told))


asyncio.run(main(sys.argv[1], sys.argv[2:]))
