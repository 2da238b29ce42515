"""A stream that breaks in the middle raises the client's own error, after the words that came."""

import sys

import openai

client = openai.OpenAI(max_retries=0)
words = []
try:
    for chunk in client.chat.completions.create(
            model="mcp-rag", stream=True, messages=[{"role": "user", "content": "What does the brown fox jump over?"}]):
        words += [choice.delta.content for choice in chunk.choices if choice.delta.content]
    sys.exit("the stream ended as if it were whole")
except openai.APIError as error:
    assert error.code == "unavailable", error
assert "".join(words) == "The brown fox jumps over the ", words
